# SPDX-License-Identifier: Apache-2.0
"""Schemas of claims."""

from fpga_api.schemas import Schema, common

_TEXT: Schema = {"type": ["string", "null"]}
_NAME: Schema = {"type": "string", "minLength": 1, "maxLength": 255}
_SYMBOL: Schema = {"type": "string", "pattern": "^[A-Z0-9_]+$", "minLength": 1, "maxLength": 255}
_TTL: Schema = {
    "description": "Seconds from now after which the claim expires; the operator may grant fewer.",
    "type": "integer",
    "minimum": 1,
    "maximum": 2_000_000_000,
}
#: Those of `fpga_api.db.claims`.
STATES = ("allocating", "programming", "active", "releasing", "released", "expired", "failed")
_STATE: Schema = {"enum": list(STATES)}
_NODE = common.members(
    {
        "kind": {"type": "string"},
        "name": {"description": "Path that the bitstream suggests.", **_TEXT},
        "path": {"description": "Path on the host.", **_TEXT},
    }
)
CLAIM = common.members(
    {
        "id": common.UUID,
        "project_id": {"type": "string"},
        "user_id": {"type": "string"},
        "state": _STATE,
        "host": {"description": "The compute host that has it.", **_TEXT},
        "card": {"description": "Resource provider of the card, or of its host.", **_TEXT},
        "region": {"description": "Id of the region on the host.", **_TEXT},
        "bitstream_id": {"description": "Glance image in the region.", **_TEXT},
        "device": {"description": "Name of the card on the host.", **_TEXT},
        "address": {"description": "PCI address of the card, if it has one.", **_TEXT},
        "board": _TEXT,
        "vendor": _TEXT,
        "part": _TEXT,
        "function": _TEXT,
        "nodes": {"description": "Devices of the region.", "type": "array", "items": _NODE},
        "ttl": {"description": "Seconds of the last renewal.", "type": "integer"},
        "expires_at": common.TIME,
        "created_at": common.TIME,
        "updated_at": common.TIME,
        "fault": common.FAULT,
    }
)
ONE = common.members({"claim": CLAIM})
LIST = common.members({"claims": {"type": "array", "items": CLAIM}, "next": common.NEXT})

CREATE = common.members(
    {
        "id": {**common.UUID, "description": "Of the new claim; a second request changes nothing."},
        "host": {"description": "Name of the compute host.", **_NAME},
        "device": {
            "description": "Name of the card on its host, or its resource provider.",
            **_NAME,
        },
        "type": {"description": "Program the newest bitstream of this type.", **common.WORD},
        "resource_class": {"description": "Class of the accelerator in Placement.", **_SYMBOL},
        "traits": {
            "description": "Traits that the card has to have.",
            "type": "array",
            "items": _SYMBOL,
            "maxItems": 32,
            "uniqueItems": True,
        },
        "bitstream": {**common.UUID, "description": "Glance image to program."},
        "ttl": _TTL,
    },
    optional=("id", "host", "device", "type", "resource_class", "traits", "bitstream", "ttl"),
)
RENEW = common.members({"ttl": _TTL})
LIST_QUERY = common.parameters(
    {
        "state": {"description": "State of the claim.", **_STATE},
        "project": {"description": "Whose; for administrators.", **_NAME},
        "limit": common.PAGE["limit"],
        "marker": common.UUID,
    }
)
