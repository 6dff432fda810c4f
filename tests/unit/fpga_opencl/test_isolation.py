# SPDX-License-Identifier: Apache-2.0
"""Kernels are native code of strangers: what their worker can see, and what it cannot do."""

import hashlib
import typing
from pathlib import Path

import pytest

from fpga_opencl import client
from fpga_opencl.client import OpenCLError
from tests.support import opencl
from tests.unit.fpga_opencl.conftest import Desk, desk


@pytest.fixture(scope="module")
def worker(node: opencl.Node, work: Desk) -> int:
    """The process that serves `work`."""
    return node.wait(1)[0]


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "/etc/hostname", "/proc/1/environ", "/root/.bashrc", __file__]
)
def test_kernel_cannot_include_a_file_of_the_host(work: Desk, path: str) -> None:
    programs = work.session.programs
    number = programs.create(work.context, [f'#include "{path}"\nkernel void f() {{}}'])
    with pytest.raises(OpenCLError):
        programs.build(number, [work.device])
    log = str(programs.buildinfo(number, work.device, "LOG"))
    assert "not found" in log or "Permission denied" in log or "cannot open" in log


def test_worker_sees_nothing_of_the_host_but_opencl(worker: int) -> None:
    root = Path(f"/proc/{worker}/root")
    assert {one.name for one in root.iterdir()} <= {
        *("bin", "dev", "etc", "lib", "lib64", "proc", "sys", "tmp", "usr"),
    }
    assert {one.name for one in (root / "etc").iterdir()} <= {"OpenCL", "ld.so.cache"}
    assert {one.name for one in (root / "dev").iterdir()} == {"null", "zero", "urandom"}
    assert not (root / "usr/share/doc").exists()


def test_worker_has_no_rights(worker: int) -> None:
    status = opencl.status(worker)
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"
    for name in ("CapEff", "CapPrm", "CapBnd", "CapInh", "CapAmb"):
        assert int(status[name], 16) == 0
    assert "0" not in status["Uid"].split()
    assert status["Groups"] == ""


@pytest.mark.parametrize("name", ["net", "mnt", "pid", "ipc", "uts", "cgroup"])
def test_worker_has_namespaces_of_its_own(worker: int, name: str) -> None:
    assert Path(f"/proc/{worker}/ns/{name}").readlink() != Path(f"/proc/self/ns/{name}").readlink()


def test_worker_is_the_first_that_it_sees(worker: int) -> None:
    assert opencl.status(worker)["NSpid"].split()[-1] == "1"


def test_what_a_worker_mounts_is_read_only(worker: int) -> None:
    lines = Path(f"/proc/{worker}/mountinfo").read_text().splitlines()
    writable = [line.split()[4] for line in lines if line.split()[5].split(",")[0] == "rw"]
    assert writable == ["/tmp"]
    assert all("nosuid" in line.split()[5] for line in lines)


def test_sessions_have_users_of_their_own(node: opencl.Node, work: Desk) -> None:
    with client.open_session(node.socket):
        users = [opencl.status(one)["Uid"] for one in node.wait(2)]
    assert len(set(users)) == 2


def test_session_has_no_object_of_another(node: opencl.Node, work: Desk) -> None:
    with client.open_session(node.socket) as other:
        for resource in ("contexts", "buffers", "programs", "kernels", "queues"):
            assert getattr(other, resource).list() == []
        with pytest.raises(OpenCLError, match="CL_INVALID_COMMAND_QUEUE"):
            other.queues.finish(work.queue)
        with pytest.raises(OpenCLError, match="CL_INVALID_CONTEXT"):
            other.buffers.create(work.context, 64)


def test_worker_has_no_descriptor_of_the_server(worker: int) -> None:
    names = {str(one.readlink()).partition(":")[0] for one in Path(f"/proc/{worker}/fd").iterdir()}
    assert names == {"socket", "/memfd", "/dev/null"}


@pytest.mark.parametrize(
    ("options", "code"),
    [(["--no-source"], "CL_COMPILER_NOT_AVAILABLE"), ([], None)],
)
def test_source_where_it_is_allowed(
    tmp_path: Path, node: opencl.Node, options: list[str], code: str | None
) -> None:
    with opencl.serving(tmp_path, *options) as one, client.open_session(one.socket) as session:
        context = session.contexts.create(session.devices.list())
        if code is None:
            session.programs.create(context, ["kernel void f() {}"])
            return
        with pytest.raises(OpenCLError, match=code):
            session.programs.create(context, ["kernel void f() {}"])


def binary_of(work: Desk) -> bytes:
    """The binary of the program that is built."""
    connection = typing.cast(typing.Any, work.session)._connection
    return bytes(connection.call("query", 2, 0x1166, work.program, 0))


def load(session: client.Session, binary: bytes, number: int = 999) -> bytes:
    """Make a program of a binary."""
    connection = typing.cast(typing.Any, session)._connection
    context = session.contexts.create(session.devices.list())
    tail = (1).to_bytes(8, "little") + len(binary).to_bytes(8, "little") + binary
    reply = connection.call("create_program_with_binary", number, context, 1, 0, tail=tail)
    connection.call("build_program", number, 0, 0)
    return bytes(reply)


def test_binary_that_is_allowed_runs_and_a_changed_one_does_not(tmp_path: Path, work: Desk) -> None:
    binary = binary_of(work)
    changed = binary[:-1] + bytes([binary[-1] ^ 1])
    digest = hashlib.sha256(binary).hexdigest()
    with (
        opencl.serving(tmp_path, "--no-source", "--binary", digest) as one,
        client.open_session(one.socket) as session,
    ):
        assert load(session, binary) == bytes(4)
        with pytest.raises(OpenCLError, match="CL_INVALID_BINARY"):
            load(session, changed, 1000)


def test_device_has_no_more_memory_than_its_worker(node: opencl.Node, work: Desk) -> None:
    shown = work.session.devices.show(work.device)
    assert 3 << 30 < int(shown["global_memory"]) < 4 << 30


def test_buffers_beyond_the_memory_of_a_worker_are_refused(
    tmp_path: Path, node: opencl.Node
) -> None:
    with opencl.serving(tmp_path, "--memory", "0.5") as one:
        work = desk(one.socket)
        buffers, context = work.session.buffers, work.context
        with pytest.raises(OpenCLError, match="CL_INVALID_BUFFER_SIZE"):
            buffers.create(context, 400 << 20)
        first = buffers.create(context, 64 << 20)
        buffers.create(context, 64 << 20)
        with pytest.raises(OpenCLError, match="CL_MEM_OBJECT_ALLOCATION_FAILURE"):
            buffers.create(context, 80 << 20)
        buffers.release(first)
        buffers.create(context, 80 << 20)
        work.session.close()


def test_memory_of_a_session_is_limited(tmp_path: Path, node: opencl.Node) -> None:
    """The kernel ends a worker that takes more, and no other one."""
    with opencl.serving(tmp_path, "--memory", "0.4") as one, client.open_session(one.socket) as two:
        with pytest.raises(client.DeviceLost):
            opencl.fill(desk(one.socket))
        assert two.devices.list() == [1]
        assert two.devices.show(1)["name"]
