# SPDX-License-Identifier: Apache-2.0
"""What the database of fpga-api has to do whatever server it is on."""

import contextlib
import datetime
import threading
import typing

import alembic.autogenerate
import alembic.runtime.migration
import pytest
import sqlalchemy as sa

from fpga_api import clock, errors
from fpga_api.db import claims, leases, programs, samples, schema, tables
from fpga_api.db.connection import Database

AT = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)


def schema_goes_up_and_down(database: Database) -> None:
    """The newest schema is the one of the tables; nothing stays of it after a downgrade."""
    assert schema.current(database) is None
    schema.sync(database)
    schema.sync(database)
    assert schema.current(database) == schema.head()
    with database.begin() as connection:
        context = alembic.runtime.migration.MigrationContext.configure(connection)
        assert alembic.autogenerate.compare_metadata(context, tables.METADATA) == []
    schema.downgrade(database)
    assert schema.current(database) is None
    remaining = set(sa.inspect(database.engine).get_table_names())
    assert remaining <= {"alembic_version"}


def samples_come_back(database: Database) -> None:
    """Samples are read in their order, replaced, and purged."""
    hours = [AT + datetime.timedelta(hours=number) for number in range(4)]
    samples.add(database, [samples.Sample("f", at, 8, number) for number, at in enumerate(hours)])
    samples.add(database, [samples.Sample("other", AT, 1, 1), samples.Sample("f", AT, 8, 7)])
    assert [one.free for one in samples.of_flavor(database, "f", AT)] == [7, 1, 2, 3]
    assert samples.of_flavor(database, "f", hours[3]) == [samples.Sample("f", hours[3], 8, 3)]
    assert samples.purge(database, hours[2]) == 3
    assert [one.free for one in samples.of_flavor(database, "f", AT)] == [2, 3]
    assert samples.of_flavor(database, "other", AT) == []


def one_of_many_gets_the_lease(database: Database, racers: int = 8) -> None:
    """Of many who ask at once, one gets the lease, also one that another gave back."""
    for _ in range(2):
        racing = [leases.Lease(database, "race", f"racer-{n}", 60) for n in range(racers)]
        start = threading.Barrier(racers)

        def run(lease: leases.Lease, start: threading.Barrier = start) -> None:
            start.wait()
            lease.hold()

        threads = [threading.Thread(target=run, args=(lease,)) for lease in racing]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        winners = [lease for lease in racing if lease.held]
        assert len(winners) == 1
        winners[0].release()


def claim(claim_id: str = "1", project: str = "p", **values: typing.Any) -> claims.Claim:
    """A claim that is being allocated."""
    members = {"state": claims.ALLOCATING, "request": {}, "ttl": 60, "expires_at": AT}
    times = {"created_at": AT, "updated_at": AT}
    owner = {"id": claim_id, "project_id": project, "user_id": "u"}
    return claims.Claim(**owner | members | times | values)


def permit(_count: int) -> None:
    """Refuse nothing."""


def claims_come_back(database: Database) -> None:
    """A claim is read as it was written, changed from the state that it has, and purged."""
    one = claim(request={"traits": ["A"]}, region={"nodes": []}, host="h", fault="ä" * 900)
    claims.add(database, one, permit)
    assert claims.get(database, "1") == one
    assert claims.get(database, "2") is None
    with pytest.raises(claims.DuplicateError):
        claims.add(database, claim(project="other"), permit)
    assert not claims.change(database, "1", (claims.ACTIVE,), state=claims.RELEASING)
    assert claims.change(database, "1", claims.HELD, state=claims.ACTIVE, region={"region": "r"})
    found = claims.get(database, "1")
    assert found is not None
    assert (found.state, found.region, found.request) == ("active", {"region": "r"}, one.request)
    assert claims.expired(database, AT) == [found]
    assert claims.expired(database, AT - datetime.timedelta(seconds=1)) == []
    later = clock.now() + datetime.timedelta(days=1)
    assert claims.purge(database, later) == 0
    assert claims.change(database, "1", claims.LIVE, state=claims.RELEASED)
    assert [one.id for one in claims.ended_between(database, AT, later)] == ["1"]
    assert claims.purge(database, AT) == 0
    assert claims.purge(database, later) == 1


