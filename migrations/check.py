# SPDX-License-Identifier: Apache-2.0
"""fpga-manage check: says where ledger, database and Placement do not agree."""

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

from fpga_hooks import consistency_sources

#: Exit status where something does not agree.
FOUND = 3


class SourceError(Exception):
    """Something that the check compares cannot be read."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument(
        "--status",
        action="append",
        default=[],
        metavar="HOST=FILE",
        help="what 'fpga-cli.py status --format json' printed on a compute host; - is standard "
        "input; may be repeated",
    )
    parser.add_argument("--no-placement", action="store_true", help="leave Placement out")
    parser.add_argument("--format", choices=("text", "json"), default="text")


def run(engine: sa.engine.Engine, arguments: argparse.Namespace) -> int:
    """Print what does not agree.

    :returns: 0 nothing; FOUND something
    :raises SourceError: a status or Placement cannot be read
    :raises sqlalchemy.exc.SQLAlchemyError: the database cannot be read
    """
    statuses = dict(_status(given) for given in arguments.status)
    placement = None if arguments.no_placement else _placement(arguments.config_file)
    try:
        database = consistency_sources.Database(engine)
        found = consistency_sources.findings(database, statuses, placement)
    except (ksa_exceptions.ClientException, ValueError, KeyError) as e:
        raise SourceError(f"an answer cannot be read: {e!r}") from e
    if arguments.format == "json":
        print(json.dumps({"findings": [dataclasses.asdict(one) for one in found]}, indent=2))
    else:
        for one in found:
            print(f"{one.code}: {one.host}: {one.subject}: {one.words}")
        print(f"{len(found)} found on {len(database.nodes)} hosts, {len(statuses)} with a status")
    return FOUND if found else 0


def _status(given: str) -> tuple[str, list[dict[str, typing.Any]]]:
    host, _, name = given.partition("=")
    if not host or not name:
        raise SourceError(f"--status {given} is not HOST=FILE")
    try:
        text = sys.stdin.read() if name == "-" else pathlib.Path(name).read_text()
        regions = json.loads(text)["regions"]
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise SourceError(f"the status of {host} cannot be read: {e!r}") from e
    return host, list(regions)


def _placement(files: list[str] | None) -> consistency_sources.Get:
    """Asks Placement as Nova does: by the group [placement] of its configuration."""
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

    def get(path: str) -> dict[str, typing.Any] | None:
        answer = adapter.get(path, microversion=consistency_sources.MICROVERSION, raise_exc=False)
        if answer.status_code == 404:
            return None
        if answer.status_code != 200:
            raise SourceError(f"Placement answered GET {path} with {answer.status_code}")
        return typing.cast(dict[str, typing.Any], answer.json())

    return get
