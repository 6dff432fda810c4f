# SPDX-License-Identifier: Apache-2.0
"""Networks over stops, starts, reboots and what an operator or a crash does to a container."""

import pytest
from nova.compute import power_state

from tests.functional.novadocker.network import ports, traffic


def _runs(net, instance):
    return net.driver.get_info(instance, use_cache=False).state == power_state.RUNNING


def test_a_stopped_server_answers_nothing_and_has_its_network_again(net, host, pair):
    (one, two), (_, vif) = pair
    traffic.wait_for_ping(net, one, "10.20.0.6")
    net.driver.power_off(two, timeout=5)
    assert not [name for name in host.remainder() if vif["devname"] in name]
    assert not traffic.pings(net, one, "10.20.0.6")
    net.driver.power_on(net.context, two, ports.info(vif))
    traffic.wait_for_ping(net, one, "10.20.0.6")
    assert traffic.receives(net, one, two, "10.20.0.6")


@pytest.mark.parametrize("kind", ["SOFT", "HARD"])
def test_a_reboot_keeps_the_network(net, pair, kind):
    (one, two), (_, vif) = pair
    before = traffic.namespace(net, two)
    net.driver.reboot(net.context, two, ports.info(vif), kind)
    assert _runs(net, two)
    assert (traffic.namespace(net, two) == before) is (kind == "SOFT")
    traffic.wait_for_ping(net, one, "10.20.0.6")


def test_a_container_that_ends_by_itself_finds_its_network_when_it_starts(net, pair):
    (one, two), (_, vif) = pair
    net.container(two).kill()
    net.driver.power_on(net.context, two, ports.info(vif))
    traffic.wait_for_ping(net, one, "10.20.0.6")


def test_a_start_after_the_host_was_booted_plugs_again(net, pair):
    (one, two), (_, vif) = pair
    net.container(two).kill()
    net.client.containers.get(f"nova-{two.uuid}-network").kill()
    net.driver.plug_vifs(two, ports.info(vif))  # Nova does so first
    net.driver.resume_state_on_host_boot(net.context, two, ports.info(vif))
    traffic.wait_for_ping(net, one, "10.20.0.6")


@pytest.mark.parametrize("gone", ["", "-network"])
def test_a_hard_reboot_mends_what_somebody_removed(net, pair, gone):
    (one, two), (_, vif) = pair
    net.client.containers.get(f"nova-{two.uuid}{gone}").remove(force=True)
    net.driver.reboot(net.context, two, ports.info(vif), "HARD")
    assert _runs(net, two)
    traffic.wait_for_ping(net, one, "10.20.0.6")
    assert net.run(two, "cat /sys/class/net/eth0/address")[1].strip() == vif["address"]


def test_a_rebuild_has_the_port(net, host, pair):
    (one, two), (_, vif) = pair
    net.driver.destroy(net.context, two, ports.info(vif))
    two.task_state = "rebuild_spawning"
    net.spawn(two, network_info=ports.info(vif, ports.vif(type="unbound")))
    traffic.wait_for_ping(net, one, "10.20.0.6")


def test_a_paused_server_keeps_its_network(net, pair):
    (one, two), _ = pair
    net.driver.pause(two)
    traffic.wait_for_ping(net, one, "10.20.0.6")
    net.driver.unpause(two)


def test_servers_start_with_their_network_after_a_restart_of_the_engine(net, dockerd, pair):
    instances, vifs = pair
    dockerd.stop()
    dockerd.start()
    for instance, vif in zip(instances, vifs, strict=True):
        net.driver.plug_vifs(instance, ports.info(vif))  # nova-compute may have been restarted, too
        net.driver.resume_state_on_host_boot(net.context, instance, ports.info(vif))
        assert _runs(net, instance)
    traffic.wait_for_ping(net, instances[0], "10.20.0.6")
