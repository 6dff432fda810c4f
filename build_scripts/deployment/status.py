# SPDX-License-Identifier: Apache-2.0
"""Asks each host for its FPGA regions, and the controller for Nova's view of the hosts."""

import collections.abc
import concurrent.futures
import dataclasses
import json
import typing

from deployment import ssh
from deployment.folder import Folder
from deployment.model import Deployment, Node

#: $1 is the cloud's folder; ssh.AS_ROOT comes first.
REGIONS = 'as_root "$1/bin/fpga-cli.py" status --format json'
SERVICES = """
as_root sh -c '. "$1/openrc" && exec openstack compute service list -f json' sh "$1"
"""


@dataclasses.dataclass(frozen=True)
class HostStatus:
    """One node. What is None is not known; a node without FPGA cards has no regions.

    :param bitstreams: functions of the regions that are programmed
    :param error: why the region that came into quarantine last is there
    :param nova: state and status of the compute service, such as `up, enabled`
    :param failure: why the host did not answer
    """

    name: str
    regions: int | None = None
    used: int | None = None
    quarantined: int | None = None
    bitstreams: tuple[str, ...] = ()
    error: str | None = None
    nova: str | None = None
    failure: str | None = None


def look(
    cloud: Deployment, folder: Folder, nodes: collections.abc.Sequence[Node]
) -> list[HostStatus]:
    """The status of these nodes, in their order; all are asked at the same time."""
    with concurrent.futures.ThreadPoolExecutor(max_workers=16) as pool:
        answer = pool.submit(_services, cloud, folder)
        found = list(pool.map(lambda node: _regions(cloud, folder, node), nodes))
        services = answer.result()
    return [
        dataclasses.replace(status, nova=_nova(node, services))
        for node, status in zip(nodes, found, strict=True)
    ]


def _services(cloud: Deployment, folder: Folder) -> dict[str, str] | None:
    done = ssh.run(cloud, cloud.controller, folder, ssh.AS_ROOT + SERVICES, cloud.folder)
    return None if done.returncode else services(done.stdout)


def services(text: str) -> dict[str, str] | None:
    """State and status of each compute service, from the client's list; None if it is not one."""
    try:
        return {
            row["Host"]: f"{row['State']}, {row['Status']}"
            for row in json.loads(text)
            if row["Binary"] == "nova-compute"
        }
    except (ValueError, KeyError, TypeError):
        return None


def _nova(node: Node, known: dict[str, str] | None) -> str | None:
    if "compute" not in node.roles:
        return "no compute host"
    return None if known is None else known.get(node.name, "not registered")


def _regions(cloud: Deployment, folder: Folder, node: Node) -> HostStatus:
    if node.fpga is None:
        done = ssh.run(cloud, node, folder, "exit 0")
        return (
            HostStatus(node.name, 0, 0, 0) if done.returncode == 0 else _failed(node, done.stderr)
        )
    done = ssh.run(cloud, node, folder, ssh.AS_ROOT + REGIONS, cloud.folder)
    return _failed(node, done.stderr) if done.returncode else regions(node, done.stdout)


def _failed(node: Node, text: str) -> HostStatus:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return HostStatus(node.name, failure=lines[-1] if lines else "no answer")


def regions(node: Node, text: str) -> HostStatus:
    """What fpga-cli's status says of a node."""
    try:
        report = json.loads(text)
        listed: list[dict[str, typing.Any]] = report["regions"]
        total, used, quarantined = report["total"], report["used"], report["quarantined"]
        sick = [one for one in listed if one["quarantine"]]
        newest = max(sick, key=lambda one: one["since"] or "", default=None)
        functions = tuple(sorted(str(one["function"]) for one in listed if one["function"]))
    except (ValueError, KeyError, TypeError):
        return HostStatus(node.name, failure="fpga-cli answered no status")
    error = None if newest is None else str(newest["reason"] or newest["quarantine"])
    return HostStatus(node.name, total, used, quarantined, functions, error)
