# SPDX-License-Identifier: Apache-2.0
"""The region manager behind fpga-cli: which FPGA regions a host has and who holds them."""
