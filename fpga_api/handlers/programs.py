# SPDX-License-Identifier: Apache-2.0
"""Programs of servers: made, listed and shown. The engine follows them."""

import functools

from fpga_api import errors, row_pages
from fpga_api.bitstreams.glance import Glance
from fpga_api.db import programs
from fpga_api.policies import programs as rules
from fpga_api.programs import create as creation
from fpga_api.programs import documents, servers
from fpga_api.routing import Answer, Request, Route
from fpga_api.schemas import common
from fpga_api.schemas import programs as schemas

_PATH = "/v1/programs"


def create(request: Request) -> Answer:
    """Program a region of a server, or show the program that the same request made before."""
    service, server_id = request.service, request.path["server_id"]
    server = servers.find(service, server_id)
    if server is None:
        raise errors.NotFound(f"there is no server {server_id}")
    request.check({"id": server.id, "project_id": server.project_id})
    context = request.context
    user = creation.User(
        context,
        Glance(service.adapter("image", request.auth)),
        context.auth_token,
        context.catalogue,
        service.policy.permits(context, rules.ANY_BITSTREAM, {}),
    )
    body = {"number": 1, "reboot": creation.NEVER, **request.body}
    return 202, {"program": documents.describe(creation.create(service, user, server, body))}


def index(request: Request) -> Answer:
    """A page of the programs that the user sees, by id."""
    server = request.query.get("server")
    load = functools.partial(programs.page, request.service.database, server=server)
    shown, following = row_pages.of_rows(request, _PATH, load, documents.describe)
    return 200, {"programs": shown, "next": following}


def show(request: Request) -> Answer:
    """One program."""
    program_id = request.path["program_id"]
    program = programs.get(request.service.database, program_id)
    if program is None:
        raise errors.NotFound(f"there is no program {program_id}")
    request.check({"id": program.id, "project_id": program.project_id})
    return 200, {"program": documents.describe(program)}


ROUTES = [
    Route(
        "POST",
        "/v1/servers/<server_id>/programs",
        create,
        "Program a region of a server",
        rule=rules.CREATE,
        outside=True,
        of_object=True,
        sight=rules.SHOW,
        what="server",
        variables={"server_id": common.UUID},
        body=schemas.CREATE,
        answers={202: schemas.ONE},
        failures=(409,),
    ),
    Route(
        "GET",
        _PATH,
        index,
        "List programs",
        rule=rules.LIST,
        outside=True,
        sight=rules.SHOW,
        query=schemas.LIST_QUERY,
        answers={200: schemas.LIST},
    ),
    Route(
        "GET",
        f"{_PATH}/<program_id>",
        show,
        "Show a program",
        rule=rules.SHOW,
        outside=True,
        of_object=True,
        what="program",
        variables={"program_id": common.UUID},
        answers={200: schemas.ONE},
    ),
]
