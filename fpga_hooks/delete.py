# SPDX-License-Identifier: Apache-2.0
"""Erases the regions of an instance after its container is gone."""

import typing

from nova.compute import task_states
from oslo_log import log as logging

from fpga_hooks import base
from fpga_hooks.instance import background, owner_locks
from fpga_hooks.program import client, errors, last_look
from fpga_nova import column
from fpga_nova.instance_request import InstanceRequest
from fpga_nova.request import wanted_of

if typing.TYPE_CHECKING:
    from nova import context as nova_context
    from nova import objects

LOG = logging.getLogger(__name__)


class FpgaDeleteInstanceHook(base.Hook):
    """Erase by owner, never by the region that the database names.

    The database's copy may be stale: it is written after the burn, and it names the region of
    another host once the instance has moved.
    """

    def delete_instance(
        self, context: "nova_context.RequestContext", instance: "objects.Instance"
    ) -> None:
        """Erase what the instance holds on this host, then clear its column.

        A region that would not erase does not keep the instance from being deleted: fpga-cli has
        quarantined it, and the host's count of regions shows it.
        """
        if not _may_hold_region(instance):
            return
        background.burns.settle(instance.uuid)
        try:
            with owner_locks.held(instance.uuid):
                client.erase(instance.uuid)
        except errors.CliError as e:
            LOG.error(
                "The FPGA region was not erased: %s; see 'fpga-cli.py status'",
                e.reason,
                instance=instance,
            )
        else:
            LOG.info("FPGA region erased", instance=instance)
        _clear_column(instance)


def _may_hold_region(instance: "objects.Instance") -> bool:
    """Whether it has a region or, resized, had or will have one."""
    request = InstanceRequest.of(instance)
    kinds = ("old_flavor", "new_flavor")
    others = (getattr(instance, kind) for kind in kinds if kind in instance)
    return (
        bool(request.device or request.image_bitstream)
        or request.grants is not None
        or any(any(wanted_of(flavor)) for flavor in (instance.flavor, *others))
    )


def _clear_column(instance: "objects.Instance") -> None:
    """Forget the region, unless the column is of the host that the instance went to.

    After a failed unshelve, and before a build is tried elsewhere, the instance is on no host.
    """
    if column.read(instance) and instance.host in (None, last_look.host()):
        deleting = instance.task_state == task_states.DELETING
        column.write(instance, None, at_once=not deleting)
