# SPDX-License-Identifier: Apache-2.0
"""The benchmark of networks, on the tests' switch."""

import shutil

import os_vif
import pytest

from benchmarks import network


@pytest.fixture
def stage(net, host, monkeypatch):
    for name in ("plug", "unplug"):  # the stage measures them; the tests that follow do not
        monkeypatch.setattr(os_vif, name, getattr(os_vif, name))
    return network.Stage(host, net)


def test_time_of_os_vif_is_not_ours(stage):
    found = stage.steps(2)
    assert found["python -I -c pass"]["ours / P"] == 1
    for action in ("plug", "unplug", "spawn with a port", "destroy with a port"):
        assert 0 < found[action]["ours"] < found[action]["ms"]
    assert found["spawn"]["ours"] == found["spawn"]["ms"]


def test_what_a_port_adds_is_of_the_same_turns(stage):
    found = stage.steps(1)
    for action in ("spawn", "destroy"):
        difference = found[f"{action} with a port"]["ms"] - found[action]["ms"]
        assert found[f"a port adds to a {action}"]["ms"] == pytest.approx(difference, abs=0.2)


@pytest.mark.skipif(shutil.which("ethtool") is None, reason="ethtool is for benchmarks alone")
def test_namespaces_on_the_switch_reach_each_other_and_go(stage, host):
    with stage._bare("10.20.0.11", "10.20.0.12") as (_, client):
        assert sorted(host.ports()) == ["bench-0", "bench-1"]
        network._run(*client.split(), "ping", "-c", "1", "-W", "5", "10.20.0.11")
    assert host.ports() == []


def test_waits_for_neutron_are_not_the_drivers():
    log = """
INFO novadocker.network.events [None req-1] [instance: u] Waited 1.25 s for Neutron to allocate it
INFO novadocker.network.events [None req-1] [instance: u] Waited 0.25 s for Neutron to report it
INFO nova.compute.manager [None req-1] [instance: u] Took 2.00 seconds to spawn the instance on ...
INFO nova.compute.manager [None req-1] [instance: u] Took 3.00 seconds to build instance.
"""
    assert network.spawned(log) == (0.5, 1.5)
