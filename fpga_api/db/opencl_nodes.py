# SPDX-License-Identifier: Apache-2.0
"""Nodes of OpenCL that registered, and their devices."""

import dataclasses
import datetime
import typing

import sqlalchemy as sa
from oslo_db import exception

from fpga_api import clock
from fpga_api.db import rows
from fpga_api.db.connection import Database
from fpga_api.db.tables import OPENCL_DEVICES, OPENCL_NODES

DuplicateError = rows.DuplicateError


@dataclasses.dataclass(frozen=True)
class Node:
    """A node server.

    :ivar project_id, user_id: who registered it, and alone may go on
    :ivar reserved_for: the project that alone may use it; None for all
    :ivar address: host and port of its data plane
    :ivar certificate: of its data plane, PEM
    :ivar boot: of its last start
    :ivar seen_at: of its last heartbeat
    """

    id: str
    name: str
    project_id: str
    user_id: str
    reserved_for: str | None
    address: str
    certificate: str
    boot: str
    seen_at: datetime.datetime
    created_at: datetime.datetime
    updated_at: datetime.datetime


@dataclasses.dataclass(frozen=True)
class Device:
    """A device of a node.

    :ivar number: on its node, from 0
    :ivar global_memory: bytes
    :ivar sessions: at once, at most
    :ivar memory_mb: MiB of the workers of all its sessions, at most
    """

    id: str
    node_id: str
    number: int
    name: str
    vendor: str
    version: str
    driver_version: str
    type: str
    compute_units: int
    global_memory: int
    sessions: int
    memory_mb: int


_NODE = [OPENCL_NODES.c[field.name] for field in dataclasses.fields(Node)]
_DEVICE = [OPENCL_DEVICES.c[field.name] for field in dataclasses.fields(Device)]


def get(database: Database, node_id: str) -> Node | None:
    """A node; None if there is none.

    :raises errors.DatabaseUnavailable: the database does not answer
    """
    return next(iter(_nodes(database, OPENCL_NODES.c.id == node_id)), None)


def list_nodes(database: Database) -> list[Node]:
    """All nodes, by id.

    :raises errors.DatabaseUnavailable: the database does not answer
    """
    return _nodes(database)


def silent(database: Database, since: datetime.datetime) -> list[Node]:
    """The nodes without a heartbeat since a time.

    :raises errors.DatabaseUnavailable: the database does not answer
    """
    return _nodes(database, OPENCL_NODES.c.seen_at < since)


def list_devices(database: Database, node_id: str | None = None) -> list[Device]:
    """The devices of a node, or of all nodes, by id.

    :raises errors.DatabaseUnavailable: the database does not answer
    """
    query = sa.select(*_DEVICE).order_by(OPENCL_DEVICES.c.id)
    if node_id is not None:
        query = query.where(OPENCL_DEVICES.c.node_id == node_id)
    with database.begin() as connection:
        return [Device(**row._asdict()) for row in connection.execute(query)]


def put(connection: sa.engine.Connection, node: Node, devices: typing.Iterable[Device]) -> None:
    """Add a node with its devices, or replace both, in a transaction.

    :raises DuplicateError: another node has its name
    """
    known = {field.name: getattr(node, field.name) for field in dataclasses.fields(Node)}
    del known["id"], known["created_at"]
    of_id = OPENCL_NODES.c.id == node.id
    try:
        change = sa.update(OPENCL_NODES).where(of_id).values(**known)
        if connection.execute(change).rowcount == 0:
            connection.execute(sa.insert(OPENCL_NODES).values(**dataclasses.asdict(node)))
    except exception.DBDuplicateEntry as e:
        raise DuplicateError(node.name) from e
    connection.execute(sa.delete(OPENCL_DEVICES).where(OPENCL_DEVICES.c.node_id == node.id))
    for device in devices:
        connection.execute(sa.insert(OPENCL_DEVICES).values(turn=0, **dataclasses.asdict(device)))


def see(connection: sa.engine.Connection, node_id: str, boot: str) -> bool:
    """Note a heartbeat, in a transaction.

    :returns: whether the node is registered with this boot
    """
    of_boot = sa.and_(OPENCL_NODES.c.id == node_id, OPENCL_NODES.c.boot == boot)
    change = sa.update(OPENCL_NODES).where(of_boot).values(seen_at=clock.now())
    return connection.execute(change).rowcount == 1


def remove(connection: sa.engine.Connection, node_id: str) -> None:
    """Delete a node and its devices, in a transaction; nothing happens if it is not there."""
    connection.execute(sa.delete(OPENCL_DEVICES).where(OPENCL_DEVICES.c.node_id == node_id))
    connection.execute(sa.delete(OPENCL_NODES).where(OPENCL_NODES.c.id == node_id))


def lock(connection: sa.engine.Connection, device_id: str, boot: str) -> Device | None:
    """A device to which nobody else adds a session in this transaction.

    :param boot: of its node
    :returns: None if it is gone, or its node has started again
    """
    turn = OPENCL_DEVICES.c.turn + 1
    of_id = OPENCL_DEVICES.c.id == device_id
    connection.execute(sa.update(OPENCL_DEVICES).where(of_id).values(turn=turn))
    of_node = OPENCL_NODES.c.id == OPENCL_DEVICES.c.node_id
    query = sa.select(*_DEVICE).where(of_id, of_node, OPENCL_NODES.c.boot == boot)
    row = connection.execute(query).one_or_none()
    return None if row is None else Device(**row._asdict())


def _nodes(database: Database, *conditions: "sa.ColumnElement[bool]") -> list[Node]:
    query = sa.select(*_NODE).where(*conditions).order_by(OPENCL_NODES.c.id)
    with database.begin() as connection:
        return [Node(**row._asdict()) for row in connection.execute(query)]
