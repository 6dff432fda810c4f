# SPDX-License-Identifier: Apache-2.0
"""The project of each server or claim that has a region.

Nova tells Placement the project of each server, in the record of the consumer. To ask Placement
costs a tenth of what it costs to ask Nova. A server whose project is not known is an operator's
alone to see.
"""

import concurrent.futures
import itertools
import typing
import uuid

from fpga_api.hosts.inventory import Consumer, Inventory

#: Owners that one refresh looks up, and at a time: the others wait for the next refresh.
_MOST = 1000
_WORKERS = 8


class Owners:
    """The consumers that were looked up; the project of a server never changes."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._consumers: dict[str, Consumer] = {}

    def consumers(self, owners: typing.Collection[str]) -> dict[str, Consumer]:
        """The consumer that each owner is which Placement knows.

        :raises errors.CloudUnavailable: Placement does not answer
        """
        wanted = {owner for owner in owners if _is_uuid(owner)}
        self._consumers = {k: v for k, v in self._consumers.items() if k in wanted}
        unknown = list(itertools.islice(sorted(wanted - self._consumers.keys()), _MOST))
        with concurrent.futures.ThreadPoolExecutor(_WORKERS) as pool:
            found = zip(unknown, pool.map(self._inventory.consumer, unknown), strict=True)
            self._consumers |= {owner: one for owner, one in found if one}
        return dict(self._consumers)


def _is_uuid(owner: str) -> bool:
    # A host chooses the text; it becomes part of an address.
    try:
        return str(uuid.UUID(owner)) == owner
    except ValueError:
        return False
