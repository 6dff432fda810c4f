# SPDX-License-Identifier: Apache-2.0
"""Bitstreams that a container image names itself, where the operator accepts them.

A server asks for what its image names as if its flavor did, unless its flavor names any. The policy
is asked when the bitstream is granted (`entitlement`); what a server has it keeps, also where the
policy changes.
"""

import typing

from nova.compute import task_states, vm_states
from oslo_config import cfg

from fpga_nova import column, grants, options, request

if typing.TYPE_CHECKING:
    from nova import objects

CONF = cfg.CONF
options.register_opts(CONF)

#: A guest exists; one is made anew while the server has one of the tasks below.
_STATES_WITH_GUEST = frozenset(
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
_REBUILD_TASKS = frozenset(
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


def extra_specs(instance: "objects.Instance", flavor: typing.Any = None) -> dict[str, str]:
    """The extra specs of a server's flavor, with what its image names where that counts.

    :param flavor: another than that which the instance has now
    """
    own = request.extra_specs_of(instance.flavor if flavor is None else flavor)
    if request.bitstreams(own):
        return own
    accepted = grants.accepted(instance)
    of_before = not grants.known(instance) and column.read(instance)
    if accepted is None and (of_before or may_get_one(instance)):
        accepted = named_by(instance)
    return request.with_image(own, accepted)


def wanted(instance: "objects.Instance") -> dict[int, str]:
    """The bitstream images that a server has a right to, by number of the region.

    Of one that was built before grants were on record, what it asks for; see extra_specs.
    """
    if grants.known(instance):
        return {number: grant.image_id for number, grant in grants.of(instance).items()}
    return request.bitstreams(extra_specs(instance))


def named_by(instance: "objects.Instance") -> str | None:
    """What the image of an instance names, whether or not that counts."""
    named: str | None = instance.system_metadata.get(request.IMAGE_METADATA)
    return named


def may_get_one(instance: "objects.Instance") -> bool:
    """Whether the instance is at a step that may give it what its image names."""
    if not CONF.fpga.image_bitstreams:
        return False
    return instance.vm_state not in _STATES_WITH_GUEST or instance.task_state in _REBUILD_TASKS


def refusal(context: typing.Any, named: str) -> str | None:
    """Why a bitstream that an image names must not be burnt, for people; None if it may.

    :param context: of the request, on whose behalf Glance is asked
    :raises fpga_nova.bitstream_images.UnansweredError: Glance does not answer, so it is not known
    """
    from fpga_nova import bitstream_images

    if not request.UUID.fullmatch(named):
        property_value = f"the image's {request.IMAGE_PROPERTY} is '{named}'"
        return f"{property_value}, which is not the uuid of an image"
    what = f"the image names the bitstream {named}"
    found = bitstream_images.describe(context, named)
    accepted = CONF.fpga.image_bitstreams
    if found is None:
        return f"{what}, which Glance does not have or does not show to you"
    if not (found.public and "public" in accepted) and found.owner not in accepted:
        return f"{what}, which is not one that the operator accepts of images"
    if CONF.fpga.image_bitstreams_signed and not found.signed:
        return f"{what}, which has no signature"
    return None
