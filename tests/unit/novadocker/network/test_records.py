# SPDX-License-Identifier: Apache-2.0
"""Ports on record."""

import pathlib

import nova.conf
from nova.network import model

from novadocker.network import records

CONF = nova.conf.CONF


def _vif(port):
    subnet = model.Subnet(
        cidr="10.0.0.0/24",
        gateway=model.IP("10.0.0.1"),
        ips=[model.FixedIP(address="10.0.0.5")],
        routes=[],
        dns=[],
    )
    network = model.Network(id="n", bridge="br-int", subnets=[subnet], mtu=1442)
    return model.VIF(id=port, address="fa:16:3e:00:00:01", network=network, type="ovs")


def test_a_port_on_record_is_read_as_it_was(config):
    records.add("u", "eth0", _vif("p"))
    assert records.of("u") == {"eth0": _vif("p")}
    assert records.of("u")["eth0"]["network"].get_meta("mtu") == 1442
    assert records.uuids() == ["u"]


def test_ports_come_and_go(config):
    records.add("u", "eth0", _vif("p"))
    records.add("u", "eth1", _vif("q"))
    records.remove("u", "eth0")
    assert list(records.of("u")) == ["eth1"]
    records.remove("u", "eth1")
    records.remove("u", "eth1")
    assert records.of("u") == {}
    assert records.uuids() == []
    assert not pathlib.Path(CONF.instances_path, "u").exists()


def test_a_record_that_cannot_be_read_stays_and_is_listed(config):
    records.add("u", "eth0", _vif("p"))
    pathlib.Path(CONF.instances_path, "u", "network-interfaces").write_text("{")
    assert records.of("u") == {}
    assert records.uuids() == ["u"]


def test_a_port_is_on_record_for_one_instance(config):
    assert not records.add("u", "eth0", _vif("p"))
    assert not records.add("u", "eth1", _vif("q"))
    assert records.add("u", "eth1", _vif("q"))
    assert records.add("v", "eth0", _vif("p"))
    assert list(records.of("u")) == ["eth1"]
    records.add("v", "eth1", _vif("q"))
    assert records.uuids() == ["v"]
    assert list(records.of("v")) == ["eth0", "eth1"]


def test_the_first_free_name_is_taken():
    assert records.free_name([]) == "eth0"
    assert records.free_name(["eth0", "eth2"]) == "eth1"
