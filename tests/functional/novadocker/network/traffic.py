# SPDX-License-Identifier: Apache-2.0
"""Packets between containers, sent by programs of the test machine in a container's network."""

import subprocess
import typing

from tests.support.host import wait_until


def namespace(net: typing.Any, instance: typing.Any) -> str:
    """The network namespace of a server's sandbox."""
    attributes = net.client.api.inspect_container(f"nova-{instance.uuid}-network")
    return str(attributes["NetworkSettings"]["SandboxKey"])


def inside(net: typing.Any, instance: typing.Any, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the machine's in the network of a server."""
    enter = ("nsenter", f"--net={namespace(net, instance)}")
    return subprocess.run([*enter, *words], capture_output=True, text=True)


def pings(net: typing.Any, instance: typing.Any, address: str) -> bool:
    """Whether an address answers to ping."""
    done = inside(net, instance, "ping", "-c", "1", "-W", "1", address)
    return done.returncode == 0


def wait_for_ping(net: typing.Any, instance: typing.Any, address: str) -> None:
    """Wait until an address answers."""
    wait_until(lambda: pings(net, instance, address), seconds=20)


def receives(net: typing.Any, sender: typing.Any, receiver: typing.Any, address: str) -> bool:
    """Whether data goes over TCP from one server to another."""
    serve = "echo hello | nc -l -p 7000"
    net.container(receiver).exec_run(["sh", "-c", serve], detach=True)
    wait_until(lambda: ":7000" in net.run(receiver, "netstat -ltn")[1])
    return bool(net.run(sender, f"nc -w 5 {address} 7000 < /dev/null")[1] == "hello\n")
