# SPDX-License-Identifier: Apache-2.0
"""Bitstreams by what they do: what Glance has of them, and which of them this host takes."""
