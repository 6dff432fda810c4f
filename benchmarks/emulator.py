#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a burn of a real bitstream takes, and how fast it runs then, for each engine and core.

    python benchmarks/emulator.py [--core NAME] [--part hx8k] [--json]

Burns are whole processes of fpga-cli with a package in a file: `cold` with nothing in the cache of
models, `cached` with the model there. Throughput is that of one client's input, random bytes and
runs in equal parts, in jobs that grow until one takes two seconds; the answer is checked. Times
of the processor are of all that was run for it, and tell more than the clock on a machine that does
other things, too.
"""

import argparse
import hashlib
import json
import os
import pathlib
import random
import resource
import socket
import subprocess
import sys
import tempfile
import threading
import time
import typing
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

from tests.support import bitstreams
from tests.support.host import Host

CORES = ("crc32", "packbits", "sha256")
ENGINES = ("icarus", "verilator")
LONG_ENOUGH = 2.0  # seconds
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
    made = bytearray()
    source = iter(data)
    for head in source:
        if head < 128:
            made += bytes(next(source) for _ in range(head + 1))
        elif head > 128:
            made += bytes([next(source)]) * (257 - head)
    return bytes(made)


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
    took = time.monotonic() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    (told,) = (one for one in host.status()["regions"] if one["id"] == region)
    return told, took, used


def throughput(host: Host, core: str, path: str) -> tuple[float, float]:
    """Bytes in a second, and in a second of a processor."""
    (server,) = host.servers()
    size = FIRST_SIZE
    while True:
        data = sample(size)
        before, start = busy(server.pid), time.monotonic()
        answer = talk(path, data)
        took, used = time.monotonic() - start, busy(server.pid) - before
        if not right(core, data, answer):
            raise SystemExit(f"Error: {core} gave a wrong answer to {size} bytes")
        if took > LONG_ENOUGH:
            return size / took, size / max(used, 0.01)
        size *= 2


def measure(folder: pathlib.Path, core: str, part: str, engine: str) -> dict[str, float]:
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
    told: dict[str, float] = {}
    try:
        for what in ("cold", "cached"):
            region, took, used = burn(host, package)
            told[f"burn {what} s"] = round(took, 2)
            told[f"burn {what} processor s"] = round(used, 2)
            if what == "cached":
                clock, processor = throughput(host, core, region["nodes"][0]["path"])
                told["kB/s"] = round(clock / 1000, 2)
                told["kB per processor s"] = round(processor / 1000, 2)
            host.run("erase", region["id"])
    finally:
        host.close()
    return told


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--core", choices=CORES, action="append")
    parser.add_argument("--part", default="hx8k")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    figures = {}
    for core in arguments.core or CORES:
        for engine in ENGINES:
            with tempfile.TemporaryDirectory(prefix="fpga-bench-") as name:
                told = measure(pathlib.Path(name), core, arguments.part, engine)
            figures[f"{core} {engine}"] = told
            if not arguments.json:
                print(f"{core:<10} {engine:<10} {told}", flush=True)
    if arguments.json:
        print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
