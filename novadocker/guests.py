# SPDX-License-Identifier: Apache-2.0
"""Which containers of the engine have which nodes of the host, for whoever gives regions out."""

import typing

import docker.errors

from fpga_hooks.instance import guests
from fpga_hooks.instance.guests import Guest
from novadocker import errors, numbers, request
from novadocker.engine import Engine

_RUNNING = frozenset({"running", "paused", "restarting", "removing"})


class Probe:
    """Every container of an engine, with the label of this host or without.

    One that is privileged, or was given a whole folder of devices, has them by its operator's will;
    it is told by what it names.

    :param engine: where they are
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def guests(self) -> list[Guest]:
        """The containers as guests.

        :raises errors.EngineUnavailable: the engine does not answer
        :raises errors.EngineRefused: it does not for one of them
        """
        found = []
        with self._engine.asked_to("list containers") as client:
            for listed in client.api.containers(all=True):
                try:
                    found.append(guest_of(client.api.inspect_container(listed["Id"])))
                except docker.errors.NotFound:
                    continue  # removed since it was listed
        return found

    def stop(self, guest: Guest) -> None:
        """Kill the processes of a container.

        :raises errors.EngineUnavailable, errors.EngineRefused: they may still run
        """
        with self._engine.asked_to("kill the container") as client:
            try:
                client.api.kill(guest.name)
            except docker.errors.NotFound:
                return
            except docker.errors.APIError as e:
                # 409 is the engine's answer for a container that does not run.
                if e.response is None or e.response.status_code != 409:
                    raise


def guest_of(attributes: typing.Mapping[str, typing.Any]) -> Guest:
    """A container as a guest.

    :param attributes: what the engine tells about the container
    """
    instance = (attributes["Config"].get("Labels") or {}).get(request.LABEL_UUID)
    devices = device_paths(attributes)
    sources = {mount["Source"] for mount in attributes.get("Mounts") or () if mount.get("Source")}
    recorded = numbers.of(instance) if instance else {}
    return Guest(
        name=attributes["Name"].removeprefix("/"),
        instance=instance,
        running=attributes["State"]["Status"] in _RUNNING,
        nodes=devices | sources,
        numbers=frozenset((path, recorded[path]) for path in devices & recorded.keys()),
    )


def device_paths(attributes: typing.Mapping[str, typing.Any]) -> frozenset[str]:
    """The paths on the host of the devices that a container was made with."""
    listed = attributes["HostConfig"].get("Devices") or ()
    return frozenset(device["PathOnHost"] for device in listed)


def record_numbers(engine: Engine, uuid: str, attributes: typing.Mapping[str, typing.Any]) -> None:
    """Record which device numbers a container is about to get; to be called before each start.

    :param attributes: what the engine tells about the container
    :raises errors.BadDevice: another container that runs got one of these numbers, when it was
        that of another node
    """
    found = {path: guests.number_of(path) for path in device_paths(attributes)}
    own = {path: number for path, number in found.items() if number is not None}
    taken = set(own.values())
    others = {other for other in numbers.recorded() if other != uuid} if own else set()
    if any(not taken.isdisjoint(numbers.of(other).values()) for other in others):
        for guest in Probe(engine).guests():
            shared = taken & {number for _, number in guest.numbers}
            if guest.instance != uuid and guest.running and shared:
                raise errors.BadDevice(
                    f"device number {', '.join(sorted(shared))} of the FPGA region is in container "
                    f"{guest.name}, which got it for another node; stop that container first"
                )
    numbers.record(uuid, own)
