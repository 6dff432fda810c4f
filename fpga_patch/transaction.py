# SPDX-License-Identifier: Apache-2.0
"""Changes all files or none, also when it is killed in between.

The old contents are copied, then a journal is written, then each file is replaced by a rename. A
run that finds a journal looks at the files: where all are new, it finishes; else it puts the old
ones back.
"""

import collections.abc
import dataclasses
import os
import pathlib
import shutil
import typing

from fpga_nova import durable
from fpga_patch import bytecode, errors, store

#: A new file beside the one it will replace.
_ASIDE = ".{name}.fpga-patch"


@dataclasses.dataclass(frozen=True)
class Change:
    """A file's contents before and after; ``mtime_ns`` None keeps the file's time."""

    before: bytes
    after: bytes
    mtime_ns: int | None = None


def run(
    storage: store.Store,
    changes: collections.abc.Mapping[str, Change],
    record: store.Record,
    new_stock: collections.abc.Collection[str],
) -> None:
    """Make the changes; call it with the store's lock held and no journal there.

    :param record: what the record is to be afterwards
    :param new_stock: of which files the contents before are those that Nova shipped
    :raises errors.PatchError: it failed; the files are as before
    """
    shutil.rmtree(storage.undo, ignore_errors=True)
    try:
        files = {name: _prepare(storage, name, change) for name, change in changes.items()}
        storage.write_journal(
            {"files": files, "record": record.dump(), "new_stock": sorted(new_stock)}
        )
    except OSError as e:
        raise errors.PatchError(f"{e}; nothing is changed") from e
    try:
        for name, change in changes.items():
            _stage(storage.nova / name, change.after, files[name]["mtime_ns"])
        for name in changes:
            _replace(storage.nova / name)
    except BaseException as e:
        recover(storage)
        if isinstance(e, OSError):
            raise errors.PatchError(f"{e}; nothing is changed") from e
        raise
    recover(storage)


def recover(storage: store.Store) -> str | None:
    """Finish or undo what a run left half done; call it with the store's lock held.

    :returns: ``finished`` or ``undone``; None where nothing was left
    """
    journal = storage.journal()
    if journal is None:
        return None
    files = journal["files"]
    paths = [storage.nova / name for name in files]
    for path in paths:
        _aside(path).unlink(missing_ok=True)
    done = all(store.digest(storage.nova / name) == one["after"] for name, one in files.items())
    if not done:
        for name, one in files.items():
            _put_back(storage, name, one)
    bytecode.refresh(storage.nova, [path for path in paths if path.is_file()])
    if done:
        _keep_stock(storage, journal["new_stock"])
        storage.write_record(store.Record.load(journal["record"]))
    storage.close_journal()
    return "finished" if done else "undone"


def _prepare(storage: store.Store, name: str, change: Change) -> dict[str, typing.Any]:
    path = storage.nova / name
    status = path.stat()
    store.write(storage.undo / name, change.before)
    before = store.digest(storage.undo / name)
    if before != store.digest(path):
        raise errors.PatchError(f"{path} changes while it is being patched; nothing is changed")
    return {
        "before": before,
        "after": store.sha256(change.after),
        "was_mtime_ns": status.st_mtime_ns,
        "mtime_ns": status.st_mtime_ns if change.mtime_ns is None else change.mtime_ns,
    }


def _put_back(
    storage: store.Store, name: str, one: collections.abc.Mapping[str, typing.Any]
) -> None:
    """Restore a file that was replaced; what somebody else made of it since is not touched."""
    path = storage.nova / name
    if store.digest(path) == one["after"]:
        _stage(path, (storage.undo / name).read_bytes(), one["was_mtime_ns"])
        _replace(path)


def _stage(path: pathlib.Path, content: bytes, mtime_ns: int) -> None:
    """Write the new file beside the old, with its owner, permissions and attributes."""
    aside, status = _aside(path), path.stat()
    with aside.open("wb") as file:
        file.write(content)
        file.flush()
        if os.geteuid() == 0:
            os.fchown(file.fileno(), status.st_uid, status.st_gid)
        shutil.copystat(path, aside)
        os.utime(aside, ns=(status.st_atime_ns, mtime_ns))
        os.fsync(file.fileno())


def _replace(path: pathlib.Path) -> None:
    _aside(path).replace(path)
    durable.sync_folder(path.parent)


def _keep_stock(storage: store.Store, names: collections.abc.Iterable[str]) -> None:
    for name in names:
        copy = storage.undo / name
        if copy.is_file():  # else an earlier attempt to finish has moved it
            (storage.stock / name).parent.mkdir(parents=True, exist_ok=True)
            copy.replace(storage.stock / name)


def _aside(path: pathlib.Path) -> pathlib.Path:
    return path.with_name(_ASIDE.format(name=path.name))
