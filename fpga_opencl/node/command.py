# SPDX-License-Identifier: Apache-2.0
"""The command of the node server."""

import argparse
import contextlib
import os
import socket
import sys
import tempfile
import typing
from pathlib import Path

from fpga_opencl.node import signals
from fpga_opencl.node.server import Server
from fpga_opencl.node.settings import Settings

_GIB = 1 << 30


def main(arguments: typing.Sequence[str] | None = None) -> int:
    """Serve OpenCL on a socket until SIGTERM.

    :returns: the exit status
    """
    options = _parser().parse_args(arguments)
    if os.geteuid() != 0:
        print("Error: no worker can be confined - the node server needs root", file=sys.stderr)
        return 1
    settings = Settings(
        uid=options.first_uid,
        memory=int(options.memory * _GIB),
        cpu_percent=options.cpu_percent,
        cpu_seconds=options.cpu_seconds,
        processes=options.processes,
        source=not options.no_source,
        binaries=frozenset(options.binary) if options.binary is not None else None,
    )
    end = signals.termination()  # before anybody can know that we are there
    try:
        with (
            _alone(options.first_uid),
            tempfile.TemporaryDirectory() as folder,
            _listener(options.socket) as listener,
        ):
            Server(listener, Path(folder), settings, options.sessions).serve(end)
    except OSError as e:
        print(f"Error: OpenCL cannot be served - {e}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fpga-opencl-node", description="Run the kernels of OpenCL clients in workers."
    )
    parser.add_argument("--socket", required=True, help="where clients connect")
    parser.add_argument(
        "--first-uid", type=int, default=2_100_000_000, help="user of the first worker"
    )
    parser.add_argument("--sessions", type=int, default=64, help="workers at once")
    parser.add_argument("--memory", type=float, default=4, help="GiB of each worker")
    parser.add_argument("--cpu-percent", type=int, default=400, help="of one processor")
    parser.add_argument(
        "--cpu-seconds", type=int, default=86400, help="processor time of each worker"
    )
    parser.add_argument("--processes", type=int, default=256, help="and threads of each worker")
    parser.add_argument("--no-source", action="store_true", help="run binaries only")
    parser.add_argument(
        "--binary", action="append", help="SHA-256 digest of a binary that may run; default: any"
    )
    return parser


@contextlib.contextmanager
def _alone(uid: int) -> typing.Iterator[None]:
    """See that no other server on this host begins with a user; the kernel keeps the name for us.

    :raises OSError: one does
    """
    with socket.socket(socket.AF_UNIX) as name:
        try:
            name.bind(f"\0fpga-opencl-{uid}")
        except OSError as e:
            raise OSError(f"user {uid} is that of another node server's workers") from e
        yield


@contextlib.contextmanager
def _listener(path: str) -> typing.Iterator[socket.socket]:
    # Nobody finds the socket before it listens.
    unready = Path(f"{path}.new")
    with socket.socket(socket.AF_UNIX) as listener:
        unready.unlink(missing_ok=True)
        listener.bind(str(unready))
        unready.chmod(0o666)
        listener.listen(socket.SOMAXCONN)
        unready.rename(path)
        try:
            yield listener
        finally:
            Path(path).unlink(missing_ok=True)
