# SPDX-License-Identifier: Apache-2.0
"""Decides which bitstreams an instance is granted: at its build, and at a rebuild of its image.

Flavors are the operator's. What an image names is for the policy (`image_bitstreams`), which is
asked once: the grant stands until the server is rebuilt with an image that names another.
"""

import contextlib
import typing

from nova import exception
from oslo_log import log as logging

from fpga_hooks.instance import call_sites, needs, owner_locks
from fpga_hooks.program import client, errors
from fpga_nova import bitstream_images, column, grants, image_bitstreams, request

if typing.TYPE_CHECKING:
    from nova import context as nova_context
    from nova import objects

LOG = logging.getLogger(__name__)


def decide(
    context: "nova_context.RequestContext", instance: "objects.Instance"
) -> dict[int, grants.Grant]:
    """What an instance whose guest is about to be made is granted, by number of the region.

    :raises nova.exception.BuildAbortException: it asks for what no host gives it
    :raises nova.exception.InstanceDeployFailure: this host cannot know whether it may have it
    """
    flaw = request.flaw(request.extra_specs_of(instance.flavor))
    if flaw is not None:
        raise exception.BuildAbortException(instance_uuid=instance.uuid, reason=flaw)
    return grants.of_flavor(instance.flavor) or _of_image(context, instance)


def adopt(host: str) -> None:
    """Put on record what instances of this host hold that were built before there was a record.

    Once, when the service starts. Where the regions cannot be looked at, the next start does it.
    """
    of_before = [one for one in needs.instances_of(host).values() if _has_no_record(one)]
    if not of_before:
        return
    try:
        status = client.status()
    except errors.CliError as e:
        LOG.error("What instances of host %s were granted is not put on record: %s", host, e)
        return
    for instance in of_before:
        with owner_locks.held_at_once(instance.uuid) as held:
            if held and needs.still_here(instance, host) and _has_no_record(instance):
                regions = status.owned_by(instance.uuid)
                with contextlib.suppress(exception.InstanceNotFound):
                    grants.record(instance, grants.or_derived(instance, regions))


def _has_no_record(instance: "objects.Instance") -> bool:
    return bool(column.read(instance)) and not grants.known(instance)


def _of_image(
    context: "nova_context.RequestContext", instance: "objects.Instance"
) -> dict[int, grants.Grant]:
    named, accepted = image_bitstreams.named_by(instance), grants.accepted(instance)
    if accepted is not None and (named == accepted or not call_sites.rebuilds(instance)):
        return grants.of_image(accepted)
    if named is None or not (column.read(instance) or image_bitstreams.may_get_one(instance)):
        return {}
    try:
        refusal = image_bitstreams.refusal(context, named)
    except bitstream_images.UnansweredError as e:
        raise exception.InstanceDeployFailure(reason=str(e)) from e
    if refusal is not None:
        raise exception.BuildAbortException(instance_uuid=instance.uuid, reason=refusal)
    return grants.of_image(named)
