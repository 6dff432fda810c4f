# SPDX-License-Identifier: Apache-2.0
"""What the engine is asked for to hold a network."""

import pytest
from nova.network import model

from novadocker.network import sandboxes


@pytest.fixture
def vifs():
    subnet = model.Subnet(
        cidr="10.0.0.0/24",
        dns=[model.IP("192.0.2.53", type="dns")],
        ips=[model.FixedIP(address="10.0.0.5")],
    )
    return [model.VIF(id="p", network=model.Network(id="n", subnets=[subnet]))]


def test_a_sandbox_has_the_names_of_its_server(config, instance, vifs):
    options = sandboxes._options(instance, vifs)
    assert options["name"] == f"nova-{instance.uuid}-network"
    assert options["hostname"] == "dcr1"
    assert options["dns"] == ["192.0.2.53"]
    assert options["extra_hosts"] == {"dcr1": "10.0.0.5"}


def test_a_sandbox_has_no_rights(config, instance, vifs):
    options = sandboxes._options(instance, vifs)
    assert options["network_mode"] == "none"
    assert options["cap_drop"] == ["ALL"]
    assert options["security_opt"] == ["no-new-privileges"]
    assert options["read_only"] is True
    assert options["user"] == "65534:65534"
    assert options["mem_limit"] == options["memswap_limit"] == 16 << 20
    assert options["pids_limit"] == 32


def test_a_sandbox_is_not_taken_for_its_server(config, instance, vifs):
    labels = sandboxes._options(instance, vifs)["labels"]
    assert labels == {
        "org.openstack.nova.network.instance": instance.uuid,
        "org.openstack.nova.host": "host1",
    }


def test_a_port_without_an_address_has_no_line_in_hosts(config, instance):
    options = sandboxes._options(instance, [model.VIF(id="p")])
    assert options["extra_hosts"] is None
    assert options["dns"] is None
