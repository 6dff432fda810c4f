# SPDX-License-Identifier: Apache-2.0
"""The cards on which a claim may be, of those that the engine saw last."""

import dataclasses
import typing

from fpga_nova import traits

Document = dict[str, typing.Any]


@dataclasses.dataclass(frozen=True)
class Place:
    """A resource provider with regions.

    :ivar device: name of the card on its host; None if any of the host's will do
    :ivar board: what the card has to be; None if any will do
    """

    provider_id: str
    host: str
    device: str | None
    board: str | None


def find(document: typing.Mapping[str, typing.Any], request: Document) -> dict[str, Place]:
    """The places that a request permits, by provider.

    :param document: what the engine published of the hosts
    :param request: as the claim has it
    """
    found = (_place(card, request) for card in document["cards"] if _is(card, request))
    return {one.provider_id: one for one in found}


def _is(card: Document, request: Document) -> bool:
    """Whether a card is on the host, and is the device, that a request names."""
    host, device = request.get("host"), request.get("device")
    return (
        card["host"] is not None
        and host in (None, card["host"])
        and (device is None or device == card["id"] or device in card["devices"])
    )


def _place(card: Document, request: Document) -> Place:
    names, device = card["devices"], request.get("device")
    if device not in names:
        device = names[0] if len(names) == 1 else None
    # A host's own provider has the traits of all its cards, so the host has to choose by the board.
    required = request.get("required", ())
    board = next((one for one in card["boards"] if traits.name("board", one) in required), None)
    return Place(card["id"], card["host"], device, board)
