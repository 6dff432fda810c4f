# SPDX-License-Identifier: Apache-2.0
"""Decides which bitstreams an instance is granted: at its build, and at a rebuild of its image.

Flavors are the operator's. What an image names is for the policy (`image_bitstreams`), which is
asked once: the grant stands until the server is rebuilt with an image that names another.
"""

import typing

from nova import exception

from fpga_hooks import accounting, column, grants, image_bitstreams, sites
from scheduler_filters import bitstreams

if typing.TYPE_CHECKING:
    from nova import context as nova_context
    from nova import objects


def decide(
    context: "nova_context.RequestContext", instance: "objects.Instance"
) -> dict[int, grants.Grant]:
    """What an instance whose guest is about to be made is granted, by number of the region.

    :raises nova.exception.BuildAbortException: it asks for what no host gives it
    :raises nova.exception.InstanceDeployFailure: this host cannot know whether it may have it
    """
    flaw = accounting.flaw(accounting.extra_specs_of(instance.flavor))
    if flaw is not None:
        raise exception.BuildAbortException(instance_uuid=instance.uuid, reason=flaw)
    return grants.of_flavor(instance.flavor) or _of_image(context, instance)


def _of_image(
    context: "nova_context.RequestContext", instance: "objects.Instance"
) -> dict[int, grants.Grant]:
    named, accepted = image_bitstreams.named_by(instance), grants.accepted(instance)
    if accepted is not None and (named == accepted or not sites.rebuilds(instance)):
        return grants.of_image(accepted)
    if named is None or not (column.read(instance) or image_bitstreams.may_get_one(instance)):
        return {}
    try:
        refusal = image_bitstreams.refusal(context, named)
    except bitstreams.UnansweredError as e:
        raise exception.InstanceDeployFailure(reason=str(e)) from e
    if refusal is not None:
        raise exception.BuildAbortException(instance_uuid=instance.uuid, reason=refusal)
    return grants.of_image(named)
