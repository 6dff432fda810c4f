# SPDX-License-Identifier: Apache-2.0
"""The Docker Engine whose containers are the hosts."""

import collections.abc
import contextlib
import pathlib
import typing

import docker
import docker.errors
import requests

from local_hosts.image import START
from local_hosts.model import Host, LocalHostsError
from local_hosts.services import engine_socket

#: Seconds that a host has to shut down.
_GRACE = 30

#: What systemd in a container shuts down for.
_SHUTDOWN = "SIGRTMIN+3"

_REPOSITORY = "fpga-nova-host"


@contextlib.contextmanager
def connect(folder: pathlib.Path) -> collections.abc.Iterator["Engine"]:
    """The engine of the hosts of one folder, as long as the context lasts.

    :raises LocalHostsError: it cannot be reached, or an operation on it fails
    """
    try:
        client = docker.DockerClient(f"unix://{engine_socket(folder)}", timeout=120)
    except docker.errors.DockerException as e:
        raise LocalHostsError(f"the hosts' engine cannot be reached, run 'up': {e}") from e
    try:
        yield Engine(client)
    except (docker.errors.DockerException, requests.RequestException) as e:
        raise LocalHostsError(f"the hosts' engine: {e}") from e
    finally:
        client.close()


class Engine:
    """An engine that runs.

    :param client: reaches it
    """

    def __init__(self, client: docker.DockerClient) -> None:
        self._client, self._api = client, client.api

    def image(self, suite: str, digest: str) -> str | None:
        """The name of an image that was imported before."""
        name = f"{_REPOSITORY}:{suite}-{digest[:12]}"
        try:
            self._client.images.get(name)
        except docker.errors.ImageNotFound:
            return None
        return name

    def import_image(self, suite: str, digest: str, archive: pathlib.Path) -> str:
        """Make an image of a root's tar; the answer is its name."""
        tag = f"{suite}-{digest[:12]}"
        self._api.import_image_from_file(str(archive), repository=_REPOSITORY, tag=tag)
        return f"{_REPOSITORY}:{tag}"

    def create(self, host: Host, image: str, binds: collections.abc.Iterable[str]) -> bool:
        """Make a host's container, unless it is there.

        :param binds: as ``docker run --volume`` has them
        :returns: whether it was missing
        """
        if self.state(host) != "missing":
            return False
        settings = self._api.create_host_config(
            # A machine that is a virtual one may lack what raises limits.
            cap_add=["ALL"],
            cap_drop=["SYS_RESOURCE"],
            security_opt=["seccomp=unconfined", "apparmor=unconfined"],
            cgroupns="private",
            network_mode="none",
            device_cgroup_rules=["b *:* rwm", "c *:* rwm"],
            devices=["/dev/net/tun", "/dev/fuse"],
            tmpfs={"/run": "exec,mode=755", "/run/lock": "", "/tmp": "exec,mode=1777"},  # noqa: S108
            binds=list(binds),
        )
        # What the client's option systempaths=unconfined stands for.
        settings |= {"MaskedPaths": [], "ReadonlyPaths": []}
        self._api.create_container(
            image,
            entrypoint=[START],
            name=host.container,
            hostname=host.name,
            environment={"container": "docker"},
            stop_signal=_SHUTDOWN,
            host_config=settings,
            use_config_proxy=False,
        )
        return True

    def state(self, host: Host) -> str:
        """What the engine calls a host's state, or "missing"."""
        found = self._inspect(host)
        return str(found["State"]["Status"]) if found else "missing"

    def is_running(self, host: Host) -> bool:
        """Whether a host runs."""
        return self.state(host) == "running"

    def start(self, host: Host) -> bool:
        """Start a host, unless it runs; it waits until it is plugged in.

        :returns: whether it was started
        """
        if self.is_running(host):
            return False
        self._api.start(host.container)
        return True

    def stop(self, host: Host) -> None:
        """Let a host shut down."""
        self._api.stop(host.container, timeout=_GRACE)

    def kill(self, host: Host) -> bool:
        """End a host as a loss of power does.

        :returns: whether it ran
        """
        if not self.is_running(host):
            return False
        self._api.kill(host.container)
        self._api.wait(host.container)
        return True

    def remove_all(self) -> None:
        """Remove all containers, whatever they do."""
        for found in self._api.containers(all=True):
            self._api.remove_container(found["Id"], force=True, v=True)

    def sandbox(self, host: Host) -> pathlib.Path:
        """The network namespace of a host that runs.

        :raises LocalHostsError: it does not
        """
        found = self._inspect(host)
        if not found or found["State"]["Status"] != "running":
            raise LocalHostsError(f"{host.name} does not run")
        return pathlib.Path(found["NetworkSettings"]["SandboxKey"])

    def pid(self, host: Host) -> int | None:
        """The first process of a host that runs."""
        found = self._inspect(host)
        return int(found["State"]["Pid"]) or None if found else None

    def run(self, host: Host, *command: str) -> tuple[int, bytes, bytes]:
        """Run a command in a host, be it cut off or not.

        :returns: its status, and what it wrote to its standard output and error
        :raises LocalHostsError: the host does not run
        """
        if not self.is_running(host):
            raise LocalHostsError(f"{host.name} does not run")
        call = self._api.exec_create(host.container, list(command))
        output, errors = self._api.exec_start(call["Id"], demux=True)
        status = self._api.exec_inspect(call["Id"])["ExitCode"]
        return int(status), output or b"", errors or b""

    def _inspect(self, host: Host) -> dict[str, typing.Any] | None:
        try:
            return typing.cast(dict[str, typing.Any], self._api.inspect_container(host.container))
        except docker.errors.NotFound:
            return None
