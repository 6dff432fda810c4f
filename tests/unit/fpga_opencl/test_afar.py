# SPDX-License-Identifier: Apache-2.0
"""OpenCL from afar: a real service, a real node with pocl, TLS between node and client."""

import base64
import contextlib
import functools
import os
import signal
import socket
import ssl
import threading
import time
import typing
from pathlib import Path

import pytest

from fpga_opencl import client
from fpga_opencl.afar import opening
from fpga_opencl.client.resources import DeviceMemoryObject, HostValue
from tests.support import opencl, opencl_afar
from tests.support import opencl_nodes as nodes
from tests.support.host import wait_until
from tests.unit.fpga_opencl.conftest import SOURCE
from tests.unit.fpga_opencl.test_ends import SOON

_LONG = 60  # seconds


@pytest.fixture
def afar(serving: opencl.Node, cloud: opencl_afar.Cloud) -> typing.Iterator[opencl.Node]:
    """A node without sessions."""
    wait_until(lambda: cloud.state("node-1") == "up")
    serving.wait(0)  # without the worker that showed the registrar the devices, too
    yield serving
    for one in cloud.api.call("GET", f"{nodes.SESSIONS}?state=active", "admin").json["sessions"]:
        cloud.api.call("DELETE", f"{nodes.SESSIONS}/{one['id']}", "admin")
    wait_until(cloud.is_settled)
    serving.wait(0)


def _scale(session: client.Session, factor: int) -> bytes:
    """The numbers 0 to 63, each multiplied on the node."""
    device = session.devices.list()[0]
    context = session.contexts.create([device])
    queue = session.queues.create(context, device)
    program = session.programs.create(context, [SOURCE])
    session.programs.build(program, [device])
    kernel = session.kernels.create(program, "scale")
    buffers = [session.buffers.create(context, 256) for _ in range(2)]
    content = b"".join(number.to_bytes(4, "little") for number in range(64))
    session.queues.enqueue_write(queue, buffers[1], 0, content)
    for index, buffer in enumerate(buffers):
        session.kernels.setkernelarg(kernel, index, DeviceMemoryObject(buffer))
    text = base64.b64encode(factor.to_bytes(4, "little")).decode()
    session.kernels.setkernelarg(kernel, 2, HostValue(text))
    session.queues.enqueue_ndrange(queue, kernel, [64])
    session.queues.finish(queue)
    return session.queues.enqueue_read(queue, buffers[0], 0, 256)


def _refusal(place: client.Place) -> int:
    with pytest.raises(client.RefusedError) as caught:
        client.open_afar(place)
    return caught.value.code


def test_kernel_runs_on_the_node(cloud: opencl_afar.Cloud, afar: opencl.Node) -> None:
    with client.open_afar(cloud.place()) as session:
        answer = _scale(session, 3)
    assert answer[4 * 63 :] == (189).to_bytes(4, "little")


def _holds(process: int, content: bytes) -> bool:
    """Whether a process has something in its memory."""
    with (
        Path(f"/proc/{process}/maps").open() as maps,
        Path(f"/proc/{process}/mem").open("rb", buffering=0) as memory,
    ):
        for line in maps:
            place, rights = line.split()[:2]
            start, end = (int(one, 16) for one in place.split("-"))
            # What is only reserved has no content.
            if rights.startswith("rw") and end - start < 1 << 28:
                memory.seek(start)
                with contextlib.suppress(OSError):
                    if content in memory.read(end - start):
                        return True
    return False


def test_worker_has_no_token_of_another_client(cloud: opencl_afar.Cloud, afar: opencl.Node) -> None:
    first, second = cloud.place(), cloud.place()
    with client.open_afar(first), client.open_afar(second):
        for worker in afar.wait(2):
            assert _holds(worker, b"fpga_opencl")
            assert not any(_holds(worker, one.token.encode()) for one in (first, second))


@pytest.mark.parametrize("size", [1, 1 << 14, (16 << 20) + 3])
def test_content_comes_back_as_it_went(
    cloud: opencl_afar.Cloud, afar: opencl.Node, size: int
) -> None:
    content = os.urandom(size)
    with client.open_afar(cloud.place()) as session:
        context = session.contexts.create(session.devices.list())
        queue = session.queues.create(context, session.devices.list()[0])
        buffer = session.buffers.create(context, size)
        session.queues.enqueue_write(queue, buffer, 0, content)
        assert session.queues.enqueue_read(queue, buffer, 0, size) == content


def test_device_has_the_memory_of_the_session(cloud: opencl_afar.Cloud, afar: opencl.Node) -> None:
    sizes = []
    for memory in (700, 900):
        with client.open_afar(cloud.place(memory=memory)) as session:
            sizes.append(int(session.devices.show(1)["global_memory"]))
    assert sizes[1] - sizes[0] == 200 << 20


