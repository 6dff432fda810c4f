# SPDX-License-Identifier: Apache-2.0
"""The hosts' networks: bridges in a network namespace of their own, and a cable to each host.

The machine has one interface in the first, and neither forwards packets nor filters them for the
hosts. Nothing but hosts is on the second, where they have no addresses.
"""

import collections.abc
import contextlib
import dataclasses
import errno
import ipaddress
import os
import pathlib
import subprocess

import pyroute2
from pyroute2 import netns

from local_hosts.model import Host, LocalHostsError, Network, key_of, mac

BRIDGE, SECOND, TAP = "bridge", "second", "tap0"
_MACHINE = "machine"
_MOUNTS = pathlib.Path("/proc/self/mountinfo")


class Wires:
    """The network of the hosts of one folder.

    :param folder: the namespace is mounted in it, and the machine's interface has its key
    """

    def __init__(self, folder: pathlib.Path, network: Network) -> None:
        self._folder, self._network = folder, network
        self.interface = f"fpgahosts{key_of(folder)}"
        # Not in /run/netns: the folder of its own is a mount that goes with it.
        self.namespace = folder / "run/netns/bridge"

    def exists(self) -> bool:
        """Whether the namespace is there; a file alone is what a killed command leaves."""
        return _is_mounted(self.namespace)

    def make(self) -> bool:
        """Make the namespace, the bridge in it, and the machine's interface, as far as need be.

        :returns: whether anything was missing
        :raises LocalHostsError: the machine has another way to the subnet
        """
        changed = False
        if not self.exists():
            self._check_routes()
            self.namespace.unlink(missing_ok=True)
            self.namespace.parent.mkdir(parents=True, exist_ok=True)
            netns.create(str(self.namespace))
            changed = True
        with _inside(self.namespace) as inside:
            for bridge in (BRIDGE, SECOND):
                if not _index(inside, bridge):
                    inside.link("add", ifname=bridge, kind="bridge")
                    changed = True
                _up(inside, bridge)
            _up(inside, "lo")
            if not _index(inside, _MACHINE):
                self._make_interface(inside)
                changed = True
            _enslave(inside, _MACHINE, BRIDGE)
        with pyroute2.IPRoute() as machine:
            _address(machine, self.interface, self._network.machine, self._network)
            _up(machine, self.interface)
        return changed

    def _make_interface(self, inside: pyroute2.NetNS) -> None:
        with pyroute2.IPRoute() as machine, _descriptor(self.namespace) as descriptor:
            _delete(machine, self.interface)
            peer = {"ifname": _MACHINE, "net_ns_fd": descriptor}
            machine.link("add", ifname=self.interface, kind="veth", peer=peer)

    def _check_routes(self) -> None:
        """:raises LocalHostsError: an address of the machine or a route overlaps the subnet."""
        with pyroute2.IPRoute() as machine:
            for route in machine.get_routes(family=2):
                target = route.get_attr("RTA_DST")
                if target is None or self._own(machine, route.get_attr("RTA_OIF")):
                    continue
                found = ipaddress.IPv4Network(f"{target}/{route['dst_len']}", strict=False)
                if found.overlaps(self._network.subnet):
                    raise LocalHostsError(
                        f"this machine has a route to {found}, which overlaps "
                        f"{self._network.subnet}: give another --subnet"
                    )

    def _own(self, machine: pyroute2.IPRoute, index: int | None) -> bool:
        return index is not None and index == _index(machine, self.interface)

    def connect_uplink(self) -> None:
        """Connect what slirp4netns made to the bridge.

        It would take any frame for its own. A frame for a host that is cut off must not reach it:
        it would connect to that host from the machine, over this bridge, again and again.
        """
        with _inside(self.namespace) as inside:
            _enslave(inside, TAP, BRIDGE)
            index = _index(inside, TAP)
            inside.brport("set", index=index, unicast_flood=0)
            for address in (self._network.router, self._network.nameserver):
                with _ignored(errno.EEXIST):
                    inside.fdb("add", ifindex=index, lladdr=_slirp_mac(address))

    def plug(self, host: Host, sandbox: pathlib.Path) -> bool:
        """Give a host eth0 with its address, and eth1, as far as it has them not.

        :param sandbox: the host's network namespace
        :returns: whether any was missing
        """
        is_new = False
        with _inside(self.namespace) as inside, _inside(sandbox) as within:
            for cable in _cables(host):
                if not _index(within, cable.interface):
                    _delete(inside, cable.name)
                    self._make(cable, host, sandbox)
                    is_new = True
                _enslave(inside, cable.name, cable.bridge, is_up=not host.is_cut)
                _up(within, cable.interface)
            # Last comes what the host waits for before its services start.
            _address(within, "eth0", host.address, self._network)
            with _ignored(errno.EEXIST):
                within.route("add", dst="default", gateway=self._network.router)
        return is_new

    def _make(self, cable: "_Cable", host: Host, sandbox: pathlib.Path) -> None:
        with (
            pyroute2.IPRoute() as machine,
            _descriptor(self.namespace) as here,
            _descriptor(sandbox) as there,
        ):
            address = mac(self._folder, host.number, cable.interface)
            peer = {"ifname": cable.interface, "net_ns_fd": there, "address": address}
            machine.link("add", ifname=cable.name, kind="veth", net_ns_fd=here, peer=peer)

    def set_cable(self, host: Host) -> None:
        """Put a host's cables in or, if it is cut, take them out; without power it has none."""
        with _inside(self.namespace) as inside:
            for cable in _cables(host):
                if index := _index(inside, cable.name):
                    inside.link("set", index=index, state="down" if host.is_cut else "up")

    def is_joined(self, host: Host) -> bool:
        """Whether a host's cable leads to the bridge."""
        if not self.exists():
            return False
        with _inside(self.namespace) as inside:
            return any(link["state"] == "up" for link in inside.get_links(ifname=host.container))

    def remove(self) -> None:
        """Remove the namespace with all that is in it, and the machine's interface."""
        with pyroute2.IPRoute() as machine:
            _delete(machine, self.interface)
        if self.exists():
            netns.remove(str(self.namespace))
        if _is_mounted(self.namespace.parent):
            subprocess.run(["umount", str(self.namespace.parent)], check=True)


