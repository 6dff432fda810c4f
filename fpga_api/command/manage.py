# SPDX-License-Identifier: Apache-2.0
"""fpga-api-manage: the operator's command for the database of the service."""

import argparse
import datetime
import sys
import typing

from oslo_config import cfg

from fpga_api import clock, errors, options
from fpga_api.command import common
from fpga_api.db import claims, opencl_sessions, programs, samples, schema
from fpga_api.db.connection import Database

PROG = "fpga-api-manage"


def main(argv: typing.Sequence[str] | None = None) -> int:
    """Run the command.

    :returns: 0 done; 1 the database refused or does not answer; 2 the configuration cannot be used
    """
    arguments = _parser().parse_args(argv)
    try:
        database = Database(options.load(arguments.config_file))
        arguments.run(database, arguments)
    except cfg.Error as e:
        return common.fail(PROG, 2, str(e))
    except errors.DatabaseUnavailable as e:
        cause = f": {str(e.__cause__).splitlines()[0]}" if e.__cause__ else ""
        return common.fail(PROG, 1, f"{e.detail}{cause}")
    return 0


def _sync(database: Database, arguments: argparse.Namespace) -> None:
    schema.sync(database, arguments.revision)
    _version(database, arguments)


def _downgrade(database: Database, arguments: argparse.Namespace) -> None:
    schema.downgrade(database, arguments.revision)
    _version(database, arguments)


def _version(database: Database, _arguments: argparse.Namespace) -> None:
    version, newest = schema.current(database), schema.head()
    note = "up to date" if version == newest else f"newest is {newest}"
    print(f"{version or 'none'} ({note})")


def _purge(database: Database, arguments: argparse.Namespace) -> None:
    before = clock.now() - datetime.timedelta(days=arguments.days)
    tables = {"samples": samples, "claims": claims, "programs": programs}
    for name, table in (tables | {"opencl sessions": opencl_sessions}).items():
        print(f"deleted {table.purge(database, before)} {name} from before {clock.text(before)}")


def _days(text: str) -> float:
    days = float(text)
    if not 0 <= days <= 36500:
        raise ValueError(text)
    return days


def _parser() -> argparse.ArgumentParser:
    parser = common.parser(PROG, "Manage the database of fpga-api.")
    groups = parser.add_subparsers(required=True, metavar="GROUP")
    verbs = groups.add_parser("db", help="the database").add_subparsers(
        required=True, metavar="VERB"
    )
    sync = verbs.add_parser("sync", help="bring the schema up to date")
    sync.add_argument("revision", nargs="?", default="head", help="not further than to this one")
    sync.set_defaults(run=_sync)
    downgrade = verbs.add_parser("downgrade", help="take the schema back; its rows are lost")
    downgrade.add_argument("revision", nargs="?", default="base", help="not further than to this")
    downgrade.set_defaults(run=_downgrade)
    verbs.add_parser("version", help="print the revision of the schema").set_defaults(run=_version)
    purge = verbs.add_parser("purge", help="delete old samples, and what ended")
    purge.add_argument("--days", type=_days, default=30, help="age of the oldest that stay (30)")
    purge.set_defaults(run=_purge)
    return parser


if __name__ == "__main__":
    sys.exit(main())
