# SPDX-License-Identifier: Apache-2.0
"""Decides which bitstreams an instance is granted: at its build, and at a rebuild of its image.

Flavors are the operator's; for a function that one asks for, the host chooses the bitstream
(`function_grants`). What an image names is for the policy (`image_bitstreams`), which is
asked once: the grant stands until the server is rebuilt with an image that names another. What was
programmed into the running server stands through moves, until it is rebuilt or resized.
"""

import contextlib
import typing

from nova import exception
from oslo_log import log as logging

from fpga_hooks.instance import call_sites, function_grants, needs, owner_locks
from fpga_hooks.program import client, errors
from fpga_nova import bitstream_images, grants, host_status, image_bitstreams
from fpga_nova.instance_request import InstanceRequest

if typing.TYPE_CHECKING:
    from nova import context as nova_context
    from nova import objects

LOG = logging.getLogger(__name__)


def decide(context: "nova_context.RequestContext", instance: "objects.Instance") -> InstanceRequest:
    """What an instance whose guest is about to be made asks for, with what it is granted.

    :raises nova.exception.BuildAbortException: it asks for what no host gives it
    :raises nova.exception.InstanceDeployFailure: this host cannot know whether it may have it
    :raises nova.exception.ComputeResourcesUnavailable: another host may have what this one has not
    """
    request = InstanceRequest.of(instance)
    if request.flaw is not None:
        raise exception.BuildAbortException(instance_uuid=request.owner, reason=request.flaw)
    rebuild = call_sites.rebuilds(instance)
    ended = rebuild or call_sites.resizes(instance)
    of_programs = {} if ended else grants.programmed(request.grants)
    try:
        of_functions = function_grants.decide(context, request, of_programs)
    except errors.CliError as e:
        raise call_sites.failure(e, instance) from e
    of_flavor = dict(sorted((grants.of_flavor(request.extra_specs) | of_functions).items()))
    rights = of_flavor or _of_image(context, request, rebuild)
    rights = rights | {n: grant for n, grant in of_programs.items() if n in rights}
    return request.granted(rights)


def adopt(host: str) -> None:
    """Put on record what instances of this host hold that were built before there was a record.

    Once, when the service starts. Where the regions cannot be looked at, the next start does it.
    """
    instances = [one for one in needs.instances_of(host).values() if _request_of_before(one)]
    if not instances:
        return
    try:
        status = client.status()
    except errors.CliError as e:
        LOG.error("What instances of host %s were granted is not put on record: %s", host, e)
        return
    for instance in instances:
        with owner_locks.held_at_once(instance.uuid) as held:
            if held and needs.still_here(instance, host):
                _adopt(instance, status)


def _adopt(instance: "objects.Instance", status: host_status.Status) -> None:
    request = _request_of_before(instance)
    if request is None:
        return
    with contextlib.suppress(exception.InstanceNotFound):
        due = request.due(status.owned_by(request.owner))
        request.granted(due).put_on_record(instance)


def _request_of_before(instance: "objects.Instance") -> InstanceRequest | None:
    """The request of an instance that has regions and no record; None for any other."""
    request = InstanceRequest.of(instance)
    return request if request.device and request.grants is None else None


def _of_image(
    context: "nova_context.RequestContext", request: InstanceRequest, rebuild: bool
) -> grants.Grants:
    image_id, bitstream = request.image_bitstream, request.accepted_bitstream
    if bitstream is not None and (image_id == bitstream or not rebuild):
        return grants.of_image(bitstream)
    if image_id is None or not (request.device or request.open_to_image):
        return {}
    try:
        refusal = image_bitstreams.refusal(context, image_id)
    except bitstream_images.UnansweredError as e:
        raise exception.InstanceDeployFailure(reason=str(e)) from e
    if refusal is not None:
        raise exception.BuildAbortException(instance_uuid=request.owner, reason=refusal)
    return grants.of_image(image_id)
