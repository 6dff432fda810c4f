#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the network of a container costs: plug and unplug, boot and delete, traffic.

The driver has an Open vSwitch and a Docker Engine of its own; Neutron alone is stood in for, and
takes no time. The time of os-vif is not ours. Traffic between two containers is compared with that
between two bare namespaces on the same switch.

With DEMO_DIR, servers with a network and without one are booted in that cloud. nova-compute logs
how long the driver took and how long it waited for Neutron: for the ports, and for the news that
they are plugged. The rest, beside the driver's time without a network, is ours. Without DEMO_DIR,
what a port adds to a spawn is the nearest to it.

All that is compared takes turns. Run it as root, in an environment that has Nova and novadocker.
"""

# ruff: noqa: E402
import argparse
import contextlib
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time
import typing

CHECKOUT = pathlib.Path(__file__).parents[1]
sys.path[1:1] = [str(CHECKOUT / folder) for folder in (".", "build_scripts", "benchmarks")]

# First: its package chooses Nova's threads, which must come before all else of Nova. They are those
# that nova-compute has.
os.environ.setdefault("OS_NOVA_DISABLE_EVENTLET_PATCHING", "true")
from tests.functional.novadocker import dockerd as engines  # noqa: I001

import boot
import figures
import os_vif
import traffic
from cloud import Cloud
from nova import objects
from oslo_config import cfg

from build_scripts.images import build_docker_image
from novadocker import images
from novadocker.virt.docker import DockerDriver
from tests.functional.novadocker.conftest import Glance, Servers
from tests.functional.novadocker.network import ports, switch

CONF = cfg.CONF

#: Neutron's for Geneve.
_MTU = 1442

#: What nova-compute logs: Nova itself, and the driver.
_SPAWN = re.compile(r"Took ([\d.]+) seconds to spawn the instance")
_WAIT = re.compile(r"Waited ([\d.]+) s for Neutron")

_INTERPRETER = "python -I -c pass"

Figures = dict[str, dict[str, float]]


class Stage:
    """A host whose driver boots servers; Neutron alone is stood in for.

    :ivar theirs: seconds that os-vif took
    """

    def __init__(self, host: switch.Switch, servers: Servers) -> None:
        self._host = host
        self._servers = servers
        self._network = servers.driver.network
        self.theirs = 0.0
        os_vif.plug, os_vif.unplug = self._timed(os_vif.plug), self._timed(os_vif.unplug)

    def _timed(self, function: typing.Callable[..., None]) -> typing.Callable[..., None]:
        def call(*arguments: object) -> None:
            start = time.perf_counter()
            function(*arguments)
            self.theirs += time.perf_counter() - start

        return call

    @contextlib.contextmanager
    def _server(self, address: str) -> "typing.Iterator[objects.Instance]":
        instance = self._servers.instance()
        try:
            self._servers.spawn(instance, network_info=ports.info(ports.vif(address, mtu=_MTU)))
            yield instance
        finally:
            self._servers.destroy(instance)

    def steps(self, count: int) -> Figures:
        """Plug and unplug a port of a server that runs; boot and delete servers.

        :returns: milliseconds; ours of them, also as multiples of an interpreter's start (P)
        """
        times: dict[str, list[tuple[float, float]]] = {}
        with self._server("10.20.0.10") as running:
            for turn in range(count + 1):
                for name, call in self._calls(running).items():
                    self.theirs, start = 0.0, time.perf_counter()
                    call()
                    duration = time.perf_counter() - start
                    if turn:  # the first turn warms up
                        times.setdefault(name, []).append((duration, duration - self.theirs))
        for action in ("spawn", "destroy"):
            pairs = zip(times[action], times[f"{action} with a port"], strict=True)
            times[f"a port adds to a {action}"] = [
                (networked[0] - alone[0], networked[1] - alone[1]) for alone, networked in pairs
            ]
        medians = {name: _medians(found) for name, found in times.items()}
        interpreter = medians[_INTERPRETER][0]
        return {
            name: {
                "ms": round(1000 * whole, 1),
                "ours": round(1000 * ours, 1),
                "ours / P": figures.ratio(ours, interpreter),
            }
            for name, (whole, ours) in medians.items()
        }

    def _calls(self, running: "objects.Instance") -> dict[str, typing.Callable[[], object]]:
        """What is measured in one turn, in this order."""
        alone, networked = self._servers.instance(), self._servers.instance()
        vif, another = (ports.vif(f"10.20.0.{host}", mtu=_MTU) for host in (20, 21))
        info = ports.info(another)
        return {
            _INTERPRETER: lambda: _run(sys.executable, "-I", "-c", "pass"),
            "plug": lambda: self._network.plug(running, [vif]),
            "unplug": lambda: self._network.unplug(running, vif["id"]),
            "spawn": lambda: self._servers.spawn(alone),
            "spawn with a port": lambda: self._servers.spawn(networked, network_info=info),
            "destroy": lambda: self._servers.destroy(alone),
            "destroy with a port": lambda: self._servers.destroy(networked),
        }

    def traffic(self, count: int, seconds: int) -> Figures:
        """TCP between two bare namespaces, and between two containers."""
        bare, servers = ("10.20.0.11", "10.20.0.12"), ("10.20.0.13", "10.20.0.14")
        with contextlib.ExitStack() as stack:
            entries = stack.enter_context(self._bare(*bare))
            instances = [stack.enter_context(self._server(address)) for address in servers]
            pids = [self._servers.container(one).attrs["State"]["Pid"] for one in instances]
            inside = [f"nsenter --target={pid} --net" for pid in pids]
            places = {
                "bare namespaces": traffic.Place(*entries, bare[0]),
                "containers": traffic.Place(*inside, servers[0]),
            }
            return traffic.compare(places, count, seconds)

    @contextlib.contextmanager
    def _bare(self, *addresses: str) -> typing.Iterator[list[str]]:
        """Namespaces on the switch, one for each address; the words that enter them."""
        names = {f"bench-{number}": address for number, address in enumerate(addresses)}
        try:
            for name, address in names.items():
                _run("ip", "netns", "add", name)
                self._host.on_host(
                    f"ip link add {name} mtu {_MTU} type veth "
                    f"peer name eth0 mtu {_MTU} netns {name} && ip link set {name} up"
                )
                _run("ip", "-n", name, "address", "add", f"{address}/24", "dev", "eth0")
                _run("ip", "-n", name, "link", "set", "eth0", "up")
                # Without it the userspace datapath passes on no TCP.
                _run("ip", "netns", "exec", name, "ethtool", "-K", "eth0", "tx", "off")
                self._host.vsctl("add-port", switch.BRIDGE, name)
            yield [f"nsenter --net=/run/netns/{name}" for name in names]
        finally:
            for name in names:
                self._host.vsctl("--if-exists", "del-port", switch.BRIDGE, name)
                subprocess.run(["ip", "netns", "delete", name], check=False)  # noqa: S603, S607


@contextlib.contextmanager
def stage() -> typing.Iterator[Stage]:
    """A host of its own, which is gone afterwards."""
    objects.register_all()
    # The privileged processes would have theirs logged here.
    os.environ["PYTHONWARNINGS"] = "ignore"
    CONF([], project="nova", default_config_files=[], default_config_dirs=[])
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        CONF.set_override("instances_path", str(folder / "instances"))
        engine = stack.enter_context(contextlib.contextmanager(engines.started)())
        CONF.set_override("host_url", engine.url, "docker")
        host = stack.enter_context(switch.plugging(engine.folder / "exec" / "netns"))
        build_docker_image.main(["--output", str(folder / "image.tar")])
        images.IMAGE_API = glance = Glance()
        image = glance.add((folder / "image.tar").read_bytes())
        yield Stage(host, Servers(DockerDriver(None), engine.client(), glance, image))


def boots(cloud: Cloud, count: int) -> Figures:
    """Boot servers without a network and with one; medians in seconds, and their difference."""
    times: dict[str, list[tuple[float, ...]]] = {"none": [], "auto": []}
    for turn in range(count + 1):
        for nic, found in times.items():
            before = len(cloud.log("nova-compute"))
            booted, deleted = boot.one(cloud, "small", networks=nic)
            driver = spawned(cloud.log("nova-compute")[before:])
            if turn:  # the first turn warms up
                found.append((booted, *driver, deleted))
    names = ("boot", "driver", "wait for Neutron", "delete")
    rows = {f"--nic {nic}": _medians(found) for nic, found in times.items()}
    rows["the network adds"] = [b - a for a, b in zip(*rows.values(), strict=True)]
    return {
        kind: {name: round(value, 2) for name, value in zip(names, row, strict=True)}
        for kind, row in rows.items()
    }


def spawned(log: str) -> tuple[float, float]:
    """What nova-compute logged of one boot.

    :returns: seconds that the driver took but for its waits for Neutron; these waits
    """
    (spawn,) = _SPAWN.findall(log)
    waits = sum(map(float, _WAIT.findall(log)))
    return float(spawn) - waits, waits


def _medians(rows: typing.Iterable[typing.Sequence[float]]) -> list[float]:
    return [statistics.median(column) for column in zip(*rows, strict=True)]


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("demo_dir", type=pathlib.Path, nargs="?")
    parser.add_argument("-n", type=int, default=15, help="times that each is done (default: 15)")
    parser.add_argument("--seconds", type=int, default=2, help="of each traffic (default: 2)")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with stage() as host:
        found = host.steps(arguments.n) | host.traffic(arguments.n, arguments.seconds)
    if arguments.demo_dir:
        found |= boots(Cloud(arguments.demo_dir), arguments.n)
    figures.report(found, arguments.json, n=arguments.n)


if __name__ == "__main__":
    main()
