# SPDX-License-Identifier: Apache-2.0
"""What becomes of Nova's ports."""

import pytest
from nova.network import model

from novadocker.network import interfaces

PORT = "01234567-89ab-cdef-0123-456789abcdef"


def _subnet(cidr="10.0.0.0/24", address="10.0.0.5", gateway="10.0.0.1", routes=(), **more):
    return model.Subnet(
        cidr=cidr,
        gateway=model.IP(gateway, type="gateway") if gateway else None,
        dns=[model.IP("192.0.2.53", type="dns")],
        ips=[model.FixedIP(address=address)],
        routes=[model.Route(cidr=to, gateway=model.IP(by)) for to, by in routes],
        version=6 if ":" in cidr else 4,
        **more,
    )


def _vif(*subnets, mtu=1442, details=None, **changes):
    network = model.Network(id=PORT, bridge="br-int", label="n", subnets=list(subnets), mtu=mtu)
    options = {
        "type": "ovs",
        "devname": f"tap{PORT}"[:14],
        "details": details or {},
        "delegate_create": True,
        **changes,
    }
    return model.VIF(id=PORT, address="FA:16:3E:00:00:01", network=network, **options)


def _routes(*subnets):
    return dict(interfaces.of(_vif(*subnets)).routes)


def test_an_interface_has_what_the_port_says():
    found = interfaces.of(_vif(_subnet(), _subnet("2001:db8::/64", "2001:db8::5", "fe80::1")))
    assert (found.host, found.mac, found.mtu) == ("tap01234567-89", "fa:16:3e:00:00:01", 1442)
    assert found.addresses == ("10.0.0.5/24", "2001:db8::5/64")
    assert not found.bridged
    assert not found.userspace


def test_the_default_route_is_of_the_first_gateway_of_each_family():
    found = _routes(
        _subnet(),
        _subnet("10.1.0.0/24", "10.1.0.5", "10.1.0.1"),
        _subnet("2001:db8::/64", "2001:db8::5", "fe80::1"),
    )
    assert found["0.0.0.0/0"] == "10.0.0.1"
    assert found["::/0"] == "fe80::1"


def test_host_routes_are_there_and_come_before_the_gateway():
    found = _routes(_subnet(routes=[("10.9.0.0/16", "10.0.0.2"), ("0.0.0.0/0", "10.0.0.3")]))
    assert found["10.9.0.0/16"] == "10.0.0.2"
    assert found["0.0.0.0/0"] == "10.0.0.3"


def test_the_metadata_service_is_on_the_link_where_no_agent_serves_dhcp():
    assert _routes(_subnet())["169.254.169.254/32"] is None
    assert _routes(_subnet(gateway=None)) == {"169.254.169.254/32": None}


def test_the_metadata_service_is_the_routers_where_an_agent_serves_dhcp():
    assert "169.254.169.254/32" not in _routes(_subnet(dhcp_server="10.0.0.2"))


def test_the_metadata_service_is_the_agents_where_there_is_no_router():
    found = _routes(_subnet(gateway=None, dhcp_server="10.0.0.2"))
    assert found == {"169.254.169.254/32": "10.0.0.2"}


def test_a_host_route_to_the_metadata_service_stays():
    found = _routes(_subnet(routes=[("169.254.169.254/32", "10.0.0.4")]))
    assert found["169.254.169.254/32"] == "10.0.0.4"


def test_ipv6_alone_has_no_route_of_ipv4():
    assert _routes(_subnet("2001:db8::/64", "2001:db8::5", "fe80::1")) == {"::/0": "fe80::1"}


def test_a_subnet_without_an_address_of_the_port_has_no_routes():
    empty = _subnet("2001:db8::/64", gateway="2001:db8::1")
    empty["ips"] = []
    assert "::/0" not in _routes(_subnet(), empty)


def test_os_vif_makes_no_tap():
    profile = interfaces.of(_vif(_subnet(), details={"ovs_create_tap": True})).vif.port_profile
    assert "create_tap" not in profile.fields or profile.create_tap is False


def test_a_hybrid_plug_goes_into_a_bridge():
    found = interfaces.of(_vif(_subnet(), details={"ovs_hybrid_plug": True}))
    assert found.bridged
    assert found.vif.bridge_name == "qbr01234567-89"


def test_a_hybrid_plug_is_served_on_the_userspace_datapath():
    details = {"ovs_hybrid_plug": True, "datapath_type": "netdev"}
    found = interfaces.of(_vif(_subnet(), details=details))
    assert (found.bridged, found.userspace) == (True, True)


@pytest.mark.parametrize(
    ("details", "expected"),
    [({"datapath_type": "netdev"}, True), ({"datapath_type": "system"}, False), ({}, False)],
)
def test_the_userspace_datapath_is_known(details, expected):
    assert interfaces.of(_vif(_subnet(), details=details)).userspace is expected


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"type": "binding_failed"}, "not bound to this host"),
        ({"type": "unbound"}, "not bound to this host"),
        ({"type": "vhostuser"}, "of type vhostuser"),
        ({"type": "macvtap"}, "of type macvtap"),
        ({"type": "bridge"}, "of type bridge"),
        ({"type": "tap"}, "of type tap"),
        ({"type": None}, "of type None"),
        ({"vnic_type": "direct"}, "direct"),
        ({"vnic_type": "macvtap"}, "macvtap"),
        ({"vnic_type": "remote-managed"}, "remote-managed"),
        ({"devname": "eth0"}, "'eth0' is not of the form"),
        ({"mtu": 67}, "MTU 67"),
    ],
)
def test_other_ports_are_refused(changes, reason):
    with pytest.raises(interfaces.UnservedPortError, match=reason):
        interfaces.of(_vif(_subnet(), **changes))


def test_a_port_without_a_network_is_refused():
    with pytest.raises(interfaces.UnservedPortError):
        interfaces.of(model.VIF(id=PORT, type="ovs"))


@pytest.mark.parametrize(("mtu", "served"), [(1279, False), (1280, True)])
def test_ipv6_needs_its_least_mtu(mtu, served):
    vif = _vif(_subnet("2001:db8::/64", "2001:db8::5", "fe80::1"), mtu=mtu)
    if served:
        assert interfaces.of(vif).mtu == mtu
    else:
        with pytest.raises(interfaces.UnservedPortError, match="IPv6 needs 1280"):
            interfaces.of(vif)


def test_a_network_without_an_mtu_has_that_of_ethernet():
    assert interfaces.of(_vif(_subnet(), mtu=None)).mtu == 1500


def test_name_servers_and_the_first_address():
    vifs = [_vif(_subnet(), _subnet("10.1.0.0/24", "10.1.0.5")), _vif()]
    assert interfaces.name_servers(vifs) == ["192.0.2.53"]
    assert interfaces.first_address(vifs) == "10.0.0.5"
    assert interfaces.first_address([]) is None
