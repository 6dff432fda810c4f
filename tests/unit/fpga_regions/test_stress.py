# SPDX-License-Identifier: Apache-2.0
"""Processes that burn and erase at the same time, and die of it, leave a ledger that is true.

A small run; benchmarks/ledger_stress.py makes large ones.
"""

from pathlib import Path

import pytest

from tests.support import stress


@pytest.mark.parametrize(
    ("kills", "failures", "warm"),
    [(0, 0.0, False), (0, 0.1, False), (12, 0.05, False), (12, 0.05, True)],
    ids=["plain", "failing", "killed", "warm"],
)
def test_processes_at_the_same_time_keep_the_ledger_true(
    tmp_path: Path, kills: int, failures: float, warm: bool
) -> None:
    plan = stress.Plan(8, 240, 4, kills, failures, warm, timeout=240)
    outcome = stress.run(plan, tmp_path)
    assert outcome.broken == []
    assert outcome.ended.get("burn 0", 0) > 20
    assert outcome.killed >= kills // 2


def test_region_that_two_processes_work_on_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fpga_regions.system.locks._try", lambda descriptor: True)
    outcome = stress.run(stress.Plan(8, 400, 2, timeout=240), tmp_path)
    assert outcome.broken
