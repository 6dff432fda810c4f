# SPDX-License-Identifier: Apache-2.0
"""Schemas of availability."""

from fpga_api.schemas import Schema, common

_COUNT: Schema = {"type": ["integer", "null"], "minimum": 0}

_ERROR: Schema = {
    "description": "Why the flavor cannot be counted; null if it is.",
    "oneOf": [
        {"type": "null"},
        common.members({"code": {"type": "string"}, "detail": {"type": "string"}}),
    ],
}

FLAVOR: Schema = common.members(
    {
        "id": {"description": "The flavor's id in Nova.", "type": "string"},
        "name": {"type": "string"},
        "public": {"description": "Whether all projects have the flavor.", "type": "boolean"},
        "free": {
            **_COUNT,
            "description": "Servers that find a host now; null if the flavor cannot be counted.",
        },
        "total": {**_COUNT, "description": "Servers that would find one if there were no others."},
        "mine": {
            **_COUNT,
            "description": "With mine=true: those of `free` that the project's quota allows.",
        },
        "source": {"description": "Where the counts are from.", "type": "string"},
        "accelerators": {
            "description": "What a server gets, by resource class or alias.",
            "type": "object",
            "additionalProperties": {"type": "integer", "minimum": 1},
        },
        "error": _ERROR,
    },
    optional=("mine",),
)

_COMPLETE: Schema = {
    "description": "Whether `total` has all hosts; after a start, full ones are found bit by bit.",
    "type": "boolean",
}

_REGIONS: Schema = {
    "description": "With mine=true: the project's regions; null if Keystone's limits do not count.",
    "oneOf": [
        {"type": "null"},
        common.members(
            {
                "used": {"type": "integer", "minimum": 0},
                "limit": {**_COUNT, "description": "Null if there is no limit."},
            }
        ),
    ],
}
_REST: dict[str, Schema] = {"complete": _COMPLETE, "regions": _REGIONS, **common.AGE}

LIST: Schema = common.members(
    {"flavors": {"type": "array", "items": FLAVOR}, **_REST}, optional=("regions",)
)
SHOW: Schema = common.members({"flavor": FLAVOR, **_REST}, optional=("regions",))

LIST_QUERY = common.parameters(
    {
        "mine": {
            "description": "Whether the answer has how many servers the project's quota allows.",
            "type": "boolean",
            "default": False,
        },
        "zone": {
            "description": "Availability zone; without it, hosts of all zones count.",
            "type": "string",
            "minLength": 1,
            "maxLength": 255,
        },
    }
)

_SAMPLE: Schema = common.members(
    {
        "at": common.TIME,
        "free": {"type": "integer", "minimum": 0},
        "total": {"type": "integer", "minimum": 0},
    }
)
HISTORY: Schema = common.members(
    {
        "flavor": {"description": "The flavor's id in Nova.", "type": "string"},
        "samples": {
            "description": "From the oldest to the newest.",
            "type": "array",
            "items": _SAMPLE,
        },
    }
)
HISTORY_QUERY = common.parameters(
    {
        "hours": {
            "description": "How many hours back.",
            "type": "integer",
            "minimum": 1,
            "maximum": 24 * 366,
            "default": 24,
        }
    }
)

#: The shape of de.NBI's OpenstackGPUService, whose clients read it.
GPU_FLAVOR: Schema = common.members(
    {
        "flavor_openstack_id": {"type": "string"},
        "flavor_name": {"type": "string"},
        "available": {"type": "number", "minimum": 0},
        "total": {"type": "number", "minimum": 0},
    }
)
_GPU_AGE: dict[str, Schema] = {
    "timestamp": common.AGE["at"],
    "age": common.AGE["age"],
    "stale": common.AGE["stale"],
}
GPU_LIST: Schema = common.members({"flavors": {"type": "array", "items": GPU_FLAVOR}, **_GPU_AGE})
GPU_SHOW: Schema = common.members({"flavor": GPU_FLAVOR, **_GPU_AGE})
