# SPDX-License-Identifier: Apache-2.0
"""fpga-api, its engine and nova-compute are killed at each step of programs and claims.

Once they are back, and after one audit, the service's row, Placement, the ledger and Nova's column
agree, and nothing is held that nobody has. ``make faults`` tries all points, pytest a few.
"""

import functools
import threading
import typing
import uuid

import pytest
import scenario
from cloud import Cloud
from keystoneauth1 import adapter
from keystoneauth1 import exceptions as keystone

from tests.e2e.fpga import Fpga, wait
from tests.e2e.fpga_service import API, ENGINE, MortalService, cases, mortal
from tests.e2e.nova_compute import NovaCompute
from tests.support.host import wait_until

pytestmark = pytest.mark.e2e

COMPUTE = "nova-compute"
#: Seconds: the engine takes an API for gone after 120, and then looks once a minute for what that
#: has allocated.
_PATIENCE = 300
_BITSTREAM = "lzo_compression"

#: What is asked for: who is killed, at what.
POINTS: dict[str, dict[str, tuple[str, ...]]] = {
    "claim": {
        API: (
            *("add a claim:before", "add a claim:after", "allocate:before", "allocate:within"),
            *("allocate:after", "note programming:after"),
        ),
        ENGINE: ("ask to hold:before", "ask to hold:within", "ask to hold:after"),
        COMPUTE: ("hold:before", "hold:within", "hold:after"),
    },
    "release": {
        API: ("note releasing:before", "note releasing:after"),
        ENGINE: (
            *("ask to release:before", "ask to release:within", "ask to release:after"),
            *("free:before", "free:after", "note released:before", "note released:after"),
        ),
        COMPUTE: ("erase:before", "erase:within", "erase:after"),
    },
    "expiry": {
        ENGINE: (
            *("note releasing:before", "note releasing:after", "ask to release:after"),
            *("free:after", "note expired:after"),
        ),
        COMPUTE: ("erase:before", "erase:after"),
    },
    "program": {
        API: (
            *("add a program:before", "add a program:after", "ask to program:within"),
            *("ask to program:after", "note done:before", "note done:after"),
        ),
        COMPUTE: (
            *("record a program:before", "record a program:after", "replace:before"),
            *("replace:within", "replace:after", "record its end:before", "record its end:after"),
        ),
    },
}
SOME = {
    ("claim", ENGINE, "ask to hold:after"),
    ("release", COMPUTE, "erase:after"),
    ("program", COMPUTE, "replace:after"),
    ("program", API, "ask to program:after"),
}


