# SPDX-License-Identifier: Apache-2.0
"""Accelerator cards on PCIe that AMD's (Xilinx's) XRT programs with xclbin files.

Written after the manual of xbutil in the XRT documentation, the sources of its reports in releases
2021.1 to 2025.2, and the definition of xclbin files.
"""

import contextlib
import json
import pathlib
import struct
import tempfile
import typing
import uuid

from oslo_config import cfg

from fpga_nova.confined import processes
from fpga_nova.deadline import Deadline
from fpga_regions import errors
from fpga_regions.drivers import hardware, records, settings
from fpga_regions.drivers.settings import HostNode
from fpga_regions.model import Loaded, Region, Slot
from fpga_regions.package.reader import Package
from fpga_regions.system import folders

GROUP = "xrt"
_NOTHING = str(uuid.UUID(int=0))
_MAX_REPORT = 1024 * 1024
#: Where in an xclbin are its magic word, its length and its uuid (struct axlf of xclbin.h).
_MAGIC = b"xclbin2\0"
_LENGTH, _LENGTH_AT = struct.Struct("<Q"), 304
_UUID_AT = 416
_HEADER_END = 432

OPTIONS: list[cfg.Opt] = [
    cfg.ListOpt("cards", default=[], help="Names of the cards; card `x` has the group `[xrt:x]`."),
    cfg.StrOpt(
        "xbutil", default="/opt/xilinx/xrt/bin/xbutil", help="The program: full path, or name."
    ),
    cfg.IntOpt("timeout", default=30, min=1, help="Seconds that a report of xbutil may take."),
    cfg.StrOpt("sysfs", default="/sys", help="Where sysfs is mounted."),
    cfg.StrOpt("dev", default="/dev", help="Folder whose subfolder dri has the nodes of cards."),
]

CARD_OPTIONS: list[cfg.Opt] = [
    *settings.target_options(),
    settings.address_option("the card's user function"),
    cfg.StrOpt(
        "clear",
        default="blank",
        choices=["blank", "reset"],
        help="How a region is erased: `blank` loads the xclbin `blank`, `reset` resets the card.",
    ),
    cfg.StrOpt("blank", help="Path of an xclbin for the card that holds no function."),
]


