# SPDX-License-Identifier: Apache-2.0
"""What the privileged process accepts, and what it refuses."""

import pytest

from novadocker.network import forms


@pytest.mark.parametrize(
    "name",
    ["eth0", "tap0", "tap01234567-8", "tap01234567-89a", "tap01234567-89\n", "tap0123456g-89", None,
     b"tap01234567-89", "../tap01234567-89", "br-int", "qbr01234567-89"],
)  # fmt: skip
def test_only_the_taps_of_ports_are_host_names(name):
    with pytest.raises(forms.FormError):
        forms.host_name(name)


def test_the_tap_of_a_port_is_a_host_name():
    assert forms.host_name("tap01234567-89") == "tap01234567-89"


@pytest.mark.parametrize("name", ["lo", "eth", "eth00", "eth1000", "eth0 ", "eth-1", "all", 0])
def test_other_names_inside_are_refused(name):
    with pytest.raises(forms.FormError):
        forms.inside_name(name)


@pytest.mark.parametrize("name", ["eth0", "eth39", "eth999"])
def test_names_inside_are_numbered(name):
    assert forms.inside_name(name) == name


@pytest.mark.parametrize(
    "address",
    ["01:00:5e:00:00:01", "FA:16:3E:00:00:01", "fa:16:3e:00:00", "fa-16-3e-00-00-01", 1],
)
def test_groups_and_other_forms_are_no_hardware_address(address):
    with pytest.raises(forms.FormError):
        forms.mac(address)


def test_a_hardware_address():
    assert forms.mac("fa:16:3e:00:00:01") == "fa:16:3e:00:00:01"


@pytest.mark.parametrize("size", [67, 65536, -1, "1500", 1500.0, True, None])
def test_an_mtu_that_no_interface_has_is_refused(size):
    with pytest.raises(forms.FormError):
        forms.mtu(size)


@pytest.mark.parametrize("size", [68, 1442, 65535])
def test_an_mtu_that_an_interface_has(size):
    assert forms.mtu(size) == size


@pytest.mark.parametrize("address", ["10.0.0.5/33", "10.0.0", "eth0", "10.0.0.5/24; reboot"])
def test_what_is_no_address_is_refused(address):
    with pytest.raises(forms.FormError):
        forms.addresses([address])


def test_addresses_of_both_families():
    found = forms.addresses(["10.0.0.5/24", "2001:db8::5/64"])
    assert [(str(one.ip), one.network.prefixlen) for one in found] == [
        ("10.0.0.5", 24), ("2001:db8::5", 64)
    ]  # fmt: skip


def test_too_many_are_refused():
    with pytest.raises(forms.FormError, match="257 are more than 256"):
        forms.addresses(["10.0.0.5/24"] * 257)
    with pytest.raises(forms.FormError, match="257 are more than 256"):
        forms.routes([("10.0.0.0/24", None)] * 257)


@pytest.mark.parametrize(
    "route",
    [("10.0.0.1/24", None), ("10.0.0.0/24", "2001:db8::1"), ("10.0.0.0/24", "host"),
     ("10.0.0.0/24",), ("10.0.0.0/24", "10.0.0.1", "eth0")],
)  # fmt: skip
def test_what_is_no_route_is_refused(route):
    with pytest.raises(forms.FormError):
        forms.routes([route])


def test_routes_with_and_without_a_gateway():
    given = [("0.0.0.0/0", "10.0.0.1"), ["::/0", "fe80::1"], ("169.254.169.254/32", None)]
    assert forms.routes(given) == [tuple(one) for one in given]
