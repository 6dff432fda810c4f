# SPDX-License-Identifier: Apache-2.0
"""The Docker Engine is upgraded, and so speaks another API, under a nova-compute that lives on."""

import pytest
from nova.compute import power_state

from tests.functional.novadocker import dockerd as engines

docker_engine = pytest.importorskip("tests.support.docker_engine")

#: The newest API of Engine 20.10 is 1.41.
_OLDEST = "1.44"


@pytest.fixture
def dockerd():
    """An engine of this test alone, because no older one reads what a newer one wrote."""
    yield from engines.started()


def _upgrade(dockerd, monkeypatch):
    """Restart the installed engine as Docker Engine 26, which refuses older clients."""
    programs = docker_engine.programs()
    dockerd.stop()
    monkeypatch.setattr(dockerd, "_path", ":".join([*programs, dockerd._path]))
    monkeypatch.setattr(dockerd, "_program", f"{programs[0]}/dockerd")
    monkeypatch.setenv("DOCKER_MIN_API_VERSION", _OLDEST)
    dockerd.start()
    client = dockerd.client()
    assert client.version()["MinAPIVersion"] == _OLDEST
    client.close()


@pytest.mark.skipif(bool(engines.ENGINE), reason="it begins with the installed engine")
def test_all_works_after_an_upgrade(servers, dockerd, monkeypatch):
    instance = servers.boot()
    servers.driver.power_off(instance)
    _upgrade(dockerd, monkeypatch)
    assert servers.driver.get_info(instance).state == power_state.SHUTDOWN
    assert servers.driver.list_instance_uuids() == [instance.uuid]
    assert servers.driver.get_available_resource("host1")["hypervisor_version"] >= 26000000
    servers.driver.power_on(servers.context, instance, [])
    assert servers.driver.get_info(instance).state == power_state.RUNNING
    servers.destroy(instance)
    servers.destroy(servers.boot())
