# SPDX-License-Identifier: Apache-2.0
"""What a client sends first over TLS, and what a node replies: `docs/opencl-protocol.md`."""

import hashlib
import struct
import typing
import uuid

from fpga_opencl.protocol import codes

MAGIC, VERSION = 0x52414641, 1  # "AFAR"
#: Of an opening that a gate makes of a request of REST; no client sends it.
REST_MAGIC = 0x54534552
#: What a client's opening begins with.
BEGIN = struct.pack("<I", MAGIC)
#: Magic, version, length of the token, session, token.
_REQUEST = struct.Struct("<IHH16s64s")
#: OpenCL's error code; 0 where the worker is there.
_REPLY = struct.Struct("<i")

SIZE, REPLY_SIZE = _REQUEST.size, _REPLY.size

#: The codes of a reply.
OPENED, NO_SESSION, NO_ROOM = codes.SUCCESS, codes.INVALID_VALUE, codes.OUT_OF_RESOURCES
#: The worker that had the objects of a session of REST has ended.
LOST = codes.DEVICE_NOT_AVAILABLE
#: A session of REST has as many connections as it may have.
BUSY = codes.INVALID_OPERATION


class Opening(typing.NamedTuple):
    """What opens a connection.

    :ivar session: id of the session
    :ivar token: of the session
    :ivar rest: whether requests of REST follow, not messages
    """

    session: uuid.UUID
    token: bytes
    rest: bool = False

    def pack(self) -> bytes:
        """As it is sent.

        :raises ValueError: it is no token
        """
        if len(self.token) > 64:
            raise ValueError("the token is too long")
        magic = REST_MAGIC if self.rest else MAGIC
        return _REQUEST.pack(magic, VERSION, len(self.token), self.session.bytes, self.token)

    def without_token(self) -> "Opening":
        """The same with the SHA-256 of its token, in hexadecimal, in the token's place.

        A server gets no more than that: each of its workers is a copy of it.
        """
        return self._replace(token=hashlib.sha256(self.token).hexdigest().encode())


def unpack(content: bytes) -> Opening | None:
    """What opens a connection; None if it is something else."""
    if len(content) != SIZE:
        return None
    magic, version, length, session, token = _REQUEST.unpack(content)
    if magic not in (MAGIC, REST_MAGIC) or version != VERSION or length > len(token):
        return None
    return Opening(uuid.UUID(bytes=session), token[:length], magic == REST_MAGIC)


def pack_reply(code: int) -> bytes:
    """A reply."""
    return _REPLY.pack(code)


def unpack_reply(content: bytes) -> int:
    """The code of a reply."""
    return int(_REPLY.unpack(content)[0])
