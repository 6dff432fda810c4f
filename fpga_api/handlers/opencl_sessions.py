# SPDX-License-Identifier: Apache-2.0
"""Sessions of OpenCL: opened, listed, shown, renewed and ended. Kernels run past this service."""

import datetime
import functools
import typing

from fpga_api import clock, errors, paging, row_pages
from fpga_api.db import opencl_nodes as nodes
from fpga_api.db import opencl_sessions as sessions
from fpga_api.db.opencl_sessions import Session
from fpga_api.opencl import create as creation
from fpga_api.opencl import devices, documents
from fpga_api.policies import opencl as rules
from fpga_api.routing import Answer, Request, Route
from fpga_api.schemas import common
from fpga_api.schemas import opencl as schemas

_PATH = "/v1/opencl/sessions"


def create(request: Request) -> Answer:
    """Open a session; the answer has its token."""
    service = request.service

    def sees(place: devices.Place) -> bool:
        target = devices.target(place)
        return service.policy.permits(request.context, rules.SHOW_DEVICE, target)

    session, token = creation.create(service, request.context, request.body, sees)
    return 201, {"session": _describe(request, session), "token": token}


def index(request: Request) -> Answer:
    """A page of the sessions that the user sees, by id."""
    database = request.service.database
    by_id = {one.id: one for one in nodes.list_nodes(database)}

    def describe(session: Session) -> paging.Item:
        return documents.session(session, by_id.get(session.node_id))

    load = functools.partial(sessions.page, database, state=request.query.get("state"))
    shown, following = row_pages.of_rows(request, _PATH, load, describe)
    return 200, {"sessions": shown, "next": following}


def show(request: Request) -> Answer:
    """One session."""
    return 200, {"session": _describe(request, _load(request))}


def renew(request: Request) -> Answer:
    """Have a session expire later, or sooner."""
    session, ttl = _load(request), creation.grant_ttl(request.service, request.body["ttl"])
    end = clock.now() + datetime.timedelta(seconds=ttl)
    values = {"ttl": ttl, "expires_at": end}
    if not sessions.change(request.service.database, session.id, (sessions.ACTIVE,), **values):
        raise errors.SessionEnded(f"the session {session.id} is closed, expired or lost")
    return 200, {"session": _describe(request, _load(request))}


def renew_token(request: Request) -> Answer:
    """Give a session another token."""
    session, token = creation.renew_token(request.service, _load(request))
    return 201, {"session": _describe(request, session), "token": token}


def close(request: Request) -> Answer:
    """End a session; one that is closing, or has ended, stays as it is."""
    session = _load(request)
    end = {"state": sessions.CLOSING, "outcome": sessions.CLOSED}
    # A node has nothing of one that is not allocated.
    database = request.service.database
    sessions.change(database, session.id, (sessions.ALLOCATING,), **end, gone=True)
    sessions.change(database, session.id, (sessions.ACTIVE,), **end)
    return 202, {"session": _describe(request, _load(request))}


def _load(request: Request) -> Session:
    session_id = request.path["session_id"]
    session = sessions.get(request.service.database, session_id)
    if session is None:
        raise errors.NotFound(f"there is no session {session_id}")
    request.check({"id": session.id, "project_id": session.project_id})
    return session


def _describe(request: Request, session: Session) -> dict[str, typing.Any]:
    return documents.session(session, nodes.get(request.service.database, session.node_id))


_ONE = f"{_PATH}/<session_id>"


_route = functools.partial(
    Route,
    outside=True,
    of_object=True,
    sight=rules.SHOW,
    what="session",
    variables={"session_id": common.UUID},
)

ROUTES = [
    Route(
        "POST",
        _PATH,
        create,
        "Open a session of OpenCL",
        rule=rules.CREATE,
        outside=True,
        body=schemas.CREATE,
        answers={201: schemas.OPEN},
        failures=(404, 409),
    ),
    Route(
        "GET",
        _PATH,
        index,
        "List sessions of OpenCL",
        rule=rules.LIST,
        outside=True,
        sight=rules.SHOW,
        query=schemas.LIST_QUERY,
        answers={200: schemas.LIST},
    ),
    _route(
        "GET",
        _ONE,
        show,
        "Show a session of OpenCL",
        rule=rules.SHOW,
        answers={200: schemas.ONE},
    ),
    _route(
        "PATCH",
        _ONE,
        renew,
        "Renew a session of OpenCL",
        rule=rules.RENEW,
        body=schemas.RENEW,
        answers={200: schemas.ONE},
        failures=(409,),
    ),
    _route(
        "POST",
        f"{_ONE}/tokens",
        renew_token,
        "Get a new token for a session of OpenCL",
        rule=rules.TOKEN,
        answers={201: schemas.OPEN},
        failures=(409,),
    ),
    _route(
        "DELETE",
        _ONE,
        close,
        "End a session of OpenCL",
        rule=rules.CLOSE,
        answers={202: schemas.ONE},
    ),
]
