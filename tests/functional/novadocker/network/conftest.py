# SPDX-License-Identifier: Apache-2.0
"""Real Open vSwitch, real interfaces; ports are what Neutron would say of them."""

import contextlib
import typing

import os_vif
import pytest
import vif_plug_ovs.privsep
from oslo_config import cfg

from novadocker.network import privilege
from tests.functional.novadocker import conftest as engines
from tests.functional.novadocker import dockerd as dockerds
from tests.functional.novadocker.network import ports
from tests.functional.novadocker.network.switch import Switch

CONF = cfg.CONF

_CONTEXTS = (privilege.context, vif_plug_ovs.privsep.vif_plug)


@pytest.fixture(scope="session")
def switch(dockerd: dockerds.Dockerd) -> typing.Iterator[Switch]:
    """The switch of all these tests."""
    found = Switch(dockerd.folder / "exec" / "netns")
    try:
        found.start()
        os_vif.initialize()
        # The plugin reads it once, when it is loaded.
        CONF.set_override("ovsdb_connection", found.connection, group="os_vif_ovs")
        os_vif.initialize(reset=True)
        # Nova's tests let nobody start one later.
        for context in _CONTEXTS:
            CONF.set_override("helper_command", found.helper(), group=context.cfg_section)
            context.start()
        yield found
        # Its thread would look for the switch until the tests end.
        os_vif._EXT_MANAGER["ovs"].obj.ovsdb.ovsdb.ovsdb_connection.stop()
    finally:
        for context in _CONTEXTS:
            context.stop()
        found.remove()


@pytest.fixture
def host(switch: Switch, config: typing.Callable[..., None]) -> typing.Iterator[Switch]:
    """The host that the driver changes; a test leaves it as it was."""
    config(ovsdb_connection=switch.connection, group="os_vif_ovs")
    config(vif_plugging_timeout=5)
    yield switch
    assert switch.remainder() == []


class VirtAPI:
    """Nova's virtapi, with a Neutron that says what a test has it say."""

    def __init__(self) -> None:
        self.timeout: BaseException | None = None
        self.waits: list[list[tuple[str, str]]] = []
        #: Called when all is plugged and the wait begins.
        self.meanwhile: typing.Callable[[], None] = lambda: None

    @contextlib.contextmanager
    def wait_for_instance_event(
        self,
        instance: object,
        names: list[tuple[str, str]],
        seconds: int,
        error_callback: typing.Callable[..., bool],
    ) -> typing.Iterator[None]:
        self.waits.append(names)
        yield
        self.meanwhile()
        if self.timeout is not None:
            raise self.timeout


@pytest.fixture
def virtapi(driver: typing.Any) -> VirtAPI:
    """What the driver waits with."""
    found = VirtAPI()
    driver.network._virtapi = found
    return found


@pytest.fixture
def net(host: Switch, virtapi: VirtAPI, servers: engines.Servers) -> engines.Servers:
    """Servers of a host with a switch."""
    return servers


@pytest.fixture
def pair(net: engines.Servers) -> typing.Iterator[typing.Any]:
    """Two servers on one network."""
    vifs = [ports.vif("10.20.0.5"), ports.vif("10.20.0.6")]
    instances = [net.instance(), net.instance()]
    for instance, vif in zip(instances, vifs, strict=True):
        net.spawn(instance, network_info=ports.info(vif))
    yield instances, vifs
    for instance in instances:
        net.destroy(instance)
