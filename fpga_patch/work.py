# SPDX-License-Identifier: Apache-2.0
"""What fpga-patch does to one Nova: look, apply, take back."""

import collections.abc
import dataclasses
import datetime
import pathlib
import subprocess
import typing

from fpga_patch import bytecode, errors, releases, store, transaction

#: ``older``: patched by a diff of another fpga-nova, as our record says.
TreeState = typing.Literal["stock", "patched", "older", "half", "foreign", "interrupted"]


@dataclasses.dataclass(frozen=True)
class Part:
    """A diff and what its files are now."""

    diff: releases.Diff
    state: TreeState
    files: dict[str, releases.State]


@dataclasses.dataclass(frozen=True)
class View:
    """One Nova as it is now."""

    nova: pathlib.Path
    version: str
    parts: list[Part]
    record: store.Record
    interrupted: bool

    @property
    def state(self) -> TreeState:
        """The state of the whole: of the part that is worst."""
        if self.interrupted:
            return "interrupted"
        states = [part.state for part in self.parts]
        order: tuple[TreeState, ...] = ("foreign", "half", "older", "stock", "patched")
        return next(state for state in order if state in states)

    @property
    def was_upgraded(self) -> bool:
        """Whether another release is there than the one that was patched."""
        return bool(self.record.nova) and self.record.nova != self.version

    def files(self, *states: releases.State) -> list[str]:
        """The files in one of these states."""
        return [name for part in self.parts for name, is_ in part.files.items() if is_ in states]


