# SPDX-License-Identifier: Apache-2.0
"""What a worker may do and use."""

import dataclasses
import platform

_LIBRARIES = f"{platform.machine()}-linux-gnu"

#: What OpenCL is made of, and all of the host that a worker can read: libraries, the compiler's
#: headers and its linker.
FILES = (
    f"/usr/lib/{_LIBRARIES}",
    f"/usr/lib/gcc/{_LIBRARIES}",
    "/usr/lib/clang",
    "/usr/lib/llvm-14",
    "/usr/lib/llvm-15",
    "/usr/lib/llvm-19",
    "/usr/lib64",
    "/usr/share/pocl",
    "/usr/bin/ld",
    "/etc/OpenCL",
    "/etc/ld.so.cache",
    "/sys/devices/system",
)


@dataclasses.dataclass(frozen=True)
class Settings:
    """Limits of one worker.

    :param uid: user and group of nobody else
    :param memory: bytes that its processes use together, files in memory included
    :param address_space: bytes of each process; the limit where there are no control groups
    :param cpu_percent: of one processor
    :param cpu_seconds: processor time of each process, at whose end the kernel kills it
    :param processes: with their threads
    :param file_size: bytes of each file that it writes
    :param files: folders and files of the host that it can read
    :param source: whether it compiles source
    :param device: the only one of the host's devices that it has, counted from 0; None for all
    :param binaries: SHA-256 digests, in hexadecimal, of those that it runs; None for any
    """

    uid: int
    memory: int = 4 << 30
    address_space: int = 16 << 30
    cpu_percent: int = 400
    cpu_seconds: int = 24 * 3600
    processes: int = 256
    file_size: int = 256 << 20
    files: tuple[str, ...] = FILES
    source: bool = True
    device: int | None = None
    binaries: frozenset[str] | None = None
