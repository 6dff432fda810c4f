# SPDX-License-Identifier: Apache-2.0
"""Opens sessions: finds a device with room, and makes the token that its node will know by hash."""

import dataclasses
import datetime
import hashlib
import secrets
import typing
import uuid

from fpga_api import clock, context, errors
from fpga_api.claims import limits
from fpga_api.claims.allocations import Allocations
from fpga_api.db import opencl_sessions as sessions
from fpga_api.db.opencl_nodes import Device
from fpga_api.db.opencl_sessions import Session, Usage
from fpga_api.opencl import devices, placement
from fpga_api.opencl.devices import Place
from fpga_api.opencl.nodes import is_up
from fpga_api.service import Service

#: The resources whose limits are asked for.
SESSIONS, MEMORY = "fpga_opencl_sessions", "fpga_opencl_memory_mb"

#: Bytes of a token.
_TOKEN = 32

#: Whether the user sees a device of a node.
Sees = typing.Callable[[Place], bool]
Document = dict[str, typing.Any]


@dataclasses.dataclass(frozen=True)
class Token:
    """A new token.

    :ivar text: for the owner of the session, once
    :ivar values: what the row of the session has of it
    """

    text: str
    values: Document


def create(
    service: Service, user: context.RequestContext, body: Document, sees: Sees
) -> tuple[Session, str]:
    """Open a session, or give the one that the same request opened before, with a new token.

    :raises errors.IdTaken: another request opened a session of this id
    :raises errors.NoneFree: no device that fits has room
    :raises errors.NotFound: the user sees no such device
    :raises errors.LimitReached: the project has as much as it may have
    """
    asked = {name: value for name, value in body.items() if name != "id"}
    memory = int(asked.get("memory", service.conf.opencl.memory))
    if "id" in body and (earlier := sessions.get(service.database, body["id"])):
        return _same(service, earlier, user, asked)
    permit = _permit(service, user.project_id, memory)
    token = _token(service)
    for place in _candidates(service, asked, sees):
        session = _new(service, user, body.get("id"), asked, place, memory, token)
        try:
            sessions.add(service.database, session, permit)
        except sessions.FullError:
            continue
        except sessions.DuplicateError as e:
            raced = sessions.get(service.database, session.id)
            if raced is None:
                raise errors.IdTaken(f"the id {session.id} was taken a moment ago") from e
            return _same(service, raced, user, asked)
        return _allocate(service, session, place), token.text
    raise errors.NoneFree("no device that fits has room for a session")


def _allocate(service: Service, session: Session, place: Place) -> Session:
    """Have a session in Placement; its row is there, so whatever happens the engine knows of it.

    :raises errors.CloudUnavailable: Placement does not answer; the engine ends the session
    """
    if not service.conf.opencl.placement:
        return session
    allocating = (sessions.ALLOCATING,)
    try:
        placement.Providers(service).ensure(place)
        amounts = placement.resources(session)
        Allocations(service).take(session, session.device_id, amounts, placement.CONSUMER)
    except BaseException:
        end = {"state": sessions.CLOSING, "outcome": sessions.LOST, "gone": True}
        fault = {"code": "fpga.cloud_unavailable", "fault": "Placement did not answer"}
        sessions.change(service.database, session.id, allocating, **end, **fault)
        raise
    if not sessions.change(service.database, session.id, allocating, state=sessions.ACTIVE):
        # It took so long that the engine has ended it, which frees it.
        raise errors.Unavailable(f"the session {session.id} is gone; try again")
    return dataclasses.replace(session, state=sessions.ACTIVE)


def grant_ttl(service: Service, ttl: int) -> int:
    """The seconds that a session may last of those that were asked for."""
    return int(min(ttl, service.conf.opencl.max_ttl))


def renew_token(service: Service, session: Session) -> tuple[Session, str]:
    """Give a session another token; the one before opens nothing more.

    :raises errors.SessionEnded: it is not active
    """
    token = _token(service)
    active = (sessions.ACTIVE,)
    if not sessions.change(service.database, session.id, active, **token.values):
        raise errors.SessionEnded(f"the session {session.id} is closed, expired or lost")
    return dataclasses.replace(session, **token.values), token.text


def _same(
    service: Service, earlier: Session, user: context.RequestContext, asked: Document
) -> tuple[Session, str]:
    """A session that is there, if it is of the same project and request."""
    if earlier.project_id != user.project_id or earlier.request != asked:
        raise errors.IdTaken(f"another session has the id {earlier.id}")
    return renew_token(service, earlier)


def _token(service: Service) -> Token:
    text = secrets.token_urlsafe(_TOKEN)
    end = clock.now() + datetime.timedelta(seconds=service.conf.opencl.token_ttl)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Token(text, {"token_hash": digest, "token_expires_at": end})


def _candidates(service: Service, asked: Document, sees: Sees) -> list[Place]:
    """The devices that a request permits and that are there, the emptiest first.

    :raises errors.NotFound: the user sees no device of the id that the request names
    """
    seen = [one for one in devices.places(service.database) if sees(one)]
    wanted = asked.get("device")
    if wanted is not None and all(device.id != wanted for device, _ in seen):
        raise errors.NotFound(f"there is no device {wanted}")
    fitting = [
        (device, node)
        for device, node in seen
        if wanted in (None, device.id)
        and asked.get("node") in (None, node.name)
        and asked.get("type") in (None, device.type)
        and is_up(service.conf, node)
    ]
    used = sessions.usages(service.database)
    return sorted(fitting, key=lambda place: _load(place[0], used))


def _load(device: Device, used: typing.Mapping[str, Usage]) -> float:
    return used.get(device.id, Usage(0, 0)).sessions / max(1, device.sessions)


def _new(
    service: Service,
    user: context.RequestContext,
    session_id: str | None,
    asked: Document,
    place: Place,
    memory: int,
    token: Token,
) -> Session:
    device, node = place
    ttl = grant_ttl(service, asked.get("ttl", service.conf.opencl.ttl))
    now = clock.now()
    return Session(
        id=session_id or str(uuid.uuid4()),
        project_id=user.project_id,
        user_id=user.user_id,
        state=sessions.ALLOCATING if service.conf.opencl.placement else sessions.ACTIVE,
        request=asked,
        node_id=node.id,
        device_id=device.id,
        boot=node.boot,
        memory_mb=memory,
        ttl=ttl,
        expires_at=now + datetime.timedelta(seconds=ttl),
        created_at=now,
        updated_at=now,
        **token.values,
    )


def _permit(service: Service, project: str, memory: int) -> typing.Callable[[Usage], None]:
    """What refuses a session where its project has as much as its limits.

    :raises errors.QuotaUnavailable: Keystone does not answer
    """
    if not service.conf.opencl.unified_limits:
        return lambda _used: None
    most = limits.ask(project, SESSIONS, MEMORY)

    def check(used: Usage) -> None:
        wanted = {SESSIONS: used.sessions + 1, MEMORY: used.memory_mb + memory}
        for name, amount in wanted.items():
            if 0 <= most[name] < amount:
                raise errors.LimitReached(
                    f"the project would have {amount} of {name}, and may have {most[name]}"
                )

    return check
