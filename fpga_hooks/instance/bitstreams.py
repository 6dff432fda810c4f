# SPDX-License-Identifier: Apache-2.0
"""Which bitstreams are in the regions of an instance."""

import typing

from oslo_config import cfg

from fpga_hooks.instance import background, call_sites
from fpga_hooks.program import client, errors, published
from fpga_nova.instance_request import InstanceRequest

if typing.TYPE_CHECKING:
    from nova import objects

CONF = cfg.CONF


def owner(instance: "objects.Instance") -> str | None:
    """Who holds the regions of an instance; None if it has no regions."""
    if not CONF.fpga.access:
        return None
    request = InstanceRequest.of(instance)
    return str(request.owner) if request.bitstreams else None


def digests(instance: "objects.Instance") -> tuple[str, ...]:
    """The digests of what is in an instance's regions, in order of their numbers.

    Waits for the burn, if it goes on still.

    :raises nova.exception.NovaException: they are not known, or the burn failed
    """
    if not CONF.fpga.access:
        return ()
    request = background.burns.finish(instance) or InstanceRequest.of(instance)
    numbers = sorted(request.bitstreams)
    if not numbers:
        return ()
    try:
        regions = published.owned_by(request.owner, numbers)
        regions = regions or client.status().owned_by(request.owner)
        found = [regions[number].digest for number in numbers if number in regions]
        if len(found) != len(numbers) or not all(found):
            raise errors.CliError(None, "what is in the regions of the instance is not known")
    except errors.CliError as e:
        raise call_sites.failure(e, instance) from e
    return tuple(str(digest) for digest in found)
