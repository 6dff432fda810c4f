# SPDX-License-Identifier: Apache-2.0
"""Tells what `cloud.sh up` does on which host, from the playbook that it runs.

The playbook has few forms: a play has roles, or tasks that each include one; the conditions of both
look at the host's groups and variables only. Anything else is an error here, so that no step is
missing in a plan.
"""

import dataclasses
import typing

import jinja2
import yaml

from deployment import inventory
from deployment.catalogue import ROOT, release_of
from deployment.folder import Folder
from deployment.model import Deployment, Node
from deployment.problems import DeploymentError

PLAYBOOK = ROOT / "build_scripts/deploy.yml"

_SOURCES = {"venv": "from PyPI", "packages": "from its packages"}


@dataclasses.dataclass(frozen=True)
class Phase:
    """A play, as one host sees it.

    :param number: of the play, from 1 on
    :param steps: names of roles and tasks, in their order
    """

    number: int
    name: str
    steps: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class HostPlan:
    """All phases of one host."""

    node: Node
    phases: tuple[Phase, ...]


def build(cloud: Deployment, folder: Folder, names: frozenset[str]) -> list[HostPlan]:
    """The plans of these nodes, in the file's order.

    :raises DeploymentError: the playbook has a form that is not known here
    """
    plays = yaml.safe_load(PLAYBOOK.read_text())
    return [
        HostPlan(node, tuple(_phases(plays, cloud, node, folder)))
        for node in cloud.nodes
        if node.name in names
    ]


def _phases(
    plays: list[dict[str, typing.Any]], cloud: Deployment, node: Node, folder: Folder
) -> typing.Iterator[Phase]:
    known = inventory.variables(cloud, node, folder) | {"group_names": sorted(node.groups)}
    for number, play in enumerate(plays, 1):
        groups = play["hosts"].split(":")
        if "all" not in groups and not node.groups & set(groups):
            continue
        steps = tuple(
            name for name, conditions in _steps(play) if all(_holds(c, known) for c in conditions)
        )
        if steps:
            yield Phase(number, play["name"], steps)


def _steps(play: dict[str, typing.Any]) -> typing.Iterator[tuple[str, list[str]]]:
    unknown = play.keys() - {"name", "hosts", "vars", "any_errors_fatal", "roles", "tasks"}
    if unknown:
        raise DeploymentError(f"{PLAYBOOK.name}: {play['name']}: {', '.join(unknown)} in a play")
    for role in play.get("roles", []):
        entry = {"role": role} if isinstance(role, str) else role
        yield entry["role"], _conditions(entry)
    for task in play.get("tasks", []):
        yield task["name"], _conditions(task)


def _conditions(entry: dict[str, typing.Any]) -> list[str]:
    found = entry.get("when", [])
    return found if isinstance(found, list) else [found]


def _holds(condition: str, known: dict[str, typing.Any]) -> bool:
    try:
        expression = jinja2.Environment(
            undefined=jinja2.StrictUndefined, autoescape=True
        ).compile_expression(condition, undefined_to_none=False)
        return bool(expression(**known))
    except jinja2.TemplateError as e:
        raise DeploymentError(f"{PLAYBOOK.name}: when: {condition}: {e}") from e


def text(cloud: Deployment, plans: list[HostPlan]) -> str:
    """A plan for people."""
    lines = [
        f"Cloud {cloud.name}: OpenStack {release_of(cloud.series)} (Nova {cloud.series}) on "
        f"{cloud.distribution}, {_SOURCES[cloud.install]}, in {cloud.folder} of each node"
    ]
    for one in plans:
        parts = ", ".join(sorted(one.node.roles | one.node.modules))
        lines += ["", f"{one.node.name}  {one.node.address}  {parts}{_cards(one.node)}"]
        lines += [f"  {p.number}. {p.name}: {', '.join(p.steps)}" for p in one.phases]
    return "\n".join(lines)


def _cards(node: Node) -> str:
    if node.fpga is None:
        return ""
    regions = f", {node.fpga.regions} emulated regions" if "emulator" in node.fpga.drivers else ""
    return f"  FPGA: {', '.join(node.fpga.drivers)}{regions}"


def record(cloud: Deployment, plans: list[HostPlan]) -> dict[str, typing.Any]:
    """A plan for programs."""
    return {
        "cloud": cloud.name,
        "release": release_of(cloud.series),
        "series": cloud.series,
        "distribution": cloud.distribution,
        "install": cloud.install,
        "folder": cloud.folder,
        "nodes": [
            {
                "name": one.node.name,
                "address": str(one.node.address),
                "roles": sorted(one.node.roles),
                "modules": sorted(one.node.modules),
                "fpga": dataclasses.asdict(one.node.fpga) if one.node.fpga else None,
                "tunnel": str(one.node.tunnel.address) if one.node.tunnel else None,
                "external": one.node.external,
                "opencl": dataclasses.asdict(one.node.opencl) if one.node.opencl else None,
                "phases": [dataclasses.asdict(phase) for phase in one.phases],
            }
            for one in plans
        ],
    }
