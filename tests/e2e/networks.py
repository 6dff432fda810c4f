# SPDX-License-Identifier: Apache-2.0
"""Networks that a test makes and takes away, and servers on them."""

import functools
import ipaddress
import subprocess
import typing
import uuid

from cloud import Cloud

from tests.support.host import wait_until

PORT = 7000
#: What a server answers on the port: its name.
ANSWER = f"nc -ll -p {PORT} -e hostname"


class Networks:
    """Networks of one test, and servers on them."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.api = cloud.api.network
        self.servers: list[str] = []
        self._undo: list[typing.Callable[[], object]] = []

    def network(self, *cidrs: str, **more: typing.Any) -> str:
        """A network with a subnet for each of the prefixes; its id."""
        network = self.api.create_network(name=f"test-{uuid.uuid4().hex[:8]}", **more)
        self._undo.append(lambda: self.api.delete_network(network))
        for cidr in cidrs:
            version = ipaddress.ip_network(cidr).version
            self.subnet(network.id, cidr=cidr, ip_version=version)
        return str(network.id)

    def subnet(self, network: str, **more: typing.Any) -> None:
        """One more subnet of a network."""
        alone = {"gateway_ip": None, "is_dhcp_enabled": False}
        self.api.create_subnet(network_id=network, **(alone | more))

    def router(self, network: str) -> None:
        """A router of a network's only subnet."""
        (subnet,) = self.api.subnets(network_id=network)
        router = self.api.create_router(name=f"test-{uuid.uuid4().hex[:8]}")
        self.api.add_interface_to_router(router, subnet_id=subnet.id)
        self._undo.append(lambda: self.api.delete_router(router))
        self._undo.append(
            lambda: self.api.remove_interface_from_router(router, subnet_id=subnet.id)
        )

    def group(self) -> str:
        """A security group that lets nothing in, and everything out; its id."""
        group = self.api.create_security_group(name=f"test-{uuid.uuid4().hex[:8]}")
        self._undo.append(lambda: self.api.delete_security_group(group))
        return str(group.id)

    def open(self, group: str, port: int, *versions: int) -> None:
        """Let TCP into a security group.

        :param versions: of the Internet Protocol; 4 alone if none is named
        """
        for version in versions or (4,):
            self.api.create_security_group_rule(
                security_group_id=group,
                direction="ingress",
                ethertype=f"IPv{version}",
                protocol="tcp",
                port_range_min=port,
                port_range_max=port,
            )

    def port(self, network: str, **more: typing.Any) -> typing.Any:
        """A port."""
        port = self.api.create_port(network_id=network, **more)
        self._undo.append(lambda: self.api.delete_port(port))
        return port

    def create(
        self, networks: typing.Sequence[dict[str, str]], flavor: str = "small", **more: typing.Any
    ) -> str:
        """Ask for a server; its id."""
        compute = self.cloud.api.compute
        image = self.cloud.api.image.find_image("ubuntu_lzo", ignore_missing=False)
        server = compute.create_server(
            name=f"net-{uuid.uuid4().hex[:8]}",
            flavor_id=compute.find_flavor(flavor, ignore_missing=False).id,
            networks=networks,
            **({"image_id": image.id} | more),
        )
        self.servers.append(server.id)
        return str(server.id)

    def boot(self, *networks: str) -> str:
        """A server that runs, with a port of its own on each network; its id."""
        server = self.create([{"uuid": network} for network in networks])
        self.active(server)
        return server

    def active(self, server: str) -> None:
        """Wait until a server is, or fail with its fault."""
        found = self.cloud.wait(server, {"ACTIVE", "ERROR"})
        assert found.status == "ACTIVE", self.cloud.fault(server)

    def inside(self, server: str, line: str) -> str:
        """What a shell line in the server's container prints."""
        container = self.cloud.engine.containers.get(f"nova-{server}")
        return str(container.exec_run(["sh", "-c", line]).output.decode())

    def serve(self, server: str) -> None:
        """Have a server answer on the port."""
        container = self.cloud.engine.containers.get(f"nova-{server}")
        container.exec_run(["sh", "-c", ANSWER], detach=True)

    def reaches(self, server: str, address: str) -> bool:
        """Whether one server gets the answer of another."""
        return "net-" in self.inside(server, f"nc -w 2 {address} {PORT} < /dev/null")

    def change(self, server: str, line: str) -> None:
        """Change the network of a server with root's powers, which no container has.

        :param line: what follows ``ip``
        """
        pid = self.cloud.engine.containers.get(f"nova-{server}").attrs["State"]["Pid"]
        subprocess.run(["nsenter", f"--net=/proc/{pid}/ns/net", "ip", *line.split()], check=True)

    def answers(self, server: str, client: str, network: str) -> None:
        """See that a server that runs answers to another one, at its addresses on a network."""
        self.serve(server)
        ports = list(self.api.ports(device_id=server, network_id=network))
        assert ports, f"{server} has no port on {network}"
        for port in ports:
            for one in port.fixed_ips:
                wait_until(functools.partial(self.reaches, client, one["ip_address"]), 30)

    def delete(self, *servers: str) -> None:
        """Delete servers."""
        self.cloud.delete(*servers)
        for server in servers:
            self.servers.remove(server)

    def close(self) -> None:
        """Take all away, servers first."""
        self.cloud.delete(*self.servers)
        while self._undo:
            self._undo.pop()()
