# SPDX-License-Identifier: Apache-2.0
"""``openstack fpga trait …``."""

import argparse
import typing

from fpga_client.osc import base


class ListTrait(base.FpgaLister):
    """List the traits of accelerators that a flavor may require"""

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[typing.Any, typing.Any]:
        """Ask for the traits."""
        report = self.service.traits()
        self.warn(report)
        return base.rows(report, (("Name", "name"),))