class Scene:
    """What is asked of the service, and what is looked at afterwards."""

    def __init__(self, cloud: Cloud, user: Fpga) -> None:
        self._cloud = cloud
        self._user = user
        self._api = adapter.Adapter(cloud.api.session, service_type="fpga")
        self.id = str(uuid.uuid4())
        self.server = ""

    def claim(self) -> None:
        """Ask for a claim."""
        self._api.post("/v1/claims", json={"id": self.id, "ttl": 600})

    def claimed(self) -> None:
        """Have a claim that is active."""
        self.claim()
        wait_until(lambda: self._state("claim") == "active", _PATIENCE)

    def release(self) -> None:
        """Give it back."""
        self._api.delete(f"/v1/claims/{self.id}")

    def expire(self) -> None:
        """Let it end by itself."""
        self._api.patch(f"/v1/claims/{self.id}", json={"ttl": 1})

    def boot(self) -> None:
        """A server with a region."""
        server = self._user.cloud.boot("programmed", "fpga-packbits")
        self.server = server.id
        assert server.status == "ACTIVE", self._user.cloud.fault(server.id)

    def program(self) -> None:
        """Program the server's region with another bitstream."""
        image = self._cloud.api.image.find_image(_BITSTREAM, ignore_missing=False).id
        body = {"id": self.id, "bitstream": image}
        self._api.post(f"/v1/servers/{self.server}/programs", json=body)

    def check_claim(self) -> None:
        """All agree whether the claim has a region."""
        ends = {None, "active", "released", "expired", "failed"}
        wait_until(lambda: self._state("claim") in ends, _PATIENCE)
        has = self._state("claim") == "active"
        # The row first, then what belongs to it.
        wait(lambda: bool(self._cloud.allocations_of(self.id)), has)
        wait(lambda: self._cloud.region_of(self.id) is not None, has)
        if has:
            region = self._cloud.region_of(self.id) or {}
            shown = self._api.get(f"/v1/claims/{self.id}").json()["claim"]
            assert (region["state"], shown["region"]) == ("claimed", region["id"])

    def check_program(self) -> None:
        """All agree which bitstream the region of the server has."""
        ends = {None, "done", "failed", "lost"}
        wait_until(lambda: self._state("program") in ends, _PATIENCE)
        compute = self._cloud.api.compute
        wait_until(lambda: compute.get_server(self.server).task_state is None, _PATIENCE)
        region = self._cloud.region_of(self.server) or {}
        assert region["state"] == "programmed"
        assert self._cloud.row_of(self.server)["fpga_device"] == region["id"]
        is_new = region["function"] == "lzo1x_compress"
        # A program is lost to the service if it ended with the API before its row was written.
        if self._state("program") in ("done", "failed"):
            assert (self._state("program") == "done") == is_new
        data = scenario.sample()
        client = ("docker", "exec", "-i", f"nova-{self.server}", "fpga-client", "/dev/fpga0")
        answer = self._cloud.run(*client, data=data).stdout
        python = self._cloud.folder / "venv" / "regions" / "bin" / "python"
        expand = functools.partial(scenario.expand_lzo, python=python)
        assert (expand if is_new else scenario.expand_packbits)(answer) == data
        report = self._cloud.run("fpga-manage", "check", check=False)
        assert report.returncode == 0, report.stdout.decode()

    def end(self) -> None:
        """Give everything back."""
        if self._state("claim") == "active":
            self.release()
        if self.server:
            self._cloud.delete(self.server)
        wait(self._cloud.status, "Used regions: 0/2")
        wait(lambda: self._state("claim") in (None, "released", "expired", "failed"), True)
        assert not self._cloud.allocations_of(self.id)

    def _state(self, kind: str) -> str | None:
        try:
            found = self._api.get(f"/v1/{kind}s/{self.id}").json()[kind]
        except keystone.NotFound:
            return None
        return str(found["state"])


@pytest.fixture(scope="module")
def services(cloud: Cloud) -> typing.Iterator[dict[str, MortalService]]:
    with mortal(cloud) as found:
        yield found


@pytest.fixture
def scene(cloud: Cloud, user: Fpga, services: dict[str, MortalService]) -> typing.Iterator[Scene]:
    found = Scene(cloud, user)
    yield found
    found.end()


@pytest.mark.parametrize(("asked", "who", "point"), cases(POINTS, SOME))
def test_all_records_agree_after_a_kill(
    compute: NovaCompute,
    services: dict[str, MortalService],
    scene: Scene,
    asked: str,
    who: str,
    point: str,
) -> None:
    prepare = {"release": scene.claimed, "expiry": scene.claimed, "program": scene.boot}
    act = {
        "claim": scene.claim,
        "release": scene.release,
        "expiry": scene.expire,
        "program": scene.program,
    }[asked]
    if asked in prepare:
        prepare[asked]()
    service: NovaCompute | MortalService = compute if who == COMPUTE else services[who]
    service.kill_at(point)
    # Its answer may never come.
    asking = threading.Thread(target=_tried, args=[act], daemon=True)
    asking.start()
    assert service.died(), f"it did not come to {point}"
    service.start()
    compute.audited()
    asking.join(_PATIENCE)
    if asked == "program":
        scene.check_program()
    else:
        scene.check_claim()


def _tried(act: typing.Callable[[], None]) -> None:
    try:
        act()
    except keystone.ClientException as e:
        print(f"asked in vain: {e}")
