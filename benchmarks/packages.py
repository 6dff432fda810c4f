#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the cache of packages saves a burn, and how burns at the same time compare to one by one.

    python benchmarks/packages.py [-n 10] [--size MIB] [--json]

Whole processes of fpga-cli with the emulator's part `software`, against a server on loopback that
stands for Keystone and Glance: what a network adds comes on top of a miss. Hits and misses take
turns, so that a drift of the machine's speed falls on both. Processor time is that of fpga-cli
alone, and tells more than the clock on a machine that does other things, too. The package has a
file besides its bitfile that gives it its size.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import sys
import tempfile
import time
import typing
import uuid
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from fpga_regions import package_writer
from tests.support import bitstreams
from tests.support.host import Host
from tests.support.openstack import OpenStack

REGIONS = 8
_MIB = 1024 * 1024


def package(size: int) -> bytes:
    """A valid package of at least so many bytes, which do not compress."""
    content = bitstreams.bitfile()
    described = package_writer.describe(bitstreams.fields(), content)
    more = zipfile.ZipInfo("random")
    return bitstreams.archive(
        ("manifest.json", described), ("core.json", content), (more, os.urandom(size))
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

    def burn(self) -> tuple[float, float]:
        """Seconds of one burn, and of processor time; the region is erased afterwards."""
        start, used = time.monotonic(), processor()
        region = self.host.burn(self.image)
        took = time.monotonic() - start, processor() - used
        self.host.run("erase", region)
        return took

    def burn_all(self, at_once: bool) -> float:
        """Seconds until every region is burnt; they are erased afterwards."""
        owners = [str(uuid.uuid4()) for _ in range(REGIONS)]
        start = time.monotonic()
        if at_once:
            running = [self.host.start("burn", self.image, "--owner", one) for one in owners]
            if any(process.wait() for process in running):
                raise SystemExit(f"Error: a burn failed - {running[0].communicate()[1]}")
        else:
            for one in owners:
                self.host.burn(self.image, "--owner", one)
        took = time.monotonic() - start
        for one in owners:
            self.host.run("erase", "--owner", one)
        return took


def processor() -> float:
    """Seconds of processor time that ended child processes have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def summary(values: typing.Sequence[float]) -> dict[str, float]:
    """Minimum, median, maximum in seconds."""
    return {
        "min": round(min(values), 3),
        "median": round(statistics.median(values), 3),
        "max": round(max(values), 3),
    }


def hits_and_misses(bench: Bench, turns: int) -> dict[str, dict[str, float]]:
    """A burn whose package is in the cache, and one whose is not."""
    bench.burn()
    hits, misses = [], []
    for _ in range(turns):
        bench.forget()
        misses.append(bench.burn())
        hits.append(bench.burn())
    figures = {}
    for what, values in (("miss", misses), ("hit", hits)):
        waited, used = zip(*values, strict=True)
        figures[what] = summary(waited)
        figures[f"{what}, processor"] = summary(used)
    return figures


def together(bench: Bench, turns: int) -> dict[str, typing.Any]:
    """As many burns as there are regions, one by one and at once, with an empty cache."""
    times: dict[bool, list[float]] = {False: [], True: []}
    downloads = 0
    for _ in range(turns):
        for at_once, values in times.items():
            bench.forget()
            before = bench.cloud.downloads
            values.append(bench.burn_all(at_once))
            downloads = max(downloads, bench.cloud.downloads - before)
    return {
        f"{REGIONS} one by one": summary(times[False]),
        f"{REGIONS} at once": summary(times[True]),
        "downloads of each": downloads,
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("-n", type=int, default=10, help="turns (default: 10)")
    parser.add_argument("--size", type=int, default=64, help="MiB of the large package")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    figures: dict[str, typing.Any] = {"n": options.n, "load": os.getloadavg()[0]}
    for name, size in (("1 KiB", 0), (f"{options.size} MiB", options.size * _MIB)):
        with tempfile.TemporaryDirectory() as folder, OpenStack() as cloud:
            bench = Bench(Path(folder), cloud, size)
            try:
                for what, value in hits_and_misses(bench, options.n).items():
                    figures[f"{name} {what}"] = value
                for what, value in together(bench, max(1, options.n // 3)).items():
                    figures[f"{name} {what}"] = value
            finally:
                bench.host.close()
    if options.json:
        print(json.dumps(figures, indent=1))
        return
    for what, value in figures.items():
        print(f"{what:<24} {value}")


if __name__ == "__main__":
    main()
