# SPDX-License-Identifier: Apache-2.0
"""Images of servers in a real Glance, and servers that are shelved with their accelerator."""

import time
import typing
import uuid

import pytest
from cloud import Cloud

from tests.support.host import wait_until


class Servers:
    """Servers and images of one test."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.compute, self.images = cloud.api.compute, cloud.api.image
        self.name = f"test-{uuid.uuid4().hex[:8]}"
        self._servers: list[str] = []

    def boot(self, flavor: str, image: str = "ubuntu_lzo") -> str:
        """A server that runs; its id."""
        server = self.cloud.boot(f"{self.name}-{len(self._servers)}", flavor, image)
        self._servers.append(server.id)
        assert server.status == "ACTIVE", self.cloud.fault(server.id)
        return str(server.id)

    def run(self, server: str, line: str, data: bytes = b"") -> bytes:
        """What a line of shell in a server prints."""
        command = ("docker", "exec", "-i", f"nova-{server}", "sh", "-c", line)
        return self.cloud.run(*command, data=data).stdout

    def state(self, server: str, status: str) -> None:
        """Wait until a server has a status and no task."""
        end = time.monotonic() + 120
        while True:
            found = self.compute.get_server(server)
            if found.status == status and not found.task_state:
                return
            assert time.monotonic() < end, f"{found.status}, {found.task_state}: {found.fault}"
            time.sleep(0.25)

    def active_image(self, name: str) -> typing.Any:
        """The image of a name, once it is active."""
        wait_until(lambda: [one.status for one in self.images.images(name=name)] == ["active"], 120)
        (image,) = self.images.images(name=name)
        return image

    def clean(self) -> None:
        """Delete all."""
        self.cloud.delete(*self._servers)
        for image in self.images.images():
            if image.name.startswith(self.name):
                self.images.delete_image(image)
        assert self.cloud.engine.images.list(name="fpga-nova-snapshot") == []


@pytest.fixture
def servers(cloud: Cloud) -> typing.Iterator[Servers]:
    """What makes servers, which are gone after the test."""
    found = Servers(cloud)
    yield found
    found.clean()


def test_a_server_boots_of_a_snapshot(servers: Servers) -> None:
    source = servers.boot("small")
    servers.run(source, "echo kept > /file")
    servers.compute.create_server_image(source, f"{servers.name}-image")
    image = servers.active_image(f"{servers.name}-image")
    servers.state(source, "ACTIVE")
    assert (image.container_format, image.disk_format) == ("docker", "raw")
    assert image.visibility == "private"
    copy = servers.boot("small", image.name)
    assert servers.run(copy, "cat /file") == b"kept\n"


def test_backups_are_rotated(servers: Servers) -> None:
    source = servers.boot("small")
    for number in (1, 2):
        servers.compute.backup_server(source, f"{servers.name}-{number}", "daily", 1)
        servers.active_image(f"{servers.name}-{number}")
        servers.state(source, "ACTIVE")
        time.sleep(1)  # Nova tells their age by Glance's times, which have whole seconds
    first = f"{servers.name}-1"
    wait_until(lambda: not [*servers.images.images(name=first)], 60)
    copy = servers.boot("small", f"{servers.name}-2")
    assert servers.run(copy, "hostname").decode().strip() == f"{servers.name}-1"


def test_a_shelved_server_gives_its_region_back_and_gets_one_again(
    cloud: Cloud, servers: Servers
) -> None:
    server = servers.boot("fpga-lzo")
    compressed = servers.run(server, "fpga-client /dev/fpga0 | tee /output", b"a" * 1000)
    assert compressed
    servers.compute.shelve_server(server)
    servers.state(server, "SHELVED_OFFLOADED")
    assert cloud.region_of(server) is None
    assert f"nova-{server}" not in cloud.containers()
    servers.compute.unshelve_server(server)
    servers.state(server, "ACTIVE")
    assert cloud.region_of(server) is not None
    assert servers.run(server, "cat /output") == compressed
    assert servers.run(server, "fpga-client /dev/fpga0", b"a" * 1000) == compressed
    assert not [*servers.images.images(name=f"{servers.name}-0-shelved")]
