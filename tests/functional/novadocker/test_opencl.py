# SPDX-License-Identifier: Apache-2.0
"""OpenCL in a container: unmodified programs, a region of the host's, and nothing in the image."""

import pathlib
import subprocess
import sys
import tempfile
import typing

import numpy
import pytest

from fpga_hooks.instance import devices
from tests.functional.novadocker import dockerd as engines
from tests.functional.novadocker.conftest import Glance, Servers
from tests.support import bitstreams, opencl
from tests.support.host import Host

pytestmark = pytest.mark.skipif(
    not pathlib.Path("/etc/OpenCL/vendors/pocl.icd").exists(), reason="pocl is not installed"
)
ROOT = pathlib.Path(__file__).parents[3]
SIZE = 64


@pytest.fixture(scope="session")
def program_image(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The demo's image for OpenCL."""
    path = tmp_path_factory.mktemp("opencl-image") / "opencl.tar"
    script = ROOT / "build_scripts/images/build_opencl_image.py"
    subprocess.run([sys.executable, str(script), "--output", str(path)], check=True)
    return path.read_bytes()


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """What containers have of the host."""
    folder = tmp_path_factory.mktemp("opencl-files")
    opencl.build(folder, target="container")
    # As the Debian package has it.
    loader = folder / "libOpenCL.so.1"
    loader.replace(folder / "loader")
    loader.symlink_to(folder / "loader")
    return folder


@pytest.fixture
def region(monkeypatch: pytest.MonkeyPatch) -> typing.Iterator[Host]:
    """A host whose one region compiles, and is every instance's."""
    with tempfile.TemporaryDirectory() as name:
        host = Host(pathlib.Path(name), drivers="opencl", opencl__parts="source", opencl__regions=1)
        package = pathlib.Path(name, "package.zip")
        package.write_bytes(bitstreams.opencl_package())
        region_id = host.burn("--file", str(package))
        (node,) = host.status()["regions"][0]["nodes"]
        device = devices.Device(node["kind"], node["path"], node["name"])
        monkeypatch.setattr(devices, "for_instance", lambda _instance: [device])
        yield host
        assert host.run("erase", region_id).returncode == 0


@pytest.fixture
def container(
    servers: Servers,
    config: typing.Callable[..., None],
    files: pathlib.Path,
    program_image: bytes,
    region: Host,
    glance: Glance,
) -> typing.Any:
    """A container with the region."""
    config(opencl_folder=str(files), group="docker")
    servers.image = glance.add(program_image)
    return servers.container(servers.boot())


def test_clinfo_in_a_container_lists_the_device_of_its_region(container: typing.Any) -> None:
    code, output = container.exec_run(["clinfo", "-l"])
    assert (code, b"Device #0: " in output) == (0, True), output


def test_matrix_product_in_a_container_is_that_of_numpy(
    container: typing.Any, dockerd: engines.Dockerd
) -> None:
    matrices = numpy.random.default_rng(SIZE).integers(-9, 10, (2, SIZE, SIZE)).astype("<f4")
    words = ["docker", f"--host={dockerd.url}", "exec", "-i", container.id]
    words += ["opencl-matmul", str(SIZE)]
    done = subprocess.run(words, input=matrices.tobytes(), capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    product = numpy.frombuffer(done.stdout, "<f4").reshape(SIZE, SIZE)
    assert numpy.array_equal(product, matrices[0] @ matrices[1])
