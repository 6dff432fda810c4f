# SPDX-License-Identifier: Apache-2.0
"""One at a time for each owner of a region: what builds, deletes and reconciles waits its turn.

Between programs the ledger's own locks hold; this one is for the steps of nova-compute, each of
which looks at Nova's database and at the ledger and then changes one of them.
"""

import contextlib
import typing

from oslo_concurrency import lockutils


@contextlib.contextmanager
def held(owner: str) -> typing.Iterator[None]:
    """Hold an owner; waits until whoever has it is done."""
    with lockutils.lock(_name(owner)):
        yield


@contextlib.contextmanager
def held_at_once(owner: str) -> typing.Iterator[bool]:
    """Hold an owner if nobody else does; gives whether it is held."""
    with contextlib.ExitStack() as lock:
        try:
            lock.enter_context(lockutils.lock(_name(owner), blocking=False))
        except lockutils.AcquireLockFailedException:
            yield False
            return
        yield True


def _name(owner: str) -> str:
    return f"fpga-owner-{owner}"
