# SPDX-License-Identifier: Apache-2.0
"""Burns that go on beside the rest of a build: network set-up, the fetch of the image.

A build starts its burn here and goes on. Whoever needs the region waits for it: the virt driver
when it makes the guest, if it said that it does, and the build hook at once otherwise.
"""

import concurrent.futures
import threading
import typing

from oslo_log import log as logging

from fpga_hooks.instance import call_sites
from fpga_hooks.program import errors
from fpga_nova import column, request

if typing.TYPE_CHECKING:
    from nova import objects

LOG = logging.getLogger(__name__)

#: Ids of regions by number.
_Regions = dict[int, str]

_lock = threading.Lock()
_going_on: dict[str, concurrent.futures.Future[_Regions]] = {}
_begun: set[str] = set()
_driver_waits = False


def driver_waits() -> None:
    """Say that the virt driver waits for the regions of an instance before it makes its guest."""
    global _driver_waits
    _driver_waits = True


def awaited_by_driver() -> bool:
    """Whether the virt driver waits for regions itself."""
    return _driver_waits


def start(owner: str, burn: typing.Callable[[], _Regions]) -> None:
    """Begin a burn for an owner in a thread of its own.

    :param burn: what to do; its result, or the CliError that it raises, is for `result`
    :raises errors.CliError: the host has no thread for it
    """
    future: concurrent.futures.Future[_Regions] = concurrent.futures.Future()
    settle(owner)
    with _lock:
        _going_on[owner] = future
        _begun.add(owner)
    try:
        threading.Thread(target=_run, args=(future, burn), name=f"burn for {owner}").start()
    except (RuntimeError, MemoryError) as e:
        failure = errors.CliError(None, f"the host cannot start a thread for the burn: {e}")
        future.set_exception(failure)  # for who waits for it already
        settle(owner)
        raise failure from e


def result(owner: str) -> _Regions | None:
    """Wait for the burn of an owner and take its result; None where there is none to wait for.

    :raises fpga_hooks.program.errors.CliError: the burn did not succeed
    """
    with _lock:
        future = _going_on.pop(owner, None)
    return future.result() if future else None


def finish(instance: "objects.Instance") -> None:
    """Wait for the burn of an instance, if one goes on, and write the regions' ids to the instance.

    :raises nova.exception.NovaException: a region could not be burnt
    """
    try:
        region_ids = result(instance.uuid)
    except errors.CliError as e:
        LOG.error("No FPGA region was burnt: %s", e.reason, instance=instance)
        raise call_sites.failure(e, instance) from e
    if region_ids is not None:
        value = request.joined(region_ids)
        LOG.info("FPGA region %s burnt", value, instance=instance)
        column.write(instance, value)


def begun(owner: str) -> bool:
    """Whether this process has begun a burn for an owner that was not settled since."""
    return owner in _begun


def settle(owner: str) -> None:
    """Wait until no burn goes on for an owner, whatever comes of it."""
    with _lock:
        _begun.discard(owner)
        future = _going_on.pop(owner, None)
    if future:
        concurrent.futures.wait([future])


def _run(future: concurrent.futures.Future[_Regions], burn: typing.Callable[[], _Regions]) -> None:
    try:
        future.set_result(burn())
    except BaseException as e:
        future.set_exception(e)
