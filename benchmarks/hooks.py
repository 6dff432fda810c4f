#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What nova-compute waits for a status of the regions: each way to run fpga-cli as root.

Run it as root in an environment that has Nova and both sides of fpga-nova. Everything is made in a
temporary folder: a host of two emulated regions, the shipped filters, a rootwrap.conf. The ways
take turns, so that a drift of the machine's speed falls on all of them. `true` in place of
fpga-cli shows what the way alone costs.
"""

import argparse
import json
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import typing

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

from fpga_hooks.program import root
from tests.support.host import Host

STATUS = ["fpga-cli.py", "status", "--format", "json"]
_FILTERS = pathlib.Path(__file__).parents[1] / "etc" / "rootwrap.d"


def ways(folder: pathlib.Path) -> dict[str, typing.Callable[[], object]]:
    """A call for each way."""
    host = Host(folder)
    wrapper = str(host.wrapper())
    binaries = pathlib.Path(sys.executable).parent
    filters = folder / "filters"
    shutil.copytree(_FILTERS, filters)
    (filters / "true.filters").write_text("[Filters]\ntrue: CommandFilter, true, root\n")
    conf = folder / "rootwrap.conf"
    conf.write_text(f"[DEFAULT]\nfilters_path={filters}\nexec_dirs={folder},/usr/bin,/bin\n")
    rootwrap = ["sudo", str(binaries / "nova-rootwrap"), str(conf)]
    daemon = ["sudo", str(binaries / "nova-rootwrap-daemon"), str(conf)]
    root._daemon_command = lambda: daemon

    def process(*command: str) -> typing.Callable[[], object]:
        return lambda: subprocess.run(command, check=True, capture_output=True)  # noqa: S603

    return {
        "true: process": process("true"),
        "true: sudo + rootwrap": process(*rootwrap, "true"),
        "true: rootwrap daemon": lambda: _check(root.daemons.execute(["true"], 60)),
        "status: process": process(wrapper, *STATUS[1:]),
        "status: sudo + rootwrap": process(*rootwrap, *STATUS),
        "status: rootwrap daemon": lambda: _check(root.daemons.execute(STATUS, 60)),
    }


def _check(answer: root.Answer | None) -> None:
    if answer is None or answer.code:
        raise SystemExit(f"Error: the daemon's command failed - {answer}")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=30, help="calls of each way (default: 30)")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        calls = ways(pathlib.Path(name))
        times: dict[str, list[float]] = {way: [] for way in calls}
        for turn in range(arguments.n + 1):
            for way, call in calls.items():
                start = time.monotonic()
                call()
                if turn:  # the first turn warms up
                    times[way].append((time.monotonic() - start) * 1000)
    found = {
        way: {
            "median": round(statistics.median(durations), 1),
            "p95": round(statistics.quantiles(durations, n=20)[18], 1),
        }
        for way, durations in times.items()
    }
    if arguments.json:
        print(json.dumps({"unit": "ms", "n": arguments.n, "ways": found}, indent=2))
        return
    for way, durations in found.items():
        print(f"{way:28} median {durations['median']:7.1f} ms  p95 {durations['p95']:7.1f} ms")


if __name__ == "__main__":
    main()
