# SPDX-License-Identifier: Apache-2.0
"""Interfaces of containers; the functions that the privileged process runs.

Each checks what it is given, because a nova-compute that somebody has taken over may give it
anything. They change only interfaces that they made, which a group of interfaces marks, and only
in namespaces of containers.
"""

import contextlib
import errno
import pathlib
import typing

from pyroute2 import Ethtool, IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from novadocker.network import forms, ingress, namespaces
from novadocker.network.privilege import context

#: The group (`ip link show group`) of the interfaces that are made here.
GROUP = 0x6670_6761

#: Preference of the first interface's default route, and so on: the least wins.
_METRIC = 100

#: linux/if_addr.h: Neutron gives an address once, so that nothing waits for a proof of that.
_IFA_F_NODAD = 0x02

_Route = tuple[str, str | None]


@context.entrypoint  # type: ignore[untyped-decorator]
def make(
    host: str, namespace: str, inside: str, mac: str, mtu: int, bridged: bool, userspace: bool
) -> bool:
    """Make an interface whose other end is in a container, both ends down.

    :param host: name of the host's end
    :param namespace: the engine's ``SandboxKey``
    :param inside: name of the container's end
    :param mtu: bytes
    :param bridged: whether os-vif's hybrid plug puts a bridge between the host's end and the switch
    :param userspace: whether Open vSwitch has the userspace datapath: see `ingress`
    :returns: whether it, or a device of the hybrid plug, was not there already
    :raises forms.FormError, namespaces.NamespaceError: an argument is refused
    :raises pyroute2.NetlinkError: the kernel did not make it; nothing is left
    """
    host, inside = forms.host_name(host), forms.inside_name(inside)
    mac, mtu = forms.mac(mac), forms.mtu(mtu)
    with namespaces.opened(namespace) as descriptor, IPRoute() as here:
        index = _ours(here, host)
        plug = [host.replace("tap", one) for one in ("qbr", "qvb", "qvo")] if bridged else []
        is_new = index is None or not _is_peer(descriptor, inside, mac, index)
        if is_new:
            if index is not None:
                here.link("del", index=index)
            peer = {"ifname": inside, "address": mac, "mtu": mtu, "net_ns_fd": descriptor}
            here.link("add", ifname=host, kind="veth", mtu=mtu, group=GROUP, peer=peer)
        if userspace and not bridged:
            with _removed_on_failure(here, host):
                ingress.close(host, [host])
        return is_new or not all(here.link_lookup(ifname=name) for name in plug)


@context.entrypoint  # type: ignore[untyped-decorator]
def connect(
    host: str,
    namespace: str,
    inside: str,
    addresses: typing.Sequence[str],
    routes: typing.Sequence[_Route],
    bridged: bool,
    userspace: bool,
) -> None:
    """Give an interface that `make` made its addresses and routes, and bring it up.

    :param addresses: of the container's end, each with the length of its prefix
    :param routes: destinations, each with its gateway or None where it is on the link
    :param bridged, userspace: as for `make`
    :raises forms.FormError, namespaces.NamespaceError: an argument is refused
    :raises pyroute2.NetlinkError: the kernel refuses something
    """
    host, inside = forms.host_name(host), forms.inside_name(inside)
    checked, ways = forms.addresses(addresses), forms.routes(routes)
    with namespaces.opened(namespace) as descriptor, IPRoute() as here:
        index = _ours(here, host)
        if index is None:
            raise forms.FormError(f"{host} is not there")
        namespaces.inside(descriptor, lambda: _configure(inside, checked, ways, userspace))
        if bridged:
            bridge, port = (host.replace("tap", prefix) for prefix in ("qbr", "qvo"))
            master = _index(here, bridge)
            ingress.close(host, [bridge, port] if userspace else [bridge])
            here.link("set", index=index, master=master)
        # Last of all: until then nothing that the container sends gets anywhere.
        here.link("set", index=index, state="up")


