# SPDX-License-Identifier: Apache-2.0
"""Boards on JTAG or USB that openFPGALoader programs, into the memory that forgets without power.

Written after the documentation and the help of openFPGALoader 0.10, which is Debian 12's.
"""

import pathlib
import re
import typing

from oslo_config import cfg

from fpga_regions import errors, locks, programs
from fpga_regions.drivers import hardware, records, settings
from fpga_regions.drivers.settings import HostNode
from fpga_regions.locks import Deadline
from fpga_regions.model import Region, Slot
from fpga_regions.packages import Package

GROUP = "openfpgaloader"
_INDEX = re.compile(r"^index (\d+):\n((?:[ \t]+\S.*\n?)*)", re.MULTILINE)
_IDCODE = re.compile(r"^\s*idcode\s+0x([0-9a-fA-F]+)", re.MULTILINE)
#: The upper four bits are the revision of the part, which openFPGALoader may leave out.
_REVISION = 0x0FFFFFFF
#: What it prints where it fails and ends with 0 all the same.
_FAILURE = re.compile(r"^.*(?:\bError\b|\bFail\b|\bFAIL\b|mismatch).*$", re.MULTILINE)

OPTIONS: list[cfg.Opt] = [
    cfg.ListOpt(
        "cards",
        default=[],
        help="Names of the boards; board `x` has the group `[openfpgaloader:x]`.",
    ),
    cfg.StrOpt("exec", default="openFPGALoader", help="The program: full path, or name."),
    cfg.IntOpt("timeout", default=10, min=1, help="Seconds that a detection may take."),
    cfg.StrOpt("usb", default="/sys/bus/usb/devices", help="Where the kernel lists USB devices."),
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
        help="Places in the JTAG chain (--index-chain), a region each; one region if empty.",
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
        help="What a bitfile is. (An svf can do more than program a part, so it is none of them.)",
    ),
    cfg.StrOpt(
        "clear",
        default="blank",
        choices=["blank", "reset"],
        help="""
How a region is erased: `blank` loads the bitfile of `blank`; `reset` has the part load what its
flash holds, which must be nothing of a tenant's, and only erases parts that do so.
""",
    ),
    cfg.StrOpt("blank", help="Path of a bitfile that holds no function, of the same file_type."),
    settings.nodes_option("{index} stands for the number of the region."),
]


