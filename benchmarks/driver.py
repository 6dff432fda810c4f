#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What novadocker adds to a Docker Engine, what its lists cost, and what a container costs.

An engine of its own, with the demo's image; Glance is a stand-in, and servers have no ports. Run it
as root by the interpreter of the functional tests. P is `python -I -c pass` by that interpreter.
The processor time is that of nova-compute, without the engine's.
"""

import argparse
import contextlib
import itertools
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
import typing
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "build_scripts"))

import figures
import nova.conf
import psutil
from nova import objects

from build_scripts.images import build_docker_image
from novadocker import images, request
from novadocker.virt.docker import DockerDriver
from tests.functional.novadocker import conftest, dockerd

CONF = nova.conf.CONF

_MIB = 2**20


class Bench:
    """The driver over an engine.

    :param engine: the engine
    :param folder: for Nova's and the image's files
    """

    def __init__(self, engine: dockerd.Dockerd, folder: pathlib.Path) -> None:
        objects.register_all()
        CONF([], project="nova", default_config_files=[], default_config_dirs=[])
        CONF.set_override("instances_path", str(folder / "instances"))
        CONF.set_override("state_path", str(folder))
        CONF.set_override("host", "host1")
        CONF.set_override("host_url", engine.url, group="docker")
        archive = folder / "image.tar"
        build_docker_image.main(["--output", str(archive), "--busybox", "/bin/busybox"])
        glance = conftest.Glance()
        images.IMAGE_API = glance
        self.client = engine.client()
        self.driver = DockerDriver(None)
        image = glance.add(archive.read_bytes())
        self.servers = conftest.Servers(self.driver, self.client, glance, image)
        self.options: dict[str, typing.Any] = {}
        self._record_options()
        self.servers.boot()
        engine.remove_containers()

    def _record_options(self) -> None:
        """Take what the driver asks the engine for, so that the engine alone is asked the same."""
        create = self.driver.containers.create

        def recorded(instance: str, options: dict[str, typing.Any]) -> None:
            self.options = options
            create(instance, options)

        self.driver.containers.create = recorded  # type: ignore[method-assign]

    def fresh_options(self) -> dict[str, typing.Any]:
        """The options of a container of a new instance."""
        instance = str(uuid.uuid4())
        labels = {**self.options["labels"], request.LABEL_UUID: instance}
        return {**self.options, "name": request.name_of(instance), "labels": labels}

    def boots(self, count: int) -> dict[str, figures.Times]:
        """Times of `docker create` and `docker start` alone, by the driver, and of P, in turns."""
        times = {name: figures.Times() for name in ("engine", "driver", "P")}
        self.own: dict[str, list[float]] = {name: [] for name in times}
        for turn in range(count + 1):
            # Each comes after each of the others, in turn.
            order = sorted(times, key=lambda name: (list(times).index(name) + turn) % len(times))
            for name in order:
                options, instance = self.fresh_options(), self.servers.instance()
                begin = time.process_time()
                # The first turn warms up.
                with times[name].one() if turn else contextlib.nullcontext():
                    if name == "P":
                        subprocess.run([sys.executable, "-I", "-c", "pass"], check=True)
                    elif name == "driver":
                        self.servers.spawn(instance)
                    else:
                        self.client.containers.create(**options).start()
                self.own[name] += [time.process_time() - begin] * bool(turn)
                for container in self.client.containers.list(all=True):
                    container.remove(force=True)
        return times

    def lists(self, containers: int, count: int) -> dict[str, figures.Times]:
        """Times of what Nova asks with so many containers, which were never started."""
        known = []
        for _ in range(containers):
            options = self.fresh_options()
            known.append(self.servers.instance())
            options["labels"][request.LABEL_UUID] = known[-1].uuid
            options["name"] = request.name_of(known[-1].uuid)
            self.client.containers.create(**options)

        def sync() -> None:
            self.driver.get_num_instances()
            for instance in known:
                self.driver.get_info(instance)

        return figures.in_turns(
            {
                "list_instances": self.driver.list_instances,
                "get_info of one, as it is now": lambda: self.driver.get_info(
                    known[0], use_cache=False
                ),
                "get_info of all, as sync_power_states": sync,
            },
            count,
        )

    def memory(self, containers: int) -> dict[str, float]:
        """MiB of memory (PSS) for each container that runs."""
        before = _engine_memory()
        for _ in range(containers):
            self.servers.boot()
        alone = sum(
            _pss(process)
            for container in self.client.containers.list()
            for shim in [_shim(container.id)]
            for process in [shim, *shim.children(recursive=True)]
        )
        engine = _engine_memory() - before
        return {
            "containers": containers,
            "shim, init, program": round(alone / containers / _MIB, 2),
            "growth of the engine": round(engine / containers / _MIB, 2),
        }


def _engine_memory() -> int:
    """Bytes of dockerd and its containerd, without shims."""
    for one in psutil.Process().children():
        if one.name() == "dockerd":
            below = [child for child in one.children() if child.name() == "containerd"]
            return sum(map(_pss, [one, *below]))
    raise SystemExit("Error: the engine does not run")


def _shim(container: str) -> psutil.Process:
    """The shim of a container."""
    for one in psutil.process_iter(["cmdline"]):
        command = one.info["cmdline"] or []
        if ("-id", container) in itertools.pairwise(command):
            return one
    raise SystemExit(f"Error: container {container} has no shim")


def _pss(process: psutil.Process) -> int:
    """Bytes of a process; pages that it shares are divided among those who do."""
    return int(process.memory_full_info().pss)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=15, help="boots of each kind (default: 15)")
    parser.add_argument("--containers", type=int, default=500, help="in the lists (default: 500)")
    parser.add_argument("--running", type=int, default=50, help="at once (default: 50)")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found: dict[str, typing.Any] = {}
    for engine in dockerd.started():
        with tempfile.TemporaryDirectory() as folder:
            bench = Bench(engine, pathlib.Path(folder))
            boots = bench.boots(arguments.n)
            found = {name: times.summary() for name, times in boots.items()}
            added = boots["driver"].median - boots["engine"].median
            found["driver adds, in P"] = figures.ratio(added, boots["P"].median)
            own = {name: statistics.median(times) for name, times in bench.own.items()}
            found["driver adds, processor in P"] = figures.ratio(
                own["driver"] - own["engine"], statistics.median(boots["P"].processor)
            )
            found["memory in MiB"] = bench.memory(arguments.running)
            engine.remove_containers()
            lists = bench.lists(arguments.containers, arguments.n)
            found |= {name: times.summary() for name, times in lists.items()}
    figures.report(found, arguments.json, containers=arguments.containers, repeats=arguments.n)


if __name__ == "__main__":
    main()
