# SPDX-License-Identifier: Apache-2.0
"""What the pages name exists: links, files, targets of make, tests, messages, options."""

import ast
import collections
import functools
import importlib.metadata
import re
import typing
from pathlib import Path

import nova
import pytest
from nova import conf as nova_conf

from tests.unit.docs import pages

ROOT = pages.ROOT

#: Where messages come from.
_SOURCES = [
    *(ROOT / "bin", ROOT / "build_scripts", ROOT / "fpga_hooks", ROOT / "fpga_manage"),
    *(ROOT / "fpga_nova", ROOT / "fpga_patch", ROOT / "fpga_regions", ROOT / "novadocker"),
    ROOT / "scheduler_filters",
    *(Path(nova.__path__[0]) / name for name in ("exception.py", "scheduler", "conductor")),
]
#: What a page has in place of what differs from case to case.
_PLACE = re.compile(r"\.\.\.|…| - |\b[A-Z]{2,}\b|\b\d+\b|\b[A-Z]\b")

_UNITS = {"": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}

#: The files of the columns of docs/lifecycle.md.
_TESTS = {
    "L": ["functional/test_lifecycle.py"],
    "H": ["functional/test_hooks.py"],
    "S": ["functional/test_call_sites.py"],
    "R": ["functional/test_reconcile.py"],
}

#: What begins a quoted command or option; other quotations with a space are messages.
_COMMANDS = ("fpga-", "make ", "nova ", "openstack ", "[", "--")

#: Options of other services than Nova that pages set or name.
_OF_OTHERS = {
    *("allocation_candidates_generation_strategy", "allocation_conflict_retry_count"),
    *("auth_type", "auth_url", "container_formats", "image_format"),
    *("helper_command", "ovsdb_connection"),
}


@functools.cache
def texts() -> str:
    """All strings of the sources, a NUL in place of what is filled in."""
    files = [f for s in _SOURCES for f in ([s] if s.is_file() else s.rglob("*.py"))]
    return "\n".join(text for file in files for text in _texts(file))


def _texts(file: Path) -> typing.Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.JoinedStr):
            parts = (p.value if isinstance(p, ast.Constant) else "\0" for p in node.values)
            yield "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield re.sub(r"%\([a-z_]+\)[a-z]|%[a-z]|\{[a-z_.]*\}", "\0", node.value)


def is_said(message: str) -> bool:
    """Whether the sources have each fixed part of a message; what and why may be said apart."""
    parts = [part.strip(" .,") for part in _PLACE.split(message)]
    return all(part in texts() for part in parts if len(part) > 1)


@functools.cache
def defaults() -> dict[str, list[typing.Any]]:
    """The defaults of our options; several groups may have an option of one name."""
    packages = ("fpga_api", "fpga_hooks", "fpga_nova", "fpga_regions")
    packages += ("fpga_opencl", "novadocker", "scheduler_filters")
    found = collections.defaultdict(list)
    for point in importlib.metadata.entry_points(group="oslo.config.opts"):
        if point.value.partition(".")[0] in packages:
            for _, opts in point.load()():
                for opt in opts:
                    found[opt.dest].append(opt.default)
    return found


def value(text: str) -> typing.Any:
    """The value that a page gives as a default; None where it has more words than that."""
    number = re.match(r"([\d.]+)( [KMG]iB)?", text)
    if number:
        return float(number[1]) * _UNITS[(number[2] or "").strip()]
    if text in ("True", "False"):
        return text == "True"
    word = re.fullmatch(r"`([^`]+)`|([a-z]+)", text)
    return (word[1] or word[2]) if word and text not in ("none", "empty") else None


def options() -> set[str]:
    """The names of all options of ours, and of Nova's."""
    ours = set(defaults())
    of_nova = {
        name for group in nova_conf.CONF.values() if hasattr(group, "keys") for name in group
    }
    return ours | of_nova | set(nova_conf.CONF) | _OF_OTHERS


