# SPDX-License-Identifier: Apache-2.0
"""Bitstream packages: checked before Glance gets them, and found in Glance."""
