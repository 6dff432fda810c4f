# SPDX-License-Identifier: Apache-2.0
"""Registers a node at fpga-api and brings it leases: the one process that has credentials."""
