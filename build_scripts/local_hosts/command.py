# SPDX-License-Identifier: Apache-2.0
"""Hosts of a cloud on this machine: containers with systemd, sshd and a network of their own.

Exit status: 0 done; 1 not done, with the reason; 2 a wrong call. ``exec`` exits as its command.
"""

import argparse
import collections.abc
import json
import os
import pathlib
import re
import subprocess
import sys

import pyroute2

from local_hosts import model, report, texts
from local_hosts.model import Common, LocalHostsError
from local_hosts.operations import LocalHosts

Action = collections.abc.Callable[[LocalHosts, argparse.Namespace], int]

_USER = re.compile(r"[a-z_][a-z0-9_-]{0,30}")
_FOLDER, _ROOTS = "/var/lib/fpga-nova/hosts", "/var/lib/fpga-nova/roots"


def parser() -> argparse.ArgumentParser:
    """The command line."""
    main = argparse.ArgumentParser(prog="hosts.py", description=(__doc__ or "").splitlines()[0])
    main.add_argument(
        "--folder",
        type=pathlib.Path,
        default=pathlib.Path(os.environ.get("HOSTS_DIR") or _FOLDER),
        help="of the hosts (default: HOSTS_DIR, or %(default)s)",
    )
    main.add_argument(
        "--roots",
        type=pathlib.Path,
        default=pathlib.Path(os.environ.get("ROOTS_DIR") or _ROOTS),
        help="cache of Debian roots (default: ROOTS_DIR, or %(default)s)",
    )
    verbs = main.add_subparsers(dest="verb", required=True, metavar="VERB")
    _add_up(verbs.add_parser("up", help="have hosts run, those of earlier calls too"))
    verbs.add_parser("down", help="remove the hosts, their network and their engine")
    status = verbs.add_parser("status", help="what each host does", aliases=["list"])
    status.add_argument("--format", choices=("table", "json"), default="table")
    verbs.add_parser("inventory", help="how Ansible reaches the hosts, as JSON")
    for verb, text in (
        ("cut", "take a host's cable out"),
        ("join", "put it in again"),
        ("kill", "end a host as a loss of power does"),
        ("stop", "let a host shut down"),
        ("start", "start a host that was killed or stopped"),
        ("reboot", "shut a host down, and start it"),
    ):
        verbs.add_parser(verb, help=text).add_argument("name", metavar="HOST")
    rename = verbs.add_parser("rename", help="give a host a new name")
    rename.add_argument("name", metavar="HOST")
    rename.add_argument("new", metavar="NEW_NAME")
    execute = verbs.add_parser("exec", help="run a command in a host, without the network")
    execute.add_argument("name", metavar="HOST")
    execute.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND")
    return main


def _add_up(up: argparse.ArgumentParser) -> None:
    up.add_argument("count", type=int, nargs="?", help="a controller and compute hosts")
    up.add_argument(
        "--host",
        action="append",
        default=[],
        metavar="NAME[=ADDRESS]",
        help="a host of another name or address, in place of a number; can be repeated",
    )
    up.add_argument("--suite", choices=model.SUITES, default=model.SUITES[0])
    up.add_argument("--subnet", help=f"of all hosts (default: {model.SUBNET})")
    up.add_argument("--user", help="of SSH, on all hosts (default: root)")
    up.add_argument(
        "--share",
        action="append",
        metavar="FOLDER[:PATH[:HOST]]",
        help="a folder of this machine, which each host reads at the path (default: the same), and "
        "one host may write; can be repeated",
    )


def requests(options: argparse.Namespace) -> list[model.Request]:
    """The hosts that a call of ``up`` asks for.

    :raises LocalHostsError: none, or by number and name
    """
    if (options.count is None) == (not options.host):
        raise LocalHostsError("up: give a number of hosts, or --host for each")
    if options.host:
        return [model.request(text) for text in options.host]
    return model.default_requests(options.count)


def _common(options: argparse.Namespace) -> Common:
    if options.user is not None and not _USER.fullmatch(options.user):
        raise LocalHostsError(f"--user {options.user!r}: it is not the name of a user")
    network = None if options.subnet is None else model.network(options.subnet)
    shares = None if options.share is None else tuple(map(model.share, options.share))
    return Common(network, options.user, shares)


def _up(hosts: LocalHosts, options: argparse.Namespace) -> int:
    hosts.up(requests(options), options.suite, _common(options))
    return 0


def _status(hosts: LocalHosts, options: argparse.Namespace) -> int:
    show = report.as_json if options.format == "json" else report.table
    print(show(hosts.status()))
    return 0


def _inventory(hosts: LocalHosts) -> None:
    print(json.dumps(texts.inventory(hosts.site, hosts.files.keys), indent=1))


def _exec(hosts: LocalHosts, options: argparse.Namespace) -> int:
    if not options.command:
        raise LocalHostsError("exec: give a command")
    status, output, errors = hosts.run(options.name, options.command)
    sys.stdout.buffer.write(output)
    sys.stderr.buffer.write(errors)
    return status


def _of_all(operation: collections.abc.Callable[[LocalHosts], None]) -> Action:
    def act(hosts: LocalHosts, _options: argparse.Namespace) -> int:
        operation(hosts)
        return 0

    return act


def _of_one(operation: collections.abc.Callable[[LocalHosts, str], None]) -> Action:
    def act(hosts: LocalHosts, options: argparse.Namespace) -> int:
        operation(hosts, options.name)
        return 0

    return act


def _rename(hosts: LocalHosts, options: argparse.Namespace) -> int:
    hosts.rename(options.name, options.new)
    return 0


ACTIONS: dict[str, Action] = {
    "up": _up,
    "down": _of_all(LocalHosts.down),
    "status": _status,
    "list": _status,
    "inventory": _of_all(_inventory),
    "cut": _of_one(LocalHosts.cut),
    "join": _of_one(LocalHosts.join),
    "kill": _of_one(LocalHosts.kill),
    "stop": _of_one(LocalHosts.stop),
    "start": _of_one(LocalHosts.start),
    "reboot": _of_one(LocalHosts.reboot),
    "rename": _rename,
    "exec": _exec,
}


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says; exit status."""
    options = parser().parse_args(arguments)
    hosts = LocalHosts(options.folder.resolve(), options.roots.resolve(), _say)
    try:
        return ACTIONS[options.verb](hosts, options)
    except (LocalHostsError, OSError, pyroute2.NetlinkError) as e:
        print(f"Error: {e}", file=sys.stderr)
    except subprocess.CalledProcessError as e:
        output = e.stdout.splitlines()[-20:] if isinstance(e.stdout, str) else []
        print(*output, f"Error: exit status {e.returncode}: {e.cmd}", sep="\n", file=sys.stderr)
    return 1


def _say(line: str) -> None:
    print(line, flush=True)
