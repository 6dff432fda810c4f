# SPDX-License-Identifier: Apache-2.0
"""Accelerator cards on PCIe that Intel's OPAE tools program by partial reconfiguration.

Written after the manuals of fpgainfo, fpgaconf and packager in the OPAE SDK, and after the kernel's
Documentation/fpga/dfl.rst.
"""

import json
import pathlib
import re
import struct
import uuid

from oslo_config import cfg

from fpga_regions import errors, programs
from fpga_regions.drivers import hardware, records, settings
from fpga_regions.drivers.settings import HostNode
from fpga_regions.locks import Deadline
from fpga_regions.model import Loaded, Region, Slot
from fpga_regions.packages import Package

GROUP = "opae"
_HEADING = re.compile(r"^//\*+ (\w+) \*+//\s*$", re.MULTILINE)
_LINE = re.compile(r"^(\S.*?)\s+:\s+(\S.*?)\s*$", re.MULTILINE)
_INTERFACE = ("pr interface id",)
#: Releases of fpgainfo differ in the word.
_ACCELERATOR = ("accelerator guid", "accelerator id", "afu id")
#: A bitfile (GBS) begins with this, the length of the description, and the description as JSON.
_MAGIC = uuid.UUID("58656f6e-4650-4741-b747-425376303031").bytes
_LENGTH = struct.Struct("<I")
_MAX_DESCRIPTION = 65536

OPTIONS: list[cfg.Opt] = [
    cfg.ListOpt("cards", default=[], help="Names of the cards; card `x` has the group `[opae:x]`."),
    cfg.StrOpt("fpgainfo", default="fpgainfo", help="The program: full path, or name."),
    cfg.StrOpt("fpgaconf", default="fpgaconf", help="The program: full path, or name."),
    cfg.IntOpt("timeout", default=10, min=1, help="Seconds that fpgainfo may take."),
    cfg.StrOpt("sysfs", default="/sys", help="Where sysfs is mounted."),
    cfg.StrOpt("dev", default="/dev", help="Where the nodes of ports are."),
]

CARD_OPTIONS: list[cfg.Opt] = [
    *settings.target_options(),
    settings.address_option("the card"),
    cfg.StrOpt(
        "blank",
        required=True,
        help="Path of a bitfile for the card that holds no function; erasing loads it.",
    ),
]


