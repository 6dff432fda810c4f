# SPDX-License-Identifier: Apache-2.0
"""A server that takes long to warm up, as a program of an image, and how it is asked."""

import concurrent.futures
import ctypes
import os
import pathlib
import re
import socket
import time
import typing

from build_scripts.images import build_docker_image

PORT = 8080
#: Where the image has the program.
PROGRAM = "bin/warm"
_CLONE_NEWNET = 0x40000000


def root(busybox: pathlib.Path) -> bytes:
    """The tar of an image's files."""
    program = build_docker_image.compile_client(pathlib.Path(__file__).with_name("warm.c"))
    found, applets = build_docker_image.read_busybox(busybox)
    return build_docker_image.layer(found, applets, b"", {PROGRAM: program})


def image(files: bytes) -> bytes:
    """An archive of an image as docker save writes it.

    :param files: see `root`
    """
    return build_docker_image.image(files, build_docker_image.architecture())


def command(megabytes: int, rounds: int = 1) -> list[str]:
    """The command of a container.

    :param rounds: for each number of its table: what a start takes of a processor
    """
    return [f"/{PROGRAM}", str(megabytes), str(rounds), str(PORT)]


def ask(process: int, word: str, seconds: float = 60) -> int:
    """What it answers, once it does.

    :param process: one of the container's, by its number on the host
    :raises TimeoutError: it does not
    """
    # The thread has another network from then on, and ends.
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        return pool.submit(_ask, process, word, seconds).result()


def _ask(process: int, word: str, seconds: float) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    with pathlib.Path(f"/proc/{process}/ns/net").open() as network:
        if libc.setns(network.fileno(), _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
    end = time.monotonic() + seconds
    while True:
        try:
            with socket.create_connection(("127.0.0.1", PORT), timeout=seconds) as connection:
                connection.sendall(word.encode())
                if answer := connection.makefile().readline():
                    return int(answer)
        except OSError:
            pass
        if time.monotonic() > end:
            raise TimeoutError(f"{word}: no answer within {seconds} s")
        time.sleep(0.005)


def processes(container: typing.Any) -> list[int]:
    """Those of a container, by their numbers on the host."""
    return [int(line[0]) for line in container.top(ps_args="-o pid")["Processes"]]


def proportional(process: int) -> int:
    """Bytes of memory that a process has, of shared pages its part (PSS)."""
    text = pathlib.Path(f"/proc/{process}/smaps_rollup").read_text()
    found = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) << 10 if found else 0


def areas(process: int, least: int = 1 << 20) -> list[tuple[int, int]]:
    """Addresses of private memory that can be written, as far as it follows one another.

    :param least: bytes of what counts
    """
    found: list[tuple[int, int]] = []
    for line in pathlib.Path(f"/proc/{process}/maps").read_text().splitlines():
        addresses, rights = line.split()[:2]
        start, end = (int(one, 16) for one in addresses.split("-"))
        if rights != "rw-p":
            continue
        if found and found[-1][1] == start:
            start = found.pop()[0]
        found.append((start, end))
    return [(start, end) for start, end in found if end - start >= least]


def read(process: int, start: int, size: int) -> bytes:
    """Memory of a process; it counts as used from then on."""
    with pathlib.Path(f"/proc/{process}/mem").open("rb", buffering=0) as memory:
        return os.pread(memory.fileno(), size, start)
