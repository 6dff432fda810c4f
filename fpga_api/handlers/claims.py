# SPDX-License-Identifier: Apache-2.0
"""Claims: made, listed, shown, renewed and released. The engine does what takes time."""

import datetime
import functools

from fpga_api import clock, errors, row_pages
from fpga_api.bitstreams.glance import Glance
from fpga_api.claims import create as creation
from fpga_api.claims import documents
from fpga_api.db import claims
from fpga_api.db.claims import Claim
from fpga_api.policies import claims as rules
from fpga_api.routing import Answer, Request, Route
from fpga_api.schemas import claims as schemas
from fpga_api.schemas import common

_PATH = "/v1/claims"


def create(request: Request) -> Answer:
    """Claim an accelerator, or show the claim that the same request made before."""
    glance = Glance(request.service.adapter("image", request.auth))
    claim = creation.create(request.service, request.context, glance, request.body)
    return 202, {"claim": documents.describe(claim)}


def index(request: Request) -> Answer:
    """A page of the claims that the user sees, by id."""
    state = request.query.get("state")
    load = functools.partial(claims.page, request.service.database, state=state)
    shown, following = row_pages.of_rows(request, _PATH, load, documents.describe)
    return 200, {"claims": shown, "next": following}


def show(request: Request) -> Answer:
    """One claim."""
    return 200, {"claim": documents.describe(_load(request))}


def renew(request: Request) -> Answer:
    """Have a claim expire later, or sooner."""
    claim, ttl = _load(request), creation.grant_ttl(request.service, request.body["ttl"])
    end = clock.now() + datetime.timedelta(seconds=ttl)
    database = request.service.database
    if not claims.change(database, claim.id, claims.HELD, ttl=ttl, expires_at=end):
        raise errors.ClaimEnded(f"the claim {claim.id} is released, expired or failed")
    return 200, {"claim": documents.describe(_load(request))}


def release(request: Request) -> Answer:
    """Release a claim; one that is being released, or has ended, stays as it is."""
    claim = _load(request)
    end = {"state": claims.RELEASING, "outcome": claims.RELEASED}
    claims.change(request.service.database, claim.id, claims.HELD, **end)
    return 202, {"claim": documents.describe(_load(request))}


def _load(request: Request) -> Claim:
    claim_id = request.path["claim_id"]
    claim = claims.get(request.service.database, claim_id)
    if claim is None:
        raise errors.NotFound(f"there is no claim {claim_id}")
    request.check({"id": claim.id, "project_id": claim.project_id})
    return claim


_ONE = f"{_PATH}/<claim_id>"
_ID = {"claim_id": common.UUID}

ROUTES = [
    Route(
        "POST",
        _PATH,
        create,
        "Claim an accelerator",
        rule=rules.CREATE,
        outside=True,
        body=schemas.CREATE,
        answers={202: schemas.ONE},
        failures=(404, 409),
    ),
    Route(
        "GET",
        _PATH,
        index,
        "List claims",
        rule=rules.LIST,
        outside=True,
        sight=rules.SHOW,
        query=schemas.LIST_QUERY,
        answers={200: schemas.LIST},
    ),
    Route(
        "GET",
        _ONE,
        show,
        "Show a claim",
        rule=rules.SHOW,
        outside=True,
        of_object=True,
        what="claim",
        variables=_ID,
        answers={200: schemas.ONE},
    ),
    Route(
        "PATCH",
        _ONE,
        renew,
        "Renew a claim",
        rule=rules.RENEW,
        outside=True,
        of_object=True,
        sight=rules.SHOW,
        what="claim",
        variables=_ID,
        body=schemas.RENEW,
        answers={200: schemas.ONE},
        failures=(409,),
    ),
    Route(
        "DELETE",
        _ONE,
        release,
        "Release a claim",
        rule=rules.RELEASE,
        outside=True,
        of_object=True,
        sight=rules.SHOW,
        what="claim",
        variables=_ID,
        answers={202: schemas.ONE},
    ),
]
