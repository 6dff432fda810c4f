#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Others' suites of OpenCL by a worker of this host or of a node, and by pocl itself.

    python benchmarks/opencl_suites.py --python .tox/suites/bin/python [--way afar] [SUITE ...]

The suites are pyopencl's own tests and examples, CLBlast's tests and clpeak. With `--way afar`
their calls go through `fpga-opencl-agent` to a node, by TLS on loopback; without it, through a
socket of this host. pocl itself runs them in the same turn.

Some of pyopencl's tests pass over a part where the platform's vendor is pocl. They get another name
in that place, so that both ways do the same.

The exit status is 1 if something passes with pocl itself and not by a worker, unless it needs what
is not served. Run it as root.
"""

import argparse
import sys
import tempfile
import typing
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import opencl_ways  # noqa: E402
import suites  # noqa: E402

_SUITES: dict[str, typing.Callable[[suites.Place, opencl_ways.Way], suites.Outcomes]] = {
    "pyopencl": suites.pyopencl,
    "examples": suites.examples,
    "xaxpy": suites.clblast("xaxpy"),
    "xdot": suites.clblast("xdot"),
    "xgemm": suites.clblast("xgemm"),
    "clpeak": suites.clpeak,
}


#: What needs what is not served.
NOT_SERVED = {"demo_array_svm": "shared virtual memory"}


def row(name: str, way: str, found: suites.Outcomes, seconds: float) -> str:
    """A line of the table."""
    counts = [sum(one.count(state) for one in found.values()) for state in suites.STATES]
    return f"| {name} | {way} | {' | '.join(map(str, counts))} | {round(seconds)} s |"


def lost(local: suites.Outcomes, ours: suites.Outcomes) -> list[str]:
    """What passes with pocl itself, and not by a worker although that serves what it needs."""
    return [
        name
        for name, outcome in local.items()
        if "failed" not in outcome
        and (name not in ours or "failed" in ours[name])
        and name not in NOT_SERVED
    ]


def main() -> int:
    """Print the table; exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--python", required=True, help="an interpreter that has pyopencl")
    parser.add_argument("--way", choices=opencl_ways.WAYS, default="worker")
    parser.add_argument("names", nargs="*", metavar="SUITE", help=", ".join(_SUITES))
    options = parser.parse_args()
    unknown = set(options.names) - set(_SUITES)
    if unknown:
        parser.error(f"no suite is called {', '.join(sorted(unknown))}")
    worse = []
    print(f"| suite | way | {' | '.join(suites.STATES)} | time |", flush=True)
    print("|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        place = suites.prepare(options.python, Path(folder))
        with opencl_ways.WAYS[options.way](Path(folder)) as ours:
            for name in options.names or _SUITES:
                results = []
                for way in (opencl_ways.Local(), ours):
                    found, seconds = suites.timed(_SUITES[name], place, way)
                    print(row(name, way.name, found, seconds), flush=True)
                    results.append(found)
                differing = suites.differences(*results)
                print("".join(f"  {one}\n" for one in differing), end="", flush=True)
                worse += [f"{name}: {one}" for one in lost(*results)]
    if worse:
        print(f"Error: only pocl itself passes these: {'; '.join(worse)}", file=sys.stderr)
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