def test_session_has_one_connection_at_a_time(cloud: opencl_afar.Cloud, afar: opencl.Node) -> None:
    place = cloud.place()
    with client.open_afar(place):
        assert _refusal(place) == opening.NO_ROOM
    with client.open_afar(place) as session:  # as soon as the first one has left
        assert session.devices.list()


def test_token_that_opens_nothing_is_refused_before_opencl_is_loaded(
    cloud: opencl_afar.Cloud, afar: opencl.Node
) -> None:
    place, other = cloud.place(memory=64), cloud.place(memory=64)
    stranger = "00000000-0000-0000-0000-000000000009"
    for wrong in (
        place._replace(token="x" * 43),
        place._replace(token=""),
        place._replace(token=other.token),
        place._replace(session=other.session),
        place._replace(session=stranger),
    ):
        assert _refusal(wrong) == opening.NO_SESSION
    assert afar.sessions() == []
    client.open_afar(place).close()


def test_token_that_has_expired_or_was_replaced_is_refused(
    cloud: opencl_afar.Cloud, afar: opencl.Node
) -> None:
    cloud.api.service.conf.set_override("token_ttl", 10, "opencl")
    try:
        short = cloud.place(memory=64)
    finally:
        cloud.api.service.conf.clear_override("token_ttl", "opencl")
    with client.open_afar(short) as session:
        # Until then the reason is that the session has a connection.
        wait_until(lambda: _refusal(short) == opening.NO_SESSION, 30)
        assert session.devices.show(1)  # what is open stays open
    place = cloud.place(memory=64)
    path = f"{nodes.SESSIONS}/{place.session}/tokens"
    renewed = cloud.api.call("POST", path, "member").json["token"]
    wait_until(lambda: _opens(place._replace(token=renewed)))
    assert _refusal(place) == opening.NO_SESSION


def _opens(place: client.Place) -> bool:
    try:
        client.open_afar(place).close()
    except client.RefusedError:
        return False
    return True


def test_node_with_another_certificate_is_refused(
    cloud: opencl_afar.Cloud, afar: opencl.Node, tmp_path: Path
) -> None:
    other, _ = opencl_afar.certificate(tmp_path)
    place = cloud.place()._replace(certificate=other.read_text())
    with pytest.raises(ssl.SSLCertVerificationError):
        client.open_afar(place)


def _ends(connection: socket.socket, content: bytes) -> bool:
    """Whether a connection ends after this content; it may while that is sent."""
    try:
        connection.sendall(content)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(4096):
            pass
    except TimeoutError:
        return False
    except OSError:
        pass  # reset, or no longer connected
    return True


@pytest.mark.parametrize("content", [b"", b"GET / HTTP/1.1\r\n\r\n", b"\xa5" * 4096])
def test_client_that_speaks_something_else_is_dropped(
    cloud: opencl_afar.Cloud, afar: opencl.Node, content: bytes
) -> None:
    place = cloud.place()
    host, _, port = place.address.rpartition(":")
    with socket.create_connection((host, int(port))) as plain:
        plain.settimeout(_LONG)
        assert _ends(plain, content)
    context = ssl._create_unverified_context()
    plain = socket.create_connection((host, int(port)))
    with context.wrap_socket(plain) as secure:
        secure.sendall(bytes(opening.SIZE))
        secure.settimeout(_LONG)
        assert secure.recv(1) == b""
    assert afar.sessions() == []
    client.open_afar(place).close()


def test_worker_ends_with_its_lease(cloud: opencl_afar.Cloud, afar: opencl.Node) -> None:
    ended, expired = cloud.place(memory=64), cloud.place(memory=64)
    with client.open_afar(ended) as one, client.open_afar(expired) as two:
        afar.wait(2)
        cloud.api.call("DELETE", f"{nodes.SESSIONS}/{ended.session}", "member")
        wait_until(lambda: len(afar.sessions()) == 1, SOON)
        with pytest.raises(client.DeviceLost):
            one.devices.show(1)
        path = f"{nodes.SESSIONS}/{expired.session}"
        cloud.api.call("PATCH", path, "member", json={"ttl": 1})
        wait_until(lambda: not afar.sessions(), 1 + SOON)
        with pytest.raises(client.DeviceLost):
            two.devices.show(1)
    for place, state in ((ended, "closed"), (expired, "expired")):
        wait_until(functools.partial(_is, cloud, place, state))


def test_worker_ends_with_its_client(cloud: opencl_afar.Cloud, afar: opencl.Node) -> None:
    session = client.open_afar(cloud.place())
    (worker,) = afar.wait(1)
    session.close()
    wait_until(lambda: not opencl.runs(worker), SOON)


def test_client_sees_that_its_worker_was_killed(
    cloud: opencl_afar.Cloud, afar: opencl.Node
) -> None:
    with client.open_afar(cloud.place()) as session:
        (worker,) = afar.wait(1)
        os.kill(worker, signal.SIGKILL)
        begin = time.monotonic()
        with pytest.raises(client.DeviceLost, match="CL_DEVICE_NOT_AVAILABLE"):
            while True:
                session.devices.show(1)
        assert time.monotonic() - begin < SOON


