# SPDX-License-Identifier: Apache-2.0
"""Finds a board among the USB devices that the kernel lists."""

import pathlib

from fpga_nova.confined import processes

#: What the kernel gives anew to a device that is plugged in.
_PLACE = ("busnum", "devnum")


def place(folder: pathlib.Path, serial: str | None, bus_device: str | None) -> str:
    """Bus and device number of a board, the same until it is unplugged.

    :param folder: where the kernel lists USB devices
    :param serial: serial number of the board, if configured
    :param bus_device: its BUS:DEVICE, if configured
    :returns: empty if neither is configured: then nobody knows which device it is
    :raises processes.Failed: it is not plugged in
    """
    attributes = {"serial": serial} if serial else {}
    if bus_device:
        bus, device = bus_device.split(":")
        attributes |= {"busnum": str(int(bus)), "devnum": str(int(device))}
    if not attributes:
        return ""
    for entry in folder.glob("*"):
        if _is(entry, attributes):
            return ":".join((entry / name).read_text().strip() for name in _PLACE)
    description = ", ".join(f"{name} {value}" for name, value in attributes.items())
    raise processes.Failed(f"there is no USB device with {description}")


def _is(entry: pathlib.Path, attributes: dict[str, str]) -> bool:
    try:
        return all(
            (entry / name).read_text().strip() == value for name, value in attributes.items()
        )
    except FileNotFoundError:
        return False
