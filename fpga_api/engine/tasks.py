# SPDX-License-Identifier: Apache-2.0
"""The tasks of the engine."""

import typing

from fpga_api.availability.cloud import Cloud
from fpga_api.availability.history import History
from fpga_api.availability.refresh import Refresh
from fpga_api.bitstreams import lookup
from fpga_api.claims import work
from fpga_api.engine.task import Task
from fpga_api.hosts.refresh import Hosts
from fpga_api.opencl import placement
from fpga_api.opencl import work as opencl
from fpga_api.programs import follow, images
from fpga_api.service import Service

#: Seconds after which old samples are looked for.
_PURGE_INTERVAL = 3600


class Tasks(typing.NamedTuple):
    """All tasks.

    :ivar availability: the one whose counts the metrics have, too
    """

    availability: Refresh
    tasks: list[Task]


def of(service: Service) -> Tasks:
    """The tasks for a configuration.

    :raises RuntimeError: a source of counts cannot be loaded
    :raises ValueError: an alias of the configuration is not valid, or `[hosts] transport_url` is
        not the URL of a broker
    """
    options = service.conf.availability
    refresh = Refresh(Cloud(service.adapter), service.conf, service.publication)
    history = History(service)
    return Tasks(
        refresh,
        [
            Task("availability", options.interval, refresh),
            Task("samples", options.sample_interval, history.keep),
            Task("purge", _PURGE_INTERVAL, history.purge),
            *_of_hosts(service),
            *_of_opencl(service),
            Task("bitstreams", lookup.INTERVAL, lookup.Lookup(service).refresh),
        ],
    )


def _of_opencl(service: Service) -> list[Task]:
    """What is done for nodes of OpenCL."""
    tasks = [Task("opencl", opencl.INTERVAL, opencl.Work(service).run)]
    if service.conf.opencl.placement:
        sync = placement.Providers(service).sync
        tasks.append(Task("opencl providers", placement.INTERVAL, sync))
    return tasks


def _of_hosts(service: Service) -> list[Task]:
    """What the hosts are asked and have to do, where they share a broker with the engine."""
    options = service.conf.hosts
    if not options.transport_url:
        return []
    claims = work.Work(service)
    return [
        Task("hosts", options.interval, Hosts(service).refresh),
        Task("claims", work.INTERVAL, claims.run),
        Task("claims sweep", work.SWEEP_INTERVAL, claims.sweep),
        Task("programs", follow.INTERVAL, follow.Follow(service).run),
        Task("program images", images.INTERVAL, images.Images(service).run),
    ]
