# SPDX-License-Identifier: Apache-2.0
"""What the driver tells about its host."""

import json
import os
import re
import shutil

import os_traits
import pytest
from nova.compute import provider_tree
from nova.network import model


@pytest.fixture
def tree():
    provider_tree_of_host = provider_tree.ProviderTree()
    provider_tree_of_host.new_root("host1", "0a0b0c0d-0000-0000-0000-000000000001", generation=0)
    return provider_tree_of_host


def test_resources_are_those_of_the_host(driver, dockerd):
    found = driver.get_available_resource("host1")
    assert found["vcpus"] == os.cpu_count()
    assert found["memory_mb"] == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
    assert found["local_gb"] == shutil.disk_usage(dockerd.folder).total >> 30
    assert found["hypervisor_hostname"] == "host1"
    assert found["hypervisor_version"] >= 20010000
    assert found["numa_topology"] is None
    assert {"arch", "model", "topology"} <= set(json.loads(found["cpu_info"]))
    assert ("x86_64", "docker", "exe") in found["supported_instances"] or os.uname().machine != (
        "x86_64"
    )


def test_the_inventory_has_what_is_reserved(driver, tree, config):
    config(reserved_host_memory_mb=512, reserved_host_disk_mb=2048, cpu_allocation_ratio=2.0)
    driver.update_provider_tree(tree, "host1")
    inventory = tree.data("host1").inventory
    assert inventory["VCPU"]["allocation_ratio"] == 2.0
    assert inventory["MEMORY_MB"]["reserved"] == 512
    assert inventory["DISK_GB"]["reserved"] == 2
    assert inventory["VCPU"]["total"] == os.cpu_count()


def test_inventories_traits_and_children_of_others_stay(driver, tree):
    other = {"CUSTOM_OTHER": {"total": 1}}
    tree.update_inventory("host1", other)
    tree.add_traits("host1", os_traits.COMPUTE_NODE)
    tree.new_child("region", "host1")
    driver.update_provider_tree(tree, "host1")
    assert tree.data("host1").inventory["CUSTOM_OTHER"] == {"total": 1}
    assert tree.has_traits("host1", [os_traits.COMPUTE_NODE])
    assert tree.exists("region")


def test_the_host_is_its_only_node(driver, config):
    config(my_ip="192.0.2.7")
    assert driver.get_available_nodes() == ["host1"]
    assert driver.node_is_available("host1")
    assert driver.get_host_ip_addr() == "192.0.2.7"


def test_uptime_has_the_form_of_uptime(driver):
    pattern = (
        r" \d\d:\d\d:\d\d up \d+ days, [ \d]\d:\d\d,  0 users,  load average: [\d.]+, [\d., ]+"
    )
    assert re.fullmatch(pattern, driver.get_host_uptime())


def test_the_driver_claims_what_it_has_and_nothing_else(driver):
    claimed = {name for name, has in driver.capabilities.items() if has}
    assert claimed == {
        "has_imagecache",
        "supports_attach_interface",
        "supports_evacuate",
        "supports_image_type_raw",
        "supports_suspend",  # where the host has live images; others refuse with the reason
    }


def test_ports_of_somebody_are_ignored(driver, servers, caplog):
    instance = servers.instance()
    ports = [model.VIF(id=port, type="unbound") for port in ("port-1", "port-2")]
    driver.plug_vifs(instance, [])
    assert caplog.text.count("is ignored") == 0
    driver.plug_vifs(instance, ports)
    assert "A port is ignored: port port-1 is not bound" in caplog.text
    assert "A port is ignored: port port-2 is not bound" in caplog.text
    driver.detach_interface(servers.context, instance, ports[0])
    driver.unplug_vifs(instance, ports[1:])
