# SPDX-License-Identifier: Apache-2.0
"""The sessions that the service has leased on this node, by what it said last.

Times are of the monotonic clock, which all processes of a host share. Nothing here outlives the
service's silence: whoever hears nothing of it for too long has no leases.
"""

import dataclasses
import hmac
import math
import re
import time
import typing
import uuid

_MIB = 1 << 20
_HASH = re.compile("[0-9a-f]{64}")


@dataclasses.dataclass(frozen=True)
class Lease:
    """A session.

    :ivar device: its number on this node, from 0
    :ivar memory: bytes of its worker
    :ivar end: when it expires
    :ivar token_hash: SHA-256, in hexadecimal
    :ivar token_end: when the token expires
    """

    id: uuid.UUID
    device: int
    memory: int
    end: float
    token_hash: str
    token_end: float

    def opens(self, token_hash: bytes, now: float) -> bool:
        """Whether the token of a hash opens it now."""
        same = hmac.compare_digest(token_hash, self.token_hash.encode())
        return same and now < min(self.end, self.token_end)


class Leases:
    """All of them.

    :param clock: monotonic, in seconds
    """

    def __init__(self, clock: typing.Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._by_id: dict[uuid.UUID, Lease] = {}
        self._until = 0.0

    def replace(
        self, rows: typing.Iterable[dict[str, typing.Any]], sent: float, ttl: float
    ) -> None:
        """Take what the service answered to a heartbeat.

        :param rows: as `/v1/opencl/nodes/ID/heartbeats` has them
        :param sent: when the heartbeat was sent, or before
        :param ttl: seconds from then for which it holds
        :raises ValueError, KeyError, TypeError, OverflowError: it is not such an answer
        """
        found = [_lease(one, sent) for one in rows]
        self._by_id = {one.id: one for one in found}
        self._until = sent + ttl

    @property
    def present(self) -> typing.Collection[uuid.UUID]:
        """The sessions that the service named last."""
        return self._by_id.keys()

    def clear(self) -> None:
        """Have none."""
        self._by_id, self._until = {}, 0.0

    def find(self, session: uuid.UUID) -> Lease | None:
        """The lease of a session; None if it has none now."""
        now = self._clock()
        lease = self._by_id.get(session)
        return lease if lease and now < min(lease.end, self._until) else None

    def opened(self, session: uuid.UUID, token_hash: bytes) -> Lease | None:
        """The lease that the token of a hash opens now; None if it opens none."""
        lease = self.find(session)
        return lease if lease and lease.opens(token_hash, self._clock()) else None


def _lease(row: dict[str, typing.Any], sent: float) -> Lease:
    seconds, token_seconds = float(row["seconds"]), float(row["token_seconds"])
    lease = Lease(
        id=uuid.UUID(str(row["id"])),
        device=int(row["device"]),
        memory=int(row["memory"]) * _MIB,
        end=sent + seconds,
        token_hash=str(row["token_hash"]),
        token_end=sent + token_seconds,
    )
    if not (math.isfinite(seconds) and math.isfinite(token_seconds)):
        raise ValueError(f"session {lease.id} has no end")
    if lease.device < 0 or lease.memory <= 0 or not _HASH.fullmatch(lease.token_hash):
        raise ValueError(f"session {lease.id} is on no device, or without memory or token")
    return lease