def claims_come_in_pages(database: Database) -> None:
    """Pages are of a project, or of all, and of a state."""
    for number in range(5):
        claims.add(database, claim(str(number), f"p{number % 2}"), permit)
    claims.change(database, "4", claims.LIVE, state=claims.ACTIVE)

    def ids(*words: typing.Any) -> list[str]:
        return [one.id for one in claims.page(database, *words)]

    assert ids("", 3, None, None) == ["0", "1", "2"]
    assert ids("2", 3, None, None) == ["3", "4"]
    assert ids("", 9, "p0", None) == ["0", "2", "4"]
    assert ids("", 9, "p0", "active") == ["4"]


def project_gets_as_many_claims_as_its_limit(database: Database, racers: int = 12) -> None:
    """Of many who claim at once, as many succeed as the limit allows, and no more, and no fewer."""
    most, start, added = 5, threading.Barrier(racers), []

    def check(count: int) -> None:
        if count >= most:
            raise errors.LimitReached("too many")

    def run(number: int) -> None:
        start.wait()
        with contextlib.suppress(errors.LimitReached):
            claims.add(database, claim(f"race-{number}", "racer"), check)
            added.append(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(racers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(added) == most
    claims.change(database, f"race-{added[0]}", claims.LIVE, state=claims.RELEASED)
    claims.add(database, claim("after", "racer"), check)


def program(program_id: str = "1", server: str = "s", **values: typing.Any) -> programs.Program:
    """A program that was asked for."""
    members = {"state": programs.REQUESTED, "number": 1, "reboot": "never", "bitstream_id": "b1"}
    owner = {"id": program_id, "server_id": server, "project_id": "p", "user_id": "u"}
    times = {"created_at": AT, "updated_at": AT}
    return programs.Program(**owner | members | times | values)


def programs_come_back(database: Database) -> None:
    """A server has one program at a time, and its last one that was done is in place."""
    programs.add(database, program())
    assert programs.get(database, "1") == program()
    with pytest.raises(programs.DuplicateError):
        programs.add(database, program(server="other"))
    with pytest.raises(programs.BusyError):
        programs.add(database, program("2"))
    programs.add(database, program("3", "other"))
    assert [one.id for one in programs.busy(database)] == ["1", "3"]
    assert programs.change(database, "1", programs.BUSY, state=programs.DONE, region="r")
    assert not programs.change(database, "1", programs.BUSY, state=programs.FAILED)
    programs.add(database, program("2", bitstream_id="b2"))
    assert programs.needed([_program(database, "1")])
    programs.change(database, "2", programs.BUSY, state=programs.DONE)
    assert not programs.needed([_program(database, "1")])
    assert programs.needed(programs.of_bitstream(database, "b1"))
    assert programs.changed_since(database, "s", clock.now())
    assert not programs.changed_since(database, "s", clock.now() + datetime.timedelta(hours=1))
    assert [one.id for one in programs.page(database, "", 9, "p", "s")] == ["1", "2"]
    later = clock.now() + datetime.timedelta(days=1)
    programs.remove(database, "1")
    assert programs.purge(database, AT) == 0
    assert programs.purge(database, later) == 2
    programs.remove(database, "3")
    assert programs.get(database, "3") is None


def _program(database: Database, program_id: str) -> programs.Program:
    found = programs.get(database, program_id)
    assert found is not None
    return found


def one_of_many_programs_a_server(database: Database, racers: int = 8) -> None:
    """Of many who program a server at once, one may."""
    start, added = threading.Barrier(racers), []

    def run(number: int) -> None:
        start.wait()
        with contextlib.suppress(programs.BusyError):
            programs.add(database, program(f"race-{number}", "racer"))
            added.append(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(racers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(added) == 1
