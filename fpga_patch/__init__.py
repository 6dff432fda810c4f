# SPDX-License-Identifier: Apache-2.0
"""The command ``fpga-patch``, with the diffs for Nova as its data (``diffs`` is ``patches/``)."""
