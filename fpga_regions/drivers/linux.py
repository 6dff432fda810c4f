# SPDX-License-Identifier: Apache-2.0
"""Regions behind the kernel's FPGA manager, programmed by device-tree overlay.

The kernel reads the bitfile as firmware of the name that the overlay gives. The overlay is the
operator's, not the package's: who writes the device tree can make the kernel do anything.
"""

import contextlib
import os
import pathlib
import typing
import uuid

from oslo_config import cfg

from fpga_nova.confined import processes
from fpga_regions import errors
from fpga_regions.drivers import hardware, overlays, records, settings
from fpga_regions.drivers.settings import HostNode
from fpga_regions.model import Loaded, Region, Slot
from fpga_regions.package.reader import Package

GROUP = "linux"
_OPERATING = "operating"
_WITHOUT_POWER = "power off"
#: What states of the FPGA manager say of why it is not operating (Documentation/ABI/testing/
#: sysfs-class-fpga-manager); any other is one that it only passes through.
_STATES = {
    "unknown": "its state cannot be determined",
    _WITHOUT_POWER: "the FPGA has no power",
    "firmware request error": "the kernel did not find the bitfile in its firmware folder",
    "parse header error": "the kernel did not understand the bitfile's header",
    "write init error": "the FPGA could not be made ready for programming",
    "write error": "the FPGA did not take the bitfile",
    "write complete error": "the FPGA did not start after programming",
}

OPTIONS: list[cfg.Opt] = [
    cfg.ListOpt(
        "cards",
        default=[],
        help="Names of the cards, one FPGA manager each; card `x` has the group `[linux:x]`.",
    ),
    cfg.StrOpt("sysfs", default="/sys", help="Where sysfs is mounted."),
    cfg.StrOpt("configfs", default="/sys/kernel/config", help="Where configfs is mounted."),
    cfg.StrOpt(
        "firmware",
        default="/lib/firmware",
        help="A folder in which the kernel looks for firmware.",
    ),
]

CARD_OPTIONS: list[cfg.Opt] = [
    *settings.target_options(),
    cfg.StrOpt("manager", default="fpga0", help="Name in /sys/class/fpga_manager."),
    cfg.ListOpt(
        "regions",
        required=True,
        default=[],
        help="Names in /sys/class/fpga_region, one for each region of the card.",
    ),
    cfg.ListOpt(
        "overlays",
        required=True,
        default=[],
        help="""
Paths of compiled overlays, one for each region in the same order. The firmware-name in it must be
fpga-nova-CARD-N.bin with the card's name and the region's number, from 0.
""",
    ),
    cfg.ListOpt(
        "blanks",
        required=True,
        default=[],
        help="Paths of bitfiles that hold no function, one for each region; erasing loads them.",
    ),
    cfg.IntOpt(
        "flags",
        min=0,
        help="""
Number to write to `flags` of the manager before programming, if the vendor's kernel has that file
(linux-xlnx: 0 full, 1 partial). If this is not set, the driver writes nothing.
""",
    ),
    settings.nodes_option("{index} stands for the number of the region."),
]


