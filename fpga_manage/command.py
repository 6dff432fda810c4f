# SPDX-License-Identifier: Apache-2.0
"""fpga-manage: the operator's command for the columns in a cell's database, and their check.

The database is the one that Nova's configuration names, or ``--connection``. A cloud of several
cells runs it once per cell.
"""

import argparse
import json
import sys
import typing

import sqlalchemy as sa
from oslo_config import cfg
from oslo_db import exception, options
from oslo_db.sqlalchemy import engines
from sqlalchemy import exc

from fpga_manage import database, schema
from fpga_manage.check import command
from fpga_nova.version import ShowVersion


class UsageError(Exception):
    """The command line or the configuration does not say which database."""


def main(argv: typing.Sequence[str] | None = None) -> int:
    """Run the command.

    :returns: 0 done; 1 something could not be read or changed; 2 it is not known which database;
        3 the check found something
    """
    arguments = _parser().parse_args(argv)
    try:
        engine = _engine(arguments)
        return int(arguments.run(engine, arguments) or 0)
    except (UsageError, cfg.Error) as e:
        return _fail(2, str(e))
    except (schema.SchemaError, command.SourceError) as e:
        return _fail(1, str(e))
    except (exception.DBError, exc.SQLAlchemyError) as e:
        return _fail(1, f"the database refused: {str(e).splitlines()[0]}")


def _upgrade(engine: sa.engine.Engine, arguments: argparse.Namespace) -> None:
    database.upgrade(engine)
    _print_version(engine, arguments)


def _downgrade(engine: sa.engine.Engine, arguments: argparse.Namespace) -> None:
    database.downgrade(engine)
    _print_version(engine, arguments)


def _print_version(engine: sa.engine.Engine, arguments: argparse.Namespace) -> None:
    version, newest = database.current(engine), database.head()
    if arguments.format == "json":
        print(json.dumps({"version": version, "head": newest, "current": version == newest}))
        return
    note = "up to date" if version == newest else f"newest is {newest}"
    print(f"{version or 'none'} ({note})")


def _engine(arguments: argparse.Namespace) -> sa.engine.Engine:
    url = arguments.connection or _configured(arguments.config_file)
    try:
        # Nova's own mode, which oslo.db warns of otherwise.
        engine = engines.create_engine(url, max_retries=0, mysql_sql_mode="TRADITIONAL")
    except (exc.ArgumentError, ModuleNotFoundError) as e:
        raise UsageError(f"the database's URL cannot be used: {e}") from e
    return typing.cast(sa.engine.Engine, engine)


def _configured(files: list[str] | None) -> str:
    """The URL in ``[database] connection``, found as nova-manage finds it."""
    conf = cfg.ConfigOpts()
    conf.register_opts(options.database_opts, group="database")
    conf(args=[], project="nova", prog="nova-manage", default_config_files=files)
    if not conf.database.connection:
        names = ", ".join(conf.config_file or []) or "no file"
        raise UsageError(
            f"no [database] connection in Nova's configuration (read: {names}); "
            "name a file by --config-file, or the database by --connection"
        )
    return typing.cast(str, conf.database.connection)


def _fail(code: int, why: str) -> int:
    print(f"Error: fpga-manage - {why}", file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fpga-manage", description="Manage what fpga-nova adds to a Nova cell database."
    )
    parser.add_argument("--version", action=ShowVersion)
    files: dict[str, typing.Any] = {
        "action": "append",
        "metavar": "FILE",
        "help": "Nova's configuration (default: as nova-manage, /etc/nova/nova.conf)",
    }
    parser.add_argument("--config-file", default=None, **files)
    groups = parser.add_subparsers(required=True, metavar="GROUP")
    columns = groups.add_parser("db", help="the columns in the cell's database")
    common = argparse.ArgumentParser(add_help=False)
    # If both the group and the verb have it, the verb's wins.
    common.add_argument("--config-file", default=argparse.SUPPRESS, **files)
    common.add_argument("--connection", metavar="URL", help="the database, as SQLAlchemy names it")
    check = groups.add_parser(
        "check",
        parents=[common],
        help="compare ledger, database and Placement",
        description="Compare ledger, database and Placement. If they differ, list the findings and "
        "exit with 3.",
    )
    command.add_arguments(check)
    check.set_defaults(run=command.run)
    common.add_argument(
        "--format", choices=("text", "json"), default="text", help="for people, or for programs"
    )
    # Deprecated: the name of `--format json` until 0.3.
    common.add_argument(
        "--json", action="store_const", dest="format", const="json", help=argparse.SUPPRESS
    )
    verbs = columns.add_subparsers(required=True, metavar="VERB")
    for name, run, what in (
        ("upgrade", _upgrade, "add the columns; if they are there, change nothing"),
        (
            "downgrade",
            _downgrade,
            "remove the columns and all trace; revert the patch first",
        ),
        ("version", _print_version, "print the revision of the database"),
    ):
        verbs.add_parser(name, parents=[common], help=what).set_defaults(run=run)
    return parser


if __name__ == "__main__":
    sys.exit(main())
