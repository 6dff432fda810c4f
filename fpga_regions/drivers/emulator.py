# SPDX-License-Identifier: Apache-2.0
"""Regions without hardware: each serves its function on sockets, from a process of its own.

The bitfile of this emulator is a small JSON descriptor that names a function written in software;
it is no bitstream. docs/emulator.md tells what that means.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import select
import shutil
import socket
import subprocess
import sys
import typing

from oslo_config import cfg

from fpga_regions import errors, folders, processes
from fpga_regions.drivers import base
from fpga_regions.locks import Deadline
from fpga_regions.model import Loaded, Node, Region, Slot
from fpga_regions.packages import Package

BOARD = "emulator"
_SERVER = pathlib.Path(__file__).with_name("emulator_server.py")
_CONTROL = "control"
_LOG = "log"
_ANSWER_TIME = 2.0  # seconds; the answer is ready before it is asked for
_MAX_ANSWER = 4096
_MAX_DESCRIPTOR = 4096


class EmulatorDriver(base.Driver):
    """A number of cards, each with a number of regions, as group `emulator` says."""

    def __init__(self, name: str, conf: cfg.ConfigOpts) -> None:
        super().__init__(name, conf)
        self._folders = pathlib.Path(conf.runtime_dir) / "regions"
        # Not under runtime_dir: what knows the process must not go before the process does.
        self._records = pathlib.Path(conf.state_dir) / "emulator"
        self._started: dict[str, subprocess.Popen[str]] = {}

    def discover(self) -> list[Slot]:
        """The regions that are configured."""
        options = self.conf.emulator
        return [
            Slot(
                driver=self.name,
                device=f"emulator{card}",
                index=index,
                board=BOARD,
                part=options.part,
                interface=None,
                kinds=frozenset({"socket"}),
                simulated=True,
            )
            for card in range(options.cards)
            for index in range(options.regions)
        ]

    def program(self, region: Region, package: Package, deadline: Deadline) -> None:
        """Start the process that serves the package's function."""
        if len(package.bitfile) > _MAX_DESCRIPTOR:
            raise errors.ProgrammingFailed(
                f"the bitfile has more than {_MAX_DESCRIPTOR} bytes: it is none for the emulator"
            )
        self.clear(region, Deadline(self.conf.clear_timeout))
        try:
            self._start(region, package, deadline)
        except OSError as e:
            raise errors.ProgrammingFailed(f"the emulator cannot be started: {e}") from e

    def read_back(self, region: Region) -> Loaded | None:
        """Ask the process which function it serves."""
        with socket.socket(socket.AF_UNIX) as connection, contextlib.suppress(OSError, ValueError):
            connection.settimeout(_ANSWER_TIME)
            with _short(self._folders / region.id) as folder:
                connection.connect(f"{folder}/{_CONTROL}")
            told = json.loads(_read_all(connection))
            return Loaded(str(told["function"]), str(told["digest"]))
        return None

    def clear(self, region: Region, deadline: Deadline) -> None:
        """End the process and remove its sockets."""
        try:
            self._end(region, deadline)
        except (OSError, ValueError, TypeError) as e:
            raise errors.NotErased(f"what the emulator left cannot be removed: {e}") from e

    def nodes(self, region: Region, package: Package) -> tuple[Node, ...]:
        """The sockets that the process serves."""
        folder = self._folders / region.id
        return tuple(
            Node(exposed.kind, str(folder / _socket_name(number)), exposed.name)
            for number, exposed in enumerate(package.manifest.exposes)
        )

    def _start(self, region: Region, package: Package, deadline: Deadline) -> None:
        """Make sockets and process; nothing is served before the process is on record."""
        folder = self._make_folder(region)
        with contextlib.ExitStack() as here:
            names = [_socket_name(number) for number in range(len(package.manifest.exposes))]
            listeners = [here.enter_context(_listen(folder, name, 0o666)) for name in names]
            control = here.enter_context(_listen(folder, _CONTROL, 0o600))
            log = here.enter_context((folder / _LOG).open("ab"))
            descriptors = [listener.fileno() for listener in listeners]
            server = subprocess.Popen(  # noqa: S603 - our own interpreter and script
                [*_command(region), self._settings(descriptors, control.fileno())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                pass_fds=[*descriptors, control.fileno()],
                start_new_session=True,
                cwd="/",
                env={"PATH": os.defpath, "LANG": "C.UTF-8"},
                text=True,
            )
            self._started[region.id] = server
        self._record(region, server.pid)
        self._hand_over(server, package, deadline)

    def _hand_over(
        self, server: "subprocess.Popen[str]", package: Package, deadline: Deadline
    ) -> None:
        descriptor = package.bitfile.decode("utf-8", "replace")
        message = json.dumps({"descriptor": descriptor, "digest": package.digest})
        stdin, stdout = typing.cast(typing.IO[str], server.stdin), server.stdout
        with contextlib.suppress(BrokenPipeError), stdin:
            stdin.write(message)
        with typing.cast(typing.IO[str], stdout) as answers:
            answer = _read_line(answers, deadline)
        if answer != "ready":
            raise errors.ProgrammingFailed(f"the emulator refuses it: {answer or 'it ended'}")

    def _settings(self, sockets: list[int], control: int) -> str:
        options = self.conf.emulator
        names = ("user", "part", "max_input", "max_clients", "client_timeout", "max_memory")
        limits = {name: options[name] for name in names}
        return json.dumps({"sockets": sockets, "control": control, **limits})

    def _make_folder(self, region: Region) -> pathlib.Path:
        # Others see a socket only where it is mounted for them.
        folders.make_private(self._folders)
        folder = self._folders / region.id
        folder.mkdir(mode=0o700)
        return folder

    def _record(self, region: Region, pid: int) -> None:
        process = processes.identify(pid)
        if process is None:
            raise errors.ProgrammingFailed("the emulator ended at once")
        folders.make_private(self._records)
        with (self._records / region.id).open("w") as file:
            json.dump(dataclasses.asdict(process), file)
            file.flush()
            os.fsync(file.fileno())

    def _end(self, region: Region, deadline: Deadline) -> None:
        record = self._records / region.id
        with contextlib.suppress(FileNotFoundError):
            text = record.read_text()
            # An empty record: the host went down while it was written, and the process with it.
            if text and not processes.end(processes.Process(**json.loads(text)), deadline):
                raise errors.NotErased("the emulator's process does not end")
        if server := self._started.pop(region.id, None):
            _reap(server)
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self._folders / region.id)
        record.unlink(missing_ok=True)


