# SPDX-License-Identifier: Apache-2.0
"""Bitstream packages: read, written, signed."""
