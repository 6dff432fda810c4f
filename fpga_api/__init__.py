# SPDX-License-Identifier: Apache-2.0
"""The REST service: bitstreams, cards, regions, and the availability of accelerator flavors.

A stateless WSGI application answers requests; one engine publishes what it found in the cloud for
the application to read. Ledger, Placement, Glance and Nova stay the sources of truth.
"""
