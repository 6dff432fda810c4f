#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the cache of packages saves a burn, and how burns at the same time compare to one by one.

    python benchmarks/packages.py [-n 6] [--size MIB] [--json]

Whole processes of fpga-cli with the emulator's part `software`, against a server on loopback that
stands for Keystone and Glance: what a network adds comes on top of a miss. Hits and misses take
turns, so that a drift of the machine's speed falls on both. Processor time is that of fpga-cli
alone, and tells more than the clock on a machine that does other things, too. The package has a
file besides its bitfile that gives it its size.
"""

import argparse
import os
import shutil
import sys
import tempfile
import typing
import uuid
import zipfile
from pathlib import Path

import figures

sys.path.insert(0, str(Path(__file__).parents[1]))

from fpga_regions.package import writer
from tests.support import bitstreams
from tests.support.host import Host
from tests.support.openstack import OpenStack

REGIONS = 8
_MIB = 1024 * 1024


def package(size: int) -> bytes:
    """A valid package of at least so many bytes, which do not compress."""
    content = bitstreams.bitfile()
    manifest_text = writer.describe(bitstreams.fields(), content)
    more = zipfile.ZipInfo("random")
    return bitstreams.archive(
        ("manifest.json", manifest_text), ("core.json", content), (more, os.urandom(size))
    )


class Bench:
    """A host with regions, and an image."""

    def __init__(self, folder: Path, cloud: OpenStack, size: int) -> None:
        self.host = Host(folder, cloud.options(), emulator__regions=REGIONS)
        self.cloud = cloud
        self.image = cloud.add(package(size))

    def forget(self) -> None:
        """Empty the cache."""
        shutil.rmtree(self.host.state / "cache", ignore_errors=True)

    def burn(self, times: figures.Times | None = None) -> None:
        """One burn; the region is erased afterwards."""
        with (times or figures.Times()).one():
            region = self.host.burn(self.image)
        self.host.run("erase", region)

    def burn_all(self, at_once: bool, times: figures.Times) -> None:
        """Burn every region; they are erased afterwards."""
        owners = [str(uuid.uuid4()) for _ in range(REGIONS)]
        with times.one():
            if at_once:
                running = [self.host.start("burn", self.image, "--owner", one) for one in owners]
                if any(process.wait() for process in running):
                    raise SystemExit(f"Error: a burn failed - {running[0].communicate()[1]}")
            else:
                for one in owners:
                    self.host.burn(self.image, "--owner", one)
        for one in owners:
            self.host.run("erase", "--owner", one)


def hits_and_misses(bench: Bench, turns: int) -> dict[str, typing.Any]:
    """A burn whose package is in the cache, and one whose is not."""
    bench.burn()
    hit, miss = figures.Times(), figures.Times()
    for _ in range(turns):
        bench.forget()
        bench.burn(miss)
        bench.burn(hit)
    ratio = figures.ratio(miss.median, hit.median)
    return {"miss": miss.summary(), "hit": hit.summary(), "ratio: miss / hit": ratio}


def together(bench: Bench, turns: int) -> dict[str, typing.Any]:
    """As many burns as there are regions, one by one and at once, with an empty cache."""
    serial, parallel = figures.Times(), figures.Times()
    downloads = 0
    for _ in range(turns):
        for at_once, times in ((False, serial), (True, parallel)):
            bench.forget()
            before = bench.cloud.downloads
            bench.burn_all(at_once, times)
            downloads = max(downloads, bench.cloud.downloads - before)
    return {
        f"{REGIONS} one by one": serial.summary(),
        f"{REGIONS} at once": parallel.summary(),
        "ratio: one by one / at once": figures.ratio(serial.median, parallel.median),
        "downloads of each": downloads,
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("-n", type=int, default=6, help="turns (default: 6)")
    parser.add_argument("--size", type=int, default=64, help="MiB of the large package")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results: dict[str, typing.Any] = {}
    for name, size in (("1 KiB", 0), (f"{options.size} MiB", options.size * _MIB)):
        with tempfile.TemporaryDirectory(prefix="fpga-bench-") as folder, OpenStack() as cloud:
            bench = Bench(Path(folder), cloud, size)
            try:
                found = hits_and_misses(bench, options.n)
                found |= together(bench, max(1, options.n // 3))
            finally:
                bench.host.close()
        results |= {f"{name}: {what}": value for what, value in found.items()}
    figures.report(results, options.json, n=options.n, unit="ms")


if __name__ == "__main__":
    main()
