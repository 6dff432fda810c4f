# SPDX-License-Identifier: Apache-2.0
"""What the last audit saw of this host's regions, for callers that must not wait for fpga-cli."""

import datetime

from oslo_config import cfg

from fpga_nova import host_status

CONF = cfg.CONF


def host() -> str:
    """The name under which Nova knows this compute host."""
    return str(CONF.host)


class LastLook:
    """The status by host; without one before the first audit, and after one that could not see."""

    def __init__(self) -> None:
        self._statuses: dict[str, host_status.Status] = {}
        self._times: dict[str, datetime.datetime] = {}

    def forget(self) -> None:
        """An audit begins: what the one before it saw is out of date."""
        self._statuses.pop(host(), None)

    def record(self, status: host_status.Status) -> None:
        """Record what an audit saw."""
        self._times[host()] = datetime.datetime.now(datetime.UTC)
        self._statuses[host()] = status

    @property
    def status(self) -> host_status.Status | None:
        """What the last audit saw; None before the first, and after one that could not see."""
        return self._statuses.get(host())

    @property
    def at(self) -> datetime.datetime | None:
        """When an audit recorded what it saw last; None before the first."""
        return self._times.get(host())

    def images(self, state: str) -> str:
        """The images of the regions in a state; a free one may be warm."""
        regions = self.status.regions if self.status else ()
        return " ".join(sorted({r.image_id for r in regions if r.image_id and r.state == state}))


#: That of this service.
ours = LastLook()
