#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Boots with a network, with and without a region: beside each other, at once, to the first byte.

    python benchmarks/boots.py DEMO_DIR [-n 10] [--turns 3]

The demo's host gets 20 emulated regions, and 20 of fpga-cli's fake driver, for as long as this
takes. Kinds take turns.

* `beside`: a region whose burn takes a second, and none, on a server with a network.
* `at once`: 20 servers in one request, each with a region, and without.
* `first byte`: from the request to the first byte out of the region, and out of a container without
  one, network included.

It fails where a ratio is more than it may be. It shows the memory of nova-compute and of the region
manager, with the processes below them (PSS), after each part. Run it as root with the Python of the
cloud.
"""

import argparse
import contextlib
import signal
import statistics
import sys
import time
import typing
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
sys.path[1:1] = [str(CHECKOUT), str(CHECKOUT / "build_scripts")]

import boot  # noqa: E402
import figures  # noqa: E402
from cloud import Cloud, CloudError  # noqa: E402
from fake_card import FakeCard  # noqa: E402

from tests.support.host import wait_until  # noqa: E402

PREFIX = "bench-boots"
PLAIN, FAKE, SOFTWARE, BITSTREAM = "plain", "fake", "emulator, software", "emulator, bitstream"
COUNT = 20
BURN = 1.0  # seconds of a whole burn
_MODELS = 180  # seconds until the emulator has compiled
_BOOTED = 300  # seconds until 20 servers are up
_LIMITS = {"beside": 1.10, "at once": 1.25, "first byte": 1.5}

#: Where a server without a region answers, and one with.
_ECHO = ["cat"]
_CLIENT = ["fpga-client", "/dev/fpga0"]


class Stage:
    """The demo's host with more regions, flavors for them, and no quota.

    :param cleanup: takes all of it away
    """

    def __init__(self, cloud: Cloud, cleanup: contextlib.ExitStack) -> None:
        self.cloud = cloud
        self._compute = cloud.api.compute
        self.image = cloud.api.image.find_image("ubuntu_lzo", ignore_missing=False).id
        self.network = cloud.api.network.find_network("demo", ignore_missing=False).id
        self.card = FakeCard(cloud, COUNT, PREFIX, cleanup)
        project = cloud.api.current_project_id
        cloud.api.set_compute_quotas(project, instances=-1, cores=-1, ram=-1)
        cleanup.callback(cloud.api.delete_compute_quotas, project)
        self.fake = self.card.image()
        self.flavors = {
            PLAIN: self.card.flavor(None),
            FAKE: self.card.flavor(self.fake),
            SOFTWARE: self.card.flavor(self._bitstream_of("fpga-lzo")),
            BITSTREAM: self.card.flavor(self._bitstream_of("fpga-packbits")),
        }
        cleanup.callback(self._delete_servers)

    def _bitstream_of(self, name: str) -> str:
        flavor = self._compute.find_flavor(name, ignore_missing=False, get_extra_specs=True)
        return str(flavor.extra_specs["hw:fpga_ip_id"])

    def servers(self) -> list[typing.Any]:
        """Those of this benchmark."""
        return list(self._compute.servers(name=f"^{PREFIX}"))

    def _delete_servers(self) -> None:
        self.cloud.delete(*(server.id for server in self.servers()))

    def create(self, kind: str, networks: typing.Any, **more: typing.Any) -> str:
        """Ask for a server; its id, or that of one of many."""
        flavor = self._compute.find_flavor(self.flavors[kind], ignore_missing=False).id
        server = self._compute.create_server(
            name=PREFIX, flavor_id=flavor, image_id=self.image, networks=networks, **more
        )
        return str(server.id)


def beside(stage: Stage, turns: int) -> dict[str, typing.Any]:
    """Seconds to ACTIVE with a burn of a second, and without a region."""
    stage.card.program_for(BURN - stage.card.burn_seconds(stage.fake))
    networks = [{"uuid": stage.network}]
    times: dict[str, list[float]] = {PLAIN: [], FAKE: []}
    for turn in range(turns + 1):
        for kind, durations in times.items():
            booted, _ = boot.one(stage.cloud, stage.flavors[kind], PREFIX, networks)
            if turn:  # the first turn warms up
                durations.append(booted)
    stage.card.program_for(0)
    return _compared("beside", times)


def at_once(stage: Stage, turns: int) -> dict[str, typing.Any]:
    """Seconds until the last one of 20 is ACTIVE."""
    times: dict[str, list[float]] = {PLAIN: [], FAKE: [], SOFTWARE: []}
    for turn in range(turns + 1):
        for kind, durations in times.items():
            duration = _many(stage, kind)
            if turn:
                durations.append(duration)
    return _compared("at once", times)


def _many(stage: Stage, kind: str) -> float:
    start = time.monotonic()
    stage.create(kind, "none", min_count=COUNT, max_count=COUNT)
    while (states := [one.status for one in stage.servers()]).count("ACTIVE") < COUNT:
        if "ERROR" in states:
            faults = {str((one.fault or {}).get("message")) for one in stage.servers()}
            raise CloudError(f"a boot of {kind} failed: {faults}")
        if time.monotonic() > start + _BOOTED:
            raise CloudError(f"boots of {kind}, after {_BOOTED} s: {states}")
        time.sleep(0.2)
    duration = time.monotonic() - start
    stage.cloud.delete(*(server.id for server in stage.servers()), timeout=300)
    return duration


def first_byte(stage: Stage, turns: int) -> dict[str, typing.Any]:
    """Seconds from the request to the first byte that the container's program gives."""
    record = stage.cloud.folder / "state"
    wait_until(lambda: any(record.glob("*/fpga/emulator-models/models/*.verilator")), _MODELS)
    programs = {PLAIN: _ECHO, SOFTWARE: _CLIENT, BITSTREAM: _CLIENT}
    times: dict[str, list[float]] = {kind: [] for kind in programs}
    for turn in range(turns + 1):
        for kind, program in programs.items():
            start = time.monotonic()
            server = stage.create(kind, [{"uuid": stage.network}])
            while (found := stage.cloud.api.compute.get_server(server)).status == "BUILD":
                time.sleep(0.05)
            if found.status != "ACTIVE":
                raise CloudError(f"the boot failed: {stage.cloud.fault(server)}")
            _byte(stage, server, program)
            duration = time.monotonic() - start
            stage.cloud.delete(server)
            if turn:
                times[kind].append(duration)
    return _compared("first byte", times)


