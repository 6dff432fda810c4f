# SPDX-License-Identifier: Apache-2.0
"""Prometheus's own tool accepts the alert rules, and each fires when it should."""

import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[3] / "etc/prometheus"


def _promtool(*words: str) -> str:
    program = shutil.which("promtool")
    assert program, "there is no promtool - install Debian's package prometheus"
    done = subprocess.run(
        [program, *words], cwd=FOLDER, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_rules_are_valid_and_fire_when_they_should() -> None:
    assert "5 rules found" in _promtool("check", "rules", "fpga-api.rules.yml")
    assert "SUCCESS" in _promtool("test", "rules", "fpga-api.rules.test.yml")


def test_rule_that_fires_otherwise_is_seen(tmp_path: Path) -> None:
    for file in FOLDER.iterdir():
        (tmp_path / file.name).write_text(file.read_text().replace("for: 2m", "for: 9m"))
    with pytest.raises(AssertionError, match="FpgaEngineGone"):
        _promtool("test", "rules", str(tmp_path / "fpga-api.rules.test.yml"))
