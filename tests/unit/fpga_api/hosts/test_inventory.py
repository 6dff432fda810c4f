# SPDX-License-Identifier: Apache-2.0
"""The traits that a flavor may require are those that Placement has on a provider."""

import typing

from fpga_api.hosts.inventory import Inventory
from fpga_api.peers import Peers

NAMES = ("CUSTOM_ACCELERATOR_CRYPTO", "CUSTOM_FPGA", "CUSTOM_FPGA_BOARD_X", "CUSTOM_GOLD")


class Placement(Peers):
    """Answers which of its traits begin with a word."""

    def __init__(self) -> None:
        """It reaches nobody."""

    def get(self, service: str, path: str, version: str | None = None) -> typing.Any:
        assert (service, version) == ("placement", "1.18")
        prefix, rest = path.removeprefix("/traits?name=startswith:").split("&")
        assert rest == "associated=true"
        return {"traits": [name for name in NAMES if name.startswith(prefix)]}


def test_traits_are_those_of_cards_and_of_what_they_can_do() -> None:
    assert Inventory(Placement()).traits() == list(NAMES[:3])
