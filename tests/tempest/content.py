# SPDX-License-Identifier: Apache-2.0
"""Has in the demo cloud what tempest needs: two images and two flavors, which differ."""

import dataclasses
import pathlib
import typing

import openstack

from build_scripts.content import EXTERNAL, image
from tests.tempest.image import AUTHORIZED_KEYS

#: Flavors by name, with MiB of memory: a server, and what it is compared with.
FLAVORS = {"tempest": 128, "tempest-alt": 192}

IMAGES = ("tempest", "tempest-alt")

#: What content.py of the build scripts made.
PUBLIC_NETWORK = EXTERNAL


@dataclasses.dataclass(frozen=True)
class Content:
    """Ids of what is in the cloud.

    :ivar images: of the servers, and of those that they are compared with
    :ivar flavors: in the same order
    :ivar network: where floating addresses are
    :ivar extensions: of Neutron's API
    """

    images: tuple[str, str]
    flavors: tuple[str, str]
    network: str
    extensions: tuple[str, ...]


def provide(cloud: openstack.connection.Connection, archive: pathlib.Path) -> Content:
    """Make what is missing, and delete servers of a run that was interrupted.

    :param archive: the images' data
    """
    for server in cloud.compute.servers(all_projects=True, name="^tempest-"):
        cloud.compute.delete_server(server, ignore_missing=True)
    network = cloud.network.find_network(PUBLIC_NETWORK, ignore_missing=False)
    extensions = sorted(str(one.alias) for one in cloud.network.extensions())
    keys = {"docker_authorized_keys": AUTHORIZED_KEYS}
    first, second = (image(cloud.image, name, archive, "docker", **keys) for name in IMAGES)
    flavor, alternative = (_flavor(cloud.compute, *pair) for pair in FLAVORS.items())
    return Content((first, second), (flavor, alternative), str(network.id), tuple(extensions))


def _flavor(compute: typing.Any, name: str, ram: int) -> str:
    flavor = compute.find_flavor(name)
    if flavor is None:
        flavor = compute.create_flavor(name=name, ram=ram, vcpus=1, disk=1)
    return str(flavor.id)
