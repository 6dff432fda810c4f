# SPDX-License-Identifier: Apache-2.0
"""What Nova says of ports, as interfaces of containers; changes nothing."""

import dataclasses
import typing

from nova import exception
from nova.network import model, os_vif_util
from os_vif import objects
from os_vif.objects import vif as os_vif_objects

from novadocker.network import forms

# Nova's conversion takes them for registered.
objects.register_all()

#: MTU of a network that Neutron gives none.
_MTU = 1500

_METADATA = "169.254.169.254/32"
_DEFAULT = {4: "0.0.0.0/0", 6: "::/0"}

_NORMAL = model.VNIC_TYPE_NORMAL


class UnservedPortError(Exception):
    """A port is of a kind that containers cannot have."""


@dataclasses.dataclass(frozen=True)
class Interface:
    """One interface of a container.

    :ivar vif: the port as os-vif plugs it
    :ivar host: name of the host's end
    :ivar mtu: bytes
    :ivar addresses: each with the length of its prefix
    :ivar routes: destinations, each with its gateway or None where it is on the link
    :ivar bridged: whether os-vif makes a bridge for the host's end (a hybrid plug)
    :ivar userspace: whether Open vSwitch has the userspace datapath
    """

    vif: os_vif_objects.VIFBase
    host: str
    mac: str
    mtu: int
    addresses: tuple[str, ...]
    routes: tuple[tuple[str, str | None], ...]
    bridged: bool
    userspace: bool


def of(vif: model.VIF) -> Interface:
    """The interface for a port.

    :raises UnservedPortError: with the reason
    """
    converted = _converted(vif)
    # A gateway is of no use where the port has no address.
    subnets = [subnet for subnet in vif["network"]["subnets"] if subnet["ips"]]
    mtu = vif["network"].get_meta("mtu") or _MTU
    profile = converted.port_profile
    try:
        interface = Interface(
            vif=converted,
            host=forms.host_name(converted.vif_name),
            mac=forms.mac(vif["address"].lower()),
            mtu=forms.mtu(mtu),
            addresses=tuple(_addresses(subnets)),
            routes=tuple(_routes(subnets)),
            bridged=isinstance(converted, os_vif_objects.VIFBridge),
            userspace="datapath_type" in profile and profile.datapath_type == "netdev",
        )
    except forms.FormError as e:
        raise UnservedPortError(f"port {vif['id']}: {e}") from e
    if mtu < forms.LEAST_MTU_OF_IPV6 and any(":" in one for one in interface.addresses):
        raise UnservedPortError(
            f"port {vif['id']} has an IPv6 address, and its network an MTU of {mtu}: "
            f"IPv6 needs {forms.LEAST_MTU_OF_IPV6}"
        )
    return interface


def name_servers(vifs: typing.Iterable[model.VIF]) -> list[str]:
    """The name servers of the subnets of ports, each once."""
    found = (server["address"] for subnet in _subnets(vifs) for server in subnet["dns"] or ())
    return list(dict.fromkeys(found))


def first_address(vifs: typing.Iterable[model.VIF]) -> str | None:
    """The first fixed address of ports."""
    found = (str(ip["address"]) for subnet in _subnets(vifs) for ip in subnet["ips"])
    return next(found, None)


def _subnets(vifs: typing.Iterable[model.VIF]) -> typing.Iterator[model.Subnet]:
    for vif in vifs:
        yield from (vif["network"] or {"subnets": ()})["subnets"]


def _converted(vif: model.VIF) -> os_vif_objects.VIFBase:
    """The port as os-vif knows it: an Open vSwitch port, or a bridge before one."""
    if vif["type"] in (model.VIF_TYPE_BINDING_FAILED, model.VIF_TYPE_UNBOUND):
        raise UnservedPortError(
            f"port {vif['id']} is not bound to this host ({vif['type']}); the log of "
            "neutron-server has the reason"
        )
    vnic_type = vif.get("vnic_type", _NORMAL)
    if vif["type"] != model.VIF_TYPE_OVS or vnic_type != _NORMAL or not vif["network"]:
        raise UnservedPortError(
            f"port {vif['id']} is of type {vif['type']}, {vnic_type}: containers have ports of "
            f"type {model.VIF_TYPE_OVS}, {_NORMAL} alone"
        )
    try:
        converted = os_vif_util.nova_to_osvif_vif(vif)
    except (exception.NovaException, ValueError, KeyError) as e:
        raise UnservedPortError(f"port {vif['id']}: {e}") from e
    profile = converted.port_profile
    # The other end of the veth is the container's; OVN asks os-vif for a tap.
    if "create_tap" in profile.fields:
        profile.create_tap = False
    return converted


def _addresses(subnets: typing.Iterable[model.Subnet]) -> typing.Iterator[str]:
    for subnet in subnets:
        length = str(subnet["cidr"]).partition("/")[2]
        for ip in subnet["ips"]:
            yield f"{ip['address']}/{length}"


def _routes(subnets: typing.Iterable[model.Subnet]) -> typing.Iterator[tuple[str, str | None]]:
    """The routes of subnets; of several to one destination, the first."""
    found: dict[str, str | None] = {}
    for subnet in subnets:
        for route in subnet["routes"] or ():
            found.setdefault(str(route["cidr"]), str(route["gateway"]["address"]))
        gateway = (subnet["gateway"] or {}).get("address")
        if gateway:
            found.setdefault(_DEFAULT[subnet["version"]], str(gateway))
        if subnet["version"] == 4:
            _add_metadata(found, subnet)
    return iter(found.items())


def _add_metadata(found: dict[str, str | None], subnet: model.Subnet) -> None:
    """Route the address of the metadata service.

    OVN answers for it on the link, and gives the route by DHCP alone, which containers do not ask.
    Where a DHCP agent serves the subnet, the router has the service, or without one the agent.
    """
    agent = subnet.get_meta("dhcp_server")
    if agent is None:
        found.setdefault(_METADATA, None)
    elif _DEFAULT[4] not in found:
        found.setdefault(_METADATA, str(agent))
