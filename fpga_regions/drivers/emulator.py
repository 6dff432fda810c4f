# SPDX-License-Identifier: Apache-2.0
"""Regions without hardware: each is a process that serves sockets.

A package for an iCE40 part brings a real bitstream, which is simulated. One for the part `software`
brings a small JSON descriptor that names a function written in software, and no bitstream.
docs/emulator.md tells what that means.
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import pwd
import select
import shutil
import socket
import subprocess
import sys
import typing

from oslo_config import cfg

from fpga_regions import errors, folders, processes, sockets
from fpga_regions.drivers import base
from fpga_regions.emulator import SOFTWARE
from fpga_regions.locks import Deadline
from fpga_regions.model import Loaded, Node, Region, Slot
from fpga_regions.packages import Package

if typing.TYPE_CHECKING:
    from fpga_regions.emulator import compiler, models

BOARD = "emulator"
_MODULES = "fpga_regions.emulator"
_CONTROL = "control"
_LOG = "log"
_KEPT = "kept"
_ANSWER_TIME = 2.0  # seconds; the answer is ready before it is asked for
_MAX_ANSWER = 4096
_MAX_DESCRIPTOR = 4096


@dataclasses.dataclass(frozen=True)
class _Load:
    """What a region's process is given.

    :param module: its program
    :param told: for its standard input
    :param sockets: how many it serves
    :param part: what it simulates; None if it is a program
    :param files: descriptors that it inherits
    """

    module: str
    told: dict[str, typing.Any]
    sockets: int
    part: str | None = None
    files: tuple[int, ...] = ()


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
                part=",".join(options.parts),
                interface=None,
                kinds=frozenset({"socket"}),
                simulated=True,
                vendor=options.vendor,
            )
            for card in range(options.cards)
            for index in range(options.regions)
        ]

    def program(self, region: Region, package: Package, deadline: Deadline) -> None:
        """Start the process that serves the package's function, or simulates its bitstream."""
        self.clear(region, Deadline(self.conf.clear_timeout))
        try:
            with contextlib.ExitStack() as files:
                load = self._load(region, package, deadline, files)
                self._start(region, load, self._without_compiling(load, deadline))
        except OSError as e:
            raise errors.ProgrammingFailed(f"the emulator cannot be started: {e}") from e

    def read_back(self, region: Region) -> Loaded | None:
        """Ask the process which function it serves."""
        with socket.socket(socket.AF_UNIX) as connection, contextlib.suppress(OSError, ValueError):
            connection.settimeout(_ANSWER_TIME)
            with sockets.short(self._folders / region.id) as folder:
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

    def can_reset(self, region: Region) -> bool:
        """Always."""
        return True

    def reset(self, region: Region, deadline: Deadline) -> None:
        """Put a new process and new sockets in the place of the old ones; nothing is made anew.

        A bitstream goes on with the fastest model of it that is at hand.
        """
        try:
            kept = json.loads((self._folders / region.id / _KEPT).read_text())
            self._end(region, deadline)
            with contextlib.ExitStack() as files:
                self._start(region, self._load_again(region, kept, deadline, files), deadline)
        except (OSError, ValueError, KeyError, TypeError, errors.ProgrammingFailed) as e:
            raise errors.NotErased(f"the emulator cannot be started again: {e}") from e

    def nodes(self, region: Region, package: Package) -> tuple[Node, ...]:
        """The sockets that the process serves."""
        folder = self._folders / region.id
        return tuple(
            Node(exposed.kind, str(folder / _socket_name(number)), exposed.name)
            for number, exposed in enumerate(package.manifest.exposes)
        )

    def _load(
        self, region: Region, package: Package, deadline: Deadline, files: contextlib.ExitStack
    ) -> _Load:
        """What the region's process needs to be given."""
        sockets = len(package.manifest.exposes)
        if package.manifest.part != SOFTWARE:
            return self._load_bitstream(region, package, deadline, files)
        if len(package.bitfile) > _MAX_DESCRIPTOR:
            raise errors.ProgrammingFailed(
                f"the bitfile has more than {_MAX_DESCRIPTOR} bytes: it is none for the emulator"
            )
        descriptor = package.bitfile.decode("utf-8", "replace")
        return _Load("software", {"descriptor": descriptor, "digest": package.digest}, sockets)

    def _load_bitstream(
        self, region: Region, package: Package, deadline: Deadline, files: contextlib.ExitStack
    ) -> _Load:
        # Not at the top: status needs none of it.
        from fpga_regions.emulator import compiler

        settings = self._compiler(self._uid(region))
        part, how = package.manifest.part, self.conf.emulator.engine
        limit = Deadline(settings.timeout) if how == "verilator" else deadline
        model = settings.models().get(package.bitfile, package.digest, part, how, limit)
        compiler.start(self._compiler(self.conf.emulator.first_uid))
        told = {"function": package.manifest.function, "digest": package.digest}
        return _with_model(told, len(package.manifest.exposes), part, model, files)

    def _load_again(
        self,
        region: Region,
        kept: dict[str, typing.Any],
        deadline: Deadline,
        files: contextlib.ExitStack,
    ) -> _Load:
        """The load of a region that was ended, from what was kept of it.

        :raises errors.ProgrammingFailed: its model is not kept any more
        """
        if kept["part"] is None:
            return _Load(**kept)
        told = {name: kept["told"][name] for name in ("function", "digest")}
        models = self._compiler(self._uid(region)).models()
        engine = self.conf.emulator.engine
        model = models.at_hand(told["digest"], kept["part"], engine, deadline)
        if model is None:
            raise errors.ProgrammingFailed("its model is not in the cache any more")
        return _with_model(told, kept["sockets"], kept["part"], model, files)

    def _without_compiling(self, load: _Load, deadline: Deadline) -> Deadline:
        """What is left of a deadline to which the time of a compiler does not count."""
        waited = load.part is not None and self.conf.emulator.engine == "verilator"
        return Deadline(deadline.seconds) if waited else deadline

    def _compiler(self, uid: int) -> "compiler.Settings":
        from fpga_regions.emulator import compiler

        options = self.conf.emulator
        return compiler.Settings(
            folder=str(pathlib.Path(self.conf.state_dir) / "emulator-models"),
            work=str(pathlib.Path(self.conf.runtime_dir) / "work"),
            uid=uid,
            timeout=options.compile_timeout,
            max_size=options.cache_size,
        )

    def _uid(self, region: Region) -> int:
        options = self.conf.emulator
        if options.user:
            return _uid_of(options.user)
        card = int(region.slot.device.removeprefix(BOARD))
        return int(options.first_uid + 1 + card * options.regions + region.slot.index)

    def _start(self, region: Region, load: _Load, deadline: Deadline) -> None:
        """Make sockets and process; nothing is served before the process is on record."""
        folder = self._make_folder(region)
        kept = {"module": load.module, "told": load.told, "sockets": load.sockets}
        (folder / _KEPT).write_text(json.dumps(kept | {"part": load.part}))
        with contextlib.ExitStack() as here:
            names = [_socket_name(number) for number in range(load.sockets)]
            listeners = [here.enter_context(_listen(folder, name, 0o666)) for name in names]
            control = here.enter_context(_listen(folder, _CONTROL, 0o600))
            log = here.enter_context((folder / _LOG).open("ab"))
            descriptors = [listener.fileno() for listener in listeners]
            server = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [
                    *(sys.executable, "-I", "-m", f"{_MODULES}.{load.module}", region.id),
                    self._settings(region, descriptors, control.fileno()),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                pass_fds=[*descriptors, control.fileno(), *load.files],
                start_new_session=True,
                cwd="/",
                env={"PATH": os.defpath, "LANG": "C.UTF-8"},
                text=True,
            )
            self._started[region.id] = server
        self._record(region, server.pid)
        _hand_over(server, load.told, deadline)

    def _settings(self, region: Region, sockets: list[int], control: int) -> str:
        options = self.conf.emulator
        names = ("user", "max_input", "max_clients", "client_timeout", "max_memory", "cpu_percent")
        limits = {name: options[name] for name in names}
        uid = 0 if options.user else self._uid(region)
        return json.dumps({"sockets": sockets, "control": control, "uid": uid, **limits})

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


