# SPDX-License-Identifier: Apache-2.0
"""The Debian packages of OpenCL have what hosts and images need, and no more."""

import ctypes
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).parents[3]
PLACE = "usr/lib/fpga-nova/opencl"
#: What novadocker looks for, and where it mounts the library.
FILES = ("libfpga-opencl.so", "libOpenCL.so.1", "fpga-nova.icd")
LIBRARY = "/usr/lib/fpga-nova/libfpga-opencl.so"

pytestmark = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs Debian")


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pathlib.Path]:
    """The packages, unpacked, by their names."""
    folder = tmp_path_factory.mktemp("deb")
    script = ROOT / "build_scripts/build_opencl_deb.sh"
    subprocess.run([str(script), str(folder)], check=True, stdout=subprocess.DEVNULL)
    found = {}
    for package in folder.glob("*.deb"):
        name = package.name.partition("_")[0]
        subprocess.run(["dpkg-deb", "-R", str(package), str(folder / name)], check=True)
        found[name] = folder / name
    return found


def _files(folder: pathlib.Path) -> set[str]:
    paths = (path for path in folder.rglob("*") if not path.is_dir() or path.is_symlink())
    names = {str(path.relative_to(folder)) for path in paths}
    return {name for name in names if not name.startswith(("DEBIAN/", "usr/share/doc/"))}


def test_host_gets_the_files_that_containers_are_given(
    packages: dict[str, pathlib.Path],
) -> None:
    folder = packages["fpga-nova-opencl"]
    assert _files(folder) == {f"{PLACE}/{name}" for name in FILES}
    text = (folder / PLACE / "fpga-nova.icd").read_text().strip()
    assert text == LIBRARY


def test_library_is_an_icd(packages: dict[str, pathlib.Path]) -> None:
    library = ctypes.CDLL(str(packages["fpga-nova-opencl"] / PLACE / "libfpga-opencl.so"))
    assert library.clGetExtensionFunctionAddress
    assert library.clIcdGetPlatformIDsKHR


def test_image_gets_the_way_to_the_library(packages: dict[str, pathlib.Path]) -> None:
    folder = packages["fpga-nova-opencl-icd"]
    assert _files(folder) == {"etc/OpenCL/vendors/fpga-nova.icd"}
    text = (folder / "etc/OpenCL/vendors/fpga-nova.icd").read_text().strip()
    assert (packages["fpga-nova-opencl"] / text.removeprefix("/")).is_file()
