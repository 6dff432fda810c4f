# SPDX-License-Identifier: Apache-2.0
"""Devices with their nodes, and who may see them."""

import typing

from fpga_api.db import opencl_nodes as nodes
from fpga_api.db.connection import Database
from fpga_api.db.opencl_nodes import Device, Node

#: A device and its node.
Place = tuple[Device, Node]


def places(database: Database) -> list[Place]:
    """All devices with their nodes, by the id of the device.

    :raises errors.DatabaseUnavailable: the database does not answer
    """
    by_id = {one.id: one for one in nodes.list_nodes(database)}
    found = nodes.list_devices(database)
    return [(one, by_id[one.node_id]) for one in found if one.node_id in by_id]


def target(place: Place) -> dict[str, typing.Any]:
    """A device for policy: the project that alone may use it, and whether all may."""
    device, node = place
    shared = node.reserved_for is None
    return {"id": device.id, "project_id": node.reserved_for or "", "shared": shared}
