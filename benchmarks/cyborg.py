#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What an accelerator adds to a boot and to a delete: a region of ours, a device of Cyborg's.

On one more compute host of a demo cloud, with Nova's fake virt driver, servers without an
accelerator, with a region of fpga-cli's fake driver and with an accelerator of Cyborg's fake driver
are booted and deleted in turns, so that a drift of the machine's speed falls on all. Times are
those of benchmarks/boot.py. Cyborg is installed for this and removed at the end. Run it as root
with the Python of the cloud.
"""

import argparse
import contextlib
import shlex
import signal
import statistics
import sys
import tempfile
import uuid
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
sys.path[1:1] = [str(CHECKOUT), str(CHECKOUT / "build_scripts")]

import boot  # noqa: E402
import cyborg_services  # noqa: E402
import figures  # noqa: E402
from cloud import Cloud  # noqa: E402

from tests.e2e.hosts import KEEPING, ComputeHost, known  # noqa: E402
from tests.support import bitstreams  # noqa: E402

PREFIX = "bench-cyborg"
PLAIN = "plain"


class RootwrapHost(ComputeHost):
    """Its nova-compute is root, but runs fpga-cli as any other does: by sudo and rootwrap."""

    def program(self) -> Path:
        """What runs fpga-cli that way."""
        rootwrap = self.cli.folder / "rootwrap.conf"
        folders = [f"filters_path = {CHECKOUT}/etc/rootwrap.d", f"exec_dirs = {self.cli.folder}"]
        rootwrap.write_text("\n".join(["[DEFAULT]", *folders]))
        program = Path(sys.executable).with_name("nova-rootwrap")
        command = shlex.join(["sudo", str(program), str(rootwrap), self.cli.wrapper().name])
        as_root = self.cli.folder / "as-root"
        as_root.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        as_root.chmod(0o755)
        return as_root


def make_flavors(cloud: Cloud, cleanup: contextlib.ExitStack) -> dict[str, str]:
    """A flavor for each kind; its name."""
    package = bitstreams.package(target={"board": "fake", "part": "fake"})
    image = cloud.api.image.create_image(
        f"{PREFIX}-bitstream",
        data=package,
        container_format="fpga",
        disk_format="raw",
        visibility="public",  # fpga-cli has a project of its own
        validate_checksum=True,
    )
    cleanup.callback(cloud.api.image.delete_image, image.id)
    specs = {
        PLAIN: {},
        "fpga-nova": {"hw:fpga_ip_id": image.id},
        "Cyborg": {"accel:device_profile": cyborg_services.PROFILE},
    }
    names = {}
    for kind, extra_specs in specs.items():
        names[kind] = f"{PREFIX}-{kind}-{uuid.uuid4().hex[:8]}"
        flavor = cloud.api.compute.create_flavor(name=names[kind], ram=64, vcpus=1, disk=1)
        cleanup.callback(cloud.api.compute.delete_flavor, flavor.id)
        cloud.api.compute.create_flavor_extra_specs(flavor, extra_specs)
    return names


def delete_servers(cloud: Cloud) -> None:
    """Delete what a failure or an interrupt left."""
    cloud.delete(*(server.id for server in cloud.api.compute.servers(name=f"^{PREFIX}$")))


def measure(cloud: Cloud, turns: int) -> dict[str, list[tuple[float, float]]]:
    """Seconds of the boots and the deletes of each kind."""
    name = f"{PREFIX}-{uuid.uuid4().hex[:4]}"
    with contextlib.ExitStack() as cleanup:
        folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix=f"{PREFIX}-")))
        cyborg = cyborg_services.Cyborg(cloud, name)
        cyborg.remove()
        for service in cloud.api.compute.services(binary="nova-compute"):
            if service.host.startswith(PREFIX):
                cloud.api.compute.delete_service(service)
        # Audited as rarely as Nova itself would have it.
        host = RootwrapHost(cloud, folder / "host", name, KEEPING, audit=0)
        cleanup.callback(host.close)
        host.start()
        known(cloud, [name])
        # Before the host goes, because Placement keeps what has something below it.
        cleanup.callback(cyborg.remove)
        cyborg.start()
        # With another token: Nova remembers for a while which endpoints there were for one.
        cloud = Cloud(cloud.folder)
        flavors = make_flavors(cloud, cleanup)
        cleanup.callback(delete_servers, cloud)
        times: dict[str, list[tuple[float, float]]] = {kind: [] for kind in flavors}
        for turn in range(turns + 1):
            for kind, flavor in flavors.items():
                boot_time = boot.one(cloud, flavor, PREFIX, host=name)
                if turn:  # the first turn warms up
                    times[kind].append(boot_time)
    return times


def compared(times: dict[str, list[tuple[float, float]]]) -> dict[str, dict[str, float]]:
    """Boots and deletes of each kind: the median, and what it is beside that of a plain one."""
    ratios = {}
    for index, what in enumerate(("boot", "delete")):
        taken = {kind: [turn[index] for turn in turns] for kind, turns in times.items()}
        medians = {kind: statistics.median(seconds) for kind, seconds in taken.items()}
        for kind, seconds in taken.items():
            ratios[f"{what}, {kind}"] = {
                "min": round(min(seconds), 2),
                "median": round(medians[kind], 2),
                "max": round(max(seconds), 2),
                "adds": round(medians[kind] - medians[PLAIN], 2),
                "ratio": figures.ratio(medians[kind], medians[PLAIN]),
            }
    return ratios


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("demo_dir", type=Path)
    parser.add_argument("-n", type=int, default=30, help="boots of each kind (default: 30)")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    # As an interrupt does, it undoes everything first.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Error: terminated"))
    ratios = compared(measure(Cloud(arguments.demo_dir), arguments.n))
    figures.report(ratios, arguments.json, unit="s", n=arguments.n)


if __name__ == "__main__":
    main()
