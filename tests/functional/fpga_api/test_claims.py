# SPDX-License-Identifier: Apache-2.0
"""Claims where many ask at once: real databases, a real Placement and a real broker."""

import json
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[3]
PROGRAM = ROOT / "benchmarks/claims.py"

pytestmark = pytest.mark.xdist_group("databases")


@pytest.mark.parametrize("database", ["mariadb", "postgresql"])
def test_as_many_claims_are_active_as_there_are_regions(database: str) -> None:
    result = subprocess.run(
        [sys.executable, str(PROGRAM), "--json", "--database", database],
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert result.returncode == 0, result.stderr
    rows = json.loads(result.stdout)["figures"]
    assert set(rows) == {"retries 10", "retries 1"}
    for row in rows.values():
        assert (row["active"], row["agree"], row["left over"]) == (8, True, 0)
        assert row["other answers"] == [409]
        # An audit of nova-compute comes once a minute.
        assert row["seconds to expire"] < 60
