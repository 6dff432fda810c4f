# SPDX-License-Identifier: Apache-2.0
"""Nodes of OpenCL: registered and kept by their servers, and shown to operators."""

import functools
import operator
import typing

from fpga_api import errors, paging
from fpga_api.db import opencl_nodes as nodes
from fpga_api.db.opencl_nodes import Node
from fpga_api.opencl import documents
from fpga_api.opencl import nodes as registry
from fpga_api.policies import opencl as rules
from fpga_api.routing import Answer, Request, Route
from fpga_api.schemas import common
from fpga_api.schemas import opencl as schemas

_PATH = "/v1/opencl/nodes"


def index(request: Request) -> Answer:
    """A page of the nodes that the user sees, by id."""
    service = request.service
    found = [one for one in nodes.list_nodes(service.database) if request.sees(_target(one))]
    devices = nodes.list_devices(service.database)
    items = [documents.node(service.conf, one, devices) for one in found]
    items.sort(key=operator.itemgetter("id"))
    most = service.conf.fpga_api.max_limit
    shown, following = paging.page(items, _PATH, request.query, most)
    return 200, {"nodes": shown, "next": following}


def show(request: Request) -> Answer:
    """One node."""
    return 200, {"node": _describe(request, _load(request))}


def register(request: Request) -> Answer:
    """Register a node, or replace what is known of it."""
    node_id, user = request.path["node_id"], request.context
    _find(request)
    registry.register(request.service, user, node_id, request.body)
    node = nodes.get(request.service.database, node_id)
    if node is None:
        raise errors.Unavailable("the node is gone; try again")
    return 200, {"node": _describe(request, node)}


def beat(request: Request) -> Answer:
    """Note that a node is there; gives what it has to serve.

    :raises errors.NodeUnknown: it is not registered
    """
    node = _find(request)
    if node is None:
        raise errors.NodeUnknown(f"node {request.path['node_id']} has to register again")
    return 200, registry.beat(request.service, node, request.body)


def unregister(request: Request) -> Answer:
    """Remove a node; one that is not there may be removed again."""
    _find(request)
    registry.unregister(request.service, request.path["node_id"])
    return 204, None


def _find(request: Request) -> Node | None:
    """A node whose server asks; None if it is not registered.

    Who may register it gets to know that, and nobody else.
    """
    node_id, user = request.path["node_id"], request.context
    node = nodes.get(request.service.database, node_id)
    own = {"id": node_id, "project_id": user.project_id, "user_id": user.user_id}
    request.check(own if node is None else _target(node))
    return node


def _load(request: Request) -> Node:
    node_id = request.path["node_id"]
    node = nodes.get(request.service.database, node_id)
    if node is None:
        raise errors.NotFound(f"there is no node {node_id}")
    request.check(_target(node))
    return node


def _target(node: Node) -> dict[str, typing.Any]:
    return {"id": node.id, "project_id": node.project_id, "user_id": node.user_id}


def _describe(request: Request, node: Node) -> dict[str, typing.Any]:
    devices = nodes.list_devices(request.service.database, node.id)
    return documents.node(request.service.conf, node, devices)


_ONE = f"{_PATH}/<node_id>"


_route = functools.partial(
    Route,
    outside=True,
    of_object=True,
    sight=rules.SHOW_NODE,
    what="node",
    variables={"node_id": common.UUID},
)

ROUTES = [
    Route(
        "GET",
        _PATH,
        index,
        "List nodes of OpenCL",
        rule=rules.LIST_NODES,
        outside=True,
        sight=rules.SHOW_NODE,
        query=schemas.NODE_QUERY,
        answers={200: schemas.NODE_LIST},
    ),
    _route(
        "GET",
        _ONE,
        show,
        "Show a node of OpenCL",
        rule=rules.SHOW_NODE,
        answers={200: schemas.NODE_ONE},
    ),
    _route(
        "PUT",
        _ONE,
        register,
        "Register a node of OpenCL",
        rule=rules.REGISTER,
        body=schemas.REGISTER,
        answers={200: schemas.NODE_ONE},
        failures=(409,),
    ),
    _route(
        "DELETE",
        _ONE,
        unregister,
        "Unregister a node of OpenCL",
        rule=rules.UNREGISTER,
        answers={204: None},
    ),
    _route(
        "POST",
        f"{_ONE}/heartbeats",
        beat,
        "Report that a node of OpenCL is there",
        rule=rules.HEARTBEAT,
        body=schemas.HEARTBEAT,
        answers={200: schemas.LEASES},
        failures=(409,),
    ),
]
