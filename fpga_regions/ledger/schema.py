# SPDX-License-Identifier: Apache-2.0
"""Brings the tables of a ledger to the present version."""

import sqlite3

from fpga_regions.ledger.versions import STEPS

#: Kept in SQLite's `user_version`. A ledger of a higher one was written by a newer release.
VERSION = len(STEPS)


def prepare(connection: sqlite3.Connection) -> int:
    """Bring a new ledger, or one of an older release, to the present version, or leave it alone.

    To be called with autocommit; switches `foreign_keys` off.

    :returns: the version that it has now; one above VERSION is left alone
    :raises sqlite3.Error: it cannot be read or written
    """
    if _version(connection) < VERSION:
        # Or the table that is made anew takes what refers to it along when it goes.
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("BEGIN IMMEDIATE")
        try:
            # Another process may have been faster.
            for step in STEPS[_version(connection) :]:
                _run(connection, step)
            if _version(connection) < VERSION:
                connection.execute(f"PRAGMA user_version = {VERSION}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    return _version(connection)


def _run(connection: sqlite3.Connection, step: str) -> None:
    # Not executescript(), which would commit first.
    statement = ""
    for line in step.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            connection.execute(statement)
            statement = ""


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)
