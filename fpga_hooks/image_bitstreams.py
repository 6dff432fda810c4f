# SPDX-License-Identifier: Apache-2.0
"""Bitstreams that a container image names itself, where the operator accepts them.

A server asks for what its image names as if its flavor did, unless its flavor names any. The policy
is asked when a guest is made; what a server has it keeps, also where the policy changes.
"""

import typing

from nova.compute import task_states, vm_states
from oslo_config import cfg

from fpga_hooks import accounting, column, conf

if typing.TYPE_CHECKING:
    from nova import objects

CONF = cfg.CONF
conf.register_opts(CONF)

#: A guest exists; one is made anew while the server has one of the tasks below.
_MADE = frozenset(
    {
        vm_states.ACTIVE,
        vm_states.STOPPED,
        vm_states.PAUSED,
        vm_states.SUSPENDED,
        vm_states.RESCUED,
        vm_states.RESIZED,
        vm_states.SHELVED,
        vm_states.SOFT_DELETED,
        vm_states.ERROR,
    }
)
_MADE_ANEW = frozenset(
    {
        task_states.REBUILDING,
        task_states.REBUILD_BLOCK_DEVICE_MAPPING,
        task_states.REBUILD_SPAWNING,
        task_states.RESIZE_PREP,
        task_states.RESIZE_MIGRATING,
        task_states.RESIZE_MIGRATED,
        task_states.RESIZE_FINISH,
        task_states.RESIZE_REVERTING,
        task_states.SPAWNING,
    }
)


def extra_specs(
    instance: "objects.Instance", flavor: typing.Any = None, has_region: bool = False
) -> dict[str, str]:
    """The extra specs of a server's flavor, with what its image names where that counts.

    :param flavor: another than that which the instance has now
    :param has_region: it has one, whatever its column says
    """
    own = accounting.extra_specs_of(instance.flavor if flavor is None else flavor)
    if has_region or column.read(instance) or _may_get_one(instance):
        return accounting.with_image(own, named_by(instance))
    return own


def wanted(instance: "objects.Instance", has_region: bool = False) -> dict[int, str]:
    """The bitstream images that a server asks for, by number of the region; see extra_specs."""
    return accounting.bitstreams(extra_specs(instance, has_region=has_region))


def named_by(instance: "objects.Instance") -> str | None:
    """What the image of an instance names, whether or not that counts."""
    named: str | None = instance.system_metadata.get(accounting.IMAGE_METADATA)
    return named


def refusal(context: typing.Any, own: dict[str, str], named: str | None) -> str | None:
    """Why what an image names must not be burnt, for people; None if it may, or does not count.

    :param context: of the request, on whose behalf Glance is asked
    :param own: extra specs of the flavor
    """
    if named is None or accounting.with_image(own, named) is own:
        return None
    if not accounting.UUID.fullmatch(named):
        told = f"the image's {accounting.IMAGE_PROPERTY} is '{named}'"
        return f"{told}, which is not the uuid of an image"
    return _refusal_of(context, named)


def _may_get_one(instance: "objects.Instance") -> bool:
    if not CONF.fpga.image_bitstreams:
        return False
    return instance.vm_state not in _MADE or instance.task_state in _MADE_ANEW


def _refusal_of(context: typing.Any, image_id: str) -> str | None:
    from scheduler_filters import bitstreams

    what = f"the image names the bitstream {image_id}"
    told = bitstreams.describe(context, image_id)
    accepted = CONF.fpga.image_bitstreams
    if told is None:
        return f"{what}, which Glance does not tell"
    if not (told.public and "public" in accepted) and told.owner not in accepted:
        return f"{what}, which is not one that the operator accepts of images"
    if CONF.fpga.image_bitstreams_signed and not told.signed:
        return f"{what}, which has no signature"
    return None
