# SPDX-License-Identifier: Apache-2.0
"""What benchmarks have in common: times, medians, ratios, and how they are told."""

import contextlib
import json
import math
import os
import resource
import statistics
import sys
import time
import typing


class Times:
    """Seconds that something took, many times, by the clock and of a processor."""

    def __init__(self) -> None:
        self.clock: list[float] = []
        self.processor: list[float] = []

    @contextlib.contextmanager
    def one(self) -> typing.Iterator[None]:
        """Take the time of a block; the processor's is that of the child processes it waits for."""
        start, used = time.perf_counter(), _used()
        yield
        self.clock.append(time.perf_counter() - start)
        self.processor.append(_used() - used)

    @property
    def median(self) -> float:
        """The clock's median, in seconds."""
        return statistics.median(self.clock)

    def summary(self) -> dict[str, float]:
        """Milliseconds: the least, the median, the 95th percentile; the processor's median."""
        found = sorted(self.clock)
        numbers = {
            "min": found[0],
            "p50": self.median,
            "p95": found[math.ceil(0.95 * len(found)) - 1],
            "processor p50": statistics.median(self.processor),
        }
        return {name: round(1000 * value, 3) for name, value in numbers.items()}


def in_turns(ways: dict[str, typing.Callable[[], object]], count: int) -> dict[str, Times]:
    """The times of calls that take turns, so that a drift of the machine's speed falls on all."""
    times = {name: Times() for name in ways}
    for turn in range(count + 1):
        for name, call in ways.items():
            # The first turn warms up.
            with times[name].one() if turn else contextlib.nullcontext():
                call()
    return times


def ratio(one: float, other: float) -> float:
    """How many times the one is the other."""
    return round(one / other, 2)


def at_most(value: float, limit: float) -> dict[str, typing.Any]:
    """Of a row: what a figure may be, and whether it is."""
    return {"at most": round(limit, 3), "met": value <= limit}


def at_least(value: float, limit: float) -> dict[str, typing.Any]:
    """Of a row: what a figure must be, and whether it is."""
    return {"at least": round(limit, 3), "met": value >= limit}


def require(rows: dict[str, typing.Any]) -> None:
    """End the program with an error if a row misses its limit."""
    missed = [
        name for name, row in rows.items() if isinstance(row, dict) and not row.get("met", True)
    ]
    if missed:
        sys.exit(f"Error: not within the limit: {', '.join(missed)}")


def report(figures: dict[str, typing.Any], as_json: bool, **about: typing.Any) -> None:
    """Print figures by name, and what to know about them."""
    load = round(os.getloadavg()[0], 1)
    about = {"load": load, "processors": os.cpu_count()} | about
    if as_json:
        print(json.dumps(about | {"figures": figures}, indent=1))
        return
    print("  ".join(f"{name}: {value}" for name, value in about.items()))
    wide = max(len(name) for name in figures)
    for name, value in figures.items():
        text = value
        if isinstance(value, dict):
            text = "  ".join(f"{key} {one}" for key, one in value.items())
        print(f"{name:<{wide}}  {text}")


def _used() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
