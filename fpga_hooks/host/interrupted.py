# SPDX-License-Identifier: Apache-2.0
"""Ends the programs of servers that a process which died has begun."""

import typing

from nova import exception
from oslo_log import log as logging

from fpga_hooks.instance import needs, owner_locks
from fpga_hooks.program import client, errors
from fpga_hooks.service import programs as work
from fpga_nova import programs

if typing.TYPE_CHECKING:
    from nova import objects

LOG = logging.getLogger(__name__)


def settle(host: str, instances: "typing.Mapping[str, objects.Instance]") -> None:
    """Settle each program that nobody is at work on, by what its region holds."""
    for instance in instances.values():
        if instance.task_state != programs.TASK:
            continue
        with owner_locks.held_at_once(instance.uuid) as held:
            if held and needs.still_here(instance, host) and instance.task_state == programs.TASK:
                _settle(instance)


def _settle(instance: "objects.Instance") -> None:
    try:
        work.settle(instance, client.status().owned_by(instance.uuid))
    except (errors.CliError, exception.NovaException) as e:
        LOG.error("A program is left for the next audit: %s", e, instance=instance)
