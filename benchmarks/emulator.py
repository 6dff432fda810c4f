#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a burn of a real bitstream takes, and how fast it runs then, for each engine and core.

    python benchmarks/emulator.py [-n 3] [--core NAME] [--part hx8k] [--json]

Burns are whole processes of fpga-cli with a package in a file: `cold` with nothing in the cache of
models, `cached` with the model there. Throughput is that of one client's input, random bytes and
runs in equal parts, in jobs that grow until one takes a second, which is then repeated; the answers
are checked. A cold burn is made once, because the compiler takes most of it; the others are medians
of n. Times of the processor are of all that was run for it, and tell more than the clock on a
machine that does other things, too.
"""

import argparse
import hashlib
import os
import pathlib
import random
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import typing
import zlib

import figures

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

from tests.support import bitstreams
from tests.support.host import Host

CORES = ("crc32", "packbits", "sha256")
ENGINES = ("icarus", "verilator")
LONG_ENOUGH = 1.0  # seconds
FIRST_SIZE = 1024


def sample(size: int) -> bytes:
    """Bytes without a pattern, and runs."""
    runs = [bytes([random.randrange(256)]) * random.randrange(1, 100) for _ in range(size // 100)]
    return (random.randbytes(size // 2) + b"".join(runs)).ljust(size, b"\0")[:size]


def right(core: str, data: bytes, answer: bytes) -> bool:
    """Whether an answer is what an independent library says."""
    if core == "crc32":
        return answer == zlib.crc32(data).to_bytes(4, "big")
    if core == "sha256":
        return answer == hashlib.sha256(data).digest()
    return expanded(answer) == data


def expanded(data: bytes) -> bytes:
    """What PackBits stands for (TIFF 6.0, section 9)."""
    output = bytearray()
    source = iter(data)
    for head in source:
        if head < 128:
            output += bytes(next(source) for _ in range(head + 1))
        elif head > 128:
            output += bytes([next(source)]) * (257 - head)
    return bytes(output)


def talk(path: str, data: bytes) -> bytes:
    """What a region answers, however long it takes."""
    folder = os.open(pathlib.Path(path).parent, os.O_PATH)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(f"/proc/self/fd/{folder}/{pathlib.Path(path).name}")
        os.close(folder)

        def send() -> None:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
        sender.join()
        return answer


def busy(pid: int) -> float:
    """Seconds that a process and its children had a processor."""
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return own + sum(busy(int(child)) for child in children)


def burn(host: Host, package: pathlib.Path) -> tuple[dict[str, typing.Any], float, float]:
    """Burn; what the status says of the region, seconds, and seconds of a processor."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    command = host.command("burn", "--file", str(package))
    region = subprocess.run(  # noqa: S603 - our own command
        command, check=True, capture_output=True, text=True
    ).stdout.strip()
    duration = time.monotonic() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    (status,) = (one for one in host.status()["regions"] if one["id"] == region)
    return status, duration, used


def job(host: Host, core: str, path: str, size: int) -> tuple[float, float]:
    """Seconds that so many bytes take, and seconds of a processor."""
    (server,) = host.servers()
    data = sample(size)
    before, start = busy(server.pid), time.monotonic()
    answer = talk(path, data)
    duration, used = time.monotonic() - start, busy(server.pid) - before
    if not right(core, data, answer):
        raise SystemExit(f"Error: {core} gave a wrong answer to {size} bytes")
    return duration, max(used, 0.01)


def throughput(host: Host, core: str, path: str, count: int) -> dict[str, float]:
    """Thousands of bytes in a second, and in a second of a processor: medians."""
    size = FIRST_SIZE
    jobs = [job(host, core, path, size)]
    while jobs[0][0] < LONG_ENOUGH:
        size *= 2
        jobs = [job(host, core, path, size)]
    jobs += [job(host, core, path, size) for _ in range(count - 1)]
    clock, processor = (
        statistics.median(size / one / 1000 for one in all_) for all_ in zip(*jobs, strict=True)
    )
    return {"kB/s": round(clock, 2), "kB per processor s": round(processor, 2)}


def measure(
    folder: pathlib.Path, core: str, part: str, engine: str, count: int
) -> dict[str, float]:
    """All figures of a core with an engine."""
    options = {
        "emulator__regions": 1,
        "emulator__parts": part,
        "emulator__engine": engine,
        "program_timeout": 600,
    }
    host = Host(folder, **options)
    package = folder / "package.zip"
    package.write_bytes(bitstreams.real_package(core, part))
    results: dict[str, float] = {}
    try:
        for what, times in (("cold", 1), ("cached", count)):
            burns = []
            for turn in range(times):
                region, duration, used = burn(host, package)
                burns.append((duration, used))
                if what == "cached" and turn == 0:
                    results |= throughput(host, core, region["nodes"][0]["path"], count)
                host.run("erase", region["id"])
            clock, processor = (statistics.median(all_) for all_ in zip(*burns, strict=True))
            results[f"burn {what} s"] = round(clock, 2)
            results[f"burn {what} processor s"] = round(processor, 2)
    finally:
        host.close()
    return results


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--core", choices=CORES, action="append")
    parser.add_argument("--part", default="hx8k")
    parser.add_argument("-n", type=int, default=3, help="repetitions (default: 3)")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    results: dict[str, typing.Any] = {}
    for core in arguments.core or CORES:
        found = {}
        for engine in ENGINES:
            with tempfile.TemporaryDirectory(prefix="fpga-bench-") as name:
                found[engine] = measure(
                    pathlib.Path(name), core, arguments.part, engine, arguments.n
                )
            results[f"{core} {engine}"] = found[engine]
            print(f"{core} {engine} is done", file=sys.stderr, flush=True)
        slow, fast = (found[engine] for engine in ENGINES)
        results[f"ratio: {core}: verilator / icarus"] = {
            name: figures.ratio(fast[name], slow[name]) for name in slow
        }
    figures.report(results, arguments.json, n=arguments.n, part=arguments.part)


if __name__ == "__main__":
    main()
