# SPDX-License-Identifier: Apache-2.0
"""Publishes the status in a file, for programs that must know it soon and may not run fpga-cli.

The file is replaced, never written in place: after each change of the ledger and after each look at
the hardware, by the process that made it and before that goes on. The ledger is read under the lock
under which the file is replaced, so that no older state takes the place of a newer one. Where a
process dies between a change and its publication, the next command makes up for it: it publishes
before it gives a region to anybody, since that is a change, too.

`healthy` is what the last look found. A region that was programmed since then was read back. What
nobody looked at since the host started is null.
"""

import contextlib
import errno
import grp
import json
import logging
import os
import time
import typing
from pathlib import Path

from oslo_config import cfg

from fpga_nova.contract import STATUS_FORMAT
from fpga_nova.deadline import Deadline
from fpga_regions import errors
from fpga_regions.ledger import events, ledger, status
from fpga_regions.model import Region, State
from fpga_regions.system import folders, locks

_LOCK = "published"
_TIMEOUT = 5.0  # seconds; it is held for about one millisecond
_NEW = ".new"
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_LOG = logging.getLogger(__name__)


def uptime() -> float:
    """Seconds since the host started; no change of the clock disturbs them."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Publisher:
    """Writes `status_file`. That it cannot is a warning, and the file is removed then."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._path = Path(conf.status_file) if conf.status_file else None
        self._group = conf.status_group
        self._done = False

    def changed(self, db: ledger.Ledger) -> None:
        """Publish what the ledger says now."""
        self._publish(db, (), None)

    def ended(self, db: ledger.Ledger) -> None:
        """Publish unless that was done: another process may have died before it could."""
        if not self._done:
            self.changed(db)

    def looked(self, db: ledger.Ledger, regions: status.Regions, began: float) -> None:
        """Publish what the ledger says now, and what a look at the hardware found.

        :param began: the uptime before it
        """
        self._publish(db, regions, began)

    def _publish(self, db: ledger.Ledger, regions: status.Regions, began: float | None) -> None:
        self._done = True
        if self._path is None:
            return
        try:
            with locks.held(db.folder / ledger.LOCKS / _LOCK, Deadline(_TIMEOUT)):
                self._replace(self._path, json.dumps(_document(self._path, db, regions, began)))
        except locks.NotLocked:
            self._failed(
                self._path, f"another fpga-cli is at it for more than {_TIMEOUT:g} seconds"
            )
        except (OSError, errors.LedgerUnusable) as e:
            self._failed(self._path, str(e))

    def _failed(self, path: Path, why: str) -> None:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        _LOG.warning("cannot publish the status in %s - %s", path, why)

    def _replace(self, path: Path, text: str) -> None:
        """Put a text in the place of what is there."""
        group = -1 if self._group is None else _group_id(self._group)
        folders.make_public(path.parent)
        new = path.with_name(path.name + _NEW)
        new.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(new, flags, mode=0o600), "w") as file:
            os.fchown(file.fileno(), -1, group)
            os.fchmod(file.fileno(), 0o640)
            file.write(text)
        new.replace(path)


class _Published:
    """What was published last, since the host started; nothing, where that cannot be read."""

    def __init__(self, path: Path, boot: str) -> None:
        self.looked: float | None = None
        self.regions: dict[str, dict[str, typing.Any]] = {}
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            with os.fdopen(os.open(path, flags)) as file:
                last = json.load(file)
            if (last["format"], last["boot"]) == (STATUS_FORMAT, boot):
                self.regions = {region["id"]: region for region in last["regions"]}
                self.looked = last["looked"]


def _document(
    path: Path, db: ledger.Ledger, regions: status.Regions, began: float | None
) -> dict[str, typing.Any]:
    boot, now = _BOOT.read_text().strip(), uptime()
    last = _Published(path, boot)
    latest = began is not None and (last.looked is None or began > last.looked)
    seen = dict(regions) if latest else {}
    head = {
        "format": STATUS_FORMAT,
        "at": events.now(),
        "boot": boot,
        "uptime": now,
        "looked": began if latest else last.looked,
    }
    return head | status.document([(one, _health(one, seen, last)) for one in db.regions()])


def _group_id(name: str) -> int:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise OSError(errno.EINVAL, f"there is no group {name} (status_group)") from None


def _health(
    region: Region, seen: typing.Mapping[Region, bool | None], last: _Published
) -> bool | None:
    if region.state != State.PROGRAMMED:
        return None
    if region.lost is not None:
        return False
    if region in seen:
        return seen[region]
    before = last.regions.get(region.id)
    if before is None:
        return None
    if (before["state"], before["since"]) == (region.state, region.since):
        return typing.cast(bool | None, before["healthy"])
    return True
