# SPDX-License-Identifier: Apache-2.0
"""fpga-opencl-agent: gives programs of this host a socket to the node of a session."""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import typing
from pathlib import Path

from keystoneauth1 import exceptions
from oslo_config import cfg

from fpga_opencl.afar.tls import Place
from fpga_opencl.agent.leases import Leases
from fpga_opencl.agent.regions import Regions, of_configuration
from fpga_opencl.agent.tunnel import Tunnel, listening
from fpga_opencl.registrar import options as settings
from fpga_opencl.registrar.service import Service

_ENDS = {signal.SIGTERM, signal.SIGINT}


def main(arguments: typing.Sequence[str] | None = None) -> int:
    """Serve until SIGTERM, or until the program ends.

    :returns: the exit status; that of the program, if there is one
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if bool(options.session) == bool(options.config_file):
        parser.error("give either --session or --config-file")
    if options.config_file and (options.program or not options.socket):
        parser.error("--config-file needs --socket, and takes no program")
    if not options.socket and not options.program:
        parser.error("give --socket, a program, or both")
    # A thread that carries bytes gets no signal: the main one waits for them.
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)
    try:
        if options.config_file:
            return _serve_regions(options.config_file, options.socket)
        text = sys.stdin.read() if options.session == "-" else Path(options.session).read_text()
        place = Place.of_answer(json.loads(text))
        with tempfile.TemporaryDirectory(prefix="fpga-opencl-") as folder:
            path = options.socket or f"{folder}/opencl0"
            with listening(path) as listener:
                tunnel = Tunnel(listener, place)
                threading.Thread(target=tunnel.serve, daemon=True).start()
                return _run(path, options.program)
    except (OSError, ValueError, cfg.Error, exceptions.ClientException) as e:
        print(f"Error: no session of OpenCL - {e}", file=sys.stderr)
    return 1


def _serve_regions(config_file: str, path: str) -> int:
    """Serve the regions of this host until a signal."""
    conf = settings.load(config_file)
    leases = Leases(
        Service(conf, settings.CREDENTIALS), of_configuration(conf[settings.AGENT.name])
    )
    with listening(path, kind=socket.SOCK_SEQPACKET) as listener:
        regions = Regions(listener, leases)
        threading.Thread(target=regions.serve, daemon=True).start()
        signal.sigwait(_ENDS)
        regions.stop()
    return 0


def _run(path: str, program: list[str]) -> int:
    """Run a program with the socket, or wait for a signal."""
    if not program:
        signal.sigwait(_ENDS)
        return 0
    # The program has its own.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDS)
    environment = os.environ | {"FPGA_OPENCL_SOCKET": path}
    status = subprocess.run(program, env=environment, check=False).returncode  # noqa: S603
    return status if status >= 0 else 128 - status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fpga-opencl-agent",
        description="Give programs of this host a socket to the node of a session of OpenCL.",
    )
    parser.add_argument(
        "--session",
        metavar="FILE",
        help="what `openstack fpga opencl session create -f json` printed; - for standard input",
    )
    parser.add_argument(
        "--config-file",
        metavar="FILE",
        help="how to open a session for each connection of a region of this host",
    )
    parser.add_argument("--socket", metavar="PATH", help="where programs, or regions, connect")
    parser.add_argument(
        "program", nargs="*", help="a program, with its words, that finds the socket by itself"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
