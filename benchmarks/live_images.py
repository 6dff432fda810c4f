#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Servers of a live image beside cold starts: time to the first answer, and memory.

    python benchmarks/live_images.py [-n 10] [--cold 3] [--clones 20]

The driver has a Docker Engine of its own. A program computes a table in memory, and then answers on
TCP. From the start of its container to its first answer:

* `cold`: an ordinary start;
* `mapped`: a live image whose servers share its memory; `copied`: one that is copied for each;
* `docker checkpoint`: the engine's own, experimental command. The copy of the checkpoint to the new
  container is not counted;
* `podman`: its checkpoint exported, and imported under another name, where podman is installed.

`driver` is what the driver takes before the start of the container. The first server of an image
fetches it, and is not counted.

Then many servers of one image read their whole memory. `PSS` is the memory that they take together,
beside that of one server; the checksums of their pages must be equal.

It fails where mapped servers take more than a third of a cold start, or together 1.5 times the
memory of one, or where a cold start takes less than ten seconds. Run it as root, in an environment
that has Nova and novadocker, on a host with CRIU.
"""

# ruff: noqa: E402
import argparse
import contextlib
import hashlib
import os
import pathlib
import shutil
import signal
import statistics
import sys
import tempfile
import time
import typing

CHECKOUT = pathlib.Path(__file__).parents[1]
sys.path[1:1] = [str(CHECKOUT / folder) for folder in (".", "build_scripts", "benchmarks")]

# First: its package chooses Nova's threads, which must come before all else of Nova.
os.environ.setdefault("OS_NOVA_DISABLE_EVENTLET_PATCHING", "true")
from tests.functional.novadocker.live import live_engine  # noqa: I001

import figures
from checkpoints import Checkpoint, CheckpointError, DockerCheckpoint, PodmanCheckpoint
from nova import objects
from oslo_config import cfg

from novadocker import containers, images
from novadocker.live import errors
from novadocker.virt.docker import DockerDriver
from tests.functional.novadocker.conftest import Glance, Servers
from tests.functional.novadocker.dockerd import Dockerd
from tests.functional.novadocker.live.conftest import Blesser
from tests.support import warm

CONF = cfg.CONF

COLD, MAPPED, COPIED, PLAIN = "cold", "mapped", "copied", "docker checkpoint"
PODMAN = "podman"
#: What may be: seconds of a cold start at least, and ratios at most.
_LEAST, _RATIO, _MEMORY = 10.0, 1 / 3, 1.5
_SECONDS = 600  # until an answer
_ROOM = 200  # MiB of a flavor besides the table

Figures = dict[str, typing.Any]


class Stage:
    """A host whose driver boots servers of the program, and launches others.

    :param podman: the folder that podman gets
    :ivar files: the tar of the program's image
    """

    def __init__(
        self, engine: Dockerd, glance: Glance, criu: pathlib.Path, podman: pathlib.Path
    ) -> None:
        self.engine, self._glance = engine, glance
        self.criu, self.podman = criu, podman
        busybox = pathlib.Path(shutil.which("busybox", path="/bin:/usr/bin") or "/bin/busybox")
        self.files = warm.root(busybox)
        self._program = warm.image(self.files)
        plain = glance.add(self._program)
        self.servers = Servers(DockerDriver(None), engine.client(), glance, plain)
        self.blesser = Blesser(self.servers, glance)
        self._started = 0.0
        start = containers.Containers.start

        def noted(*arguments: typing.Any) -> None:
            self._started = time.perf_counter()
            start(*arguments)

        containers.Containers.start = noted  # type: ignore[method-assign]

    def boot(self, megabytes: int, rounds: int = 1) -> objects.Instance:
        """A cold server; see `warm.command`."""
        command = " ".join(warm.command(megabytes, rounds))
        image = self._glance.add(self._program, properties={"os_command_line": command})
        return self.blesser.boot(image, memory=megabytes + _ROOM)

    def launch(self, image_id: str, megabytes: int) -> objects.Instance:
        """A server of a live image."""
        return self.blesser.launch(image_id, memory=megabytes + _ROOM)

    def bless(self, source: objects.Instance, memory: str) -> str:
        """A live image; its id."""
        return self.blesser.bless(source, live_memory=memory)

    def answered(
        self, make: typing.Callable[[], objects.Instance]
    ) -> tuple[objects.Instance, float, float]:
        """Make a server.

        :returns: the server, seconds from its container's start to its first answer, and seconds
            before that start
        """
        begin = time.perf_counter()
        instance = make()
        warm.ask(self.pid(instance), "look", _SECONDS)
        return instance, time.perf_counter() - self._started, self._started - begin

    def pid(self, instance: objects.Instance) -> int:
        """The first process of a server, by its number on the host."""
        return int(self.servers.container(instance).attrs["State"]["Pid"])

    def program(self, instance: objects.Instance) -> int:
        """The program of a server, by its number on the host."""
        return max(warm.processes(self.servers.container(instance)))


@contextlib.contextmanager
def stage() -> typing.Iterator[Stage]:
    """A host of its own, which is gone afterwards."""
    objects.register_all()
    CONF([], project="nova", default_config_files=[], default_config_dirs=[])
    criu = live_engine.find_criu()
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        CONF.set_override("instances_path", str(folder / "instances"))
        CONF.set_override("host", "host1")
        # `docker checkpoint` is experimental, and looks for CRIU where programs are.
        started = contextlib.contextmanager(live_engine.started)
        programs = [str(criu.parent)]
        engine = stack.enter_context(started(folder, "--experimental", programs=programs))
        CONF.set_override("host_url", engine.url, "docker")
        for name, value in live_engine.prepare(engine, criu)[1].items():
            CONF.set_override(name, value, "docker")
        images.IMAGE_API = glance = Glance()
        yield Stage(engine, glance, criu, folder / "podman")


def starts(host: Stage, megabytes: int, rounds: int, cold: int, count: int) -> Figures:
    """Seconds to the first answer, of each kind, in turns."""
    times: dict[str, list[float]] = {COLD: [], MAPPED: [], COPIED: []}
    driver: dict[str, list[float]] = {kind: [] for kind in (COLD, MAPPED, COPIED)}

    def add(kind: str, make: typing.Callable[[], objects.Instance]) -> objects.Instance:
        instance, answer, before = host.answered(make)
        times[kind].append(answer)
        driver[kind].append(before)
        return instance

    for turn in range(cold):
        source = add(COLD, lambda: host.boot(megabytes, rounds))
        if turn + 1 < cold:
            host.servers.destroy(source)
    rows: Figures = {}
    blessed = {}
    for kind in (MAPPED, COPIED):
        start = time.perf_counter()
        blessed[kind] = host.bless(source, kind)
        rows[f"bless, {kind}"] = round(time.perf_counter() - start, 2)
        start = time.perf_counter()
        host.servers.destroy(host.launch(blessed[kind], megabytes))
        rows[f"first server, {kind}, with the image fetched"] = round(
            time.perf_counter() - start, 2
        )
    host.servers.destroy(source)
    with contextlib.ExitStack() as stack:
        others = _others(host, warm.command(megabytes, rounds), rows)
        for checkpoint in others.values():
            stack.callback(checkpoint.remove)
        for _ in range(count):
            for kind, image in blessed.items():
                host.servers.destroy(add(kind, lambda image=image: host.launch(image, megabytes)))
            for kind, checkpoint in others.items():
                times.setdefault(kind, []).append(checkpoint.answered())
    return rows | _summary(times, driver)


def _summary(times: dict[str, list[float]], driver: dict[str, list[float]]) -> Figures:
    """The rows of first answers, each beside that of a cold start.

    :param times: seconds until then, of each kind
    :param driver: seconds of the driver's before the start, of those that it starts
    """
    median = {kind: statistics.median(found) for kind, found in times.items()}
    rows: Figures = {}
    for kind, found in times.items():
        rows[f"first answer, {kind}"] = {
            "min": round(min(found), 2),
            "median": round(median[kind], 2),
            "max": round(max(found), 2),
            "ratio": figures.ratio(median[kind], median[COLD]),
        }
        if kind in driver:
            rows[f"first answer, {kind}"]["driver"] = round(statistics.median(driver[kind]), 2)
    return rows


def _others(host: Stage, command: list[str], rows: Figures) -> dict[str, Checkpoint]:
    """The checkpoints of other engines; the rows get what they took, or why there is none."""
    data = host.engine.folder / "data"
    ways: dict[str, typing.Callable[[], Checkpoint]] = {
        PLAIN: lambda: DockerCheckpoint(host.engine.url, data, host.files, command),
        PODMAN: lambda: PodmanCheckpoint(host.podman, host.criu, host.files, command),
    }
    found = {}
    for kind, make in ways.items():
        try:
            found[kind] = make()
            rows[f"bless, {kind}"] = round(found[kind].seconds, 2)
        except CheckpointError as e:
            rows[f"bless, {kind}"] = str(e)
    return found


def memory(host: Stage, megabytes: int, count: int) -> Figures:
    """Memory of many servers of one image, in MB, once all of them have read all of theirs."""
    source = host.boot(megabytes)
    program = host.program(source)
    warm.ask(program, "sum", _SECONDS)
    one = warm.proportional(program)
    areas = warm.areas(program)
    pages = _digest(program, areas)
    rows: Figures = {}
    for kind in (MAPPED, COPIED):
        image = host.bless(source, kind)
        clones = [host.launch(image, megabytes) for _ in range(count)]
        programs = [host.program(clone) for clone in clones]
        if any(_digest(clone, areas) != pages for clone in programs):
            sys.exit(f"Error: a server of a {kind} image has other pages than its source")
        total = sum(warm.proportional(clone) for clone in programs)
        rows[f"PSS, {count} servers, {kind}"] = {
            "MB": round(total / 1e6),
            "one server": round(one / 1e6),
            "ratio": figures.ratio(total, one),
        }
        for clone in clones:
            host.servers.destroy(clone)
    host.servers.destroy(source)
    return rows


def _digest(process: int, areas: list[tuple[int, int]]) -> str:
    digest = hashlib.sha256()
    for start, end in areas:
        digest.update(warm.read(process, start, end - start))
    return digest.hexdigest()


def _limit(rows: Figures) -> None:
    """Add what figures may be, and whether they are.

    A cold start that takes less than the least wants more --rounds.
    """
    cold, mapped = rows[f"first answer, {COLD}"], rows[f"first answer, {MAPPED}"]
    cold |= figures.at_least(cold["min"], _LEAST)
    mapped |= figures.at_most(mapped["ratio"], round(_RATIO, 2))
    for name, row in rows.items():
        if name.startswith("PSS") and name.endswith(MAPPED):
            row |= figures.at_most(row["ratio"], _MEMORY)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-n", type=int, default=10, help="servers of each image (default: 10)")
    parser.add_argument("--cold", type=int, default=3, help="cold starts (default: 3)")
    parser.add_argument("--clones", type=int, default=20, help="servers at once (default: 20)")
    parser.add_argument("--megabytes", type=int, default=500, help="of each server (default: 500)")
    parser.add_argument("--small", type=int, default=200, help="of those at once (default: 200)")
    parser.add_argument("--rounds", type=int, default=120, help="for each number (default: 120)")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    # As an interrupt does, it removes everything first.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Error: terminated"))
    try:
        with stage() as host:
            rows = starts(host, asked.megabytes, asked.rounds, asked.cold, asked.n)
            rows |= memory(host, asked.small, asked.clones)
    except (errors.LiveError, CheckpointError) as e:
        sys.exit(f"Error: {e}")
    _limit(rows)
    figures.report(rows, asked.json, unit="s", n=asked.n, megabytes=asked.megabytes)
    figures.require(rows)


if __name__ == "__main__":
    main()
