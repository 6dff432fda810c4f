# SPDX-License-Identifier: Apache-2.0
"""Schemas of cards, regions and traits."""

from fpga_api.schemas import Schema, common

_TEXT: Schema = {"type": ["string", "null"]}
_COUNT: Schema = {
    "description": "Regions; null if the host did not answer.",
    "type": ["integer", "null"],
    "minimum": 0,
}
_TEXTS: Schema = {"type": "array", "items": {"type": "string"}}
#: What an operator sees alone; null for others.
_OF_OPERATOR = "Null for users who do not see hosts."

UNREACHABLE: Schema = {
    "description": "Hosts that did not answer, so that their regions are missing. Users who do not "
    "see hosts get the ids of their servers there.",
    "type": "array",
    "items": {"type": "string"},
}

CARD = common.members(
    {
        "id": {**common.UUID, "description": "Its resource provider in Placement."},
        "name": {"description": "Name of the resource provider.", "type": "string"},
        "host": {"description": "The compute host; null if Nova has none.", **_TEXT},
        "devices": {
            **_TEXTS,
            "description": "Names of the card on its host: several if Placement has no provider "
            "of each card.",
        },
        "vendors": _TEXTS,
        "boards": _TEXTS,
        "total": _COUNT,
        "free": _COUNT,
        "used": _COUNT,
        "quarantined": _COUNT,
    }
)
_NODE = common.members(
    {
        "kind": {"type": "string"},
        "name": {"description": "Path in the container.", **_TEXT},
        "path": {"description": f"Path on the host. {_OF_OPERATOR}", **_TEXT},
    }
)
REGION = common.members(
    {
        "id": {"type": "string"},
        "state": {"description": "State in the ledger of the host.", "type": "string"},
        "server_id": {"description": "Server that has the region.", **_TEXT},
        "claim_id": {"description": "Claim that has the region.", **_TEXT},
        "project_id": {"description": "Project of the server or claim, if it is known.", **_TEXT},
        "number": {
            "description": "Number of the region among those of the server.",
            "type": ["integer", "null"],
        },
        "bitstream_id": {"description": "Glance image in the region.", **_TEXT},
        "function": _TEXT,
        "digest": _TEXT,
        "vendor": _TEXT,
        "board": _TEXT,
        "part": _TEXT,
        "driver": _TEXT,
        "simulated": {"type": ["boolean", "null"]},
        "healthy": {
            "description": "Whether the region holds what was programmed; null if not known.",
            "type": ["boolean", "null"],
        },
        "since": {"description": "When the region came into its state.", **_TEXT},
        "at": {**common.TIME, "description": "When its host looked."},
        "nodes": {"description": "Devices of the region.", "type": "array", "items": _NODE},
        "host": {"description": f"The compute host. {_OF_OPERATOR}", **_TEXT},
        "card": {"description": f"Resource provider of the card. {_OF_OPERATOR}", **_TEXT},
        "device": {"description": f"Name of the card on its host. {_OF_OPERATOR}", **_TEXT},
        "address": {
            "description": f"PCI address of the card, if it has one. {_OF_OPERATOR}",
            **_TEXT,
        },
        "quarantine": {"description": f"Reason of the quarantine. {_OF_OPERATOR}", **_TEXT},
        "reason": {"description": f"Last event of the region. {_OF_OPERATOR}", **_TEXT},
        "withheld": {
            "description": f"Whether no server has it or may get it. {_OF_OPERATOR}",
            "type": ["boolean", "null"],
        },
    }
)
_TRAIT = common.members({"name": {"type": "string"}})


def _list(name: str, item: Schema) -> Schema:
    return common.members(
        {
            name: {"type": "array", "items": item},
            "next": common.NEXT,
            **common.AGE,
            "unreachable": UNREACHABLE,
        }
    )


CARDS = _list("cards", CARD)
REGIONS = _list("regions", REGION)
TRAITS = common.members({"traits": {"type": "array", "items": _TRAIT}, **common.AGE})
ONE_CARD = common.members({"card": CARD, **common.AGE})
ONE_REGION = common.members({"region": REGION, **common.AGE})

_HOST: Schema = {"description": "Name of the compute host.", "type": "string", "maxLength": 255}
CARDS_QUERY = common.parameters({"host": _HOST, **common.PAGE})
REGIONS_QUERY = common.parameters(
    {
        "host": _HOST,
        "server": {"description": "Id of the server.", "type": "string", "maxLength": 255},
        "state": {"description": "State of the region.", "type": "string", "maxLength": 64},
        **common.PAGE,
    }
)
REGION_QUERY = common.parameters({"host": _HOST})
