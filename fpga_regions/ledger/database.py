# SPDX-License-Identifier: Apache-2.0
"""The SQLite file of a ledger: opened safely, written in transactions, its failures in words.

The journal is a rollback journal, not a write-ahead log: each command is a process of its own, so
that a log would be folded back and removed at the end of each of them, at no gain, and would make
every reader a writer. `synchronous=EXTRA` is FULL plus what a rollback journal needs to survive a
loss of power right after a commit: the folder is synced, too, once the journal is removed.
"""

import contextlib
import os
import sqlite3
import typing
from pathlib import Path

from fpga_regions import errors
from fpga_regions.ledger import rows, schema
from fpga_regions.system import folders


class Database:
    """The file, open; every method raises errors.LedgerUnusable where it cannot be read or written.

    :param path: the file; made if need be
    :param private: folders that are made if need be, and refused if others than root could change
        them
    :param timeout: seconds to wait for other processes' transactions
    """

    def __init__(self, path: Path, private: typing.Sequence[Path], timeout: float) -> None:
        self.path = path
        self._timeout = timeout
        self._whole = False
        with self.explained():
            for folder in private:
                folders.make_private(folder)
            # Made here and not by SQLite, which would follow a link and obey the umask.
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(path, flags, mode=0o600)
            os.fchmod(descriptor, 0o600)
            os.close(descriptor)
            self.connection = self._connect()

    def close(self) -> None:
        """Close the file."""
        self.connection.close()

    @contextlib.contextmanager
    def transaction(self) -> typing.Iterator[None]:
        """Have what the block writes on disk once it ends, or nothing of it."""
        with self.explained():
            self._check_whole()
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self.connection.execute("COMMIT")
            except BaseException:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def explained(self) -> typing.Iterator[None]:
        """Put failures of the block into words."""
        try:
            yield
        except sqlite3.Error as e:
            raise errors.LedgerUnusable(f"the ledger {self.path} {rows.reason(e)}") from e
        except UnicodeDecodeError as e:
            # In a damaged schema, whose text SQLite's own complaint quotes.
            raise errors.LedgerUnusable(f"the ledger {self.path} {rows.DAMAGED}") from e
        except PermissionError as e:
            raise errors.LedgerUnusable(
                f"the ledger {self.path} cannot be opened: {e.strerror}; run fpga-cli as root"
            ) from e
        except OSError as e:
            raise errors.LedgerUnusable(
                f"the ledger {self.path} cannot be opened: {e.strerror}"
            ) from e

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=self._timeout, isolation_level=None)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA synchronous = EXTRA")
        version = schema.prepare(connection)
        connection.execute("PRAGMA foreign_keys = ON")
        if version > schema.VERSION:
            raise errors.LedgerUnusable(
                f"the ledger {self.path} has version {version}, this fpga-nova knows up to "
                f"{schema.VERSION}: install the release that wrote it, or a newer one"
            )
        return connection

    def _check_whole(self) -> None:
        """Refuse to write a file that is damaged somewhere: it would only get worse."""
        if not self._whole:
            (verdict,) = self.connection.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                raise errors.LedgerUnusable(f"the ledger {self.path} {rows.DAMAGED}")
            self._whole = True