class OpaeDriver(hardware.HardwareDriver):
    """Cards with one port each: fpgaconf programs no other than the first."""

    def __init__(self, name: str, conf: cfg.ConfigOpts) -> None:
        super().__init__(name, conf)
        self._options = settings.register(conf, GROUP, OPTIONS)
        self.cards = settings.cards(conf, GROUP, self._options.cards, CARD_OPTIONS)
        self._interfaces: dict[str, str] = {}

    def card_names(self) -> list[str]:
        """Those that are configured; the interfaces of all are looked up at once."""
        programs.find(self._options.fpgaconf)
        self._interfaces = self._look("fme", _INTERFACE)
        return list(self.cards)

    def slots_of(self, card: str) -> list[Slot]:
        """The one region of a card that fpgainfo lists."""
        options = self.card(card)
        interface = self._interfaces.get(options.address)
        if interface is None:
            raise programs.Failed(f"fpgainfo shows no card at {options.address}")
        if options.interface and uuid.UUID(options.interface) != uuid.UUID(interface):
            raise programs.Failed(f"it has the interface {interface}, not {options.interface}")
        kinds = frozenset({"char"})
        vendor = options.vendor or settings.pci_vendor(self._options.sysfs, options.address)
        return [self.slot(card, 0, options, interface=interface, kinds=kinds, vendor=vendor)]

    def suffix(self, region: Region) -> str:
        """That of OPAE's bitfiles."""
        return ".gbs"

    def put(self, job: hardware.Job, bitfile: pathlib.Path, package: Package) -> str:
        """Load the bitfile, and see that the port shows the accelerator that it describes."""
        try:
            interface, accelerator = describe(package.bitfile)
        except ValueError as e:
            raise errors.BadPackage(f"the bitfile is no GBS: {e}") from e
        if interface != job.region.slot.interface:
            raise errors.NoMatchingHardware(
                f"the bitfile is for the interface {interface}, the card has "
                f"{job.region.slot.interface}"
            )
        self._load(job, bitfile, accelerator)
        return accelerator

    def wipe(self, job: hardware.Job, record: records.Record | None) -> None:
        """Load the blank bitfile, and see that the port shows it."""
        blank = pathlib.Path(self.card(job.region.slot.device).blank)
        _, accelerator = describe(blank.read_bytes())
        self._load(job, blank, accelerator)

    def shows(self, region: Region, record: records.Record) -> bool:
        """Whether the port shows the accelerator's uuid."""
        return self._accelerator(region.slot.device) == record.sign

    def stranger(self, region: Region, record: records.Record | None) -> Loaded | None:
        """An accelerator that the port shows and that nobody put there, not the blank one either.

        A card that was just switched on shows what its flash holds.
        """
        shown = self._accelerator(region.slot.device)
        blank = pathlib.Path(self.card(region.slot.device).blank)
        known = [describe(blank.read_bytes())[1], record.sign if record else None]
        return None if shown in (None, *known) else Loaded(f"accelerator {shown}", "unknown")

    def host_nodes(self, region: Region) -> list[HostNode]:
        """The port's node, as the kernel names it."""
        address = self.card(region.slot.device).address
        folder = pathlib.Path(self._options.sysfs) / "bus/pci/devices" / address
        ports = sorted(folder.glob("fpga_region/region*/dfl-port.*"))
        return [HostNode("char", f"{self._options.dev}/{port.name}") for port in ports[:1]]

    def _load(self, job: hardware.Job, bitfile: pathlib.Path, accelerator: str) -> None:
        card = job.region.slot.device
        numbers = re.split("[:.]", self.card(card).address)
        names = ("--segment", "--bus", "--device", "--function")
        chosen = [
            word
            for name, number in zip(names, numbers, strict=True)
            for word in (name, f"0x{number}")
        ]
        job.run(self._options.fpgaconf, *chosen, str(bitfile))
        shown = self._accelerator(card)
        if shown != accelerator:
            raise programs.Failed(
                f"after programming, the port shows the accelerator {shown}, not {accelerator}"
            )

    def _accelerator(self, card: str) -> str | None:
        return self._look("port", _ACCELERATOR).get(self.card(card).address)

    def _look(self, what: str, names: tuple[str, ...]) -> dict[str, str]:
        """An uuid of each card that fpgainfo shows, by the card's PCIe address."""
        finished = programs.run([self._options.fpgainfo, what], Deadline(self._options.timeout))
        if finished.status != 0:
            raise programs.Failed(finished.complaint)
        found: dict[str, str] = {}
        # What is before the first heading tells of the board's controller.
        parts = _HEADING.split(finished.output)[1:]
        for heading, text in zip(parts[::2], parts[1::2], strict=True):
            told = {line[1].lower(): line[2].lower() for line in _LINE.finditer(text)}
            value = next((told[name] for name in names if name in told), None)
            address = told.get("pcie s:b:d.f")
            if heading.lower() == what and address and value and address not in found:
                found[address] = str(uuid.UUID(value))
        return found


def describe(bitfile: bytes) -> tuple[str, str]:
    """The interface and the accelerator that a bitfile says it is for and of.

    :raises ValueError: it does not say
    """
    start = len(_MAGIC) + _LENGTH.size
    if len(bitfile) < start or not bitfile.startswith(_MAGIC):
        raise ValueError("it does not begin as one")
    (length,) = _LENGTH.unpack_from(bitfile, len(_MAGIC))
    if length > min(_MAX_DESCRIPTION, len(bitfile) - start):
        raise ValueError("its description is cut short, or too long")
    try:
        image = json.loads(bitfile[start : start + length].decode("utf-8"))["afu-image"]
        interface = uuid.UUID(image["interface-uuid"])
        accelerator = uuid.UUID(image["accelerator-clusters"][0]["accelerator-type-uuid"])
    except (KeyError, IndexError, TypeError, AttributeError, RecursionError) as e:
        raise ValueError("its description lacks an uuid") from e
    return str(interface), str(accelerator)
