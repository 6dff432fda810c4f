# SPDX-License-Identifier: Apache-2.0
"""Ports as Nova has them from Neutron."""

import itertools
import typing
import uuid

from nova.network import model

from tests.functional.novadocker import conftest as engines
from tests.functional.novadocker.network.switch import BRIDGE

_NUMBER = itertools.count(1)
_NETWORK = str(uuid.uuid4())


def subnet(cidr: str, address: str, gateway: str | None = None, **more: typing.Any) -> model.Subnet:
    """A subnet with one address of the port's."""
    version = 6 if ":" in cidr else 4
    return model.Subnet(
        cidr=cidr,
        gateway=model.IP(gateway, type="gateway") if gateway else None,
        dns=[model.IP("192.0.2.53", type="dns")],
        ips=[model.FixedIP(address=address)],
        routes=[],
        version=version,
        **more,
    )


def vif(
    *addresses: str,
    mtu: int = 1442,
    subnets: list[model.Subnet] | None = None,
    **changes: typing.Any,
) -> model.VIF:
    """A port of ML2/OVN on the tests' bridge, active already."""
    port = str(uuid.uuid4())
    if subnets is None:
        subnets = [
            subnet("2001:db8::/64", one, "2001:db8::1")
            if ":" in one
            else subnet("10.20.0.0/24", one, "10.20.0.1")
            for one in addresses
        ]
    network = model.Network(id=_NETWORK, bridge=BRIDGE, label="net", subnets=subnets, mtu=mtu)
    details = {"port_filter": True, "datapath_type": "netdev", "ovs_create_tap": True}
    options = {
        "type": model.VIF_TYPE_OVS,
        "devname": f"tap{port}"[: model.NIC_NAME_LEN],
        "ovs_interfaceid": port,
        "details": details,
        "active": True,
        "delegate_create": True,
        **changes,
    }
    mac = f"fa:16:3e:00:00:{next(_NUMBER) % 256:02x}"
    return model.VIF(id=port, address=mac, network=network, **options)


def hybrid(*addresses: str, datapath_type: str = "netdev") -> model.VIF:
    """A port of ML2/OVS with the firewall driver ``iptables_hybrid``."""
    details = {"port_filter": True, "datapath_type": datapath_type, "ovs_hybrid_plug": True}
    return vif(*addresses, details=details)


def info(*vifs: model.VIF) -> model.NetworkInfo:
    """The ports of one server."""
    return model.NetworkInfo(list(vifs))


def served(net: engines.Servers, *vifs: model.VIF) -> typing.Iterator[typing.Any]:
    """Servers with one of these ports each, and the ports; the servers are destroyed at the end."""
    instances = [net.instance() for _vif in vifs]
    for instance, vif in zip(instances, vifs, strict=True):
        net.spawn(instance, network_info=info(vif))
    yield instances, list(vifs)
    for instance in instances:
        net.destroy(instance)
