# SPDX-License-Identifier: Apache-2.0
"""``openstack fpga opencl node|device …``."""

import argparse
import typing

from osc_lib.cli.format_columns import ListColumn

from fpga_client.osc import base

_LIST_NODES = (
    ("ID", "id"),
    ("Name", "name"),
    ("State", "state"),
    ("Address", "address"),
    ("Seen", "seen_at"),
)
_SHOW_NODE = (
    *_LIST_NODES,
    ("Devices", "devices"),
    ("Reserved For", "reserved_for"),
    ("Boot", "boot"),
    ("Certificate", "certificate"),
    ("Created", "created_at"),
    ("Updated", "updated_at"),
)
_LIST_DEVICES = (
    ("ID", "id"),
    ("Name", "name"),
    ("Type", "type"),
    ("Node", "node"),
    ("State", "state"),
    ("Sessions", "sessions"),
    ("Used", "used"),
)
_SHOW_DEVICE = (
    *_LIST_DEVICES,
    ("Number", "number"),
    ("Vendor", "vendor"),
    ("Version", "version"),
    ("Driver Version", "driver_version"),
    ("Compute Units", "compute_units"),
    ("Global Memory", "global_memory"),
    ("Memory", "memory"),
    ("Used Memory", "used_memory"),
    ("Node ID", "node_id"),
)
TYPES = ("cpu", "gpu", "accelerator", "other")


class ListNode(base.FpgaLister):
    """List the nodes of OpenCL (operators)"""

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[typing.Any, typing.Any]:
        """Ask for the nodes."""
        return base.rows(self.service.opencl_nodes(), _LIST_NODES)


class ShowNode(base.FpgaShow):
    """Show a node of OpenCL (operators)"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The node."""
        parser = super().get_parser(prog_name)
        parser.add_argument("node", metavar="<node>", help="Node (ID)")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[typing.Any, typing.Any]:
        """Ask for it."""
        node = self.service.get_opencl_node(parsed_args.node)
        return base.fields(node, _SHOW_NODE, {"devices": ListColumn})


class ListDevice(base.FpgaLister):
    """List the devices of OpenCL that your project may use"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The filters."""
        parser = super().get_parser(prog_name)
        parser.add_argument("--node", metavar="<name>", help="Filter by the node (name)")
        parser.add_argument("--type", choices=TYPES, help="Filter by the type")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[typing.Any, typing.Any]:
        """Ask for the devices."""
        report = self.service.opencl_devices(node=parsed_args.node, type=parsed_args.type)
        return base.rows(report, _LIST_DEVICES)


class ShowDevice(base.FpgaShow):
    """Show a device of OpenCL"""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """The device."""
        parser = super().get_parser(prog_name)
        parser.add_argument("device", metavar="<device>", help="Device (ID)")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[typing.Any, typing.Any]:
        """Ask for it."""
        return base.fields(self.service.get_opencl_device(parsed_args.device), _SHOW_DEVICE)
