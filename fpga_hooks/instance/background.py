# SPDX-License-Identifier: Apache-2.0
"""Burns that go on beside the rest of a build: network set-up, the fetch of the image.

A build starts its burn here and goes on. Whoever needs the region waits for it: the virt driver
when it makes the guest, if it said that it does, and the build hook at once otherwise.
"""

import concurrent.futures
import dataclasses
import threading
import typing

from oslo_log import log as logging

from fpga_hooks.instance import call_sites
from fpga_hooks.program import errors
from fpga_nova import column
from fpga_nova.instance_request import InstanceRequest
from fpga_nova.request import joined

if typing.TYPE_CHECKING:
    from nova import objects

LOG = logging.getLogger(__name__)

#: Ids of regions by number.
_Regions = dict[int, str]


@dataclasses.dataclass(frozen=True)
class _Burn:
    request: InstanceRequest
    future: concurrent.futures.Future[_Regions]

    def run(self, burn: typing.Callable[[], _Regions]) -> None:
        try:
            self.future.set_result(burn())
        except BaseException as e:
            self.future.set_exception(e)


class Burns:
    """The burns of a service that go on, by owner.

    :ivar awaited_by_driver: whether the virt driver waits for the regions of an instance itself,
        before it makes the guest
    """

    def __init__(self) -> None:
        self.awaited_by_driver = False
        self._lock = threading.Lock()
        self._burns: dict[str, _Burn] = {}
        self._owners: set[str] = set()

    def start(self, request: InstanceRequest, burn: typing.Callable[[], _Regions]) -> None:
        """Begin a burn for an instance in a thread of its own.

        :param request: with the grants that are on record already
        :param burn: what to do; its result, or the CliError that it raises, is for `finish`
        :raises errors.CliError: the host has no thread for it
        """
        entry = _Burn(request, concurrent.futures.Future())
        owner = request.owner
        self.settle(owner)
        with self._lock:
            self._burns[owner] = entry
            self._owners.add(owner)
        try:
            threading.Thread(target=entry.run, args=(burn,), name=f"burn for {owner}").start()
        except (RuntimeError, MemoryError) as e:
            failure = errors.CliError(None, f"the host cannot start a thread for the burn: {e}")
            entry.future.set_exception(failure)  # for who waits for it already
            self.settle(owner)
            raise failure from e

    def finish(self, instance: "objects.Instance") -> InstanceRequest | None:
        """Wait for the burn of an instance, and set the regions' ids, which Nova saves.

        :returns: what was burnt for; None where no burn goes on
        :raises nova.exception.NovaException: a region could not be burnt
        """
        with self._lock:
            entry = self._burns.pop(instance.uuid, None)
        if entry is None:
            return None
        try:
            value = joined(entry.future.result())
        except errors.CliError as e:
            LOG.error("No FPGA region was burnt: %s", e.reason, instance=instance)
            raise call_sites.failure(e, instance) from e
        LOG.info("FPGA region %s burnt", value, instance=instance)
        column.write(instance, value, at_once=False)
        return entry.request

    def begun(self, owner: str) -> bool:
        """Whether this process has begun a burn for an owner that was not settled since."""
        return owner in self._owners

    def settle(self, owner: str) -> None:
        """Wait until no burn goes on for an owner, whatever comes of it."""
        with self._lock:
            self._owners.discard(owner)
            entry = self._burns.pop(owner, None)
        if entry is not None:
            concurrent.futures.wait([entry.future])


#: Those of this service.
burns = Burns()
