# SPDX-License-Identifier: Apache-2.0
"""The endpoint in nova-compute, on the message driver of oslo.messaging that needs no broker."""

import subprocess
import sys
import threading
import typing

import oslo_messaging
import pytest
from nova import exception
from oslo_config import cfg

from fpga_hooks.rpc import hook, report, server
from fpga_nova import contract

REPORT = {"at": "2026-01-02T03:04:05.678+00:00", "regions": []}

#: In a process of its own, because eventlet changes all of it.
_SCRIPT = """
import sys
if sys.argv[1] == "eventlet":
    import eventlet
    eventlet.monkey_patch()
import oslo_messaging
from oslo_config import cfg
from fpga_hooks.rpc import report, server
from fpga_nova import contract

report.report = lambda: {"regions": [sys.argv[1]]}
kinds = []
real = oslo_messaging.get_rpc_server
def get_rpc_server(*arguments, **more):
    server = real(*arguments, **more)
    kinds.append(server.executor_type)
    return server
oslo_messaging.get_rpc_server = get_rpc_server
server.start("fake://", "node").join()
transport = oslo_messaging.get_rpc_transport(cfg.CONF, "fake://")
target = oslo_messaging.Target(
    exchange=contract.RPC_EXCHANGE, topic=contract.RPC_TOPIC, server="node",
    namespace=contract.RPC_NAMESPACE, version=contract.RPC_VERSION,
)
print(kinds, oslo_messaging.RPCClient(transport, target, timeout=20).call({}, "status"))
"""


def _ask(host: str, method: str = "status") -> typing.Any:
    transport = oslo_messaging.get_rpc_transport(cfg.CONF, "fake://")
    target = oslo_messaging.Target(
        exchange=contract.RPC_EXCHANGE,
        topic=contract.RPC_TOPIC,
        server=host,
        namespace=contract.RPC_NAMESPACE,
        version=contract.RPC_VERSION,
    )
    return oslo_messaging.RPCClient(transport, target, timeout=20).call({}, method)


@pytest.fixture(autouse=True)
def _report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "report", lambda: REPORT)


@pytest.mark.parametrize("kind", ["threading", "eventlet"])
def test_host_answers_in_the_threads_that_nova_has(kind: str) -> None:
    command = [sys.executable, "-W", "ignore", "-c", _SCRIPT, kind]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert result.stdout == f"['{kind}'] {{'regions': ['{kind}']}}\n", result.stderr


def test_host_that_knows_nothing_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "report", lambda: None)
    server.start("fake://", "knows-nothing").join()
    assert _ask("knows-nothing") is None


def test_nothing_but_status_can_be_called() -> None:
    server.start("fake://", "one-method").join()
    for method in ("report", "__init__"):
        with pytest.raises(oslo_messaging.NoSuchMethod):
            _ask("one-method", method)


def test_broker_that_refuses_is_tried_again_beside_the_start(monkeypatch, caplog) -> None:
    cls = oslo_messaging.rpc.server.RPCServer
    real, refusals, asked = cls._create_listener, ["refused"], threading.Event()

    def listen(self):
        asked.wait(20)
        if refusals:
            raise OSError(refusals.pop())
        return real(self)

    monkeypatch.setattr(server, "_PAUSE", 0)
    monkeypatch.setattr(cls, "_create_listener", listen)
    thread = server.start("fake://", "refused")  # and it is back while the broker hangs
    asked.set()
    thread.join(20)
    assert _ask("refused") == REPORT
    assert "fpga-api cannot reach this host: refused" in caplog.text


@pytest.mark.parametrize("url", ["none://fpga:secret@broker", "rabbit://fpga:secret@[broker"])
def test_url_of_no_broker_stops_the_service_without_its_password(url: str) -> None:
    with pytest.raises(exception.InvalidConfiguration, match="transport_url") as caught:
        server.start(url, "node")
    assert "secret" not in str(caught.value)


def test_hook_serves_a_host_once_where_a_broker_is_named(config, monkeypatch) -> None:
    started: list[tuple[str, str]] = []
    monkeypatch.setattr(server, "start", lambda *arguments: started.append(arguments))
    hook.FpgaStatusHook().init_host("node")
    assert started == []
    config(transport_url="fake://")
    status = hook.FpgaStatusHook()
    for host in ("node", "node", "other"):
        status.init_host(host)
    assert started == [("fake://", "node"), ("fake://", "other")]
