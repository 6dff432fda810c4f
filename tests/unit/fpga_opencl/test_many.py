# SPDX-License-Identifier: Apache-2.0
"""Many sessions at once on one node, from afar; `OPENCL_SESSIONS` says how many, up to 64."""

import concurrent.futures
import contextlib
import os
import typing

import pytest

from fpga_opencl import client
from fpga_opencl.afar import opening
from tests.support import opencl, opencl_afar
from tests.support import opencl_nodes as nodes
from tests.support.host import wait_until

COUNT = int(os.environ.get("OPENCL_SESSIONS", "12"))
SIZE = 4096


@pytest.fixture(scope="module")
def large(
    cloud: opencl_afar.Cloud, tmp_path_factory: pytest.TempPathFactory
) -> typing.Iterator[opencl.Node]:
    """A node with room for all of them."""
    folder = tmp_path_factory.mktemp("node")
    with opencl_afar.node(cloud, folder, "node-1", "--sessions", str(COUNT)) as one:
        yield one


class Client:
    """A session with a buffer that nobody else is to see."""

    def __init__(self, place: client.Place, number: int) -> None:
        self.content = number.to_bytes(4, "little") * (SIZE // 4)
        self.session = client.open_afar(place)
        context = self.session.contexts.create(self.session.devices.list())
        self.queue = self.session.queues.create(context, self.session.devices.list()[0])
        self.buffer = self.session.buffers.create(context, SIZE)
        self.session.queues.enqueue_write(self.queue, self.buffer, 0, self.content)

    def is_whole(self) -> bool:
        """Whether the buffer has what was written."""
        read = self.session.queues.enqueue_read(self.queue, self.buffer, 0, SIZE)
        return read == self.content


def test_many_sessions_at_once(cloud: opencl_afar.Cloud, large: opencl.Node) -> None:
    places = [cloud.place(memory=512) for _ in range(COUNT)]
    refused = nodes.open_session(cloud.api, memory=64)
    assert (refused.status_code, refused.json["error"]["code"]) == (409, "fpga.none_free")
    with concurrent.futures.ThreadPoolExecutor(COUNT) as pool, contextlib.ExitStack() as stack:
        clients = list(pool.map(Client, places, range(COUNT)))
        for one in clients:
            stack.callback(one.session.close)
        large.wait(COUNT)
        assert all(pool.map(Client.is_whole, clients))
        with pytest.raises(client.RefusedError) as caught:
            client.open_afar(places[0])
        assert caught.value.code == opening.NO_ROOM
    large.wait(0)
    wait_until(lambda: large.groups() == 0)
