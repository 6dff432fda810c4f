# SPDX-License-Identifier: Apache-2.0
"""Makes a program: its row first, then the host of the server is asked, with the user's token."""

import json
import typing
import uuid

from oslo_log import log as logging

from fpga_api import clock, context, errors, publication
from fpga_api.bitstreams import documents as bitstreams
from fpga_api.bitstreams.glance import Glance, Image
from fpga_api.db import programs
from fpga_api.db.programs import Program
from fpga_api.hosts import calls
from fpga_api.hosts.calls import Refusal, Unknown
from fpga_api.programs import answers
from fpga_api.programs.servers import Server
from fpga_api.service import Service

LOG = logging.getLogger(__name__)

NEVER = "never"

#: Seconds that a host may wait for the end of a short program before it answers; whoever programs
#: learns of it then without a second question.
_WAIT = 1.0

Document = dict[str, typing.Any]

#: What the host of a server refuses, as the API has it.
_REFUSALS: dict[str, type[errors.ApiError]] = {
    "invalid": errors.BadRequest,
    "not_here": errors.ServerMoved,
    "task": errors.ServerBusy,
    "state": errors.ServerState,
    "program": errors.ProgramRunning,
    "region": errors.NoRegion,
    "bitstream": errors.BitstreamNotAccepted,
    "no_bitstream": errors.NotFound,
    "unanswered": errors.HostUnavailable,
}


class User(typing.NamedTuple):
    """Who asks.

    :ivar glance: the image service as this user has it
    :ivar token: of the user, for the host; it is kept nowhere
    :ivar catalogue: of the token
    :ivar any_bitstream: whether the operator's list of bitstreams is not for this user
    """

    context: context.RequestContext
    glance: Glance
    token: str
    catalogue: list[Document]
    any_bitstream: bool


def create(service: Service, user: User, server: Server, body: Document) -> Program:
    """Make a program, or give the one that the same request made before.

    :param body: of the request
    :raises errors.IdTaken: another request made a program of this id
    :raises errors.ApiError: it cannot be made for another reason
    """
    if "id" in body:
        earlier = programs.get(service.database, body["id"])
        if earlier is not None:
            return _same(earlier, server, body)
    if server.task is not None:
        raise errors.ServerBusy(f"Nova is at {server.task} with the server")
    if server.host is None:
        raise errors.ServerState("the server is on no host")
    image = user.glance.show(body["bitstream"])
    if image["status"] != "active":
        raise errors.BadRequest(f"the bitstream {image['id']} is {image['status']}, not active")
    if body["reboot"] == NEVER:
        _check_nodes(service, server, body["number"], image)
    program = _new(user, server, body)
    try:
        programs.add(service.database, program)
    except programs.DuplicateError as e:
        raise errors.IdTaken(f"another program has the id {program.id}") from e
    except programs.BusyError as e:
        raise errors.ProgramRunning("another program of the server is not at its end") from e
    _begin(service, user, program)
    return programs.get(service.database, program.id) or program


def _same(earlier: Program, server: Server, body: Document) -> Program:
    """A program that is there, if it is of the same request."""
    found = (earlier.server_id, earlier.bitstream_id, earlier.number, earlier.reboot)
    if found != (server.id, body["bitstream"], body["number"], body["reboot"]):
        raise errors.IdTaken(f"another program has the id {earlier.id}")
    return earlier


def _new(user: User, server: Server, body: Document) -> Program:
    now = clock.now()
    return Program(
        id=body.get("id") or str(uuid.uuid4()),
        project_id=server.project_id,
        user_id=user.context.user_id,
        server_id=server.id,
        number=body["number"],
        reboot=body["reboot"],
        state=programs.REQUESTED,
        bitstream_id=body["bitstream"],
        created_at=now,
        updated_at=now,
        host=server.host,
    )


def _begin(service: Service, user: User, program: Program) -> None:
    """Have the host begin; what it refuses never was, and what is not known the engine follows."""
    try:
        answer = _call(service, user, program)
    except (Unknown, errors.BrokerUnavailable) as e:
        LOG.warning("Program %s may have begun: %s", program.id, e)
        return
    except errors.ApiError:
        programs.remove(service.database, program.id)
        raise
    if isinstance(answer, Refusal):
        programs.remove(service.database, program.id)
        kind = _REFUSALS.get(answer.code, errors.ServerState)
        raise kind(answer.message)
    changes = answers.values(answer.get("program"))
    if changes is not None:
        programs.change(service.database, program.id, programs.BUSY, **changes)


def _call(service: Service, user: User, program: Program) -> Document | Refusal:
    who = {
        "user_id": user.context.user_id,
        "project_id": user.context.project_id,
        "request_id": user.context.request_id,
        "auth_token": user.token,
        "service_catalog": [one for one in user.catalogue if one.get("type") == "image"],
    }
    question = {
        "id": program.id,
        "server": program.server_id,
        "number": program.number,
        "bitstream": program.bitstream_id,
        "reboot": program.reboot,
        "any_bitstream": user.any_bitstream,
    }
    seconds = service.conf.programs.start_timeout
    host, wait = program.host or "", min(_WAIT, seconds / 2)
    return calls.of(service).call(host, "program", seconds, who, program=question, wait=wait)


def _check_nodes(service: Service, server: Server, number: int, image: Image) -> None:
    """See that a container that keeps its devices has those of the new bitstream, if it is known.

    :raises errors.OtherNodes: it has others
    """
    published = service.publication.read(publication.HOSTS)
    if published is None or published.stale:
        return
    regions = [
        one
        for one in published.document["regions"]
        if (one["server_id"], one["number"]) == (server.id, number)
    ]
    found = bitstreams.describe(image, bitstreams.manifests(service.publication))["manifest"]
    newer = programs.changed_since(service.database, server.id, published.at)
    if newer or not regions or found is None:
        return
    now, new = _names(regions[0]["nodes"]), _names(found.get("exposes"))
    if now and new and now != new:
        raise errors.OtherNodes(
            f"the server has {json.dumps(sorted(now))}, and the bitstream {json.dumps(sorted(new))}"
        )


def _names(nodes: typing.Any) -> set[tuple[str, str]]:
    """The kinds and names of devices, as far as they can be read."""
    if not isinstance(nodes, list):
        return set()
    return {(str(one.get("kind")), str(one.get("name"))) for one in nodes if isinstance(one, dict)}
