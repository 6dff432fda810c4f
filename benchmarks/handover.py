# SPDX-License-Identifier: Apache-2.0
"""How long before its first owner's container is gone a region is prepared for the second: never.

A server is deleted in Nova's database while its container lives on, as after a force-delete, an
evacuation or a local delete. The container ends some time later; the reconcile looks again and
again, erases the region, and the next server's burn takes it. Compared are the engine's own time of
the container's end and the ledger's time of the next claim. The engine, fpga-cli with its ledger
and the reconcile are real; the card is a program, and Nova's verdict on the owner is given.

    .tox/functional/bin/python -m benchmarks.handover --tries 1000
"""

# First: its package chooses Nova's threads, which must come before all else of Nova.
from tests.functional.novadocker import dockerd as engines  # noqa: I001

import argparse
import contextlib
import dataclasses
import datetime
import io
import os
import pathlib
import random
import sqlite3
import stat
import statistics
import tarfile
import tempfile
import threading
import time
import typing
import uuid

from oslo_config import cfg

from fpga_hooks import calls
from fpga_hooks.program import client
from fpga_hooks.instance import guests
from fpga_hooks.host import reconcile
from fpga_hooks.instance import needs
from fpga_nova import host_status
from novadocker import options
from novadocker.engine import Engine
from novadocker.guests import Probe
from tests.support import bitstreams
from tests.support.host import Host
from tests.support.openstack import OpenStack

CONF = cfg.CONF

_CARD = """#!/bin/sh
cd "$(dirname "$0")"
case $1 in
status) set -- r[0-9]; [ -e "$1" ] || shift; echo "Used regions: $#/1" ;;
burn) touch "r$2"; echo "r$2" ;;
erase) rm -f "r$2" ;;
esac
"""


class Stage:
    """A host with one region, and an engine."""

    def __init__(self, folder: pathlib.Path, cloud: OpenStack, engine: engines.Dockerd) -> None:
        self.node = folder / "fpga0"
        os.mknod(self.node, stat.S_IFCHR | 0o666, os.makedev(1, 5))
        program = folder / "card.sh"
        program.write_text(_CARD)
        program.chmod(0o755)
        self.host = Host(folder, cloud.options())
        self.host.configure(
            drivers="command",
            command__cards="card0",
            **{
                "command:card0__exec": program,
                "command:card0__board": "emulator",
                "command:card0__part": "software",
                "command:card0__nodes": f"char:{self.node}",
                "command:card0__burn": "burn {index}",
                "command:card0__erase": "erase {index}",
            },
        )
        exposes = [{"kind": "char", "name": "/dev/fpga0"}]
        self.image = cloud.add(bitstreams.package(exposes=exposes))
        self.region: host_status.Region
        self.client = engine.client()
        self.reconciler = reconcile.Reconciler()
        self.ended: dict[str, int] = {}
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        for event in self.client.events(decode=True, filters={"event": "destroy"}):
            self.ended[event["Actor"]["Attributes"]["name"]] = event["timeNano"]

    def handover(self, image: str, first: str, delay: float) -> tuple[float, int, str]:
        """The region from one owner to the next.

        :param first: who has it; its container is made here
        :param delay: seconds that the container lives on
        :returns: seconds from the end of the container to the next claim; looks that kept the
            region; the next owner
        """
        second, name = str(uuid.uuid4()), f"guest-{first}"
        container = self.client.containers.run(
            image,
            ["sleep", "600"],
            name=name,
            detach=True,
            network_mode="none",
            devices=[f"{self.node}:/dev/fpga0:rw"],
        )
        regions = [dataclasses.replace(self.region, owner=first)]
        ending = threading.Timer(delay, lambda: container.remove(force=True))
        ending.start()
        looks = 0
        while not self.reconciler._erase("host", first, regions):
            looks += 1
            time.sleep(0.02)  # a look costs the engine something
        client.burn(self.image, second)
        ending.join()
        while name not in self.ended:
            time.sleep(0.01)
        return self._claimed(second) - self.ended[name] / 1e9, looks, second

    def _claimed(self, owner: str) -> float:
        """When an owner's burn took the region, by the ledger."""
        ledger = f"file:{self.host.state}/ledger.sqlite3?mode=ro"
        with contextlib.closing(sqlite3.connect(ledger, uri=True)) as db:
            query = "SELECT at FROM events WHERE owner = ? AND state = 'firmware request'"
            (at,) = db.execute(query, (owner,)).fetchone()
        return datetime.datetime.fromisoformat(at).timestamp()


def main() -> None:
    """Print the smallest, the median and the largest time between."""
    parser = argparse.ArgumentParser(description=typing.cast(str, __doc__).splitlines()[0])
    parser.add_argument("--tries", type=int, default=1000)
    arguments = parser.parse_args()
    calls.options.register_opts(CONF)
    options.register_opts(CONF)
    needs.of_owner = lambda *_: needs.Verdict(orphan="its instance is deleted")
    with tempfile.TemporaryDirectory() as folder, OpenStack() as cloud:
        for engine in engines.started():
            measure(pathlib.Path(folder), cloud, engine, arguments.tries)


def measure(folder: pathlib.Path, cloud: OpenStack, engine: engines.Dockerd, tries: int) -> None:
    """Hand one region over, again and again."""
    CONF([], project="nova", default_config_files=[], default_config_dirs=[])
    CONF.set_override("host_url", engine.url, "docker")
    CONF.set_override("instances_path", str(folder / "instances"))
    stage = Stage(folder, cloud, engine)
    CONF.set_override("access", True, "fpga")
    CONF.set_override("exec", str(stage.host.wrapper()), "fpga")
    guests.machine.register(Probe(Engine()))
    busybox = pathlib.Path("/bin/busybox").read_bytes()
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        member = tarfile.TarInfo("bin/sleep")
        member.size, member.mode = len(busybox), 0o755
        archive.addfile(member, io.BytesIO(busybox))
    stage.client.api.import_image_from_data(layer.getvalue(), repository="busybox")
    chance = random.Random(0)
    owner = str(uuid.uuid4())
    client.burn(stage.image, owner)
    (stage.region,) = client.status().owned_by(owner).values()
    between, look_count = [], 0
    with contextlib.suppress(KeyboardInterrupt):
        for _ in range(tries):
            seconds, looks, owner = stage.handover("busybox", owner, chance.uniform(0, 0.5))
            between.append(seconds)
            look_count += looks
    early = sum(seconds < 0 for seconds in between)
    print(
        f"{len(between)} tries, {early} claimed before the container was gone; "
        "from its end to the claim: "
        f"least {min(between) * 1000:.0f} ms, median {statistics.median(between) * 1000:.0f} ms, "
        f"most {max(between) * 1000:.0f} ms; {look_count} looks kept the region"
    )
    raise SystemExit(early > 0)


if __name__ == "__main__":
    main()