def _reap(server: "subprocess.Popen[str]") -> None:
    """End a process that this one started, on record or not, and leave nothing of it."""
    server.kill()
    with contextlib.suppress(BrokenPipeError), server:
        pass


def _socket_name(number: int) -> str:
    return f"fpga{number}"


def _command(region: Region) -> list[str]:
    return [sys.executable, "-I", str(_SERVER), region.id]


@contextlib.contextmanager
def _short(folder: pathlib.Path) -> typing.Iterator[str]:
    """A short name of a folder: a socket's address has room for 107 bytes (unix(7))."""
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _listen(folder: pathlib.Path, name: str, mode: int) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    try:
        with _short(folder) as short:
            listener.bind(f"{short}/{name}")
        (folder / name).chmod(mode)
        listener.listen(socket.SOMAXCONN)
    except BaseException:
        listener.close()
        raise
    return listener


def _read_all(connection: socket.socket) -> bytes:
    data = b""
    while (part := connection.recv(_MAX_ANSWER)) and len(data) < _MAX_ANSWER:
        data += part
    return data


def _read_line(file: typing.IO[str], deadline: Deadline) -> str:
    readable, _, _ = select.select([file], [], [], deadline.left)
    if not readable:
        raise errors.TimedOut(
            f"the emulator was not ready within {deadline.seconds} seconds (program_timeout)"
        )
    return file.readline().strip()
