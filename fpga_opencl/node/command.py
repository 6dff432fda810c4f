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

from fpga_opencl.node import kernel, root, signals
from fpga_opencl.node.afar import Afar
from fpga_opencl.node.helpers import Helper
from fpga_opencl.node.server import Server
from fpga_opencl.node.settings import Settings

_GIB = 1 << 30
_BACKLOG = 128
_GATES = 4  # for each worker: some clients wait, and some are turned away
_SESSIONS = 512  # at most: a heartbeat has room for so many
#: Of a server and of its doorman, at most: those of each session with all its gates, and of others.
_OF_SESSION, _OTHERS = 16, 256
_USERS = range(1 << 16, (1 << 32) - 1)  # neither those of passwd nor the last: the kernel's "none"


def main(arguments: typing.Sequence[str] | None = None) -> int:
    """Serve OpenCL on a socket, for clients from afar, or both, until SIGTERM.

    :returns: the exit status
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if not options.socket and not options.listen:
        parser.error("give --socket, --listen, or both")
    if options.listen and not (options.certificate and options.key and options.config_file):
        parser.error("--listen needs --certificate, --key and --config-file")
    last = options.first_uid + options.sessions * (1 + _GATES) - 1
    if options.first_uid not in _USERS or last not in _USERS:
        parser.error(f"--first-uid: users are from {_USERS.start} to {_USERS.stop - 1}")
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
        kernel.have_descriptors(options.sessions * _OF_SESSION + _OTHERS)
        with (
            _alone(options.first_uid),
            tempfile.TemporaryDirectory(dir=root.FOLDERS) as folder,
            contextlib.ExitStack() as stack,
        ):
            listener = stack.enter_context(_listener(options.socket)) if options.socket else None
            server = Server(listener, Path(folder), settings, options.sessions)
            if options.listen:
                stack.enter_context(_afar(server, options))
            server.serve(end)
    except OSError as e:
        print(f"Error: OpenCL cannot be served - {e}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fpga-opencl-node", description="Run the kernels of OpenCL clients in workers."
    )
    parser.add_argument("--socket", help="where clients of this host connect")
    parser.add_argument(
        "--listen", type=_address, metavar="HOST:PORT", help="where clients from afar connect"
    )
    parser.add_argument("--certificate", metavar="FILE", help="that clients from afar see, PEM")
    parser.add_argument("--key", metavar="FILE", help="of the certificate, PEM")
    parser.add_argument(
        "--config-file", metavar="FILE", help="how to register at fpga-api, with --listen"
    )
    parser.add_argument(
        "--registrar-user", metavar="USER", help="who reads that file, instead of root"
    )
    parser.add_argument(
        "--first-uid", type=int, default=2_100_000_000, help="user of the first worker"
    )
    parser.add_argument("--sessions", type=_whole(1, _SESSIONS), default=64, help="workers at once")
    parser.add_argument("--memory", type=_memory, default=4, help="GiB of each worker")
    parser.add_argument("--cpu-percent", type=_whole(1), default=400, help="of one processor")
    parser.add_argument(
        "--cpu-seconds", type=_whole(1), default=86400, help="processor time of each worker"
    )
    parser.add_argument(
        "--processes", type=_whole(16), default=256, help="and threads of each worker"
    )
    parser.add_argument("--no-source", action="store_true", help="run binaries only")
    parser.add_argument(
        "--binary", action="append", help="SHA-256 digest of a binary that may run; default: any"
    )
    return parser


# A control group takes no limit of 0 or less, or takes it for none.


def _whole(least: int, most: int = 1 << 31) -> typing.Callable[[str], int]:
    """What reads a number that is within limits."""

    def number(text: str) -> int:
        value = int(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{value} is not from {least} to {most}")
        return value

    return number


def _memory(text: str) -> float:
    value = float(text)
    if not 1 / 16 <= value <= 1 << 20:
        raise argparse.ArgumentTypeError(f"{text} is not from 1/16 to {1 << 20}")
    return value


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


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not 0 <= int(port) < 65536:
        raise ValueError(text)
    return host.strip("[]"), int(port)


@contextlib.contextmanager
def _afar(server: Server, options: argparse.Namespace) -> typing.Iterator[None]:
    """Have clients from afar served, too.

    :raises OSError: the address cannot be listened on
    """
    host, port = options.listen
    family = socket.AF_INET6 if ":" in host or not host else socket.AF_INET
    with socket.create_server(
        (host, port), family=family, backlog=_BACKLOG, dualstack_ipv6=not host
    ) as listener:
        words = ["--listener", str(listener.fileno())]
        words += ["--certificate", options.certificate, "--key", options.key]
        # Beside the users of workers.
        words += ["--first-uid", str(options.first_uid + options.sessions)]
        gates = options.sessions * _GATES
        doorman = Helper(
            "fpga_opencl.node.doorman", [*words, "--gates", str(gates)], [listener.fileno()]
        )
        words = ["--config-file", options.config_file, "--certificate", options.certificate]
        words += ["--port", str(listener.getsockname()[1])]
        registrar = Helper("fpga_opencl.registrar", words, user=options.registrar_user)
        afar = Afar(server, doorman, registrar)
        try:
            yield
        finally:
            afar.stop()


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