@pytest.mark.parametrize("page", pages.PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in pages.links(page):
        name, _, anchor = link.partition("#")
        if "://" in name:
            continue
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        assert not anchor or anchor in pages.anchors(target), link


@pytest.mark.parametrize("page", pages.PAGES, ids=lambda page: page.name)
def test_files_of_the_project_that_are_named_exist(page: Path) -> None:
    folders = {path.name for path in ROOT.glob("[a-z]*/")}
    for span in pages.spans(pages.prose(page)):
        name = span.split()[0].rstrip(":,")
        if name.split("/")[0] in folders and "/" in name and not set(name) & set("*{<=…"):
            assert [*ROOT.glob(re.sub("[A-Z]{3,}", "*", name))], span


@pytest.mark.parametrize("page", pages.PAGES, ids=lambda page: page.name)
def test_targets_of_make_exist(page: Path) -> None:
    known = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    lines = [line for block in pages.blocks(page) for line in pages.commands(block)]
    for line in [*lines, *pages.spans(pages.prose(page))]:
        words = line.split()
        if words[:1] == ["make"]:
            targets = {w for w in words[1:] if re.fullmatch("[a-z0-9-]+", w) and w != "-C"}
            assert "-C" in words or targets <= known, line


def test_messages_that_are_quoted_are_said() -> None:
    quoted = [
        span
        for row in pages.rows(ROOT / "docs/troubleshooting.md", "symptom")
        for span in pages.spans(" ".join(row))
        if " " in span and not span.startswith(_COMMANDS)
    ]
    assert len(quoted) > 30
    assert [message for message in quoted if not is_said(message)] == []


def test_message_that_nothing_says_is_noticed() -> None:
    assert not is_said("... is not a zip archive")
    assert is_said("port 1, wanted for X, is taken by ...")


def test_tests_of_the_lifecycle_exist() -> None:
    checked = 0
    for *_, cell in pages.rows(ROOT / "docs/lifecycle.md", "path"):
        for letter, name in re.findall(r"\b([LHSR]) `([^`]+)`", cell):
            sources = "\n".join((ROOT / "tests" / file).read_text() for file in _TESTS[letter])
            pattern = ".*".join(map(re.escape, name.split("…")))
            assert re.search(rf"(def test_|class )\w*{pattern}", sources), f"{letter} {name}"
            checked += 1
    assert checked > 30


@pytest.mark.parametrize("page", pages.PAGES, ids=lambda page: page.name)
def test_options_that_are_set_or_listed_exist(page: Path) -> None:
    known = options()
    lines = [
        line
        for block in pages.blocks(page)
        if re.search(r"^\[[\w:]+\]$", block.text, re.MULTILINE) and block.page.name != "testing.md"
        for line in block.text.splitlines()
    ]
    names = [m[1] for line in lines if (m := re.match(r"#? ?([a-z_]+) = ", line))]
    for row in pages.rows(page, "option"):
        names += [span for span in pages.spans(row[0]) if re.fullmatch("[a-z_]+", span)]
    for span in pages.spans(pages.prose(page)):
        if found := re.match(r"\[[a-z_]+\] ([a-z_]+)", span):
            names.append(found[1])
    assert [name for name in names if name not in known] == []


def test_defaults_that_are_listed_are_those_of_the_options() -> None:
    checked = 0
    for page in pages.PAGES:
        for name, text in _options_of(page):
            if value(text) is not None:
                assert value(text) in defaults()[name], f"{page.name}: {name}"
                checked += 1
    assert checked > 30


def _options_of(page: Path) -> typing.Iterator[tuple[str, str]]:
    """Options that have a row of their own in a table of defaults, with what is said there."""
    for cells in pages.rows(page, "option"):
        names = [span.split()[-1] for span in pages.spans(cells[0])]
        if len(names) == 1 and names[0] in defaults():
            yield names[0], cells[1]
