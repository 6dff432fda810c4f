# SPDX-License-Identifier: Apache-2.0
"""``instances.fpga_device``: the database's copy of the ids of an instance's regions.

The ledger is the truth. The copy is for people and for the API, and a service that is not patched
does not know it.
"""

import typing

from nova import exception
from oslo_log import log as logging

if typing.TYPE_CHECKING:
    from nova import objects

LOG = logging.getLogger(__name__)


def known(instance: "objects.Instance") -> bool:
    """Whether the service that gave the instance knows the column."""
    return "fpga_device" in instance.fields and "fpga_device" in instance


def read(instance: "objects.Instance") -> str | None:
    """The ids that the copy holds; None, too, where the column is not known."""
    return instance.fpga_device if known(instance) else None


def write(instance: "objects.Instance", value: str | None, at_once: bool = True) -> None:
    """Set the copy; an instance that was deleted meanwhile needs none.

    :param at_once: not where Nova (26 to 34) itself saves the instance right after: at the end of
        each call site at which a guest is made, and of a delete. That saves a call of the conductor
    """
    if "fpga_device" not in instance.fields:
        return
    instance.fpga_device = value
    if not at_once:
        return
    try:
        instance.save()
    except exception.InstanceNotFound:
        LOG.debug("Deleted meanwhile, its column with it", instance=instance)
