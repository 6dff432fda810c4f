# SPDX-License-Identifier: Apache-2.0
"""What the database of fpga-api has to do whatever server it is on."""

import datetime
import threading

import alembic.autogenerate
import alembic.runtime.migration
import sqlalchemy as sa

from fpga_api.db import leases, samples, schema, tables
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
