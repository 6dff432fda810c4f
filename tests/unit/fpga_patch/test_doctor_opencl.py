# SPDX-License-Identifier: Apache-2.0
"""The doctor says whether kernels run on a host, and what its containers lack for that."""

import os
import pathlib

import nova  # noqa: F401 - the doctor looks for it where the tests run
import pytest

from fpga_patch import releases
from fpga_patch.doctor import Finding, Settings
from fpga_patch.doctor import opencl as doctor
from tests.support import opencl


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """What containers have of their host."""
    folder = tmp_path_factory.mktemp("opencl")
    opencl.build(folder, target="container")
    return folder


def _found(etc: pathlib.Path, line: str) -> Finding:
    (etc / "nova.conf").write_text(f"[docker]\n{line}\n")
    (finding,) = doctor.containers(Settings(releases.find_nova(None), etc))
    return finding


def test_a_host_without_opencl_is_not_tried(tmp_path: pathlib.Path) -> None:
    assert _found(tmp_path, "").level == "skipped"


def test_missing_files_are_named(tmp_path: pathlib.Path) -> None:
    found = _found(tmp_path, f"opencl_folder = {tmp_path}")
    assert (found.level, "libfpga-opencl.so" in found.text) == ("missing", True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can confine a worker")
def test_host_whose_worker_adds_vectors_is_ok(tmp_path: pathlib.Path, files: pathlib.Path) -> None:
    found = _found(tmp_path, f"opencl_folder = {files}")
    assert (found.level, "adds vectors in a worker" in found.text) == ("ok", True), found


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can confine a worker")
def test_library_that_is_broken_is_seen(tmp_path: pathlib.Path, files: pathlib.Path) -> None:
    folder = tmp_path / "broken"
    folder.mkdir()
    for name in doctor._FILES:
        (folder / name).symlink_to(files / name)
    (folder / "libfpga-opencl.so").unlink()
    (folder / "libfpga-opencl.so").write_bytes(b"no library")
    found = _found(tmp_path, f"opencl_folder = {folder}")
    assert (found.level, "clinfo lists no device" in found.text) == ("missing", True), found
