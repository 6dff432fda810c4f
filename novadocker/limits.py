# SPDX-License-Identifier: Apache-2.0
"""What a container may use of its host, as its flavor says."""

import re
import typing

from nova import exception
from oslo_config import cfg

from novadocker.options import LEAST_PIDS

if typing.TYPE_CHECKING:
    from nova import objects

CONF = cfg.CONF

#: MiB below which the engine makes no container ("Minimum memory limit allowed is 6MB").
_LEAST_MEMORY = 6

#: The extra spec of a flavor for the processes and threads of a container.
PIDS_LIMIT = "docker:pids_limit"

_SHARES, _PERIOD, _QUOTA = "quota:cpu_shares", "quota:cpu_period", "quota:cpu_quota"

#: Microseconds of a period for which a flavor names none, as in libvirt and in the kernel.
_DEFAULT_PERIOD = 100_000

#: What is allowed in each extra spec: Nova's validators for libvirt have the same periods and
#: quotas, and the kernel takes no other shares (MIN_SHARES, MAX_SHARES in kernel/sched).
_RANGES = {
    _SHARES: (2, 262_144),
    _PERIOD: (1_000, 1_000_000),
    _QUOTA: (1_000, 1 << 63),
    PIDS_LIMIT: (LEAST_PIDS, 1 << 31),
}
#: Values with which a flavor says that there is no limit.
_NONE = {_SHARES: ("0",), _QUOTA: ("0", "-1"), _PERIOD: ("0",), PIDS_LIMIT: ()}

#: Billionths of a processor that the engine gives at least ("range of CPUs is from 0.01").
_LEAST_CPU = 10**7


class FlavorError(exception.NovaException):  # type: ignore[misc]
    """A flavor says what no container can have; the text has the reason and the remedy."""


def check(flavor: "objects.Flavor") -> None:
    """See that a container can have what a flavor says.

    :raises FlavorError: it cannot
    """
    if flavor.memory_mb < _LEAST_MEMORY:
        raise FlavorError(
            f"a container needs {_LEAST_MEMORY} MB of memory: take a flavor that has them"
        )
    for name in _RANGES:
        _extra_spec(flavor, name)


def options(flavor: "objects.Flavor", cpus: int) -> dict[str, typing.Any]:
    """The limits among the arguments of the SDK's ``containers.create``.

    :param cpus: how many the engine may use; it refuses more
    :raises FlavorError: see `check`
    """
    memory = flavor.memory_mb << 20
    most_pids: int = CONF.docker.pids_limit
    found: dict[str, typing.Any] = {
        "mem_limit": memory,
        # The engine counts memory and swap together.
        "memswap_limit": memory + (flavor.swap << 20),
        "nano_cpus": _nano_cpus(flavor, cpus),
        "pids_limit": min(_extra_spec(flavor, PIDS_LIMIT) or most_pids, most_pids),
    }
    shares = _extra_spec(flavor, _SHARES)
    return found | ({"cpu_shares": shares} if shares else {})


def _nano_cpus(flavor: "objects.Flavor", cpus: int) -> int:
    """Processor time in billionths of a processor.

    As with libvirt, quota and period are those of one virtual processor, which never has more than
    a whole one.
    """
    total: int = flavor.vcpus * 10**9
    quota = _extra_spec(flavor, _QUOTA)
    if quota:
        period = _extra_spec(flavor, _PERIOD) or _DEFAULT_PERIOD
        total = total * min(quota, period) // period
    return max(min(total, cpus * 10**9), _LEAST_CPU)


def _extra_spec(flavor: "objects.Flavor", name: str) -> int | None:
    text = (flavor.extra_specs or {}).get(name)
    if text is None or text in _NONE[name]:
        return None
    least, most = _RANGES[name]
    if re.fullmatch("[0-9]{1,19}", text) and least <= int(text) <= most:
        return int(text)
    raise FlavorError(f"the flavor's {name} is '{text}', needs a number from {least} to {most}")
