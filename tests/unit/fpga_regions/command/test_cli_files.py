# SPDX-License-Identifier: Apache-2.0
"""The man page and the bash completion have every verb and option, and are installed."""

import importlib.util
import shutil
import subprocess
import sys
import tomllib
import typing
from pathlib import Path

import pytest

from fpga_regions.command import arguments

ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="module")
def program() -> typing.Any:
    """The program that writes both."""
    path = ROOT / "build_scripts" / "cli_files.py"
    spec = importlib.util.spec_from_file_location("cli_files", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["cli_files"] = module
    spec.loader.exec_module(module)
    return module


def complete(program: typing.Any, *words: str) -> set[str]:
    """What bash offers for the last word."""
    line = " ".join(f"'{word}'" for word in ("fpga-cli.py", *words))
    script = (
        f"compopt() {{ :; }}; source {program.COMPLETION}; COMP_WORDS=({line}); "
        f'COMP_CWORD={len(words)}; _fpga_cli; printf "%s\\n" "${{COMPREPLY[@]}}"'
    )
    ran = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert ran.stderr == ""
    return set(ran.stdout.split())


def test_files_are_as_the_command_line_is_now(program: typing.Any) -> None:
    assert program.MAN.read_text() == program.man(), "run build_scripts/cli_files.py"
    assert program.COMPLETION.read_text() == program.completion(), "run build_scripts/cli_files.py"


def test_completion_offers_every_verb(program: typing.Any) -> None:
    assert set(arguments.verbs_of(arguments.parser())) <= complete(program, "")


def test_completion_offers_every_option_of_every_verb(program: typing.Any) -> None:
    for name, parser in program._all(arguments.parser()).items():
        options = {option for action in parser._actions for option in action.option_strings}
        assert options == complete(program, "--config-file", "x", *name.split(), "-"), name


def test_completion_offers_what_an_option_can_be(program: typing.Any) -> None:
    assert complete(program, "status", "--format", "") == {"text", "json"}
    assert complete(program, "--debug", "status", "--format", "j") == {"json"}


def test_completion_offers_files_where_one_is_wanted(
    program: typing.Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "core.zip").touch()
    monkeypatch.chdir(tmp_path)
    for words in (("burn", "--file"), ("--config-file",), ("image", "validate")):
        assert complete(program, *words, "co") == {"core.zip"}


def test_man_page_has_every_verb_option_and_exit_status(program: typing.Any) -> None:
    text = program.MAN.read_text().replace(r"\-", "-")
    for name, parser in program._leaves(arguments.parser()).items():
        _, _, section = text.partition(f"\n.SH {name.upper()}\n")
        section = section.partition("\n.SH ")[0]
        for action in parser._actions:
            assert all(option in section for option in action.option_strings or [action.metavar])
    assert all(f"\n.B {code}\n" in text for code in arguments.EXITS)


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_man_page_is_well_formed(program: typing.Any) -> None:
    ran = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", "-rCHECKSTYLE=1", program.MAN],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stderr == ""
    assert "SIGTERM" in ran.stdout


def test_both_files_are_installed_where_they_are_looked_for(program: typing.Any) -> None:
    data_files = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"][
        "data-files"
    ]
    assert data_files == {
        "share/man/man8": [str(program.MAN.relative_to(ROOT))],
        "share/bash-completion/completions": [str(program.COMPLETION.relative_to(ROOT))],
    }
