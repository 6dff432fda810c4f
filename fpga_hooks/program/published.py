# SPDX-License-Identifier: Apache-2.0
"""Reads the status that fpga-cli publishes in a file: no process, no root, no look at hardware.

Only for what a recent look or programming answers as well. Whoever finds nothing here asks
fpga-cli itself.
"""

import json
import os
import stat
import time
import typing
from pathlib import Path

from oslo_config import cfg
from oslo_log import log as logging

from fpga_nova import host_status
from fpga_nova.contract import STATUS_FORMAT

CONF = cfg.CONF
LOG = logging.getLogger(__name__)

_MOST = 4 * 1024 * 1024  # bytes; a region has some 600
_OLDEST = 60.0  # seconds; each audit publishes anew, once a minute
_OWNER = 0
_BOOT = Path("/proc/sys/kernel/random/boot_id")


def status() -> host_status.Status | None:
    """What was published in the last minute; None where that cannot be had or relied on."""
    answer = document()
    return None if answer is None else host_status.read(answer)


def document(oldest: float = _OLDEST) -> dict[str, typing.Any] | None:
    """The JSON of a status that can be read and is so recent; None where there is none.

    :param oldest: seconds
    """
    path = CONF.fpga.status_file
    if not path:
        return None
    try:
        answer: dict[str, typing.Any] = json.loads(_content(path))
        _check(answer, oldest)
        host_status.read(answer)
        return answer
    except (OSError, ValueError, KeyError, TypeError) as e:
        LOG.debug("The status published in %s is not used: %r", path, e)
        return None


def owned_by(owner: str, numbers: typing.Collection[int]) -> dict[int, host_status.Region] | None:
    """The regions of an owner by number.

    :param numbers: those that must be among them, known to be programmed and to answer; None if
        one of them is not
    """
    publication = status()
    regions = publication.owned_by(owner) if publication else {}
    good = {number for number, region in regions.items() if region.programmed and region.healthy}
    return regions if good.issuperset(numbers) else None


def _content(path: str) -> bytes:
    """What is in the file.

    :raises ValueError: somebody else than root could have written it
    """
    # Not to wait for the writer of a pipe that somebody put there.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags), "rb") as file:
        state = os.fstat(file.fileno())
        if not stat.S_ISREG(state.st_mode) or state.st_uid != _OWNER or state.st_mode & 0o022:
            raise ValueError("it is not a file that only root can write")
        return file.read(_MOST)


def _check(answer: dict[str, typing.Any], oldest: float) -> None:
    """See that it is to be read in this way, and of now.

    :raises ValueError: it is not
    """
    if answer["format"] != STATUS_FORMAT:
        raise ValueError(f"its format is {answer['format']}, not {STATUS_FORMAT}")
    if answer["boot"] != _BOOT.read_text().strip():
        raise ValueError("it is of another boot of the host")
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - float(answer["uptime"])
    if not 0 <= age <= oldest:
        raise ValueError(f"it is {age:.0f} s old")
