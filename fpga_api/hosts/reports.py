# SPDX-License-Identifier: Apache-2.0
"""Reads what a host reports. A host is not trusted to send what it should."""

import dataclasses
import datetime
import typing

from fpga_api import clock

#: Regions of a host, and characters of a text: what is longer is no report.
_MOST_REGIONS = 10_000
_LONGEST = 4096

#: Members of a region by the kind of their values; null where the host does not know.
_KINDS: dict[str, type] = {
    **dict.fromkeys(("id", "device", "driver", "vendor", "board", "part"), str),
    **dict.fromkeys(("state", "quarantine", "owner", "image_id", "function", "digest"), str),
    **dict.fromkeys(("since", "reason", "address"), str),
    **dict.fromkeys(("simulated", "healthy", "withheld", "claimed"), bool),
    "number": int,
}
_OF_NODE = ("kind", "name", "path")

Region = dict[str, typing.Any]


class NoReport(Exception):
    """What a host sent is no report of regions."""


@dataclasses.dataclass(frozen=True)
class Report:
    """The regions of a host.

    :ivar at: when they were so, by the host's clock
    :ivar regions: members as of status.schema.json, ``withheld``, and ``claimed``: the owner is a
        claim
    """

    at: datetime.datetime
    regions: tuple[Region, ...]


def read(document: typing.Any) -> Report:
    """What a host sent.

    :raises NoReport: it is something else
    """
    try:
        regions = document["regions"]
        if not isinstance(regions, list) or len(regions) > _MOST_REGIONS:
            raise NoReport("it has no list of regions, or too long a one")
        return Report(clock.parse(document["at"]), tuple(_region(one) for one in regions))
    except (AttributeError, KeyError, TypeError, ValueError) as e:
        raise NoReport(f"it cannot be read: {e!r}") from e


def _region(entry: typing.Any) -> Region:
    region: Region = {name: _value(entry.get(name), kind) for name, kind in _KINDS.items()}
    if not region["id"] or not region["state"]:
        raise ValueError("a region has no id or no state")
    nodes = entry.get("nodes") or []
    region["nodes"] = [{name: _value(node[name], str) for name in _OF_NODE} for node in nodes]
    return region


def _value(value: typing.Any, kind: type) -> typing.Any:
    if value is None:
        return None
    # A truth value is an int of Python, too.
    if type(value) is not kind or (isinstance(value, str) and len(value) > _LONGEST):
        raise TypeError(f"a {kind.__name__} is expected")
    return value
