# SPDX-License-Identifier: Apache-2.0
"""A cloud of many hosts as its file describes it."""

import dataclasses
import ipaddress
import typing

from deployment.catalogue import Catalogue

#: Modules that the cloud has once: on the node that names them, else on the controller.
MODULES = ("content", "database", "messaging")


@dataclasses.dataclass(frozen=True)
class Fpga:
    """The FPGA cards of a node.

    :param drivers: those of fpga-cli.conf, in this order
    :param regions: of one emulated card
    :param options: sections of fpga-cli.conf, with their options
    """

    drivers: tuple[str, ...]
    regions: int
    options: dict[str, dict[str, str]]


@dataclasses.dataclass(frozen=True)
class Tunnel:
    """Where a compute host's tunnels to the others begin.

    :param address: with the prefix of its network
    """

    interface: str
    address: ipaddress.IPv4Interface


@dataclasses.dataclass(frozen=True)
class OpenCl:
    """What a node of OpenCL gives to sessions from afar.

    :param sessions: at once
    :param memory: GiB of each
    """

    sessions: int
    memory: int


@dataclasses.dataclass(frozen=True)
class Node:
    """One host.

    :param name: the host's name, and that of its compute service
    :param address: where the deployer and the other nodes reach it
    :param roles: controller, compute or both
    :param modules: those that are here
    :param fpga: None without cards
    :param tunnel: None where tunnels begin at the address
    :param external: the interface that leads to the external network
    :param opencl: None where it is no node of OpenCL
    """

    name: str
    address: ipaddress.IPv4Address
    roles: frozenset[str]
    modules: frozenset[str]
    fpga: Fpga | None = None
    tunnel: Tunnel | None = None
    external: str | None = None
    opencl: OpenCl | None = None

    @property
    def groups(self) -> frozenset[str]:
        """The groups of the Ansible inventory that it is in."""
        return self.roles | (self.modules - {"content"})


@dataclasses.dataclass(frozen=True)
class Deployment:
    """A cloud.

    :param base_user: the account that SSH reaches; sudo makes it root
    :param distribution: such as debian-12
    :param series: of Nova
    :param install: where OpenStack's programs come from: venv or packages
    :param folder: of the cloud, on each of its hosts
    :param port_base: the first of fifteen ports
    :param region: OpenStack's name of it
    :param networks: whether containers have networks
    :param live_images: whether compute hosts that can dump servers have live images
    """

    name: str
    base_user: str
    distribution: str
    series: int
    database: str
    install: str
    folder: str
    port_base: int
    region: str
    networks: bool
    live_images: bool
    nodes: tuple[Node, ...]

    @property
    def controller(self) -> Node:
        """The node that has the APIs."""
        return next(node for node in self.nodes if "controller" in node.roles)

    @property
    def compute(self) -> tuple[Node, ...]:
        """The compute hosts."""
        return tuple(node for node in self.nodes if "compute" in node.roles)

    @property
    def gateways(self) -> tuple[Node, ...]:
        """The nodes that connect networks to the external one."""
        return tuple(node for node in self.nodes if node.external) or self.compute[:1]


def networks_of(configuration: dict[str, typing.Any]) -> typing.Any:
    """What `networks` of a configuration is, or stands for where it is missing."""
    is_venv = configuration.get("install", "venv") == "venv"
    return configuration.get("networks", "ovn" if is_venv else "none")


def build(data: dict[str, typing.Any], catalogue: Catalogue) -> Deployment:
    """The cloud of a document in which nothing is wrong."""
    configuration = data.get("configuration", {})
    install = configuration.get("install", "venv")
    placed = {module for node in data["nodes"] for module in node.get("modules", [])}
    return Deployment(
        name=data["name"],
        base_user=data.get("base_user", "root"),
        distribution=data["distribution"],
        series=catalogue.installed(install, data["distribution"]),
        database=configuration.get("database", "mariadb"),
        install=install,
        folder=configuration.get("folder", "/var/lib/fpga-nova/cloud"),
        port_base=configuration.get("port_base", 24770),
        region=configuration.get("region", "RegionOne"),
        networks=networks_of(configuration) == "ovn",
        live_images=configuration.get("live_images", False),
        nodes=tuple(_node(node, placed) for node in data["nodes"]),
    )


def _node(data: dict[str, typing.Any], placed: set[str]) -> Node:
    roles = frozenset(data["roles"])
    defaults = set(MODULES) - placed if "controller" in roles else set()
    return Node(
        name=data["name"],
        address=ipaddress.IPv4Address(data["address"]),
        roles=roles,
        modules=frozenset(defaults | set(data.get("modules", []))),
        fpga=_fpga(data["fpga"]) if "fpga" in data else None,
        tunnel=_tunnel(data["tunnel"]) if "tunnel" in data else None,
        external=data.get("external"),
        opencl=_opencl(data["opencl"]) if "opencl" in data else None,
    )


def _tunnel(data: dict[str, str]) -> Tunnel:
    return Tunnel(data["interface"], ipaddress.IPv4Interface(data["address"]))


def _opencl(data: dict[str, int]) -> OpenCl:
    return OpenCl(data.get("sessions", 4), data.get("memory", 2))


def _fpga(data: dict[str, typing.Any]) -> Fpga:
    options = {
        section: {name: str(value) for name, value in values.items()}
        for section, values in data.get("options", {}).items()
    }
    return Fpga(tuple(data["drivers"]), data.get("regions", 2), options)
