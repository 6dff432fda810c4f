# SPDX-License-Identifier: Apache-2.0
"""Unmodified programs through libfpga-opencl.so, with the compiler's sanitizers in both."""

import contextlib
import os
import signal
import subprocess
import typing
from pathlib import Path

import pytest

from tests.support import opencl

HERE = Path(__file__).parent
SANITIZE = "address,undefined"
#: What the program checks, each by itself.
CHECKS = (
    *("add", "map", "boxes", "events", "headers", "linking", "refusals", "threads"),
    *("both-ways", "parts", "copies"),
)


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ICD, as it is installed."""
    return opencl.build(tmp_path_factory.mktemp("icd"))


@pytest.fixture(scope="session")
def checks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program with the checks; beside it an ICD with sanitizers."""
    folder = tmp_path_factory.mktemp("checks")
    opencl.build(folder, SANITIZE)
    words = ["gcc", "-g", "-Wall", "-Wextra", "-Werror", f"-fsanitize={SANITIZE}", "-pthread"]
    program = folder / "checks"
    source = str(HERE / "checks.c")
    subprocess.run([*words, "-o", str(program), source, "-lOpenCL"], check=True)
    return program


def run(checks: Path, name: str, socket: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run one check."""
    return subprocess.run(
        [str(checks), name],
        cwd=folder,
        env=opencl.environment(checks.parent / "libfpga-opencl.so", socket),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def write_headers(folder: Path) -> None:
    """What the program's kernels include."""
    headers = folder / "headers"
    headers.mkdir()
    guard = "#ifndef OUTER\n#define OUTER 40\n"
    (headers / "outer.h").write_text(f'{guard}#include "inner.h"\n#include "outer.h"\n#endif\n')
    (headers / "inner.h").write_text("#define INNER 2")
    (headers / "once.h").write_text("/* once */\n # pragma  once\nint same(int n) { return n; }\n")


@contextlib.contextmanager
def until_loss(checks: Path, socket: str) -> typing.Iterator["subprocess.Popen[bytes]"]:
    """The program, which uses the device until that is lost; it ends with 0 then."""
    with subprocess.Popen(
        [str(checks), "loss"],
        env=opencl.environment(checks.parent / "libfpga-opencl.so", socket),
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        yield process


@pytest.mark.parametrize("name", CHECKS)
def test_program_runs(node: opencl.Node, checks: Path, name: str, tmp_path: Path) -> None:
    write_headers(tmp_path)
    finished = run(checks, name, node.socket, tmp_path)
    assert (finished.returncode, finished.stderr) == (0, "")


def test_what_a_kernel_prints_is_printed(node: opencl.Node, checks: Path, tmp_path: Path) -> None:
    assert run(checks, "print", node.socket, tmp_path).stdout == "n is 42\n"


def test_program_without_a_node_has_no_platform(checks: Path, tmp_path: Path) -> None:
    finished = run(checks, "add", str(tmp_path / "nothing"), tmp_path)
    assert finished.returncode == 1
    assert "clGetPlatformIDs" in finished.stderr


def test_program_sees_that_its_worker_was_killed(node: opencl.Node, checks: Path) -> None:
    node.wait(0)
    with until_loss(checks, node.socket) as process:
        os.kill(node.wait(1)[0], signal.SIGKILL)
        assert process.wait(60) == 0


def test_clinfo_lists_the_device(node: opencl.Node, library: Path) -> None:
    finished = subprocess.run(
        ["clinfo"],
        env=opencl.environment(library, node.socket),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "fpga-nova" in finished.stdout
    assert "Number of devices                                 1" in finished.stdout


def test_library_needs_the_c_library_alone(library: Path) -> None:
    answer = subprocess.run(
        ["objdump", "-p", str(library)], check=True, capture_output=True, text=True
    ).stdout
    needed = [line.split()[1] for line in answer.splitlines() if "NEEDED" in line]
    assert needed == ["libc.so.6"]


def test_library_exports_what_the_loader_looks_for(library: Path) -> None:
    answer = subprocess.run(
        ["nm", "-D", "--defined-only", str(library)], check=True, capture_output=True, text=True
    ).stdout
    assert {line.split()[2] for line in answer.splitlines()} == {
        *("clIcdGetPlatformIDsKHR", "clGetPlatformInfo", "clGetExtensionFunctionAddress"),
    }
