#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What an accelerator adds to a boot and to a delete: a region of ours, a device of Cyborg's.

On two more compute hosts of a demo cloud, with Nova's fake virt driver, servers of six kinds are
booted and deleted in turns, so that a drift of the machine's speed falls on all: without an
accelerator; with a region of fpga-cli's fake driver, of its emulator, which has the compiled model,
and of its emulator where regions are kept warm; with an accelerator of Cyborg's fake driver, and
with one whose programming is a pause as long as the emulator's. Times are those of
benchmarks/boot.py. It fails where ours adds more than it may. Cyborg is installed for this and
removed at the end. Run it as root with the Python of the cloud.
"""

import argparse
import contextlib
import dataclasses
import datetime
import json
import random
import shutil
import signal
import statistics
import sys
import typing
import uuid
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
sys.path[1:1] = [str(CHECKOUT), str(CHECKOUT / "build_scripts")]

import boot  # noqa: E402
import cyborg_services  # noqa: E402
import figures  # noqa: E402
from cloud import Cloud  # noqa: E402
from region_host import ServedHost  # noqa: E402

from fpga_regions.model import State  # noqa: E402
from tests.e2e.hosts import known  # noqa: E402
from tests.support import bitstreams  # noqa: E402

PREFIX = "bench-cyborg"
PLAIN, FAKE, EMULATOR, WARM = "plain", "fake", "emulator", "warm"
CYBORG, PROGRAMMED = "Cyborg", "Cyborg, programmed"
#: The demo's flavor with a bitstream for the emulator.
_BITSTREAM = "fpga-packbits"
_COMPILED = 180  # seconds until the emulator has the model

#: What ours may add: what, its kind, the kind of Cyborg's, the share of that; without, seconds.
LIMITS = (
    ("boot", FAKE, CYBORG, 1 / 5),
    ("boot", EMULATOR, PROGRAMMED, 1 / 3),
    ("boot", WARM, PROGRAMMED, 1 / 6),
    ("delete", FAKE, None, 0.10),
)

Times = dict[str, list[tuple[float, float]]]


@dataclasses.dataclass(frozen=True)
class Kind:
    """How a server is booted.

    :param programming: seconds of Cyborg's
    """

    flavor: str
    host: str
    programming: float = 0


class Comparison:
    """Two compute hosts of ours, Cyborg's services for the first one, and the flavors.

    :param cleanup: takes all of it away
    """

    def __init__(self, cloud: Cloud, cleanup: contextlib.ExitStack) -> None:
        self._cleanup = cleanup
        name = f"{PREFIX}-{uuid.uuid4().hex[:4]}"
        folder = cloud.folder / PREFIX
        shutil.rmtree(folder, ignore_errors=True)
        cleanup.callback(shutil.rmtree, folder, ignore_errors=True)
        self._cyborg = cyborg_services.Cyborg(cloud, f"{name}-cold")
        self._cyborg.remove()
        for service in cloud.api.compute.services(binary="nova-compute"):
            if service.host.startswith(PREFIX):
                cloud.api.compute.delete_service(service)
        hx8k = {"emulator__regions": 1, "emulator__parts": "hx8k"}
        self.cold = ServedHost(
            cloud, folder / "cold", f"{name}-cold", drivers="fake, emulator", **hx8k
        )
        self.warm = ServedHost(
            cloud, folder / "warm", f"{name}-warm", drivers="emulator", warm=True, **hx8k
        )
        for host in (self.cold, self.warm):
            cleanup.callback(host.close)
            host.start()
        known(cloud, [self.cold.name, self.warm.name])
        # Before the host goes, because Placement keeps what has something below it.
        cleanup.callback(self._cyborg.remove)
        self._cyborg.start()
        # With another token: Nova remembers for a while which endpoints there were for one.
        self.cloud = Cloud(cloud.folder)
        self._flavors = self._make_flavors()
        cleanup.callback(delete_servers, self.cloud)

    def _make_flavors(self) -> dict[str, str]:
        """The flavors' names."""
        package = bitstreams.package(target={"board": "fake", "part": "fake"})
        image = self.cloud.api.image.create_image(
            f"{PREFIX}-bitstream",
            data=package,
            container_format="fpga",
            disk_format="raw",
            visibility="public",  # fpga-cli has a project of its own
            validate_checksum=True,
        )
        self._cleanup.callback(self.cloud.api.image.delete_image, image.id)
        specs = {
            PLAIN: {},
            FAKE: {"hw:fpga_ip_id": image.id},
            EMULATOR: {"hw:fpga_ip_id": self._bitstream()},
            CYBORG: {"accel:device_profile": cyborg_services.PROFILE},
        }
        names = {}
        for kind, extra_specs in specs.items():
            names[kind] = f"{PREFIX}-{kind}-{uuid.uuid4().hex[:8]}"
            flavor = self.cloud.api.compute.create_flavor(name=names[kind], ram=64, vcpus=1, disk=1)
            self._cleanup.callback(self.cloud.api.compute.delete_flavor, flavor.id)
            self.cloud.api.compute.create_flavor_extra_specs(flavor, extra_specs)
        return names

    def _bitstream(self) -> str:
        flavor = self.cloud.api.compute.find_flavor(
            _BITSTREAM, ignore_missing=False, get_extra_specs=True
        )
        return str(flavor.extra_specs["hw:fpga_ip_id"])

    def boot(self, kind: Kind) -> tuple[float, float]:
        """Seconds of a boot and of the delete."""
        self._cyborg.program_for(kind.programming)
        return boot.one(self.cloud, kind.flavor, PREFIX, host=kind.host)

    def kinds(self) -> dict[str, Kind]:
        """Each kind, once the emulator has been seen at work."""
        cold, warm, flavors = self.cold.name, self.warm.name, self._flavors
        for host in (self.cold, self.warm):
            host.prepared(self._bitstream(), _COMPILED)
        emulated = Kind(flavors[EMULATOR], cold)
        for _ in range(5):
            self.boot(emulated)
        return {
            PLAIN: Kind(flavors[PLAIN], cold),
            FAKE: Kind(flavors[FAKE], cold),
            EMULATOR: emulated,
            WARM: Kind(flavors[EMULATOR], warm),
            CYBORG: Kind(flavors[CYBORG], cold),
            PROGRAMMED: Kind(flavors[CYBORG], cold, self._programming()),
        }

    def _programming(self) -> float:
        """The median of the seconds in which the emulator programmed, by the ledger."""
        events = json.loads(self.cold.cli.run("events", "--format", "json").stdout)["events"]
        began, seconds = {}, []
        for event in events:
            at = datetime.datetime.fromisoformat(event["at"])
            if event["state"] == State.PROGRAMMING:
                began[event["region_id"]] = at
            elif (event["before"], event["state"]) == (State.PROGRAMMING, State.PROGRAMMED):
                seconds.append((at - began[event["region_id"]]).total_seconds())
        return statistics.median(seconds)


