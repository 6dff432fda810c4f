# SPDX-License-Identifier: Apache-2.0
"""The latest program of a running server, as it is on record in Nova's database.

There, another process of nova-compute finds it that has to settle what this one left. A value of
system metadata has room for 255 characters.
"""

import dataclasses
import json
import typing

from fpga_nova import request

#: The server's task while it is programmed: Nova itself keeps other tasks from it then.
TASK = "fpga_programming"

RUNNING, DONE, FAILED = "running", "done", "failed"

_KEY, _FAULT = "fpga_program", "fpga_program_fault"
_ROOM = 255


@dataclasses.dataclass(frozen=True)
class Program:
    """One bitstream on its way into one region of a server.

    :ivar id: chosen by who asked for it
    :ivar number: which of the server's regions it is
    :ivar region: the region's id
    :ivar bitstream: Glance id of the image
    :ivar previous: that of the one that was in the region; None for a file
    :ivar state: one of RUNNING, DONE and FAILED
    :ivar restored: whether the previous one is in place again
    :ivar reboot_required: whether the guest reaches the region only after a hard reboot
    :ivar code: exit status of fpga-cli where that failed
    :ivar fault: what failed, for people
    """

    id: str
    number: int
    region: str
    bitstream: str
    previous: str | None
    state: str = RUNNING
    restored: bool = False
    reboot_required: bool = False
    code: int | None = None
    fault: str | None = None

    def document(self, server: str) -> dict[str, typing.Any]:
        """The program as fpga-api gets it."""
        return {"server": server, **dataclasses.asdict(self)}

    def metadata(self) -> dict[str, str]:
        """The record."""
        fields = dataclasses.astuple(self)[:-1]
        text = json.dumps(fields, separators=(",", ":"))
        # A region of another program than ours may have a longer id; the server's column has it.
        if len(text) > _ROOM:
            text = json.dumps((*fields[:2], "", *fields[3:]), separators=(",", ":"))
        return {_KEY: text, _FAULT: (self.fault or "")[:_ROOM]}


def read(metadata: typing.Mapping[str, str]) -> Program | None:
    """The latest program of a server; None where there was none."""
    try:
        fields = json.loads(metadata.get(_KEY, ""))
        program = dataclasses.replace(Program(*fields), fault=metadata.get(_FAULT) or None)
    except (ValueError, TypeError):
        return None
    return program if request.UUID.fullmatch(str(program.id)) else None
