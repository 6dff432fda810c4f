# SPDX-License-Identifier: Apache-2.0
"""Regions of all hosts, as the engine saw them: everybody sees those of the own servers."""

import typing

from fpga_api import errors, paging, publication
from fpga_api.policies import regions as policies
from fpga_api.routing import Answer, Request, Route
from fpga_api.schemas import hosts as schemas

_PATH = "/v1/regions"
#: What only those get who see hosts; null for others.
_OF_HOST = ("host", "card", "device", "address", "quarantine", "reason", "withheld")

_Region = dict[str, typing.Any]


def index(request: Request) -> Answer:
    """The regions that the user sees."""
    published = request.service.publication.require(publication.HOSTS)
    visible = _visible(request, published.document["regions"])
    asked = {name: request.query.get(name) for name in ("host", "server_id", "state")}
    asked["server_id"] = request.query.get("server")
    found = [one for one in visible if _is(one, asked)]
    page, following = paging.page(
        found, _PATH, request.query, request.service.conf.fpga_api.max_limit
    )
    return 200, {
        "regions": page,
        "next": following,
        **published.freshness(),
        "unreachable": _unreachable(request, published.document["unreachable"]),
    }


def show(request: Request) -> Answer:
    """One region; where several hosts have one of this id, the query names the host."""
    published = request.service.publication.require(publication.HOSTS)
    wanted = request.path["region_id"]
    named = [one for one in published.document["regions"] if one["id"] == wanted]
    # Compared with what the user sees: who sees no host learns none by guessing.
    host = {"host": request.query.get("host")}
    seen = [one for one in _visible(request, named) if _is(one, host)]
    if not seen:
        raise errors.NotFound(f"there is no region {wanted}")
    if len(seen) > 1:
        raise errors.BadRequest("several hosts have a region of this id; give the query host")
    request.check(seen[0])
    return 200, {"region": seen[0], **published.freshness()}


def _visible(request: Request, regions: typing.Iterable[_Region]) -> list[_Region]:
    """Those that the user sees, with what the user sees of them."""
    if _sees_hosts(request):
        return list(regions)
    mine = _project(request)
    return [_without_host(one) for one in regions if mine and one["project_id"] == mine]


def _project(request: Request) -> str | None:
    """The project whose regions a user sees who does not see all; None if there is none."""
    project: str | None = request.context.project_id
    return project if project and request.sees({"project_id": project}) else None


def _sees_hosts(request: Request) -> bool:
    return request.service.policy.permits(request.context, policies.HOST, {})


def _without_host(region: _Region) -> _Region:
    nodes = [{**node, "path": None} for node in region["nodes"]]
    return {**region, **dict.fromkeys(_OF_HOST), "nodes": nodes}


def _is(region: _Region, wanted: dict[str, str | None]) -> bool:
    return all(value is None or region[name] == value for name, value in wanted.items())


def _unreachable(request: Request, hosts: list[dict[str, typing.Any]]) -> list[str]:
    if _sees_hosts(request):
        return [one["host"] for one in hosts]
    mine = _project(request)
    servers = (server for one in hosts for server in one["servers"])
    return [one["id"] for one in servers if mine and one["project_id"] == mine]


ROUTES = [
    Route(
        "GET",
        _PATH,
        index,
        "List regions",
        rule=policies.LIST,
        sight=policies.SHOW,
        query=schemas.REGIONS_QUERY,
        answers={200: schemas.REGIONS},
    ),
    Route(
        "GET",
        f"{_PATH}/<region_id>",
        show,
        "Show a region",
        rule=policies.SHOW,
        of_object=True,
        what="region",
        query=schemas.REGION_QUERY,
        answers={200: schemas.ONE_REGION},
    ),
]
