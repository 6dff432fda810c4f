# SPDX-License-Identifier: Apache-2.0
"""Schemas of bitstreams."""

from fpga_api.schemas import Schema, common

_TEXT: Schema = {"type": ["string", "null"]}
_MANIFEST: Schema = {
    "description": "The package's manifest.json; null if it is not known.",
    "type": ["object", "null"],
}
SUMMARY: dict[str, Schema] = {
    "id": {**common.UUID, "description": "Id of the Glance image; flavors name it."},
    "name": _TEXT,
    "function": {**_TEXT, "description": "What the region does that is programmed with it."},
    "version": _TEXT,
    "vendor": _TEXT,
    "type": {**_TEXT, "description": "What sort of accelerator it is."},
    "board": {**_TEXT, "description": "The card that it is for."},
    "part": {**_TEXT, "description": "The FPGA that it is for."},
    "size": {"description": "Bytes of the package.", "type": ["integer", "null"]},
    "status": {"description": "Glance's status of the image.", "type": "string"},
    "visibility": {"enum": ["private", "shared", "community", "public"]},
    "project_id": {**_TEXT, "description": "The project that owns it."},
    "created_at": common.TIME,
    "updated_at": common.TIME,
}
BITSTREAM = common.members({**SUMMARY, "manifest": _MANIFEST})
LIST = common.members(
    {
        "bitstreams": {"type": "array", "items": common.members(SUMMARY)},
        "next": common.NEXT,
    }
)
VALID = common.members(
    {
        "manifest": {**_MANIFEST, "type": "object"},
        "digest": {"description": "Digest of the bitfile.", "type": "string"},
    }
)

LIST_QUERY = common.parameters(
    {
        "function": common.WORD,
        "board": common.WORD,
        "vendor": common.WORD,
        "type": common.WORD,
        "limit": common.PAGE["limit"],
        "marker": common.UUID,
    }
)
CREATE_QUERY = common.parameters(
    {
        "name": {
            "description": "Name of the Glance image; by default the manifest's.",
            "type": "string",
            "minLength": 1,
            "maxLength": 255,
            # Glance takes no characters of four bytes.
            "pattern": r"^[\u0020-\uD7FF\uE000-\uFFFD]+$",
        },
        "visibility": {
            "description": "Who sees it. A private one is shared with the service's project.",
            "enum": ["private", "community", "public"],
            "default": "private",
        },
        "server": {
            "description": "Server whose programs alone need it: the image is private, whatever "
            "`visibility` is, and hidden. It is deleted when another program has taken its place, "
            "or with the server.",
            **common.UUID,
        },
    }
)
