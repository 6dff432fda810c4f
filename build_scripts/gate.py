#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the suites of a budget file that a change needs, each within its minutes.

    gate.py BUDGET      .ci/budget.toml describes its keys, .ci/run the variables GATE_*

Exit status: 0 every suite passed in time; 1 one did not, and the gate stopped there.
"""

import argparse
import collections
import collections.abc
import dataclasses
import datetime
import os
import re
import signal
import subprocess
import sys
import threading
import time
import tomllib
import typing
from pathlib import Path

#: What names a failure in the output of our runners; of a long output some keep only the end.
_FAILURE = re.compile(rb"^(FAILED|ERROR|fatal:) |\.\.\. FAILED|Timeout >")
_FAILURES, _WIDTH = 5, 160

#: By how much the budgets grow on a slow processor; the gate then still ends within 90 minutes.
_MOST_FACTOR = 1.1

#: Seconds that an interrupted suite has to report where it was.
_GRACE = 30


class GateError(Exception):
    """A suite failed; the message names its command, and what its runner reported."""


@dataclasses.dataclass(frozen=True)
class Suite:
    """An entry of the budget file."""

    name: str
    minutes: float
    command: str
    touched_by: tuple[str, ...] = ()
    rotates: bool = False
    variants: tuple[str, ...] = ()

    def is_touched(self, changed: collections.abc.Set[str] | None) -> bool:
        """Whether a change touches it; one that is not known (None) touches everything."""
        return changed is None or any(path.startswith(self.touched_by) for path in changed)

    def variant(self, number: int) -> "Suite":
        """The suite with one of its variants, if it has any; after the last comes the first."""
        if not self.variants:
            return self
        chosen = self.variants[number % len(self.variants)]
        return dataclasses.replace(self, command=self.command.format(variant=chosen))


@dataclasses.dataclass(frozen=True)
class Budget:
    """The budget file."""

    minutes: float
    loop_seconds: float
    suites: tuple[Suite, ...]

    def choose(self, changed: collections.abc.Set[str] | None, day: int) -> list[Suite]:
        """The suites to run, in their order: those of the day, and others that the change touches.

        Suites that rotate take turns by day. The one whose turn it is runs in any case. Those that
        the change touches run too, in the order of their turns, as far as the minutes allow.

        :param changed: paths in the checkout; None where the change is not known
        :param day: the number of the day
        """
        turns = [suite for suite in self.suites if suite.rotates]
        first = day % len(turns) if turns else 0
        room = self.minutes - sum(suite.minutes for suite in self.suites if not suite.rotates)
        due = []
        for turn, suite in enumerate(turns[first:] + turns[:first]):
            if turn == 0 or (suite.is_touched(changed) and suite.minutes <= room):
                due.append(suite)
                room -= suite.minutes
        chosen = []
        for suite in self.suites:
            if suite in due:
                # By turns of all that rotate: else the same variant would be due each time.
                chosen.append(suite.variant(day // len(turns)))
            elif not suite.rotates:
                chosen.append(suite.variant(0 if suite.is_touched(changed) else day))
        return chosen


def read(file: Path) -> Budget:
    """Read a budget file."""
    content = tomllib.loads(file.read_text())
    suites = tuple(_suite(**entry) for entry in content["suite"])
    return Budget(content["minutes"], content["loop_seconds"], suites)


def _suite(
    touched_by: typing.Iterable[str] = (), variants: typing.Iterable[str] = (), **keys: typing.Any
) -> Suite:
    return Suite(touched_by=tuple(touched_by), variants=tuple(variants), **keys)


def loop_seconds() -> float:
    """The processor time of a loop; what else runs on the machine hardly changes it."""
    start, total = time.process_time(), 0
    for number in range(10_000_000):
        total += number % 7
    return time.process_time() - start


def budget_factor(budget: Budget) -> float:
    """What multiplies every budget here: GATE_FACTOR, or how slow the processor is."""
    if given := os.environ.get("GATE_FACTOR"):
        return float(given)
    return round(min(max(1, loop_seconds() / budget.loop_seconds), _MOST_FACTOR), 2)


def _git(*words: str) -> str:
    run = subprocess.run(["git", *words], capture_output=True, text=True, check=True)
    return run.stdout.strip()


def changed_paths() -> frozenset[str] | None:
    """The paths that differ from GATE_BASE, or from the newest commit a day before HEAD.

    :returns: None where there is no such commit
    """
    try:
        base = os.environ.get("GATE_BASE")
        if not base:
            day_before = int(_git("show", "--no-patch", "--format=%ct", "HEAD")) - 24 * 3600
            base = _git("rev-list", "--max-count=1", f"--before={day_before}", "HEAD")
        return frozenset(_git("diff", "--name-only", base).splitlines()) if base else None
    except subprocess.CalledProcessError:
        return None


class _Output:
    """What a runner prints: passed on at once; the last line and those of failures are kept."""

    def __init__(self, stream: typing.BinaryIO) -> None:
        self.last = b""
        self.failures: collections.deque[bytes] = collections.deque(maxlen=_FAILURES)
        # Not waited for at the exit: a program that outlives its suite may keep the stream open.
        self._thread = threading.Thread(target=self._pass_on, args=[stream], daemon=True)
        self._thread.start()

    def _pass_on(self, stream: typing.BinaryIO) -> None:
        for line in stream:
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
            self.last = line
            if _FAILURE.search(line):
                self.failures.append(line.rstrip()[:_WIDTH])

    def join(self) -> None:
        """Wait until all that the runner printed is passed on."""
        self._thread.join(10)


def _interrupt(process: "subprocess.Popen[bytes]", grace: float) -> None:
    """Interrupt a suite as a terminal does, so that it reports where it was; then kill it."""
    for number, patience in ((signal.SIGINT, grace), (signal.SIGKILL, None)):
        try:
            os.killpg(process.pid, number)
            process.wait(patience)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def run(suite: Suite, factor: float, grace: float = _GRACE) -> bytes:
    """Run a suite within its minutes.

    :param factor: multiplies its minutes
    :param grace: seconds that it has to report where it was, if it takes longer
    :returns: the last line of its runner
    :raises GateError: it failed, or took longer
    """
    minutes = suite.minutes * factor
    process = subprocess.Popen(
        # A gate in the background ignores the interrupt, and its suites would inherit that.
        ["env", "--default-signal=INT", "bash", "-c", suite.command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        process_group=0,
    )
    output = _Output(typing.cast(typing.BinaryIO, process.stdout))
    reason = ""
    try:
        process.wait(minutes * 60)
    except subprocess.TimeoutExpired:
        reason = f": over its budget of {minutes:g} minutes"
    finally:
        if process.poll() is None:
            _interrupt(process, grace)
    output.join()
    if reason or process.returncode:
        failures = [line.decode(errors="replace") for line in output.failures]
        raise GateError("\n".join([f"FAILED: {suite.command}{reason}", *failures]))
    return output.last


def run_all(budget: Budget, chosen: list[Suite], factor: float) -> None:
    """Run suites one after the other; what each took, and the last one's last line, come last.

    :raises GateError: one failed
    """
    names = {suite.name for suite in chosen}
    report = [
        f"{suite.name:<14} waits for its day" for suite in budget.suites if suite.name not in names
    ]
    closing = b""
    for suite in chosen:
        print(f"== {suite.name}: {suite.command}", flush=True)
        start = time.monotonic()
        closing = run(suite, factor)
        took = (time.monotonic() - start) / 60
        report.append(f"{suite.name:<14} {took:5.1f} of {suite.minutes * factor:g} minutes")
    print("\n".join(report))
    print(closing.decode(errors="replace").rstrip(), flush=True)


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Run the suites that a change needs.")
    parser.add_argument("budget", type=Path, metavar="BUDGET")
    parser.add_argument("--list", action="store_true", help="print the commands, and run nothing")
    arguments = parser.parse_args()
    # As an exception, so that the suite ends before the gate does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    budget = read(arguments.budget)
    chosen = budget.choose(changed_paths(), datetime.date.today().toordinal())
    if arguments.list:
        print("\n".join(suite.command for suite in chosen))
        return 0
    try:
        run_all(budget, chosen, budget_factor(budget))
    except GateError as e:
        print(e, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
