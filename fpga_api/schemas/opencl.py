# SPDX-License-Identifier: Apache-2.0
"""Schemas of nodes, devices and sessions of OpenCL."""

from fpga_api.schemas import Schema, common

_NAME: Schema = {"type": "string", "minLength": 1, "maxLength": 255}
_TEXT: Schema = {"type": "string", "maxLength": 255}
_NULL_TEXT: Schema = {"type": ["string", "null"]}
#: One that a database has for each column of a number.
_COUNT: Schema = {"type": "integer", "minimum": 0, "maximum": 2_000_000_000}
_BYTES: Schema = {"type": "integer", "minimum": 0, "maximum": 2**62}
_SECONDS: Schema = {"type": "number", "minimum": 0}
#: Of `fpga_opencl`: host and port of the data plane.
_ADDRESS: Schema = {
    "description": "Host and port of the node, for TLS.",
    "type": "string",
    "pattern": r"^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):[0-9]{1,5}$",
    "maxLength": 255,
}
_CERTIFICATE: Schema = {
    "description": "Certificate that the node shows, PEM; clients take no other one.",
    "type": "string",
    "pattern": "^-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----\n$",
    "maxLength": 16384,
}
TYPES = ("cpu", "gpu", "accelerator", "other")
#: Those of `fpga_api.db.opencl_sessions`.
STATES = ("allocating", "active", "closing", "closed", "expired", "lost")
_STATE: Schema = {"enum": list(STATES)}
_TTL: Schema = {
    "description": "Seconds from now after which it expires; the operator may grant fewer.",
    "type": "integer",
    "minimum": 1,
    "maximum": 2_000_000_000,
}
_MEMORY: Schema = {
    "description": "MiB of the session's workers, buffers on a processor included.",
    "type": "integer",
    "minimum": 64,
    "maximum": 16_000_000,
}

_OF_DEVICE: dict[str, Schema] = {
    "name": _NAME,
    "vendor": _TEXT,
    "version": _TEXT,
    "driver_version": _TEXT,
    "type": {"enum": list(TYPES)},
    "compute_units": _COUNT,
    "global_memory": {"description": "Bytes.", **_BYTES},
    "sessions": {"description": "Sessions at once, at most.", **_COUNT},
    "memory": {"description": "MiB of the workers of all sessions, at most.", **_COUNT},
}
DEVICE = common.members(
    {
        "id": common.UUID,
        "number": {"description": "On its node, from 0.", **_COUNT},
        **_OF_DEVICE,
        "node": {"description": "Name of the node.", **_NAME},
        "node_id": common.UUID,
        "state": {"enum": ["up", "lost"]},
        "used": {"description": "Sessions that it has.", **_COUNT},
        "used_memory": {"description": "MiB that they have.", **_COUNT},
    }
)
DEVICE_ONE = common.members({"device": DEVICE})
DEVICE_LIST = common.members({"devices": {"type": "array", "items": DEVICE}, "next": common.NEXT})
DEVICE_QUERY = common.parameters(
    {
        "node": {"description": "Name of the node.", **_NAME},
        "type": {"enum": list(TYPES)},
        "limit": common.PAGE["limit"],
        "marker": common.UUID,
    }
)

NODE = common.members(
    {
        "id": common.UUID,
        "name": _NAME,
        "state": {"enum": ["up", "lost"]},
        "address": _ADDRESS,
        "certificate": _CERTIFICATE,
        "reserved_for": {"description": "Project that alone may use it.", **_NULL_TEXT},
        "boot": {"description": "Chosen by the node at each start.", **common.UUID},
        "devices": {"type": "array", "items": common.UUID},
        "seen_at": {**common.TIME, "description": "Of the last heartbeat."},
        "created_at": common.TIME,
        "updated_at": common.TIME,
    }
)
NODE_ONE = common.members({"node": NODE})
NODE_LIST = common.members({"nodes": {"type": "array", "items": NODE}, "next": common.NEXT})
NODE_QUERY = common.parameters({"limit": common.PAGE["limit"], "marker": common.UUID})
REGISTER = common.members(
    {
        "name": _NAME,
        "address": _ADDRESS,
        "certificate": _CERTIFICATE,
        "boot": {**common.UUID, "description": "Another one at each start: it begins empty."},
        "reserved_for": {"description": "Project that alone may use it.", **_NAME},
        "devices": {
            "description": "In the order of their numbers.",
            "type": "array",
            "items": common.members(_OF_DEVICE),
            "maxItems": 64,
        },
    },
    optional=("reserved_for",),
)
HEARTBEAT = common.members(
    {
        "boot": common.UUID,
        "sessions": {
            "description": "Those of which the node has something.",
            "type": "array",
            "items": common.UUID,
            "maxItems": 1024,
        },
    }
)
LEASES = common.members(
    {
        "ttl": {
            "description": "Seconds after which a silent node is lost, and ends all workers.",
            **_SECONDS,
        },
        "heartbeat": {"description": "Seconds to the next heartbeat.", **_SECONDS},
        "sessions": {
            "description": "Those that the node serves; it ends all others.",
            "type": "array",
            "items": common.members(
                {
                    "id": common.UUID,
                    "device": {"description": "Its number on the node.", **_COUNT},
                    "memory": _MEMORY,
                    "seconds": {"description": "Until it expires.", **_SECONDS},
                    "token_hash": {
                        "description": "SHA-256 of the token, in hexadecimal.",
                        "type": "string",
                    },
                    "token_seconds": {"description": "Until that expires.", **_SECONDS},
                }
            ),
        },
    }
)

SESSION = common.members(
    {
        "id": common.UUID,
        "project_id": {"type": "string"},
        "user_id": {"type": "string"},
        "state": _STATE,
        "device_id": common.UUID,
        "node": {"description": "Name of the node; null if it is gone.", **_NULL_TEXT},
        "address": {"description": "Host and port of the node, for TLS.", **_NULL_TEXT},
        "certificate": {
            "description": "Certificate that the node shows, PEM; take no other one.",
            **_NULL_TEXT,
        },
        "memory": _MEMORY,
        "ttl": {"description": "Seconds of the last renewal.", "type": "integer"},
        "expires_at": common.TIME,
        "token_expires_at": common.TIME,
        "created_at": common.TIME,
        "updated_at": common.TIME,
        "fault": common.FAULT,
    }
)
_TOKEN: Schema = {
    "description": "Opens connections to the node; no other answer has it.",
    "type": "string",
}
ONE = common.members({"session": SESSION})
OPEN = common.members({"session": SESSION, "token": _TOKEN})
LIST = common.members({"sessions": {"type": "array", "items": SESSION}, "next": common.NEXT})
CREATE = common.members(
    {
        "id": {
            **common.UUID,
            "description": "Of the new session; a second request opens no other.",
        },
        "device": {**common.UUID, "description": "On this device."},
        "node": {"description": "On a device of the node of this name.", **_NAME},
        "type": {"description": "On a device of this type.", "enum": list(TYPES)},
        "memory": _MEMORY,
        "ttl": _TTL,
    },
    optional=("id", "device", "node", "type", "memory", "ttl"),
)
RENEW = common.members({"ttl": _TTL})
LIST_QUERY = common.parameters(
    {
        "state": {"description": "State of the session.", **_STATE},
        "project": {"description": "Whose; for administrators.", **_NAME},
        "limit": common.PAGE["limit"],
        "marker": common.UUID,
    }
)
