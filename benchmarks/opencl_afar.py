#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""OpenCL on a node from afar: its enqueues, its rate, and what a long way to the node costs.

A node server, an fpga-api and a program that knows OpenCL alone run on this machine. The program
reaches the node through `fpga-opencl-agent`, by TLS on loopback.

* `enqueue`: a kernel of a loop of 1,000, beside the original's way: a request to a service, and a
  call from there to the node over RabbitMQ (`opencl_rest.py`).
* `enqueue by REST`, `write by REST`: the same kernel, and 256 KiB, by requests of HTTP to the node
  on one connection (docs/opencl-rest.md).
* `write`, `read`: 64 MiB to and from a buffer, beside 64 MiB through a bare TLS socket between two
  programs. The Python client, whose content is copied more often, has no limit.
* `far loop`: 1,000 enqueues and their end over a way of 10 ms in each direction, beside the same
  loop without the delay and one round trip. Both have a network namespace of their own, whose
  loopback netem delays. Where the kernel has no netem, a proxy delays the bytes.

Program and agent have the first processor, and the node the last one, as if they were two machines.
The ends of the bare socket have the same places.

It fails where a limit is missed. Run it as root.
"""

import argparse
import contextlib
import json
import os
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
import typing
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import figures  # noqa: E402
import opencl  # noqa: E402
import opencl_beside as beside  # noqa: E402
import opencl_rest  # noqa: E402
import slow_way  # noqa: E402

from fpga_opencl import client  # noqa: E402
from fpga_opencl.afar import tls  # noqa: E402
from tests.support import broker, opencl_afar  # noqa: E402
from tests.support import opencl as support  # noqa: E402
from tests.support import opencl_rest as rest_support  # noqa: E402

#: The original's enqueue takes so many times ours, at least.
ENQUEUE = 200
#: Of a bare TLS socket's rate, at least.
RATE = 0.8
#: Round trips that a loop takes more than without the delay, at most.
TRIPS = 1.2

_LOOP = 1000
_SMALL = 256 << 10  # bytes of a write by REST
_DELAY = 0.01  # seconds each way
_HEARTBEAT = 3.0  # seconds; that of the tests would take a part of the processors
_PROCESSORS = sorted(os.sched_getaffinity(0))
#: Where programs are that use a node, and where the node is.
_HERE, _THERE = _PROCESSORS[:1], _PROCESSORS[-1:]

Seconds = dict[str, list[float]]


class Stage:
    """A node that has registered, and a session on it.

    :param folder: an empty one
    """

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self._folder = folder
        self._library = support.build(folder / "icd")
        cloud = stack.enter_context(opencl_afar.cloud(folder))
        cloud.api.service.conf.set_override("heartbeat", _HEARTBEAT, "opencl")
        with beside.processors(_THERE):
            stack.enter_context(opencl_afar.node(cloud, folder))
        self.place, self.rest = cloud.place(), cloud.place()
        self.files = (folder / "node-1.pem", folder / "node-1.key")

    def run(self, kind: str, count: int, address: str | None = None) -> Seconds:
        """What a program measures that reaches the node through the agent.

        :param address: where the node is; by default, where it listens
        """
        file = self._folder / "session.json"
        place = self.place._replace(address=address or self.place.address)
        opencl_afar.keep(place, file)
        words = [sys.executable, "-m", "fpga_opencl.agent.command", "--session", str(file), "--"]
        words += [sys.executable, str(Path(__file__).resolve()), "--measure", kind, "-n"]
        with beside.processors(_HERE):
            return answer_of([*words, str(count)], support.environment(self._library, "/nothing"))


def answer_of(words: list[str], environment: typing.Mapping[str, str] | None = None) -> Seconds:
    """What a program prints as JSON."""
    done = subprocess.run(  # noqa: S603
        words, env=environment, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    return dict(json.loads(done.stdout))


def measure_loop(count: int) -> Seconds:
    """Seconds of a loop of enqueues with its end, and of a round trip."""
    device = opencl.Device()

    def loop() -> None:
        for _ in range(_LOOP):
            device.launch()
        device.finish()

    return {"loop": beside.times(loop, count), "round trip": beside.times(device.finish, count)}


def measure_transfers(count: int) -> Seconds:
    """Seconds of 64 MiB to and from a buffer."""
    device = opencl.Device()
    memory, content = device.buffer(beside.LARGE), opencl.ffi.new("char[]", beside.LARGE)
    return {
        "write": beside.times(lambda: device.write(memory, beside.LARGE, content), count),
        "read": beside.times(lambda: device.read(memory, beside.LARGE, content), count),
    }


def measure_python(place: client.Place, count: int) -> Seconds:
    """The same by the Python client, in whose process TLS begins."""
    content = bytes(beside.LARGE)
    with beside.processors(_HERE), client.open_afar(place) as session:
        device = session.devices.list()[0]
        context = session.contexts.create([device])
        queue = session.queues.create(context, device)
        buffer = session.buffers.create(context, beside.LARGE)

        def write() -> None:
            session.queues.enqueue_write(queue, buffer, 0, content)

        def read() -> None:
            session.queues.enqueue_read(queue, buffer, 0, beside.LARGE)

        return {
            "write by Python": beside.times(write, count),
            "read by Python": beside.times(read, count),
        }


def measure_rest(place: client.Place, count: int) -> Seconds:
    """Seconds of an enqueue and of a small write, each a request of HTTP."""
    desk = rest_support.Desk.open(place, "kernel void nothing(int n) {}")
    size, content = [{"Size": 1}], rest_support.encode(bytes(_SMALL))
    kernel = desk.kernel("nothing", {"HostValue": rest_support.encode(bytes(4))})
    buffer = desk.buffer(bytes(_SMALL))

    def enqueue() -> None:
        desk.command("enqueuendrangekernel", Kernel=kernel, GlobalWorkSize=size)

    def write() -> None:
        desk.command("enqueuewritebuffer", Buffer=buffer, Data=content)

    with contextlib.closing(desk.rest):
        return {
            "enqueue by REST": beside.times(enqueue, 10 * count),
            "write by REST": beside.times(write, 10 * count),
        }


def measure_tls(files: tuple[Path, Path], count: int) -> Seconds:
    """Seconds of 64 MiB through a TLS socket that nobody else has to do with."""
    certificate, key = map(str, files)
    trusting = ssl.create_default_context(cafile=certificate)
    trusting.check_hostname = False
    with contextlib.closing(slow_way.listener()) as listening, beside.processors(_HERE):
        pid = os.fork()
        if pid == 0:
            os.sched_setaffinity(0, _THERE)
            _echo_by_tls(listening, certificate, key)
        plain = slow_way.connected(listening.getsockname())
        tls.prepare(plain)
        with trusting.wrap_socket(plain) as secure:
            found = beside.measure_rate(secure, count)
    os.waitpid(pid, 0)
    return {"bare TLS": found}


def _echo_by_tls(listening: socket.socket, certificate: str, key: str) -> typing.NoReturn:
    try:
        connection, _ = listening.accept()
        tls.prepare(connection)
        beside.echo(tls.server_context(certificate, key).wrap_socket(connection, server_side=True))
    finally:
        os._exit(1)  # what is to be done at the end is the parent's


def measure_far(count: int) -> Seconds:
    """Seconds of a loop and of a round trip, without the delay and with it; in a namespace."""
    with contextlib.ExitStack() as stack:
        stage = Stage(Path(stack.enter_context(tempfile.TemporaryDirectory())), stack)
        way = stack.enter_context(slow_way.way(stage.place.address))
        near = stage.run("loop", count, way.address)
        way.delay(_DELAY)
        far = stage.run("loop", count, way.address)
    found = {f"near {name}": seconds for name, seconds in near.items()}
    return found | {f"far {name}": seconds for name, seconds in far.items()}


def measure(rounds: int, count: int) -> Seconds:
    """Seconds of everything, in turns; in microseconds or seconds for one, as it is called."""
    found: Seconds = {}

    def add(seconds: Seconds) -> None:
        for name, values in seconds.items():
            found.setdefault(name, []).extend(values)

    with contextlib.ExitStack() as stack:
        stage = Stage(Path(stack.enter_context(tempfile.TemporaryDirectory())), stack)
        enqueue = stack.enter_context(opencl_rest.served(stack.enter_context(broker.Broker()).url))
        for _ in range(rounds):
            add(stage.run("loop", count))
            add({"original": beside.times(enqueue, 10 * count)})
            add(stage.run("transfers", count))
            add(measure_python(stage.place, count))
            add(measure_tls(stage.files, count))
            add(measure_rest(stage.rest, count))
    words = [*slow_way.NAMESPACE, sys.executable, str(Path(__file__).resolve())]
    add(answer_of([*words, "--measure", "far", "-n", str(2 * count)]))
    return found


def rows(found: Seconds) -> dict[str, dict[str, typing.Any]]:
    """The figures, each with its limit and whether that is met."""
    median = {name: statistics.median(seconds) for name, seconds in found.items()}
    ours, original = median["loop"] / _LOOP, median["original"]
    result = {
        "enqueue": {
            "us": round(1e6 * ours, 1),
            "original us": round(1e6 * original, 1),
            "ratio": round(original / ours, 2),
            **figures.at_least(original / ours, ENQUEUE),
        }
    }
    result["enqueue by REST"] = {
        "us": round(1e6 * median["enqueue by REST"], 1),
        "of a message's": round(median["enqueue by REST"] / ours),
    }
    result["write by REST"] = {"MB/s": round(_SMALL / median["write by REST"] / 1e6)}
    for name in ("write", "read", "write by Python", "read by Python"):
        result[name] = {
            "MB/s": round(beside.LARGE / median[name] / 1e6),
            "bare TLS MB/s": round(beside.LARGE / median["bare TLS"] / 1e6),
            "ratio": round(median["bare TLS"] / median[name], 2),
        }
    for name in ("write", "read"):
        result[name] |= figures.at_least(median["bare TLS"] / median[name], RATE)
    trips = (median["far loop"] - median["near loop"]) / median["far round trip"]
    result["far loop"] = {
        "ms": round(1e3 * median["far loop"], 1),
        "without delay ms": round(1e3 * median["near loop"], 1),
        "round trip ms": round(1e3 * median["far round trip"], 1),
        "round trips": round(trips, 2),
        **figures.at_most(trips, TRIPS),
    }
    return result


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-n", type=int, default=10, help="times of each in a round (default: 10)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds (default: 3)")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    parts = {"loop": measure_loop, "transfers": measure_transfers, "far": measure_far}
    if arguments.measure:
        print(json.dumps(parts[arguments.measure](arguments.n)))
        return
    start = time.monotonic()
    found = rows(measure(arguments.rounds, arguments.n))
    about = {"n": arguments.n, "delay by": slow_way.means(), "s": round(time.monotonic() - start)}
    figures.report(found, arguments.json, **about)
    figures.require(found)


if __name__ == "__main__":
    main()
