#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tries the diffs of patches/ on the releases of Nova that they are for.

    matrix.py quick             every diff on the release that it is named for
    matrix.py full [SERIES ...] every diff on all of its releases; then, for each series, a virtual
                                environment with Nova of requirements/nova-SERIES.txt: our tests,
                                Nova's own unit tests of the modules that the diff touches, and its
                                functional tests of servers and ports; at last, where no SERIES is
                                named, the chain
    matrix.py servers [--like REGEX] [SERIES ...]
                                Nova's functional tests of servers and ports alone, or those of
                                these whose names match, on the tree as shipped and patched
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
import sys
import typing
from concurrent import futures

import matrix_diffs
from matrix_environment import NOVA_FUNCTIONAL, NOVA_UNIT, Environment, Outcome, StepError, Suite

#: Our own tests that every series has to pass; of fpga_regions nothing depends on Nova.
UNIT = ("fpga_hooks", "fpga_manage", "fpga_nova", "novadocker", "scheduler_filters")

#: Those with a Docker Engine that depend on a series: on its os-vif and pyroute2, and on what its
#: compute manager does in a move.
ENGINE = {
    "network": ["network"],
    "moves": ["test_moves.py", "test_moves_cloud.py"],
}

TESTS = pathlib.Path(__file__).resolve().parent.parent / "tests"


@dataclasses.dataclass
class Row:
    """What was found for one series, or by the chain."""

    name: str
    cells: dict[str, str]
    failed: bool = False


def full(
    series: int, suites: typing.Sequence[Suite], ours: bool, functional: bool, unpatched: bool
) -> Row:
    """Run the tests of one series in its virtual environment.

    :param suites: of Nova's own tests
    :param ours: run our own tests, too
    :param functional: functional ones of these, too
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
        for series in matrix_diffs.known_series():
            Environment(series).make()
        newest = Environment(matrix_diffs.known_series()[-1])
        row.cells["tests"] = newest.pytest("chain", ["tests/upgrade"], longest=(3600, 3 * 3600))
    except StepError as e:
        row.failed = True
        row.cells["failed"] = str(e)
    return row


def main() -> int:
    """Run the command line."""
    arguments = _parse()
    if arguments.command in ("quick", "full"):
        failures = matrix_diffs.try_all(arguments.command == "full", arguments.series)
        if failures or arguments.command == "quick":
            return int(failures > 0)
    steps: list[typing.Callable[[], Row]] = []
    if arguments.command in ("full", "servers"):
        options = _options(arguments)
        for series in arguments.series or matrix_diffs.known_series():
            steps.append(functools.partial(full, series, **options))
    if arguments.command == "chain" or (arguments.command == "full" and not arguments.series):
        steps.append(chain)
    return int(sum(_report(step()) for step in steps) > 0)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Try the diffs on the releases of Nova.")
    parser.set_defaults(series=[])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("quick", help="apply, compile and revert every diff")
    more = commands.add_parser("full", help="the same on all releases, and the tests")
    more.add_argument("--no-functional", action="store_true", help="leave functional tests out")
    more.add_argument("--nova-only", action="store_true", help="leave our own tests out")
    help_text = "run Nova's own tests unpatched, too, for the whole count"
    more.add_argument("--unpatched", action="store_true", help=help_text)
    help_text = "Nova's functional tests of servers and ports, as shipped and patched"
    servers = commands.add_parser("servers", help=help_text)
    servers.add_argument("--like", default="", metavar="REGEX", help="only tests of such names")
    known = matrix_diffs.known_series()
    for one in (more, servers):
        one.add_argument("series", nargs="*", type=int, choices=known, metavar="SERIES")
    commands.add_parser("chain", help="go through the releases; mix patched and stock services")
    return parser.parse_args()


def _options(arguments: argparse.Namespace) -> dict[str, typing.Any]:
    """The arguments of `full`, but for the series."""
    if arguments.command == "servers":
        suites = [NOVA_FUNCTIONAL._replace(like=arguments.like)]
        return {"suites": suites, "ours": False, "functional": True, "unpatched": True}
    functional = not arguments.no_functional
    return {
        "suites": [NOVA_UNIT, NOVA_FUNCTIONAL] if functional else [NOVA_UNIT],
        "ours": not arguments.nova_only,
        "functional": functional,
        "unpatched": arguments.unpatched,
    }


def _report(row: Row) -> bool:
    """Print a row; whether it failed."""
    cells = [row.name, *(f"{what}: {found}" for what, found in row.cells.items())]
    print("; ".join(cells), flush=True)
    return row.failed


if __name__ == "__main__":
    sys.exit(main())
