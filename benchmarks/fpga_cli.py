#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How long fpga-cli takes: status, burn and erase, as processes of their own and through rootwrap.

Every time is that of a whole call, from its start to its end, the start of the interpreter
included. The ledger is on a real disk, so that its syncs count. The time of the processor, for the
call and what it waits for, is told too: it depends less on what else the machine does.

To be run by the interpreter of an environment as an operator has it: with compiled bytecode, and
not below /tmp, where stevedore does not cache.
"""

import argparse
import contextlib
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import typing
import uuid
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.support import bitstreams  # noqa: E402
from tests.support.host import Host  # noqa: E402

_FILTERS = """[Filters]
status: RegExpFilter, fpga-cli.py, root, fpga-cli.py, status, --format, json
"""
_ROOTWRAP = """[DEFAULT]
filters_path = {folder}/filters
exec_dirs = {folder}
use_syslog = False
daemon_timeout = 600
"""


class Times:
    """Seconds that something took, many times."""

    def __init__(self) -> None:
        self._seconds: list[float] = []
        self._processor: list[float] = []

    @contextlib.contextmanager
    def one(self) -> typing.Iterator[None]:
        """Take the time of a block."""
        start, used = time.perf_counter(), _used()
        yield
        self._seconds.append(time.perf_counter() - start)
        self._processor.append(_used() - used)

    def told(self) -> dict[str, float]:
        """Milliseconds: the least, the median, the 95th percentile; the processor's median."""
        found = sorted(self._seconds)
        numbers = {
            "min": found[0],
            "p50": statistics.median(found),
            "p95": found[int(0.95 * (len(found) - 1))],
            "processor p50": statistics.median(self._processor),
        }
        return {name: round(1000 * value, 1) for name, value in numbers.items()}


def _used() -> float:
    """Seconds of the processor that children of this process took, user and system."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def status(host: Host, count: int) -> Times:
    """`status`, each in a process of its own."""
    times = Times()
    for _ in range(count):
        with times.one():
            _call(host, "status", "--format", "json")
    return times


def burn_and_erase(host: Host, count: int) -> dict[str, Times]:
    """`burn` from a file, `burn` of the same again, and `erase`."""
    package = host.folder / "package.zip"
    package.write_bytes(bitstreams.package("crc32"))
    times = {"burn": Times(), "burn again": Times(), "erase": Times()}
    for _ in range(count):
        owner = str(uuid.uuid4())
        for name in ("burn", "burn again"):
            with times[name].one():
                _call(host, "burn", "--file", str(package), "--owner", owner)
        with times["erase"].one():
            _call(host, "erase", "--owner", owner)
    return times


def kept_warm(folder: Path, count: int) -> dict[str, Times]:
    """`burn` and `erase` of a simulated bitstream whose model is there, without and with `warm`."""
    found = {}
    for warm in (False, True):
        kind = "warm" if warm else "cold"
        (folder / kind).mkdir()
        host = Host(folder / kind, emulator__engine="icarus", warm=warm)
        package = host.folder / "package.zip"
        package.write_bytes(bitstreams.real_package("crc32", "hx8k"))
        burn, erase = Times(), Times()
        try:
            # The first one makes the model.
            for times in (None, *[burn] * count):
                owner = str(uuid.uuid4())
                with times.one() if times else contextlib.nullcontext():
                    _call(host, "burn", "--file", str(package), "--owner", owner)
                with erase.one() if times else contextlib.nullcontext():
                    _call(host, "erase", "--owner", owner)
        finally:
            host.close()
        found |= {f"burn bitstream, {kind}": burn, f"erase bitstream, {kind}": erase}
    return found


def rootwrap(host: Host, count: int, daemon: bool) -> Times:
    """`status` as nova-compute asks for it, without sudo."""
    from oslo_rootwrap import client

    host.wrapper()
    (host.folder / "filters").mkdir(exist_ok=True)
    (host.folder / "filters" / "fpga.filters").write_text(_FILTERS)
    config = host.folder / "rootwrap.conf"
    config.write_text(_ROOTWRAP.format(folder=host.folder))
    main = "daemon" if daemon else "main"
    start = [sys.executable, "-c", f"from oslo_rootwrap.cmd import {main}; {main}()", str(config)]
    call = ["fpga-cli.py", "status", "--format", "json"]
    times = Times()
    if not daemon:
        for _ in range(count):
            with times.one():
                subprocess.run([*start, *call], check=True, capture_output=True)  # noqa: S603
        return times
    running = client.Client(start)
    running.execute(call)  # starts it
    for _ in range(count):
        with times.one():
            code, _out, err = running.execute(call)
        if code != 0:
            raise SystemExit(f"Error: status failed through rootwrap - {err}")
    running._proxy.shutdown()
    return times


def _call(host: Host, *arguments: str) -> None:
    ran = host.run(*arguments)
    if ran.returncode != 0:
        raise SystemExit(ran.stderr)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=40, help="calls of each kind (default: 40)")
    parser.add_argument("--regions", type=int, default=8, help="emulated regions (default: 8)")
    count = parser.parse_args().n
    told: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        host = Host(Path(folder), emulator__regions=parser.parse_args().regions)
        try:
            _call(host, "status")
            bare = Times()
            for _ in range(count):
                with bare.one():
                    subprocess.run([sys.executable, "-c", "pass"], check=True)
            told["python -c pass"] = bare.told()
            told["status"] = status(host, count).told()
            told |= {name: one.told() for name, one in burn_and_erase(host, count).items()}
            warm = kept_warm(Path(folder), count)
            told |= {name: one.told() for name, one in warm.items()}
            told["status by rootwrap"] = rootwrap(host, count, daemon=False).told()
            told["status by rootwrap daemon"] = rootwrap(host, count, daemon=True).told()
        finally:
            host.close()
    print(json.dumps({"milliseconds": told}, indent=2))


if __name__ == "__main__":
    main()
