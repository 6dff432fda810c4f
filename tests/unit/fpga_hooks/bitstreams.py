# SPDX-License-Identifier: Apache-2.0
"""Bitstreams as the catalogue has them, and regions for them."""

import datetime
import typing

from fpga_hooks.functions.catalogue import Bitstream
from fpga_nova import host_status
from tests.unit.fpga_hooks.conftest import region

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def bitstream(image_id: str, **changes: typing.Any) -> Bitstream:
    """A public bitstream that computes a checksum on a board."""
    values: dict[str, typing.Any] = {
        "function": "checksum",
        "board": "emulator",
        "part": "hx8k",
        "version": "1.0",
        "owner": "operator",
        "public": True,
        "signed": False,
        "digest": None,
        "changed": NOW,
    }
    return Bitstream(image_id, **(values | changes))


def free(**changes: typing.Any) -> host_status.Region:
    """A free region of that board."""
    values = {"state": "free", "owner": None, "board": "emulator", "part": "hx8k"}
    report = {"total": 1, "used": 0, "quarantined": 0, "regions": [region(**(values | changes))]}
    return host_status.read(report).regions[0]
