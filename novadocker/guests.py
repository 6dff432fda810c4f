# SPDX-License-Identifier: Apache-2.0
"""Which containers of the engine have which nodes of the host, for whoever gives regions out."""

import contextlib
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
        #: Of each container, by its id; nothing changes them.
        self._devices: dict[str, frozenset[str]] = {}

    def guests(self) -> list[Guest]:
        """The containers as guests.

        :raises errors.EngineUnavailable: the engine does not answer
        :raises errors.EngineRefused: it does not for one of them
        """
        # The list has no devices, so a container is asked for them once.
        with self._engine.asked_to("list containers") as client:
            listing = client.api.containers(all=True)
            known = {}
            for listed in listing:
                container = listed["Id"]
                if container in self._devices:
                    known[container] = self._devices[container]
                    continue
                with contextlib.suppress(docker.errors.NotFound):  # removed since it was listed
                    known[container] = device_paths(client.api.inspect_container(container))
        self._devices = known
        return [_guest(one, known[one["Id"]]) for one in listing if one["Id"] in known]

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


def _guest(listed: typing.Mapping[str, typing.Any], devices: frozenset[str]) -> Guest:
    """A container as a guest.

    :param listed: what the engine's list tells about the container
    """
    instance = (listed.get("Labels") or {}).get(request.LABEL_UUID)
    sources = {mount["Source"] for mount in listed.get("Mounts") or () if mount.get("Source")}
    recorded = numbers.of(instance) if instance else {}
    # Others are what containers with a link to it call it; one that is being removed may have none.
    names = [name[1:] for name in listed.get("Names") or () if name.count("/") == 1]
    return Guest(
        name=(names or [listed["Id"]])[0],
        instance=instance,
        running=listed["State"] in _RUNNING,
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
