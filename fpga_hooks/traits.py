# SPDX-License-Identifier: Apache-2.0
"""How Placement calls what a card is and what is loaded into it."""

import re

#: The host, or the card, has regions.
FPGA = "CUSTOM_FPGA"

#: What is told of a region, each by a trait ``CUSTOM_FPGA_KIND_VALUE``.
KINDS = ("vendor", "board", "function")


def name(kind: str, value: str) -> str:
    """A trait's name; Placement takes capital letters, digits and _ only, 255 at most."""
    return re.sub("[^A-Z0-9_]", "_", f"{FPGA}_{kind}_{value}".upper())[:255]
