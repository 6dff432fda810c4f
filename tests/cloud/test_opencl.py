# SPDX-License-Identifier: Apache-2.0
"""Matrices are multiplied on hosts of the cloud: from outside, and from a server without a card."""

import collections.abc
import dataclasses
import random
import struct
import subprocess
import sys
import typing
import uuid

import pytest
import requests

from fpga_opencl import client
from fpga_opencl.client.resources import DeviceMemoryObject, HostValue
from tests.cloud.conftest import HOSTS
from tests.cloud.site import FOLDER, ROOT
from tests.cloud.users import CloudOfHosts, wait_for
from tests.support import bitstreams

NAMES = [one.name for one in HOSTS]
UNIT = "fpga-nova-opencl-node"
_KILL = "systemctl kill --signal=KILL --kill-whom=main"

_SIDE = 48  # rows of the matrices
_SOURCE = """
kernel void multiply(global float *c, global const float *a, global const float *b, int n) {
    size_t row = get_global_id(1), column = get_global_id(0);
    float sum = 0;
    for (int i = 0; i < n; i++) sum += a[row * n + i] * b[i * n + column];
    c[row * n + column] = sum;
}
"""

Document = dict[str, typing.Any]


class Outside:
    """A user who has a token of Keystone's and nothing else of the cloud."""

    def __init__(self, cloud: CloudOfHosts) -> None:
        session = cloud.user.session
        self._url = session.get_endpoint(service_type="fpga").rstrip("/")
        self._headers = {"X-Auth-Token": session.get_token()}

    def call(self, method: str, path: str, body: Document | None = None) -> Document:
        """The answer of fpga-api."""
        answer = requests.request(
            method, f"{self._url}{path}", headers=self._headers, json=body, timeout=60
        )
        assert answer.status_code < 300, answer.text
        return dict(answer.json()) if answer.content else {}

    def multiply(self, node: str) -> None:
        """Have a node multiply matrices in a session of its own, and compare."""
        answer = self.call("POST", "/v1/opencl/sessions", {"node": node, "memory": 1024})
        try:
            with client.open_afar(client.Place.of_answer(answer)) as session:
                _multiply(session)
        finally:
            self.call("DELETE", f"/v1/opencl/sessions/{answer['session']['id']}")

    def multiplies(self, node: str) -> bool:
        """Whether that works now; a session that was refused, or a node that is away, does not."""
        try:
            self.multiply(node)
        except (OSError, client.OpenCLError):
            return False
        return True


def matrices() -> tuple[bytes, bytes]:
    """Two matrices, and their product as Python makes it, which is exact."""
    numbers = [random.randrange(-9, 10) for _ in range(2 * _SIDE * _SIDE)]
    a, b = numbers[: _SIDE * _SIDE], numbers[_SIDE * _SIDE :]
    rows = [a[_SIDE * row : _SIDE * (row + 1)] for row in range(_SIDE)]
    columns = [b[column::_SIDE] for column in range(_SIDE)]
    product = [sum(map(int.__mul__, row, column)) for row in rows for column in columns]
    return struct.pack(f"<{len(numbers)}f", *numbers), struct.pack(f"<{len(product)}f", *product)


def _multiply(session: client.Session) -> None:
    content, product = matrices()
    size = len(product)
    device = session.devices.list()[0]
    context = session.contexts.create([device])
    queue = session.queues.create(context, device)
    program = session.programs.create(context, [_SOURCE])
    session.programs.build(program, [device])
    kernel = session.kernels.create(program, "multiply")
    answer, *factors = (session.buffers.create(context, size) for _ in range(3))
    for number, buffer in enumerate(factors):
        part = content[number * size : (number + 1) * size]
        session.queues.enqueue_write(queue, buffer, 0, part)
    for number, buffer in enumerate((answer, *factors)):
        session.kernels.setkernelarg(kernel, number, DeviceMemoryObject(buffer))
    session.kernels.setkernelarg(kernel, 3, HostValue("MAAAAA=="))  # _SIDE
    session.queues.enqueue_ndrange(queue, kernel, [_SIDE, _SIDE])
    assert session.queues.enqueue_read(queue, answer, 0, size) == product


def boots(cloud: CloudOfHosts) -> dict[str, str]:
    """The boot of each node that is up, by the node's name."""
    url = "/v1/opencl/nodes"
    answer = cloud.api.session.get(url, endpoint_filter={"service_type": "fpga"}).json()
    return {one["name"]: one["boot"] for one in answer["nodes"] if one["state"] == "up"}


