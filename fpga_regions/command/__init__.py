# SPDX-License-Identifier: Apache-2.0
"""The command fpga-cli: its command line, verbs, options and output."""
