#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the resident region manager saves a call of fpga-cli, in starts of an interpreter.

    python benchmarks/server.py [-n 15] [--loads 1000] [--json]

P is the time of `python -I -c pass` by the same interpreter in the same turn. Each call is a whole
process, from its start to its end: alone, with the region manager, and with it through rootwrap's
daemon, as nova-compute calls. The driver is `fake` without a delay, and a server on loopback stands
for Keystone and Glance: what hardware and a network need comes on top. Ways take turns.

`--loads` burns and erases so often with one load in ten failing, and counts the burns that fail.

To be run as root by the interpreter of an environment that has both sides of fpga-nova.
"""

import argparse
import contextlib
import functools
import os
import subprocess
import sys
import tempfile
import typing
import uuid
from pathlib import Path

import figures

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from fpga_regions import errors  # noqa: E402
from fpga_regions.command import options as configuration  # noqa: E402
from fpga_regions.drivers import api  # noqa: E402
from fpga_regions.image import sources  # noqa: E402
from fpga_regions.ledger import ledger  # noqa: E402
from fpga_regions.manager import manager  # noqa: E402
from fpga_regions.manager.bitstreams import File  # noqa: E402
from fpga_regions.model import Claim  # noqa: E402
from tests.support import bitstreams  # noqa: E402
from tests.support.host import Host  # noqa: E402
from tests.support.openstack import OpenStack  # noqa: E402

TARGET = {"board": "fake", "part": "fake"}
_ROOTWRAP = "[DEFAULT]\nfilters_path={root}/etc/rootwrap.d\nexec_dirs={folder}\nuse_syslog=False\n"


class Calls:
    """The calls of one host.

    :param way: runs a verb with its arguments
    """

    def __init__(self, name: str, image: str, way: typing.Callable[..., object]) -> None:
        self._name, self._image, self._way = name, image, way
        self._owner = str(uuid.uuid4())

    def ways(self) -> dict[str, typing.Callable[[], object]]:
        """Each verb, in an order that can be repeated."""
        verbs = {
            "status": ("status", "--format", "json"),
            "burn": ("burn", self._image, "--owner", self._owner),
            "erase": ("erase", "--owner", self._owner),
        }
        return {
            f"{verb}, {self._name}": functools.partial(self._way, *words)
            for verb, words in verbs.items()
        }


def by_process(host: Host, *words: str) -> None:
    """A call as root makes it."""
    ran = subprocess.run(  # noqa: S603
        [str(host.folder / "fpga-cli.py"), *words], capture_output=True, text=True
    )
    if ran.returncode:
        raise SystemExit(f"Error: {words[0]} failed - {ran.stderr}")


def by_daemon(host: Host) -> typing.Callable[..., None]:
    """The same through rootwrap's daemon; nothing between is sudo's."""
    from oslo_rootwrap import client

    conf = host.folder / "rootwrap.conf"
    conf.write_text(_ROOTWRAP.format(root=ROOT, folder=host.folder))
    code = "from oslo_rootwrap.cmd import daemon; daemon()"
    running = client.Client([sys.executable, "-c", code, str(conf)])

    def call(*words: str) -> None:
        code, _, err = running.execute(["fpga-cli.py", *words])
        if code:
            raise SystemExit(f"Error: {words[0]} failed through rootwrap - {err}")

    return call


def times(folder: Path, cloud: OpenStack, count: int) -> dict[str, typing.Any]:
    """Each verb on each way."""
    image = cloud.add(bitstreams.package(target=TARGET))
    hosts = {}
    for name in ("alone", "served"):
        (folder / name).mkdir()
        hosts[name] = host = Host(folder / name, cloud.options(), drivers="fake", fake__regions=4)
        command = [sys.executable, "-I", *host.command()[1:]]
        path = folder / name / "fpga-cli.py"
        path.write_text(f'#!/bin/sh\nexec {" ".join(command)} "$@"\n')
        path.chmod(0o755)
    with hosts["served"].served() as server:
        start = [sys.executable, "-I", "-c", "pass"]
        ways: dict[str, typing.Callable[[], object]] = {
            "P": functools.partial(subprocess.run, start, check=True)
        }
        ways |= Calls("alone", image, functools.partial(by_process, hosts["alone"])).ways()
        ways |= Calls("served", image, functools.partial(by_process, hosts["served"])).ways()
        daemon = by_daemon(hosts["served"])
        ways |= Calls("served, through rootwrap's daemon", image, daemon).ways()
        found = figures.in_turns(ways, count)
        pages = int(Path(f"/proc/{server.pid}/statm").read_text().split()[1])
    p = found["P"].median
    results: dict[str, typing.Any] = {}
    for name, one in found.items():
        results[name] = one.summary() | {"in P": figures.ratio(one.median, p)}
    results["memory of the region manager, MiB"] = pages * os.sysconf("SC_PAGE_SIZE") >> 20
    return results


def failing(folder: Path, count: int) -> dict[str, int]:
    """How many burns fail where one load in ten does, without the pauses between two tries."""
    options = {"fake__program_failures": 0.1, "fake__seed": 15, "events_kept": 100000}
    host = Host(folder, drivers="fake", **options)
    conf = configuration.load(str(host.config))
    file = folder / "package.zip"
    file.write_bytes(bitstreams.package(target=TARGET))
    bitstream = File(sources.from_file(conf, file))
    failed = 0
    with contextlib.closing(ledger.Ledger(host.state, 10, 100000)) as db:
        regions = manager.Manager(conf, db, api.load(conf))
        for number in range(count):
            owner = str(uuid.UUID(int=number + 1))
            try:
                regions.burn(bitstream, Claim(owner))
            except errors.RegionError:
                failed += 1
            regions.erase(None, owner)
        again = sum("again:" in event.note for event in db.events())
    return {"burns": count, "failed": failed, "loads tried again": again}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-n", type=int, default=15, help="calls of each kind (default: 15)")
    parser.add_argument("--loads", type=int, default=0, help="burns with failing loads")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fpga-bench-") as name, OpenStack() as cloud:
        results = times(Path(name), cloud, options.n) if options.n else {}
        if options.loads:
            folder = Path(name) / "loads"
            folder.mkdir()
            results["one load in ten fails"] = failing(folder, options.loads)
    figures.report(results, options.json, n=options.n, unit="ms")


if __name__ == "__main__":
    main()
