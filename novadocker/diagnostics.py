# SPDX-License-Identifier: Apache-2.0
"""What a container uses: processor, memory, disk and network."""

import pathlib
import typing

from nova.objects import diagnostics
from oslo_utils import timeutils

from novadocker import containers
from novadocker.network import interfaces, records

if typing.TYPE_CHECKING:
    from nova import objects
    from nova.network import model

_Attributes = typing.Mapping[str, typing.Any]

_INTERFACES = pathlib.Path("/sys/class/net")
#: Nova's words for the counters of an interface. The host's end receives what the container sends.
_COUNTERS = {
    f"{ours}_{nova}": f"{theirs}_{kernel}"
    for ours, theirs in (("rx", "tx"), ("tx", "rx"))
    for nova, kernel in (
        ("octets", "bytes"),
        ("packets", "packets"),
        ("errors", "errors"),
        ("drop", "dropped"),
    )
}

#: Nova's field takes the names of its own drivers alone. This one's values have the same meaning.
_DRIVER = "libvirt"

#: When the engine's figures were read, if they never were.
_NEVER = "0001-"

_MIB = 1 << 20


class Usage(typing.NamedTuple):
    """What a container uses now; None where the engine does not measure it.

    :ivar cpu_time: nanoseconds that its processes ran, on all processors together
    :ivar utilisation: percent of one processor at the moment
    :ivar memory: bytes, without what the kernel can drop at once
    :ivar memory_limit: bytes
    :ivar processes: how many, with threads
    :ivar disk: of its disks together, by Nova's words: bytes and requests
    :ivar network: of each interface, by its name: hardware address and counters by Nova's words
    :ivar health: the engine's word for it; None if the container has no check
    :ivar uptime: seconds
    """

    cpu_time: int | None
    utilisation: int | None
    memory: int | None
    memory_limit: int
    processes: int | None
    disk: dict[str, int]
    network: dict[str, dict[str, typing.Any]]
    health: str | None
    uptime: int


def of(found: containers.Containers, uuid: str) -> Usage:
    """What the container of an instance uses.

    :raises errors.NoContainer: there is none
    :raises errors.EngineRefused, errors.EngineUnavailable: that is not known
    """
    attributes = found.attributes(uuid)
    stats = found.statistics(uuid)
    if stats["read"].startswith(_NEVER):
        stats = {}
    now, memory = stats.get("cpu_stats"), stats.get("memory_stats")
    state = attributes["State"]
    return Usage(
        cpu_time=int(now["cpu_usage"]["total_usage"]) if now else None,
        utilisation=_utilisation(now or {}, stats.get("precpu_stats") or {}),
        memory=_used(memory) if memory else None,
        memory_limit=int(attributes["HostConfig"]["Memory"]),
        processes=(stats.get("pids_stats") or {}).get("current"),
        disk=_disk(stats["blkio_stats"]) if stats else {},
        network={name: _interface(vif) for name, vif in records.of(uuid).items()},
        health=(state.get("Health") or {}).get("Status"),
        uptime=_seconds_since(state["StartedAt"]),
    )


def as_object(usage: Usage, instance: "objects.Instance", state: str) -> diagnostics.Diagnostics:
    """Usage as the API has it from microversion 2.48 on.

    :param state: Nova's word for the power state
    """
    found = diagnostics.Diagnostics(
        state=state,
        driver=_DRIVER,
        hypervisor="docker",
        hypervisor_os="linux",
        uptime=usage.uptime,
        config_drive=bool(instance.config_drive),
        memory_details=diagnostics.MemoryDiagnostics(
            maximum=usage.memory_limit // _MIB,
            used=None if usage.memory is None else usage.memory // _MIB,
        ),
    )
    found.add_cpu(id=0, time=usage.cpu_time, utilisation=usage.utilisation)
    found.add_disk(**usage.disk)
    for counters in usage.network.values():
        found.add_nic(**counters)
    return found


def as_dictionary(usage: Usage) -> dict[str, typing.Any]:
    """Usage as the API has it up to microversion 2.47: in the words of libvirt's driver, memory in
    KiB, and what Nova has no fields for."""
    figures = {
        "cpu0_time": usage.cpu_time,
        "cpu0_utilisation": usage.utilisation,
        "memory": usage.memory_limit >> 10,
        "memory-used": None if usage.memory is None else usage.memory >> 10,
        "processes": usage.processes,
        "uptime": usage.uptime,
        "health": usage.health,
    }
    figures |= {f"disk_{word}": count for word, count in usage.disk.items()}
    for name, counters in usage.network.items():
        for word, count in counters.items():
            figures[f"{name}_{word.removesuffix('_octets')}"] = count
    return {word: value for word, value in figures.items() if value is not None}


def _utilisation(now: _Attributes, before: _Attributes) -> int | None:
    """What docker stats shows: a share of the time of all processors of the host."""
    if "system_cpu_usage" not in now or "system_cpu_usage" not in before:
        return None
    time = now["system_cpu_usage"] - before["system_cpu_usage"]
    used = now["cpu_usage"]["total_usage"] - before["cpu_usage"]["total_usage"]
    return round(100 * now.get("online_cpus", 1) * used / time) if time > 0 else None


def _used(memory: _Attributes) -> int:
    """What docker stats shows; the kernel's word is another in each version of control groups."""
    details = memory.get("stats") or {}
    cache = details.get("total_inactive_file", details.get("inactive_file", 0))
    return max(0, int(memory.get("usage", 0)) - int(cache))


def _disk(stats: _Attributes) -> dict[str, int]:
    """What is counted; with version 2 of control groups, the engine counts no requests."""
    words = {"bytes": "io_service_bytes_recursive", "requests": "io_serviced_recursive"}
    return {
        f"{action}_{unit}": sum(
            int(one["value"]) for one in stats[key] if one["op"].lower() == action
        )
        for action in ("read", "write")
        for unit, key in words.items()
        if stats.get(key) is not None
    }


def _interface(vif: "model.VIF") -> dict[str, typing.Any]:
    """Hardware address and counters of a port; none where the interface is not there."""
    found: dict[str, typing.Any] = {"mac_address": vif["address"]}
    try:
        folder = _INTERFACES / interfaces.of(vif).host / "statistics"
        return found | {
            nova: int((folder / kernel).read_text()) for nova, kernel in _COUNTERS.items()
        }
    except (interfaces.UnservedPortError, OSError):
        return found


def _seconds_since(time: str) -> int:
    begin = timeutils.normalize_time(timeutils.parse_isotime(time))
    return max(0, int(timeutils.delta_seconds(begin, timeutils.utcnow())))
