#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What an FPGA region adds to a boot and to a delete, and the memory the cloud takes.

Boots with and without a region take turns in one run, so that a drift of the machine's speed
falls on both. Times are from the request to ACTIVE, and from the delete to the end of the server;
polled every 50 ms, at a moment of chance first.
"""

import argparse
import json
import random
import statistics
import sys
import time
import typing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "build_scripts"))

from cloud import Cloud

FLAVORS = {"with FPGA": "fpga-lzo", "without": "small"}
_PAUSE = 0.05  # seconds between two looks


def one(
    cloud: Cloud, flavor: str, name: str = "bench", networks: str = "none", **where: typing.Any
) -> tuple[float, float]:
    """Seconds from the request to ACTIVE, and from the delete to gone."""
    compute = cloud.api.compute
    image = cloud.api.image.find_image("ubuntu_lzo", ignore_missing=False).id
    flavor_id = compute.find_flavor(flavor, ignore_missing=False).id
    start = time.monotonic()
    server = compute.create_server(
        name=name, flavor_id=flavor_id, image_id=image, networks=networks, **where
    )
    _first_pause()
    while (found := compute.get_server(server.id)).status == "BUILD":
        time.sleep(_PAUSE)
    booted = time.monotonic() - start
    if found.status != "ACTIVE":
        raise SystemExit(f"Error: the boot failed - {cloud.fault(server.id)}")
    start = time.monotonic()
    compute.delete_server(server)
    _first_pause()
    while any(s.id == server.id for s in compute.servers(details=False)):
        time.sleep(_PAUSE)
    return booted, time.monotonic() - start


def _first_pause() -> None:
    """Without it, times that are alike would all be rounded up to the same look."""
    time.sleep(random.uniform(0, _PAUSE))


def resident(cloud: Cloud) -> dict[str, int]:
    """Resident memory in MiB (proportional share) of each daemon with its children."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(stat.parent.name))

    def share(pid: int) -> int:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            return 0
        own = sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        return own + sum(share(child) for child in children.get(pid, []))

    pids = {file.stem: int(file.read_text()) for file in (cloud.folder / "run").glob("*.pid")}
    return {name: share(pid) // 1024 for name, pid in sorted(pids.items())}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("demo_dir", type=Path)
    parser.add_argument("-n", type=int, default=10, help="boots of each kind (default: 10)")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    cloud = Cloud(arguments.demo_dir)
    times: dict[str, list[tuple[float, float]]] = {kind: [] for kind in FLAVORS}
    for turn in range(arguments.n + 1):
        for kind, flavor in FLAVORS.items():
            duration = one(cloud, flavor)
            if turn:  # the first turn warms up
                times[kind].append(duration)
    figures: dict[str, object] = {"n": arguments.n}
    for kind, took_all in times.items():
        boots, deletes = zip(*took_all, strict=True)
        for what, values in (("boot", boots), ("delete", deletes)):
            figures[f"{what} {kind}"] = {
                "min": round(min(values), 2),
                "median": round(statistics.median(values), 2),
                "max": round(max(values), 2),
            }
    memory = resident(cloud)
    figures["memory MiB"] = memory | {"total": sum(memory.values())}
    if arguments.json:
        print(json.dumps(figures, indent=1))
        return
    for name, value in figures.items():
        print(f"{name:<20} {value}")


if __name__ == "__main__":
    main()
