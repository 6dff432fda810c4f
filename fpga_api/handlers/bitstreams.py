# SPDX-License-Identifier: Apache-2.0
"""Bitstreams: uploaded with a check, listed, shown and deleted, all by the user's own token."""

import typing
import urllib.parse

from fpga_api import errors
from fpga_api.bitstreams import documents, packages, upload, uses
from fpga_api.bitstreams.glance import PAGE, Glance
from fpga_api.policies import bitstreams as rules
from fpga_api.programs import images
from fpga_api.routing import Answer, Request, Route
from fpga_api.schemas import bitstreams as schemas
from fpga_api.schemas import common

_PATH = "/v1/bitstreams"

#: What Glance finds by itself; it does not look into manifests.
_BY_GLANCE = ("vendor", "type")
_BY_US = ("function", "board")

#: Questions to Glance for one page of ours: a rare function takes several pages to be found.
_QUESTIONS = 10


def create(request: Request) -> Answer:
    """Check a package, and upload it."""
    query, service = request.query, request.service
    visibility, more = query["visibility"], dict[str, typing.Any]()
    if "server" in query:
        visibility = upload.PRIVATE
        more = {"os_hidden": True, images.PROPERTY: query["server"]}
    with packages.checked(service.conf, request.chunks()) as package:
        image = upload.create(
            service, _glance(request), package, query.get("name"), visibility, more
        )
    return 201, documents.describe(image, {})


def validate(request: Request) -> Answer:
    """Check a package, and keep nothing of it."""
    with packages.checked(request.service.conf, request.chunks()) as package:
        return 200, {"manifest": package.manifest, "digest": package.digest}


def list_(request: Request) -> Answer:
    """A page of the bitstreams that Glance shows to the user, the newest first."""
    query = request.query
    most = request.service.conf.fpga_api.max_limit
    limit = min(query.get("limit", most), most)
    by_us = {name: query[name] for name in _BY_US if name in query}
    by_glance = {name: query[name] for name in _BY_GLANCE if name in query}
    known = documents.manifests(request.service.publication)
    found: list[dict[str, typing.Any]] = []
    marker, glance = query.get("marker"), _glance(request)
    for _ in range(_QUESTIONS):
        size = PAGE if by_us else min(limit - len(found), PAGE)
        try:
            images = glance.page(marker, size, by_glance)
        except errors.BadRequest as e:
            # So Glance answers where the image of the marker is gone; all else was checked.
            raise errors.NotFound(f"there is no bitstream {marker} (marker)") from e
        for image in images:
            one = documents.describe(image, known)
            if all(one[name] == value for name, value in by_us.items()):
                del one["manifest"]
                found.append(one)
            marker = image["id"]
            if len(found) == limit:
                return _page(found, marker, query)
        if len(images) < size:
            return _page(found, None, query)
    return _page(found, marker, query)


def show(request: Request) -> Answer:
    """A bitstream with its manifest."""
    image = _glance(request).show(request.path["bitstream_id"])
    return 200, documents.describe(image, documents.manifests(request.service.publication))


def delete(request: Request) -> Answer:
    """Delete a bitstream that no flavor and no region uses."""
    glance, image_id = _glance(request), request.path["bitstream_id"]
    image = glance.show(image_id)
    request.check({"id": image_id, "project_id": image["owner"]})
    uses.check_unused(request.service, image_id)
    glance.delete(image_id)
    return 204, None


def _glance(request: Request) -> Glance:
    return Glance(request.service.adapter("image", request.auth))


def _page(
    found: list[dict[str, typing.Any]], marker: str | None, query: dict[str, typing.Any]
) -> Answer:
    following = None
    if marker is not None:
        following = f"{_PATH}?{urllib.parse.urlencode({**query, 'marker': marker})}"
    return 200, {"bitstreams": found, "next": following}


_ID = {"bitstream_id": common.UUID}

ROUTES = [
    Route(
        "POST",
        _PATH,
        create,
        "Check a bitstream package, and upload it to Glance",
        rule=rules.CREATE,
        outside=True,
        query=schemas.CREATE_QUERY,
        package=True,
        answers={201: schemas.BITSTREAM},
        failures=(409, 422),
    ),
    Route(
        "POST",
        f"{_PATH}/validate",
        validate,
        "Check a bitstream package",
        rule=rules.VALIDATE,
        outside=True,
        package=True,
        answers={200: schemas.VALID},
        failures=(422,),
    ),
    Route(
        "GET",
        _PATH,
        list_,
        "List bitstreams",
        rule=rules.LIST,
        outside=True,
        query=schemas.LIST_QUERY,
        answers={200: schemas.LIST},
        failures=(404,),
    ),
    Route(
        "GET",
        f"{_PATH}/<bitstream_id>",
        show,
        "Show a bitstream",
        rule=rules.GET,
        outside=True,
        variables=_ID,
        answers={200: schemas.BITSTREAM},
    ),
    Route(
        "DELETE",
        f"{_PATH}/<bitstream_id>",
        delete,
        "Delete a bitstream",
        rule=rules.DELETE,
        outside=True,
        of_object=True,
        sight=rules.GET,
        what="bitstream",
        variables=_ID,
        answers={204: None},
        failures=(409,),
    ),
]
