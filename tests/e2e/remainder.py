# SPDX-License-Identifier: Apache-2.0
"""All that a cloud's Neutron and a compute host have for the ports of servers."""

import contextlib
import pathlib
import re
import subprocess

from cloud import Cloud

from tests.support.host import wait_until

_DEVICES = ("tap", "qbr", "qvb", "qvo")
#: Names of namespaces that Neutron's agents make.
_NAMESPACES = ("ovnmeta-", "qdhcp-")
_UUID_LENGTH = 36
_MOUNTS = pathlib.Path("/proc/self/mountinfo")
#: What of a flow differs though it does the same: OVN's number of the row that it comes from.
_COOKIE = re.compile(r"cookie=0x[0-9a-f]+,? ?")

Remainder = dict[str, set[str]]


def of(cloud: Cloud) -> Remainder:
    """What is there now, by its kind."""
    run = cloud.folder / "run"
    switch = f"--db=unix:{run}/openvswitch/db.sock"
    bridge = f"unix:{run}/openvswitch/br-int.mgmt"
    flows = _lines("ovs-ofctl", "dump-flows", "--no-stats", bridge)
    return {
        "ports": {port.id for port in cloud.api.network.ports()},
        "devices": {name for name in _names("/sys/class/net") if name.startswith(_DEVICES)},
        "namespaces of containers": _mounts(run / "docker" / "netns"),
        "namespaces": {n for n in _names("/run/netns") if n.startswith(_NAMESPACES)},
        "chains": {line for line in _lines("nft", "list", "tables") if "fpga-nova" in line},
        "ports of the switch": set(
            _lines("ovs-vsctl", switch, "--columns=name", "list", "Interface")
        ),
        "flows": {_COOKIE.sub("", line).strip() for line in flows if "actions=" in line},
        "containers": cloud.containers(),
        "records": {n for n in _names(_instances(cloud)) if len(n) == _UUID_LENGTH},
    }


def check(cloud: Cloud, before: Remainder, seconds: float = 60) -> None:
    """See that soon nothing is there that was not before.

    :param before: what was there, of the kinds that count
    """
    with contextlib.suppress(AssertionError):
        wait_until(lambda: not _beyond(before, cloud), seconds)
    more = _beyond(before, cloud)
    assert not more, more


def _beyond(before: Remainder, cloud: Cloud) -> Remainder:
    now = of(cloud)
    return {kind: more for kind, names in before.items() if (more := now[kind] - names)}


def _instances(cloud: Cloud) -> pathlib.Path:
    (folder,) = (cloud.folder / "state").glob("*/nova-compute/instances")
    return folder


def _names(folder: str | pathlib.Path) -> set[str]:
    found = pathlib.Path(folder)
    return {path.name for path in found.iterdir()} if found.exists() else set()


def _mounts(folder: pathlib.Path) -> set[str]:
    """The mounts in a folder; the engine removes the files of former ones once a minute."""
    points = [line.split()[4] for line in _MOUNTS.read_text().splitlines()]
    return {point for point in points if point.startswith(f"{folder}/")}


def _lines(*command: str) -> list[str]:
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.splitlines()
