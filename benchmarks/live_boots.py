#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Live images on the demo cloud: Nova's own time, and the time until the first answer.

    python benchmarks/live_boots.py DEMO_DIR [-n 10] [--cold 3]

A server computes a table in memory, and then answers on TCP. It is booted a few times. The last one
becomes a live image, of which servers are launched one after another. All are ordinary boots.

* `nova`: from the request until the container is made; scheduler, ports and image are in it;
* `answer`: from there to the first answer: start, or restoring, and warming up;
* `frozen`: how long the source did not answer while it was blessed.

It fails where the answer of a clone takes more than a third of that of a cold start, where a cold
start takes less than ten seconds, or where a source stands still for more than five. Run it as root
with the Python of the cloud.
"""

import argparse
import contextlib
import datetime
import shutil
import statistics
import sys
import threading
import time
import typing
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
sys.path[1:1] = [str(CHECKOUT), str(CHECKOUT / "build_scripts")]

import docker  # noqa: E402
import figures  # noqa: E402
from cloud import Cloud, CloudError  # noqa: E402

from tests.support import warm  # noqa: E402

PREFIX = "bench-live"
COLD, MAPPED, COPIED = "cold", "mapped", "copied"
_LEAST, _RATIO, _FROZEN = 10.0, 1 / 3, 5.0
_WITHIN = 600  # seconds
_ROOM = 200  # MiB of a flavor besides the table
_LOOK = 0.01  # seconds between two questions to a source

Times = dict[str, list[float]]


class Stage:
    """The demo with a flavor and an image of the program.

    :param cleanup: takes all of it away
    """

    def __init__(
        self, cloud: Cloud, megabytes: int, rounds: int, cleanup: contextlib.ExitStack
    ) -> None:
        self.cloud = cloud
        self._compute, self._image = cloud.api.compute, cloud.api.image
        self._cleanup = cleanup
        flavor = self._compute.create_flavor(
            name=PREFIX, ram=megabytes + _ROOM, vcpus=1, disk=1, flavorid="auto"
        )
        cleanup.callback(self._compute.delete_flavor, flavor)
        self._flavor = flavor.id
        busybox = Path(shutil.which("busybox", path="/bin:/usr/bin") or "/bin/busybox")
        self.cold = self._keep(
            self._image.create_image(
                PREFIX,
                data=warm.image(warm.root(busybox)),
                container_format="docker",
                disk_format="raw",
                os_command_line=" ".join(warm.command(megabytes, rounds)),
            ).id
        )
        cleanup.callback(self._delete_servers)

    def _keep(self, image: str) -> str:
        self._cleanup.callback(self._image.delete_image, image)
        return image

    def _delete_servers(self) -> None:
        servers = self._compute.servers(name=f"^{PREFIX}")
        self.cloud.delete(*(server.id for server in servers))

    def boot(self, image: str) -> tuple[str, float, float]:
        """Boot a server.

        :returns: its id, seconds from the request until its container was made, and from there to
            the first answer
        """
        begin = time.time()
        server = self._compute.create_server(
            name=PREFIX, flavor_id=self._flavor, image_id=image, networks="auto"
        ).id
        while not self._container(server).get("State", {}).get("Pid"):
            if self._compute.get_server(server).status == "ERROR":
                raise CloudError(self.cloud.fault(server))
            time.sleep(_LOOK)
        self.ask(server)
        answered = time.time()
        if self.cloud.wait(server, {"ACTIVE", "ERROR"}, _WITHIN).status == "ERROR":
            raise CloudError(self.cloud.fault(server))
        creation = self._container(server)["Created"][:26] + "+00:00"
        start = datetime.datetime.fromisoformat(creation).timestamp()
        return server, start - begin, answered - start

    def _container(self, server: str) -> dict[str, typing.Any]:
        """What the engine says of its container; nothing while there is none."""
        try:
            return dict(self.cloud.engine.containers.get(f"nova-{server}").attrs)
        except docker.errors.NotFound:
            return {}

    def _process(self, server: str) -> int:
        """The first process of its container, by its number on the host."""
        return int(self._container(server)["State"]["Pid"])

    def ask(self, server: str) -> None:
        """Wait for an answer of its program."""
        warm.ask(self._process(server), "look", _WITHIN)

    def delete(self, server: str) -> None:
        """Delete a server."""
        self.cloud.delete(server)

    def bless(self, server: str, memory: str) -> tuple[str, float, float]:
        """Make a live image.

        :returns: its id, seconds until it is there, and the longest time without an answer
        """
        with _Asking(self._process(server)) as asking:
            begin = time.monotonic()
            image = self._compute.create_server_image(
                server, PREFIX, metadata={"live_image": "true", "live_memory": memory}
            ).id
            self._keep(image)
            while (found := self._image.find_image(image)) is None or found.status != "active":
                if found is None or time.monotonic() > begin + _WITHIN:
                    raise CloudError(f"{server} is not blessed")
                time.sleep(_LOOK)
        return image, time.monotonic() - begin, asking.longest


class _Asking(threading.Thread):
    """Asks a program again and again during the body.

    :ivar longest: seconds of the longest time without an answer
    """

    def __init__(self, process: int) -> None:
        super().__init__()
        self._process = process
        self._end = threading.Event()
        self.longest = 0.0

    def run(self) -> None:
        """Ask until the end."""
        last = time.monotonic()
        while not self._end.wait(_LOOK):
            warm.ask(self._process, "look")
            now = time.monotonic()
            self.longest, last = max(self.longest, now - last), now

    def __enter__(self) -> "_Asking":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self.join()


def measure(stage: Stage, cold: int, count: int) -> dict[str, typing.Any]:
    """Seconds of cold boots and of launches, in rows."""
    nova: Times = {kind: [] for kind in (COLD, MAPPED, COPIED)}
    answers: Times = {kind: [] for kind in nova}

    def add(kind: str, image: str) -> str:
        server, before, answer = stage.boot(image)
        nova[kind].append(before)
        answers[kind].append(answer)
        return server

    for turn in range(cold):
        source = add(COLD, stage.cold)
        if turn + 1 < cold:
            stage.delete(source)
    rows: dict[str, typing.Any] = {}
    blessed = {}
    for kind in (MAPPED, COPIED):
        blessed[kind], seconds, frozen = stage.bless(source, kind)
        rows[f"bless, {kind}"] = {
            "s": round(seconds, 2),
            "frozen": round(frozen, 2),
            **figures.at_most(frozen, _FROZEN),
        }
        stage.delete(stage.boot(blessed[kind])[0])  # the first one fetches the image
    for _ in range(count):
        for kind, image in blessed.items():
            stage.delete(add(kind, image))
    for kind, found in answers.items():
        rows[f"boot, {kind}"] = {
            "nova": round(statistics.median(nova[kind]), 2),
            "answer": round(statistics.median(found), 2),
            "least": round(min(found), 2),
            "most": round(max(found), 2),
            "ratio": figures.ratio(statistics.median(found), statistics.median(answers[COLD])),
        }
    rows[f"boot, {COLD}"] |= figures.at_least(min(answers[COLD]), _LEAST)
    mapped = rows[f"boot, {MAPPED}"]
    mapped |= figures.at_most(mapped["ratio"], _RATIO)
    return rows


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("demo_dir", type=Path)
    parser.add_argument("-n", type=int, default=10, help="servers of each image (default: 10)")
    parser.add_argument("--cold", type=int, default=3, help="cold starts (default: 3)")
    parser.add_argument("--megabytes", type=int, default=500, help="of a server (default: 500)")
    parser.add_argument("--rounds", type=int, default=120, help="for each number (default: 120)")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    try:
        with contextlib.ExitStack() as cleanup:
            stage = Stage(Cloud(asked.demo_dir), asked.megabytes, asked.rounds, cleanup)
            rows = measure(stage, asked.cold, asked.n)
    except CloudError as e:
        sys.exit(f"Error: {e}")
    figures.report(rows, asked.json, unit="s", n=asked.n, megabytes=asked.megabytes)
    figures.require(rows)


if __name__ == "__main__":
    main()
