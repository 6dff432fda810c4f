# SPDX-License-Identifier: Apache-2.0
"""OpenCL on a compute host whose region is a device of this machine's OpenCL."""

import functools
import pathlib
import struct
import subprocess
import sys
import tempfile
import typing
import uuid

import pytest
from cloud import Cloud

from tests.e2e.hosts import DOCKER, ComputeHost, glance_of, known
from tests.support import bitstreams, opencl
from tests.support.host import Host, control_groups, wait_until

pytestmark = pytest.mark.e2e
_SCRIPT = opencl.ROOT / "build_scripts/images/build_opencl_image.py"
#: Bytes of all processes of the region.
_MEMORY = 512 << 20

Boot = typing.Callable[[], str]


@pytest.fixture(scope="module")
def host(cloud: Cloud) -> typing.Iterator[ComputeHost]:
    """A compute host with one region of OpenCL, which may compile."""
    # Short, because clients reach the region's socket by its path.
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        more = {"opencl__regions": 1, "opencl__parts": "source", "opencl__max_memory": _MEMORY}
        cli = Host(folder, glance_of(cloud), drivers="opencl", **more)
        host = ComputeHost(cloud, folder, f"opencl-{uuid.uuid4().hex[:4]}", DOCKER, cli=cli)
        opencl.build(folder / "opencl", target="container")
        options = (folder / "nova-compute.conf").read_text().splitlines()
        host.configure([*options, "[docker]", f"opencl_folder = {folder}/opencl"])
        host.start()
        try:
            known(cloud, [host.name])
            yield host
        finally:
            host.close()


@pytest.fixture
def boot(
    cloud: Cloud,
    host: ComputeHost,
    upload: typing.Callable[..., str],
    flavor_for: typing.Callable[[str], str],
    tmp_path: pathlib.Path,
) -> typing.Iterator[Boot]:
    """Boot a server with the region; its id. Nothing of it is left."""
    archive = tmp_path / "opencl.tar"
    subprocess.run([sys.executable, str(_SCRIPT), "--output", str(archive)], check=True)
    image = upload(archive.read_bytes(), "docker")
    flavor = flavor_for(upload(bitstreams.opencl_package()))
    servers: list[str] = []
    compute = cloud.api.compute

    def make() -> str:
        server = compute.create_server(
            name=f"opencl-{uuid.uuid4().hex[:8]}",
            image_id=image,
            flavor_id=compute.find_flavor(flavor).id,
            networks="none",
            availability_zone=f"nova:{host.name}",
        )
        servers.append(server.id)
        found = cloud.wait(server.id, {"ACTIVE", "ERROR"})
        assert found.status == "ACTIVE", cloud.fault(server.id)
        return str(server.id)

    yield make
    cloud.delete(*servers)
    wait_until(lambda: host.cli.states() == ["free"], 60)


def _inside(cloud: Cloud, server: str, *words: str, data: bytes = b"") -> bytes:
    done = cloud.run("docker", "exec", "-i", f"nova-{server}", *words, data=data)
    return bytes(done.stdout)


def test_clinfo_in_the_container_lists_the_device(cloud: Cloud, boot: Boot) -> None:
    server = boot()
    assert b"Device #0: " in _inside(cloud, server, "clinfo", "-l")
    assert b"opencl0" in _inside(cloud, server, "ls", "/dev")


def test_matrices_are_multiplied_on_the_device(cloud: Cloud, boot: Boot) -> None:
    size = 32
    identity = [float(row == column) for row in range(size) for column in range(size)]
    numbers = [float(number) for number in range(size * size)]
    data = struct.pack(f"<{2 * size * size}f", *identity, *numbers)
    answer = _inside(cloud, boot(), "opencl-matmul", str(size), data=data)
    assert struct.unpack(f"<{size * size}f", answer) == tuple(numbers)


def test_limits_of_container_and_region_are_both_set(
    cloud: Cloud, host: ComputeHost, boot: Boot
) -> None:
    server = boot()
    container = cloud.engine.containers.get(f"nova-{server}")
    assert container.attrs["HostConfig"]["Memory"] == 64 << 20  # the flavor's
    (region,) = host.cli.status()["regions"]
    found = {
        file.name: int(file.read_text())
        for group in control_groups(f"fpga-nova/{region['id']}-*")
        for pattern in ("memory*max", "memory.limit_in_bytes")
        for file in group.glob(pattern)
    }
    assert _MEMORY in found.values(), found


def test_stop_and_start_keep_the_region_and_what_the_container_has_for_it(
    cloud: Cloud, host: ComputeHost, boot: Boot
) -> None:
    server = boot()
    before = host.cli.status()["regions"]
    cloud.api.compute.stop_server(server)
    cloud.wait(server, {"SHUTOFF"})
    cloud.api.compute.start_server(server)
    cloud.wait(server, {"ACTIVE"})
    after = host.cli.status()["regions"]
    assert [one["id"] for one in after] == [one["id"] for one in before]
    wait_until(functools.partial(_lists, cloud, server), 30)


def _lists(cloud: Cloud, server: str) -> bool:
    return b"Device #0: " in _inside(cloud, server, "clinfo", "-l")
