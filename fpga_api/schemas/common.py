# SPDX-License-Identifier: Apache-2.0
"""Schemas that resources share."""

from fpga_api.schemas import Schema

UUID: Schema = {
    "type": "string",
    "format": "uuid",
    "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
}
#: As in the schema of manifests.
WORD: Schema = {
    "type": "string",
    "minLength": 1,
    "maxLength": 64,
    "pattern": "^[A-Za-z0-9][A-Za-z0-9._+-]*$",
}
TIME: Schema = {
    "description": "RFC 3339, in UTC.",
    "type": "string",
    "format": "date-time",
}
#: The members of an answer that says how old it is.
AGE: dict[str, Schema] = {
    "at": {**TIME, "description": "When the engine looked."},
    "age": {"description": "Seconds since then.", "type": "number", "minimum": 0},
    "stale": {
        "description": "Whether the engine could not look again in time.",
        "type": "boolean",
    },
}
#: The parameters of a list that is given in pages.
PAGE: dict[str, Schema] = {
    "limit": {
        "description": "Most items of the page.",
        "type": "integer",
        "minimum": 1,
        "maximum": 1_000_000,
    },
    "marker": {
        "description": "Identifier of the last item of the page before.",
        "type": "string",
        "minLength": 1,
        "maxLength": 255,
    },
}
#: The address of the next page.
NEXT: Schema = {
    "description": "Path and query of the next page; null on the last one.",
    "type": ["string", "null"],
}


def members(properties: dict[str, Schema], optional: tuple[str, ...] = ()) -> Schema:
    """An object of exactly these members.

    :param optional: names of those that may be absent
    """
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "required": [name for name in properties if name not in optional],
    }


def parameters(properties: dict[str, Schema], required: tuple[str, ...] = ()) -> Schema:
    """A query of these parameters."""
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "required": list(required),
    }


NO_QUERY = parameters({})

FAULT: Schema = {
    "description": "Why it failed; null if it did not.",
    "oneOf": [
        {"type": "null"},
        members({"code": {"type": "string"}, "detail": {"type": ["string", "null"]}}),
    ],
}
ERROR: Schema = members(
    {
        "error": members(
            {
                "code": {"description": "Stable name of the failure.", "type": "string"},
                "status": {"type": "integer"},
                "title": {"type": "string"},
                "detail": {"description": "For people.", "type": "string"},
                "request_id": {"type": ["string", "null"]},
            }
        )
    }
)
