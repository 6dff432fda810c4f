# SPDX-License-Identifier: Apache-2.0
"""The command line of cloud.sh: what to do with the cloud that a file describes."""

import argparse
import collections.abc
import dataclasses
import json
import shutil
import sys
from pathlib import Path

from deployment import catalogue, loader, local, plan, playbook, preflight, status, tables
from deployment.folder import Folder, path_of
from deployment.model import Deployment, Node
from deployment.problems import DeploymentError, hint

#: Exit statuses: a host or a playbook failed; the command line or the file is wrong.
FAILED, WRONG = 1, 2


@dataclasses.dataclass(frozen=True)
class Task:
    """What a command works on.

    :param nodes: those of --limit, else all
    :param is_local: the nodes are hosts on this machine
    :param own: the file of a call that names none, and its content, which `up` writes
    """

    cloud: Deployment
    folder: Folder
    nodes: tuple[Node, ...]
    format: str
    is_local: bool
    own: tuple[Path, bytes] | None


def main(arguments: list[str] | None = None) -> int:
    """Do it.

    :returns: exit status
    """
    options = _parser().parse_args(arguments)
    try:
        task = _task(options)
        return int(VERBS[options.verb][1](task))
    except DeploymentError as e:
        print(f"Error: {e}" if "\n" not in str(e) else e, file=sys.stderr)
        return WRONG


def _task(options: argparse.Namespace) -> Task:
    is_local, count = options.local is not None, options.local or None
    if options.file is not None and count is not None:
        raise DeploymentError("--local takes no number beside FILE, whose nodes are the hosts")
    if options.file is None and not is_local:
        raise DeploymentError("name the FILE of the cloud, or --local for hosts on this machine")
    if is_local and options.limit is not None and options.verb == "down":
        raise DeploymentError("down --local removes all hosts: leave --limit out")
    file = options.file or local.file_of(options.folder)
    content = loader.content(file) if options.file else local.content(file, count)
    cloud = loader.parse(content, catalogue.read(), str(file))
    if count is not None and count != len(cloud.nodes):
        raise DeploymentError(
            f"{file} has {len(cloud.nodes)} nodes, not {count}; change the nodes in it and run "
            "`cloud.sh up --local`, or remove the cloud with `cloud.sh down --local`"
        )
    nodes = _nodes(cloud, options.limit)
    own = None if options.file else (file, content)
    folder = Folder(options.folder or path_of(cloud.name))
    if options.verb != "plan":
        folder.make()
    return Task(cloud, folder, nodes, getattr(options, "format", "text"), is_local, own)


def _nodes(cloud: Deployment, limit: str | None) -> tuple[Node, ...]:
    known = {node.name: node for node in cloud.nodes}
    if limit is None:
        return cloud.nodes
    names = [name.strip() for name in limit.split(",")]
    for name in names:
        if name not in known:
            raise DeploymentError(f"--limit: no node {name!a} in the file; {hint(name, known)}")
    return tuple(node for node in cloud.nodes if node.name in names)


def _plan(task: Task) -> int:
    names = frozenset(node.name for node in task.nodes)
    plans = plan.build(task.cloud, task.folder, names)
    if task.format == "json":
        print(json.dumps(plan.record(task.cloud, plans), indent=1))
    else:
        print(plan.text(task.cloud, plans))
    return 0


def _check(task: Task) -> int:
    return FAILED if any(one.faults or one.outdated for one in _reports(task)) else 0


def _reports(task: Task) -> list[preflight.Report]:
    if task.cloud.install == "packages" and shutil.which("dpkg-deb") is None:
        raise DeploymentError(
            "this machine lacks dpkg-deb, which builds the package for the hosts: install dpkg"
        )
    reports = preflight.look(task.cloud, task.folder, task.nodes)
    tables.show(tables.preflight(reports))
    return reports


def _up(task: Task) -> int:
    with task.folder.lock():
        if task.is_local:
            _write_own(task)
            local.up(task.cloud, task.folder)
        reports = _reports(task)
        if any(report.faults for report in reports):
            print("Nothing was changed. Remove the faults and run it again.", file=sys.stderr)
            return FAILED
        hosts = [report.node.name for report in reports if report.facts["present"] == "yes"]
        if hosts and not task.folder.vault.exists():
            raise DeploymentError(
                f"the cloud is on {', '.join(hosts)} already, but its secrets are not in "
                f"{task.folder.path}; name its folder by --folder, or run `down` first"
            )
        code = playbook.run("deploy.yml", task.cloud, task.folder, task.nodes)
    if code:
        print("Remove the cause and run it again: it leaves alone what is done.", file=sys.stderr)
    return FAILED if code else 0


def _write_own(task: Task) -> None:
    if task.own and not task.own[0].exists():
        file, content = task.own
        file.write_bytes(content)
        print(f"{file} written")


def _status(task: Task) -> int:
    found = status.look(task.cloud, task.folder, task.nodes)
    if task.format == "json":
        print(json.dumps([dataclasses.asdict(one) for one in found], indent=1))
    else:
        tables.show(tables.status(found))
    return FAILED if any(one.failure for one in found) else 0


def _test(task: Task) -> int:
    controller = (task.cloud.controller,)
    with task.folder.lock():
        return FAILED if playbook.run("try_hosts.yml", task.cloud, task.folder, controller) else 0


def _down(task: Task) -> int:
    with task.folder.lock():
        if task.is_local:
            local.down(task.cloud, task.folder)
        elif playbook.run("remove.yml", task.cloud, task.folder, task.nodes):
            return FAILED
        if task.own:
            task.own[0].unlink(missing_ok=True)
        if task.nodes == task.cloud.nodes:
            task.folder.clear()
    return 0


VERBS: dict[str, tuple[str, collections.abc.Callable[[Task], int]]] = {
    "plan": ("show what `up` does on which host; no host is asked", _plan),
    "check": ("look whether the hosts are fit; nothing is changed", _check),
    "up": ("bring the cloud up, or to what the file and this checkout say", _up),
    "status": ("show the FPGA regions of each host, and Nova's state of it", _status),
    "test": ("boot a container with a region on each FPGA host, and delete it", _test),
    "down": ("remove the cloud from its hosts; packages and users stay", _down),
}


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!a} is not a number of hosts; name FILE first")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cloud.sh", description=__doc__, allow_abbrev=False)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, (words, _) in VERBS.items():
        verb = verbs.add_parser(name, help=words, description=words, allow_abbrev=False)
        verb.add_argument(
            "file", type=Path, nargs="?", metavar="FILE", help="the cloud, see docs/hosts.md"
        )
        verb.add_argument(
            "--local",
            type=_count,
            nargs="?",
            const=0,
            metavar="N",
            help="the nodes are hosts on this machine: those of FILE, or without FILE N hosts",
        )
        verb.add_argument(
            "--folder",
            type=Path,
            help="of the cloud on this machine (default: CLOUDS_DIR/NAME, with CLOUDS_DIR "
            "/var/lib/fpga-nova/clouds)",
        )
        if name != "test":
            verb.add_argument("--limit", metavar="NODE,...", help="these nodes only")
        else:
            verb.set_defaults(limit=None)
        if name in ("plan", "status"):
            verb.add_argument("--format", choices=("text", "json"), default="text")
    return parser
