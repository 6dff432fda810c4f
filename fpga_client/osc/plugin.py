# SPDX-License-Identifier: Apache-2.0
"""What python-openstackclient asks of its plugins: the client of the API, and a global option."""

import argparse
import typing

from osc_lib import utils

from fpga_client.proxy import Proxy
from fpga_client.service import FpgaService

API_NAME = "fpga"
API_VERSION_OPTION = "os_fpga_api_version"
API_VERSIONS = ("1",)
DEFAULT_API_VERSION = "1"


def make_client(instance: typing.Any) -> Proxy:
    """The proxy of the connection that a command has.

    :param instance: the client manager of osc-lib
    """
    connection = instance.sdk_connection
    connection.add_service(FpgaService())
    client: Proxy = connection.fpga
    return client


def build_option_parser(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Add ``--os-fpga-api-version`` to the options of all commands."""
    parser.add_argument(
        "--os-fpga-api-version",
        metavar="<fpga-api-version>",
        default=utils.env("OS_FPGA_API_VERSION"),
        help=f"FPGA API version, default={DEFAULT_API_VERSION} (Env: OS_FPGA_API_VERSION)",
    )
    return parser
