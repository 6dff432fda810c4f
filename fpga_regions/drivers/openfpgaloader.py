# SPDX-License-Identifier: Apache-2.0
"""Boards on JTAG or USB that openFPGALoader programs, into the memory that forgets without power.

Written after the documentation and the sources of openFPGALoader 0.10 (Debian 12) to 1.1.
"""

import contextlib
import json
import logging
import pathlib
import typing

from oslo_config import cfg

from fpga_nova.confined import processes
from fpga_nova.deadline import Deadline
from fpga_regions import errors
from fpga_regions.drivers import hardware, parts, records, settings, usb
from fpga_regions.drivers.settings import HostNode
from fpga_regions.model import Loaded, Region, Slot
from fpga_regions.package.reader import Package
from fpga_regions.system import folders, locks

_LOG = logging.getLogger(__name__)

GROUP = "openfpgaloader"

OPTIONS: list[cfg.Opt] = [
    cfg.ListOpt(
        "cards",
        default=[],
        help="Names of the boards; board `x` has the group `[openfpgaloader:x]`.",
    ),
    cfg.StrOpt("exec", default="openFPGALoader", help="The program: full path, or name."),
    cfg.IntOpt("timeout", default=10, min=1, help="Seconds that a detection may take."),
    cfg.StrOpt(
        "usb", default="/sys/bus/usb/devices", help="Folder in which the kernel lists USB devices."
    ),
]

CARD_OPTIONS: list[cfg.Opt] = [
    *settings.target_options(),
    cfg.StrOpt("loader_board", help="Name of the board for openFPGALoader (--board)."),
    cfg.StrOpt("cable", help="Name of the cable for openFPGALoader (--cable)."),
    cfg.StrOpt("serial", help="Serial number of the board's USB chip."),
    cfg.StrOpt(
        "serial_option",
        default="--ftdi-serial",
        help="Option that takes the serial number; later releases have another name for it.",
    ),
    cfg.StrOpt(
        "bus_device",
        regex=r"^\d{1,3}:\d{1,3}$",
        help="BUS:DEVICE of the board on USB (--busdev-num); changes when it is plugged in again.",
    ),
    cfg.IntOpt("channel", min=0, max=3, help="Channel of the FTDI chip (--ftdi-channel)."),
    cfg.IntOpt("frequency", min=1, help="JTAG frequency in Hz (--freq)."),
    cfg.ListOpt(
        "chain",
        default=[],
        item_type=cfg.types.Integer(min=0, max=255),
        help="Places in the JTAG chain (--index-chain), a region each; if empty, one region.",
    ),
    cfg.StrOpt(
        "idcode",
        regex=r"^0x[0-9a-fA-F]{1,8}$",
        help="JTAG id that the part must have; without it only the detection must succeed.",
    ),
    cfg.StrOpt(
        "file_type",
        default="bit",
        choices=["bit", "bin", "cfg", "fs", "hex", "rbf"],
        help="The type of bitfiles. (An svf can do more than program a part, so it is not a type.)",
    ),
    cfg.StrOpt(
        "blank",
        required=True,
        help="""
Path of a bitfile that holds no function, of the same file_type; erasing loads it.
""",
    ),
    cfg.StrOpt(
        "check",
        help="""
Path of an SVF that can be played to its end only if the part is configured. It is needed for parts
of which openFPGALoader does not print whether they start: Altera's, Anlogic's and Efinix's, and
some of Xilinx's.
""",
    ),
    settings.nodes_option("{index} stands for the number of the region."),
]


