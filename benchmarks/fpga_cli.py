#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How long fpga-cli takes: the status on each way to it, burn and erase with each driver.

    python benchmarks/fpga_cli.py [-n 15] [--json]

Milliseconds. Every time is that of a whole call, from its start to its end, the start of the
interpreter included; the read of the published status is in a process that runs already, as
nova-compute does it. The ledger is on a real disk, so that its syncs count. The time of the
processor, for the call and what it waits for, is told too: it depends less on what else the machine
does. Ways take turns.

The drivers are those that need no hardware: `emulator` with a function in software, and with a
bitstream whose model is made already, erased or kept warm (more in benchmarks/emulator.py), `fake`
without a delay, and `command` with a shell script that copies a file: what they cost is what
fpga-cli itself does, and hardware's time comes on top.

To be run by the interpreter of an environment as an operator has it: with compiled bytecode, and
not below /tmp, where stevedore does not cache. Without Nova in it, the read is left out.
"""

import argparse
import functools
import importlib.util
import subprocess
import sys
import tempfile
import typing
import uuid
from pathlib import Path

import figures

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.support import bitstreams  # noqa: E402
from tests.support.host import Host  # noqa: E402
from tests.support.wrapped import PROGRAM  # noqa: E402

STATUS = ("status", "--format", "json")
_FILTERS = """[Filters]
status: RegExpFilter, fpga-cli.py, root, fpga-cli.py, status, --format, json
"""
_ROOTWRAP = """[DEFAULT]
filters_path = {folder}/filters
exec_dirs = {folder}
use_syslog = False
daemon_timeout = 600
"""
READ = "status read where it is published"


def status(host: Host, count: int) -> dict[str, typing.Any]:
    """The status on each way."""
    running, start = _rootwrap(host)
    call = ["fpga-cli.py", *STATUS]

    def ask_daemon() -> None:
        code, _out, err = running.execute(call)
        if code != 0:
            raise SystemExit(f"Error: status failed through rootwrap - {err}")

    run = functools.partial(subprocess.run, check=True, capture_output=True)
    ways: dict[str, typing.Callable[[], object]] = {
        "python -c pass": lambda: run([sys.executable, "-c", "pass"]),
        "status": lambda: _call(host, *STATUS),
        "status by rootwrap": lambda: run([*start, *call]),
        "status by the rootwrap daemon": ask_daemon,
    }
    if importlib.util.find_spec("nova"):
        ways[READ] = _reader(host)
    try:
        times = figures.in_turns(ways, count)
    finally:
        running._proxy.shutdown()
    results: dict[str, typing.Any] = {name: one.summary() for name, one in times.items()}
    if READ in times:
        results[f"ratio: status / {READ}"] = figures.ratio(
            times["status"].median, times[READ].median
        )
    for name in ("status by rootwrap", "status by the rootwrap daemon"):
        results[f"ratio: {name} / status"] = figures.ratio(
            times[name].median, times["status"].median
        )
    return results


def _rootwrap(host: Host) -> tuple[typing.Any, list[str]]:
    """A client of a daemon that runs, and the command without one; both as root, without sudo."""
    from oslo_rootwrap import client

    host.wrapper()
    (host.folder / "filters").mkdir()
    (host.folder / "filters" / "fpga.filters").write_text(_FILTERS)
    config = host.folder / "rootwrap.conf"
    config.write_text(_ROOTWRAP.format(folder=host.folder))
    code = "from oslo_rootwrap.cmd import {0}; {0}()"
    commands = [
        [sys.executable, "-c", code.format(main), str(config)] for main in ("main", "daemon")
    ]
    return client.Client(commands[1]), commands[0]


def _reader(host: Host) -> typing.Callable[[], object]:
    """What nova-compute does; the status before it in each turn has published anew."""
    from fpga_hooks import calls  # noqa: F401 - registers the options
    from fpga_hooks.program import published

    published.CONF([], project="nova", default_config_files=[])
    published.CONF.set_override("status_file", str(host.runtime / "status.json"), "fpga")

    def read() -> None:
        if published.status() is None:
            raise SystemExit("Error: the published status cannot be read; run this as root")

    return read


def drivers(folder: Path, regions: int) -> dict[str, tuple[Host, bytes]]:
    """For each driver a host, and a package that fits it."""
    (folder / "program").mkdir()
    script = folder / "program" / "run"
    script.write_text(PROGRAM)
    script.chmod(0o755)
    command = {"exec": script, "board": "b", "part": "p", "nodes": "char:/dev/null"}
    options: dict[str, dict[str, typing.Any]] = {
        "emulator": {"emulator__regions": regions},
        "bitstream": {"emulator__engine": "icarus"},
        "bitstream, kept warm": {"emulator__engine": "icarus", "warm": True},
        "fake": {"drivers": "fake"},
        "command": {"drivers": "command", "command__cards": "a"}
        | {f"command:a__{name}": value for name, value in command.items()},
    }
    node = {"exposes": [{"kind": "char", "name": "/dev/fpga0"}]}
    simulated = bitstreams.real_package("crc32", "hx8k")
    packages = {
        "emulator": bitstreams.package("crc32"),
        "bitstream": simulated,
        "bitstream, kept warm": simulated,
        "fake": bitstreams.package("crc32", target={"board": "fake", "part": "fake"}),
        "command": bitstreams.package("crc32", target={"board": "b", "part": "p"}, **node),
    }
    hosts = {}
    for name, settings in options.items():
        (folder / name).mkdir()
        hosts[name] = Host(folder / name, **settings), packages[name]
    return hosts


def burn_and_erase(name: str, host: Host, package: bytes, count: int) -> dict[str, typing.Any]:
    """`burn` from a file, `burn` of the same again, and `erase`."""
    file = host.folder / "package.zip"
    file.write_bytes(package)
    owner = str(uuid.uuid4())
    burn = functools.partial(_call, host, "burn", "--file", str(file), "--owner", owner)
    ways = {"burn": burn, "burn again": burn}
    times = figures.in_turns(
        ways | {"erase": functools.partial(_call, host, "erase", "--owner", owner)}, count
    )
    results: dict[str, typing.Any] = {
        f"{name}: {what}": one.summary() for what, one in times.items()
    }
    results[f"ratio: {name}: burn / burn again"] = figures.ratio(
        times["burn"].median, times["burn again"].median
    )
    return results


def _call(host: Host, *arguments: str) -> None:
    result = host.run(*arguments)
    if result.returncode != 0:
        raise SystemExit(result.stderr)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-n", type=int, default=15, help="calls of each kind (default: 15)")
    parser.add_argument("--regions", type=int, default=8, help="emulated regions (default: 8)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results: dict[str, typing.Any] = {}
    with tempfile.TemporaryDirectory(prefix="fpga-bench-") as folder:
        hosts = drivers(Path(folder), options.regions)
        try:
            results |= status(hosts["emulator"][0], options.n)
            for name, (host, package) in hosts.items():
                results |= burn_and_erase(name, host, package, options.n)
        finally:
            for host, _ in hosts.values():
                host.close()
    figures.report(results, options.json, n=options.n, unit="ms")


if __name__ == "__main__":
    main()
