# SPDX-License-Identifier: Apache-2.0
"""A process that answers for many hosts, each with a server of its own, as nova-compute does.

python -m tests.functional.fpga_api.many_hosts URL FIRST COUNT
"""

import signal
import sys

import oslo_messaging
from oslo_config import cfg

from fpga_hooks.program import last_look
from fpga_hooks.rpc.server import Endpoint
from fpga_nova import contract, host_status, options

#: Of each host.
REGIONS = 4


def name(number: int) -> str:
    """What Nova and Placement call a host."""
    return f"host-{number:04}"


def main(url: str, first: int, count: int) -> None:
    """Serve until a signal ends it; a line says that all hosts answer."""
    options.register_opts(cfg.CONF)
    cfg.CONF.set_override("status_file", "", "fpga")
    regions = [
        host_status.Region(f"r{number}", "free", None, True, (), device="card0", healthy=True)
        for number in range(REGIONS)
    ]
    last_look.ours.record(host_status.Status(REGIONS, 0, 0, tuple(regions)))
    transport = oslo_messaging.get_rpc_transport(cfg.CONF, url)
    for number in range(first, first + count):
        target = oslo_messaging.Target(
            exchange=contract.RPC_EXCHANGE, topic=contract.RPC_TOPIC, server=name(number)
        )
        server = oslo_messaging.get_rpc_server(
            transport, target, [Endpoint()], access_policy=oslo_messaging.DefaultRPCAccessPolicy
        )
        server.start(override_pool_size=1)
    print("ready", flush=True)
    signal.pause()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
