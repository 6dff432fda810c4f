# SPDX-License-Identifier: Apache-2.0
"""Whether this host dumps, signs and restores: tried with a process that listens.

What `criu check` says is not enough: 4.1 passes it on Linux 6.16, and dumps no socket there.
"""

import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import typing

from novadocker.live import criu, places
from novadocker.live.errors import LiveError
from novadocker.live.settings import Settings, check_owners

_SECONDS = 30
_WORD = b"still here\n"
#: Remembers its word in memory alone, and gives it to whoever connects.
_PROGRAM = """
import os, socket, sys
word = sys.argv[1].encode()
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
null = os.open("/dev/null", os.O_RDWR)
for number in range(3):
    os.dup2(null, number)
while True:
    connection = listener.accept()[0]
    connection.sendall(word)
    connection.close()
"""


def check(settings: Settings) -> None:
    """See that what root dumps here could be signed, read by nova-compute, and launched, and that
    nobody else has a hand in it.

    :raises LiveError: the reason why not, and what to do
    """
    from novadocker.live import signatures

    check_owners(settings, places.group_of(settings.group))
    signatures.check_own(settings.signing_key, settings.trusted_keys)


def run(program: pathlib.Path) -> str:
    """Dump a process that listens, which ends it, and restore it.

    :param program: CRIU
    :returns: its version
    :raises LiveError: the reason why this host cannot
    """
    if os.geteuid() != 0:
        raise LiveError("only root can dump and restore")
    version = criu.version(program)
    with tempfile.TemporaryDirectory(prefix="fpga-live-selftest-") as name:
        folder = pathlib.Path(name)
        with _listening() as (pid, port):
            _criu(program, folder, "dump", "--tree", str(pid))
        try:
            _criu(program, folder, "restore", "--restore-detached", "--pidfile", f"{folder}/pid")
            if _word(port) != _WORD:
                raise LiveError("the restored process has another memory")
        finally:
            _kill(folder / "pid")
    return version


@contextlib.contextmanager
def _listening() -> typing.Iterator[tuple[int, int]]:
    """A process that listens, and its port."""
    argv = [sys.executable, "-I", "-S", "-c", _PROGRAM, _WORD.decode()]
    with subprocess.Popen(  # noqa: S603 - ours
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd="/",
        env=criu.PLAIN,
    ) as process:
        try:
            assert process.stdout is not None  # noqa: S101 - for mypy
            port = int(process.stdout.readline() or 0)
            # It gives its standard output away next.
            process.stdout.read()
            if not port or _word(port) != _WORD:
                raise LiveError("a process of Python's cannot listen on 127.0.0.1")
            yield process.pid, port
        finally:
            process.kill()


def _criu(program: pathlib.Path, folder: pathlib.Path, verb: str, *more: str) -> None:
    log = folder / f"{verb}.log"
    argv = [str(program), verb, "--images-dir", str(folder), "--log-file", str(log), *more]
    try:
        status = subprocess.run(  # noqa: S603
            argv, capture_output=True, timeout=_SECONDS, env=criu.PLAIN
        ).returncode
    except subprocess.TimeoutExpired as e:
        raise LiveError(f"criu {verb} did not end within {_SECONDS} seconds") from e
    if status:
        raise LiveError(f"criu {verb} failed: {criu.complaint(log)}")


def _word(port: int) -> bytes:
    """What the process gives."""
    end = time.monotonic() + _SECONDS
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=_SECONDS) as connection:
            found = b""
            while time.monotonic() < end and (part := connection.recv(100)):
                found += part
    except OSError as e:
        raise LiveError(f"the process does not answer: {e.strerror or e}") from e
    return found


def _kill(file: pathlib.Path) -> None:
    with contextlib.suppress(OSError, ValueError):
        os.kill(int(file.read_text()), signal.SIGKILL)