def delete_servers(cloud: Cloud) -> None:
    """Delete what a failure or an interrupt left."""
    cloud.delete(*(server.id for server in cloud.api.compute.servers(name=f"^{PREFIX}$")))


def measure(cloud: Cloud, turns: int) -> tuple[Times, float]:
    """Seconds of the boots and the deletes of each kind, and of Cyborg's programming."""
    with contextlib.ExitStack() as cleanup:
        comparison = Comparison(cloud, cleanup)
        kinds = comparison.kinds()
        times: Times = {kind: [] for kind in kinds}
        for turn in range(turns + 1):
            # In any order: who comes after another of Cyborg's finds its connections open.
            for name, kind in random.sample(list(kinds.items()), len(kinds)):
                duration = comparison.boot(kind)
                if turn:  # the first turn warms up
                    times[name].append(duration)
        return times, kinds[PROGRAMMED].programming


def compared(times: Times) -> dict[str, dict[str, float]]:
    """Boots and deletes of each kind: the median, and what it is beside that of a plain one."""
    ratios = {}
    for index, what in enumerate(("boot", "delete")):
        taken = {kind: [turn[index] for turn in turns] for kind, turns in times.items()}
        medians = {kind: statistics.median(seconds) for kind, seconds in taken.items()}
        for kind, seconds in taken.items():
            ratios[f"{what}, {kind}"] = {
                "min": round(min(seconds), 2),
                "median": round(medians[kind], 3),
                "max": round(max(seconds), 2),
                "adds": round(medians[kind] - medians[PLAIN], 3),
                "ratio": figures.ratio(medians[kind], medians[PLAIN]),
            }
    return ratios


def verdicts(ratios: dict[str, dict[str, float]]) -> dict[str, dict[str, typing.Any]]:
    """What ours adds beside what it may."""
    found = {}
    for what, kind, other, share in LIMITS:
        adds = ratios[f"{what}, {kind}"]["adds"]
        most = share if other is None else share * ratios[f"{what}, {other}"]["adds"]
        of = f", {most:.2f} s" if other is None else f", 1/{1 / share:.0f} of {other}"
        found[f"{what}, {kind}{of}"] = {"adds": adds} | figures.at_most(adds, most)
    return found


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("demo_dir", type=Path)
    parser.add_argument("-n", type=int, default=30, help="boots of each kind (default: 30)")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    # As an interrupt does, it undoes everything first.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Error: terminated"))
    times, programming = measure(Cloud(arguments.demo_dir), arguments.n)
    ratios = compared(times)
    limits = verdicts(ratios)
    about: dict[str, typing.Any] = {"unit": "s", "n": arguments.n}
    about["programming of Cyborg's"] = round(programming, 3)
    figures.report(ratios | limits, arguments.json, **about)
    figures.require(limits)


if __name__ == "__main__":
    main()
