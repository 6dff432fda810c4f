# SPDX-License-Identifier: Apache-2.0
"""The ledger's tables: what the database itself refuses, whatever the program does."""

import sqlite3

#: Kept in SQLite's `user_version`. A ledger of a higher one was written by a newer release.
VERSION = 1

_TABLES = """
CREATE TABLE regions (
    id TEXT PRIMARY KEY,
    driver TEXT NOT NULL,
    device TEXT NOT NULL,
    slot INTEGER NOT NULL,
    board TEXT NOT NULL,
    part TEXT NOT NULL,
    interface TEXT,
    kinds TEXT NOT NULL,
    simulated INTEGER NOT NULL CHECK (simulated IN (0, 1)),
    present INTEGER NOT NULL CHECK (present IN (0, 1)),
    state TEXT NOT NULL CHECK (state IN (
        'free', 'firmware request', 'write', 'programmed', 'reset', 'quarantined')),
    since TEXT NOT NULL,
    owner TEXT,
    image_id TEXT,
    function TEXT,
    digest TEXT,
    nodes TEXT NOT NULL,
    UNIQUE (driver, device, slot),
    CHECK (state NOT IN ('free', 'quarantined') OR owner IS NULL),
    CHECK (state != 'free' OR (image_id IS NULL AND function IS NULL AND digest IS NULL)),
    CHECK (state != 'programmed'
        OR (image_id IS NOT NULL AND function IS NOT NULL AND digest IS NOT NULL))
) STRICT;

CREATE UNIQUE INDEX one_region_per_owner ON regions (owner) WHERE owner IS NOT NULL;

CREATE TABLE events (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    region_id TEXT NOT NULL REFERENCES regions (id),
    state TEXT NOT NULL,
    owner TEXT,
    image_id TEXT,
    note TEXT NOT NULL
) STRICT;

CREATE INDEX events_of_owner ON events (owner, region_id);

CREATE TRIGGER events_stay BEFORE UPDATE ON events
BEGIN SELECT RAISE (ABORT, 'events are never changed'); END;

CREATE TRIGGER events_are_kept BEFORE DELETE ON events
BEGIN SELECT RAISE (ABORT, 'events are never removed'); END;
"""


def prepare(connection: sqlite3.Connection) -> int:
    """Bring a new ledger to the present version; to be called with autocommit.

    :returns: the version that it has now; one above VERSION is left alone
    :raises sqlite3.Error: it cannot be read or written
    """
    if _version(connection) == 0:
        connection.execute("BEGIN IMMEDIATE")
        try:
            if _version(connection) == 0:
                _create(connection)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    return _version(connection)


def _create(connection: sqlite3.Connection) -> None:
    # Not executescript(), which would commit first.
    statement = ""
    for line in _TABLES.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            connection.execute(statement)
            statement = ""
    connection.execute(f"PRAGMA user_version = {VERSION}")


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)
