# SPDX-License-Identifier: Apache-2.0
"""Runs Docker containers as Nova instances."""
