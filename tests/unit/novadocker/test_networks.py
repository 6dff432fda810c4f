# SPDX-License-Identifier: Apache-2.0
"""Ports of instances, as Nova gives them to the driver."""

import threading

import pytest
from nova import exception
from nova.network import model

from novadocker import errors
from novadocker.network import interfaces
from novadocker.virt import networks
from tests.support.allocation import Allocation

_PATIENCE = 30  # seconds


@pytest.fixture
def allocated():
    """Set once Neutron has allocated the ports."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def asked(allocated):
    """Nova's list of ports, which another thread fills once Neutron has them."""

    def ask(vifs):
        def answer():
            assert allocated.wait(_PATIENCE)
            if isinstance(vifs, Exception):
                raise vifs
            return vifs

        return Allocation(answer)

    return ask


@pytest.fixture
def served(monkeypatch):
    """All ports are of a kind that containers have."""
    monkeypatch.setattr(networks.interfaces, "of", lambda vif: None)


def test_a_build_goes_on_while_neutron_allocates_its_ports(
    config, instance, caplog, asked, allocated, served
):
    caplog.set_level("INFO")
    ports = networks.required(instance, asked([model.VIF("p")]))
    assert ports.expected
    assert not allocated.is_set()
    allocated.set()
    assert [vif["id"] for vif in ports.all()] == ["p"]
    assert "s for Neutron to allocate its ports" in caplog.text


def test_a_server_that_gets_no_ports_is_not_said_to_wait(
    config, instance, caplog, asked, allocated
):
    caplog.set_level("INFO")
    ports = networks.required(instance, asked([]))
    allocated.set()
    assert ports.all() == []
    assert "Waited" not in caplog.text


def test_a_server_without_a_network_is_known_to_have_no_ports(config, instance):
    ports = networks.required(instance, model.NetworkInfo())
    assert not ports.expected
    assert ports.all() == []


def test_whoever_asks_for_the_ports_hears_why_there_are_none(config, instance, asked, allocated):
    ports = networks.required(instance, asked(exception.PortLimitExceeded()))
    allocated.set()
    for _ in range(2):
        with pytest.raises(exception.PortLimitExceeded):
            ports.all()


def test_a_port_that_no_container_has_is_refused_once_it_is_known(
    config, instance, monkeypatch, asked, allocated
):
    def refuse(vif):
        raise interfaces.UnservedPortError("macvtap")

    monkeypatch.setattr(networks.interfaces, "of", refuse)
    ports = networks.required(instance, asked([model.VIF("p")]))
    allocated.set()
    with pytest.raises(errors.NotServed, match="macvtap"):
        ports.all()
