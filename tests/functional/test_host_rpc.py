# SPDX-License-Identifier: Apache-2.0
"""What fpga-api learns of a host over a real broker, and what Nova does while that is gone."""

import time
import typing

import oslo_messaging
from oslo_config import cfg

from fpga_nova import contract
from tests.functional import test_hooks
from tests.support import rpc
from tests.support.broker import Broker

_PATIENCE = 60  # seconds; oslo.messaging waits longer with each attempt to reach a broker


class HostRpc(test_hooks.HooksTestCase):
    """A compute host whose broker for fpga-api starts later than the host, and is killed."""

    def configure(self):
        super().configure()
        self.broker = Broker()
        self.addCleanup(self.broker.__exit__)
        self.useFixture(rpc.EndedServers())
        self.flags(transport_url=self.broker.url, group="fpga")
        # Nobody else looks at this broker; each attempt is a second after the one before.
        self.flags(rabbit_retry_backoff=0, group="oslo_messaging_rabbit")

    def ask(self, timeout: float = 2) -> typing.Any:
        """What the host reports."""
        transport = oslo_messaging.get_rpc_transport(cfg.CONF, self.broker.url)
        self.addCleanup(transport.cleanup)
        target = oslo_messaging.Target(
            exchange=contract.RPC_EXCHANGE,
            topic=contract.RPC_TOPIC,
            server="host1",
            namespace=contract.RPC_NAMESPACE,
            version=contract.RPC_VERSION,
        )
        client = oslo_messaging.RPCClient(transport, target, timeout=timeout)
        return client.call({}, "status")

    def ask_until_it_answers(self) -> typing.Any:
        """What the host reports as soon as it has found the broker."""
        end = time.monotonic() + _PATIENCE
        while True:
            try:
                return self.ask()
            except oslo_messaging.MessagingTimeout:
                if time.monotonic() > end:
                    raise

    def owners(self, report: typing.Any) -> list[str]:
        """The servers whose regions a host reports."""
        return [region["owner"] for region in report["regions"] if region["owner"]]

    def test_host_reports_its_regions_and_needs_no_broker_for_anything_else(self):
        flavor = self.fpga_flavor(self.image)
        first = self.boot(flavor)
        self.broker.__enter__()
        report = self.ask_until_it_answers()
        self.assertEqual([first["id"]], self.owners(report))
        self.assertEqual(2, len(report["regions"]))

        self.broker.kill()
        second = self.boot(flavor)
        self.delete(first)
        self.broker.start()
        self.assertEqual([second["id"]], self.owners(self.ask_until_it_answers()))
