# SPDX-License-Identifier: Apache-2.0
"""The project of each server that has a region.

Nova tells Placement the project of each server, in the record of the consumer. To ask Placement
costs a tenth of what it costs to ask Nova. A server whose project is not known is an operator's
alone to see.
"""

import concurrent.futures
import itertools
import typing
import uuid

from fpga_api.hosts.inventory import Inventory

#: Owners that one refresh looks up, and at a time: the others wait for the next refresh.
_MOST = 1000
_WORKERS = 8


class Owners:
    """The projects that were looked up; the project of a server never changes."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._projects: dict[str, str] = {}

    def projects(self, owners: typing.Collection[str]) -> dict[str, str]:
        """The project of each owner that has a known one.

        :raises errors.CloudUnavailable: Placement does not answer
        """
        wanted = {owner for owner in owners if _is_uuid(owner)}
        self._projects = {k: v for k, v in self._projects.items() if k in wanted}
        unknown = list(itertools.islice(sorted(wanted - self._projects.keys()), _MOST))
        with concurrent.futures.ThreadPoolExecutor(_WORKERS) as pool:
            found = zip(unknown, pool.map(self._inventory.project_of, unknown), strict=True)
            self._projects |= {owner: project for owner, project in found if project}
        return dict(self._projects)


def _is_uuid(owner: str) -> bool:
    # A host chooses the text; it becomes part of an address.
    try:
        return str(uuid.UUID(owner)) == owner
    except ValueError:
        return False
