# SPDX-License-Identifier: Apache-2.0
"""What the manifest says of a host and of a container, and what runc knows of the container."""

import json
import os
import pathlib
import typing

from novadocker.live import containers, criu
from novadocker.live.errors import LiveError
from novadocker.live.settings import Settings

_SECONDS = 300


def of_host(settings: Settings) -> dict[str, typing.Any]:
    """What the manifest says of the host."""
    return {
        "criu": criu.version(settings.criu),
        "kernel": os.uname().release,
        "machine": os.uname().machine,
        "cpu": containers.processor(),
    }


def of_container(
    settings: Settings, container: str, bundle: containers.Bundle
) -> dict[str, typing.Any]:
    """What the manifest says of a container that is paused.

    :raises LiveError: not all that runs in it would be dumped, it may do too much, or there is no
        room for it
    """
    found = containers.alive(processes(settings, container))
    first = state(settings, container)["pid"]
    strangers = containers.strangers(found, first) or containers.in_another_time(found, first)
    if strangers:
        raise LiveError(
            "somebody has a process in it that it did not start, as by 'docker exec'; end that "
            f"first (its numbers on the host: {', '.join(map(str, strangers))})"
        )
    privileges = containers.privileges(found)
    if not privileges.within(bundle.privileges):
        raise LiveError("its processes have more privileges than the container was made with")
    _check_room(settings, found)
    return {
        # All that it was made with: what a process has opened by a capability, or what one of its
        # threads has, is there though the process has given the capability up.
        "capabilities": bundle.privileges.capabilities,
        "no_new_privileges": privileges.no_new_privileges,
        "seccomp": privileges.seccomp,
        "mounts": bundle.mounts,
    }


def _check_room(settings: Settings, found: typing.Collection[int]) -> None:
    """See that the dump of some processes leaves as much room as it takes: its image takes that.

    A server of a few forks can have a dump of many times its memory.
    """
    disk = os.statvfs(settings.spool)
    size, room = containers.memory(found), disk.f_bavail * disk.f_frsize // 2
    if size > room:
        raise LiveError(
            f"its {len(found)} processes have {size >> 20} MiB of memory, with what they share "
            f"counted for each, and its host has room for a dump of {room >> 20} MiB"
        )


def bundle(settings: Settings, container: str) -> containers.Bundle:
    """What the engine asked runc for."""
    return containers.bundle(pathlib.Path(state(settings, container)["bundle"]))


def state(settings: Settings, container: str) -> dict[str, typing.Any]:
    """What runc says of a container."""
    found: dict[str, typing.Any] = _asked(settings, "state", container)
    return found


def processes(settings: Settings, container: str) -> list[int]:
    """The processes in a container, by their numbers on the host."""
    found: list[int] = _asked(settings, "ps", "--format", "json", container)
    return found


def _asked(settings: Settings, *arguments: str) -> typing.Any:
    """What runc answers of a container."""
    finished = criu.run_runc(
        settings,
        ["--root", str(settings.runc_root), *arguments],
        None,
        capture_output=True,
        timeout=_SECONDS,
    )
    try:
        return json.loads(finished.stdout)
    except ValueError as e:
        reason = finished.stderr.decode(errors="replace").strip()[-300:]
        raise LiveError(f"runc {arguments[0]} does not know the container: {reason}") from e
