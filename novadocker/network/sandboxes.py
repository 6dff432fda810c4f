# SPDX-License-Identifier: Apache-2.0
"""Sandboxes: a container beside a server's own, which holds its network.

The server's container joins the network of its sandbox. So the network is there before the first
process of the server, and outlives its restarts. The sandbox has the host name, the name servers
and /etc/hosts of both, because the engine takes none of these for a container that joins.
"""

import typing

import docker.errors
from docker.types import LogConfig
from oslo_config import cfg

from novadocker import errors, request
from novadocker.engine import Engine
from novadocker.network import interfaces, pause

if typing.TYPE_CHECKING:
    from nova import objects
    from nova.network import model

CONF = cfg.CONF

#: The label of a sandbox: the instance. It is not that of the server's own container.
LABEL = "org.openstack.nova.network.instance"

_IMAGE = "fpga-nova-sandbox"
#: Renewed with the program, because an image of the name is used as it is.
_TAG = "1"

#: MiB; the program has four pages, and runc that starts it much more.
_MEMORY = 16
#: For runc's threads.
_PIDS = 32
_NOBODY = "65534:65534"

#: Programs that send ICMP from a datagram socket, as ping does, need no capability then.
_SYSCTLS = {"net.ipv4.ping_group_range": "0 2147483647"}


def name_of(uuid: str) -> str:
    """The name of the sandbox of an instance."""
    return f"{request.name_of(uuid)}-network"


class Sandboxes:
    """The sandboxes of this host's instances.

    :param engine: where they are
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def start(self, instance: "objects.Instance", vifs: "typing.Sequence[model.VIF]") -> None:
        """Make the sandbox of an instance if there is none, and start it if it does not run.

        :param vifs: the ports of the instance
        :raises errors.EngineRefused: the engine does not start it
        :raises errors.EngineUnavailable: it may run
        """
        try:
            self._start(instance.uuid)
        except errors.NoContainer:
            self.make(instance, vifs)

    def make(self, instance: "objects.Instance", vifs: "typing.Sequence[model.VIF]") -> None:
        """Make and start the sandbox of an instance that has none.

        :param vifs: the ports of the instance
        :raises errors.EngineRefused: the engine does not start it
        :raises errors.EngineUnavailable: it may run
        """
        options = _options(instance, vifs)
        try:
            self._create(options)
        except docker.errors.NotFound:
            self._load_image()  # of the first sandbox in this engine
            try:
                self._create(options)
            except docker.errors.NotFound as e:
                raise errors.EngineRefused("make the network's sandbox", str(e)) from e
        self._start(instance.uuid)

    def stop(self, uuid: str) -> None:
        """End the network of an instance; none is as good.

        :raises errors.EngineRefused, errors.EngineUnavailable: it may still be there
        """
        with self._engine.asked_to("stop the network's sandbox") as client:
            try:
                client.api.stop(name_of(uuid), timeout=0)
            except docker.errors.NotFound:
                return

    def remove(self, uuid: str) -> None:
        """Remove the sandbox of an instance; none is as good.

        :raises errors.EngineRefused, errors.EngineUnavailable: it may still be there
        """
        with self._engine.asked_to("remove the network's sandbox") as client:
            try:
                client.api.remove_container(name_of(uuid), v=True, force=True)
            except docker.errors.NotFound:
                return

    def namespace(self, uuid: str) -> str | None:
        """The network namespace of an instance: of its sandbox, or else of its container.

        :returns: the engine's ``SandboxKey``; None if it does not run
        :raises errors.EngineRefused, errors.EngineUnavailable: that is not known
        """
        with self._engine.asked_to("describe the network's sandbox") as client:
            for name in (name_of(uuid), request.name_of(uuid)):
                try:
                    attributes = client.api.inspect_container(name)
                except docker.errors.NotFound:
                    continue
                running = attributes["State"]["Running"]
                return str(attributes["NetworkSettings"]["SandboxKey"]) if running else None
        return None

    def uuids(self) -> list[str]:
        """The instances that have a sandbox.

        :raises errors.EngineUnavailable: the engine does not answer
        """
        with self._engine.asked_to("list sandboxes") as client:
            labels = request.own_labels(LABEL)
            found = client.api.containers(all=True, filters={"label": labels})
        return [container["Labels"][LABEL] for container in found]

    def _start(self, uuid: str) -> None:
        with self._engine.asked_to("start the network's sandbox") as client:
            try:
                client.api.start(name_of(uuid))
            except docker.errors.NotFound as e:
                raise errors.NoContainer(uuid) from e

    def _create(self, options: dict[str, typing.Any]) -> None:
        with self._engine.asked_to("make the network's sandbox") as client:
            client.containers.create(**options)

    def _load_image(self) -> None:
        with self._engine.asked_to("load the image of networks' sandboxes") as client:
            # The engine's machine is in the words of uname(1).
            client.api.import_image_from_data(
                pause.archive(client.info()["Architecture"]), repository=_IMAGE, tag=_TAG
            )


def _options(
    instance: "objects.Instance", vifs: "typing.Sequence[model.VIF]"
) -> dict[str, typing.Any]:
    """The arguments of the SDK's ``containers.create``."""
    address = interfaces.first_address(vifs)
    name = request.host_name_of(instance)
    return {
        "image": f"{_IMAGE}:{_TAG}",
        "command": [f"/{pause.NAME}"],
        "name": name_of(instance.uuid),
        "hostname": name,
        "dns": interfaces.name_servers(vifs) or None,
        "extra_hosts": {name: address} if address else None,
        "labels": {LABEL: instance.uuid, request.LABEL_HOST: CONF.host},
        "network_mode": "none",
        "sysctls": _SYSCTLS,
        "user": _NOBODY,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "read_only": True,
        "mem_limit": _MEMORY << 20,
        "memswap_limit": _MEMORY << 20,
        "pids_limit": _PIDS,
        "log_config": LogConfig(type="none"),
        # A first process without handlers does not hear of SIGTERM.
        "stop_signal": "SIGKILL",
    }