def _with_model(
    told: dict[str, typing.Any],
    sockets: int,
    part: str,
    model: "models.Model",
    files: contextlib.ExitStack,
) -> _Load:
    file = files.enter_context(model.file).fileno()
    more = {
        "engine": model.engine.name,
        "command": model.engine.command(f"/proc/self/fd/{file}"),
        "file": file,
    }
    return _Load("chip", told | more, sockets, part, (file,))


def _reap(server: "subprocess.Popen[str]") -> None:
    """End a process that this one started, on record or not, and leave nothing of it."""
    server.kill()
    with contextlib.suppress(BrokenPipeError), server:
        pass


def _hand_over(
    server: "subprocess.Popen[str]", told: dict[str, typing.Any], deadline: Deadline
) -> None:
    stdin, stdout = typing.cast(typing.IO[str], server.stdin), server.stdout
    with contextlib.suppress(BrokenPipeError), stdin:
        stdin.write(json.dumps(told))
    with typing.cast(typing.IO[str], stdout) as answers:
        answer = _read_line(answers, deadline)
    if answer != "ready":
        raise errors.ProgrammingFailed(f"the emulator refuses it: {answer or 'it ended'}")


def _uid_of(user: str) -> int:
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        raise errors.ProgrammingFailed(f"there is no user {user}") from None


def _socket_name(number: int) -> str:
    return f"fpga{number}"


def _listen(folder: pathlib.Path, name: str, mode: int) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    try:
        with sockets.short(folder) as short:
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
