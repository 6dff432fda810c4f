# SPDX-License-Identifier: Apache-2.0
"""The demo cloud that ``make e2e`` has brought up, and images and flavors made for one test."""

import os
import shutil
import sys
import typing
import uuid
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
sys.path.insert(0, str(CHECKOUT / "build_scripts"))

from cloud import Cloud  # noqa: E402

from tests.e2e import remainder  # noqa: E402
from tests.e2e.fpga import Fpga  # noqa: E402
from tests.e2e.hosts import ComputeHost, known  # noqa: E402
from tests.e2e.networks import Networks  # noqa: E402
from tests.e2e.nova_compute import DOCKER, MORTAL, NovaCompute  # noqa: E402
from tests.e2e.stage import Stage  # noqa: E402
from tests.support import bitstreams  # noqa: E402
from tests.support.host import wait_until  # noqa: E402


@pytest.fixture(scope="session")
def cloud() -> Cloud:
    """The cloud in DEMO_DIR."""
    return Cloud(Path(os.environ["DEMO_DIR"]))


@pytest.fixture(scope="session")
def user(cloud: Cloud) -> Fpga:
    """The commands of the demo's ordinary user."""
    return Fpga(Cloud(cloud.folder, "openrc-demo"))


@pytest.fixture(autouse=True)
def nothing_is_left(cloud: Cloud) -> typing.Iterator[None]:
    """Whatever a test does: no region stays used, no container stays."""
    before = (cloud.status(), cloud.containers())
    yield
    assert (cloud.status(), cloud.containers()) == before


@pytest.fixture
def networks(cloud: Cloud) -> typing.Iterator[Networks]:
    """Networks, of which nothing stays in Neutron and on the host."""
    before = remainder.of(cloud)
    # Those that stay may change where ovn-controller starts again; another test compares them.
    del before["flows"]
    found = Networks(cloud)
    try:
        yield found
    finally:
        found.close()
    remainder.check(cloud, before)


@pytest.fixture(scope="session")
def compute(cloud: Cloud) -> typing.Iterator[NovaCompute]:
    """The nova-compute of the demo's host, in the place of its own; it can be killed."""
    user = cloud.description("nova-compute")["user"]
    (service,) = cloud.api.compute.services(binary="nova-compute", state="up")
    folder = cloud.folder / "mortal"  # which its user may enter; its logs go with the demo
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shutil.chown(folder, user, user)
    found = NovaCompute(cloud, folder, service.host, DOCKER, MORTAL, user)
    cloud.stop("nova-compute")
    try:
        found.start()
        yield found
    finally:
        found.stop()
        cloud.start("nova-compute")


@pytest.fixture
def no_quota(cloud: Cloud) -> typing.Iterator[None]:
    """The project may have more servers than Nova's quota permits, which is ten."""
    project = cloud.api.current_project_id
    cloud.api.set_compute_quotas(project, instances=-1, cores=-1, ram=-1)
    yield
    cloud.api.delete_compute_quotas(project)


@pytest.fixture
def flavor_for(cloud: Cloud) -> typing.Iterator[typing.Callable[[str], str]]:
    """Make an FPGA flavor for a bitstream image; answers the flavor's name."""
    flavors = []

    def make(image_id: str) -> str:
        flavor = cloud.api.compute.create_flavor(
            name=f"fpga-test-{uuid.uuid4().hex[:8]}", ram=64, vcpus=1, disk=1
        )
        flavors.append(flavor)
        cloud.api.compute.create_flavor_extra_specs(flavor, {"hw:fpga_ip_id": image_id})
        return str(flavor.name)

    yield make
    for flavor in flavors:
        cloud.api.compute.delete_flavor(flavor)


@pytest.fixture
def upload(cloud: Cloud) -> typing.Iterator[typing.Callable[..., str]]:
    """Upload an image of any content; answers its id."""
    images = []

    def make(content: bytes, container_format: str = "fpga") -> str:
        image = cloud.api.image.create_image(
            f"test-{uuid.uuid4().hex[:8]}",
            data=content,
            container_format=container_format,
            disk_format="raw",
            # fpga-cli has a project of its own.
            visibility="public",
            validate_checksum=True,
        )
        images.append(image)
        return str(image.id)

    yield make
    for image in images:
        cloud.api.image.delete_image(image)