@context.entrypoint  # type: ignore[untyped-decorator]
def remove(host: str) -> None:
    """Remove an interface that `make` made, with its other end and its chains; none is as good.

    :raises forms.FormError: the name is refused
    :raises pyroute2.NetlinkError: it may still be there
    """
    host = forms.host_name(host)
    with IPRoute() as here:
        index = _ours(here, host)
        if index is not None:
            # Its end in the container may go at the same time, with the container.
            with _unless_gone():
                here.link("del", index=index)
    ingress.open_again(host)


@context.entrypoint  # type: ignore[untyped-decorator]
def ready() -> None:
    """Nothing: the first call starts the privileged process, which takes seconds."""


def _configure(
    inside: str,
    addresses: typing.Sequence[typing.Any],
    routes: typing.Sequence[_Route],
    userspace: bool,
) -> None:
    number = int(inside.removeprefix("eth"))
    if any(address.version == 6 for address in addresses):
        # The engine disables IPv6 in a container without a network of its own.
        for name in ("lo", inside):
            with pathlib.Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6").open("w") as file:
                file.write("0")
    if userspace:
        _disable_checksums(inside)
    with IPRoute() as ip:
        index = _index(ip, inside)
        ip.link("set", index=_index(ip, "lo"), state="up")
        ip.link("set", index=index, state="up")
        for address in addresses:
            nodad = {"flags": _IFA_F_NODAD} if address.version == 6 else {}
            ip.addr(
                "replace",
                index=index,
                address=str(address.ip),
                prefixlen=address.network.prefixlen,
                **nodad,
            )
        for destination, gateway in routes:
            # A gateway may be outside of the subnet, as Neutron permits it.
            way = {"gateway": gateway, "flags": ["onlink"]} if gateway else {"scope": "link"}
            ip.route("replace", dst=destination, oif=index, priority=_METRIC + number, **way)


def _disable_checksums(inside: str) -> None:
    """Have the kernel compute checksums itself: the userspace datapath passes on none that a card
    was to compute, so that ping works and TCP does not."""
    with contextlib.closing(Ethtool()) as ethtool:
        found = ethtool.get_features(inside)
        for name, feature in found.features.items():
            if name.startswith("tx-checksum") and feature.available:
                feature.enable = False
        ethtool.set_features(inside, found)


def _is_peer(descriptor: int, inside: str, mac: str, index: int) -> bool:
    """Whether the container has this end of the host's interface."""

    def look() -> bool:
        with IPRoute() as ip:
            return any(
                link.get_attr("IFLA_LINK") == index and link.get_attr("IFLA_ADDRESS") == mac
                for found in ip.link_lookup(ifname=inside)
                for link in ip.get_links(found)
            )

    return namespaces.inside(descriptor, look)


def _ours(ip: IPRoute, name: str) -> int | None:
    """The index of an interface that was made here; None if there is none of the name.

    :raises forms.FormError: somebody else made it
    """
    for index in ip.link_lookup(ifname=name):
        with _unless_gone():
            if any(link.get_attr("IFLA_GROUP") != GROUP for link in ip.get_links(index)):
                raise forms.FormError(f"{name} is an interface of somebody else's")
            return int(index)
    return None


def _index(ip: IPRoute, name: str) -> int:
    found = ip.link_lookup(ifname=name)
    if not found:
        raise forms.FormError(f"{name} is not there")
    return int(found[0])


@contextlib.contextmanager
def _unless_gone() -> typing.Iterator[None]:
    try:
        yield
    except NetlinkError as e:
        if e.code != errno.ENODEV:
            raise


@contextlib.contextmanager
def _removed_on_failure(ip: IPRoute, host: str) -> typing.Iterator[None]:
    try:
        yield
    except BaseException:
        for index in ip.link_lookup(ifname=host):
            with _unless_gone():
                ip.link("del", index=index)
        raise
