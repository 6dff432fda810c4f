# SPDX-License-Identifier: Apache-2.0
"""Real Open vSwitch, real interfaces; ports are what Neutron would say of them."""

import contextlib
import typing

import pytest

from tests.functional.novadocker import conftest as engines
from tests.functional.novadocker import dockerd as dockerds
from tests.functional.novadocker.network import ports
from tests.functional.novadocker.network.switch import Switch, plugging


@pytest.fixture(scope="session")
def switch(dockerd: dockerds.Dockerd) -> typing.Iterator[Switch]:
    """The switch of all these tests."""
    with plugging(dockerd.folder / "exec" / "netns") as found:
        yield found


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
    yield from ports.served(net, ports.vif("10.20.0.5"), ports.vif("10.20.0.6"))
