# SPDX-License-Identifier: Apache-2.0
"""Whether a flavor or a region uses a bitstream."""

import typing
from urllib import parse

from keystoneauth1 import exceptions

from fpga_api import errors
from fpga_api.service import Service
from fpga_nova import request

#: The microversion of Nova from which a list of flavors has their extra specs.
_EXTRA_SPECS = "2.61"

#: The name of the document in which the engine publishes the regions of all hosts.
HOSTS = "hosts"
#: The state of a region that nobody has, in status.schema.json.
_FREE = "free"


def check_unused(service: Service, image_id: str) -> None:
    """See that nothing names a bitstream, as far as the service itself can see.

    Regions are those that the engine saw last; a host that does not answer has none there.

    :raises errors.BitstreamInUse: a flavor or a region has it
    :raises errors.Unavailable: Nova does not answer, so that it is not known
    """
    if any(image_id in request.bitstreams(specs).values() for specs in _extra_specs(service)):
        raise errors.BitstreamInUse(f"a flavor names the bitstream {image_id}")
    published = service.publication.read(HOSTS)
    if published and image_id in _images(published.document):
        raise errors.BitstreamInUse(f"a region has the bitstream {image_id}")


def _images(document: typing.Mapping[str, typing.Any]) -> set[str]:
    """The images in the regions that are not free."""
    regions = document["regions"]
    return {one["bitstream_id"] for one in regions if one["state"] != _FREE}


def _extra_specs(service: Service) -> typing.Iterator[dict[str, str]]:
    """The extra specs of all flavors, those included that few projects see."""
    query = {"is_public": "None"}
    try:
        nova = service.adapter("compute")
        while True:
            answer = nova.get("/flavors/detail", params=query, microversion=_EXTRA_SPECS).json()
            for flavor in answer["flavors"]:
                yield flavor["extra_specs"]
            links = answer.get("flavors_links") or []
            following = next((one["href"] for one in links if one["rel"] == "next"), None)
            if following is None:
                return
            query = dict(parse.parse_qsl(parse.urlsplit(following).query))
    except (exceptions.ClientException, ValueError, LookupError) as e:
        raise errors.Unavailable(
            "Nova does not answer, so whether a flavor names the bitstream is not known"
        ) from e