def test_gate_that_is_killed_ends_its_client_and_its_worker(
    cloud: opencl_afar.Cloud, afar: opencl.Node
) -> None:
    place = cloud.place()
    with client.open_afar(place) as session:
        (worker,) = afar.wait(1)
        for gate in opencl.descendants(afar.helper("doorman")):
            with contextlib.suppress(ProcessLookupError):
                os.kill(gate, signal.SIGKILL)
        with pytest.raises(client.DeviceLost):
            while True:
                session.devices.show(1)
        wait_until(lambda: not opencl.runs(worker), SOON)
    afar.wait(0)
    client.open_afar(place).close()  # the doorman has room for another one


@pytest.mark.parametrize("helper", ["doorman", "registrar"])
def test_helper_that_is_killed_comes_back(
    cloud: opencl_afar.Cloud, afar: opencl.Node, helper: str
) -> None:
    before = afar.helper(helper)
    with client.open_afar(cloud.place(memory=64)) as session:
        os.kill(before, signal.SIGKILL)
        if helper == "registrar":
            assert session.devices.show(1)["name"]  # nobody sees it
        wait_until(lambda: helper in _helpers(afar, before))
    wait_until(lambda: _opens_anew(cloud))


def _helpers(afar: opencl.Node, before: int) -> str:
    children = opencl._children(afar.process.pid)
    return " ".join(opencl.command(one) for one in children if one != before)


def _opens_anew(cloud: opencl_afar.Cloud) -> bool:
    try:
        client.open_afar(cloud.place(memory=64)).close()
    except (OSError, AssertionError):
        return False
    return True


def test_node_that_hears_nothing_ends_all_workers(
    cloud: opencl_afar.Cloud, afar: opencl.Node
) -> None:
    with client.open_afar(cloud.place()) as session:
        cloud.gate.clear()
        try:
            begin = time.monotonic()
            assert afar.sessions()
            wait_until(lambda: not afar.sessions(), opencl_afar.TTL + SOON)
            # Not at the first heartbeat that is missing; when the last one came is not known.
            assert time.monotonic() - begin > opencl_afar.TTL / 6
        finally:
            cloud.gate.set()
        with pytest.raises(client.DeviceLost):
            session.devices.show(1)
    wait_until(lambda: cloud.state("node-1") == "up")


def test_node_that_was_unregistered_comes_back_empty(
    cloud: opencl_afar.Cloud, afar: opencl.Node
) -> None:
    place = cloud.place()
    with client.open_afar(place):
        (node,) = cloud.api.call("GET", nodes.NODES, "manager").json["nodes"]
        for _ in range(2):
            path = f"{nodes.NODES}/{node['id']}"
            assert cloud.api.call("DELETE", path, "admin").status_code == 204
        wait_until(lambda: not afar.sessions())
    wait_until(lambda: cloud.state("node-1") == "up")
    (again,) = cloud.api.call("GET", nodes.NODES, "manager").json["nodes"]
    assert again["boot"] != node["boot"]
    assert again["devices"] == node["devices"]
    wait_until(lambda: _is(cloud, place, "lost"))
    assert nodes.show(cloud.api, place.session)["fault"]["code"] == "fpga.node_unregistered"


def test_node_that_is_killed_is_lost_with_its_sessions(
    cloud: opencl_afar.Cloud, tmp_path: Path
) -> None:
    with opencl_afar.node(cloud, tmp_path, "node-2") as second:
        place = cloud.place(node="node-2")
        session = client.open_afar(place)
        os.kill(second.process.pid, signal.SIGKILL)
        begin = time.monotonic()
        with pytest.raises(client.DeviceLost):
            while True:
                session.devices.show(1)
        assert time.monotonic() - begin < SOON
        session.close()
    wait_until(lambda: cloud.state("node-2") == "lost", opencl_afar.TTL + _LONG)
    wait_until(lambda: _is(cloud, place, "lost"))
    assert nodes.show(cloud.api, place.session)["fault"]["code"] == "fpga.node_lost"
    (node,) = [
        one
        for one in cloud.api.call("GET", nodes.NODES, "manager").json["nodes"]
        if one["name"] == "node-2"
    ]
    cloud.api.call("DELETE", f"{nodes.NODES}/{node['id']}", "admin")


def _is(cloud: opencl_afar.Cloud, place: client.Place, state: str) -> bool:
    """Whether a session has a state, after a look of the engine."""
    cloud.look()
    return bool(nodes.show(cloud.api, place.session)["state"] == state)


def test_many_clients_at_once(cloud: opencl_afar.Cloud, afar: opencl.Node) -> None:
    places = [cloud.place(memory=512) for _ in range(4)]
    found: list[bytes] = []

    def run(number: int) -> None:
        with client.open_afar(places[number]) as session:
            found.append(_scale(session, number)[4:8])

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [number.to_bytes(4, "little") for number in range(4)]
