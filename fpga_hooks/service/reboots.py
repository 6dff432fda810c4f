# SPDX-License-Identifier: Apache-2.0
"""Has Nova reboot servers that do not reach a region any more after a program."""

import dataclasses
import typing

from nova import exception
from nova.compute import vm_states
from oslo_log import log as logging

from fpga_nova.programs import Program

if typing.TYPE_CHECKING:
    from nova import context as nova_context
    from nova import objects

LOG = logging.getLogger(__name__)


def ask(
    context: "nova_context.RequestContext", instance: "objects.Instance", ended: Program
) -> Program:
    """Have Nova reboot a server, if it runs, and put that on record.

    :param ended: the program whose region its guest does not reach
    :returns: the program as it is on record then
    """
    if instance.vm_state != vm_states.ACTIVE:
        return ended
    # Not at the top: it takes longer to load than all else here.
    from nova.compute import api as compute_api

    try:
        compute_api.API().reboot(context.elevated(), instance, "HARD")
    except exception.NovaException as e:
        LOG.error("The server is not rebooted after its program: %s", e, instance=instance)
        return ended
    asked = dataclasses.replace(ended, reboot_required=False)
    try:
        instance.refresh()
        instance.system_metadata.update(asked.metadata())
        instance.save()
    except exception.InstanceNotFound:
        LOG.debug("Deleted meanwhile", instance=instance)
    return asked
