# SPDX-License-Identifier: Apache-2.0
"""Names in our packages are nouns of the field: some participles say nothing of a value."""

import ast
import pathlib
import typing

import pytest

_ROOT = pathlib.Path(__file__).parents[2]
#: Folders whose modules hold the rule.
PACKAGES = (
    "benchmarks",
    "bin",
    "build_scripts",
    "docs",
    "fpga_api",
    "fpga_client",
    "fpga_hooks",
    "fpga_manage",
    "fpga_nova",
    "fpga_opencl",
    "fpga_patch",
    "fpga_regions",
    "migrations",
    "novadocker",
    "scheduler_filters",
    "tests",
)
WORDS = frozenset({"told", "made", "kept", "left", "wish", "taking"})


def names(tree: ast.AST) -> typing.Iterator[tuple[str, int]]:
    """Each name that a module gives to something, and its line."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
                yield name, node.lineno
            case ast.Attribute(attr=name, ctx=ast.Store()):
                yield name, node.lineno
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name, node.lineno
            case ast.ClassDef(name=name) | ast.ExceptHandler(name=str(name)):
                yield name, node.lineno
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield name, node.lineno
            case ast.MatchMapping(rest=str(name)):
                yield name, node.lineno
            case ast.alias(asname=str(name)):
                yield name, node.lineno


def participles(source: str) -> list[tuple[str, int]]:
    """The names in a source that are one of the words, whatever their case and underscores."""
    found = sorted(set(names(ast.parse(source))), key=lambda one: one[1])
    return [(name, line) for name, line in found if name.strip("_").lower() in WORDS]


@pytest.mark.parametrize("package", PACKAGES)
def test_no_name_is_a_participle(package: str) -> None:
    modules = sorted((_ROOT / package).rglob("*.py"))
    assert modules
    assert [
        f"{path.relative_to(_ROOT)}:{line}: {name}"
        for path in modules
        for name, line in participles(path.read_text())
    ] == []


@pytest.mark.parametrize(
    "source",
    [
        "told = 1",
        "for _made in []: pass",
        "def kept(): pass",
        "async def run(*, left): pass",
        "class Wish: pass",
        "self.told: int = 1",
        "if left := 1: pass",
        "lambda made: made",
        "with open('') as kept: pass",
        "from fpga_nova import options as told",
        "match 1:\n    case {**left}: pass",
        "match 1:\n    case [*made]: pass",
        "match 1:\n    case taking: pass",
        "try: pass\nexcept OSError as wish: pass",
        "KEPT, status = 1, 2",
    ],
)
def test_every_way_to_give_a_name_is_seen(source: str) -> None:
    assert len(participles(source)) == 1


@pytest.mark.parametrize("source", ["print(other.left, told)", "call(made=1)", "is_left_by = 1"])
def test_use_of_a_name_is_not_its_fault(source: str) -> None:
    assert participles(source) == []
