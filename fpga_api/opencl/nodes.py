# SPDX-License-Identifier: Apache-2.0
"""Registers nodes, takes their heartbeats, and says which of them are there."""

import typing
import uuid

from oslo_config import cfg
from oslo_log import log as logging

from fpga_api import clock, context, errors
from fpga_api.db import opencl_nodes as nodes
from fpga_api.db import opencl_sessions as sessions
from fpga_api.db.opencl_nodes import Device, Node
from fpga_api.service import Service

LOG = logging.getLogger(__name__)

#: Of the ids of devices, which stay the same while their nodes come and go.
_NAMESPACE = uuid.UUID("5d5b8c0e-1c56-4ff0-9d2a-6d2c9e0b7a41")

RESTARTED = ("fpga.node_restarted", "the node has started again, and begins empty")
UNREGISTERED = ("fpga.node_unregistered", "the node was unregistered")

Document = dict[str, typing.Any]


def is_up(conf: cfg.ConfigOpts, node: Node) -> bool:
    """Whether a node's last heartbeat is not too old."""
    age = (clock.now() - node.seen_at).total_seconds()
    # The database has times to the second, and hosts have clocks of their own.
    return bool(age <= conf.opencl.node_ttl + 1)


def register(service: Service, user: context.RequestContext, node_id: str, body: Document) -> Node:
    """Add a node, or replace what is known of it; sessions of an earlier start are lost.

    :raises errors.IdTaken: another node has its name
    """
    now = clock.now()
    node = Node(
        id=node_id,
        name=body["name"],
        project_id=user.project_id,
        user_id=user.user_id,
        reserved_for=body.get("reserved_for"),
        address=body["address"],
        certificate=body["certificate"],
        boot=body["boot"],
        seen_at=now,
        created_at=now,
        updated_at=now,
    )
    devices = [_device(node_id, number, one) for number, one in enumerate(body["devices"])]
    try:
        with service.database.begin() as connection:
            nodes.put(connection, node, devices)
            sessions.lose(connection, node_id, *RESTARTED, but_boot=node.boot)
    except nodes.DuplicateError as e:
        raise errors.IdTaken(f"another node has the name {node.name}") from e
    LOG.info("Node %s of OpenCL is there: %s, %d devices", node.name, node.address, len(devices))
    return node


def beat(service: Service, node: Node, body: Document) -> Document:
    """Note a heartbeat; gives what the node has to serve from now on.

    :raises errors.NodeUnknown: it is not registered, or with another start
    """
    with service.database.begin() as connection:
        if not nodes.see(connection, node.id, body["boot"]):
            raise errors.NodeUnknown(f"node {node.name} has to register again")
        sessions.confirm(connection, node.id, body["sessions"])
        found = sessions.on_node(connection, node.id, body["boot"])
    numbers = {one.id: one.number for one in nodes.list_devices(service.database, node.id)}
    own = service.conf.opencl
    leases = [_lease(one, numbers[one.device_id]) for one in found if one.device_id in numbers]
    return {"ttl": own.node_ttl, "heartbeat": own.heartbeat, "sessions": leases}


def unregister(service: Service, node_id: str) -> None:
    """Remove a node; its sessions are lost. Nothing happens if it is not there."""
    with service.database.begin() as connection:
        sessions.lose(connection, node_id, *UNREGISTERED)
        nodes.remove(connection, node_id)


def _device(node_id: str, number: int, found: Document) -> Device:
    # What JSON has as 2.0 is 2.
    values: Document = {
        name: int(one) if isinstance(one, float) else one for name, one in found.items()
    }
    own = str(uuid.uuid5(_NAMESPACE, f"{node_id}/{number}"))
    memory = values.pop("memory")
    return Device(id=own, node_id=node_id, number=number, memory_mb=memory, **values)


def _lease(session: sessions.Session, number: int) -> Document:
    now = clock.now()
    return {
        "id": session.id,
        "device": number,
        "memory": session.memory_mb,
        "seconds": max(0.0, (session.expires_at - now).total_seconds()),
        "token_hash": session.token_hash,
        "token_seconds": max(0.0, (session.token_expires_at - now).total_seconds()),
    }
