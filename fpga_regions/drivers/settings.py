# SPDX-License-Identifier: Apache-2.0
"""Reads the options of a driver, and of its cards, one group of the configuration for each card."""

import contextlib
import dataclasses
import os
import pathlib
import re
import typing

from oslo_config import cfg

from fpga_nova.contract import NODE_KINDS
from fpga_regions import errors

#: A card's name is part of file names and of a group's name.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
#: As the kernel writes the number that the PCI-SIG gave them.
_PCI_VENDORS = {"0x8086": "intel", "0x10ee": "xilinx"}
_PCIE_ADDRESS = r"^[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$"


@dataclasses.dataclass(frozen=True)
class HostNode:
    """A node of the host that belongs to a region: its kind and its path."""

    kind: str
    path: str


def register(conf: cfg.ConfigOpts, group: str, options: typing.Sequence[cfg.Opt]) -> typing.Any:
    """The values of a group; each is read, so that a wrong one is told of at once and by name.

    :raises errors.NotAccessible: a value cannot be used, or one that must be set is not
    """
    conf.register_opts(list(options), group)
    values = conf[group]
    for option in options:
        try:
            value = values[option.dest]
        except (cfg.Error, ValueError) as e:
            raise errors.NotAccessible(f"the configuration cannot be used: {e}") from e
        if option.required and value in (None, "", []):
            raise errors.NotAccessible(
                f"the configuration cannot be used: [{group}] {option.name} is not set"
            )
    return values


def cards(
    conf: cfg.ConfigOpts, group: str, names: typing.Sequence[str], options: typing.Sequence[cfg.Opt]
) -> dict[str, typing.Any]:
    """The options of each card that the operator named, by name; card `x` has group `[group:x]`.

    :raises errors.NotAccessible: as `register`; no card is named, one twice, or one badly
    """
    if not names:
        raise errors.NotAccessible(f"no card is configured: set cards in [{group}]")
    if len(set(names)) < len(names):
        raise errors.NotAccessible(f"[{group}] cards names a card twice")
    for name in names:
        if not _NAME.fullmatch(name):
            raise errors.NotAccessible(
                f"[{group}] cards: {name!r} is not a name: use letters, digits, '_', '.' and '-'"
            )
    return {name: register(conf, f"{group}:{name}", options) for name in names}


def nodes(group: str, lines: typing.Sequence[str]) -> list[HostNode]:
    """The nodes that an option lists as `kind:path`, in its order.

    :param group: the option's group, for the message
    :raises errors.NotAccessible: one is not of this form
    """
    found = []
    for one in lines:
        kind, _, path = one.partition(":")
        if kind not in NODE_KINDS or not path.startswith("/"):
            raise errors.NotAccessible(
                f"[{group}] nodes: {one!r} is not of the form KIND:/PATH with KIND one of "
                f"{', '.join(NODE_KINDS)}"
            )
        found.append(HostNode(kind, path))
    return found


def fill(word: str, places: dict[str, str]) -> str:
    """Replace the places in a word; what is put in is never looked at again."""
    pattern = "|".join(re.escape(place) for place in places)
    return re.sub(pattern, lambda found: places[found[0]], word) if pattern else word


def target_options() -> list[cfg.Opt]:
    """The options that say for which packages a card is."""
    return [
        cfg.StrOpt(
            "board",
            required=True,
            help="Name of the board; a package's manifest must have the same in target.board.",
        ),
        cfg.StrOpt(
            "part",
            required=True,
            help="Name of the part; a package's manifest must have the same in target.part.",
        ),
        interface_option(),
        vendor_option(),
    ]


def address_option(whose: str) -> cfg.Opt:
    """The option that says where on PCIe a card is.

    :param whose: what has the address, for the help text
    """
    return cfg.StrOpt(
        "address",
        required=True,
        regex=_PCIE_ADDRESS,
        help=f"PCIe address of {whose} as SSSS:BB:DD.F, in small letters.",
    )


def interface_option() -> cfg.Opt:
    """The option that names a card's shell."""
    return cfg.StrOpt(
        "interface",
        regex=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
        help="Uuid of the shell around the regions, if there is one: target.interface.",
    )


def vendor_option() -> cfg.Opt:
    """The option that names a card's maker."""
    return cfg.StrOpt(
        "vendor",
        regex=r"^[A-Za-z0-9._+-]{1,64}$",
        help="The maker of the card, for status and its readers (Placement's traits).",
    )


def pci_vendor(sysfs: str, address: str) -> str | None:
    """Who made a card on PCIe, as far as it is one of those that the drivers are for.

    :param sysfs: where sysfs is mounted
    """
    with contextlib.suppress(OSError):
        file = pathlib.Path(sysfs) / "bus/pci/devices" / address / "vendor"
        return _PCI_VENDORS.get(file.read_text().strip())
    return None


def pci_address(device: pathlib.Path) -> str | None:
    """Where on PCI a device of sysfs is, or else what it hangs on; None where neither is there.

    :param device: its folder, or a link to it
    """
    parts = reversed(pathlib.Path(os.path.realpath(device)).parts)
    return next((part for part in parts if re.fullmatch(_PCIE_ADDRESS, part)), None)


def nodes_option(more: str = "") -> cfg.Opt:
    """The option that lists the nodes of a region."""
    return cfg.ListOpt(
        "nodes",
        default=[],
        help=f"""
Nodes of the host through which the function is reached, as KIND:/PATH (`char:/dev/ttyUSB1`); KIND
is char, block, socket or pipe. The first node of a kind that a package exposes is the first of that
kind here, and so on. {more}
""".strip(),
    )
