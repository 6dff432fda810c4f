# SPDX-License-Identifier: Apache-2.0
"""Burns a region for an instance before its container is made."""

import functools
import typing

from nova import exception
from oslo_log import log as logging

from fpga_hooks import accounting, base, burns, cli, column, errors, owners
from fpga_hooks import host as host_regions

if typing.TYPE_CHECKING:
    from nova import context as nova_context
    from nova import objects

LOG = logging.getLogger(__name__)


class FpgaBuildInstanceHook(base.Hook):
    """Burn at build; at start and with every audit, tell Nova what regions the host has."""

    def init_host(self, host: str) -> None:
        """Refuse to start where instances would get what the operator did not ask for.

        :raises nova.exception.InvalidConfiguration: see fpga_hooks.host.start
        """
        host_regions.start(host)

    def build_instance(
        self,
        context: "nova_context.RequestContext",
        instance: "objects.Instance",
        image_meta: "objects.ImageMeta",
    ) -> None:
        """Burn the flavor's bitstream into a region, beside what else the build does.

        :raises nova.exception.NovaException: the region could not be burnt; see errors.to_nova.
            Where the driver waits itself, it gets this
        """
        image_id = accounting.bitstream_of(instance.flavor)
        if image_id is None:
            return
        if not accounting.UUID.fullmatch(image_id):
            raise exception.BuildAbortException(
                instance_uuid=instance.uuid,
                reason=f"the flavor's {accounting.EXTRA_SPEC} is '{image_id}', which is not the "
                "uuid of an image; the operator has to set it to one",
            )
        burns.start(instance.uuid, functools.partial(_burn, image_id, instance.uuid))
        if not burns.awaited_by_driver():
            finish(instance)

    def update_resources(self, resources: dict[str, typing.Any]) -> None:
        """Set how many regions instances of this host have or may get; 0 where it is not known.

        What they are programmed with is told among the host's stats, for FpgaWeigher.
        """
        resources["fpga_regions"] = host_regions.audit()
        resources["stats"] = {**resources.get("stats", {}), accounting.STAT: host_regions.images()}


def finish(instance: "objects.Instance") -> None:
    """Wait for the burn of an instance, if one goes on, and write the region's id to the instance.

    :raises nova.exception.NovaException: the region could not be burnt
    """
    try:
        region_id = burns.result(instance.uuid)
    except errors.CliError as e:
        LOG.error("No FPGA region was burnt: %s", e.reason, instance=instance)
        raise errors.to_nova(e, instance.uuid) from e
    if region_id is not None:
        LOG.info("FPGA region %s burnt", region_id, instance=instance)
        column.write(instance, region_id)


def _burn(image_id: str, owner: str) -> str:
    with owners.held(owner):
        return cli.burn(image_id, owner)