@dataclasses.dataclass(frozen=True)
class _Cable:
    """A cable of a host.

    :ivar name: of its end at the bridge
    :ivar interface: the host's end
    """

    name: str
    interface: str
    bridge: str


def _cables(host: Host) -> tuple[_Cable, ...]:
    """eth1 comes first: a host waits for eth0, and may look for the other then."""
    return (
        _Cable(f"{host.container}-1", "eth1", SECOND),
        _Cable(host.container, "eth0", BRIDGE),
    )


def _slirp_mac(address: str) -> str:
    """The MAC address of an address of slirp4netns (libslirp: 52:55, and the four bytes)."""
    return ":".join(["52", "55", *(f"{int(byte):02x}" for byte in address.split("."))])


def _is_mounted(path: pathlib.Path) -> bool:
    return any(line.split()[4] == str(path) for line in _MOUNTS.read_text().splitlines())


def _inside(namespace: pathlib.Path) -> pyroute2.NetNS:
    return pyroute2.NetNS(str(namespace), flags=0)


@contextlib.contextmanager
def _descriptor(path: pathlib.Path) -> collections.abc.Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _ignored(*codes: int) -> collections.abc.Iterator[None]:
    try:
        yield
    except pyroute2.NetlinkError as e:
        if e.code not in codes:
            raise


def _index(net: pyroute2.IPRoute, name: str) -> int | None:
    found = net.link_lookup(ifname=name)
    return int(found[0]) if found else None


def _up(net: pyroute2.IPRoute, name: str) -> None:
    net.link("set", index=_index(net, name), state="up")


def _enslave(net: pyroute2.IPRoute, name: str, bridge: str, is_up: bool = True) -> None:
    state = "up" if is_up else "down"
    net.link("set", index=_index(net, name), master=_index(net, bridge), state=state)


def _address(net: pyroute2.IPRoute, name: str, address: str, network: Network) -> None:
    with _ignored(errno.EEXIST):
        net.addr(
            "add", index=_index(net, name), address=address, prefixlen=network.subnet.prefixlen
        )


def _delete(net: pyroute2.IPRoute, name: str) -> None:
    if index := _index(net, name):
        with _ignored(errno.ENODEV):
            net.link("del", index=index)
