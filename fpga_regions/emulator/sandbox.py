# SPDX-License-Identifier: Apache-2.0
"""Runs programs on input of strangers: as a user of no rights, without a network, with limits.

All that a tool gets is a folder of its own; all that is taken from it is one file. The folder lies
in one that the user cannot enter by its path, so tools are called with relative names only.
"""

import contextlib
import dataclasses
import os
import shutil
import stat
import typing
from pathlib import Path

from fpga_nova.confined import confinement, folders, processes
from fpga_nova.deadline import Deadline
from fpga_regions import errors
from fpga_regions.system import folders as private

_OUTPUT = "output"  # what the tools print
_ENVIRONMENT = {"PATH": os.defpath, "LANG": "C.UTF-8", "TMPDIR": "."}
_WORDS = 300  # characters of it that an error repeats
_END = 16 * _WORDS  # bytes of it that these are looked for in
_NOT_RUN = 126  # and above: exit statuses (POSIX, "Exit Status for Commands")


class ToolFailed(Exception):
    """A tool did not do what it was run for.

    :param words: the last of what it printed
    :param by_itself: whether it ended of its own accord; else something killed it
    """

    def __init__(self, tool: str, words: str, by_itself: bool = True) -> None:
        super().__init__(f"{tool}: {words}")
        self.by_itself = by_itself


@dataclasses.dataclass(frozen=True)
class Sandbox:
    """How tools run.

    :param parent: where their folders are made
    :param uid: as whom they run, if this process is root's
    :param max_memory: bytes of address space of each process
    :param max_file: bytes of each file that they write
    :param niceness: how far they stand back behind others
    """

    parent: Path
    uid: int
    max_memory: int = 3 << 30
    max_file: int = 256 << 20
    niceness: int = 0

    @property
    def _confinement(self) -> confinement.Confinement:
        return confinement.Confinement(
            self.max_memory, self.max_file, uid=self.uid, niceness=self.niceness
        )

    def make(
        self,
        inputs: typing.Mapping[str, bytes],
        commands: typing.Sequence[typing.Sequence[str]],
        result: str | None,
        deadline: Deadline,
        keep: typing.Sequence[int] = (),
    ) -> bytes:
        """Run commands one after the other in a folder with these files; give one that they made.

        :param result: name of the file to give; None for what was printed
        :param keep: descriptors that the commands inherit
        :raises ToolFailed: a command failed, or made no such file
        :raises errors.ProgrammingFailed: a tool is not installed
        :raises errors.TimedOut: they took longer than the deadline
        """
        with _folder(self.parent, self.uid) as folder:
            for name, content in inputs.items():
                (folder / name).write_bytes(content)
                (folder / name).chmod(0o644)
            for command in commands:
                self._run(folder, command, deadline, keep)
            tool = commands[-1][0]
            return _take(folder / (result or _OUTPUT), tool, self.max_file)

    def _run(
        self,
        folder: Path,
        command: typing.Sequence[str],
        deadline: Deadline,
        keep: typing.Sequence[int],
    ) -> None:
        if shutil.which(command[0], path=os.defpath) is None:
            raise errors.ProgrammingFailed(f"{command[0]} is not installed: see docs/emulator.md")
        (folder / _OUTPUT).unlink(missing_ok=True)
        try:
            with (folder / _OUTPUT).open("xb") as output:
                place = processes.Place(folder, None, _ENVIRONMENT, output, grace=0)
                finished = self._confinement.run(command, deadline, keep, place)
        except processes.TooLong:
            raise errors.TimedOut(f"{command[0]} took longer than {deadline.seconds} s") from None
        except processes.Failed as e:
            raise errors.ProgrammingFailed(f"{command[0]} cannot be confined: {e}") from e
        if finished.status != 0:
            # Of a file as large as a tool may write, words take many times its size.
            end = _take(folder / _OUTPUT, command[0], self.max_file)[-_END:]
            words = " ".join(end.decode("utf-8", "replace").split())[-_WORDS:]
            words = words or f"exit status {finished.status}"
            # Above: what a shell and the like say of a program that was killed, or did not start.
            raise ToolFailed(command[0], words, by_itself=0 < finished.status < _NOT_RUN)


@contextlib.contextmanager
def _folder(parent: Path, uid: int) -> typing.Iterator[Path]:
    """A new folder of a user, gone afterwards."""
    private.make_private(parent)
    with folders.fresh(parent) as folder:
        if os.geteuid() == 0:
            os.chown(folder, uid, uid)
        yield folder


def _take(path: Path, tool: str, most: int) -> bytes:
    """The content of a file that a stranger's process may have put there: no link, no pipe."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags)
    except OSError as e:
        raise ToolFailed(tool, f"it made no usable {path.name}") from e
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_size > most:
        os.close(descriptor)
        raise ToolFailed(tool, f"it made no usable {path.name}")
    with os.fdopen(descriptor, "rb") as file:
        return file.read()
