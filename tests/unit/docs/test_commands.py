# SPDX-License-Identifier: Apache-2.0
"""The commands of the pages are what the programs take, and those that are marked work."""

import argparse
import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from deployment import command as cloud

from fpga_manage import command as fpga_manage
from fpga_patch import command as fpga_patch
from fpga_regions.command import arguments as fpga_cli
from novadocker.live import command as fpga_live
from tests.support.host import Host
from tests.support.openstack import OpenStack
from tests.unit.docs import pages

PARSERS = {
    "cloud.sh": cloud._parser,
    "fpga-cli.py": fpga_cli.parser,
    "fpga-live": fpga_live._parser,
    "fpga-manage": fpga_manage._parser,
    "fpga-patch": fpga_patch._parser,
}
BLOCKS = [block for page in pages.PAGES for block in pages.blocks(page)]
RUN = [block for block in BLOCKS if block.mark.startswith("run:")]
#: Configuration of fpga-cli for regions that need no hardware.
CONFIGURATION = [
    block for block in BLOCKS if re.search(r"^drivers = (emulator|fake)$", block.text, re.M)
]


def calls() -> list[tuple[str, list[str]]]:
    """Every call of a program of ours: where it stands, and its words."""
    found = []
    for block in BLOCKS:
        for line in pages.commands(block):
            for part in re.split(r" \| |; | && ", line.split(" > ")[0]):
                names = [Path(word).name for word in part.split()]
                first = _program(names)
                if first is not None:
                    words = part.split() if "[" in part else shlex.split(part)
                    found.append((str(block), [names[first], *words[first + 1 :]]))
    return found


def _program(names: list[str]) -> int | None:
    """Where in a line the program of ours is that it calls, maybe on another host."""
    at = 2 if names[:1] == ["ssh"] else 0
    return at if len(names) > at and names[at] in PARSERS else None


def parsers_of(parser: argparse.ArgumentParser, words: list[str]) -> list[argparse.ArgumentParser]:
    """The parsers that a call goes through, from the program's to the last verb's."""
    found = [parser]
    for word in words:
        choices = next(
            (a.choices for a in found[-1]._actions if isinstance(a, argparse._SubParsersAction)), {}
        )
        if word in choices:
            found.append(choices[word])
    return found


@pytest.mark.parametrize(("where", "words"), calls(), ids=lambda value: str(value)[:60])
def test_call_names_verbs_and_options_that_there_are(where: str, words: list[str]) -> None:
    program, *rest = words
    through = parsers_of(PARSERS[program](), rest)
    known = {option for parser in through for option in parser._option_string_actions}
    assert set(re.findall(r"--[a-z][a-z-]*", " ".join(rest))) <= known, where
    assert len(through) > 1 or "--version" in rest, where


@pytest.mark.parametrize(
    ("where", "words"),
    [
        (where, words)
        for where, words in calls()
        if not set(" ".join(words)) & set("[|…") and "..." not in words
    ],
    ids=lambda value: str(value)[:60],
)
def test_call_without_choices_is_taken(where: str, words: list[str]) -> None:
    named = [word.replace("UUID", "1a4c6fc8-5a64-4b6b-a1d5-7c9f0a1f7a05") for word in words[1:]]
    PARSERS[words[0]]().parse_args(named)


def test_every_verb_of_fpga_cli_is_in_its_synopsis() -> None:
    synopsis = pages.blocks(pages.ROOT / "docs/fpga-cli.md")[0].text
    assert set(fpga_cli.verbs_of(fpga_cli.parser())) == set(
        re.findall(r"^fpga-cli.py (\w+)", synopsis, re.M)
    )


def test_blocks_are_found() -> None:
    assert (len(RUN), len(CONFIGURATION)) >= (3, 4)


@pytest.mark.skipif(os.geteuid() != 0, reason="fpga-cli is root's")
@pytest.mark.parametrize("block", RUN, ids=str)
def test_marked_commands_work(block: pages.Block, tmp_path: Path) -> None:
    files = {
        "crc32.bin": (pages.ROOT / "cores/crc32-hx8k.bin").read_bytes(),
        "crc32.json": json.dumps(
            {
                "name": "crc32",
                "version": "1.0",
                "vendor": "example",
                "function": "crc32",
                "target": {"board": "ice40", "part": "hx8k"},
                "exposes": [{"kind": "socket", "name": "/dev/fpga0"}],
            }
        ).encode(),
        "manifest.json": b"{}",
        "matmul.bin": b"poclbin",
    }
    for name in block.mark.removeprefix("run:").split():
        (tmp_path / name).write_bytes(files[name])
    (tmp_path / "host").mkdir()
    with OpenStack() as cloud:
        host = Host(tmp_path / "host", cloud.options())
        environment = {
            "PATH": f"{host.wrapper().parent}:{os.environ['PATH']}",
            "HOME": str(tmp_path),
        }
        for line in pages.commands(block):
            if " ... " in line:
                continue
            result = subprocess.run(
                ["bash", "-c", re.sub(r" \[.*?\]", "", line)],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
            )
            assert (result.returncode, result.stderr) == (0, ""), line


@pytest.mark.skipif(os.geteuid() != 0, reason="fpga-cli is root's")
@pytest.mark.parametrize("block", CONFIGURATION, ids=str)
def test_configuration_without_hardware_gives_regions(block: pages.Block, tmp_path: Path) -> None:
    host = Host(tmp_path)
    folders = (
        f"[DEFAULT]\nstate_dir = {host.state}\nruntime_dir = {host.runtime}\nstatus_group = root\n"
    )
    host.config.write_text(f"{block.text[block.text.index('[') :]}\n{folders}")
    result = host.run("status")
    assert (result.returncode, result.stderr) == (0, "")
    assert re.fullmatch(r"Used regions: 0/\d+\n", result.stdout)
