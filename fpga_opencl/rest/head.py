# SPDX-License-Identifier: Apache-2.0
"""Session and token of a request, by its first line and its headers."""

import email.message
import http.client
import io
import re
import typing
import uuid

from fpga_nova.deadline import Deadline
from fpga_opencl.afar.opening import Opening
from fpga_opencl.afar.secure import Secure
from fpga_opencl.rest.answers import Refusal

#: What every path begins with: those of fpga-api, at the address of the node.
PREFIX = "/v1/opencl/sessions/"
#: Bytes of the first line and the headers, and seconds for them.
_LARGEST, _PATIENCE = 16 << 10, 10.0
_PATH = re.compile(PREFIX + r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(/[^ ]*)")
_END = b"\r\n\r\n"


class Target(typing.NamedTuple):
    """What a request is for.

    :ivar opening: session and token
    :ivar rest: of the path, after the session
    """

    opening: Opening
    rest: str


def read(connection: Secure, begin: bytes) -> bytes:
    """The head of a request, and what came with it.

    :param begin: what was received before
    :raises Refusal: it is too large, or takes too long
    :raises EOFError: the client has left
    """
    content, deadline = begin, Deadline(_PATIENCE)
    while _END not in content and len(content) <= _LARGEST:
        connection.settimeout(max(deadline.remaining, 0.01))
        try:
            part = connection.recv(_LARGEST)
        except TimeoutError:
            raise Refusal(408, f"the headers did not come within {_PATIENCE:g} seconds") from None
        if not part:
            raise EOFError
        content += part
    if content.find(_END, 0, _LARGEST) < 0:
        raise Refusal(431, f"the headers have more than {_LARGEST} bytes")
    return content


def parse(head: bytes) -> Target:
    """What a head is for.

    :raises Refusal: it is not a head, or is for nothing here
    """
    line, _, headers = head.partition(b"\r\n")
    words = line.decode("latin-1").split(" ")
    if len(words) != 3 or not re.fullmatch(r"HTTP/1\.[01]", words[2]):
        raise Refusal(400, "the first line is not that of a request of HTTP/1.1")
    try:
        return find(words[1], http.client.parse_headers(io.BytesIO(headers)))
    except http.client.HTTPException:
        raise Refusal(431, "there are too many headers, or a header is too long") from None


def find(path: str, headers: email.message.Message) -> Target:
    """What a request is for.

    :raises Refusal: there is no such path, or no token
    """
    match = _PATH.fullmatch(path)
    if match is None:
        raise Refusal(404, f"paths begin with {PREFIX}SESSION_ID/")
    values = [str(value) for value in headers.get_all("Authorization") or []]
    scheme, _, token = values[0].partition(" ") if len(values) == 1 else ("", "", "")
    if scheme.lower() != "bearer" or not re.fullmatch(r"[!-~]{1,64}", token):
        raise Refusal(401, "give the token of the session as Authorization: Bearer TOKEN")
    return Target(Opening(uuid.UUID(match[1]), token.encode(), rest=True), match[2])
