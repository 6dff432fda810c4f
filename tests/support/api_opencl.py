# SPDX-License-Identifier: Apache-2.0
"""What the database of fpga-api has to do for OpenCL, whatever server it is on."""

import contextlib
import datetime
import threading
import typing

import pytest

from fpga_api import clock, errors
from fpga_api.db import opencl_nodes as nodes
from fpga_api.db import opencl_sessions as sessions
from fpga_api.db.connection import Database
from tests.support.api_database import AT

_BOOT = "boot"


def node(node_id: str = "n", **values: typing.Any) -> nodes.Node:
    """A node that has just registered."""
    owner = {"project_id": "p", "user_id": "u", "reserved_for": None, "boot": _BOOT}
    times = {"seen_at": AT, "created_at": AT, "updated_at": AT}
    members = {"name": node_id, "address": "a:1", "certificate": "c"}
    return nodes.Node(id=node_id, **owner | times | members | values)


def device(device_id: str = "d", node_id: str = "n", **values: typing.Any) -> nodes.Device:
    """A device of two sessions and 2 GiB."""
    words = dict.fromkeys(("name", "vendor", "version", "driver_version"), "x")
    amounts = {"compute_units": 2, "global_memory": 1 << 40, "sessions": 2, "memory_mb": 2048}
    members = {"id": device_id, "node_id": node_id, "number": 0, "type": "cpu"}
    return nodes.Device(**members | words | amounts | values)


def session(session_id: str, **values: typing.Any) -> sessions.Session:
    """A session that is active."""
    owner = {"project_id": "p", "user_id": "u", "state": sessions.ACTIVE, "request": {}}
    place = {"node_id": "n", "device_id": "d", "boot": _BOOT, "memory_mb": 64, "ttl": 60}
    token = {"token_hash": "h", "token_expires_at": AT}
    times = {"expires_at": AT, "created_at": AT, "updated_at": AT}
    return sessions.Session(id=session_id, **owner | place | token | times | values)


def put(database: Database, one: nodes.Node, *devices: nodes.Device) -> None:
    """Register a node."""
    with database.begin() as connection:
        nodes.put(connection, one, devices)


def permit(_used: sessions.Usage) -> None:
    """Refuse nothing."""


def nodes_come_back(database: Database) -> None:
    """A node is read as it was written, replaced with its devices, seen, and deleted."""
    put(database, node(), device(), device("e", number=1))
    assert nodes.get(database, "n") == node()
    assert nodes.list_devices(database, "n") == [device(), device("e", number=1)]
    put(database, node(name="other", boot="b2"), device("e", number=1))
    assert [one.name for one in nodes.list_nodes(database)] == ["other"]
    assert [one.id for one in nodes.list_devices(database)] == ["e"]
    with pytest.raises(nodes.DuplicateError):
        put(database, node("m", name="other"))
    with database.begin() as connection:
        assert not nodes.see(connection, "n", _BOOT)
        assert nodes.see(connection, "n", "b2")
    assert nodes.silent(database, clock.now() - datetime.timedelta(seconds=5)) == []
    assert nodes.silent(database, clock.now() + datetime.timedelta(seconds=5))
    for _ in range(2):
        with database.begin() as connection:
            nodes.remove(connection, "n")
    assert nodes.get(database, "n") is None
    assert nodes.list_devices(database) == []


def sessions_come_back(database: Database) -> None:
    """A session is read as it was written, is gone when its node says so, and is purged."""
    put(database, node(), device())
    one = session("1", request={"type": "cpu"}, fault="ä" * 900)
    sessions.add(database, one, permit)
    assert sessions.get(database, "1") == one
    with pytest.raises(sessions.DuplicateError):
        sessions.add(database, session("1", project_id="other"), permit)
    assert sessions.usages(database) == {"d": sessions.Usage(1, 64)}
    assert sessions.expired(database, AT) == [one]
    assert sessions.expired(database, AT - datetime.timedelta(seconds=1)) == []
    assert sessions.change(database, "1", (sessions.ACTIVE,), state=sessions.CLOSING)
    for present, gone in ((["1"], []), (["2"], ["1"])):
        with database.begin() as connection:
            sessions.confirm(connection, "n", present)
        assert [one.id for one in sessions.gone(database)] == gone
    assert sessions.change(database, "1", (sessions.CLOSING,), state=sessions.CLOSED)
    assert sessions.usages(database) == {}
    assert [one.id for one in sessions.page(database, "", 9, "p", "closed")] == ["1"]
    assert sessions.purge(database, AT) == 0
    assert sessions.purge(database, clock.now() + datetime.timedelta(days=1)) == 1


def node_loses_the_sessions_of_its_earlier_starts(database: Database) -> None:
    """Those of the start that it has now stay, and no session comes to an earlier one."""
    put(database, node(), device())
    sessions.add(database, session("1"), permit)
    put(database, node(boot="b2"), device())
    with pytest.raises(sessions.FullError):
        sessions.add(database, session("late"), permit)
    sessions.add(database, session("2", boot="b2"), permit)
    with database.begin() as connection:
        sessions.lose(connection, "n", "code", "fault", but_boot="b2")
        assert [one.id for one in sessions.on_node(connection, "n", "b2")] == ["2"]
    assert [(one.id, one.outcome, one.code) for one in sessions.gone(database)] == [
        ("1", "lost", "code")
    ]


def device_gets_as_many_sessions_as_it_has_room_for(database: Database, racers: int = 12) -> None:
    """Of many projects that ask at once, as many succeed as there is room for."""
    most, start, added = 5, threading.Barrier(racers), []
    put(database, node(), device(sessions=most))

    def run(number: int) -> None:
        start.wait()
        with contextlib.suppress(sessions.FullError):
            sessions.add(database, session(f"r{number}", project_id=f"p{number}"), permit)
            added.append(number)

    _race(run, racers)
    assert len(added) == most
    assert sessions.usages(database)["d"].sessions == most


def project_gets_as_many_sessions_as_its_limit(database: Database, racers: int = 12) -> None:
    """Of many that a project asks for at once, on several devices, it gets what it may have."""
    most, start, added = 5, threading.Barrier(racers), []
    put(database, node(), *(device(str(n), number=n, sessions=99) for n in range(3)))

    def check(used: sessions.Usage) -> None:
        if used.sessions >= most:
            raise errors.LimitReached("too many")

    def run(number: int) -> None:
        start.wait()
        with contextlib.suppress(errors.LimitReached):
            place = {"device_id": str(number % 3), "memory_mb": 1}
            sessions.add(database, session(f"r{number}", **place), check)
            added.append(number)

    _race(run, racers)
    assert len(added) == most


def _race(run: typing.Callable[[int], None], racers: int) -> None:
    threads = [threading.Thread(target=run, args=(number,)) for number in range(racers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


CHECKS = [
    nodes_come_back,
    sessions_come_back,
    node_loses_the_sessions_of_its_earlier_starts,
    device_gets_as_many_sessions_as_it_has_room_for,
    project_gets_as_many_sessions_as_its_limit,
]
