# SPDX-License-Identifier: Apache-2.0
"""Accelerator cards on PCIe that Intel's OPAE tools program by partial reconfiguration.

Written after the manuals and the sources of fpgainfo, fpgaconf and packager in releases 1.0 to 2.14
of the OPAE SDK, and after the kernel's Documentation/fpga/dfl.rst.
"""

import contextlib
import json
import logging
import pathlib
import re
import struct
import uuid

from oslo_config import cfg

from fpga_nova.confined import processes
from fpga_nova.deadline import Deadline
from fpga_regions import errors
from fpga_regions.drivers import hardware, records, settings
from fpga_regions.drivers.settings import HostNode
from fpga_regions.model import Loaded, Region, Slot
from fpga_regions.package.reader import Package

_LOG = logging.getLogger(__name__)

GROUP = "opae"
#: What follows belongs to one FME, port or other part of a card.
_HEADING = re.compile(r"^\s*//\*+\s*([^*\n]+?)\s*\*+//\s*$", re.MULTILINE)
_LINE = re.compile(r"^\s*(\S.*?)\s*:\s+(\S.*?)\s*$", re.MULTILINE)
#: The names of a field in the releases of fpgainfo, newest first, in small letters.
_INTERFACE = ("pr interface id",)
_ACCELERATOR = ("accelerator guid", "accelerator id", "afu id")
_ADDRESS = ("pcie s:b:d.f", "pcie s:b:d:f")
#: Some releases of 1.1 to 1.4 write a colon before the function.
_WRITTEN_ADDRESS = re.compile(r"([0-9a-f]{4}):([0-9a-f]{2}):([0-9a-f]{2})[.:]([0-7])")
#: Releases print zeros in place of an uuid that they could not read.
_UNREAD = uuid.UUID(int=0)
#: 1.0 gives the numbers one by one, in hexadecimal, and knows no segments.
_NUMBERS = ("bus", "device", "function")
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
    cfg.StrOpt("dev", default="/dev", help="Folder of the nodes of ports."),
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
        self._accelerators: dict[str, str] = {}

    def card_names(self) -> list[str]:
        """Those that are configured; all are looked up at once."""
        processes.find(self._options.fpgaconf)
        self._interfaces = self._look("fme", _INTERFACE)
        self._accelerators = self._look("port", _ACCELERATOR)
        return list(self.cards)

    def slots_of(self, card: str) -> list[Slot]:
        """The one region of a card that fpgainfo lists, and whose content it can show."""
        options = self.card(card)
        interface = self._interfaces.get(options.address)
        if interface is None:
            raise processes.Failed(f"fpgainfo shows no card at {options.address}")
        if options.interface and uuid.UUID(options.interface) != uuid.UUID(interface):
            raise processes.Failed(f"it has the interface {interface}, not {options.interface}")
        self._see_that_the_port_shows(options.address)
        kinds = frozenset({"char"})
        vendor = options.vendor or settings.pci_vendor(self._options.sysfs, options.address)
        known = {"vendor": vendor, "address": options.address}
        return [self.slot(card, 0, options, interface=interface, kinds=kinds, **known)]

    def suffix(self, region: Region) -> str:
        """That of OPAE's bitfiles."""
        return ".gbs"

    def put(self, job: hardware.Job, bitfile: pathlib.Path, package: Package) -> str:
        """Load the bitfile, and see that the port shows the accelerator that it describes."""
        try:
            interface, accelerator = describe(package.bitfile)
        except ValueError as e:
            raise errors.BadPackage(f"the bitfile is not a GBS: {e}") from e
        if interface != job.region.slot.interface:
            raise errors.NoMatchingHardware(
                f"the bitfile is for the interface {interface}, the card has "
                f"{job.region.slot.interface}"
            )
        if accelerator == self._blank(job.region.slot.device)[1]:
            # Loaded, it would look erased.
            raise errors.BadPackage(f"the bitfile has the uuid of the blank one, {accelerator}")
        self._load(job, bitfile, accelerator)
        return accelerator

    def wipe(self, job: hardware.Job, record: records.Record | None) -> str:
        """Load the blank bitfile, and see that the port shows it."""
        path, accelerator = self._blank(job.region.slot.device)
        self._load(job, path, accelerator)
        return accelerator

    def look(self, region: Region, record: records.Record | None) -> Loaded | None:
        """What the port shows: the blank bitfile, what is on record, or what nobody put there.

        The uuid of an accelerator is all that a card ever shows, so it counts after a restart of
        the host, too. A card that was just switched on shows what its flash holds.
        """
        card = region.slot.device
        accelerator = self._accelerator(card)
        if accelerator == self._blank(card)[1]:
            return None
        if record is not None and record.loaded is not None and record.sign == accelerator:
            return record.loaded
        return Loaded(f"accelerator {accelerator}", "unknown")

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
        self.forget(job.region)
        job.run(self._options.fpgaconf, *chosen, str(bitfile))
        actual = self._accelerator(card)
        if actual != accelerator:
            raise processes.Failed(
                f"after programming, the port shows the accelerator {actual}, not {accelerator}"
            )

    def _blank(self, card: str) -> tuple[pathlib.Path, str]:
        """The blank bitfile of a card, and the accelerator that the port shows of it."""
        path = pathlib.Path(self.card(card).blank)
        return path, describe(path.read_bytes())[1]

    def _accelerator(self, card: str) -> str:
        address = self.card(card).address
        accelerator = self._look("port", _ACCELERATOR).get(address)
        if accelerator is None:
            raise processes.Failed(f"fpgainfo shows no accelerator at {address}")
        return accelerator

    def _see_that_the_port_shows(self, address: str) -> None:
        """See that a card's accelerator is not shown at another function of the card only.

        Cards with the Open FPGA Stack have theirs behind virtual functions. Whatever is loaded into
        such a card, its own function never shows it.
        """
        card = address.rpartition(".")[0]
        others = [one for one in self._accelerators if one.rpartition(".")[0] == card]
        if others and address not in others:
            raise processes.Failed(
                f"fpgainfo shows accelerators at {', '.join(sorted(others))}, and none at {address}"
                ": what is programmed could not be verified"
            )

    def _look(self, what: str, names: tuple[str, ...]) -> dict[str, str]:
        """An uuid of each card that fpgainfo shows, by the card's PCIe address."""
        finished = processes.run([self._options.fpgainfo, what], Deadline(self._options.timeout))
        if finished.status != 0:
            raise processes.Failed(finished.complaint)
        found: dict[str, str] = {}
        # What is before the first heading is the board controller's.
        parts = _HEADING.split(finished.output)[1:]
        for heading, text in zip(parts[::2], parts[1::2], strict=True):
            if heading.lower() != what:
                continue
            fields = {line[1].lower(): line[2].lower() for line in _LINE.finditer(text)}
            address = _address(fields)
            value = next((fields[name] for name in names if name in fields), None)
            if address is None:
                _LOG.warning("driver %s: fpgainfo shows a %s without an address", self.name, what)
            elif value is not None and address not in found:
                self._take(found, address, value)
        return found

    def _take(self, found: dict[str, str], address: str, value: str) -> None:
        """Note a value that is an uuid; another one must not hide what else fpgainfo shows."""
        with contextlib.suppress(ValueError):
            if (number := uuid.UUID(value)) != _UNREAD:
                found[address] = str(number)
                return
        _LOG.warning("driver %s: fpgainfo shows %.80r at %s", self.name, value, address)


def _address(fields: dict[str, str]) -> str | None:
    """Where on PCIe a card is, as the kernel writes it."""
    written = next((fields[name] for name in _ADDRESS if name in fields), None)
    if written is not None:
        found = _WRITTEN_ADDRESS.fullmatch(written)
        return f"{found[1]}:{found[2]}:{found[3]}.{found[4]}" if found else None
    try:
        bus, device, function = (int(fields[name], 16) for name in _NUMBERS)
    except (KeyError, ValueError):
        return None
    return f"0000:{bus:02x}:{device:02x}.{function:x}"


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
