# SPDX-License-Identifier: Apache-2.0
"""Regions of OpenCL with their real node servers and Debian's pocl: what runs, and what is left."""

import contextlib
import json
import os
import pathlib
import signal
import stat
import tempfile
import typing

import pytest
from oslo_config import cfg

from fpga_nova.deadline import Deadline
from fpga_opencl import client
from fpga_opencl.client import OpenCLError
from fpga_opencl.client.resources import DeviceMemoryObject, HostValue
from fpga_regions import errors
from fpga_regions.command import options
from fpga_regions.drivers.opencl import OpenclDriver
from fpga_regions.model import Loaded, Region, State
from fpga_regions.opencl import BINARY
from fpga_regions.served.server import Servers
from fpga_regions.system import sockets
from tests.support import bitstreams, opencl
from tests.support.host import Host, control_groups, wait_until
from tests.unit.fpga_opencl.conftest import Desk, desk
from tests.unit.fpga_regions.conftest import unpack

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can confine workers")

_LONG = 120  # seconds


class Served:
    """One region of OpenCL, and its driver."""

    def __init__(self, host: Host, index: int = 0) -> None:
        self.host = host
        self.conf: cfg.ConfigOpts = options.load(str(host.config))
        self.driver = OpenclDriver("opencl", self.conf)
        self.slots = self.driver.discover()
        number = f"b0399bc1-cb67-4548-b0b8-aa95a91402d{index}"
        self.region = Region(number, self.slots[index], State.FREE, "")
        self._folders = contextlib.ExitStack()

    def program(self, data: bytes) -> str:
        """Program a package; a path of its socket that is short enough for an address."""
        package = unpack(data, self.conf)
        self.driver.program(self.region, package, Deadline(_LONG))
        self._socket = pathlib.Path(self.driver.nodes(self.region, package)[0].path)
        return self.socket()

    def socket(self) -> str:
        """The path of the socket that there is now."""
        path = self._socket
        return f"{self._folders.enter_context(sockets.short(path.parent))}/{path.name}"

    def replace(self, data: bytes) -> None:
        """Program another package in place."""
        self.driver.replace(self.region, unpack(data, self.conf), Deadline(_LONG))

    def clear(self) -> None:
        """Clear the region."""
        self._folders.close()
        self.driver.clear(self.region, Deadline(_LONG))

    def read_back(self) -> Loaded | None:
        """What the region says."""
        return self.driver.read_back(self.region)

    def servers(self) -> list[int]:
        """The process on record that stands behind the region."""
        records = (self.host.state / "opencl").glob(self.region.id)
        return [json.loads(record.read_text())["pid"] for record in records]


def host_in(tmp_path: pathlib.Path, **more: typing.Any) -> Host:
    """A host with regions of OpenCL that may compile."""
    return Host(tmp_path, drivers="opencl", **({"opencl__parts": "binary,source"} | more))


@pytest.fixture
def served(tmp_path: pathlib.Path) -> typing.Iterator[Served]:
    one = Served(host_in(tmp_path, opencl__sessions=2))
    yield one
    one.clear()


@pytest.fixture(scope="module")
def binary() -> bytes:
    """What pocl makes of the program of the tests."""
    with tempfile.TemporaryDirectory() as name:
        one = Served(host_in(pathlib.Path(name)))
        try:
            with (work := desk(one.program(bitstreams.opencl_package()))).session as session:
                return bytes(_connection(session).call("query", 2, 0x1166, work.program, 0))
        finally:
            one.clear()


def _connection(session: client.Session) -> typing.Any:
    return typing.cast(typing.Any, session)._connection


def load(session: client.Session, content: bytes, number: int = 900) -> None:
    """Make a program of a binary, and build it."""
    context = session.contexts.create(session.devices.list())
    tail = (1).to_bytes(8, "little") + len(content).to_bytes(8, "little") + content
    _connection(session).call("create_program_with_binary", number, context, 1, 0, tail=tail)
    _connection(session).call("build_program", number, 0, 0)


