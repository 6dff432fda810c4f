# SPDX-License-Identifier: Apache-2.0
"""Placement with MariaDB, asked by several at once, as the roles and docs/operator.md set it up."""

import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[2]
PROGRAM = ROOT / "benchmarks/placement_claims.py"


def test_placement_of_the_roles_grants_as_many_regions_as_there_are() -> None:
    template = ROOT / "build_scripts/roles/placement/templates/placement.conf.j2"
    retries = re.search(r"^allocation_conflict_retry_count = (\d+)$", template.read_text(), re.M)
    assert retries
    result = subprocess.run(
        [sys.executable, str(PROGRAM), "-n", "3", "--json", "--retries", retries[1]],
        capture_output=True,
        text=True,
        check=True,
        timeout=200,
    )
    (row,) = json.loads(result.stdout)["figures"].values()
    assert (row["granted"], row["runs with too many"]) == ("8 to 8 of 8", "0 of 3")
