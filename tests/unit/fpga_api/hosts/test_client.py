# SPDX-License-Identifier: Apache-2.0
"""The question to all hosts, on the message driver of oslo.messaging that needs no broker."""

import time
import typing

import oslo_messaging
import pytest
from oslo_config import cfg

from fpga_api import errors
from fpga_api.hosts import client
from fpga_nova import contract
from tests.support import api as support

REPORT = {"at": "2026-01-02T03:04:05.678+00:00", "regions": []}


class Endpoint:
    """A host that says what it was made with."""

    target = oslo_messaging.Target(namespace=contract.RPC_NAMESPACE, version=contract.RPC_VERSION)

    def __init__(self, answer: typing.Any) -> None:
        self._answer = answer

    def status(self, context: typing.Any) -> typing.Any:
        """The answer, or a failure."""
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


@pytest.fixture
def serve() -> typing.Iterator[typing.Callable[[str, typing.Any], None]]:
    """Have a host answer."""
    transport = oslo_messaging.get_rpc_transport(cfg.CONF, "fake://")
    servers: list[typing.Any] = []

    def start(host: str, answer: typing.Any) -> None:
        target = oslo_messaging.Target(
            exchange=contract.RPC_EXCHANGE, topic=contract.RPC_TOPIC, server=host
        )
        server = oslo_messaging.get_rpc_server(transport, target, [Endpoint(answer)])
        server.start()
        servers.append(server)

    yield start
    for server in servers:
        server.stop()
        server.wait()


def _client(**options: typing.Any) -> client.Client:
    return client.Client(support.configuration(hosts={"transport_url": "fake://", **options}))


def test_each_host_is_asked_and_what_is_no_answer_has_a_reason(serve) -> None:
    serve("good", REPORT)
    serve("unsure", None)
    serve("odd", {"regions": "?"})
    serve("broken", OSError("a path of the host"))
    answers = _client(timeout=1.0).ask(["good", "unsure", "odd", "broken", "dead"])
    assert answers["good"].report is not None
    assert {host: one.fault for host, one in answers.items() if one.report is None} == {
        "unsure": "it does not know the state of its regions",
        "odd": "its report cannot be read",
        "broken": "it failed with OSError",
        "dead": "it does not answer",
    }


def test_dead_hosts_are_waited_for_beside_each_other() -> None:
    start = time.monotonic()
    answers = _client(timeout=0.5, workers=16).ask([f"dead{n}" for n in range(32)])
    assert {one.fault for one in answers.values()} == {"it does not answer"}
    assert time.monotonic() - start < 8  # one after the other: 16 s


def test_broker_that_is_gone_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_GRACE", 0.2)
    # Nobody listens on port 1.
    url = "rabbit://fpga:secret@127.0.0.1:1/"
    caller = _client(transport_url=url, workers=2, timeout=0.2)
    for _ in range(2):
        start = time.monotonic()
        with pytest.raises(errors.BrokerUnavailable) as caught:
            caller.ask([f"host{n}" for n in range(200)])
        assert time.monotonic() - start < 10
        assert "secret" not in str(caught.value)


def test_broker_that_takes_no_message_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: typing.Any, **more: typing.Any) -> None:
        raise oslo_messaging.MessageDeliveryFailure("no")

    monkeypatch.setattr(oslo_messaging.rpc.client._CallContext, "call", fail)
    with pytest.raises(errors.BrokerUnavailable):
        _client(workers=4).ask([f"host{n}" for n in range(50)])


def test_no_hosts_are_no_answers() -> None:
    assert _client().ask([]) == {}
