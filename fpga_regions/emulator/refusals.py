# SPDX-License-Identifier: Apache-2.0
"""Tells an input that a tool refuses for good from a host on which the tool does not work now.

An exit status is no evidence of either: a tool ends alike at a damaged bitstream and on a full
disk. So a tool that failed gets another input, one that it takes, under the same conditions.
"""

import os
import typing

from fpga_regions import errors
from fpga_regions.emulator.sandbox import Sandbox, ToolFailed

_ROOM = 64 << 20  # bytes that must be free where tools work: more than any of them writes


def failure(
    box: Sandbox, failed: ToolFailed, control: typing.Callable[[], object], why: str
) -> errors.RegionError:
    """What a tool's failure means.

    :param control: does the same with an input that the tool takes
    :param why: what to say of the input, if it is refused
    :returns: BadPackage, which stays so; ProgrammingFailed, after which another try may do
    """
    if failed.by_itself and _has_room(box) and _works(control):
        return errors.BadPackage(why)
    return errors.ProgrammingFailed(f"a tool of the emulator does not work: {failed}")


def _works(control: typing.Callable[[], object]) -> bool:
    try:
        control()
    except (ToolFailed, errors.RegionError):
        return False
    return True


def _has_room(box: Sandbox) -> bool:
    room = os.statvfs(box.parent)
    return room.f_bavail * room.f_frsize >= min(_ROOM, room.f_blocks * room.f_frsize // 4)