def scaled(work: Desk) -> bytes:
    """What a kernel makes of four numbers."""
    session = work.session
    numbers = b"".join(one.to_bytes(4, "little") for one in (1, 2, 3, 4))
    source, target = work.buffer(numbers), work.buffer(bytes(16))
    kernel = session.kernels.create(work.program, "scale")
    for index, one in enumerate((target, source)):
        session.kernels.setkernelarg(kernel, index, DeviceMemoryObject(one))
    session.kernels.setkernelarg(kernel, 2, HostValue("BQAAAA=="))
    session.queues.enqueue_ndrange(work.queue, kernel, [4])
    return bytes(session.queues.enqueue_read(work.queue, target, 0, 16))


def test_devices_and_regions_are_as_configured(tmp_path: pathlib.Path) -> None:
    slots = Served(Host(tmp_path, drivers="opencl", opencl__cards=2, opencl__regions=3)).slots
    assert [(s.device, s.index) for s in slots] == [
        (f"opencl{card}", index) for card in range(2) for index in range(3)
    ]
    assert {(s.part, s.board, s.simulated) for s in slots} == {("binary", "opencl", True)}


def test_region_that_may_compile_runs_what_its_client_brings(served: Served) -> None:
    with (work := desk(served.program(bitstreams.opencl_package()))).session:
        assert scaled(work) == b"".join(one.to_bytes(4, "little") for one in (5, 10, 15, 20))


def test_region_shows_what_it_holds(served: Served) -> None:
    data = bitstreams.opencl_package(function="opencl-c")
    served.program(data)
    assert served.read_back() == Loaded("opencl-c", unpack(data, served.conf).digest)


def test_region_runs_the_binary_of_its_package_and_nothing_else(
    served: Served, binary: bytes
) -> None:
    changed = binary[:-1] + bytes([binary[-1] ^ 1])
    socket = served.program(bitstreams.opencl_package(binary, BINARY))
    with client.open_session(socket) as session:
        load(session, binary)
        with pytest.raises(OpenCLError, match="CL_INVALID_BINARY"):
            load(session, changed, 901)
        context = session.contexts.create(session.devices.list())
        with pytest.raises(OpenCLError, match="CL_COMPILER_NOT_AVAILABLE"):
            session.programs.create(context, ["kernel void f() {}"])


@pytest.mark.parametrize(
    "content", [b"no binary", b"poclbin\0" + bytes(1000)], ids=["text", "name"]
)
def test_binary_that_the_device_does_not_take_is_a_bad_package(
    served: Served, content: bytes
) -> None:
    with pytest.raises(errors.BadPackage, match="does not take the binary"):
        served.program(bitstreams.opencl_package(content, BINARY))
    served.clear()
    assert served.servers() == []


def test_package_that_asks_for_the_compiler_with_another_bitfile_is_refused(
    served: Served,
) -> None:
    with pytest.raises(errors.BadPackage, match="the line OpenCL C"):
        served.program(bitstreams.opencl_package(b"kernel void f() {}"))


def test_package_with_two_sockets_is_refused(served: Served) -> None:
    exposes = [{"kind": "socket", "name": f"/dev/opencl{n}"} for n in range(2)]
    with pytest.raises(errors.BadPackage, match="one socket"):
        served.program(bitstreams.opencl_package(exposes=exposes))


def test_host_compiles_nothing_unless_its_operator_allows_it(tmp_path: pathlib.Path) -> None:
    host = Host(tmp_path, drivers="opencl")
    package = tmp_path / "package.zip"
    package.write_bytes(bitstreams.opencl_package())
    result = host.run("burn", "--file", str(package))
    assert (result.returncode, host.states()) == (64, ["free", "free"])


def test_device_that_is_not_there_is_reported(tmp_path: pathlib.Path) -> None:
    one = Served(host_in(tmp_path, opencl__cards=64, opencl__regions=1), 9)
    with pytest.raises(errors.ProgrammingFailed, match="no such device"):
        one.program(bitstreams.opencl_package())
    one.clear()