class LinuxDriver(hardware.HardwareDriver):
    """Cards that the kernel programs."""

    def __init__(self, name: str, conf: cfg.ConfigOpts) -> None:
        super().__init__(name, conf)
        options = settings.register(conf, GROUP, OPTIONS)
        self.cards = settings.cards(conf, GROUP, options.cards, CARD_OPTIONS)
        self._classes = pathlib.Path(options.sysfs) / "class"
        self._firmware = pathlib.Path(options.firmware)
        self._overlays = overlays.Overlays(pathlib.Path(options.configfs))
        self._nodes = {card: _check(card, one) for card, one in self.cards.items()}

    def slots_of(self, card: str) -> list[Slot]:
        """The regions that are configured, if the kernel has them."""
        options = self.card(card)
        self._overlays.check()
        self._state(card)
        known = {
            "kinds": frozenset(node.kind for node in self._nodes[card]),
            "address": settings.pci_address(self._manager(card, "device")),
        }
        return [
            self.slot(card, index, options, interface=self._interface(options, name), **known)
            for index, name in enumerate(options.regions)
        ]

    def put(self, job: hardware.Job, bitfile: pathlib.Path, package: Package) -> str:
        """Hand the bitfile to the kernel as firmware, and apply the region's overlay."""
        self._load(job.region, bitfile.read_bytes())
        return _name(job.region)

    def wipe(self, job: hardware.Job, record: records.Record | None) -> str:
        """Load the blank bitfile by the same overlay, and remove that."""
        blank = self.card(job.region.slot.device).blanks[job.region.slot.index]
        self._load(job.region, pathlib.Path(blank).read_bytes())
        self._overlays.remove(_name(job.region))
        return _name(job.region)

    def look(self, region: Region, record: records.Record | None) -> Loaded | None:
        """What follows from the overlay, the FPGA manager's state and the record.

        The kernel does not say which bitfile is in. Without its overlay, a function is not there
        for anyone; the region is empty if it was erased, in whichever boot: a restart loads
        nothing of a tenant's.
        """
        state, name = self._state(region.slot.device), _name(region)
        applied = self._overlays.applied(name)
        if state == _WITHOUT_POWER:
            return None
        if not applied:
            if record is None:
                raise processes.Failed(
                    "the kernel does not say what a region without overlay holds"
                )
            return None
        if state != _OPERATING:
            raise processes.Failed(_reason(state))
        if record is None or record.loaded is None:
            return Loaded(f"overlay {name}", "unknown")
        if not record.fresh:
            raise processes.Failed(
                f"something else applied the overlay {name} since the host started"
            )
        return record.loaded

    def host_nodes(self, region: Region) -> list[HostNode]:
        """As configured."""
        places = {"{index}": str(region.slot.index)}
        found = self._nodes.get(region.slot.device, [])
        return [HostNode(node.kind, settings.fill(node.path, places)) for node in found]

    def _load(self, region: Region, content: bytes) -> None:
        card, name = region.slot.device, _name(region)
        options = self.card(card)
        blob = pathlib.Path(options.overlays[region.slot.index]).read_bytes()
        if f"{name}.bin\0".encode() not in blob:
            raise processes.Failed(f"the overlay of {name} does not have firmware-name {name}.bin")
        self.forget(region)
        self._overlays.remove(name)
        if options.flags is not None:
            self._manager(card, "flags").write_text(str(options.flags))
        with self._firmware_file(f"{name}.bin", content):
            try:
                self._overlays.apply(name, blob)
            except (OSError, processes.Failed) as e:
                more = self._why_not_operating(card) or "the kernel's log has more"
                raise processes.Failed(f"the overlay {name} is refused: {e}; {more}") from e
        if why := self._why_not_operating(card):
            self._overlays.remove(name)
            raise processes.Failed(f"after programming, {why}")

    @contextlib.contextmanager
    def _firmware_file(self, name: str, content: bytes) -> typing.Iterator[None]:
        path = self._firmware / name
        path.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            with open(os.open(path, flags, 0o600), "wb") as file:  # noqa: PTH123 - a descriptor
                file.write(content)
            yield
        finally:
            path.unlink(missing_ok=True)

    def _manager(self, card: str, attribute: str) -> pathlib.Path:
        return self._classes / "fpga_manager" / str(self.card(card).manager) / attribute

    def _state(self, card: str) -> str:
        return self._manager(card, "state").read_text().strip()

    def _why_not_operating(self, card: str) -> str | None:
        state = self._state(card)
        if state == _OPERATING:
            return None
        status = self._manager(card, "status")
        more = ", ".join(status.read_text().split("\n")).strip(", ") if status.exists() else ""
        return _reason(state) + (f" ({more})" if more else "")

    def _interface(self, options: typing.Any, region: str) -> str | None:
        """The configured uuid of the shell, or else the one that the region has."""
        folder = self._classes / "fpga_region" / region
        if not folder.is_dir():
            raise processes.Failed(f"{folder} is not there")
        if options.interface:
            return str(options.interface).lower()
        try:
            return str(uuid.UUID((folder / "compat_id").read_text().strip()))
        except OSError:
            # The kernel says ENOENT, on reading, where a region has none.
            return None


def _reason(state: str) -> str:
    return f"the FPGA manager is in state '{state}': {_STATES.get(state, 'it is not done')}"


def _name(region: Region) -> str:
    return f"fpga-nova-{region.slot.device}-{region.slot.index}"


def _check(card: str, options: typing.Any) -> list[HostNode]:
    """See that the lists of a card agree; gives its nodes.

    :raises errors.NotAccessible: they do not, or one cannot be used
    """
    group = f"{GROUP}:{card}"
    for name in ("overlays", "blanks"):
        if len(options[name]) != len(options.regions):
            raise errors.NotAccessible(
                f"[{group}] {name} has {len(options[name])} entries, regions has "
                f"{len(options.regions)}"
            )
    return settings.nodes(group, options.nodes)
