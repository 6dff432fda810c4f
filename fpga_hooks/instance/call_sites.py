# SPDX-License-Identifier: Apache-2.0
"""What an exception means at the call sites of Nova's compute manager (26 to 34).

build: BuildAbortException ends it; ComputeResourcesUnavailable and any other go back to the
    scheduler.
rebuild, the guest being gone: ComputeResourcesUnavailable says that nothing was touched and brings
    the old vm_state back, so it must not be raised; any other is ERROR.
evacuation, on its target: ComputeResourcesUnavailable says the same, and it is true, as the server
    is on its old host; any other is ERROR.
unshelve, resize, revert: any is a failure; unshelve cleans up, the others are ERROR.
check before a rebuild: `fpga_hooks.calls` makes of any that nothing was touched.

InstanceNotFound says at each of them that the instance was deleted meanwhile, and nothing else.
"""

import typing

from nova import exception
from nova.compute import task_states

from fpga_hooks.program import errors, last_look
from fpga_nova import request
from fpga_nova.contract import Exit

if typing.TYPE_CHECKING:
    from nova import objects

_REBUILD = frozenset(
    {
        task_states.REBUILDING,
        task_states.REBUILD_BLOCK_DEVICE_MAPPING,
        task_states.REBUILD_SPAWNING,
    }
)

#: No other host would cure these: the package, the image.
_EVERYWHERE = frozenset({Exit.BAD_PACKAGE, Exit.NO_IMAGE})


def rebuilds(instance: "objects.Instance") -> bool:
    """Whether an instance is rebuilt on this host, to which it belongs; no evacuation does."""
    rebuilt: bool = instance.task_state in _REBUILD and instance.host == last_look.host()
    return rebuilt


def resizes(instance: "objects.Instance") -> bool:
    """Whether an instance gets a flavor that asks for others, which no cold migration does."""
    if instance.task_state not in task_states.resizing_states:
        return False
    old, new = (getattr(instance, f"{kind}_flavor", None) for kind in ("old", "new"))
    return None not in (old, new) and request.wanted_of(old) != request.wanted_of(new)


def failure(error: errors.CliError, instance: "objects.Instance") -> exception.NovaException:
    """The Nova exception that ends what is done to the instance in the way this error deserves."""
    if error.code in _EVERYWHERE:
        return exception.BuildAbortException(instance_uuid=instance.uuid, reason=error.reason)
    if error.code in errors.OF_CARD and not rebuilds(instance):
        return exception.ComputeResourcesUnavailable(reason=error.reason)
    return exception.InstanceDeployFailure(reason=error.reason)
