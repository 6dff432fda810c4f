# SPDX-License-Identifier: Apache-2.0
"""Devices of OpenCL on nodes: what a session may be on."""

import typing

from fpga_api import errors, paging
from fpga_api.db import opencl_sessions as sessions
from fpga_api.db.opencl_sessions import Usage
from fpga_api.opencl import devices, documents
from fpga_api.policies import opencl as rules
from fpga_api.routing import Answer, Request, Route
from fpga_api.schemas import common
from fpga_api.schemas import opencl as schemas

_PATH = "/v1/opencl/devices"


def index(request: Request) -> Answer:
    """A page of the devices that the user sees, by id."""
    query = request.query
    found = [one for one in devices.places(request.service.database) if _fits(query, one)]
    seen = [one for one in found if request.sees(devices.target(one))]
    most = request.service.conf.fpga_api.max_limit
    shown, following = paging.page(_describe(request, seen), _PATH, query, most)
    return 200, {"devices": shown, "next": following}


def show(request: Request) -> Answer:
    """One device."""
    device_id = request.path["device_id"]
    for place in devices.places(request.service.database):
        if place[0].id == device_id:
            request.check(devices.target(place))
            (shown,) = _describe(request, [place])
            return 200, {"device": shown}
    raise errors.NotFound(f"there is no device {device_id}")


def _fits(query: typing.Mapping[str, typing.Any], place: devices.Place) -> bool:
    device, node = place
    return query.get("node") in (None, node.name) and query.get("type") in (None, device.type)


def _describe(
    request: Request, places: typing.Iterable[devices.Place]
) -> list[dict[str, typing.Any]]:
    used = sessions.usages(request.service.database)
    return [
        documents.device(request.service.conf, device, node, used.get(device.id, Usage(0, 0)))
        for device, node in places
    ]


ROUTES = [
    Route(
        "GET",
        _PATH,
        index,
        "List devices of OpenCL",
        rule=rules.LIST_DEVICES,
        outside=True,
        sight=rules.SHOW_DEVICE,
        query=schemas.DEVICE_QUERY,
        answers={200: schemas.DEVICE_LIST},
    ),
    Route(
        "GET",
        f"{_PATH}/<device_id>",
        show,
        "Show a device of OpenCL",
        rule=rules.SHOW_DEVICE,
        outside=True,
        of_object=True,
        what="device",
        variables={"device_id": common.UUID},
        answers={200: schemas.DEVICE_ONE},
    ),
]
