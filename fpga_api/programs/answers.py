# SPDX-License-Identifier: Apache-2.0
"""What a host says of a program, for the row of the program. A host is not trusted."""

import typing

from fpga_api.db import programs

Document = dict[str, typing.Any]


def values(found: typing.Any) -> Document | None:
    """The columns of a program that a host's document changes; None if it cannot be read."""
    if not isinstance(found, dict) or found.get("state") not in programs.STATES:
        return None
    code, fault = found.get("code"), found.get("fault")
    return {
        "state": found["state"],
        "region": _text(found.get("region"), 255),
        "previous_id": _text(found.get("previous"), 36),
        "restored": _truth(found.get("restored")),
        "reboot_required": _truth(found.get("reboot_required")),
        "code": f"exit.{code}" if type(code) is int else _of_state(found["state"]),
        "fault": _text(fault, 1000),
    }


def _of_state(state: str) -> str | None:
    """The code of a failure that no exit status explains."""
    return "host.ended" if state in (programs.FAILED, programs.LOST) else None


def _text(value: typing.Any, longest: int) -> str | None:
    return value[:longest] if isinstance(value, str) else None


def _truth(value: typing.Any) -> bool | None:
    return value if isinstance(value, bool) else None
