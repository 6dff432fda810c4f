# SPDX-License-Identifier: Apache-2.0
"""The table of calls beside the original's list, the documentation, and heads of requests."""

import re
import socket
import uuid

import pytest

from fpga_opencl.client import Session, queues, resources
from fpga_opencl.node import desks
from fpga_opencl.node.leases import Lease
from fpga_opencl.rest import calls, generate, head, schemas
from fpga_opencl.rest.answers import Refusal
from tests.support import opencl

_COUNTED = "list show create retain release"
#: The 37 calls of the original of 2014, by its resources and the actions in its paths.
ORIGINAL = {
    "os-opencldevices": "list show",
    "os-openclcontexts": _COUNTED,
    "os-openclbuffers": _COUNTED,
    "os-openclprograms": f"{_COUNTED} build buildinfo",
    "os-openclkernels": f"{_COUNTED} setkernelarg",
    "os-openclqueues": f"{_COUNTED} enqueuereadbuffer enqueuewritebuffer enqueuecopybuffer"
    " enqueuendrangekernel enqueuetask enqueuebarrier finish",
}
CLIENT = {
    "devices": resources.Devices,
    "contexts": resources.Contexts,
    "buffers": resources.Buffers,
    "programs": resources.Programs,
    "kernels": resources.Kernels,
    "queues": queues.Queues,
}
SESSION = "12345678-9abc-4def-8123-456789abcdef"
BEGIN = f"GET {head.PREFIX}{SESSION}/os-openclqueues HTTP/1.1\r\n".encode()
TOKEN = b"Authorization: Bearer a-token\r\n"


def test_calls_are_those_of_the_original() -> None:
    ours = [(f"os-opencl{one.resource}", one.action or one.name) for one in calls.CALLS]
    original = [(name, word) for name, words in ORIGINAL.items() for word in words.split()]
    assert len(original) == 37
    assert ours == original


@pytest.mark.parametrize("call", calls.CALLS, ids=lambda call: call.id)
def test_python_client_has_each_call(call: calls.Call) -> None:
    assert callable(getattr(CLIENT[call.resource], call.name))
    assert call.resource in (Session.__doc__ or "")


@pytest.mark.parametrize("call", calls.CALLS, ids=lambda call: call.id)
def test_each_call_is_found_by_its_request(call: calls.Call) -> None:
    found = calls.find(call.method, call.path.replace("NUMBER", "7"))
    assert found == (call, 7 if call.numbered else 0)


def test_documentation_has_the_tables_as_they_are() -> None:
    page = (opencl.ROOT / "docs/opencl-rest.md").read_text()
    begin, end = "<!-- made of fpga_opencl/rest/calls.py -->\n", "<!-- end of what is made -->"
    assert re.search(f"{begin}(.*){end}", page, re.DOTALL), "the marks are gone"
    assert page.partition(begin)[2].partition(end)[0].strip() == generate.tables().strip()


def test_documentation_has_the_limits_as_they_are() -> None:
    page = (opencl.ROOT / "docs/opencl-rest.md").read_text()
    assert f"{schemas.BODY >> 20} MiB" in page
    assert f"{schemas.CONTENT >> 10} KiB" in page


def test_head_gives_session_and_token() -> None:
    found = head.parse(BEGIN + TOKEN + b"Host: node\r\n\r\nbody")
    assert str(found.opening.session) == SESSION
    assert (found.opening.token, found.opening.rest) == (b"a-token", True)
    assert found.rest == "/os-openclqueues"


@pytest.mark.parametrize(
    ("status", "content"),
    [
        (401, BEGIN + b"\r\n"),
        (401, BEGIN + TOKEN + TOKEN + b"\r\n"),
        (401, BEGIN + b"Authorization: Bearer\r\n\r\n"),
        (401, BEGIN + b"Authorization: Bearer \xff\xfe\r\n\r\n"),
        (401, BEGIN + b"Authorization: Bearer " + b"x" * 65 + b"\r\n\r\n"),
        (401, BEGIN + b"X-Auth-Token: a-token\r\n\r\n"),
        (400, BEGIN[:-4] + b"2.0\r\n" + TOKEN + b"\r\n"),
        (400, BEGIN[4:] + TOKEN + b"\r\n"),
        (404, BEGIN.replace(b"9abc", b"9ABC") + TOKEN + b"\r\n"),
        (404, BEGIN.replace(b"/v1", b"//v1") + TOKEN + b"\r\n"),
        (431, BEGIN + TOKEN * 101 + b"\r\n"),
    ],
)
def test_head_that_is_none_is_refused(status: int, content: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        head.parse(content)
    assert caught.value.status == status


def test_message_about_a_body_is_short() -> None:
    check = schemas.Check(schemas.WRITE)
    with pytest.raises(Refusal) as caught:
        check({"Buffer": 1, "Data": "A" * (1 << 20)})
    assert "maxLength" in str(caught.value)
    assert len(str(caught.value)) < 200


def test_session_has_no_more_gates_than_it_may() -> None:
    lease = Lease(uuid.UUID(SESSION), 0, 1 << 20, 1e9, "00" * 32, 1e9)
    many, (way, desk) = desks.Desks(), socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    many.add(lease.id, way)
    pairs = [socket.socketpair() for _ in range(desks.MOST)]
    for gate, _ in pairs:
        assert not many.is_full(lease.id)
        connection = many.enter(lease, gate)
        assert connection
        connection.close()
        gate.close()  # the server's own, once the gate has its answer
    assert many.is_full(lease.id)
    pairs[1][1].close()
    assert not many.is_full(lease.id)
    many.close(lease.id)
    assert (lease.id in many, many.lost(lease.id)) == (False, True)
    assert pairs[0][1].recv(1) == b""  # nothing of it is kept
    many.keep([])
    assert not many.lost(lease.id)
    for one in (desk, *(pair[1] for pair in pairs)):
        one.close()
