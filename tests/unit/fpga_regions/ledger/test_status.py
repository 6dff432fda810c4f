# SPDX-License-Identifier: Apache-2.0
"""What the status tells people and programs."""

import json

from fpga_regions.ledger import status
from fpga_regions.model import Cause, Node, Region, State
from tests.unit.fpga_regions.conftest import LZO, owner
from tests.unit.fpga_regions.hardware import slot

SINCE = "2026-01-02T03:04:05.678+00:00"
FREE = Region("r0", slot(0), State.FREE, SINCE)
HELD = Region(
    "r1",
    slot(1, vendor="acme", address="0000:3b:00.0"),
    State.PROGRAMMED,
    SINCE,
    owner(),
    LZO,
    "lzo1x_compress",
    "sha256:00",
    (Node("socket", "/run/r1/fpga0", "/dev/fpga0"),),
    number=2,
    reason="programmed",
    handed_out=SINCE,
)
OUT = Region(
    "r2", slot(2), State.QUARANTINED, SINCE, quarantine=Cause.ERASE, reason="not erased: why"
)


def test_text_counts_every_region_that_is_neither_free_nor_in_quarantine() -> None:
    regions = [Region(f"r{i}", slot(i), state, SINCE) for i, state in enumerate(State)]
    assert status.text([(region, None) for region in regions]) == "Used regions: 5/7"


def test_text_of_a_host_without_regions_is_told() -> None:
    assert status.text([]) == "Used regions: 0/0"


def test_json_has_the_counts() -> None:
    fields = json.loads(status.as_json([(FREE, None), (HELD, True), (OUT, None)]))
    assert (fields["total"], fields["used"], fields["quarantined"]) == (3, 1, 1)


def test_json_tells_everything_of_a_held_region() -> None:
    (fields,) = json.loads(status.as_json([(HELD, True)]))["regions"]
    assert fields == {
        "id": "r1",
        "device": "card0",
        "driver": "hardware",
        "vendor": "acme",
        "board": "emulator",
        "part": "software",
        "address": "0000:3b:00.0",
        "simulated": False,
        "state": "programmed",
        "healthy": True,
        "quarantine": None,
        "owner": owner(),
        "number": 2,
        "handed_out": SINCE,
        "image_id": LZO,
        "function": "lzo1x_compress",
        "digest": "sha256:00",
        "nodes": [{"kind": "socket", "path": "/run/r1/fpga0", "name": "/dev/fpga0"}],
        "since": SINCE,
        "reason": "programmed",
    }


def test_json_of_a_free_region_has_nulls() -> None:
    (fields,) = json.loads(status.as_json([(FREE, None)]))["regions"]
    empty = {"owner", "number", "image_id", "function", "digest", "nodes", "healthy", "quarantine"}
    empty |= {"handed_out"}
    assert {fields[name] for name in empty} == {None}


def test_json_of_a_region_in_quarantine_tells_the_cause_for_programs_and_for_people() -> None:
    (fields,) = json.loads(status.as_json([(OUT, None)]))["regions"]
    assert (fields["quarantine"], fields["reason"]) == ("erase", "not erased: why")
