# SPDX-License-Identifier: Apache-2.0
"""OpenCL by a worker beside the same implementation in the program's own process.

    python benchmarks/opencl.py [--rounds N]

Both run the same calls, in turns. Beside them stands what the socket itself takes: round trips of
64 bytes, and the rate of 64 MiB each way between two Python programs. At last programs and workers
are killed. The exit status is 1 if a figure is not within its limit.

A round trip takes two to five times as long between two processors as on one. So a command that
waits is compared twice: with program and worker on one processor, and with each on its own. The
ends of the socket have the same places.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import typing
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import figures  # noqa: E402
import opencl_beside as beside  # noqa: E402

from fpga_opencl.node.opencl import NULL, ffi, load  # noqa: E402
from tests.support import opencl  # noqa: E402

#: Seconds that a command takes beyond the network's round trip by PoCL-R, as its paper says.
_PEER = 60e-6
_SIDE = 512  # rows of the matrices
#: What may be at most: round trips of the socket that a command takes beyond the local one; times
#: of the local ones that a kernel of a loop and a product take; seconds of an end.
_TRIPS, _LOOP, _PRODUCT, _END = 3, 10, 1.1, 1
#: What must be at least: times as fast as the peer, and a part of the socket's rate.
_FASTER, _RATE = 5, 0.6
_SOURCE = b"""
kernel void nothing(int n) {}
kernel void multiply(global float *c, global const float *a, global const float *b, int n) {
    size_t row = get_global_id(1), column = get_global_id(0);
    float sum = 0;
    for (int i = 0; i < n; i++) sum += a[row * n + i] * b[i * n + column];
    c[row * n + column] = sum;
}
"""

WAIT, PIPELINED, MATRICES = "kernel and finish", "pipelined kernel", "product of matrices"
RATE, ALL = "64 MiB one way", "all"
LOCAL, WORKER, SOCKET = "local", "worker", "socket"

Seconds = dict[str, list[float]]
#: By name, and by where.
Results = dict[str, Seconds]


def _check(status: int) -> None:
    if status:
        raise RuntimeError(f"OpenCL failed with {status}")


class Device:
    """A queue on the first device that the loader finds, and a program."""

    def __init__(self) -> None:
        self.library = library = load()
        error, platform, device = ffi.new("I *"), ffi.new("H *"), ffi.new("H *")
        _check(library.clGetPlatformIDs(1, platform, NULL))
        _check(library.clGetDeviceIDs(platform[0], 0xFFFFFFFF, 1, device, NULL))
        self.context = library.clCreateContext(NULL, 1, device, NULL, NULL, error)
        _check(error[0])
        self.queue = library.clCreateCommandQueue(self.context, device[0], 0, error)
        _check(error[0])
        text = ffi.new("char[]", _SOURCE)
        program = library.clCreateProgramWithSource(
            self.context, 1, ffi.new("char **", text), NULL, error
        )
        _check(library.clBuildProgram(program, 0, NULL, NULL, NULL, NULL))
        self.nothing = library.clCreateKernel(program, ffi.new("char[]", b"nothing"), error)
        self.multiply = library.clCreateKernel(program, ffi.new("char[]", b"multiply"), error)
        _check(error[0])
        _check(library.clSetKernelArg(self.nothing, 0, 4, ffi.new("I *", 1)))
        self.one = ffi.new("size_t *", 1)

    def buffer(self, size: int) -> typing.Any:
        """A buffer."""
        error = ffi.new("I *")
        handle = self.library.clCreateBuffer(self.context, 1, size, NULL, error)
        _check(error[0])
        return handle

    def launch(self) -> None:
        """Run the kernel that does nothing."""
        _check(
            self.library.clEnqueueNDRangeKernel(
                self.queue, self.nothing, 1, NULL, self.one, NULL, 0, NULL, NULL
            )
        )

    def finish(self) -> None:
        """Wait for everything."""
        _check(self.library.clFinish(self.queue))

    def write(self, memory: typing.Any, size: int, content: typing.Any) -> None:
        """Write and wait."""
        _check(
            self.library.clEnqueueWriteBuffer(
                self.queue, memory, 1, 0, size, content, 0, NULL, NULL
            )
        )

    def read(self, memory: typing.Any, size: int, content: typing.Any) -> None:
        """Read and wait."""
        _check(
            self.library.clEnqueueReadBuffer(self.queue, memory, 1, 0, size, content, 0, NULL, NULL)
        )


def measure_wait() -> Seconds:
    """Seconds of a kernel and its end, on the device that the environment gives."""
    device = Device()

    def finished() -> None:
        device.launch()
        device.finish()

    return {WAIT: beside.times(finished, 1000)}


def measure() -> Seconds:
    """Seconds of each other action."""
    device = Device()
    small, large = device.buffer(64), device.buffer(beside.LARGE)
    content = ffi.new("char[]", beside.LARGE)

    def pipelined() -> None:
        for _ in range(1000):
            device.launch()
        device.finish()

    return {
        PIPELINED: beside.times(pipelined, 10, 1000),
        "write of 64 B": beside.times(lambda: device.write(small, 64, content), 400),
        "read of 64 B": beside.times(lambda: device.read(small, 64, content), 400),
        "write of 64 MiB": beside.times(lambda: device.write(large, beside.LARGE, content), 8),
        "read of 64 MiB": beside.times(lambda: device.read(large, beside.LARGE, content), 8),
        MATRICES: beside.times(_multiplication(device), 6),
    }


def _multiplication(device: Device) -> typing.Callable[[], None]:
    size = _SIDE * _SIDE * 4
    memories = [device.buffer(size) for _ in range(3)]
    content, sides = ffi.new("char[]", size), ffi.new("size_t[2]", [_SIDE, _SIDE])
    for index, memory in enumerate(memories):
        _check(device.library.clSetKernelArg(device.multiply, index, 8, ffi.new("H *", memory)))
    _check(device.library.clSetKernelArg(device.multiply, 3, 4, ffi.new("I *", _SIDE)))

    def run() -> None:
        for memory in memories[1:]:
            device.write(memory, size, content)
        _check(
            device.library.clEnqueueNDRangeKernel(
                device.queue, device.multiply, 2, NULL, sides, NULL, 0, NULL, NULL
            )
        )
        device.read(memories[0], size, content)

    return run


def _run(what: str, more: typing.Mapping[str, str], place: frozenset[int] = frozenset()) -> Seconds:
    """What a program measures.

    :param more: variables of its environment
    :param place: the processors that it may use; by default, all
    """
    words = [sys.executable, __file__, "--measure", what]
    with beside.processors(place):
        answer = subprocess.run(  # noqa: S603
            words, env={**os.environ, **more}, check=True, capture_output=True, text=True
        )
    return dict(json.loads(answer.stdout))


def _measure_places(node: opencl.Node, environment: dict[str, str]) -> Results:
    """Seconds of a command that waits, by where program and worker are; the local one is alone."""
    usable = sorted(os.sched_getaffinity(0))
    first, last = frozenset(usable[:1]), frozenset(usable[-1:])
    places = {"on one processor": first} | ({"on two processors": last} if last != first else {})
    results: Results = {}
    for name, other in places.items():
        os.sched_setaffinity(node.process.pid, other)
        results[f"{WAIT}, {name}"] = {
            LOCAL: _run(WAIT, {}, first)[WAIT],
            WORKER: _run(WAIT, environment, first)[WAIT],
            SOCKET: beside.measure_trips(first, other),
        }
    os.sched_setaffinity(node.process.pid, usable)
    return results


def _measure_all(rounds: int, node: opencl.Node, environment: dict[str, str]) -> Results:
    """Seconds of everything, in turns."""
    results: Results = {}
    for _ in range(rounds):
        found = _measure_places(node, environment)
        for kind, seconds in (
            (LOCAL, _run(ALL, {})),
            (WORKER, _run(ALL, environment)),
            (SOCKET, beside.measure_socket()),
        ):
            for name, values in seconds.items():
                found.setdefault(name, {})[kind] = values
        for name, kinds in found.items():
            for kind, values in kinds.items():
                results.setdefault(name, {}).setdefault(kind, []).extend(values)
    return results


def _times(results: Results) -> dict[str, typing.Any]:
    """Microseconds of each action: medians and the best five in a hundred."""
    rows = {}
    for name, kinds in results.items():
        row = rows[f"us of {name}"] = {}
        for kind, seconds in kinds.items():
            row[kind] = round(1e6 * statistics.median(seconds), 1)
            best = sorted(seconds)[max(0, len(seconds) // 20 - 1)]
            row[f"{kind}, best"] = round(1e6 * best, 1)
    return rows


def _checks(results: Results, ends: Seconds) -> dict[str, typing.Any]:
    """Ratios and times that have limits."""

    def median(name: str, kind: str) -> float:
        return statistics.median(results[name][kind])

    def times_local(name: str) -> float:
        return median(name, WORKER) / median(name, LOCAL)

    def trips(name: str) -> float:
        return (median(name, WORKER) - median(name, LOCAL)) / median(name, SOCKET)

    raw = median(RATE, SOCKET)
    peer = _PEER / median(PIPELINED, WORKER)
    most = {
        f"round trips of {name}, beyond local": (trips(name), _TRIPS)
        for name in results
        if name.startswith(f"{WAIT}, ")
    }
    most[f"{PIPELINED}, times local"] = times_local(PIPELINED), _LOOP
    most[f"{MATRICES}, times local"] = times_local(MATRICES), _PRODUCT
    most |= {f"s, {name}": (max(seconds), _END) for name, seconds in ends.items()}
    least = {f"{PIPELINED}, times PoCL-R's": (peer, _FASTER)}
    for name in ("write of 64 MiB", "read of 64 MiB"):
        least[f"{name}, of the socket's rate"] = raw / median(name, WORKER), _RATE
    rows = {
        name: _row(value, figures.at_most(value, limit)) for name, (value, limit) in most.items()
    }
    return rows | {
        name: _row(value, figures.at_least(value, limit)) for name, (value, limit) in least.items()
    }


def _row(value: float, limit: dict[str, typing.Any]) -> dict[str, typing.Any]:
    return {"found": round(value, 2), **limit}


def main() -> None:
    """Print the table; fail if a limit is missed."""
    parser = argparse.ArgumentParser(description="OpenCL by a worker, beside the local one")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--measure", choices=[WAIT, ALL], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure() if options.measure == ALL else measure_wait()))
        return
    with tempfile.TemporaryDirectory() as name, opencl.serving(Path(name)) as node:
        environment = opencl.environment(opencl.build(Path(name) / "icd"), node.socket)
        results = _measure_all(options.rounds, node, environment)
        ends = beside.measure_ends(node, options.rounds)
    rows = _times(results) | _checks(results, ends)
    figures.report(rows, options.json, rounds=options.rounds)
    figures.require(rows)


if __name__ == "__main__":
    main()
