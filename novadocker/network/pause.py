# SPDX-License-Identifier: Apache-2.0
"""The program that holds a container's network: it waits for signals, for ever.

It is one static ELF file without sections: a header, one program header, and the code. The kernel
maps the whole file, readable and executable, and jumps to the code. It needs no memory of its own
and touches no stack.
"""

import io
import struct
import tarfile

#: Name of the program in its image.
NAME = "pause"

#: For each of the kernel's machines (`uname -m`): e_machine of elf.h, and the code.
_MACHINES = {
    "x86_64": (
        62,
        bytes.fromhex(
            "b822000000"  # mov eax, 34     pause(2)
            "0f05"  # syscall
            "ebf7"  # jmp back to the mov, when a signal was handled elsewhere
        ),
    ),
    # Read against the manual of the architecture; no such machine ran it.
    "aarch64": (
        183,
        bytes.fromhex(
            "000080d2"  # mov x0, 0         ppoll(2) of no files,
            "010080d2"  # mov x1, 0
            "020080d2"  # mov x2, 0         without a time-out
            "030080d2"  # mov x3, 0
            "040080d2"  # mov x4, 0
            "280980d2"  # mov x8, 73
            "010000d4"  # svc 0
            "f9ffff17"  # b back to the first mov
        ),
    ),
}

_BASE = 0x400000
_HEADER, _PROGRAM_HEADER = 64, 56


class MachineError(Exception):
    """There is no such program for a machine."""


def program(machine: str) -> bytes:
    """The ELF file for a machine.

    :param machine: as `uname -m` names it
    :raises MachineError: there is none
    """
    if machine not in _MACHINES:
        raise MachineError(f"containers have no networks on {machine}: {', '.join(_MACHINES)} do")
    number, code = _MACHINES[machine]
    start = _HEADER + _PROGRAM_HEADER
    size = start + len(code)
    # 64 bits, little-endian, version 1; then elf(5)'s Elf64_Ehdr from e_type (ET_EXEC) on.
    header = b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + struct.pack(
        "<HHIQQQIHHHHHH", 2, number, 1, _BASE + start, _HEADER, 0, 0, _HEADER, _PROGRAM_HEADER,
        1, 64, 0, 0,
    )  # fmt: skip
    # Elf64_Phdr: PT_LOAD, PF_R | PF_X, the whole file at the base, in pages of up to 64 KiB.
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 0x10000)
    return header + segment + code


def archive(machine: str) -> bytes:
    """A tar archive that has the program alone: the file system of an image.

    :raises MachineError: there is none
    """
    content = program(machine)
    entry = tarfile.TarInfo(NAME)
    entry.size, entry.mode = len(content), 0o755
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
