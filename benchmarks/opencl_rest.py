# SPDX-License-Identifier: Apache-2.0
"""A stand-in for OpenCL of 2014: each call is a request to a service, and a call over a broker.

    opencl_rest.py service|node BROKER_URL

Client, service and node are a process each, as they were. Everything is today's and kinder than it
was then: one connection for all requests, one for all messages, and neither Keystone nor a policy.
"""

import contextlib
import subprocess
import sys
import time
import typing
from pathlib import Path

import oslo_messaging
import requests
from opencl import Device
from oslo_config import cfg

_TOPIC, _NODE = "opencl", "node-1"
_PATH = "/os-opencl/queues/1/enqueuendrangekernel"
#: Seconds until both processes answer, and of each answer.
_PATIENCE, _ANSWER = 60, 5

_Values = dict[str, typing.Any]


class Node:
    """The calls that a node serves, of which one is measured."""

    def __init__(self) -> None:
        self._device = Device()

    def enqueue_ndrange_kernel(self, _context: _Values, sizes: list[int]) -> int:
        """Enqueue the kernel that does nothing; the status."""
        if sizes != [1]:
            raise ValueError(sizes)
        self._device.launch()
        return 0


def node(url: str) -> None:
    """Serve calls from the broker until the process is ended."""
    target = oslo_messaging.Target(topic=_TOPIC, server=_NODE)
    server = oslo_messaging.get_rpc_server(
        _transport(url),
        target,
        [Node()],
        executor="threading",
        access_policy=oslo_messaging.DefaultRPCAccessPolicy,
    )
    server.start()
    print("ready", flush=True)
    server.wait()


def service(url: str) -> None:
    """Serve requests until the process is ended; prints the address."""
    import flask
    import waitress.server

    calls = oslo_messaging.get_rpc_client(_transport(url), oslo_messaging.Target(topic=_TOPIC))
    application = flask.Flask(__name__)

    @application.post(_PATH)
    def enqueue() -> _Values:
        sizes = flask.request.get_json()["sizes"]
        client = calls.prepare(server=_NODE, timeout=_ANSWER)
        return {"status": client.call({}, "enqueue_ndrange_kernel", sizes=sizes)}

    server = waitress.server.create_server(application, host="127.0.0.1", port=0)
    print(f"http://127.0.0.1:{server.effective_port}", flush=True)
    server.run()


def _transport(url: str) -> typing.Any:
    # oslo.messaging 18.3 reads options of the global configuration, whichever it was given.
    cfg.CONF([], project="bench", default_config_files=[])
    return oslo_messaging.get_rpc_transport(cfg.CONF, url)


@contextlib.contextmanager
def served(url: str) -> typing.Iterator[typing.Callable[[], None]]:
    """Both processes; gives what enqueues a kernel by a request.

    :param url: of a broker
    """
    words = [sys.executable, "-W", "ignore", str(Path(__file__).resolve())]
    with contextlib.ExitStack() as stack:
        session = stack.enter_context(requests.Session())
        session.trust_env = False
        address, ready = (
            next(iter(stack.enter_context(_process([*words, kind, url])).stdout or ()), "").strip()
            for kind in ("service", "node")
        )
        if not (address and ready):
            raise SystemExit("Error: what stands for the original has failed")

        def enqueue() -> None:
            answer = session.post(f"{address}{_PATH}", json={"sizes": [1]}, timeout=2 * _ANSWER)
            answer.raise_for_status()
            if answer.json() != {"status": 0}:
                raise SystemExit(f"Error: the service answers {answer.json()}")

        end = time.monotonic() + _PATIENCE
        while True:
            try:
                enqueue()
                break
            except requests.HTTPError:  # the node does not listen yet
                if time.monotonic() > end:
                    raise
        yield enqueue


@contextlib.contextmanager
def _process(words: list[str]) -> typing.Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            yield process
        finally:
            process.kill()


if __name__ == "__main__":
    {"service": service, "node": node}[sys.argv[1]](sys.argv[2])