class OpenFpgaLoaderDriver(hardware.HardwareDriver):
    """Boards that openFPGALoader knows."""

    def __init__(self, name: str, conf: cfg.ConfigOpts) -> None:
        super().__init__(name, conf)
        self._options = settings.register(conf, GROUP, OPTIONS)
        self.cards = settings.cards(conf, GROUP, self._options.cards, CARD_OPTIONS)
        self._nodes = {card: _check(card, one) for card, one in self.cards.items()}
        self._runtime = pathlib.Path(conf.runtime_dir) / name

    def slots_of(self, card: str) -> list[Slot]:
        """A region for each place in the chain, if the board is on USB and can be programmed.

        The parts are detected once in a boot for each time that the board is plugged in: that takes
        a second, and every command discovers.
        """
        processes.find(self._options.exec)
        plugged = self._plugged(card)
        if (output := self._detected_before(card, plugged)) is not None:
            return self._usable(card, parts.detected(output))
        output = self._detect_all(card)
        slots = self._usable(card, parts.detected(output))
        self._remember(card, plugged, output)
        return slots

    def _usable(self, card: str, chain: dict[int, parts.Part]) -> list[Slot]:
        """A region for each place in the chain whose part can be programmed.

        :raises processes.Failed: there is none
        """
        options, slots, unusable = self.card(card), [], []
        kinds = frozenset(node.kind for node in self._nodes[card])
        for index, place in enumerate(options.chain or [0]):
            try:
                self._see_that_it_can_be_loaded(card, self._part(card, chain, place))
                slots.append(self.slot(card, index, options, kinds=kinds))
            except processes.Failed as e:
                unusable.append(str(e))
        if not slots:
            raise processes.Failed("; ".join(unusable))
        for reason in unusable:
            _LOG.warning("driver %s: card %s: %s", self.name, card, reason)
        return slots

    def suffix(self, region: Region) -> str:
        """That of the card's type of bitfile; openFPGALoader goes by it."""
        return f".{self.card(region.slot.device).file_type}"

    def put(self, job: hardware.Job, bitfile: pathlib.Path, package: Package) -> str:
        """Load the bitfile into the part's memory, and see that the part starts."""
        return self._load(job, bitfile)

    def wipe(self, job: hardware.Job, record: records.Record | None) -> str:
        """Load the blank bitfile, and see that the part starts."""
        return self._load(job, pathlib.Path(self.card(job.region.slot.device).blank))

    def look(self, region: Region, record: records.Record | None) -> Loaded | None:
        """What is on record, if the same part is still there and, where it shows that, configured.

        No part shows which bitfile it holds. One that is not configured holds none. Erased, it
        stays so, in whichever boot: neither a restart nor its flash brings a tenant's bitfile back.
        What was loaded before a restart of the host counts as lost.
        """
        with self.card_locked(region.slot.device, Deadline(self._options.timeout)) as lock:
            job = hardware.Job(region, Deadline(self._options.timeout), lock)
            part = self._detect(job)
            if part.shows_done and self._is_blank(job):
                return None
        if record is None:
            raise processes.Failed("no part shows which bitfile it holds, and none is on record")
        idcode, _, plugged = record.sign.partition(" ")
        if part.idcode != idcode:
            raise processes.Failed(f"the part has idcode 0x{part.idcode}, not 0x{idcode}")
        if record.loaded is None or not record.fresh:
            return None
        if plugged and plugged != self._plugged(region.slot.device):
            raise processes.Failed("the board was unplugged since")
        return record.loaded

    def host_nodes(self, region: Region) -> list[HostNode]:
        """As configured."""
        places = {"{index}": str(region.slot.index)}
        found = self._nodes.get(region.slot.device, [])
        return [HostNode(node.kind, settings.fill(node.path, places)) for node in found]

    def _argv(self, card: str, place: int) -> list[str]:
        options = self.card(card)
        chosen = [
            ("--board", options.loader_board),
            ("--cable", options.cable),
            (options.serial_option, options.serial),
            ("--busdev-num", options.bus_device),
            ("--ftdi-channel", options.channel),
            ("--freq", options.frequency),
            ("--index-chain", place if options.chain else None),
        ]
        words = [word for name, value in chosen if value is not None for word in (name, str(value))]
        return [self._options.exec, *words]

    def _words(self, job: hardware.Job) -> list[str]:
        """The program, and how it finds a region's part."""
        return self._argv(job.region.slot.device, self._place(job.region))

    def _place(self, region: Region) -> int:
        chain: list[int] = self.card(region.slot.device).chain
        return chain[region.slot.index] if chain else 0

    def _load(self, job: hardware.Job, bitfile: pathlib.Path) -> str:
        """Load a bitfile, once the part is seen to be the right one; gives the region's sign."""
        card = job.region.slot.device
        part = self._detect(job)
        self._see_that_it_can_be_loaded(card, part)
        self.forget(job.region)
        finished = job.run(*self._words(job), "--write-sram", str(bitfile))
        parts.see_sent(finished)
        if not parts.started(part, finished):
            self._see_start(job, part)
        return f"{part.idcode} {self._plugged(card)}".strip()

    def _see_start(self, job: hardware.Job, part: parts.Part) -> None:
        """Ask a part whether it started, of which the load did not print it."""
        path = self.card(job.region.slot.device).check
        if not (part.shows_done or path):
            raise processes.Failed("openFPGALoader does not print that the part started")
        text = parts.DONE_IS_HIGH if part.shows_done else pathlib.Path(path).read_text()
        check = self._play(job, text)
        if not parts.played(check):
            raise processes.Failed(f"the part did not start: {check.complaint}")

    def _is_blank(self, job: hardware.Job) -> bool:
        """Whether a part that can show it is not configured."""
        check = self._play(job, parts.DONE_IS_HIGH)
        if parts.done_is_low(check):
            return True
        if not parts.played(check):
            raise processes.Failed(check.complaint)
        return False

    def _play(self, job: hardware.Job, text: str) -> processes.Finished:
        """Play an SVF of ours or the operator's, never of a package's."""
        path = self._folder / f"{job.region.id}.svf"
        try:
            path.write_text(text)
            return job.try_to_run(*self._words(job), str(path))
        finally:
            path.unlink(missing_ok=True)

    def _detect(self, job: hardware.Job) -> parts.Part:
        """A region's part.

        :raises processes.Failed: it is not there, or another part than configured
        """
        chain = parts.detected(job.run(*self._words(job), "--detect").output)
        return self._part(job.region.slot.device, chain, self._place(job.region))

    def _part(self, card: str, chain: dict[int, parts.Part], place: int) -> parts.Part:
        if place not in chain:
            raise processes.Failed(f"openFPGALoader detects no part at place {place} of the chain")
        part, idcode = chain[place], self.card(card).idcode
        if idcode and not part.is_a(idcode):
            raise processes.Failed(
                f"the part at place {place} of the chain has idcode 0x{part.idcode}, not {idcode}"
            )
        return part

    def _see_that_it_can_be_loaded(self, card: str, part: parts.Part) -> None:
        """See that a load goes into the part's memory, and can show its success."""
        file_type = self.card(card).file_type
        if not part.takes(file_type):
            raise processes.Failed(
                f"openFPGALoader does not load {file_type} files into the memory of the part with "
                f"idcode 0x{part.idcode} ({part.maker or 'unknown maker'} {part.family})"
            )
        if not (part.prints_success or part.shows_done or self.card(card).check):
            raise processes.Failed(
                f"openFPGALoader does not print whether parts of {part.maker} start: set check"
            )

    def _detect_all(self, card: str) -> str:
        """What openFPGALoader prints of the parts of a board."""
        deadline = Deadline(self._options.timeout)
        try:
            with self.card_locked(card, deadline) as lock:
                argv = [*self._argv(card, 0), "--detect"]
                finished = processes.run(argv, deadline, keep=[lock])
        except locks.NotLocked as e:
            raise processes.Failed("another process works on it") from e
        if finished.status != 0:
            raise processes.Failed(finished.complaint)
        return finished.output

    def _detected_before(self, card: str, plugged: str) -> str | None:
        """What was printed of the parts of a board since it was plugged in, if they were usable."""
        with contextlib.suppress(FileNotFoundError, ValueError, KeyError, TypeError):
            fields = json.loads((self._runtime / card).read_text())
            if fields["plugged"] == plugged:
                return str(fields["output"])
        return None

    def _remember(self, card: str, plugged: str, output: str) -> None:
        folders.make_private(self._runtime)
        new = self._runtime / f"{card}.new"
        new.write_text(json.dumps({"plugged": plugged, "output": output}))
        new.replace(self._runtime / card)

    def _plugged(self, card: str) -> str:
        options = self.card(card)
        return usb.place(pathlib.Path(self._options.usb), options.serial, options.bus_device)


def _check(card: str, options: typing.Any) -> list[HostNode]:
    """See that a card's options go together; gives its nodes.

    :raises errors.NotAccessible: they do not
    """
    group = f"{GROUP}:{card}"
    if not options.loader_board and not options.cable:
        raise errors.NotAccessible(f"[{group}] needs loader_board, cable, or both")
    if not options.blank.endswith(f".{options.file_type}"):
        raise errors.NotAccessible(f"[{group}] blank must end in .{options.file_type} (file_type)")
    return settings.nodes(group, options.nodes)
