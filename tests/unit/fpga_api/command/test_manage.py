# SPDX-License-Identifier: Apache-2.0
"""fpga-api-manage changes the database and says how it is."""

import datetime
from pathlib import Path

import pytest

from fpga_api import clock
from fpga_api.command import manage
from fpga_api.db import claims, programs, samples, schema
from tests.support import api as support
from tests.support import api_database as checks


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "fpga-api.conf"
    file.write_text(f"[database]\nconnection = sqlite:///{tmp_path}/fpga.sqlite\n")
    return file


def _run(file: Path, *words: str) -> int:
    return manage.main(["--config-file", str(file), "db", *words])


def test_schema_goes_up_and_down(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert [_run(file, verb) for verb in ("version", "sync", "downgrade")] == [0, 0, 0]
    head = schema.head()
    assert capsys.readouterr().out.splitlines() == [
        f"none (newest is {head})",
        f"{head} (up to date)",
        f"none (newest is {head})",
    ]


_ROWS = [(1, "samples"), (1, "claims"), (0, "programs"), (0, "opencl sessions")]


def test_purge_deletes_what_is_old_and_over(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _run(file, "sync")
    database = support.database(f"sqlite:///{file.parent}/fpga.sqlite")
    for name, state in (("live", "active"), ("old", "released")):
        claims.add(database, checks.claim(name, state=state), checks.permit)
    programs.add(database, checks.program())
    ages = [datetime.timedelta(days=days) for days in (1, 29, 31)]
    samples.add(database, [samples.Sample("f", clock.now() - age, 1, 1) for age in ages])
    assert _run(file, "purge") == 0
    assert _run(file, "purge", "--days", "2") == 0
    lines = [line.split(" from ")[0] for line in capsys.readouterr().out.splitlines()[1:]]
    first = [f"deleted {n} {name}" for n, name in _ROWS]
    assert lines == [*first, first[0], "deleted 0 claims", *first[2:]]


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (None, 2),
        ("[database]\nconnection = sqlite://\nmax_pool_size = many\n", 2),
        ("", 1),
        ("[database]\nconnection = sqlite:////nowhere/at/all\n", 1),
    ],
)
def test_what_cannot_be_used_is_a_failure(
    text: str | None, status: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "fpga-api.conf"
    if text is not None:
        file.write_text(text)
    assert _run(file, "version") == status
    assert capsys.readouterr().err.startswith("Error: fpga-api-manage - ")


@pytest.mark.parametrize("days", ["-1", "many", "nan", "1e9"])
def test_days_that_are_no_age_are_refused(file: Path, days: str) -> None:
    with pytest.raises(SystemExit):
        _run(file, "purge", "--days", days)
