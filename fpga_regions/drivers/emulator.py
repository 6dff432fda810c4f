# SPDX-License-Identifier: Apache-2.0
"""Regions without hardware: each is a process that serves sockets.

A package for an iCE40 part brings a real bitstream, which is simulated. One for the part `software`
brings a small JSON descriptor that names a function written in software, and no bitstream.
docs/emulator.md tells what that means.
"""

import contextlib
import pathlib
import pwd
import typing

from fpga_nova.deadline import Deadline
from fpga_regions import errors
from fpga_regions.drivers import served
from fpga_regions.emulator import SOFTWARE
from fpga_regions.model import Region, Slot
from fpga_regions.package.reader import Package
from fpga_regions.served.server import Broken, Load

if typing.TYPE_CHECKING:
    from fpga_regions.emulator import compiler, models

BOARD = "emulator"
_MAX_DESCRIPTOR = 4096
_MORE_PROCESSES = 16  # of a region, beside one for each client


class EmulatorDriver(served.ServedDriver):
    """A number of cards, each with a number of regions, as group `emulator` says."""

    prepares = True
    noun = "emulator"
    disconnects = True

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

    def prepare(self, package: Package) -> None:
        """Make the models of a bitstream; a compiled one is made in the background."""
        from fpga_regions.emulator import compiler

        part, how = package.manifest.part, self.conf.emulator.engine
        if part == SOFTWARE:
            return
        settings = self._compiler(self.conf.emulator.first_uid)
        limit = Deadline(settings.timeout)
        settings.models().get(package.bitfile, package.digest, part, how, limit).file.close()
        compiler.start(settings)

    def put_again(self, region: Region, load: Load, deadline: Deadline) -> None:
        """A bitstream goes on with the fastest model of it that is at hand."""
        self._run(region, lambda files: self._load_again(region, load, deadline, files), deadline)

    def put(self, region: Region, package: Package, deadline: Deadline) -> None:
        """Start the process that serves the package's function, or simulates its bitstream."""
        try:
            self._run(region, lambda files: self._load(region, package, deadline, files), deadline)
        except OSError as e:
            raise errors.ProgrammingFailed(f"the emulator cannot be started: {e}") from e

    def _run(
        self,
        region: Region,
        load: typing.Callable[[contextlib.ExitStack], Load],
        deadline: Deadline,
    ) -> None:
        """Start what a region is to run; if a compiled model does not run, the interpreted one.

        :param load: says what to start; asked again once a compiled model is refused
        """
        with contextlib.ExitStack() as files:
            what = load(files)
            deadline = self._without_compiling(what, deadline)
            try:
                self._start(region, what, deadline)
            except (Broken, errors.TimedOut) as e:
                if not self._refuse(region, what, e.why, deadline) or deadline.passed:
                    raise
                self.end(region, Deadline(self.conf.clear_timeout))
                self._start(region, load(files), deadline)

    def _start(self, region: Region, load: Load, deadline: Deadline) -> None:
        from fpga_nova.confined import groups

        options = self.conf.emulator
        names = ("user", "max_input", "max_clients", "client_timeout", "max_memory", "cpu_percent")
        settings = {name: options[name] for name in names}
        settings["uid"] = 0 if options.user else self._uid(region)
        processes = options.max_clients + _MORE_PROCESSES
        limits = groups.Limits(options.max_memory, options.cpu_percent, processes)
        self.start(region, load, settings, limits, deadline)

    def _refuse(self, region: Region, load: Load, why: str, deadline: Deadline) -> bool:
        """Refuse a compiled model that did not run, for good; False if it is none."""
        if load.part is None or load.parameters["engine"] != "verilator":
            return False
        compiled = self._compiler(self._uid(region)).models()
        compiled.refuse(load.parameters["digest"], load.part, why, deadline)
        return True

    def _load(
        self, region: Region, package: Package, deadline: Deadline, files: contextlib.ExitStack
    ) -> Load:
        """What the region's process needs to be given."""
        sockets = len(package.manifest.exposes)
        if package.manifest.part != SOFTWARE:
            return self._load_bitstream(region, package, deadline, files)
        if len(package.bitfile) > _MAX_DESCRIPTOR:
            raise errors.BadPackage(
                f"the bitfile has more than {_MAX_DESCRIPTOR} bytes: it is not for the emulator"
            )
        descriptor = package.bitfile.decode("utf-8", "replace")
        return Load("software", {"descriptor": descriptor, "digest": package.digest}, sockets)

    def _load_bitstream(
        self, region: Region, package: Package, deadline: Deadline, files: contextlib.ExitStack
    ) -> Load:
        # Not at the top: status needs none of it.
        from fpga_regions.emulator import compiler

        settings = self._compiler(self._uid(region))
        part, how = package.manifest.part, self.conf.emulator.engine
        limit = Deadline(settings.timeout) if how == "verilator" else deadline
        model = settings.models().get(package.bitfile, package.digest, part, how, limit)
        compiler.start(self._compiler(self.conf.emulator.first_uid))
        names = {"function": package.manifest.function, "digest": package.digest}
        return _with_model(names, len(package.manifest.exposes), part, model, files)

    def _load_again(
        self,
        region: Region,
        load: Load,
        deadline: Deadline,
        files: contextlib.ExitStack,
    ) -> Load:
        """The load of a region that was ended, from what is on record of it.

        :raises errors.ProgrammingFailed: its model is not in the cache any more
        """
        if load.part is None:
            return load
        names = {name: load.parameters[name] for name in ("function", "digest")}
        models = self._compiler(self._uid(region)).models()
        engine = self.conf.emulator.engine
        model = models.at_hand(names["digest"], load.part, engine, deadline)
        if model is None:
            raise errors.ProgrammingFailed("its model is not in the cache any more")
        return _with_model(names, load.sockets, load.part, model, files)

    def _without_compiling(self, load: Load, deadline: Deadline) -> Deadline:
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


def _with_model(
    names: dict[str, typing.Any],
    sockets: int,
    part: str,
    model: "models.Model",
    files: contextlib.ExitStack,
) -> Load:
    file = files.enter_context(model.file).fileno()
    more = {
        "engine": model.engine.name,
        "command": model.engine.command(f"/proc/self/fd/{file}"),
        "file": file,
    }
    return Load("chip", names | more, sockets, part, (file,))


def _uid_of(user: str) -> int:
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        raise errors.ProgrammingFailed(f"there is no user {user}") from None
