# SPDX-License-Identifier: Apache-2.0
"""fpga-api: serves the API by waitress, in one process, or runs the engine.

waitress takes each body before a thread answers it, so that slow clients keep no thread busy. A
WSGI server of the operator's choice serves `fpga_api.wsgi` instead.
"""

import argparse
import sys
import typing

import waitress
from keystoneauth1 import exceptions
from oslo_config import cfg
from oslo_log import log as logging

from fpga_api import app, options
from fpga_api.command import common, engine

PROG = "fpga-api"

#: Bytes of a body beyond the largest package: the application answers what is a little too large.
_MARGIN = 1 << 20


def main(argv: typing.Sequence[str] | None = None) -> int:
    """Run the command.

    :returns: 0 it was stopped; 1 it cannot listen; 2 the configuration cannot be used
    """
    arguments = _parser().parse_args(argv)
    try:
        conf = options.load(arguments.config_file)
        logging.setup(conf, PROG)
        return int(arguments.run(conf) or 0)
    except (cfg.Error, exceptions.MissingRequiredOptions, RuntimeError, ValueError) as e:
        return common.fail(PROG, 2, str(e))
    except OSError as e:
        return common.fail(PROG, 1, str(e))


def _serve(conf: cfg.ConfigOpts) -> None:
    own = conf.fpga_api
    waitress.serve(
        app.create_app(conf),
        host=own.host,
        port=own.port,
        threads=own.threads,
        ident=None,
        max_request_body_size=conf.packages.max_size + _MARGIN,
        channel_timeout=own.body_timeout,
        clear_untrusted_proxy_headers=True,
    )


def _parser() -> argparse.ArgumentParser:
    parser = common.parser(PROG, "Serve the API of fpga-nova.")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    verbs.add_parser("serve", help="answer requests").set_defaults(run=_serve)
    verbs.add_parser("engine", help="publish what requests are answered with").set_defaults(
        run=engine.run
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
