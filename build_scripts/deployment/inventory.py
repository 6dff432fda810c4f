# SPDX-License-Identifier: Apache-2.0
"""Makes the inventory for Ansible of a cloud."""

import json
import shlex
import typing

from deployment import ssh
from deployment.folder import Folder
from deployment.model import Deployment, Fpga, Node

#: The groups that the roles know.
GROUPS = ("controller", "database", "messaging", "compute")

#: Names that a host cannot have in the inventory, because groups have them.
_TAKEN = (*GROUPS, "all", "ungrouped")


def host_of(cloud: Deployment, node: Node) -> str:
    """The node's name in the inventory: its own, unless a group has that."""
    return f"{node.name}.{cloud.name}" if node.name in _TAKEN else node.name


def variables(cloud: Deployment, node: Node, folder: Folder) -> dict[str, typing.Any]:
    """What Ansible has to know of a node; group_vars/all.yml explains the names.

    All are variables of the host, because group_vars/all.yml overrides those of groups here.
    """
    found: dict[str, typing.Any] = {
        "ansible_host": str(node.address),
        "ansible_user": cloud.base_user,
        "ansible_become": cloud.base_user != "root",
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_ssh_common_args": shlex.join(ssh.options(folder)),
        "ansible_ssh_retries": 2,
        "internal_address": str(node.address),
        "nova_host": node.name,
        "service_manager": "systemd",
        "demo_dir": cloud.folder,
        "database_kind": cloud.database,
        "cloud_install": cloud.install,
        "port_base": cloud.port_base,
        "region_name": cloud.region,
        "uv": f"{cloud.folder}/bin/uv",
        "source_dir": f"{cloud.folder}/source",
        "wheel_dir": str(folder.wheels),
        "deb_dir": str(folder.packages),
        "cloud_content": "content" in node.modules,
        "cloud_networks": cloud.networks,
        "live_images": cloud.live_images,
        "network_gateway": cloud.networks and node in cloud.gateways,
        "external_interface": node.external or "",
        "fpga_drivers": list(node.fpga.drivers) if node.fpga else [],
        "opencl_node": node.opencl is not None,
        "opencl_agent": False,
    }
    if node.tunnel:
        found |= {
            "tunnel_interface": node.tunnel.interface,
            "tunnel_address": str(node.tunnel.address),
        }
    if node.opencl:
        found |= {"opencl_sessions": node.opencl.sessions, "opencl_memory": node.opencl.memory}
    if node.fpga:
        found |= {"fpga_regions": node.fpga.regions, "fpga_options": node.fpga.options}
        found |= _opencl(cloud, node.fpga)
    return found


def _opencl(cloud: Deployment, fpga: Fpga) -> dict[str, typing.Any]:
    """What a host has to know whose regions are of OpenCL."""
    if "opencl" not in fpga.drivers:
        return {}
    is_afar = "agent" in fpga.options.get("opencl", {})
    return {"opencl_folder": f"{cloud.folder}/opencl", "opencl_agent": is_afar}


def build(cloud: Deployment, folder: Folder) -> dict[str, typing.Any]:
    """The inventory, as its YAML has it."""
    hosts = {host_of(cloud, node): variables(cloud, node, folder) for node in cloud.nodes}
    groups: dict[str, typing.Any] = {
        group: {"hosts": {host_of(cloud, node): {} for node in cloud.nodes if group in node.groups}}
        for group in GROUPS
    }
    return {"all": {"hosts": hosts, "children": groups}}


def write(cloud: Deployment, folder: Folder) -> None:
    """Put the inventory into the cloud's folder. JSON is YAML, too."""
    folder.inventory.write_text(json.dumps(build(cloud, folder), indent=1) + "\n")
