# SPDX-License-Identifier: Apache-2.0
"""Nodes, devices and sessions as the API shows them."""

import typing

from oslo_config import cfg

from fpga_api import clock
from fpga_api.db.opencl_nodes import Device, Node
from fpga_api.db.opencl_sessions import Session, Usage
from fpga_api.opencl import nodes

Document = dict[str, typing.Any]


def node(conf: cfg.ConfigOpts, found: Node, devices: typing.Iterable[Device]) -> Document:
    """A node.

    :param devices: those of other nodes, too
    """
    return {
        "id": found.id,
        "name": found.name,
        "state": _state(conf, found),
        "address": found.address,
        "certificate": found.certificate,
        "reserved_for": found.reserved_for,
        "boot": found.boot,
        "devices": [one.id for one in devices if one.node_id == found.id],
        "seen_at": clock.text(found.seen_at),
        "created_at": clock.text(found.created_at),
        "updated_at": clock.text(found.updated_at),
    }


def device(conf: cfg.ConfigOpts, found: Device, of: Node, used: Usage) -> Document:
    """A device.

    :param of: its node
    :param used: what its sessions have
    """
    return {
        "id": found.id,
        "number": found.number,
        "name": found.name,
        "vendor": found.vendor,
        "version": found.version,
        "driver_version": found.driver_version,
        "type": found.type,
        "compute_units": found.compute_units,
        "global_memory": found.global_memory,
        "sessions": found.sessions,
        "memory": found.memory_mb,
        "node": of.name,
        "node_id": of.id,
        "state": _state(conf, of),
        "used": used.sessions,
        "used_memory": used.memory_mb,
    }


def session(found: Session, of: Node | None) -> Document:
    """A session.

    :param of: its node; None if it is gone
    """
    return {
        "id": found.id,
        "project_id": found.project_id,
        "user_id": found.user_id,
        "state": found.state,
        "device_id": found.device_id,
        "node": of and of.name,
        "address": of and of.address,
        "certificate": of and of.certificate,
        "memory": found.memory_mb,
        "ttl": found.ttl,
        "expires_at": clock.text(found.expires_at),
        "token_expires_at": clock.text(found.token_expires_at),
        "created_at": clock.text(found.created_at),
        "updated_at": clock.text(found.updated_at),
        "fault": None if found.code is None else {"code": found.code, "detail": found.fault},
    }


def _state(conf: cfg.ConfigOpts, found: Node) -> str:
    return "up" if nodes.is_up(conf, found) else "lost"
