# SPDX-License-Identifier: Apache-2.0
"""Turns ``hw:fpga_ip_id`` and ``hw:fpga_function`` into requests for regions to Placement.

FpgaFilter and the claim go on counting by the flavor alone, so a region that was asked for here is
counted once by each.
"""

import typing

from keystoneauth1 import exceptions as keystone
from nova import context as nova_context
from nova import exception, objects
from nova.scheduler.client import report
from oslo_config import cfg
from oslo_log import log as logging

from fpga_nova import bitstream_images, functions, image_bitstreams, request, traits
from fpga_nova.instance_request import InstanceRequest
from scheduler_filters import options, quota

CONF = cfg.CONF
LOG = logging.getLogger(__name__)

options.register_opts(CONF)

#: What a group is called, with its number after it, in the request and in the answer's mapping to
#: providers.
REQUESTER = "fpga-region-"

#: The first version of Placement that knows traits.
_TRAITS = "1.6"


def request_regions(context: typing.Any, request_spec: "objects.RequestSpec") -> bool:
    """Add a group of one CUSTOM_FPGA_REGION for each region, where the flavor does not say so.

    A group of its own, and not a part of the flavor's unnumbered one, may be met by a child
    provider, too. It requires the traits of the card that the bitstream image is for, so that a
    host with other cards is never asked.

    What a container image names is written into the request's copy of the flavor, where the
    operator accepts it, so that FpgaFilter counts it. A function is asked for by its trait, also
    without ``request_placement``. Where no card has the trait any more, a server that moves asks by
    the bitstream that it was granted.

    :returns: whether any was added
    :raises nova.exception.RequestFilterFailed: the flavor asks for what can be had nowhere, the
        image for what the operator does not accept, or both for more than the project may have
    """
    extra_specs = request.extra_specs_of(request_spec.flavor)
    flaw = request.flaw(extra_specs)
    if flaw is not None:
        raise exception.RequestFilterFailed(reason=flaw)
    required = _of_functions(context, request_spec, extra_specs)
    if not request.region_count(extra_specs):
        extra_specs = _with_image(context, request_spec, extra_specs)
        request_spec.flavor.extra_specs = extra_specs
    if not quota.asks_scheduler(extra_specs):
        return False
    own = request_spec.requested_resources if "requested_resources" in request_spec else None
    groups = list(own or ())
    if any((group.requester_id or "").startswith(REQUESTER) for group in groups):
        return False
    count = request.region_count(extra_specs)
    if CONF.fpga.request_quota and count:
        amount = quota.added(request_spec, _server(context, request_spec), count)
        quota.check(context, request_spec.project_id, amount)
    for number, image_id in request.bitstreams(extra_specs).items():
        required[number] = _required_traits(context, image_id)
    additions = [_group(number, required[number]) for number in sorted(required)]
    request_spec.requested_resources = [*groups, *additions]
    return bool(additions)


def _with_image(
    context: typing.Any, request_spec: "objects.RequestSpec", own: dict[str, str]
) -> dict[str, str]:
    """The extra specs with the bitstream that was granted for the image, or that it names.

    Where Glance does not answer, the host asks again, and its claim counts.

    :raises nova.exception.RequestFilterFailed: the operator does not accept it of images
    """
    if not CONF.fpga.image_bitstreams:
        return own
    server = _server(context, request_spec)
    metadata = server.system_metadata if server else {}
    image_id, refusal = metadata.get(request.ACCEPTED_METADATA), None
    if image_id is not None:
        return request.with_image(own, image_id)
    try:
        # The image in the request may be one with which a rebuild was refused.
        image_id = (
            metadata.get(request.IMAGE_METADATA)
            if server
            else _bitstream_of_image(context, request_spec)
        )
        refusal = image_bitstreams.refusal(context, image_id) if image_id else None
    except bitstream_images.UnansweredError as e:
        LOG.warning("Hosts will ask for themselves: %s", e)
    if refusal is not None:
        raise exception.RequestFilterFailed(reason=refusal)
    return request.with_image(own, image_id)


def _server(context: typing.Any, request_spec: "objects.RequestSpec") -> "objects.Instance | None":
    """The server that is to be moved; None for a new one, which is in no cell."""
    uuid = request_spec.instance_uuid if "instance_uuid" in request_spec else None
    if uuid is None:
        return None
    try:
        cell = objects.InstanceMapping.get_by_instance_uuid(context, uuid).cell_mapping
        if cell is None:
            return None
        with nova_context.target_cell(context, cell) as in_cell:
            attributes = ["flavor", "system_metadata"]
            return objects.Instance.get_by_uuid(in_cell, uuid, expected_attrs=attributes)
    except (exception.InstanceMappingNotFound, exception.InstanceNotFound):
        return None


def _bitstream_of_image(context: typing.Any, request_spec: "objects.RequestSpec") -> str | None:
    """What the container image names; Nova leaves properties that it does not know out."""
    image = request_spec.image if "image" in request_spec else None
    if image is None or "id" not in image or not image.id:
        return None
    answer = bitstream_images.describe(context, image.id)
    return answer.names if answer else None


def _of_functions(
    context: typing.Any, request_spec: "objects.RequestSpec", extra_specs: dict[str, str]
) -> dict[int, set[str]]:
    """What a card must be for the functions that a flavor asks for, by number of the region.

    :raises nova.exception.RequestFilterFailed: no card has one, and none was granted
    """
    wanted = request.functions_wanted(extra_specs)
    missing = [function for function in sorted(set(wanted.values())) if not _is_had(function)]
    required = {number: {functions.trait(function)} for number, function in wanted.items()}
    server = _server(context, request_spec) if missing else None
    granted = (InstanceRequest.of(server).grants if server else None) or {}
    for number, function in wanted.items():
        if function not in missing:
            continue
        grant = granted.get(number)
        # What the flavor requires by a trait itself, Placement requires in any case.
        if grant is None or grant.function != function or request.names_resource(extra_specs):
            reason = (
                f"no host has the function '{function}': no card has the trait "
                f"{functions.trait(function)} in Placement"
            )
            raise exception.RequestFilterFailed(reason=reason)
        required[number] = _required_traits(context, grant.image_id)
    return required


def _is_had(function: str) -> bool:
    """Whether any card has a function; also where Placement does not say."""
    name = functions.trait(function)
    url = f"/traits?name=in:{name}&associated=true"
    try:
        answer = report.report_client_singleton().get(url, version=_TRAITS)
    except keystone.ClientException as e:
        LOG.warning("Whether any card has the trait %s is not known: %s", name, e)
        return True
    return answer.status_code != 200 or name in answer.json()["traits"]


def _group(number: int, required: set[str]) -> "objects.RequestGroup":
    LOG.debug(
        "Asking Placement for %s with %s",
        request.RESOURCE_CLASS,
        ", ".join(sorted(required)) or "any traits",
    )
    return objects.RequestGroup(
        requester_id=f"{REQUESTER}{number}",
        resources={request.RESOURCE_CLASS: 1},
        required_traits=required,
    )


def _required_traits(context: typing.Any, image_id: str) -> set[str]:
    """What a card must be for an image; nothing where that is not known."""
    kinds = CONF.fpga.image_traits
    try:
        bitstream = bitstream_images.describe(context, image_id) if kinds else None
    except bitstream_images.UnansweredError as e:
        LOG.warning("Hosts with any card will be asked: %s", e)
        return set()
    values = {kind: getattr(bitstream, kind, None) for kind in kinds}
    return {traits.name(kind, value) for kind, value in values.items() if value}
