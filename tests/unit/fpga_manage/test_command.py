# SPDX-License-Identifier: Apache-2.0
"""fpga-manage: which database it takes, what it prints and how it fails."""

import json
from pathlib import Path

import pytest
from sqlalchemy.engine import Engine

from fpga_manage import command, database
from tests.unit.fpga_manage.conftest import ADDED, NONE, our_columns, url


def test_upgrade_tells_the_version_that_it_came_to(
    engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["db", "upgrade", "--connection", url(tmp_path)]) == 0
    assert capsys.readouterr().out == f"{database.head()} (up to date)\n"
    assert our_columns(engine) == ADDED


def test_downgrade_tells_that_nothing_is_left(
    engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database.upgrade(engine)
    assert command.main(["db", "downgrade", "--connection", url(tmp_path)]) == 0
    assert capsys.readouterr().out == f"none (newest is {database.head()})\n"
    assert our_columns(engine) == NONE


@pytest.mark.parametrize("arguments", [["--format", "json"], ["--json"]])
def test_version_changes_nothing(
    engine: Engine,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
) -> None:
    assert command.main(["db", "version", *arguments, "--connection", url(tmp_path)]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer == {"version": None, "head": database.head(), "current": False}
    assert our_columns(engine) == NONE


def test_database_is_the_one_of_novas_configuration(engine: Engine, tmp_path: Path) -> None:
    file = tmp_path / "nova.conf"
    file.write_text(f"[DEFAULT]\nhost = x\n[database]\nconnection = {url(tmp_path)}\n")
    assert command.main(["db", "upgrade", "--config-file", str(file)]) == 0
    assert our_columns(engine) == ADDED


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--connection", "nonsense"], 2, "the database's URL cannot be used"),
        (["--connection", "oracledb+nothing://x"], 2, "the database's URL cannot be used"),
        (["--config-file", "/nonexistent/nova.conf"], 2, "/nonexistent/nova.conf"),
        (["--connection", "sqlite://"], 1, "not the database of a Nova cell"),
        (["--connection", "sqlite:////nonexistent/x"], 1, "the database refused"),
    ],
)
def test_failure_is_told_in_one_line(
    arguments: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["db", "upgrade", *arguments]) == code
    output = capsys.readouterr()
    assert (output.out, output.err.count("\n")) == ("", 1)
    assert output.err.startswith("Error: fpga-manage - ")
    assert words in output.err


def test_configuration_without_a_database_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "nova.conf"
    file.write_text("")
    assert command.main(["db", "version", "--config-file", str(file)]) == 2
    assert f"(read: {file})" in capsys.readouterr().err


def test_configuration_may_be_named_before_the_verb(engine: Engine, tmp_path: Path) -> None:
    file, other = tmp_path / "nova.conf", tmp_path / "other.conf"
    file.write_text(f"[database]\nconnection = {url(tmp_path)}\n")
    other.write_text("[database]\nconnection = nonsense\n")
    assert command.main(["--config-file", str(file), "db", "upgrade"]) == 0
    assert our_columns(engine) == ADDED
    both = ["--config-file", str(other), "db", "version", "--config-file", str(file)]
    assert command.main(both) == 0
