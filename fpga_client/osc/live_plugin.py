# SPDX-License-Identifier: Apache-2.0
"""The plugin ``openstack live image …``; Nova and Glance alone are asked."""

import argparse
import typing

API_NAME = "live"
API_VERSION_OPTION = "os_live_api_version"
API_VERSIONS = ("1",)
DEFAULT_API_VERSION = "1"


def make_client(instance: typing.Any) -> typing.Any:
    """The connection that a command has.

    :param instance: the client manager of osc-lib
    """
    return instance.sdk_connection


def build_option_parser(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Leave the options of all commands as they are."""
    return parser
