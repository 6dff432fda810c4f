# SPDX-License-Identifier: Apache-2.0
"""Makes a claim: its row first, so that whatever happens the engine knows of it."""

import datetime
import typing
import uuid

from fpga_api import clock, context, errors, publication
from fpga_api.bitstreams import documents as bitstreams
from fpga_api.bitstreams.glance import Glance
from fpga_api.claims import limits, places
from fpga_api.claims.allocations import REQUIRED, Allocations
from fpga_api.db import claims
from fpga_api.db.claims import Claim
from fpga_api.service import Service
from fpga_nova import traits

Document = dict[str, typing.Any]


def create(service: Service, user: context.RequestContext, glance: Glance, body: Document) -> Claim:
    """Make a claim, or give the one that the same request made before.

    :param glance: as the user
    :param body: of the request
    :raises errors.IdTaken: another request made a claim of this id
    :raises errors.NoneFree: no accelerator that fits is free
    :raises errors.LimitReached: the project has as many claims as it may have
    :raises errors.ApiError: it cannot be made for another reason
    """
    asked = {name: value for name, value in body.items() if name != "id"}
    if "id" in body:
        earlier = claims.get(service.database, body["id"])
        if earlier is not None:
            return _same(earlier, user, asked)
    hosts = service.publication.require(publication.HOSTS).document
    bitstream, required = _bitstream(service, glance, asked)
    if not required <= set(hosts["traits"]):
        raise errors.NoneFree("no card has the board of the bitstream")
    request = {**asked, REQUIRED: sorted({*required, *asked.get("traits", ())})}
    claim = _new(service, user, body.get("id"), request, bitstream)
    permitted = places.find(hosts, claim.request)
    try:
        claims.add(service.database, claim, limits.permit(service, claim.project_id))
    except claims.DuplicateError as e:
        earlier = claims.get(service.database, claim.id)
        if earlier is None:
            raise errors.IdTaken(f"the id {claim.id} was taken a moment ago") from e
        return _same(earlier, user, asked)
    return _allocate(service, claim, permitted)


def _same(earlier: Claim, user: context.RequestContext, asked: Document) -> Claim:
    """A claim that is there, if it is of the same project and request."""
    before = {name: value for name, value in earlier.request.items() if name != REQUIRED}
    if earlier.project_id != user.project_id or before != asked:
        raise errors.IdTaken(f"another claim has the id {earlier.id}")
    return earlier


def _new(
    service: Service,
    user: context.RequestContext,
    claim_id: str | None,
    request: Document,
    bitstream: str | None,
) -> Claim:
    ttl = grant_ttl(service, request.get("ttl", service.conf.claims.ttl))
    now = clock.now()
    return Claim(
        id=claim_id or str(uuid.uuid4()),
        project_id=user.project_id,
        user_id=user.user_id,
        state=claims.ALLOCATING,
        request=request,
        ttl=ttl,
        expires_at=now + datetime.timedelta(seconds=ttl),
        created_at=now,
        updated_at=now,
        bitstream_id=bitstream,
    )


def grant_ttl(service: Service, ttl: int) -> int:
    """The seconds that a claim may last of those that were asked for."""
    return int(min(ttl, service.conf.claims.max_ttl))


def _bitstream(
    service: Service, glance: Glance, asked: Document
) -> tuple[str | None, frozenset[str]]:
    """The bitstream that a request names, and the traits that a card has to have for it."""
    if "bitstream" in asked:
        image = glance.show(asked["bitstream"])
    elif "type" in asked:
        images = glance.page(None, 1, {"type": asked["type"], "status": "active"})
        if not images:
            raise errors.NoneFree(f"you have no bitstream of type {asked['type']}")
        (image,) = images
    else:
        return None, frozenset()
    if image["status"] != "active":
        raise errors.BadRequest(f"the bitstream {image['id']} is {image['status']}, not active")
    found = bitstreams.describe(image, bitstreams.manifests(service.publication))
    board = found["board"]
    return image["id"], frozenset([traits.name("board", board)] if board else ())


def _allocate(
    service: Service, claim: Claim, permitted: typing.Mapping[str, places.Place]
) -> Claim:
    """Allocate a claim whose row is there."""
    database, allocations = service.database, Allocations(service)
    allocating = (claims.ALLOCATING,)
    try:
        place = allocations.allocate(claim, permitted)
    except (errors.NoneFree, errors.BadRequest):
        claims.remove(database, claim.id, allocating)
        raise
    except BaseException:
        # What Placement did is not known; the engine sees to it.
        end = {"state": claims.RELEASING, "outcome": claims.FAILED, "code": "fpga.unavailable"}
        claims.change(database, claim.id, allocating, **end, fault="Placement did not answer")
        raise
    values = {"provider_id": place.provider_id, "host": place.host}
    if not claims.change(database, claim.id, allocating, state=claims.PROGRAMMING, **values):
        # It took so long that it is expired, or that the engine has ended it.
        allocations.free(claim.id)
    found = claims.get(database, claim.id)
    if found is None:
        raise errors.Unavailable("the claim is gone; try again")
    return found
