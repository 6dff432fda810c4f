# SPDX-License-Identifier: Apache-2.0
"""A node server with Debian's pocl for its device, and sessions with a program on it."""

import dataclasses
import os
import typing

import pytest

from fpga_opencl import client
from tests.support import opencl, opencl_afar

SOURCE = """
kernel void scale(global int *out, global const int *in, int factor) {
    size_t i = get_global_id(0);
    out[i] = in[i] * factor;
}
kernel void total(global int *out, global const int *in, local int *scratch) {
    scratch[get_local_id(0)] = in[get_global_id(0)];
    barrier(CLK_LOCAL_MEM_FENCE);
    if (get_local_id(0) == 0) {
        int sum = 0;
        for (size_t i = 0; i < get_local_size(0); i++) sum += scratch[i];
        out[get_group_id(0)] = sum;
    }
}
kernel void endless(global volatile int *out) { while (out[0] == 0) out[1]++; }
"""


@pytest.fixture(scope="session")
def root() -> None:
    """Skips what nobody else can do."""
    if os.geteuid() != 0:
        pytest.skip("only root can confine workers")


@pytest.fixture(scope="session")
def node(root: None, tmp_path_factory: pytest.TempPathFactory) -> typing.Iterator[opencl.Node]:
    """A node server for all tests of a process."""
    with opencl.serving(tmp_path_factory.mktemp("cl")) as one:
        yield one


@pytest.fixture(scope="module")
def cloud(
    root: None, tmp_path_factory: pytest.TempPathFactory
) -> typing.Iterator[opencl_afar.Cloud]:
    """A service."""
    with opencl_afar.cloud(tmp_path_factory.mktemp("api")) as one:
        yield one


@pytest.fixture(scope="module")
def serving(
    cloud: opencl_afar.Cloud, tmp_path_factory: pytest.TempPathFactory
) -> typing.Iterator[opencl.Node]:
    """A node server that has registered there."""
    with opencl_afar.node(cloud, tmp_path_factory.mktemp("node")) as one:
        yield one


@dataclasses.dataclass
class Desk:
    """A session with a context, a queue and a program that is built."""

    session: client.Session
    device: int
    context: int
    queue: int
    program: int

    def buffer(self, content: bytes) -> int:
        """A buffer with this content."""
        number = self.session.buffers.create(self.context, len(content))
        self.session.queues.enqueue_write(self.queue, number, 0, content)
        return number


def desk(socket: str) -> Desk:
    """A new session; its program is compiled anew."""
    session = client.open_session(socket)
    device = session.devices.list()[0]
    context = session.contexts.create([device])
    program = session.programs.create(context, [SOURCE])
    session.programs.build(program, [device])
    return Desk(session, device, context, session.queues.create(context, device), program)


@pytest.fixture(scope="module")
def work(node: opencl.Node) -> typing.Iterator[Desk]:
    """A session for all tests of a module."""
    node.wait(0)
    one = desk(node.socket)
    with one.session:
        yield one
