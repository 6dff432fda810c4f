# SPDX-License-Identifier: Apache-2.0
"""Serves the endpoint in nova-compute.

A thread of its own reaches for the broker, so that a broker that is gone, slow, or refuses this
host delays nothing else. oslo.messaging chooses what calls run in: threads, or eventlet's where
Nova's are those. The calls read what is on record, or begin works that go on beside them, so a few
at a time are enough.
"""

import threading
import time
import typing

import oslo_messaging
from nova import exception
from oslo_config import cfg
from oslo_log import log as logging

from fpga_hooks.rpc import report
from fpga_hooks.service import claims, programs
from fpga_hooks.service.answers import RefusedError
from fpga_nova import contract

CONF = cfg.CONF
LOG = logging.getLogger(__name__)

_CALLS = 4  # at a time
_PAUSE = 30.0  # seconds between attempts where the broker refuses


Answer = dict[str, typing.Any]


class Endpoint:
    """The methods; each but `status` answers with a refusal, or null for none.

    A refusal has changed nothing. Each may be called again with the same ids.
    """

    target = oslo_messaging.Target(namespace=contract.RPC_NAMESPACE, version=contract.RPC_VERSION)

    def status(self, context: dict[str, typing.Any]) -> dict[str, typing.Any] | None:
        """The regions of this host; see `fpga_hooks.rpc.report`."""
        return report.report()

    def program(self, context: Answer, program: Answer, wait: float = 0) -> Answer:
        """Program a bitstream into a region of a running server; see `programs.program`."""
        return _answer(("program",), lambda: programs.program(context, program, wait))

    def program_status(
        self, context: Answer, server: str, program_id: str, wait: float = 0
    ) -> Answer:
        """How far a program is; see `programs.status`."""
        return _answer(("program",), lambda: programs.status(server, program_id, wait))

    def hold(self, context: Answer, claim: Answer, wait: float = 0) -> Answer:
        """Hold a region for a claim; see `claims.hold`."""
        return _answer(("claim",), lambda: claims.hold(claim, wait))

    def claim_status(self, context: Answer, claim_id: str) -> Answer:
        """What this host holds for a claim; see `claims.status`."""
        return _answer(("claim",), lambda: claims.status(claim_id))

    def release(self, context: Answer, claim_id: str) -> Answer:
        """Erase what this host holds for a claim; see `claims.release`."""
        return {"released": False} | _answer((), lambda: claims.release(claim_id))


def _answer(names: typing.Iterable[str], call: typing.Callable[[], Answer]) -> Answer:
    """What a call answers; where it is refused, null for each of these names."""
    try:
        return {"refusal": None} | call()
    except RefusedError as e:
        return {"refusal": e.document()} | dict.fromkeys(names)


def start(url: str, host: str) -> threading.Thread:
    """Serve a host on a broker, as soon as that is there.

    :returns: what reaches for the broker; it ends when the host is served
    :raises nova.exception.InvalidConfiguration: there cannot be such a broker
    """
    try:
        transport = oslo_messaging.get_rpc_transport(CONF, url)
    except (oslo_messaging.InvalidTransportURL, oslo_messaging.DriverLoadFailure, ValueError) as e:
        # The message would have the URL, and its password.
        raise exception.InvalidConfiguration(
            f"[fpga] transport_url is not the URL of a broker: {type(e).__name__}"
        ) from None
    thread = threading.Thread(
        target=_serve, args=(transport, host), name="fpga status", daemon=True
    )
    thread.start()
    return thread


def _serve(transport: oslo_messaging.transport.RPCTransport, host: str) -> None:
    target = oslo_messaging.Target(
        exchange=contract.RPC_EXCHANGE, topic=contract.RPC_TOPIC, server=host
    )
    while True:
        server = oslo_messaging.get_rpc_server(
            transport,
            target,
            [Endpoint()],
            access_policy=oslo_messaging.DefaultRPCAccessPolicy,
        )
        try:
            server.start(override_pool_size=_CALLS)
        # What a broker's library raises has no class in common; this thread has nobody above it.
        except Exception as e:
            LOG.warning("fpga-api cannot reach this host: %s; trying again", e)
            time.sleep(_PAUSE)
        else:
            LOG.info("fpga-api reaches this host as %s", host)
            return
