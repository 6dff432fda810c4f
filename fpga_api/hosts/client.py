# SPDX-License-Identifier: Apache-2.0
"""Asks the hosts for their regions, many at a time, on the broker that they share with us.

While the broker is gone, oslo.messaging 18.2.0 waits for it within a call, whatever the time-out of
the call is. So each question is asked in a thread that nobody has to wait for.
"""

import contextlib
import dataclasses
import queue
import threading
import typing

import oslo_messaging
from oslo_config import cfg

from fpga_api import errors
from fpga_api.hosts import reports
from fpga_nova import contract

#: What oslo.messaging 18.2.0 reads of any configuration, and registers in the global one alone.
_METRICS = "oslo_messaging_metrics"

#: Seconds beyond the time-out of a call after which the broker is taken for gone.
_GRACE = 5.0

GONE = "the broker of the hosts does not answer"


def rpc_client(
    conf: cfg.ConfigOpts, version: str, timeout: float | None = None
) -> oslo_messaging.RPCClient:
    """A client of the endpoint of the hosts.

    :param version: of the endpoint, the lowest that has what is called
    :param timeout: seconds of a call
    :raises ValueError: there cannot be such a broker
    """
    conf.register_opts([cfg.BoolOpt("metrics_enabled", default=False)], group=_METRICS)
    return oslo_messaging.get_rpc_client(
        _transport(conf),
        oslo_messaging.Target(
            exchange=contract.RPC_EXCHANGE,
            topic=contract.RPC_TOPIC,
            namespace=contract.RPC_NAMESPACE,
            version=version,
        ),
        timeout=timeout,
        retry=0,
    )


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a host said.

    :ivar report: its regions; None where it is not known
    :ivar fault: the reason then, for people
    """

    report: reports.Report | None
    fault: str | None = None


class Client:
    """The caller of all hosts.

    :param conf: with the options of `fpga_api.options`
    :raises ValueError: there cannot be such a broker
    """

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._timeout: float = conf.hosts.timeout
        self._workers: int = conf.hosts.workers
        self._threads: list[threading.Thread] = []
        self._client = rpc_client(conf, contract.RPC_STATUS_VERSION, self._timeout)

    def ask(self, hosts: typing.Collection[str]) -> dict[str, Answer]:
        """Ask each host once.

        :raises errors.BrokerUnavailable: the broker does not take the questions
        """
        self._threads = [one for one in self._threads if one.is_alive()]
        if self._threads:
            raise errors.BrokerUnavailable(GONE)
        questions: queue.SimpleQueue[str] = queue.SimpleQueue()
        for host in hosts:
            questions.put(host)
        answers: queue.SimpleQueue[tuple[str, Answer | None]] = queue.SimpleQueue()
        for _ in range(min(self._workers, len(hosts))):
            thread = threading.Thread(
                target=self._work, args=(questions, answers), name="ask hosts", daemon=True
            )
            self._threads.append(thread)
            thread.start()
        try:
            return self._collect(len(hosts), answers)
        except errors.BrokerUnavailable:
            _drain(questions)
            raise

    def _collect(
        self, count: int, answers: "queue.SimpleQueue[tuple[str, Answer | None]]"
    ) -> dict[str, Answer]:
        found: dict[str, Answer] = {}
        while len(found) < count:
            try:
                host, answer = answers.get(timeout=self._timeout + _GRACE)
            except queue.Empty:
                raise errors.BrokerUnavailable(GONE) from None
            if answer is None:
                raise errors.BrokerUnavailable(GONE)
            found[host] = answer
        return found

    def _work(
        self,
        questions: "queue.SimpleQueue[str]",
        answers: "queue.SimpleQueue[tuple[str, Answer | None]]",
    ) -> None:
        while True:
            try:
                host = questions.get_nowait()
            except queue.Empty:
                return
            answers.put((host, self._ask(host)))

    def _ask(self, host: str) -> Answer | None:
        """What a host says; None where the broker does not take the question."""
        try:
            document = self._client.prepare(server=host).call({}, "status")
            if document is None:
                return Answer(None, "it does not know the state of its regions")
            return Answer(reports.read(document))
        except oslo_messaging.MessagingTimeout:
            return Answer(None, "it does not answer")
        except oslo_messaging.MessageDeliveryFailure:
            return None
        except reports.NoReport:
            return Answer(None, "its report cannot be read")
        # oslo.messaging raises here what the host raised there, of any class of Python's own.
        except Exception as e:
            name = getattr(e, "exc_type", type(e).__name__)
            return Answer(None, f"it failed with {str(name).removesuffix('_Remote')[:64]}")


def _transport(conf: cfg.ConfigOpts) -> oslo_messaging.transport.RPCTransport:
    try:
        return oslo_messaging.get_rpc_transport(conf, conf.hosts.transport_url)
    except (oslo_messaging.InvalidTransportURL, oslo_messaging.DriverLoadFailure, ValueError) as e:
        # Their messages have the URL, and its password.
        raise ValueError(
            f"[hosts] transport_url is not the URL of a broker: {type(e).__name__}"
        ) from None


def _drain(questions: "queue.SimpleQueue[str]") -> None:
    """Leave nothing to ask; others take questions meanwhile."""
    with contextlib.suppress(queue.Empty):
        while True:
            questions.get_nowait()
