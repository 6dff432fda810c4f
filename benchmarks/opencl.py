# SPDX-License-Identifier: Apache-2.0
"""OpenCL by a worker beside the same implementation in the program's own process.

    python benchmarks/opencl.py [--rounds N]

Both run the same calls, in turns. Beside them stands what the socket itself takes: round trips of
64 bytes, and the rate of 64 MiB each way between two Python programs.
"""

import argparse
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import typing
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from fpga_opencl.node.opencl import NULL, ffi, load  # noqa: E402

_LARGE = 64 << 20
_FIRST_UID = 2_190_000_000  # beside a server that serves already
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


def times(action: typing.Callable[[], None], count: int, of_each: int = 1) -> list[float]:
    """Seconds of each of `of_each` actions, measured so many times."""
    action()
    seconds = []
    for _ in range(count):
        begin = time.perf_counter()
        action()
        seconds.append((time.perf_counter() - begin) / of_each)
    return seconds


def measure() -> dict[str, list[float]]:
    """Seconds of each action, on the device that the environment gives."""
    device = Device()
    small, large = device.buffer(64), device.buffer(_LARGE)
    content = ffi.new("char[]", _LARGE)

    def finished() -> None:
        device.launch()
        device.finish()

    def pipelined() -> None:
        for _ in range(1000):
            device.launch()
        device.finish()

    return {
        "kernel and finish": times(finished, 400),
        "pipelined kernel": times(pipelined, 10, 1000),
        "write of 64 B": times(lambda: device.write(small, 64, content), 400),
        "read of 64 B": times(lambda: device.read(small, 64, content), 400),
        "write of 64 MiB": times(lambda: device.write(large, _LARGE, content), 8),
        "read of 64 MiB": times(lambda: device.read(large, _LARGE, content), 8),
        "matrices": times(_multiplication(device), 6),
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


def measure_socket() -> dict[str, list[float]]:
    """Seconds of a round trip of 64 bytes, and of 64 MiB one way."""
    ours, theirs = socket.socketpair()
    for one in (ours, theirs):
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            one.setsockopt(socket.SOL_SOCKET, option, 4 << 20)
    pid = os.fork()
    if pid == 0:
        ours.close()
        echo(theirs)
    theirs.close()
    content = memoryview(bytearray(64))

    def trip() -> None:
        ours.sendall(content)
        _receive(ours, content)

    trips = times(trip, 400)
    sent = measure_rate(ours, 8)
    ours.close()
    os.waitpid(pid, 0)
    return {"round trip": trips, "64 MiB one way": sent}


def measure_rate(connection: socket.socket, count: int) -> list[float]:
    """Seconds of 64 MiB one way to a process that echoes; nothing but this follows.

    :param count: how often it is measured
    """
    content = memoryview(bytearray(_LARGE))
    connection.sendall(b"L" * 64)
    _receive(connection, content[:64])

    def large() -> None:
        connection.sendall(content)
        _receive(connection, content[:1])

    return times(large, count)


def _receive(connection: socket.socket, target: memoryview) -> bool:
    done = 0
    while done < len(target):
        count = connection.recv_into(target[done:])
        if not count:
            return False
        done += count
    return True


def echo(connection: socket.socket) -> typing.NoReturn:
    """Send 64 bytes back, or take 64 MiB, until the other side leaves; the process ends."""
    small, large = memoryview(bytearray(64)), memoryview(bytearray(_LARGE))
    while _receive(connection, small):
        connection.sendall(small)
        if small[0] == ord("L"):
            while _receive(connection, large):
                connection.sendall(b"1")
    os._exit(0)


def _run(more: dict[str, str]) -> dict[str, list[float]]:
    words = [sys.executable, __file__, "--measure"]
    answer = subprocess.run(  # noqa: S603
        words, env=os.environ | more, check=True, capture_output=True, text=True
    )
    return dict(json.loads(answer.stdout))


def _show(kind: str, name: str, seconds: list[float], unit: float) -> str:
    best = sorted(seconds)[max(0, len(seconds) // 20 - 1)]
    return f"| {name} | {kind} | {statistics.median(seconds) * unit:,.1f} | {best * unit:,.1f} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="OpenCL by a worker, beside the local one")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure()))
        return
    with tempfile.TemporaryDirectory() as folder, _node(Path(folder)) as environment:
        _print_table(options.rounds, environment)


def _print_table(rounds: int, environment: dict[str, str]) -> None:
    results: dict[str, dict[str, list[float]]] = {}
    for _ in range(rounds):
        for kind, run in (
            ("local", lambda: _run({})),
            ("worker", lambda: _run(environment)),
            ("socket", measure_socket),
        ):
            for name, seconds in run().items():
                results.setdefault(name, {}).setdefault(kind, []).extend(seconds)
    print("| microseconds of one | where | median | best 5 % |\n|---|---|---|---|")
    for name, kinds in results.items():
        for kind, seconds in kinds.items():
            print(_show(kind, name, seconds, 1e6))
    _print_ratios(results)


def _print_ratios(results: dict[str, dict[str, list[float]]]) -> None:
    def median(name: str, kind: str) -> float:
        return statistics.median(results[name][kind])

    trip, raw = median("round trip", "socket"), median("64 MiB one way", "socket")
    finish = median("kernel and finish", "worker") - median("kernel and finish", "local")
    print(f"\nkernel and finish: {finish / trip:.1f} round trips more than local")
    for name in ("pipelined kernel", "matrices"):
        print(f"{name}: {median(name, 'worker') / median(name, 'local'):.2f} times local")
    for name in ("write of 64 MiB", "read of 64 MiB"):
        print(f"{name}: {raw / median(name, 'worker'):.0%} of the socket's rate")


@contextlib.contextmanager
def _node(folder: Path) -> typing.Iterator[dict[str, str]]:
    """A node server and the ICD; gives what a program needs to find them."""
    path = str(folder / "s")
    make = ["make", "-s", "-C", str(ROOT / "fpga_opencl/icd"), f"OUT={folder}"]
    subprocess.run([*make, f"PYTHON={sys.executable}"], check=True)  # noqa: S603
    (folder / "fpga-nova.icd").write_text(f"{folder}/libfpga-opencl.so\n")
    words = [sys.executable, "-m", "fpga_opencl.node", "--socket", path]
    words += ["--first-uid", str(_FIRST_UID)]
    with subprocess.Popen(words, cwd=ROOT) as process:  # noqa: S603
        try:
            while not Path(path).exists() and process.poll() is None:
                time.sleep(0.1)
            yield {"OCL_ICD_VENDORS": str(folder), "FPGA_OPENCL_SOCKET": path}
        finally:
            process.terminate()


if __name__ == "__main__":
    main()
