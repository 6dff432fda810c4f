# SPDX-License-Identifier: Apache-2.0
"""Prints what the hosts do: as a table that fits a terminal, and as JSON."""

import collections.abc
import dataclasses
import json

_MEBIBYTE = 1 << 20


@dataclasses.dataclass(frozen=True)
class Status:
    """What a host does.

    :ivar state: of its container, as the engine calls it, or "missing"
    :ivar network: "joined", "cut", or "unplugged"
    :ivar system: what systemd says of itself; empty where it does not run
    :ivar failed: units that failed
    :ivar memory: proportional set size of its processes, in bytes
    """

    name: str
    address: str
    suite: str
    state: str
    network: str
    system: str
    failed: tuple[str, ...]
    memory: int


def table(statuses: collections.abc.Sequence[Status]) -> str:
    """A line for each host, and the sum of their memory."""
    rows = [("host", "address", "suite", "state", "network", "system", "memory")]
    rows += [
        (s.name, s.address, s.suite, s.state, s.network, s.system or "-", _size(s.memory))
        for s in statuses
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    failed = [f"{s.name}: failed units: {', '.join(s.failed)}" for s in statuses if s.failed]
    total = f"{_size(sum(s.memory for s in statuses))} together"
    return "\n".join([*lines, *failed, total])


def as_json(statuses: collections.abc.Sequence[Status]) -> str:
    """The same as JSON; memory is in bytes."""
    return json.dumps({"hosts": [dataclasses.asdict(s) for s in statuses]}, indent=1)


def _size(count: int) -> str:
    return f"{count / _MEBIBYTE:.0f} MiB"
