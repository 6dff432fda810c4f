# SPDX-License-Identifier: Apache-2.0
"""fpga-api: serves the API in one process, or runs the engine.

A WSGI server of the operator's choice serves `fpga_api.wsgi` instead.
"""

import argparse
import sys
import typing

from keystoneauth1 import exceptions
from keystonemiddleware import exceptions as middleware
from openstack import exceptions as openstack_exceptions
from oslo_config import cfg
from oslo_log import log as logging

from fpga_api import app, options
from fpga_api.claims import limits
from fpga_api.command import common, engine, server, standalone

PROG = "fpga-api"

_UNUSABLE = (
    cfg.Error,
    exceptions.MissingRequiredOptions,
    exceptions.NoMatchingPlugin,
    middleware.ConfigurationError,
    openstack_exceptions.ConfigException,
    RuntimeError,
    ValueError,
)


def main(argv: typing.Sequence[str] | None = None) -> int:
    """Run the command.

    :returns: 0 it was stopped; 1 it cannot listen; 2 the configuration cannot be used
    """
    arguments = _parser().parse_args(argv)
    try:
        conf = options.load(arguments.config_file)
        logging.setup(conf, PROG)
        return int(arguments.run(conf, arguments) or 0)
    except _UNUSABLE as e:
        return common.fail(PROG, 2, str(e))
    except OSError as e:
        return common.fail(PROG, 1, str(e))


def _serve(conf: cfg.ConfigOpts, arguments: argparse.Namespace) -> None:
    if arguments.env_file is not None:
        standalone.serve(conf, arguments)
    elif arguments.memcached:
        raise ValueError("--memcached is for --env-file; else [cache] has the servers")
    else:
        limits.configure(conf)
        server.serve(app.create_app(conf), conf, arguments.bind)


def _engine(conf: cfg.ConfigOpts, _arguments: argparse.Namespace) -> None:
    engine.run(conf)


def _parser() -> argparse.ArgumentParser:
    parser = common.parser(PROG, "Serve the API of fpga-nova.")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    serve = verbs.add_parser("serve", help="answer requests")
    standalone.add_arguments(serve)
    serve.set_defaults(run=_serve)
    verbs.add_parser("engine", help="publish what requests are answered with").set_defaults(
        run=_engine
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