def _byte(stage: Stage, server: str, program: list[str]) -> None:
    # As who uses the demo does; the program is found where its credentials say.
    command = ["docker", "exec", "-i", f"nova-{server}", *program]
    answer = stage.cloud.run(*command, data=bytes(64)).stdout
    if not answer:
        raise CloudError(f"nothing comes from {' '.join(program)} of {server}")


def _compared(name: str, times: dict[str, list[float]]) -> dict[str, typing.Any]:
    """The median of each kind, and what it is beside that without a region."""
    medians = {kind: statistics.median(durations) for kind, durations in times.items()}
    rows: dict[str, typing.Any] = {}
    for kind, durations in times.items():
        rows[f"{name}, {kind}"] = {
            "min": round(min(durations), 2),
            "median": round(medians[kind], 2),
            "max": round(max(durations), 2),
            "ratio": figures.ratio(medians[kind], medians[PLAIN]),
        }
        if kind != PLAIN:
            row = rows[f"{name}, {kind}"]
            row |= figures.at_most(row["ratio"], _LIMITS[name])
    return rows


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("demo_dir", type=Path)
    parser.add_argument("-n", type=int, default=10, help="boots of each kind (default: 10)")
    parser.add_argument("--turns", type=int, default=3, help="of 20 boots at once (default: 3)")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    # As an interrupt does, it undoes everything first.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Error: terminated"))
    cloud = Cloud(arguments.demo_dir)
    rows: dict[str, typing.Any] = {}
    with contextlib.ExitStack() as cleanup:
        stage = Stage(cloud, cleanup)
        parts = [(beside, arguments.n), (at_once, arguments.turns), (first_byte, arguments.n)]
        memory: dict[str, dict[str, int]] = {}
        for part, turns in parts:
            if turns:
                rows |= part(stage, turns)
                memory[f"after {part.__name__}"] = boot.resident(cloud)
    for service in ("nova-compute", "fpga-regions"):
        rows[f"memory of {service}, MiB"] = {when: one[service] for when, one in memory.items()}
    figures.report(rows, arguments.json, unit="s", n=arguments.n, turns=arguments.turns)
    figures.require(rows)


if __name__ == "__main__":
    main()