def wait_for_another(cloud: CloudOfHosts, node: str, boot: str) -> None:
    """Wait until a node has started again, and multiplies."""
    wait_for(f"{node} is back", lambda: boots(cloud).get(node, boot) != boot, 400)
    wait_for(f"{node} multiplies", lambda: Outside(cloud).multiplies(node))


@pytest.mark.parametrize("node", NAMES)
def test_client_outside_multiplies_matrices_with_only_its_token(
    cloud: CloudOfHosts, node: str
) -> None:
    Outside(cloud).multiply(node)


@pytest.mark.parametrize("node", NAMES)
def test_node_that_is_killed_comes_back(cloud: CloudOfHosts, node: str) -> None:
    boot = boots(cloud)[node]
    cloud.site.ask(node, f"{_KILL} {UNIT}")
    wait_for_another(cloud, node, boot)


def test_node_whose_host_reboots_comes_back(cloud: CloudOfHosts) -> None:
    boot = boots(cloud)["compute2"]
    cloud.site.hosts("reboot", "compute2")
    wait_for_another(cloud, "compute2", boot)
    wait_for("nova-compute is up", lambda: cloud.is_up("compute2"))


@pytest.fixture
def agent(cloud: CloudOfHosts) -> collections.abc.Iterator[None]:
    """compute2 has a region whose kernels run on the other hosts."""
    *others, last = HOSTS
    cloud.site.describe(*others, dataclasses.replace(last, opencl=False, agent=True))
    cloud.site.ask("compute2", f"systemctl disable --now {UNIT}")
    cloud.site.up()
    yield
    cloud.site.describe(*HOSTS)
    cloud.site.up()
    for unit in ("opencl-agent", "fpga-regions"):
        cloud.site.ask("compute2", f"systemctl disable --now fpga-nova-{unit}")


@pytest.fixture
def flavor(cloud: CloudOfHosts) -> collections.abc.Iterator[str]:
    """A flavor with a region that compiles what its programs bring."""
    name = f"opencl-{uuid.uuid4().hex[:8]}"
    glance, compute = cloud.api.image, cloud.api.compute
    package = glance.create_image(
        name,
        data=bitstreams.opencl_package(),
        container_format="fpga",
        disk_format="raw",
        visibility="public",
    )
    flavor = compute.create_flavor(name=name, ram=64, vcpus=1, disk=1)
    compute.create_flavor_extra_specs(flavor, {"hw:fpga_ip_id": package.id})
    yield name
    compute.delete_flavor(flavor)
    glance.delete_image(package)


@pytest.fixture
def image(
    cloud: CloudOfHosts, tmp_path_factory: pytest.TempPathFactory
) -> collections.abc.Iterator[str]:
    """An image with programs that know OpenCL alone."""
    archive = tmp_path_factory.mktemp("image") / "opencl.tar"
    script = ROOT / "build_scripts/images/build_opencl_image.py"
    subprocess.run([sys.executable, str(script), "--output", str(archive)], check=True)
    image = cloud.api.image.create_image(
        f"opencl-{uuid.uuid4().hex[:8]}",
        filename=str(archive),
        container_format="docker",
        disk_format="raw",
    )
    yield image.id
    cloud.api.image.delete_image(image)


@pytest.mark.usefixtures("agent")
def test_server_multiplies_on_another_host_without_credentials(
    cloud: CloudOfHosts, flavor: str, image: str
) -> None:
    server = cloud.settled(cloud.create(flavor, image_id=image))
    assert (server.status, server.compute_host) == ("ACTIVE", "compute2"), cloud.fault(server.id)
    content, product = matrices()
    name = f"nova-{server.id}"
    engine = f"DOCKER_HOST=unix://{FOLDER}/run/docker.sock docker"
    line = f"{engine} exec -i {name} opencl-matmul {_SIDE}"
    assert cloud.site.pipe("compute2", line, content) == product
    environment = cloud.docker("compute2", f"exec {name} env")
    assert "OS_" not in environment
    assert "token" not in environment.lower()
    # Those of the server are of the agent's project.
    answer = Outside(cloud).call("GET", "/v1/opencl/sessions?state=active")
    assert answer["sessions"] == []
    cloud.delete(server.id)
    wait_for("the region is free", lambda: cloud.owners("compute2") == [])
