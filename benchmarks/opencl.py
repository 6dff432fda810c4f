# SPDX-License-Identifier: Apache-2.0
"""OpenCL by a worker beside the same implementation in the program's own process.

    python benchmarks/opencl.py [--rounds N]

Both run the same calls, in turns. Beside them stands what the socket itself takes: round trips of
64 bytes, and the rate of 64 MiB each way between two Python programs. At last programs and workers
are killed. The exit status is 1 if a figure is not within its limit.
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
_SOURCE = b"""
kernel void nothing(int n) {}
kernel void multiply(global float *c, global const float *a, global const float *b, int n) {
    size_t row = get_global_id(1), column = get_global_id(0);
    float sum = 0;
    for (int i = 0; i < n; i++) sum += a[row * n + i] * b[i * n + column];
    c[row * n + column] = sum;
}
"""

#: Seconds by name, and by where.
Results = dict[str, dict[str, list[float]]]


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


def measure() -> dict[str, list[float]]:
    """Seconds of each action, on the device that the environment gives."""
    device = Device()
    small, large = device.buffer(64), device.buffer(beside.LARGE)
    content = ffi.new("char[]", beside.LARGE)

    def finished() -> None:
        device.launch()
        device.finish()

    def pipelined() -> None:
        for _ in range(1000):
            device.launch()
        device.finish()

    return {
        "kernel and finish": beside.times(finished, 400),
        "pipelined kernel": beside.times(pipelined, 10, 1000),
        "write of 64 B": beside.times(lambda: device.write(small, 64, content), 400),
        "read of 64 B": beside.times(lambda: device.read(small, 64, content), 400),
        "write of 64 MiB": beside.times(lambda: device.write(large, beside.LARGE, content), 8),
        "read of 64 MiB": beside.times(lambda: device.read(large, beside.LARGE, content), 8),
        "matrices": beside.times(_multiplication(device), 6),
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


def _run(more: dict[str, str]) -> dict[str, list[float]]:
    words = [sys.executable, __file__, "--measure"]
    answer = subprocess.run(  # noqa: S603
        words, env=os.environ | more, check=True, capture_output=True, text=True
    )
    return dict(json.loads(answer.stdout))


def _show(kind: str, name: str, seconds: list[float], unit: float) -> str:
    best = sorted(seconds)[max(0, len(seconds) // 20 - 1)]
    return f"| {name} | {kind} | {statistics.median(seconds) * unit:,.1f} | {best * unit:,.1f} |"


class Check(typing.NamedTuple):
    """A ratio or a time, and what it may be.

    :param least: whether it must be at least as much as the limit
    """

    name: str
    value: float
    limit: float
    unit: str
    least: bool = False

    @property
    def met(self) -> bool:
        """Whether it is as it should be."""
        return self.value >= self.limit if self.least else self.value <= self.limit

    def row(self) -> str:
        """Of the table."""
        bound = f"at {'least' if self.least else 'most'} {self.limit:g} {self.unit}"
        met = "yes" if self.met else "NO"
        return f"| {self.name} | {self.value:.2f} {self.unit} | {bound} | {met} |"


def main() -> None:
    """Print the tables; fail if a limit is missed."""
    parser = argparse.ArgumentParser(description="OpenCL by a worker, beside the local one")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure()))
        return
    with tempfile.TemporaryDirectory() as name, opencl.serving(Path(name)) as node:
        environment = opencl.environment(opencl.build(Path(name) / "icd"), node.socket)
        results = _measure_all(options.rounds, environment)
        ends = beside.measure_ends(node, options.rounds)
    _print_table(results, ends)
    checks = _checks(results, ends)
    print("\n| check | found | limit | met |\n|---|---|---|---|")
    for check in checks:
        print(check.row())
    figures.require({check.name: {"met": check.met} for check in checks})


def _measure_all(rounds: int, environment: dict[str, str]) -> Results:
    results: Results = {}
    for _ in range(rounds):
        for kind, run in (
            ("local", lambda: _run({})),
            ("worker", lambda: _run(environment)),
            ("socket", beside.measure_socket),
        ):
            for name, seconds in run().items():
                results.setdefault(name, {}).setdefault(kind, []).extend(seconds)
    return results


def _print_table(results: Results, ends: dict[str, list[float]]) -> None:
    print("| microseconds of one | where | median | best 5 % |\n|---|---|---|---|")
    for name, kinds in results.items():
        for kind, seconds in kinds.items():
            print(_show(kind, name, seconds, 1e6))
    for name, seconds in ends.items():
        print(_show("worker", name, seconds, 1e6))


def _checks(results: Results, ends: dict[str, list[float]]) -> list[Check]:
    def median(name: str, kind: str) -> float:
        return statistics.median(results[name][kind])

    def times_local(name: str) -> float:
        return median(name, "worker") / median(name, "local")

    trip, raw = median("round trip", "socket"), median("64 MiB one way", "socket")
    more = median("kernel and finish", "worker") - median("kernel and finish", "local")
    peer = _PEER / median("pipelined kernel", "worker")
    return [
        Check("kernel and finish, beyond local", more / trip, 3, "round trips"),
        Check("pipelined kernel", times_local("pipelined kernel"), 10, "times local"),
        Check("pipelined kernel, beside PoCL-R", peer, 5, "times as fast", least=True),
        *(
            Check(name, 100 * raw / median(name, "worker"), 60, "% of the socket", least=True)
            for name in ("write of 64 MiB", "read of 64 MiB")
        ),
        Check("matrices", times_local("matrices"), 1.1, "times local"),
        *(Check(name, max(seconds), 1, "s") for name, seconds in ends.items()),
    ]


if __name__ == "__main__":
    main()
