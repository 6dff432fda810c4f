# SPDX-License-Identifier: Apache-2.0
"""Debian in folders: what tests run in, and what images of containers are made from."""
