# SPDX-License-Identifier: Apache-2.0
"""fpga-api and its engine are killed at each step of a session of OpenCL on a node.

Once they are back, the service's row, Placement and the node agree, and nothing is held that nobody
has. ``make faults`` tries all points, pytest a few.
"""

import configparser
import contextlib
import threading
import typing
import uuid

import pytest
from cloud import Cloud
from keystoneauth1 import adapter
from keystoneauth1 import exceptions as keystone

from fpga_opencl import client
from tests.e2e.fpga_service import API, ENGINE, MortalService, cases, mortal
from tests.support import opencl, opencl_afar
from tests.support.host import wait_until

pytestmark = pytest.mark.e2e

#: Seconds: the engine takes an API for gone after 120.
_PATIENCE = 180
_SESSIONS = "/v1/opencl/sessions"
_ENDED = {None, "closed", "expired", "lost"}

#: What is asked for: who is killed, at what.
POINTS: dict[str, dict[str, tuple[str, ...]]] = {
    "open": {
        API: (
            *("add a session:before", "add a session:after", "allocate a session:before"),
            *("allocate a session:within", "allocate a session:after"),
            *("note session active:before", "note session active:after"),
        ),
    },
    "close": {
        API: (
            *("note session closing:before", "note session closing:after"),
            *("give leases:before", "give leases:after"),
        ),
        ENGINE: ("free:before", "free:after", "note session closed:after"),
    },
}
SOME = {("open", API, "note session active:after"), ("close", ENGINE, "free:after")}


@pytest.fixture(scope="module")
def services(cloud: Cloud) -> typing.Iterator[dict[str, MortalService]]:
    with mortal(cloud) as found:
        yield found


@pytest.fixture(scope="module")
def node(
    cloud: Cloud,
    services: dict[str, MortalService],
    tmp_path_factory: pytest.TempPathFactory,
) -> typing.Iterator[opencl.Node]:
    """A node that has registered at the cloud's fpga-api."""
    folder, name = tmp_path_factory.mktemp("node"), f"node-{uuid.uuid4().hex[:4]}"
    service = configparser.RawConfigParser(strict=False)
    service.read(cloud.folder / "etc" / "fpga-api" / "fpga-api.conf")
    credentials = dict(service["service_credentials"]) | {"auth_type": "password"}
    api = adapter.Adapter(cloud.api.session, service_type="fpga")
    with opencl_afar.serving(folder, name, credentials) as running:
        wait_until(lambda: _state_of_node(api, name) == "up", _PATIENCE)
        yield running


def _state_of_node(api: adapter.Adapter, name: str) -> str | None:
    found = api.get("/v1/opencl/nodes").json()["nodes"]
    return next((one["state"] for one in found if one["name"] == name), None)


class Scene:
    """A session that is asked for, and what is looked at afterwards."""

    def __init__(self, cloud: Cloud, node: opencl.Node) -> None:
        self._cloud, self._node = cloud, node
        self._api = adapter.Adapter(cloud.api.session, service_type="fpga")
        self.id = str(uuid.uuid4())
        self._client: client.Session | None = None

    def open(self) -> client.Place:
        """Ask for a session, or again for the same one."""
        answer = self._api.post(_SESSIONS, json={"id": self.id, "memory": 1024})
        return client.Place.of_answer(answer.json())

    def use(self) -> None:
        """Have a worker that has memory."""
        self._client = session = client.open_afar(self.open())
        device = session.devices.list()[0]
        context = session.contexts.create([device])
        session.buffers.create(context, 64 << 20)
        assert len(self._node.wait(1)) == 1

    def close(self) -> None:
        """Give it back."""
        self._api.delete(f"{_SESSIONS}/{self.id}")

    def state(self) -> str | None:
        """Of the session."""
        try:
            return str(self._api.get(f"{_SESSIONS}/{self.id}").json()["session"]["state"])
        except keystone.NotFound:
            return None

    def check(self) -> None:
        """Row, Placement and node agree; a session that is active can be used."""
        wait_until(lambda: self.state() in (*_ENDED, "active"), _PATIENCE)
        if self.state() == "active":
            assert self._cloud.allocations_of(self.id)
            if self._client is None:
                self.use()
            assert self._client and self._client.devices.list()
        else:
            self.check_end()

    def check_end(self) -> None:
        """Nobody has anything of it."""
        wait_until(lambda: self.state() in _ENDED, _PATIENCE)
        assert not self._cloud.allocations_of(self.id)
        assert self._node.wait(0) == []

    def end(self) -> None:
        """Give everything back."""
        if self.state() == "active":
            self.close()
        self.check_end()
        if self._client:
            self._client.close()


@pytest.fixture
def scene(cloud: Cloud, node: opencl.Node) -> typing.Iterator[Scene]:
    found = Scene(cloud, node)
    yield found
    found.end()


@pytest.mark.parametrize(("asked", "who", "point"), cases(POINTS, SOME))
def test_all_agree_on_a_session_after_a_kill(
    services: dict[str, MortalService], scene: Scene, asked: str, who: str, point: str
) -> None:
    if asked == "close":
        scene.use()
    services[who].kill_at(point)
    # Its answer may never come.
    act = {"open": scene.open, "close": scene.close}[asked]
    asking = threading.Thread(target=_tried, args=[act], daemon=True)
    asking.start()
    assert services[who].died(), f"it did not come to {point}"
    services[who].start()
    asking.join(_PATIENCE)
    scene.check()


def _tried(act: typing.Callable[[], object]) -> None:
    # The service has ended meanwhile.
    with contextlib.suppress(keystone.ClientException, ValueError):
        act()


def test_a_service_that_is_down_takes_no_session_away(
    services: dict[str, MortalService], scene: Scene
) -> None:
    scene.use()
    services[API].kill_at("give leases:before")
    assert services[API].died()
    services[API].start()
    scene.check()
    assert scene.state() == "active"
