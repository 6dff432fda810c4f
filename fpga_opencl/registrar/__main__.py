# SPDX-License-Identifier: Apache-2.0
"""The registrar's process: the node server starts it, as a user of its own."""

import argparse
import signal
import socket
import sys
import typing

from keystoneauth1 import exceptions
from oslo_config import cfg

from fpga_opencl.registrar import options
from fpga_opencl.registrar.loop import Node, Registrar, ServerGone
from fpga_opencl.registrar.service import Service


def main(arguments: typing.Sequence[str] | None = None) -> int:
    """Serve until the node server ends.

    :returns: the exit status
    """
    parser = argparse.ArgumentParser(prog="fpga-opencl-registrar")
    parser.add_argument("--server", type=int, required=True)
    parser.add_argument("--config-file", required=True)
    parser.add_argument("--certificate", required=True)
    parser.add_argument("--port", type=int, required=True)
    own = parser.parse_args(arguments)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    server = socket.socket(fileno=own.server)
    try:
        conf = options.load(own.config_file)
        name = conf.opencl_node.name or socket.gethostname()
        address = conf.opencl_node.address or f"{socket.getfqdn()}:{own.port}"
        node = Node(name, address, own.certificate, conf.opencl_node.reserved_for)
        Registrar(server, Service(conf, options.CREDENTIALS), node).run()
    except ServerGone:
        return 0
    except (cfg.Error, exceptions.ClientException) as e:
        print(f"Error: the node cannot register - {e}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
