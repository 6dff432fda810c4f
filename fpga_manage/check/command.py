# SPDX-License-Identifier: Apache-2.0
"""fpga-manage check: says where ledger, database and Placement do not agree, and mends a part."""

import argparse
import dataclasses
import json
import pathlib
import sys
import typing

import sqlalchemy as sa
from keystoneauth1 import exceptions as ksa_exceptions
from keystoneauth1 import loading
from oslo_config import cfg

from fpga_manage.check import repair, rules, sources
from fpga_nova import host_status
from scheduler_filters import options as scheduler_conf

#: Exit status where something does not agree.
FOUND = 3

#: The outcome of a finding that was mended.
DONE = "fixed"


class SourceError(Exception):
    """Something that the check compares cannot be read."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument(
        "--status",
        action="append",
        default=[],
        metavar="HOST=FILE",
        help="the output of 'fpga-cli.py status --format json' on a compute host; - is standard "
        "input; may be repeated",
    )
    parser.add_argument("--no-placement", action="store_true", help="skip Placement")
    parser.add_argument(
        "--fix",
        action="store_true",
        help="add the missing allocations of instances to Placement, and change nothing else",
    )
    parser.add_argument("--format", choices=("text", "json"), default="text")


def run(engine: sa.engine.Engine, arguments: argparse.Namespace) -> int:
    """Print what does not agree, and mend it where that is asked for.

    :returns: 0 nothing is left; FOUND something is
    :raises SourceError: a status or Placement cannot be read, or is to be left out and mended
    :raises sqlalchemy.exc.SQLAlchemyError: the database cannot be read
    """
    if arguments.fix and arguments.no_placement:
        raise SourceError("--fix changes Placement, and --no-placement leaves it out")
    statuses = dict(_status(argument) for argument in arguments.status)
    request_placement = _request_placement(arguments.config_file)
    placement = None if arguments.no_placement else Placement(arguments.config_file)
    find = placement.find if placement else None
    try:
        database = sources.Database(engine)
        findings = sources.findings(database, statuses, find, request_placement)
        outcomes = dict.fromkeys(findings, "")
        if arguments.fix and placement is not None:
            fixer = _Fixer(placement, database, statuses, request_placement)
            outcomes = {one: fixer.fix(one) for one in findings}
    except (ksa_exceptions.ClientException, ValueError, KeyError) as e:
        raise SourceError(f"an answer cannot be read: {e!r}") from e
    if arguments.format == "json":
        entries = [dataclasses.asdict(one) | {"fix": outcome} for one, outcome in outcomes.items()]
        print(json.dumps({"findings": entries}, indent=2))
    else:
        for one, outcome in outcomes.items():
            print(": ".join(filter(None, (one.code, one.host, one.subject, one.words, outcome))))
        print(
            f"{len(findings)} found on {len(database.nodes)} hosts, {len(statuses)} with a status"
        )
    return FOUND if any(outcome != DONE for outcome in outcomes.values()) else 0


@dataclasses.dataclass(frozen=True)
class _Fixer:
    """Mends what is found."""

    placement: "Placement"
    database: sources.Database
    statuses: typing.Mapping[str, host_status.Status]
    request_placement: bool

    def fix(self, finding: rules.Finding) -> str:
        """DONE; else why not, empty where this finding is not for --fix."""
        if finding.code != rules.ALLOCATION_MISSING:
            return ""
        allocator = repair.Repair(
            self.placement,
            self.database.look,
            next(node for node in self.database.nodes if node.host == finding.host),
            self.statuses.get(finding.host),
            self.request_placement,
        )
        try:
            allocator.allocate(finding.subject)
        except (repair.NotRepairedError, SourceError) as e:
            return f"not fixed: {e}"
        except ksa_exceptions.ClientException as e:
            return f"not fixed: Placement cannot be asked: {e}"
        return DONE


def _status(argument: str) -> tuple[str, host_status.Status]:
    host, _, name = argument.partition("=")
    if not host or not name:
        raise SourceError(f"--status {argument} is not HOST=FILE")
    try:
        text = sys.stdin.read() if name == "-" else pathlib.Path(name).read_text()
        return host, host_status.read(json.loads(text))
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise SourceError(f"the status of {host} cannot be read: {e!r}") from e


def _request_placement(files: list[str] | None) -> bool:
    """Whether the scheduler of this configuration asks for regions that flavors do not name."""
    conf = cfg.ConfigOpts()
    scheduler_conf.register_opts(conf)
    conf(args=[], project="nova", prog="nova-manage", default_config_files=files)
    return bool(conf.fpga.request_placement)


class Placement:
    """Asks Placement as Nova does: by the group [placement] of its configuration.

    :raises SourceError: it cannot be asked so, or answers something else
    """

    def __init__(self, files: list[str] | None) -> None:
        conf = cfg.ConfigOpts()
        for register in (
            loading.register_session_conf_options,
            loading.register_auth_conf_options,
            loading.register_adapter_conf_options,
        ):
            register(conf, "placement")
        conf(args=[], project="nova", prog="nova-manage", default_config_files=files)
        conf.set_default("service_type", "placement", group="placement")
        try:
            auth = loading.load_auth_from_conf_options(conf, "placement")
            session = loading.load_session_from_conf_options(conf, "placement", auth=auth)
            adapter = loading.load_adapter_from_conf_options(conf, "placement", session=session)
        except (ksa_exceptions.ClientException, ksa_exceptions.MissingRequiredOptions) as e:
            raise SourceError(f"[placement] of Nova's configuration cannot be used: {e}") from e
        self._adapter = adapter

    def find(self, path: str) -> dict[str, typing.Any] | None:
        """The body of a GET; None where there is nothing."""
        return self._get(path, sources.MICROVERSION)

    def get(self, path: str) -> dict[str, typing.Any]:
        """The body of a GET of what must be there."""
        body = self._get(path, repair.MICROVERSION)
        if body is None:
            raise SourceError(f"Placement has no {path}")
        return body

    def put(self, path: str, body: dict[str, typing.Any]) -> str | None:
        """None where a PUT is done, else why Placement refused."""
        version = repair.MICROVERSION
        answer = self._adapter.put(path, json=body, microversion=version, raise_exc=False)
        if answer.status_code == 204:
            return None
        errors = answer.json().get("errors") or [{}]
        return " ".join(str(errors[0].get("detail", answer.status_code)).split())

    def _get(self, path: str, version: str) -> dict[str, typing.Any] | None:
        answer = self._adapter.get(path, microversion=version, raise_exc=False)
        if answer.status_code == 404:
            return None
        if answer.status_code != 200:
            raise SourceError(f"Placement answered GET {path} with {answer.status_code}")
        return typing.cast(dict[str, typing.Any], answer.json())
