# SPDX-License-Identifier: Apache-2.0
"""Schemas of the versions document."""

from fpga_api.schemas import common

_LINK = common.members({"rel": {"type": "string"}, "href": {"type": "string"}})

VERSIONS = common.members(
    {
        "versions": {
            "type": "array",
            "items": common.members(
                {
                    "id": {"type": "string"},
                    "status": {"enum": ["CURRENT"]},
                    "min_version": {"type": "string"},
                    "max_version": {"type": "string"},
                    "links": {"type": "array", "items": _LINK},
                }
            ),
        }
    }
)
OPENAPI = {"type": "object"}
