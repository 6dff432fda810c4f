# SPDX-License-Identifier: Apache-2.0
"""Drivers that program regions, one module each; entry points of `fpga_regions.drivers`."""
