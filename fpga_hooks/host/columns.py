# SPDX-License-Identifier: Apache-2.0
"""Has the column of an instance name the regions that the ledger has for it."""

import typing

from oslo_log import log as logging

from fpga_nova import column, request

if typing.TYPE_CHECKING:
    from nova import objects

LOG = logging.getLogger(__name__)


def differs(instance: "objects.Instance", ids: dict[int, str]) -> bool:
    """Whether the column names others than these regions, by number."""
    return column.known(instance) and column.read(instance) != request.joined(ids)


def repair(instance: "objects.Instance", ids: dict[int, str], log: bool) -> None:
    """Have the column name these regions, by number.

    :param log: whether to say that it did not
    """
    if not differs(instance, ids):
        return
    value = request.joined(ids)
    if log:
        LOG.warning(
            "The database had FPGA region %s, the ledger has %s; the database was corrected",
            column.read(instance) or "none",
            value or "none",
            instance=instance,
        )
    column.write(instance, value)
