# SPDX-License-Identifier: Apache-2.0
"""Has one host do something with its regions.

The methods are those of `fpga_hooks.rpc`. Each may be called again with the same ids, so a call of
which nothing is known is no harm. It is made in a thread that nobody has to wait for, as the
questions of `fpga_api.hosts.client` are.
"""

import queue
import threading
import typing
import weakref

import oslo_messaging
from oslo_config import cfg

from fpga_api import errors
from fpga_api.hosts import client
from fpga_api.service import Service
from fpga_nova import contract

Document = dict[str, typing.Any]

#: Seconds beyond the time-out of a call after which the broker is taken for gone.
_GRACE = 5.0

#: What oslo.messaging raises here, or raised there, where the host does not have the method.
_TOO_OLD = ("NoSuchMethod", "UnsupportedVersion", "RPCVersionCapError")


class Unknown(Exception):
    """The host did not answer, so that what it did is not known."""


class Refusal(typing.NamedTuple):
    """A host changed nothing.

    :ivar code: of the contract with the hosts
    :ivar message: for people
    """

    code: str
    message: str


class Calls:
    """The way to the hosts.

    :param conf: with the options of `fpga_api.options`
    :raises oslo_messaging.InvalidTransportURL, oslo_messaging.DriverLoadFailure: there cannot be
        such a broker
    """

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._client = client.rpc_client(conf, contract.RPC_VERSION)

    def call(
        self,
        host: str,
        method: str,
        timeout: float,
        context: Document | None = None,
        /,
        **arguments: typing.Any,
    ) -> Document | Refusal:
        """What a host answers, or why it refuses.

        :param timeout: seconds
        :param context: who asks
        :raises Unknown: the host did not answer in time, or failed
        :raises errors.HostTooOld: the host has no such method
        :raises errors.BrokerUnavailable: the broker does not take the call
        """
        answers: queue.SimpleQueue[Document | Exception] = queue.SimpleQueue()

        def work() -> None:
            try:
                prepared = self._client.prepare(server=host, timeout=timeout)
                answers.put(prepared.call(context or {}, method, **arguments))
            # oslo.messaging raises here what the host raised there, of any class of Python's own.
            except Exception as e:
                answers.put(e)

        threading.Thread(target=work, name=f"call {host}", daemon=True).start()
        try:
            answer = answers.get(timeout=timeout + _GRACE)
        except queue.Empty:
            raise errors.BrokerUnavailable(client.GONE) from None
        if isinstance(answer, Exception):
            raise _failure(host, answer) from answer
        return _read(host, answer)


_calls: "weakref.WeakKeyDictionary[Service, Calls]" = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def of(service: Service) -> Calls:
    """The way to the hosts of an application, made once.

    :raises errors.HostUnavailable: the configuration names no broker
    """
    with _lock:
        if service not in _calls:
            if not service.conf.hosts.transport_url:
                raise errors.HostUnavailable("the configuration has no [hosts] transport_url")
            _calls[service] = Calls(service.conf)
        return _calls[service]


def _failure(host: str, error: Exception) -> Exception:
    if isinstance(error, oslo_messaging.MessageDeliveryFailure):
        return errors.BrokerUnavailable(client.GONE)
    if isinstance(error, oslo_messaging.MessagingTimeout):
        return Unknown(f"host {host} does not answer")
    name = str(getattr(error, "exc_type", type(error).__name__)).removesuffix("_Remote")
    if name in _TOO_OLD:
        return errors.HostTooOld(f"fpga-nova on host {host} is too old for this")
    return Unknown(f"host {host} failed with {name[:64]}")


def _read(host: str, answer: typing.Any) -> Document | Refusal:
    """A host is not trusted to answer what it should."""
    if not isinstance(answer, dict):
        raise Unknown(f"what host {host} answers cannot be read")
    refusal = answer.get("refusal")
    if refusal is None:
        return answer
    if not isinstance(refusal, dict):
        raise Unknown(f"what host {host} answers cannot be read")
    return Refusal(str(refusal.get("code"))[:64], str(refusal.get("message"))[:1000])
