# SPDX-License-Identifier: Apache-2.0
"""Reaches a demo cloud the way its users do: clients, fpga-cli, the database, the engine."""

import configparser
import dataclasses
import functools
import json
import os
import subprocess
import time
import typing
from pathlib import Path

import docker
import openstack
import sqlalchemy


class CloudError(Exception):
    """The cloud did not do what it was asked to."""


@dataclasses.dataclass(frozen=True)
class Cloud:
    """A demo cloud that is up.

    :param folder: its DEMO_DIR
    :param credentials: the file there with whose credentials commands run
    """

    folder: Path
    credentials: str = "openrc"

    @functools.cached_property
    def environment(self) -> dict[str, str]:
        """The variables of its credentials, on top of this process's own."""
        openrc = self.folder / self.credentials
        if not openrc.exists():
            raise CloudError(f"no cloud in {self.folder}; run 'make demo-up' first")
        output = subprocess.run(
            ["bash", "-c", 'set -a; . "$0"; env -0', str(openrc)],
            check=True,
            capture_output=True,
            text=True,
        )
        pairs = (line.partition("=") for line in output.stdout.split("\0") if line)
        return {name: value for name, _, value in pairs}

    def run(
        self, *command: str, check: bool = True, data: bytes | None = None, timeout: float = 180
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command with the cloud's credentials.

        :raises CloudError: it failed and ``check`` is on
        """
        done = subprocess.run(
            command,
            env=self.environment,
            input=data,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
        if check and done.returncode:
            message = done.stderr.decode(errors="replace").strip()
            raise CloudError(f"{' '.join(command)}: exit {done.returncode}: {message}")
        return done

    @functools.cached_property
    def api(self) -> openstack.connection.Connection:
        """The OpenStack SDK, as the user of the credentials."""
        os.environ.update({k: v for k, v in self.environment.items() if k.startswith("OS_")})
        return openstack.connect(cloud="envvars")

    @functools.cached_property
    def engine(self) -> docker.DockerClient:
        """The Docker Engine of the compute host."""
        return docker.DockerClient(base_url=self.environment["DOCKER_HOST"])

    def containers(self) -> set[str]:
        """Names of all containers of Nova, stopped ones too."""
        names = {str(found.name) for found in self.engine.containers.list(all=True)}
        return {name for name in names if name.startswith("nova-")}

    def status(self) -> str:
        """What ``fpga-cli.py status`` prints."""
        return self.run("fpga-cli.py", "status").stdout.decode().strip()

    def ledger(self) -> dict[str, typing.Any]:
        """What ``fpga-cli.py status --format json`` prints."""
        report = self.run("fpga-cli.py", "status", "--format", "json").stdout
        return typing.cast(dict[str, typing.Any], json.loads(report))

    def region_of(self, server: str) -> dict[str, typing.Any] | None:
        """The ledger's region of a server, by the server's uuid."""
        regions = self.ledger()["regions"]
        return next((region for region in regions if region["owner"] == server), None)

    def row_of(self, server: str) -> dict[str, typing.Any]:
        """The server's row in Nova's table ``instances``, in its cell or in cell0.

        :raises CloudError: there is none
        """
        return self._row(
            "select uuid, host, vm_state, deleted, fpga_device from instances where uuid = :name",
            server,
        )

    def node_of(self, host: str) -> dict[str, typing.Any]:
        """The host's row in Nova's table ``compute_nodes``.

        :raises CloudError: there is none
        """
        return self._row(
            "select uuid, host, fpga_regions, fpga_regions_used from compute_nodes "
            "where host = :name and deleted = 0",
            host,
        )

    def mapped(self) -> set[str]:
        """The compute hosts that the cloud has discovered, and may be given servers."""
        url = self._nova_conf.get("api_database", "connection")
        found = self._query(sqlalchemy.make_url(url), "select host from host_mappings")
        return {row["host"] for row in found}

    def _row(self, query: str, name: str) -> dict[str, typing.Any]:
        cell = sqlalchemy.make_url(self._nova_conf.get("database", "connection"))
        for url in (cell, cell.set(database=f"{cell.database}_cell0")):
            for row in self._query(url, query, name=name):
                return row
        raise CloudError(f"no row of {name} in the database")

    @functools.cached_property
    def _nova_conf(self) -> configparser.RawConfigParser:
        configuration = configparser.RawConfigParser(strict=False)
        configuration.read(self.folder / "etc" / "nova" / "nova.conf")
        return configuration

    @staticmethod
    def _query(url: sqlalchemy.URL, query: str, **parameters: str) -> list[dict[str, typing.Any]]:
        engine = sqlalchemy.create_engine(url)
        with engine.connect() as connection:
            rows = connection.execute(sqlalchemy.text(query), parameters).mappings().all()
        engine.dispose()
        return [dict(row) for row in rows]

    def allocations_of(self, server: str) -> dict[str, typing.Any]:
        """What Placement has allocated to a server."""
        answer = self.api.placement.get(f"/allocations/{server}").json()
        return typing.cast(dict[str, typing.Any], answer["allocations"])

    def addresses(self, server: str) -> list[str]:
        """The fixed addresses of a server."""
        networks = self.api.compute.get_server(server).addresses.values()
        return [
            str(one["addr"])
            for addresses in networks
            for one in addresses
            if one["OS-EXT-IPS:type"] == "fixed"
        ]

    def pid(self, service: str) -> int:
        """The process of a service."""
        return int((self.folder / "run" / f"{service}.pid").read_text())

    def stop(self, *services: str) -> None:
        """Stop services of the cloud."""
        self._daemons("stop", *services)

    def description(self, service: str) -> dict[str, typing.Any]:
        """What a service was started as last; see daemons.py."""
        file = self.folder / "run" / f"{service}.json"
        return typing.cast(dict[str, typing.Any], json.loads(file.read_bytes()))

    def start(self, service: str) -> None:
        """Start a service as it was started last, and wait until it is ready."""
        self.start_as(self.description(service))

    def start_as(self, description: dict[str, typing.Any]) -> None:
        """Start a service, instead of one of its name, and wait until it is ready."""
        self._daemons("start", "--wait", data=json.dumps(description).encode())

    def _daemons(self, *words: str, data: bytes | None = None) -> None:
        program = [str(self.folder / "bin" / "daemons.py"), str(self.folder / "run")]
        subprocess.run([*program, *words], input=data, check=True, capture_output=True)

    def log(self, service: str) -> str:
        """All that a service has logged so far."""
        return (self.folder / "log" / f"{service}.log").read_text(errors="replace")

    def boot(
        self,
        name: str,
        flavor: str,
        image: str = "ubuntu_lzo",
        timeout: float = 120,
        nic: typing.Sequence[str] = ("--nic", "none"),
    ) -> typing.Any:
        """Boot a server and wait until it is ACTIVE or ERROR; answers the SDK's server."""
        self.run("nova", "boot", "--flavor", flavor, "--image", image, *nic, name)
        server = self.api.compute.find_server(name, ignore_missing=False)
        return self.wait(server.id, {"ACTIVE", "ERROR"}, timeout)

    def wait(self, server: str, states: set[str], timeout: float = 120) -> typing.Any:
        """Wait until a server is in one of the states.

        :raises CloudError: it is not after ``timeout`` seconds
        """
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            found = self.api.compute.get_server(server)
            if found.status in states:
                return found
            time.sleep(0.25)
        raise CloudError(f"server {server} is {found.status} after {timeout} s, not in {states}")

    def fault(self, server: str) -> str:
        """The message of a server's fault."""
        return str((self.api.compute.get_server(server).fault or {}).get("message", ""))

    def delete(self, *servers: str, timeout: float = 120) -> None:
        """Delete servers and wait until they are gone.

        :raises CloudError: one is still there after ``timeout`` seconds
        """
        for server in servers:
            self.api.compute.delete_server(server, ignore_missing=True)
        end = time.monotonic() + timeout
        while remainder := {found.id for found in self.api.compute.servers()} & set(servers):
            if time.monotonic() > end:
                raise CloudError(f"not deleted after {timeout} s: {', '.join(remainder)}")
            time.sleep(0.25)
