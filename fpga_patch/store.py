# SPDX-License-Identifier: Apache-2.0
"""What fpga-patch keeps about one Nova: the record, the copies of stock files, and the journal.

    lock           held while something is changed
    record.json    the files that are patched, by which diff, and what they were
    stock/         those files as Nova shipped them
    configuration.json  the files that were written for Nova's configuration, with their digests
    journal.json   there while a change is on its way
    undo/          the files as they were before that change

Everything is written aside, synced and renamed: a reader finds the old or the new, never a part.
"""

import collections.abc
import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
import pathlib
import shutil
import typing

from fpga_nova import durable
from fpga_patch import errors

#: Where a distribution's Nova has its store; any other has it beside the folder ``nova``.
SYSTEM_STORE = pathlib.Path("/var/lib/fpga-nova/patch-backup")
_SYSTEM = pathlib.Path("/usr/lib")


@dataclasses.dataclass(frozen=True)
class Patched:
    """A file that is patched: SHA-256 as shipped and as patched, and the time that was shipped."""

    diff: str
    stock: str
    patched: str
    mtime_ns: int


@dataclasses.dataclass(frozen=True)
class Record:
    """What was applied, to which release, and when (ISO 8601, UTC)."""

    nova: str = ""
    applied: str = ""
    files: dict[str, Patched] = dataclasses.field(default_factory=dict)

    @classmethod
    def load(cls, found: collections.abc.Mapping[str, typing.Any]) -> "Record":
        """From what :meth:`dump` made."""
        files = {name: Patched(**one) for name, one in found["files"].items()}
        return cls(found["nova"], found["applied"], files)

    def dump(self) -> dict[str, typing.Any]:
        """As JSON has it."""
        return dataclasses.asdict(self)


class Store:
    """The folder of one Nova's record."""

    def __init__(self, nova: pathlib.Path, folder: pathlib.Path | None = None) -> None:
        if folder is None:
            is_system = nova.is_relative_to(_SYSTEM)
            folder = SYSTEM_STORE if is_system else nova.parent / ".fpga-patch"
        self.nova, self.folder = nova, folder
        self.stock, self.undo = folder / "stock", folder / "undo"
        self._configuration = folder / "configuration.json"
        self._record, self._journal = folder / "record.json", folder / "journal.json"

    def record(self) -> Record:
        """What is applied; empty where nothing is."""
        found = self._read(self._record)
        return Record.load(found) if found else Record()

    def write_record(self, record: Record) -> None:
        """Keep it; an empty one is removed, with the copies of stock files."""
        if record.files:
            self._write(self._record, record.dump())
            return
        self._record.unlink(missing_ok=True)
        shutil.rmtree(self.stock, ignore_errors=True)

    def configuration(self) -> dict[str, str]:
        """The configuration files that we wrote, and the SHA-256 of each."""
        found: dict[str, str] | None = self._read(self._configuration)
        return found or {}

    def write_configuration(self, files: collections.abc.Mapping[str, str]) -> None:
        """Keep which configuration files are ours."""
        if files:
            self._write(self._configuration, files)
        else:
            self._configuration.unlink(missing_ok=True)

    def journal(self) -> dict[str, typing.Any] | None:
        """The change on its way, or None."""
        found: dict[str, typing.Any] | None = self._read(self._journal)
        return found

    def write_journal(self, journal: collections.abc.Mapping[str, typing.Any]) -> None:
        """From here on the change is finished or undone, whatever happens."""
        self._write(self._journal, journal)

    def close_journal(self) -> None:
        """The change is done, or undone."""
        self._journal.unlink(missing_ok=True)
        shutil.rmtree(self.undo, ignore_errors=True)
        durable.sync_folder(self.folder)

    @contextlib.contextmanager
    def lock(self) -> typing.Iterator[None]:
        """Keep other runs out.

        :raises errors.BusyError: another run has it
        :raises errors.PatchError: the folder cannot be written to
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as e:
            raise errors.PatchError(f"{e}; run this as the user that may change Nova") from e
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError as e:
            raise errors.BusyError(f"another fpga-patch is at work in {self.nova}") from e
        finally:
            os.close(descriptor)

    def _read(self, path: pathlib.Path) -> typing.Any:
        try:
            return json.loads(path.read_text())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as e:
            raise errors.PatchError(f"{path} cannot be read: {e}") from e

    def _write(self, path: pathlib.Path, content: collections.abc.Mapping[str, typing.Any]) -> None:
        write(path, json.dumps(content, indent=1).encode())


def digest(path: pathlib.Path) -> str | None:
    """The SHA-256 of a file, None where there is none."""
    return sha256(path.read_bytes()) if path.is_file() else None


def sha256(content: bytes) -> str:
    """The SHA-256 of some bytes, in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def write(path: pathlib.Path, content: bytes) -> None:
    """Write a file of the store, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    durable.write(path, content)
