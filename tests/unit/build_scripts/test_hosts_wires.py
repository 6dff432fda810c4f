# SPDX-License-Identifier: Apache-2.0
"""The network of local hosts, in namespaces of its own: real bridges and cables, no host."""

import os
import shutil
import subprocess
import sys
import typing
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("unshare") is None, reason="needs root, and util-linux"
)

#: Prints what it finds in a network of two hosts, each of which is a sleeping process.
BEFORE = """
import dataclasses, pathlib, subprocess, sys, time
from local_hosts import model, wires
folder = pathlib.Path(sys.argv[1])
network = model.network("10.77.0.0/24")
net = wires.Wires(folder, network)
hosts = model.extend(model.Site(network), model.default_requests(2), "bookworm").hosts
holders = [subprocess.Popen(["unshare", "--net", "sh", "-c", "echo; exec sleep 60"],
                            stdout=subprocess.PIPE) for _ in hosts]
for holder in holders:
    holder.stdout.readline()
space = [pathlib.Path(f"/proc/{holder.pid}/ns/net") for holder in holders]
def reaches(one, address):
    script = ("import socket, sys; s = socket.socket(); s.settimeout(1); "
              "sys.exit(s.connect_ex((sys.argv[1], 9)) not in (0, 111))")
    command = ["nsenter", f"--net={space[one]}", sys.executable, "-c", script, address]
    return subprocess.run(command).returncode == 0
try:
"""
AFTER = """
finally:
    for holder in holders:
        holder.kill()
"""


@pytest.fixture
def network(tmp_path: Path) -> typing.Callable[[str], list[str]]:
    """Runs lines in a machine of their own, and answers what they print."""

    def run(lines: str) -> list[str]:
        body = "".join(f"    {line}\n" for line in lines.splitlines())
        done = subprocess.run(
            ["unshare", "--net", "--mount", sys.executable, "-c", BEFORE + body + AFTER, tmp_path],
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3] / "build_scripts")},
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.splitlines()

    return run


PLUG = "net.make()\nfor host, path in zip(hosts, space): net.plug(host, path)\n"


def test_hosts_reach_each_other_and_the_machine(
    network: typing.Callable[[str], list[str]],
) -> None:
    assert network(f"{PLUG}print(reaches(0, hosts[1].address), reaches(1, network.machine))") == [
        "True True"
    ]


def test_second_call_changes_nothing(network: typing.Callable[[str], list[str]]) -> None:
    lines = "print(net.make(), net.make())\nprint(net.plug(hosts[0], space[0]), end=' ')\n"
    assert network(f"{lines}print(net.plug(hosts[0], space[0]))") == ["True False", "True False"]


def test_host_that_is_cut_is_reached_once_it_is_joined(
    network: typing.Callable[[str], list[str]],
) -> None:
    lines = (
        "net.set_cable(dataclasses.replace(hosts[1], is_cut=True))\n"
        "print(net.is_joined(hosts[1]), reaches(0, hosts[1].address))\n"
        "net.set_cable(hosts[1])\n"
        "print(net.is_joined(hosts[1]), reaches(0, hosts[1].address))\n"
    )
    assert network(PLUG + lines) == ["False False", "True True"]


def test_host_is_plugged_in_again_after_its_namespace_ended(
    network: typing.Callable[[str], list[str]],
) -> None:
    lines = (
        "holders[1].kill(); holders[1].wait()\n"
        "third = subprocess.Popen(['unshare', '--net', 'sh', '-c', 'echo; exec sleep 60'],"
        " stdout=subprocess.PIPE)\n"
        "third.stdout.readline(); holders.append(third)\n"
        "print(net.plug(hosts[1], pathlib.Path(f'/proc/{third.pid}/ns/net')))\n"
        "print(reaches(0, hosts[1].address))\n"
    )
    assert network(PLUG + lines) == ["True", "True"]


def test_network_is_mended_where_a_part_is_missing(
    network: typing.Callable[[str], list[str]],
) -> None:
    lines = (
        "subprocess.run(['ip', 'link', 'del', net.interface], check=True)\n"
        "print(net.make(), net.make(), reaches(0, network.machine))\n"
    )
    assert network(PLUG + lines) == ["True False True"]


def test_file_of_a_namespace_that_is_gone_does_not_matter(
    network: typing.Callable[[str], list[str]],
) -> None:
    lines = "net.namespace.parent.mkdir(parents=True)\nnet.namespace.touch()\nprint(net.exists())\n"
    assert network(f"{lines}{PLUG}print(reaches(0, network.machine))") == ["False", "True"]


def test_subnet_that_the_machine_reaches_elsewhere_is_refused(
    network: typing.Callable[[str], list[str]],
) -> None:
    lines = (
        "subprocess.run('ip link add x type veth && ip link set x up && "
        "ip addr add 10.77.0.129/25 dev x', shell=True, check=True)\n"
        "try: net.make()\n"
        "except model.LocalHostsError as e: print(e)\n"
        "print(net.exists())\n"
    )
    first, second = network(lines)
    assert "10.77.0.128/25" in first and "--subnet" in first and second == "False"


def test_removal_leaves_nothing_and_can_be_repeated(
    network: typing.Callable[[str], list[str]],
) -> None:
    lines = (
        "net.remove(); net.remove()\n"
        "links = subprocess.run(['ip', '-o', 'link'], capture_output=True, text=True).stdout\n"
        "mounts = pathlib.Path('/proc/self/mountinfo').read_text()\n"
        "print(net.interface in links, str(folder) in mounts)\n"
    )
    assert network(PLUG + lines) == ["False False"]
