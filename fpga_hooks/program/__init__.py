# SPDX-License-Identifier: Apache-2.0
"""fpga-cli as nova-compute uses it: run as root, its answers, its errors."""