class Work:
    """One Nova, its diffs and its store."""

    def __init__(
        self,
        nova: pathlib.Path,
        with_tests: bool = False,
        patches: pathlib.Path = releases.PATCHES,
        folder: pathlib.Path | None = None,
    ) -> None:
        self.nova, self.with_tests, self.patches = nova, with_tests, patches
        self.store = store.Store(nova, folder)

    def look(self) -> View:
        """What is there; changes nothing.

        :raises errors.UnknownNovaError: there is no diff for this release
        """
        record, version = self.store.record(), releases.version_of(self.nova)
        diffs = releases.find_diffs(self.nova, version, self.with_tests, self.patches)
        parts = [self._part(diff, record) for diff in diffs]
        return View(self.nova, version, parts, record, self.store.journal() is not None)

    def apply(self) -> tuple[View, View]:
        """Patch; what is patched already stays as it is.

        :returns: what was there before and what is now
        :raises errors.PatchError: it failed; the files are as before
        """
        with self.store.lock():
            transaction.recover(self.store)
            before = self.look()
            refuse_foreign(before)
            refuse_without_hooks(before)
            changes: dict[str, transaction.Change] = {}
            record, stock = dict(before.record.files), list[str]()
            for part in before.parts:
                if part.state != "patched":
                    self._patch(part, changes, record, stock)
            self._drop_what_no_diff_touches(before, changes, record)
            if changes:
                new_record = store.Record(before.version, _now(), record)
                transaction.run(self.store, changes, new_record, stock)
            return before, self.look()

    def revert(self) -> list[str]:
        """Put every file that is patched back as Nova shipped it.

        :returns: the files that were changed
        :raises errors.PatchError: it failed; the files are as before
        """
        with self.store.lock():
            transaction.recover(self.store)
            changes = self._from_record()
            if set(changes) != set(self.store.record().files) or not changes:
                changes |= self._without_record(changes)
            if changes:
                transaction.run(self.store, changes, store.Record(), [])
            elif self.store.record().files:
                self.store.write_record(store.Record())  # Nova was reinstalled since
            return sorted(changes)

    def _part(self, diff: releases.Diff, record: store.Record) -> Part:
        files = diff.states()
        kinds = set(files.values())
        if len(kinds) == 1 and kinds <= {"stock", "patched"}:
            state: TreeState = "stock" if "stock" in kinds else "patched"
        elif all(is_ == "stock" or self._is_ours(name, record) for name, is_ in files.items()):
            # Files of two diffs of ours, or of an older one: only our copies tell them apart.
            state = "older"
        else:
            state = "half" if kinds == {"stock", "patched"} else "foreign"
        return Part(diff, state, files)

    def _is_ours(self, name: str, record: store.Record) -> bool:
        """Whether the file is as we left it, and our copy is what Nova shipped."""
        one = record.files.get(name)
        return (
            one is not None
            and store.digest(self.nova / name) == one.patched
            and store.digest(self.store.stock / name) == one.stock
        )

    def _patch(
        self,
        part: Part,
        changes: dict[str, transaction.Change],
        record: dict[str, store.Patched],
        stock: list[str],
    ) -> None:
        now = {name: (self.nova / name).read_bytes() for name in part.files}
        shipped = {
            name: content if is_ == "stock" else (self.store.stock / name).read_bytes()
            for (name, content), is_ in zip(now.items(), part.files.values(), strict=True)
        }
        for name, content in part.diff.result("patched", shipped).items():
            if part.files[name] == "stock":
                stock.append(name)
                mtime_ns = (self.nova / name).stat().st_mtime_ns
            else:
                mtime_ns = record[name].mtime_ns
            record[name] = store.Patched(
                part.diff.file.name,
                store.sha256(shipped[name]),
                store.sha256(content),
                mtime_ns,
            )
            if content != now[name]:
                changes[name] = transaction.Change(now[name], content)

    def _drop_what_no_diff_touches(
        self,
        view: View,
        changes: dict[str, transaction.Change],
        record: dict[str, store.Patched],
    ) -> None:
        """Put back what an older diff touched and this one does not."""
        touched = {name for part in view.parts for name in part.files}
        for name in set(record) - touched:
            if name.startswith("tests/") and not self.with_tests:
                continue
            one = record.pop(name)
            if self._is_ours(name, view.record):
                changes[name] = self._restored(name, one)

    def _from_record(self) -> dict[str, transaction.Change]:
        record = self.store.record()
        return {
            name: self._restored(name, one)
            for name, one in record.files.items()
            if self._is_ours(name, record)
        }

    def _restored(self, name: str, one: store.Patched) -> transaction.Change:
        now, shipped = (self.nova / name).read_bytes(), (self.store.stock / name).read_bytes()
        return transaction.Change(now, shipped, one.mtime_ns)

    def _without_record(
        self, known: collections.abc.Mapping[str, transaction.Change]
    ) -> dict[str, transaction.Change]:
        """What is patched though no copy of ours says what was shipped: patch(1) takes it back."""
        try:
            view = self.look()
        except errors.UnknownNovaError:
            if self.store.record().files:
                return {}  # Nova was upgraded since, to a release that we never touched
            raise
        refuse_foreign(view)
        changes: dict[str, transaction.Change] = {}
        for part in view.parts:
            remainder = {n for n, is_ in part.files.items() if is_ == "patched"} - set(known)
            if remainder:
                changes |= self._reversed(part, remainder)
        return changes

    def _reversed(
        self, part: Part, names: collections.abc.Set[str]
    ) -> dict[str, transaction.Change]:
        now = {name: (self.nova / name).read_bytes() for name in part.files}
        contents = part.diff.result("stock", now)
        return {name: transaction.Change(now[name], contents[name]) for name in names}


def refuse_foreign(view: View) -> None:
    """Refuse a tree that somebody else has a hand in.

    :raises errors.ForeignChangeError: files are neither stock nor ours, or some this and some that
    """
    again = "reinstall this release of Nova, then apply again"
    if view.state == "foreign":
        raise errors.ForeignChangeError(
            f"changed by somebody else or missing in {view.nova}: "
            f"{', '.join(view.files('foreign', 'missing'))}; {again}"
        )
    if view.state == "half":
        raise errors.ForeignChangeError(
            f"{view.nova} is half patched, not yet: {', '.join(view.files('stock'))}; {again}"
        )


def refuse_without_hooks(view: View) -> None:
    """Refuse where Nova's Python has no fpga_hooks: no service of a patched Nova would start.

    :raises errors.PatchError: it has none
    """
    python = bytecode.interpreter(view.nova)
    if python is None or view.state == "patched":
        return
    look = "import importlib.util, sys; sys.exit(importlib.util.find_spec('fpga_hooks') is None)"
    if subprocess.run([python, "-c", look], check=False, cwd="/").returncode:
        raise errors.PatchError(
            f"{python} has no fpga_hooks, and no service of a patched Nova would start; install "
            "fpga-nova[nova] there first"
        )


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