def test_socket_is_for_any_user_and_its_folder_for_root_alone(served: Served) -> None:
    path = pathlib.Path(served.program(bitstreams.opencl_package()))
    assert stat.S_IMODE(path.stat().st_mode) == 0o666
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_cleared_region_leaves_no_process_no_group_and_no_memory(served: Served) -> None:
    with desk(served.program(bitstreams.opencl_package())).session as session:
        (server,) = served.servers()
        workers = opencl.descendants(server)
        assert len(workers) == 2
        served.clear()
        assert not any(opencl.runs(one) for one in (server, *workers))
        with pytest.raises(client.DeviceLost):
            session.devices.show(1)
    name = Servers(served.host.runtime, served.host.state, "opencl").group(served.region.id)
    assert control_groups(f"fpga-nova/{name}*") == []
    assert served.read_back() is None


def test_workers_are_bound_by_the_groups_of_their_region(served: Served) -> None:
    with desk(served.program(bitstreams.opencl_package())).session:
        (server,) = served.servers()
        lines = pathlib.Path(f"/proc/{server}/cgroup").read_text()
        if served.region.id not in lines:
            pytest.skip("this host lets us make no control groups")
        for worker in opencl.descendants(server):
            assert pathlib.Path(f"/proc/{worker}/cgroup").read_text() == lines


def test_session_that_takes_too_much_memory_ends_and_its_region_does_not(
    tmp_path: pathlib.Path,
) -> None:
    one = Served(host_in(tmp_path, opencl__max_memory=512 << 20))
    socket = one.program(bitstreams.opencl_package())
    with pytest.raises(client.DeviceLost):
        opencl.fill(desk(socket))
    assert one.read_back() is not None
    with (work := desk(socket)).session:
        assert scaled(work)
    one.clear()


def test_one_program_too_many_is_turned_away(served: Served) -> None:
    socket = served.program(bitstreams.opencl_package())
    with (
        client.open_session(socket),
        client.open_session(socket),
        pytest.raises(client.DeviceLost),
    ):
        client.open_session(socket)


def test_regions_have_no_user_in_common(tmp_path: pathlib.Path) -> None:
    host = host_in(tmp_path)
    both = [Served(host, index) for index in range(2)]
    users = []
    with contextlib.ExitStack() as cleanup:
        for one in both:
            socket = one.program(bitstreams.opencl_package())
            cleanup.callback(one.clear)
            cleanup.enter_context(client.open_session(socket))
            (server,) = one.servers()
            users.append(opencl.status(opencl.descendants(server)[-1])["Uid"])
    assert len(set(users)) == 2
    assert all("0" not in one.split() for one in users)


def test_reset_ends_sessions_and_keeps_what_the_region_runs(served: Served, binary: bytes) -> None:
    before = served.program(bitstreams.opencl_package(binary, BINARY))
    loaded = served.read_back()
    with client.open_session(before) as session:
        served.driver.reset(served.region, Deadline(_LONG))
        with pytest.raises(client.DeviceLost):
            session.devices.show(1)
    assert served.read_back() == loaded
    with client.open_session(served.socket()) as session:
        load(session, binary)


def test_next_session_on_the_same_socket_has_the_new_package(served: Served, binary: bytes) -> None:
    socket = served.program(bitstreams.opencl_package(binary, BINARY))
    inode = pathlib.Path(socket).stat().st_ino
    served.replace(bitstreams.opencl_package())
    assert pathlib.Path(socket).stat().st_ino == inode
    with (work := desk(socket)).session:
        assert scaled(work)


def test_end_of_the_node_server_is_seen_and_its_workers_end_with_it(served: Served) -> None:
    with client.open_session(served.program(bitstreams.opencl_package())):
        (server,) = served.servers()
        workers = opencl.descendants(server)
        os.kill(server, signal.SIGKILL)
        os.waitid(os.P_PID, server, os.WEXITED | os.WNOWAIT)
        assert served.read_back() is None
        wait_until(lambda: not any(map(opencl.runs, workers)))
