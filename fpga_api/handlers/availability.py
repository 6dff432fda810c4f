# SPDX-License-Identifier: Apache-2.0
"""How many servers of each accelerator flavor there is room for; nothing is counted here."""

import datetime
import typing

from oslo_config import cfg

from fpga_api import clock, errors, publication
from fpga_api.availability import quota, views
from fpga_api.availability.cloud import Cloud
from fpga_api.db import samples
from fpga_api.routing import Answer, Request, Route
from fpga_api.schemas import Schema, common
from fpga_api.schemas import availability as schemas

_ALL = "fpga:availability:all"


def index(request: Request) -> Answer:
    """The flavors that the user has."""
    found, flavors = _visible(request)
    shown, regions = _show(request, flavors)
    return 200, {"flavors": shown, **regions, **_rest(found)}


def show(request: Request) -> Answer:
    """One flavor."""
    found, flavors = _visible(request)
    (flavor,), regions = _show(request, [_chosen(request, flavors)])
    return 200, {"flavor": flavor, **regions, **_rest(found)}


def history(request: Request) -> Answer:
    """The samples of a flavor; they are for projects that no aggregate names."""
    _, flavors = _visible(request)
    flavor = _chosen(request, flavors)
    since = clock.now() - datetime.timedelta(hours=request.query["hours"])
    found = samples.of_flavor(request.service.database, flavor["id"], since)
    return 200, {
        "flavor": flavor["id"],
        "samples": [
            {"at": clock.text(one.at), "free": one.free, "total": one.total} for one in found
        ],
    }


def gpu_index(request: Request) -> Answer:
    """The flavors in the shape of de.NBI's OpenstackGPUService."""
    found, flavors = _visible(request)
    counted = [one for one in flavors if one["error"] is None]
    return 200, {"flavors": [_gpu(request, one) for one in counted], **_gpu_age(found)}


def gpu_show(request: Request) -> Answer:
    """One flavor in that shape."""
    found, flavors = _visible(request)
    counted = [one for one in flavors if one["error"] is None]
    return 200, {"flavor": _gpu(request, _chosen(request, counted)), **_gpu_age(found)}


def _visible(request: Request) -> tuple[publication.Published, list[views.Flavor]]:
    context, service = request.context, request.service
    if context.anonymous:
        sees_all = service.conf.availability.private_flavors
    else:
        sees_all = service.policy.permits(context, _ALL, {})
    found = service.publication.require(publication.AVAILABILITY)
    return found, views.visible(found.document["flavors"], context, sees_all)


def _chosen(request: Request, flavors: list[views.Flavor]) -> views.Flavor:
    wanted = request.path["flavor"]
    for flavor in flavors:
        if flavor["id"] == wanted:
            return flavor
    raise errors.NotFound(f"there is no accelerator flavor {wanted}")


def _show(
    request: Request, flavors: list[views.Flavor]
) -> tuple[list[views.Flavor], dict[str, typing.Any]]:
    """The flavors, and the member of the answer that is about the project."""
    shown = [views.view(one, request.context, request.query.get("zone")) for one in flavors]
    if not request.query["mine"]:
        return shown, {}
    headroom = _headroom(request)
    for view, flavor in zip(shown, flavors, strict=True):
        allowed = headroom.servers(flavor)
        numbers = [one for one in (view["free"], allowed) if one is not None]
        view["mine"] = min(numbers) if view["free"] is not None else None
    return shown, {"regions": headroom.regions and headroom.regions._asdict()}


def _headroom(request: Request) -> quota.Headroom:
    project = request.context.project_id
    if request.context.anonymous or project is None:
        raise errors.Unauthorized("mine=true needs a token of a project")
    options = request.service.conf.availability
    try:
        with request.service.outside():
            cloud = Cloud(request.service.adapter)
            return quota.headroom(cloud, project, options.unified_limits, options.request_quota)
    except errors.CloudUnavailable as e:
        raise errors.QuotaUnavailable(f"the quota is not known now: {e}") from e


def _rest(found: publication.Published) -> dict[str, typing.Any]:
    return {"complete": found.document["complete"], **found.freshness()}


def _gpu(request: Request, flavor: views.Flavor) -> dict[str, typing.Any]:
    shown = views.view(flavor, request.context)
    return {
        "flavor_openstack_id": shown["id"],
        "flavor_name": shown["name"],
        "available": shown["free"],
        "total": shown["total"],
    }


def _gpu_age(found: publication.Published) -> dict[str, typing.Any]:
    age = found.freshness()
    return {"timestamp": age["at"], "age": age["age"], "stale": age["stale"]}


def _public(conf: cfg.ConfigOpts) -> bool:
    return bool(conf.availability.public)


def _route(
    path: str,
    handler: typing.Callable[[Request], Answer],
    summary: str,
    answer: Schema,
    query: Schema = common.NO_QUERY,
) -> Route:
    return Route(
        "GET",
        path,
        handler,
        summary,
        rule="fpga:availability:read",
        answers={200: answer},
        anonymous=_public,
        outside=handler is history,
        failures=(503, 404) if "<flavor>" in path else (503,),
        query=query,
    )


ROUTES = [
    _route(
        "/v1/availability",
        index,
        "List how many servers of each flavor there is room for",
        schemas.LIST,
        schemas.LIST_QUERY,
    ),
    _route(
        "/v1/availability/<flavor>",
        show,
        "Show how many servers of a flavor there is room for",
        schemas.SHOW,
        schemas.LIST_QUERY,
    ),
    _route(
        "/v1/availability/<flavor>/history",
        history,
        "Show how many there was room for",
        schemas.HISTORY,
        schemas.HISTORY_QUERY,
    ),
    _route(
        "/gpus/flavors",
        gpu_index,
        "List flavors in the shape of OpenstackGPUService",
        schemas.GPU_LIST,
    ),
    _route(
        "/gpus/flavors/<flavor>",
        gpu_show,
        "Show a flavor in the shape of OpenstackGPUService",
        schemas.GPU_SHOW,
    ),
]