class OpenFpgaLoaderDriver(hardware.HardwareDriver):
    """Boards that openFPGALoader knows."""

    def __init__(self, name: str, conf: cfg.ConfigOpts) -> None:
        super().__init__(name, conf)
        self._options = settings.register(conf, GROUP, OPTIONS)
        self.cards = settings.cards(conf, GROUP, self._options.cards, CARD_OPTIONS)
        self._nodes = {card: _check(card, told) for card, told in self.cards.items()}

    def slots_of(self, card: str) -> list[Slot]:
        """A region for each place in the chain, if the board is on USB.

        The part itself is not asked: that takes a second, and every command discovers.
        """
        options = self.card(card)
        programs.find(self._options.exec)
        self._see_that_it_is_plugged_in(options)
        kinds = frozenset(node.kind for node in self._nodes[card])
        count = len(options.chain) or 1
        return [self.slot(card, index, options, kinds=kinds) for index in range(count)]

    def suffix(self, region: Region) -> str:
        """That of the card's type of bitfile; openFPGALoader goes by it."""
        return f".{self.card(region.slot.device).file_type}"

    def put(self, job: hardware.Job, bitfile: pathlib.Path, package: Package) -> str:
        """Load the bitfile into the part's memory, once the part is seen to be the right one."""
        idcode = self._detect(job.region, job)
        self._load(job, bitfile)
        return idcode

    def wipe(self, job: hardware.Job, record: records.Record | None) -> None:
        """Load the blank bitfile, or have the part load its flash."""
        options = self.card(job.region.slot.device)
        self._detect(job.region, job)
        if options.clear == "blank":
            self._load(job, pathlib.Path(options.blank))
        else:
            _see_success(job.run(*self._argv(job.region), "--reset"))

    def shows(self, region: Region, record: records.Record) -> bool:
        """Whether the same part is still there; while another process works on the card, taken so.

        No part tells which bitfile it holds.
        """
        deadline = Deadline(self._options.timeout)
        try:
            with self.card_locked(region.slot.device, Deadline(0)) as lock:
                job = hardware.Job(region, deadline, lock)
                return self._detect(region, job) == record.sign
        except locks.NotLocked:
            return True

    def host_nodes(self, region: Region) -> list[HostNode]:
        """As configured."""
        places = {"{index}": str(region.slot.index)}
        found = self._nodes.get(region.slot.device, [])
        return [HostNode(node.kind, settings.fill(node.path, places)) for node in found]

    def _argv(self, region: Region) -> list[str]:
        options = self.card(region.slot.device)
        chosen = [
            ("--board", options.loader_board),
            ("--cable", options.cable),
            (options.serial_option, options.serial),
            ("--busdev-num", options.bus_device),
            ("--ftdi-channel", options.channel),
            ("--freq", options.frequency),
            ("--index-chain", self._place(region) if options.chain else None),
        ]
        words = [word for name, value in chosen if value is not None for word in (name, str(value))]
        return [self._options.exec, *words]

    def _place(self, region: Region) -> int:
        chain: list[int] = self.card(region.slot.device).chain
        return chain[region.slot.index] if chain else 0

    def _load(self, job: hardware.Job, bitfile: pathlib.Path) -> None:
        _see_success(job.run(*self._argv(job.region), "--write-sram", str(bitfile)))

    def _detect(self, region: Region, job: hardware.Job) -> str:
        """The JTAG id of the region's part, as openFPGALoader writes it.

        :raises programs.Failed: it is not there, or another part than configured
        """
        finished = job.run(*self._argv(region), "--detect")
        found = {}
        for index in _INDEX.finditer(finished.output):
            if idcode := _IDCODE.search(index[2]):
                found[int(index[1])] = idcode[1].lower()
        place = self._place(region)
        if place not in found:
            raise programs.Failed(f"{finished.name} detects no part at place {place} of the chain")
        wanted = self.card(region.slot.device).idcode
        if wanted and (int(wanted, 16) ^ int(found[place], 16)) & _REVISION:
            raise programs.Failed(
                f"the part at place {place} of the chain has idcode 0x{found[place]}, not {wanted}"
            )
        return found[place]

    def _see_that_it_is_plugged_in(self, options: typing.Any) -> None:
        wanted = {"serial": options.serial}
        if options.bus_device:
            bus, device = options.bus_device.split(":")
            wanted |= {"busnum": str(int(bus)), "devnum": str(int(device))}
        wanted = {name: value for name, value in wanted.items() if value}
        folder = pathlib.Path(self._options.usb)
        if wanted and not any(_is(entry, wanted) for entry in folder.glob("*")):
            told = ", ".join(f"{name} {value}" for name, value in wanted.items())
            raise programs.Failed(f"there is no USB device with {told}")


def _is(entry: pathlib.Path, wanted: dict[str, str]) -> bool:
    try:
        return all((entry / name).read_text().strip() == value for name, value in wanted.items())
    except FileNotFoundError:
        return False


def _see_success(finished: programs.Finished) -> None:
    """See that a program that ended with 0 did not tell of a failure.

    :raises programs.Failed: it did
    """
    failure = _FAILURE.search(f"{finished.output}\n{finished.errors}")
    if failure:
        raise programs.Failed(f"{finished.name}: {failure[0].strip()[-200:]}")


def _check(card: str, options: typing.Any) -> list[HostNode]:
    """See that a card's options go together; gives its nodes.

    :raises errors.NotAccessible: they do not
    """
    group = f"{GROUP}:{card}"
    if not options.loader_board and not options.cable:
        raise errors.NotAccessible(f"[{group}] needs loader_board, cable, or both")
    if options.clear == "blank" and not options.blank:
        raise errors.NotAccessible(f"[{group}] blank is not set, and clear is not 'reset'")
    if options.blank and not options.blank.endswith(f".{options.file_type}"):
        raise errors.NotAccessible(f"[{group}] blank must end in .{options.file_type} (file_type)")
    return settings.nodes(group, options.nodes)
