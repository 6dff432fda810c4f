# SPDX-License-Identifier: Apache-2.0
"""What Nova's services do to a cell, by the objects of whichever Nova runs this; patched or not.

    at_work.py CONFIG start HOST    a compute host with servers comes into being; the rows' UUIDs
    at_work.py CONFIG report        every node and server gets values in its FPGA fields
    at_work.py CONFIG go_on         every node and server there is read, changed and saved; their
                                    FPGA fields
    at_work.py CONFIG end UUID      a server is deleted

With --by-conductor the objects ask nova-conductor, as those of nova-compute do. Prints JSON.
"""

import json
import sys
import typing

from nova import config, context, objects
from nova.conductor import api as conductor_api
from nova.conductor import rpcapi as conductor_rpcapi
from nova.objects import base
from oslo_utils import uuidutils

#: What each kind of object has in its FPGA fields.
NODE = {"fpga_regions": 4, "fpga_regions_used": 3}
SERVER = {"fpga_device": "region-1"}

_NUMBERS = ("vcpus", "memory_mb", "local_gb", "vcpus_used", "memory_mb_used", "local_gb_used")


def _set(record: typing.Any, values: typing.Mapping[str, typing.Any]) -> None:
    """Set those fields that the Nova at hand has."""
    for field, value in values.items():
        if field in record.fields:
            setattr(record, field, value)


def _node(cell: context.RequestContext, host: str, name: str) -> typing.Any:
    node = objects.ComputeNode(
        cell,
        uuid=uuidutils.generate_uuid(),
        host=host,
        hypervisor_hostname=name,
        hypervisor_type="docker",
        hypervisor_version=1,
        cpu_info="",
        cpu_allocation_ratio=1.0,
        ram_allocation_ratio=1.0,
        disk_allocation_ratio=1.0,
        **dict.fromkeys(_NUMBERS, 1),
    )
    _set(node, NODE)
    node.create()
    return node


def _server(cell: context.RequestContext, node: typing.Any) -> typing.Any:
    server = objects.Instance(
        cell,
        uuid=uuidutils.generate_uuid(),
        project_id="project",
        user_id="user",
        vm_state="active",
        host=node.host,
        availability_zone="nova",
        flavor=objects.Flavor(
            id=1,
            flavorid="fpga",
            name="fpga",
            memory_mb=64,
            vcpus=1,
            root_gb=1,
            ephemeral_gb=0,
            swap=0,
            rxtx_factor=1.0,
            vcpu_weight=0,
            is_public=True,
            disabled=False,
            extra_specs={"hw:fpga_ip_id": "image"},
        ),
    )
    _set(server, {"node": node.hypervisor_hostname, "compute_id": node.id})
    _set(server, SERVER)
    server.create()
    return server


def start(cell: context.RequestContext, host: str) -> dict[str, str]:
    """Make a host of one node and two servers, one deleted, and two deleted nodes."""
    about = {"binary": "nova-compute", "topic": "compute", "report_count": 0, "disabled": False}
    objects.Service(cell, host=host, **about).create()
    nodes = {name: _node(cell, host, f"{host}-{name}") for name in ("node", "gone", "long_gone")}
    servers = {name: _server(cell, nodes["node"]) for name in ("server", "gone_server")}
    servers["gone_server"].destroy()
    nodes["gone"].destroy()
    nodes["long_gone"].destroy()
    return {name: record.uuid for name, record in (nodes | servers).items()}


def report(cell: context.RequestContext) -> None:
    """Set the FPGA fields of whatever is not deleted, as the hooks do."""
    for node in objects.ComputeNodeList.get_all(cell):
        _set(node, NODE)
        node.save()
    for server in objects.InstanceList.get_by_filters(cell, {"deleted": False}):
        _set(server, SERVER)
        server.save()


def go_on(cell: context.RequestContext) -> dict[str, dict[str, typing.Any]]:
    """Read, change and save whatever is not deleted."""
    nodes = objects.ComputeNodeList.get_all(cell)
    for node in nodes:
        node.vcpus_used += 1
        node.save()
    servers = objects.InstanceList.get_by_filters(cell, {"deleted": False})
    for server in servers:
        server.display_description = f"{server.display_description or ''}."
        server.save()
    return {record.uuid: _ours(record) for record in (*nodes, *servers)}


def end(cell: context.RequestContext, uuid: str) -> None:
    """Delete a server."""
    objects.Instance.get_by_uuid(cell, uuid).destroy()


def _ours(record: typing.Any) -> dict[str, typing.Any]:
    known = [name for name in (*NODE, *SERVER) if name in record.fields and name in record]
    return {name: getattr(record, name) for name in known}


def main(file: str, step: str, *arguments: str) -> None:
    """Do a step in the cell that the configuration names."""
    config.parse_args(["nova", "--config-file", file])
    objects.register_all()
    admin = context.get_admin_context()
    if arguments[-1:] == ("--by-conductor",):
        arguments = arguments[:-1]
        conductor_api.API().wait_until_ready(admin)
        base.NovaObject.indirection_api = conductor_rpcapi.ConductorAPI()
    steps: dict[str, typing.Callable[..., typing.Any]]
    steps = {"start": start, "report": report, "go_on": go_on, "end": end}
    print(json.dumps(steps[step](admin, *arguments)))


if __name__ == "__main__":
    main(*sys.argv[1:])
