# SPDX-License-Identifier: Apache-2.0
"""Programs as the API shows them."""

import typing

from fpga_api import clock
from fpga_api.db.programs import Program

#: Members that are as the database has them.
_NAMES = (
    *("id", "project_id", "user_id", "server_id", "number", "bitstream_id", "previous_id"),
    *("reboot", "state", "region", "restored", "reboot_required"),
)


def describe(program: Program) -> dict[str, typing.Any]:
    """A program."""
    fault = {"code": program.code, "detail": program.fault}
    return {
        **{name: getattr(program, name) for name in _NAMES},
        "created_at": clock.text(program.created_at),
        "updated_at": clock.text(program.updated_at),
        "fault": None if program.code is None else fault,
    }
