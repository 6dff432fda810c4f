# SPDX-License-Identifier: Apache-2.0
"""What the last audit saw of this host's regions, for callers that must not wait for fpga-cli."""

from oslo_config import cfg

from fpga_hooks.program import client

CONF = cfg.CONF

#: The status by host; without one before the first audit, and after one that could not see.
_seen: dict[str, client.Status] = {}


def host() -> str:
    """The name under which Nova knows this compute host."""
    return str(CONF.host)


def forget() -> None:
    """An audit begins: what the one before it saw is out of date."""
    _seen.pop(host(), None)


def keep(status: client.Status) -> None:
    """Record what an audit saw."""
    _seen[host()] = status


def status() -> client.Status | None:
    """What the last audit saw; None before the first, and after one that could not see."""
    return _seen.get(host())


def images(state: str) -> str:
    """The images of the regions in a state, as the last audit saw it; a free one may be warm."""
    seen = status()
    regions = seen.regions if seen else ()
    return " ".join(sorted({r.image_id for r in regions if r.image_id and r.state == state}))
