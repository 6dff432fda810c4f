# SPDX-License-Identifier: Apache-2.0
"""What the host has, for the scheduler and for people: processors, memory, disk, uptime."""

import json
import os
import pathlib
import shutil
import time
import typing

import os_resource_classes as orc
from nova.objects import fields
from oslo_config import cfg
from oslo_utils import versionutils

try:
    from nova.virt import node
except ImportError:  # Nova 26, whose resource tracker makes the uuid itself
    node = None

CONF = cfg.CONF

_MIB = 1 << 20
_GIB = 1 << 30


def resources(engine_info: typing.Mapping[str, typing.Any]) -> dict[str, typing.Any]:
    """The host's resources as the resource tracker wants them.

    What is used is not told: Nova counts what its instances were promised.

    :param engine_info: what the engine tells about itself
    """
    architecture = fields.Architecture.canonicalize(engine_info["Architecture"])
    cpus = cpu_count()
    total, free = disk_gb(engine_info.get("DockerRootDir"))
    identity = {"uuid": node.get_local_node_uuid()} if node else {}
    return identity | {
        "vcpus": cpus,
        "memory_mb": memory_mb(),
        "local_gb": total,
        "vcpus_used": 0,
        "memory_mb_used": 0,
        "local_gb_used": 0,
        "disk_available_least": free,
        "hypervisor_type": fields.HVType.DOCKER,
        "hypervisor_version": version_number(str(engine_info.get("ServerVersion", ""))),
        "hypervisor_hostname": CONF.host,
        "cpu_info": json.dumps(cpu_info(pathlib.Path("/proc/cpuinfo").read_text(), architecture)),
        "supported_instances": [(architecture, fields.HVType.DOCKER, fields.VMMode.EXE)],
        "numa_topology": None,
    }


def inventory(
    found: typing.Mapping[str, typing.Any],
    ratios: typing.Mapping[str, float],
    reserved_disk_gb: int,
) -> dict[str, dict[str, typing.Any]]:
    """The host's resources as Placement wants them.

    :param found: what `resources` told
    :param ratios: how often each of them may be promised
    """
    sizes = {
        orc.VCPU: (found["vcpus"], CONF.reserved_host_cpus),
        orc.MEMORY_MB: (found["memory_mb"], CONF.reserved_host_memory_mb),
        orc.DISK_GB: (found["local_gb"], reserved_disk_gb),
    }
    return {
        name: {
            "total": size,
            "reserved": min(reserved, size),
            "min_unit": 1,
            "max_unit": size,
            "step_size": 1,
            "allocation_ratio": ratios[name],
        }
        for name, (size, reserved) in sizes.items()
        if size  # Placement takes no inventory of nothing
    }


def cpu_count() -> int:
    """Processors that this host has."""
    return os.cpu_count() or 1


def memory_mb() -> int:
    """Memory of the host in MiB."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // _MIB


def disk_gb(root: str | None) -> tuple[int, int]:
    """Size in GiB of the file system that holds the containers, and what of it is free.

    :param root: the engine's folder; where it cannot be seen, Nova's folder for instances counts
    :raises OSError: neither can be seen; Nova logs it and keeps what it knew
    """
    try:
        usage = shutil.disk_usage(root or CONF.instances_path)
    except OSError:
        usage = shutil.disk_usage(CONF.instances_path)
    return usage.total // _GIB, usage.free // _GIB


def version_number(version: str) -> int:
    """An engine's version, such as ``20.10.24+dfsg1``, as one number that can be compared."""
    parts = version.partition("+")[0].partition("-")[0].split(".")[:3]
    numbers = [part if part.isdecimal() else "0" for part in parts]
    return int(versionutils.convert_version_to_int(".".join((*numbers, "0", "0")[:3])))


def cpu_info(cpuinfo: str, architecture: str) -> dict[str, typing.Any]:
    """What Nova shows of the processors.

    :param cpuinfo: the text of /proc/cpuinfo
    """
    first: dict[str, str] = {}
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(":")
        first.setdefault(key.strip(), value.strip())
    return {
        "arch": architecture,
        "vendor": first.get("vendor_id", ""),
        "model": first.get("model name", ""),
        "features": sorted(first.get("flags", first.get("Features", "")).split()),
        "topology": {"sockets": 1, "cores": cpu_count(), "threads": 1},
    }


def uptime() -> str:
    """How long the host is up, in the form of uptime(1), which clients take apart."""
    seconds = int(float(pathlib.Path("/proc/uptime").read_text().split()[0]))
    minutes = seconds // 60
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    now = time.strftime("%H:%M:%S")
    return f" {now} up {days} days, {hours:2}:{minutes:02},  0 users,  load average: {load}"
