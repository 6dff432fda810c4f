# SPDX-License-Identifier: Apache-2.0
"""Names of code on the pages are in the code, and pictures show what the code does."""

import ast
import functools
import re
import typing
from pathlib import Path

import pytest

from fpga_regions.ledger import ledger
from tests.unit.docs import pages

ROOT = pages.ROOT

PACKAGES = (
    *("fpga_hooks", "fpga_manage", "fpga_nova", "fpga_patch", "fpga_regions", "novadocker"),
    *("fpga_api", "fpga_client", "fpga_opencl", "scheduler_filters"),
)
ARCHITECTURE = ROOT / "docs/architecture.md"

_NAME = re.compile(rf"({'|'.join(PACKAGES)})(\.[A-Za-z_]\w*)+")
_EDGE = re.compile(r"^ *(\w+) -> (\w+)", re.MULTILINE)


@functools.cache
def defined(file: Path) -> dict[str, typing.Any]:
    """What a module defines by name; of a class, in turn, what it defines."""
    return _defined(ast.parse(file.read_text()).body)


def _defined(body: list[ast.stmt]) -> dict[str, typing.Any]:
    found: dict[str, typing.Any] = {}
    for node in body:
        if isinstance(node, ast.ClassDef):
            found[node.name] = _defined(node.body)
        elif isinstance(node, ast.FunctionDef):
            found[node.name] = {}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {one.id: {} for one in targets if isinstance(one, ast.Name)}
    return found


def is_there(name: str) -> bool:
    """Whether a dotted name is a package, a module, or defined in one."""
    place, words = ROOT, name.split(".")
    while words and (place / words[0]).is_dir():
        place /= words.pop(0)
    module = place / "__init__.py"
    if words and (place / f"{words[0]}.py").exists():
        module = place / f"{words.pop(0)}.py"
    known = defined(module)
    for word in words:
        if word not in known:
            return False
        known = known[word]
    return True


def edges(caption: str) -> set[tuple[str, str]]:
    """The arrows of a picture of the architecture."""
    _before, _, after = ARCHITECTURE.read_text().partition(f":caption: {caption}\n")
    return set(_EDGE.findall(after.partition("```")[0]))


@pytest.mark.parametrize("page", pages.PAGES, ids=lambda page: page.name)
def test_names_of_code_are_there(page: Path) -> None:
    named = [span for span in pages.spans(pages.prose(page)) if _NAME.fullmatch(span)]
    assert [name for name in named if not is_there(name)] == []


def test_the_walk_names_the_code() -> None:
    named = filter(_NAME.fullmatch, pages.spans(pages.prose(ROOT / "docs/walk.md")))
    assert len(set(named)) > 60


@pytest.mark.parametrize(
    "name",
    [
        "fpga_hooks.calls.no_such_call",
        "fpga_regions.manager.manager.Manager.no_such_verb",
        "fpga_regions.no_such_module.burn",
    ],
)
def test_name_that_is_not_there_is_noticed(name: str) -> None:
    assert not is_there(name)


def test_picture_of_the_packages_has_their_imports() -> None:
    imports = set()
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*.py"):
            imports |= {(package, other) for other in _imported(file) if other != package}
    assert edges("Imports between the packages") == imports


def _imported(file: Path) -> typing.Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
        yield from (first for name in names if (first := name.partition(".")[0]) in PACKAGES)


def test_picture_of_the_states_has_the_transitions_of_the_ledger() -> None:
    permitted = {
        (str(before).replace(" ", "_"), str(after).replace(" ", "_"))
        for before, states in ledger._NEXT.items()
        for after in states
        if before != after
    }
    assert edges("Transitions that the ledger permits") == permitted
