# SPDX-License-Identifier: Apache-2.0
"""nova-compute is killed at each step of plug and unplug; its next start and audit mend all.

``make faults`` tries all points, pytest by itself a few.
"""

import dataclasses
import os
import threading
import typing

import pytest
from cloud import Cloud

from tests.e2e import remainder
from tests.e2e.networks import Networks
from tests.e2e.nova_compute import NovaCompute
from tests.support import network_points
from tests.support.host import wait_until

ALL = bool(os.environ.get("FPGA_NOVA_ALL_POINTS"))


class Scene:
    """Two networks, a server on the first, and a client beside it.

    :ivar server: of which is asked what nova-compute is killed at
    :ivar asked: whether an interface was to come or to go, which the kill may have prevented
    """

    def __init__(self, networks: Networks, spoilt_image: str) -> None:
        self.networks = networks
        self.cloud = networks.cloud
        self.compute = networks.cloud.api.compute
        self.first = networks.network("10.51.0.0/24")
        self.second = networks.network("10.52.0.0/24")
        self.spoilt_image = spoilt_image
        self.server = ""
        found = remainder.of(self.cloud)
        # OVN may keep flows of a network as long as the network is there.
        self._before = {kind: names for kind, names in found.items() if kind != "flows"}
        self.asked = False

    def boot(self) -> None:
        """A server that runs."""
        self.server = self.networks.boot(self.first)

    def boot_two(self) -> None:
        """A server that runs, on both networks."""
        self.server = self.networks.boot(self.first, self.second)

    def boot_stopped(self) -> None:
        """A server that is stopped."""
        self.boot()
        self.compute.stop_server(self.server)
        self.cloud.wait(self.server, {"SHUTOFF"})

    def create(self, **more: str) -> None:
        """Ask for a server."""
        self.server = self.networks.create([{"uuid": self.first}], **more)

    def attach(self) -> None:
        """Ask for one more interface; the answer comes only if nova-compute lives."""
        port = self.networks.port(self.second)
        self.asked = True
        body = {"interfaceAttachment": {"port_id": port.id}}
        self.compute.post(f"/servers/{self.server}/os-interface", json=body)

    def detach(self) -> None:
        """Ask for one interface less."""
        (port,) = self.networks.api.ports(device_id=self.server, network_id=self.second)
        self.asked = True
        self.compute.delete(f"/servers/{self.server}/os-interface/{port.id}")

    def idle(self) -> typing.Any:
        """Wait until nothing is done to the server; it, or None if it is no more."""
        found: list[typing.Any] = []

        def look() -> bool:
            servers = [one for one in self.compute.servers() if one.id == self.server]
            found[:] = servers
            return not servers or not servers[0].task_state

        wait_until(look, 120)
        return found[0] if found else None

    def check(self) -> None:
        """See that a server that runs has its network, and that one that is no more has none."""
        server = self.idle()
        ports = list(self.networks.api.ports(device_id=self.server))
        if server is None:
            remainder.check(self.cloud, self._before)
            return
        assert server.status in ("ACTIVE", "SHUTOFF", "ERROR"), server.status
        if server.status == "SHUTOFF":
            plugged = ("devices", "chains", "ports of the switch")
            remainder.check(self.cloud, {kind: self._before[kind] for kind in plugged})
        if server.status == "ACTIVE":
            client = self.networks.boot(self.first)
            self.networks.answers(self.server, client, self.first)
            if self.asked:
                # Nova itself knows of a port that it was attaching once it asks Neutron again.
                self.compute.reboot_server(self.server, "HARD")
                self.cloud.wait(self.server, {"HARD_REBOOT"})
                self.networks.active(self.server)
            shown = self.networks.inside(self.server, "ip addr")
            for port in ports:
                for one in port.fixed_ips:
                    assert f" {one['ip_address']}/" in shown
            self.networks.answers(self.server, client, self.first)


@dataclasses.dataclass(frozen=True)
class Course:
    """What is asked of a server."""

    prepare: typing.Callable[[Scene], None]
    act: typing.Callable[[Scene], None]


def _nothing(_scene: Scene) -> None:
    pass


PATHS = {
    "boot": Course(_nothing, Scene.create),
    "boot that fails": Course(_nothing, lambda scene: scene.create(image_id=scene.spoilt_image)),
    "delete": Course(Scene.boot_two, lambda scene: scene.compute.delete_server(scene.server)),
    "stop": Course(Scene.boot, lambda scene: scene.compute.stop_server(scene.server)),
    "start": Course(Scene.boot_stopped, lambda scene: scene.compute.start_server(scene.server)),
    "hard reboot": Course(
        Scene.boot, lambda scene: scene.compute.reboot_server(scene.server, "HARD")
    ),
    "attach": Course(Scene.boot, Scene.attach),
    "detach": Course(Scene.boot_two, Scene.detach),
}

SOME = {("boot", "plug port:after"), ("delete", "remove interface:after")}
CASES = [
    pytest.param(name, point, id=f"{name}-{point}")
    for name in PATHS
    for point in network_points.POINTS[name]
    if ALL or (name, point) in SOME
]


@pytest.fixture(scope="module")
def spoilt_image(cloud: Cloud) -> typing.Iterator[str]:
    """An image whose server cannot be made, which shows once its network is there."""
    images = cloud.api.image
    source = images.find_image("ubuntu_lzo", ignore_missing=False)
    image = images.create_image(
        "spoilt",
        data=images.download_image(source),
        container_format="docker",
        disk_format="raw",
        os_command_line="'",
    )
    yield str(image.id)
    images.delete_image(image)


@pytest.mark.parametrize(("name", "point"), CASES)
def test_networks_are_whole_or_gone_after_a_kill(
    cloud: Cloud,
    compute: NovaCompute,
    networks: Networks,
    spoilt_image: str,
    name: str,
    point: str,
) -> None:
    path = PATHS[name]
    scene = Scene(networks, spoilt_image)
    path.prepare(scene)
    compute.kill_at(point)
    # Nova's API would wait for the answer of a nova-compute that is dead.
    threading.Thread(target=path.act, args=[scene], daemon=True).start()
    assert compute.died(), f"it did not come to {point}"
    compute.start()
    compute.audited()
    scene.check()
