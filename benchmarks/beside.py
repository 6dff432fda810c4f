#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a build takes when the burn goes on beside the rest of it, and when it goes before.

The hooks and the real fpga-cli, with its fake driver, which takes as long as it is told; the rest
of the build (the image's fetch, the network) is a pause. Both ways take turns. Run it as root in an
environment that has Nova and both sides of fpga-nova.
"""

import argparse
import itertools
import json
import pathlib
import statistics
import sys
import tempfile
import time
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

import nova.conf
from nova import context as nova_context
from nova import objects

from fpga_hooks import build, calls
from fpga_hooks.instance import background, devices
from fpga_hooks.program import client
from tests.support import bitstreams
from tests.support.host import Host
from tests.support.openstack import OpenStack
from tests.unit.fpga_hooks.conftest import Instance, an_instance

CONF = nova.conf.CONF
PAUSES = (0.0, 0.5, 1.0)


def one(image_id: str, rest: float, beside: bool) -> float:
    """Seconds from the call of the hook to the devices, with a rest of so many seconds between."""
    background.burns.awaited_by_driver = beside
    instance: Instance = an_instance({"hw:fpga_ip_id": image_id})
    instance.uuid = str(uuid.uuid4())
    start = time.perf_counter()
    build.FpgaBuildInstanceHook().build_instance(
        nova_context.get_admin_context(), instance, objects.ImageMeta()
    )
    time.sleep(rest)
    found = devices.for_instance(instance)
    duration = time.perf_counter() - start
    if not found:
        raise SystemExit("Error: no device was found")
    client.erase(instance.uuid)
    return duration


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=10, help="builds of each kind (default: 10)")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    cloud = OpenStack()
    package = bitstreams.package(target={"board": "fake", "part": "fake"})
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        host = Host(pathlib.Path(folder), cloud.options(), drivers="fake")
        CONF.set_override("disable_rootwrap", True, "workarounds")
        for name, value in {"access": True, "exec": str(host.wrapper())}.items():
            calls.CONF.set_override(name, value, "fpga")
        image_id = cloud.add(package)
        for burn, rest in itertools.product(PAUSES, PAUSES):
            host.configure(drivers="fake", fake__program_delay=burn)
            durations: dict[bool, list[float]] = {True: [], False: []}
            for turn in range(arguments.n + 1):
                for beside in durations:
                    seconds = one(image_id, rest, beside)
                    if turn:  # the first turn warms up
                        durations[beside].append(seconds)
            before, beside_it = (
                round(statistics.median(durations[way]), 2) for way in (False, True)
            )
            rows.append(
                {"burn": burn, "rest": rest, "before": before, "beside": beside_it}
                | {"ratio": round(beside_it / before, 2)}
            )
    cloud.stop()
    if arguments.json:
        print(json.dumps({"unit": "s", "n": arguments.n, "builds": rows}, indent=2))
        return
    for row in rows:
        print("  ".join(f"{name} {value:5.2f}" for name, value in row.items()))


if __name__ == "__main__":
    main()
