# SPDX-License-Identifier: Apache-2.0
"""Whether a flavor or a region uses a bitstream."""

import typing

from fpga_api import errors, publication
from fpga_api.peers import Peers
from fpga_api.service import Service
from fpga_nova import request

#: The state of a region that nobody has, in status.schema.json.
_FREE = "free"


def check_unused(service: Service, image_id: str) -> None:
    """See that nothing names a bitstream, as far as the service itself can see.

    Regions are those that the engine saw last; a host that does not answer has none there.

    :raises errors.BitstreamInUse: a flavor or a region has it
    :raises errors.Unavailable: Nova does not answer, or the hosts were not asked yet, so that it
        is not known
    """
    if _is_in_a_flavor(service, image_id):
        raise errors.BitstreamInUse(f"a flavor names the bitstream {image_id}")
    published = service.publication.read(publication.HOSTS)
    if published is None and service.conf.hosts.transport_url:
        raise errors.NotPublished(
            "the engine has not asked the hosts yet, so whether a region has the bitstream is not "
            "known"
        )
    if published and image_id in _images(published.document):
        raise errors.BitstreamInUse(f"a region has the bitstream {image_id}")


def _images(document: typing.Mapping[str, typing.Any]) -> set[str]:
    """The images in the regions that are not free."""
    regions = document["regions"]
    return {one["bitstream_id"] for one in regions if one["state"] != _FREE}


def _is_in_a_flavor(service: Service, image_id: str) -> bool:
    flavors = Peers(service.adapter).flavor_documents()
    try:
        return any(image_id in request.bitstreams(one["extra_specs"]).values() for one in flavors)
    except (errors.CloudUnavailable, LookupError) as e:
        raise errors.Unavailable(
            "Nova does not answer, so whether a flavor names the bitstream is not known"
        ) from e