class XrtDriver(hardware.HardwareDriver):
    """Cards with one dynamic region each."""

    def __init__(self, name: str, conf: cfg.ConfigOpts) -> None:
        super().__init__(name, conf)
        self._options = settings.register(conf, GROUP, OPTIONS)
        self.cards = settings.cards(conf, GROUP, self._options.cards, CARD_OPTIONS)
        self._reports: dict[str, dict[str, typing.Any]] = {}
        for card, options in self.cards.items():
            if options.clear == "blank" and not options.blank:
                raise errors.NotAccessible(
                    f"[{GROUP}:{card}] blank is not set, and clear is not 'reset'"
                )

    def card_names(self) -> list[str]:
        """Those that are configured; XRT is asked once for all."""
        report = self._report(Deadline(self._options.timeout), "--report", "host")
        devices = [one for one in _walk(report) if "bdf" in one]
        self._reports = {str(one["bdf"]).lower(): one for one in devices}
        return list(self.cards)

    def slots_of(self, card: str) -> list[Slot]:
        """The one region of a card that XRT lists and that is ready."""
        options = self.card(card)
        report = self._reports.get(options.address)
        if report is None:
            raise processes.Failed(f"xbutil shows no card at {options.address}")
        if str(report.get("is_ready", "true")).lower() != "true":
            raise processes.Failed(f"xbutil says that the card at {options.address} is not ready")
        interface = _uuid(options.interface) or _uuid(report.get("id"))
        kinds = frozenset({"char"})
        vendor = options.vendor or settings.pci_vendor(self._options.sysfs, options.address)
        known = {"vendor": vendor, "address": options.address}
        return [self.slot(card, 0, options, interface=interface, kinds=kinds, **known)]

    def suffix(self, region: Region) -> str:
        """That of XRT's bitfiles."""
        return ".xclbin"

    def put(self, job: hardware.Job, bitfile: pathlib.Path, package: Package) -> str:
        """Load the xclbin, and see that the card shows its uuid."""
        try:
            identity = describe(package.bitfile)
        except ValueError as e:
            raise errors.BadPackage(f"the bitfile is not an xclbin: {e}") from e
        if identity in (_NOTHING, self._blank(job.region.slot.device)):
            # Loaded, it would look erased.
            raise errors.BadPackage(f"the bitfile has the uuid of an erased region, {identity}")
        self._load(job, bitfile, identity)
        return identity

    def wipe(self, job: hardware.Job, record: records.Record | None) -> str:
        """Load the blank xclbin, or reset the card; see that the card shows that, or none."""
        card = job.region.slot.device
        options = self.card(card)
        if blank := self._blank(card):
            self._load(job, pathlib.Path(options.blank), blank)
            return blank
        self.forget(job.region)
        job.run(self._options.xbutil, "--force", "reset", "--device", options.address)
        identities = self._loaded(card, job.deadline)
        if identities:
            raise processes.Failed(f"after the reset, the card still shows {', '.join(identities)}")
        return _NOTHING

    def look(self, region: Region, record: records.Record | None) -> Loaded | None:
        """What the card shows: nothing, the blank xclbin, what is on record, or another one.

        Each build of an xclbin has an uuid of its own, so it counts after a restart of the host,
        too.
        """
        card = region.slot.device
        identities, blank = self._loaded(card, Deadline(self._options.timeout)), self._blank(card)
        if not identities or identities == [blank]:
            return None
        known = {blank}
        if record is not None and record.loaded is not None:
            if identities == [record.sign]:
                return record.loaded
            known.add(record.sign)
        strange = [one for one in identities if one not in known]
        return Loaded(f"xclbin {', '.join(strange or identities)}", "unknown")

    def host_nodes(self, region: Region) -> list[HostNode]:
        """The render node, as the kernel names it."""
        address = self.card(region.slot.device).address
        folder = pathlib.Path(self._options.sysfs) / "bus/pci/devices" / address / "drm"
        found = sorted(folder.glob("renderD*"))
        return [HostNode("char", f"{self._options.dev}/dri/{node.name}") for node in found[:1]]

    def _load(self, job: hardware.Job, bitfile: pathlib.Path, expected: str) -> None:
        card = job.region.slot.device
        address = self.card(card).address
        self.forget(job.region)
        job.run(self._options.xbutil, "program", "--device", address, "--user", str(bitfile))
        identities = self._loaded(card, job.deadline)
        if identities != [expected]:
            raise processes.Failed(
                f"after programming, the card shows {', '.join(identities) or 'no xclbin'}, "
                f"not {expected}"
            )

    def _blank(self, card: str) -> str | None:
        """The uuid of a card's blank xclbin; None for a card that is reset instead."""
        options = self.card(card)
        if options.clear != "blank":
            return None
        return describe(pathlib.Path(options.blank).read_bytes())

    def _loaded(self, card: str, deadline: Deadline) -> list[str]:
        """The uuids of what is loaded; none if the card shows that nothing is.

        :raises processes.Failed: it does not show what is loaded
        """
        address = self.card(card).address
        report = self._report(deadline, "--device", address, "--report", "dynamic-regions")
        objects = list(_walk(report))
        texts = [str(one["xclbin_uuid"]) for one in objects if one.get("xclbin_uuid")]
        if not texts:
            self._see_that_nothing_is_loaded(address, objects)
        found = {_uuid(text) or _unreadable(text) for text in texts}
        return sorted(found - {_NOTHING})

    def _see_that_nothing_is_loaded(
        self, address: str, objects: list[dict[str, typing.Any]]
    ) -> None:
        """See in sysfs that a report without an uuid means that nothing is loaded.

        Releases leave the uuid out, or empty, as well where they could not find it out.
        """
        for one in objects:
            if one.get("error_msg"):
                raise processes.Failed(f"xbutil reports: {one['error_msg']!s:.200}")
        file = pathlib.Path(self._options.sysfs) / "bus/pci/devices" / address / "xclbinuuid"
        words = file.read_text().split()
        loaded = {found for word in words if (found := _uuid(word))} - {_NOTHING}
        if loaded:
            raise processes.Failed(
                f"xbutil reports no xclbin, and the kernel has {', '.join(sorted(loaded))}"
            )

    def _report(self, deadline: Deadline, *arguments: str) -> typing.Any:
        """A report of xbutil, which it writes to a file that must not be there yet."""
        folders.make_private(self._folder.parent)
        folders.make_private(self._folder)
        with tempfile.TemporaryDirectory(dir=self._folder, prefix="report-") as folder:
            file = pathlib.Path(folder) / "report.json"
            finished = processes.run(
                [
                    *(self._options.xbutil, "examine", *arguments),
                    *("--format", "JSON", "--output", str(file)),
                ],
                deadline,
            )
            if finished.status != 0:
                raise processes.Failed(finished.complaint)
            with contextlib.suppress(FileNotFoundError, RecursionError), file.open("rb") as text:
                return json.loads(text.read(_MAX_REPORT))
        raise processes.Failed(f"{finished.name} wrote no report")


def describe(bitfile: bytes) -> str:
    """The uuid of an xclbin.

    :raises ValueError: it is none
    """
    if len(bitfile) < _HEADER_END or not bitfile.startswith(_MAGIC):
        raise ValueError("it does not begin as one")
    (length,) = _LENGTH.unpack_from(bitfile, _LENGTH_AT)
    if length != len(bitfile):
        raise ValueError(f"it says that it has {length} bytes, and has {len(bitfile)}")
    return str(uuid.UUID(bytes=bitfile[_UUID_AT:_HEADER_END]))


def _walk(report: typing.Any) -> typing.Iterator[dict[str, typing.Any]]:
    """All objects in a report: releases of XRT nest them differently."""
    stack = [report]
    while stack:
        one = stack.pop()
        if isinstance(one, dict):
            yield one
            stack += one.values()
        elif isinstance(one, list):
            stack += one


def _unreadable(text: str) -> typing.NoReturn:
    raise processes.Failed(f"xbutil reports the uuid {text!r:.80}")


def _uuid(text: typing.Any) -> str | None:
    try:
        return str(uuid.UUID(text))
    except (ValueError, TypeError, AttributeError):
        return None
