#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tries the diffs of patches/ on the releases of Nova that they are for.

    matrix.py quick             every diff on the release that it is named for
    matrix.py full [SERIES ...] every diff on all of its releases; then, for each series, a virtual
                                environment with Nova of requirements/nova-SERIES.txt: our tests,
                                Nova's own unit tests of the modules that the diff touches, and its
                                functional tests of servers and ports; at last, where no SERIES is
                                named, the chain
    matrix.py chain             a cloud that goes through five series, and services with and without
                                the patch in one cloud

`quick` makes each diff anew of its one source and compares; applies it at fuzz 0; compiles what it
changed; takes it back and compares with what was; takes one release out of a copy of the table and
adds it again. Exit status: 0 all is well; 1 something is not.
"""

import argparse
import dataclasses
import functools
import pathlib
import subprocess
import sys
import tempfile
import tomllib
import typing
from concurrent import futures

import hunks
import make_patches
import nova_wheels
from matrix_environment import NOVA_FUNCTIONAL, NOVA_UNIT, Environment, Outcome, StepError, Suite

from fpga_patch import errors, releases

#: Our own tests that every series has to pass; of fpga_regions nothing depends on Nova.
UNIT = ("fpga_hooks", "fpga_manage", "fpga_nova", "novadocker", "scheduler_filters")

#: Those with a Docker Engine that depend on a series: on its os-vif and pyroute2, and on what its
#: compute manager does in a move.
ENGINE = {
    "network": ["network"],
    "moves": ["test_moves.py", "test_moves_cloud.py"],
}

TESTS = pathlib.Path(__file__).resolve().parent.parent / "tests"

_FAILURES = (
    StepError,
    hunks.HunkError,
    nova_wheels.FetchError,
    errors.PatchError,
    SyntaxError,
)


@dataclasses.dataclass
class Row:
    """What was found for one series, or by the chain."""

    name: str
    cells: dict[str, str]
    failed: bool = False


def try_on(version: str, source: hunks.Source, entry: dict[str, typing.Any]) -> None:
    """Apply, compile and revert the diffs of an entry of the table on the files of one release.

    :raises StepError: something is not as it should be
    """
    nowhere = pathlib.Path("nova")
    diffs = releases.find_diffs(nowhere, version, with_tests=True, patches=hunks.PATCHES)
    changes = make_patches.make(version, source)
    for diff, change, part in zip(diffs, changes, ("diff", "tests"), strict=True):
        if diff.file.name != entry[part]["file"]:
            raise StepError(f"{diff.file.name} is not the diff that its entry names")
        before = {name: pair[0].encode() for name, pair in change.files.items()}
        after = {name: pair[1].encode() for name, pair in change.files.items()}
        if diff.result("patched", before) != after or diff.result("stock", after) != before:
            raise StepError(f"{diff.file.name} leaves other contents than hunks.toml")
        for name, text in after.items():
            compile(text, name, "exec", dont_inherit=True)


def check_text(version: str, source: hunks.Source) -> None:
    """Compare the committed diffs with what their source makes for the release they are named for.

    :raises StepError: they differ
    """
    changes = make_patches.make(version, source)
    for change, header, suffix in zip(changes, source.headers, ("", "-tests"), strict=True):
        file = hunks.PATCHES / f"nova-{version}{suffix}.patch"
        if change.diff(file.name, header) != file.read_text():
            raise StepError(f"{file.name} is not what hunks.toml makes; run make_patches.py")


def quick(whole: bool, series: typing.Collection[int] = ()) -> int:
    """Try every diff on its releases, or on the one that it is named for; how often it failed.

    :param series: only diffs of these; empty for all
    """
    source, failures = hunks.read(), 0
    for entry in _entries(hunks.PATCHES, series):
        newest = max(entry["versions"], key=nova_wheels.order_of)
        for version in entry["versions"] if whole else [newest]:
            try:
                if version == newest:
                    check_text(version, source)
                try_on(version, source, entry)
                print(f"{version}: {entry['diff']['file']} applies, compiles and reverts")
            except _FAILURES as e:
                failures += 1
                print(f"{version}: {e}", file=sys.stderr)
    return failures


def _entries(
    patches: pathlib.Path, series: typing.Collection[int] = ()
) -> list[dict[str, typing.Any]]:
    """The entries of a table, of these series or of all."""
    found = tomllib.loads((patches / make_patches.TABLE).read_text())["release"]
    return [
        entry
        for entry in found
        if not series or nova_wheels.series_of(entry["versions"][0]) in series
    ]


def add_again() -> str:
    """Take the newest release out of a copy of the table of the two newest series; add it again.

    :returns: the release
    :raises StepError: the documented command fails, or makes something else than is committed
    """
    known = sorted(make_patches.known_versions(hunks.PATCHES), key=nova_wheels.order_of)
    two = known_series()[-2:]
    older = [version for version in known[:-1] if nova_wheels.series_of(version) in two]
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder)
        make_patches.write(make_patches.share(older, hunks.read()), copy)
        command = [sys.executable, make_patches.__file__, "--patches", folder, known[-1]]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode or _entries(copy) != _entries(hunks.PATCHES, two):
            raise StepError(f"the release makes another table: {result.stdout}{result.stderr}")
        for file in copy.glob("*.patch"):
            if file.read_text() != (hunks.PATCHES / file.name).read_text():
                raise StepError(f"{file.name} is another one when it is added")
    return known[-1]


def full(series: int, ours: bool, functional: bool, unpatched: bool) -> Row:
    """Run the tests of one series in its virtual environment.

    :param ours: run our own tests, too
    :param functional: run functional tests, too, ours and Nova's
    :param unpatched: run all of Nova's own tests on the tree as shipped, and not only those that
        fail patched
    """
    row = Row(f"Nova {series}", {})
    try:
        env = Environment(series)
        env.make()
        shipped = env.digests()
        env.patch("apply")
        if ours:
            row.cells["unit"] = env.pytest(
                "unit", [f"tests/unit/{name}" for name in UNIT], native_threads=True
            )
        if ours and functional:
            row.cells["functional"] = _functional(env)
            folder = TESTS / "functional/novadocker"
            for name, files in ENGINE.items():
                row.cells[name] = env.pytest(name, [str(folder / file) for file in files])
        suites = [NOVA_UNIT, NOVA_FUNCTIONAL] if functional else [NOVA_UNIT]
        patched = {suite: env.nova_tests(suite, "patched") for suite in suites}
        for suite, outcome in patched.items():
            row.cells[f"{suite.title}, patched"] = str(outcome)
        env.patch("revert")
        if env.digests() != shipped:
            raise StepError("the files are not as before after the revert")
        row.cells["reverts"] = "yes"
        different: list[str] = []
        for suite, outcome in patched.items():
            different += _differences(env, row, suite, outcome, unpatched)
        if different:
            raise StepError("; ".join(different))
    except StepError as e:
        row.failed = True
        row.cells["failed"] = str(e)
    return row


def _differences(
    env: Environment, row: Row, suite: Suite, patched: Outcome, whole: bool
) -> list[str]:
    """The tests of Nova's own that come to something else on the tree as shipped.

    :param whole: run all of them there, and not only those that failed patched
    """
    if not (whole or patched.failed):
        return []
    stock = env.nova_tests(suite, "unpatched", () if whole else patched.failed)
    row.cells[f"{suite.title}{'' if whole else ' that failed'}, unpatched"] = str(stock)
    names = stock.names | patched.names if whole else patched.failed
    return [
        f"{name} is {stock.of(name)} unpatched, {patched.of(name)} patched"
        for name in sorted(names)
        if stock.of(name) != patched.of(name)
    ]


def _functional(env: Environment) -> str:
    """Run our functional tests but for those of the Docker Engine, in two processes.

    Not by xdist: its workers hang where eventlet has replaced the threads.
    """
    files = sorted(TESTS.glob("functional/test_*.py"), key=lambda file: -file.stat().st_size)
    halves: dict[str, list[str]] = {"functional-0": [], "functional-1": []}
    for number, file in enumerate(files):  # 0 1 1 0: each has about as much to do
        halves[f"functional-{(number + 1) // 2 % 2}"].append(str(file))
    with futures.ThreadPoolExecutor() as pool:
        return " + ".join(pool.map(env.pytest, halves.keys(), halves.values()))


def chain() -> Row:
    """Run tests/upgrade, in the newest environment, on those of all series."""
    row = Row("chain", {})
    try:
        for series in known_series():
            Environment(series).make()
        newest = Environment(known_series()[-1])
        row.cells["tests"] = newest.pytest("chain", ["tests/upgrade"], longest=(3600, 3 * 3600))
    except StepError as e:
        row.failed = True
        row.cells["failed"] = str(e)
    return row


def known_series() -> list[int]:
    """The series in the table."""
    versions = make_patches.known_versions(hunks.PATCHES)
    return sorted({nova_wheels.series_of(version) for version in versions})


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Try the diffs on the releases of Nova.")
    parser.set_defaults(series=[])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("quick", help="apply, compile and revert every diff")
    more = commands.add_parser("full", help="the same on all releases, and the tests")
    more.add_argument("series", nargs="*", type=int, choices=known_series(), metavar="SERIES")
    more.add_argument("--no-functional", action="store_true", help="leave functional tests out")
    more.add_argument("--nova-only", action="store_true", help="leave our own tests out")
    help_text = "run Nova's own tests unpatched, too, for the whole count"
    more.add_argument("--unpatched", action="store_true", help=help_text)
    commands.add_parser("chain", help="go through the releases; mix patched and stock services")
    arguments = parser.parse_args()
    if arguments.command != "chain":
        failures = quick(arguments.command == "full", arguments.series)
        try:
            print(f"{add_again()}: taken out of the table and added again")
        except _FAILURES as e:
            failures += 1
            print(f"Error: matrix - {e}", file=sys.stderr)
        if failures or arguments.command == "quick":
            return int(failures > 0)
    steps: list[typing.Callable[[], Row]] = []
    if arguments.command == "full":
        options = {
            "ours": not arguments.nova_only,
            "functional": not arguments.no_functional,
            "unpatched": arguments.unpatched,
        }
        for series in arguments.series or known_series():
            steps.append(functools.partial(full, series, **options))
    if not arguments.series:
        steps.append(chain)
    return int(sum(_report(step()) for step in steps) > 0)


def _report(row: Row) -> bool:
    """Print a row; whether it failed."""
    cells = [row.name, *(f"{what}: {found}" for what, found in row.cells.items())]
    print("; ".join(cells), flush=True)
    return row.failed


if __name__ == "__main__":
    sys.exit(main())
