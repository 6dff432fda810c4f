#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Gives a demo cloud what one boots: images, flavors, networks; waits for compute hosts.

    content.py FOLDER [--networks]      credentials from the environment (openrc)

FOLDER has ubuntu_lzo.tar and the bitstream packages. An image whose data is as in Glance is kept;
another one replaces it.
"""

import functools
import hashlib
import json
import sys
import time
import typing
import zipfile
from pathlib import Path

import openstack

#: Flavors, and the bitstream packages that they name. packbits is a real bitstream, which the
#: emulator simulates; lzo_compression is a function written in software.
FLAVORS = {"fpga-packbits": "packbits.zip", "fpga-lzo": "lzo_compression.zip"}

#: The networks, each with a subnet, and the routers of the names of the second and the third: one
#: for each project. The gateway of the first is the client beyond the routers
#: (roles/ovn_controller).
EXTERNAL, INTERNAL, OF_USER = "public", "demo", "users"
EXTERNAL_SUBNET = {
    "ip_version": 4,
    "cidr": "172.24.4.0/24",
    "gateway_ip": "172.24.4.1",
    "is_dhcp_enabled": False,
    "allocation_pools": [{"start": "172.24.4.10", "end": "172.24.4.250"}],
}
SUBNETS = {
    INTERNAL: {"ip_version": 4, "cidr": "10.20.0.0/24"},
    OF_USER: {"ip_version": 4, "cidr": "10.21.0.0/24"},
}

#: The project of the ordinary user (roles/keystone).
USER_PROJECT = "demo"

#: Seconds until a compute host must be known to the scheduler.
PATIENCE = 120


def main() -> int:
    """Do it, and print what was created."""
    folder, options = Path(sys.argv[1]), sys.argv[2:]
    cloud = openstack.connect(cloud="envvars")
    image(cloud.image, "ubuntu_lzo", folder / "ubuntu_lzo.tar", "docker")
    flavor(cloud.compute, "small", {})
    for name, package in FLAVORS.items():
        flavor(cloud.compute, name, {"hw:fpga_ip_id": bitstream(cloud.image, folder / package)})
    if "--networks" in options:
        project = functools.partial(cloud.identity.find_project, ignore_missing=False)
        _external(cloud.network, project("service").id)
        _internal(cloud.network, INTERNAL, cloud.current_project_id)
        _internal(cloud.network, OF_USER, project(USER_PROJECT).id)
    return _wait_for_hosts(cloud)


def _external(networks: typing.Any, owner: str) -> None:
    """The external network, which is of no project that has servers."""
    if not networks.find_network(EXTERNAL):
        outside = networks.create_network(
            name=EXTERNAL,
            project_id=owner,
            is_router_external=True,
            provider_network_type="flat",
            provider_physical_network=EXTERNAL,
        )
        networks.create_subnet(
            name=EXTERNAL, network_id=outside.id, project_id=owner, **EXTERNAL_SUBNET
        )
        print(f"created network {EXTERNAL}")


def _internal(networks: typing.Any, name: str, project: str) -> None:
    """The one network of a project, behind a router: a server gets it that asks for none."""
    if networks.find_network(name):
        return
    of_project = {"name": name, "project_id": project}
    inside = networks.create_network(**of_project)
    subnet = networks.create_subnet(network_id=inside.id, **of_project, **SUBNETS[name])
    router = networks.find_router(name) or networks.create_router(
        external_gateway_info={"network_id": networks.find_network(EXTERNAL).id}, **of_project
    )
    networks.add_interface_to_router(router, subnet_id=subnet.id)
    print(f"created network {name}")


def bitstream(images: typing.Any, package: Path) -> str:
    """The id of the image of a package."""
    with zipfile.ZipFile(package) as archive:
        manifest = archive.read("manifest.json").decode()
    fields = json.loads(manifest)
    return image(
        images,
        fields["name"],
        package,
        "fpga",
        tags=["FPGA"],
        manifest=manifest,
        vendor=fields["vendor"],
        type=fields["type"],
    )


def image(
    images: typing.Any, name: str, file: Path, container_format: str, **fields: typing.Any
) -> str:
    """The id of the image of that name with the file's data; it is made, unless it is there."""
    digest = hashlib.sha512(file.read_bytes()).hexdigest()
    for found in images.images(name=name):
        if found.hash_value == digest and found.status == "active":
            return str(found.id)
        images.delete_image(found)
    record = images.create_image(
        name,
        filename=str(file),
        container_format=container_format,
        disk_format="raw",
        visibility="public",
        validate_checksum=True,
        allow_duplicates=True,
        **fields,
    )
    print(f"created image {name} {record.id}")
    return str(record.id)


def flavor(compute: typing.Any, name: str, extra_specs: dict[str, str]) -> None:
    flavor = compute.find_flavor(name, get_extra_specs=True)
    if flavor is None:
        flavor = compute.create_flavor(name=name, ram=256, vcpus=1, disk=1)
        print(f"created flavor {name}")
    if (flavor.extra_specs or {}) != extra_specs:
        compute.create_flavor_extra_specs(flavor, extra_specs)


def _wait_for_hosts(cloud: typing.Any) -> int:
    """Until every compute host is known to the scheduler, in a cell and in Placement."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        hosts = [service.host for service in cloud.compute.services(binary="nova-compute")]
        mapped = {found.name for found in cloud.compute.hypervisors()}
        provided = {one["name"] for one in _providers(cloud)}
        if hosts and len(mapped & provided) >= len(hosts):
            return 0
        time.sleep(1)
    print(f"Error: no compute host is known to the scheduler after {PATIENCE} s", file=sys.stderr)
    return 1


def _providers(cloud: typing.Any) -> list[dict[str, typing.Any]]:
    answer = cloud.placement.get("/resource_providers").json()
    return typing.cast(list[dict[str, typing.Any]], answer["resource_providers"])


if __name__ == "__main__":
    sys.exit(main())
