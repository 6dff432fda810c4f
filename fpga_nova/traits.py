# SPDX-License-Identifier: Apache-2.0
"""How Placement calls cards, what they are and what is loaded into them."""

import re

#: The host, or the card, has regions.
FPGA = "CUSTOM_FPGA"

#: What Placement learns of a region, each by a trait ``CUSTOM_FPGA_KIND_VALUE``.
KINDS = ("vendor", "board", "function")


def name(kind: str, value: str) -> str:
    """A trait's name; Placement takes capital letters, digits and _ only, 255 at most."""
    return re.sub("[^A-Z0-9_]", "_", f"{FPGA}_{kind}_{value}".upper())[:255]


#: What distinguishes the provider of a card from that of its host: NODE_fpga_CARD.
OF_CARD = "_fpga_"


def card_in(provider: str, nodename: str) -> str | None:
    """The card in the name of a provider of a node; None in that of the node itself."""
    of_cards = f"{nodename}{OF_CARD}"
    return provider.removeprefix(of_cards) if provider.startswith(of_cards) else None
