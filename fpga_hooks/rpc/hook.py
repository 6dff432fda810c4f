# SPDX-License-Identifier: Apache-2.0
"""Starts the endpoint with nova-compute."""

from oslo_config import cfg

from fpga_hooks import base
from fpga_hooks.rpc import server

CONF = cfg.CONF


class FpgaStatusHook(base.Hook):
    """Report this host's regions to fpga-api, where ``[fpga] transport_url`` names a broker."""

    def __init__(self) -> None:
        self._hosts: set[str] = set()

    def init_host(self, host: str) -> None:
        """Serve this host; the broker need not be there.

        :raises nova.exception.InvalidConfiguration: there cannot be such a broker
        """
        url = CONF.fpga.transport_url
        if url and host not in self._hosts:
            server.start(url, host)
            self._hosts.add(host)
