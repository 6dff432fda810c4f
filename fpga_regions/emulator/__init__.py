# SPDX-License-Identifier: Apache-2.0
"""What stands behind an emulated region: the tools, the engines and the processes."""

#: The part of regions whose function is a program; all others are iCE40 devices.
SOFTWARE = "software"
