# SPDX-License-Identifier: Apache-2.0
"""The bases of the commands: failures explained, and what a report says beside its rows."""

import argparse
import typing

from keystoneauth1 import exceptions as keystone
from openstack import exceptions
from osc_lib import exceptions as osc
from osc_lib.command import command

from fpga_client.osc import explanations
from fpga_client.proxy import Proxy
from fpga_client.report import Report

#: Titles of columns, and the attributes of a resource that fill them.
Columns = typing.Sequence[tuple[str, str]]

#: How tables show an attribute that is a list or a mapping; JSON has it as it is.
Formats = typing.Mapping[str, typing.Callable[[typing.Any], typing.Any]]


class FpgaCommand(command.Command):  # type: ignore[misc]
    """A command that calls the service.

    A failure of the service or of the way to it is a ``CommandError`` that says what to do.
    """

    @property
    def service(self) -> Proxy:
        """The proxy of the service."""
        proxy: Proxy = self.app.client_manager.fpga
        return proxy

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The options of the command."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        return parser

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Run the command.

        :raises osc_lib.exceptions.CommandError: the service refused or did not answer
        """
        try:
            return int(super().run(parsed_args) or 0)
        except (exceptions.SDKException, keystone.ClientException) as e:
            raise osc.CommandError(explanations.explain(e)) from e

    def each(
        self, names: typing.Sequence[str], act: typing.Callable[[str], object], what: str, done: str
    ) -> None:
        """Act on each, also where the service refused another one.

        :param what: they are, in the plural
        :param done: what was not done with those that are refused
        :raises osc_lib.exceptions.CommandError: one was refused; the log has the reasons
        """
        failures = 0
        for one in names:
            try:
                act(one)
            except exceptions.SDKException as e:
                self.log.error("%s was not %s: %s", one, done, explanations.explain(e))
                failures += 1
        if failures:
            raise osc.CommandError(f"{failures} of {len(names)} {what} were not {done}.")

    def warn(self, report: Report[typing.Any]) -> None:
        """Warn of rows that are missing, or that may be wrong by now."""
        for text in explanations.warnings(report):
            self.log.warning(text)


class FpgaLister(FpgaCommand, command.Lister):  # type: ignore[misc]
    """A command that prints a table."""


class FpgaShow(FpgaCommand, command.ShowOne):  # type: ignore[misc]
    """A command that prints one resource."""


def rows(
    items: typing.Iterable[typing.Any], columns: Columns, formats: Formats | None = None
) -> tuple[typing.Any, typing.Any]:
    """What a Lister prints of resources."""
    values = (_values(item, columns, formats or {}) for item in items)
    return tuple(title for title, _ in columns), values


def fields(
    item: typing.Any, columns: Columns, formats: Formats | None = None
) -> tuple[typing.Any, typing.Any]:
    """What a ShowOne prints of a resource."""
    return tuple(title for title, _ in columns), _values(item, columns, formats or {})


def _values(item: typing.Any, columns: Columns, formats: Formats) -> tuple[typing.Any, ...]:
    found = [(getattr(item, name), formats.get(name)) for _, name in columns]
    return tuple(value if form is None or value is None else form(value) for value, form in found)
