# SPDX-License-Identifier: Apache-2.0
"""How many more servers the quota of a project allows.

Nova's own quota counts servers, cores and memory. Unified limits count servers, and what a flavor
itself asks of Placement by class. The regions of ``hw:fpga_ip_id`` are in the usage; they count of
a flavor where ``[fpga] request_quota`` of nova.conf says so (docs/operator.md).
"""

import dataclasses
import typing

from fpga_api.availability.cloud import Cloud
from fpga_nova.request import LIMIT

#: Keystone's and Nova's word for no limit.
_UNLIMITED = -1


class Regions(typing.NamedTuple):
    """The regions of a project, as Keystone's limits count them.

    :ivar limit: None where there is none
    """

    used: int
    limit: int | None


@dataclasses.dataclass(frozen=True)
class Headroom:
    """What a project may still have.

    :ivar remainder: by what is counted: ``servers``, ``cores``, ``ram``, ``class:NAME``; what is
        not in it has no limit
    :ivar regions: None where Nova does not count by limits of Keystone
    """

    remainder: typing.Mapping[str, int]
    regions: Regions | None = None

    def servers(self, flavor: typing.Mapping[str, typing.Any]) -> int | None:
        """How many servers of a flavor it may still have; None if there is no limit.

        :param flavor: of the document ``availability``
        """
        needs = {"servers": 1, "cores": flavor["vcpus"], "ram": flavor["ram"]}
        needs |= {f"class:{name}": amount for name, amount in flavor["limited"].items()}
        return min(
            (
                self.remainder[name] // need
                for name, need in needs.items()
                if need and name in self.remainder
            ),
            default=None,
        )


def headroom(cloud: Cloud, project: str, unified: bool, every_region: bool = False) -> Headroom:
    """Ask for the headroom of a project.

    :param unified: whether Nova counts by limits of Keystone
    :param every_region: whether it counts all regions so, and gives none to a project without limit
    :raises fpga_api.errors.CloudUnavailable: a service does not answer
    """
    absolute = cloud.limits(project)
    regions = None
    if not unified:
        names = {
            "servers": ("maxTotalInstances", "totalInstancesUsed"),
            "cores": ("maxTotalCores", "totalCoresUsed"),
            "ram": ("maxTotalRAMSize", "totalRAMUsed"),
        }
        pairs = {name: (absolute[most], absolute[used]) for name, (most, used) in names.items()}
    else:
        usages = {f"class:{name}": amount for name, amount in cloud.usages(project).items()}
        usages["servers"] = absolute["totalInstancesUsed"]
        limits = cloud.unified_limits(project)
        pairs = {
            name: (limit, usages.get(name, 0))
            for name, limit in limits.items()
            if name == "servers" or name.startswith("class:")
        }
        if every_region:
            pairs.setdefault(LIMIT, (0, usages.get(LIMIT, 0)))
        most, used = pairs.get(LIMIT, (_UNLIMITED, usages.get(LIMIT, 0)))
        regions = Regions(used, None if most == _UNLIMITED else most)
    remainder = {
        name: max(0, most - used) for name, (most, used) in pairs.items() if most != _UNLIMITED
    }
    return Headroom(remainder, regions)
