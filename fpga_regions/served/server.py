# SPDX-License-Identifier: Apache-2.0
"""Starts, asks and ends the process behind each region of a driver."""

import contextlib
import dataclasses
import functools
import hashlib
import json
import os
import pathlib
import select
import shutil
import socket
import subprocess
import sys
import time
import typing

from fpga_nova.deadline import Deadline
from fpga_regions import errors
from fpga_regions.model import Loaded
from fpga_regions.served import answers, listeners
from fpga_regions.system import folders, processes, sockets

if typing.TYPE_CHECKING:
    from fpga_nova.confined import groups

_LOG = "log"
# Names on disk: regions that run through an upgrade have them.
_LOAD, _PARAMETERS = "kept", "told"


class Broken(errors.ProgrammingFailed):
    """The model that the process was given does not run."""


@dataclasses.dataclass(frozen=True)
class Load:
    """What a region's process is given.

    :param module: its program
    :param parameters: for its standard input
    :param sockets: how many it serves
    :param part: what it simulates; None if it is a program
    :param files: descriptors that it inherits
    """

    module: str
    parameters: dict[str, typing.Any]
    sockets: int
    part: str | None = None
    files: tuple[int, ...] = ()


class Servers:
    """The processes behind regions, by the regions' ids.

    :param runtime: folder of what goes when the host restarts, as the processes do
    :param state: folder of the records; what knows a process must not go before the process does
    :param driver: the driver's name, by which it has a folder for the records and its programs are
        found in a package of fpga_regions
    :param noun: what messages call a process
    :param disconnects: whether a process closes the connections of its clients if it is asked to
    """

    def __init__(
        self,
        runtime: pathlib.Path,
        state: pathlib.Path,
        driver: str,
        noun: str = "process",
        disconnects: bool = False,
    ) -> None:
        self._driver = driver
        self._noun = noun
        self._disconnects = disconnects
        self._folders = runtime / "regions"
        self._records = state / driver
        self._installation = hashlib.sha256(os.fsencode(self._records)).hexdigest()[:8]
        self._started: dict[str, subprocess.Popen[str]] = {}

    def path(self, region_id: str, number: int) -> str:
        """Where a socket of a region is."""
        return str(self._folders / region_id / listeners.name(number))

    def load(self, region_id: str) -> Load:
        """What a region was started with, but for descriptors.

        :raises OSError, ValueError, KeyError, TypeError: nothing, or that is not known
        """
        record = json.loads((self._folders / region_id / _LOAD).read_text())
        return Load(record["module"], record[_PARAMETERS], record["sockets"], record["part"])

    def start(
        self,
        region_id: str,
        load: Load,
        settings: dict[str, typing.Any],
        limits: "groups.Limits",
        deadline: Deadline,
        handed: typing.Sequence[socket.socket] = (),
    ) -> None:
        """Make sockets and process; nothing is served before the process is on record.

        :param settings: for the process, but for descriptors and groups
        :param handed: sockets of the process before it, which this one goes on with
        :raises errors.BadPackage: what it is given cannot be run, now or later
        :raises Broken: the model that it is given does not run
        :raises errors.ProgrammingFailed, OSError: it cannot be started now
        :raises errors.TimedOut: it was not ready before the deadline
        """
        from fpga_nova.confined import groups

        folder = self._make_folder(region_id, bool(handed))
        _write_load(folder / _LOAD, load)
        with contextlib.ExitStack() as here:
            names = [listeners.name(number) for number in range(load.sockets)]
            for_clients = handed or [
                here.enter_context(listeners.listen(folder, name, 0o666)) for name in names
            ]
            control = here.enter_context(listeners.listen(folder, listeners.CONTROL, 0o600))
            log = here.enter_context((folder / _LOG).open("ab"))
            descriptors = [listener.fileno() for listener in for_clients]
            more = {"sockets": descriptors, "control": control.fileno()}
            for_us = [control]
            if self._disconnects:
                for_us.append(
                    here.enter_context(listeners.listen(folder, listeners.DISCONNECT, 0o600))
                )
                more["disconnect"] = for_us[1].fileno()
            entrances = groups.make(self.group(region_id), limits)
            server = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [
                    *(
                        sys.executable,
                        "-I",
                        "-m",
                        f"fpga_regions.{self._driver}.{load.module}",
                        region_id,
                    ),
                    json.dumps(settings | more),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                pass_fds=[*descriptors, *(one.fileno() for one in for_us), *load.files],
                start_new_session=True,
                preexec_fn=functools.partial(groups.enter, entrances),
                cwd="/",
                env={"PATH": os.defpath, "LANG": "C.UTF-8"},
                text=True,
            )
            self._started[region_id] = server
        self._record(region_id, server.pid)
        self._hand_over(server, load.parameters, deadline)

    def ask(self, region_id: str) -> Loaded | None:
        """What a region's process says it serves; None if there is certainly no process.

        :raises errors.NoAnswer: there is one, or that cannot be known, and it does not answer
        """
        deadline = Deadline(listeners.ANSWER_TIME)
        control = self._folders / region_id / listeners.CONTROL
        try:
            # A process that is about to end closes connections without an answer.
            while (answer := listeners.answer(control)) is None and not deadline.passed:
                if not self._runs(region_id) and not sockets.served(control):
                    return None
                time.sleep(listeners.PAUSE)
        except TimeoutError as e:
            raise errors.NoAnswer(f"the {self._noun} does not answer in time") from e
        except (OSError, ValueError, KeyError, TypeError) as e:
            raise errors.NoAnswer(f"the {self._noun} cannot be asked: {e}") from e
        if answer is None:
            raise errors.NoAnswer(f"the {self._noun}'s process runs, and nobody serves its socket")
        return answer

    def handed_over(self, region_id: str) -> list[socket.socket]:
        """The sockets of a region for clients, as its process hands them over; none if it does not.

        Whoever holds them has to close them.
        """
        return listeners.handed_over(self._folders / region_id / listeners.CONTROL)

    def disconnect(self, region_id: str) -> None:
        """Have a region's process close the connections of its clients.

        :raises errors.NoAnswer: it does not say that they are closed
        """
        listeners.disconnect(self._folders / region_id / listeners.DISCONNECT)

    def end(self, region_id: str, deadline: Deadline, handed: int = 0) -> None:
        """End a region's process and all that it started, and remove its sockets.

        :param handed: how many of them, from the first, stay: the caller holds them
        :raises errors.NotErased: something of it is still there
        :raises OSError, ValueError, TypeError: that cannot be known
        """
        from fpga_nova.confined import groups

        process = self._recorded(region_id)
        if process is not None and not processes.end(process, deadline):
            raise errors.NotErased(f"the {self._noun}'s process does not end")
        if server := self._started.pop(region_id, None):
            _reap(server)
        if not groups.end(self.group(region_id), deadline):
            raise errors.NotErased(f"what the {self._noun}'s process started does not end")
        folder = self._folders / region_id
        names = [listeners.name(number) for number in range(handed)]
        listeners.wait_for_silence(folder, deadline, names)
        with contextlib.suppress(FileNotFoundError):
            for path in folder.iterdir() if names else ():
                if path.name not in names:
                    path.unlink()
            if not names:
                shutil.rmtree(folder)
        (self._records / region_id).unlink(missing_ok=True)

    def group(self, region_id: str) -> str:
        """The name of a region's control groups."""
        # Another installation on this host may use the same id.
        return f"{region_id}-{self._installation}"

    def _hand_over(
        self,
        server: "subprocess.Popen[str]",
        parameters: dict[str, typing.Any],
        deadline: Deadline,
    ) -> None:
        stdin, stdout = typing.cast(typing.IO[str], server.stdin), server.stdout
        with contextlib.suppress(BrokenPipeError), stdin:
            stdin.write(json.dumps(parameters))
        with typing.cast(typing.IO[str], stdout) as file:
            readable, _, _ = select.select([file], [], [], deadline.remaining)
            if not readable:
                raise errors.TimedOut(
                    f"the {self._noun} was not ready within {deadline.seconds} seconds "
                    "(program_timeout)"
                )
            word, _, why = file.readline().strip().partition(" ")
        if word == answers.REFUSED:
            raise errors.BadPackage(f"the {self._noun} refuses it: {why}")
        if word == answers.BROKEN:
            raise Broken(f"the {self._noun} cannot run it: {why}")
        if word != answers.READY:
            raise errors.ProgrammingFailed(
                f"the {self._noun} cannot be started: {why or 'it ended'}"
            )

    def _make_folder(self, region_id: str, in_use: bool) -> pathlib.Path:
        # Others see a socket only where it is mounted for them.
        folders.make_private(self._folders)
        folder = self._folders / region_id
        folder.mkdir(mode=0o700, exist_ok=in_use)
        return folder

    def _record(self, region_id: str, pid: int) -> None:
        process = processes.identify(pid)
        if process is None:
            raise errors.ProgrammingFailed(f"the {self._noun} ended at once")
        folders.make_private(self._records)
        with (self._records / region_id).open("w") as file:
            json.dump(dataclasses.asdict(process), file)
            file.flush()
            os.fsync(file.fileno())

    def _recorded(self, region_id: str) -> processes.Process | None:
        """The process on record."""
        with contextlib.suppress(FileNotFoundError):
            # Without content: the host went down while it was written, and the process with it.
            if text := (self._records / region_id).read_text():
                return processes.Process(**json.loads(text))
        return None

    def _runs(self, region_id: str) -> bool:
        process = self._recorded(region_id)
        return process is not None and processes.alive(process)


def _write_load(path: pathlib.Path, load: Load) -> None:
    record = {"module": load.module, _PARAMETERS: load.parameters, "sockets": load.sockets}
    path.write_text(json.dumps(record | {"part": load.part}))


def _reap(server: "subprocess.Popen[str]") -> None:
    """End a process that this one started, on record or not, and leave nothing of it."""
    server.kill()
    with contextlib.suppress(BrokenPipeError), server:
        pass
