# SPDX-License-Identifier: Apache-2.0
"""Schemas of programs."""

from fpga_api.schemas import Schema, common

_TEXT: Schema = {"type": ["string", "null"]}
_TRUTH: Schema = {"type": ["boolean", "null"]}
_NUMBER: Schema = {
    "description": "Number of the region among those of the server.",
    "type": "integer",
    "minimum": 1,
    "maximum": 6,
}
_REBOOT: Schema = {
    "description": "Whether the server may be rebooted if it does not see its function else.",
    "enum": ["never", "if_needed"],
}
#: Those of `fpga_api.db.programs`.
STATES = ("requested", "running", "done", "failed", "lost")

PROGRAM = common.members(
    {
        "id": common.UUID,
        "project_id": {"description": "Project of the server.", "type": "string"},
        "user_id": {"type": "string"},
        "server_id": common.UUID,
        "number": _NUMBER,
        "bitstream_id": {**common.UUID, "description": "Glance image."},
        "previous_id": {"description": "Glance image that the region had before.", **_TEXT},
        "reboot": _REBOOT,
        "state": {"enum": list(STATES)},
        "region": {"description": "Id of the region on its host.", **_TEXT},
        "restored": {
            "description": "Whether the function from before is back after a failure.",
            **_TRUTH,
        },
        "reboot_required": {
            "description": "Whether the server sees its function after a reboot alone.",
            **_TRUTH,
        },
        "created_at": common.TIME,
        "updated_at": common.TIME,
        "fault": common.FAULT,
    }
)
ONE = common.members({"program": PROGRAM})
LIST = common.members({"programs": {"type": "array", "items": PROGRAM}, "next": common.NEXT})

CREATE = common.members(
    {
        "id": {**common.UUID, "description": "Of the program; a second request changes nothing."},
        "bitstream": {**common.UUID, "description": "Glance image to program."},
        "number": _NUMBER,
        "reboot": _REBOOT,
    },
    optional=("id", "number", "reboot"),
)
LIST_QUERY = common.parameters(
    {
        "server": {"description": "Id of the server.", **common.UUID},
        "project": {
            "description": "Whose; for administrators.",
            "type": "string",
            "minLength": 1,
            "maxLength": 255,
        },
        "limit": common.PAGE["limit"],
        "marker": common.UUID,
    }
)