def _grants_a_region(cloud: Cloud) -> bool:
    """Whether Placement has a region for a server."""
    path = "/allocation_candidates?resources=CUSTOM_FPGA_REGION:1"
    answer = cloud.api.placement.get(path, microversion="1.29")
    return bool(answer.json()["allocation_requests"])


@pytest.fixture
def failing_boot(cloud: Cloud) -> typing.Iterator[typing.Callable[[str], str]]:
    """Boot a server that must end in ERROR; answers its fault message.

    What it left behind is looked for at the end, when what the test broke is whole again.
    """
    servers: list[str] = []
    # An audit may have seen what the test before broke; the next one is a minute later.
    wait_until(lambda: _grants_a_region(cloud), 120)

    def boot(flavor: str, meanwhile: typing.Callable[[], None] = lambda: None) -> str:
        name = f"bad-{uuid.uuid4().hex[:8]}"
        command = ("nova", "boot", "--flavor", flavor, "--image", "ubuntu_lzo", "--nic", "none")
        cloud.run(*command, name)
        server = cloud.api.compute.find_server(name, ignore_missing=False)
        servers.append(server.id)
        meanwhile()
        assert cloud.wait(server.id, {"ACTIVE", "ERROR"}).status == "ERROR"
        return cloud.fault(server.id)

    yield boot
    try:
        for server in servers:
            assert f"nova-{server}" not in cloud.containers()
            assert cloud.region_of(server) is None
            assert cloud.row_of(server)["fpga_device"] is None
            assert cloud.allocations_of(server) == {}
    finally:
        cloud.delete(*servers)


@pytest.fixture(scope="module")
def flavors(cloud: Cloud) -> typing.Iterator[dict[str, str]]:
    """Ids of the flavors, of their bitstream image and of an image whose server cannot be made."""
    package = bitstreams.package(
        target={"board": "fake", "part": "fake"}, exposes=[{"kind": "char", "name": "/dev/fpga0"}]
    )
    images = cloud.api.image
    bitstream = images.create_image(
        "harm-bitstream",
        data=package,
        container_format="fpga",
        disk_format="raw",
        visibility="public",
    )
    source = images.find_image("ubuntu_lzo", ignore_missing=False)
    spoilt = images.create_image(
        "harm-spoilt",
        data=images.download_image(source),
        container_format="docker",
        disk_format="raw",
        docker_devices="/dev/another",
    )
    ids = {"bitstream": str(bitstream.id), "spoilt image": str(spoilt.id)}
    for name, specs in {"plain": {}, "fpga": {"hw:fpga_ip_id": bitstream.id}}.items():
        flavor = cloud.api.compute.create_flavor(name=f"harm-{name}", ram=64, vcpus=1, disk=1)
        cloud.api.compute.create_flavor_extra_specs(flavor, specs)
        ids[name] = str(flavor.id)
    yield ids
    for name in ("plain", "fpga"):
        cloud.api.compute.delete_flavor(ids[name])
    for name in ("bitstream", "spoilt image"):
        images.delete_image(ids[name])


@pytest.fixture(scope="module")
def stages(
    cloud: Cloud, flavors: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> typing.Iterator[typing.Callable[[str], Stage]]:
    """The stage of a virt driver; its hosts are started for the first path that needs them.

    They are gone before other tests run, whose servers they would get.
    """
    by_driver: dict[str, Stage] = {}

    def stage(driver: str) -> Stage:
        if driver not in by_driver:
            folder: Path = tmp_path_factory.mktemp("hosts")
            kind = driver.rpartition(":")[2][:4].lower()
            names = [f"{kind}{number}-{uuid.uuid4().hex[:4]}" for number in (1, 2)]
            hosts = [ComputeHost(cloud, folder / name, name, driver) for name in names]
            for host in hosts:
                host.start()
            known(cloud, names)
            by_driver[driver] = Stage(cloud, hosts, flavors)
        return by_driver[driver]

    yield stage
    for one in by_driver.values():
        one.let_choose()
        cloud.delete(*one.servers)
        for host in one.hosts:
            host.close()
