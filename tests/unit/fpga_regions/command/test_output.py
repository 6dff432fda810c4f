# SPDX-License-Identifier: Apache-2.0
"""What programs read of differences; the names stay."""

import json

import pytest

from fpga_regions.command import output
from fpga_regions.manager.reconcile import Difference, Kind, Outcome


@pytest.mark.parametrize(
    ("outcome", "done", "quarantined"),
    [
        (Outcome.OPEN, None, False),
        (Outcome.SETTLED, "erased and freed", False),
        (Outcome.QUARANTINED, "put into quarantine: stuck", True),
    ],
)
def test_difference_has_its_names_and_what_became_of_it(
    outcome: Outcome, done: str | None, quarantined: bool
) -> None:
    difference = Difference(Kind.STRAY, "card0", 1, "id", "free", "holds it", done, outcome)
    (fields,) = json.loads(output.differences_json([difference]))["differences"]
    assert fields == {
        "kind": "stray",
        "device": "card0",
        "index": 1,
        "region_id": "id",
        "ledger": "free",
        "hardware": "holds it",
        "done": done,
        "quarantined": quarantined,
    }
