# SPDX-License-Identifier: Apache-2.0
"""Burns a region for an instance before its container is made."""

import typing

from nova import exception
from oslo_config import cfg
from oslo_log import log as logging

from fpga_hooks import accounting, base, cli, errors

if typing.TYPE_CHECKING:
    from nova import context as nova_context
    from nova import objects

CONF = cfg.CONF
LOG = logging.getLogger(__name__)


class FpgaBuildInstanceHook(base.Hook):
    """Burn at build; at start and with every audit, tell Nova what regions the host has."""

    def init_host(self, host: str) -> None:
        """Refuse to start where instances would get what the operator did not ask for.

        Hardware that cannot be reached is no reason not to start: ordinary instances of the host
        need their nova-compute. The host then offers no regions.

        :raises nova.exception.InvalidConfiguration: fpga-cli cannot be run, or a region is
            simulated and simulation is not permitted
        """
        try:
            status = cli.status()
        except errors.CliError as e:
            if e.misconfigured:
                raise exception.InvalidConfiguration(e.reason) from e
            LOG.error("The FPGA regions of host %s cannot be used: %s", host, e.reason)
            return
        simulated = [region.id for region in status.regions if region.simulated]
        if simulated and not CONF.fpga.simulation_mode:
            raise exception.InvalidConfiguration(
                f"{len(simulated)} of the {status.total} FPGA regions of host {host} are "
                "simulated; remove the emulator from fpga-cli.conf, or set [fpga] "
                "simulation_mode = True in nova.conf if that is what you want"
            )
        LOG.info("Host %s has %d FPGA regions, %d used", host, status.total, status.used)

    def build_instance(
        self,
        context: "nova_context.RequestContext",
        instance: "objects.Instance",
        image_meta: "objects.ImageMeta",
    ) -> None:
        """Burn the flavor's bitstream into a region and write the region's id to the instance.

        :raises nova.exception.NovaException: the region could not be burnt; see errors.to_nova
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
        try:
            region_id = cli.burn(image_id, instance.uuid)
        except errors.CliError as e:
            LOG.error("No FPGA region was burnt: %s", e.reason, instance=instance)
            raise errors.to_nova(e, instance.uuid) from e
        LOG.info("FPGA region %s burnt with image %s", region_id, image_id, instance=instance)
        if "fpga_device" in instance.fields:
            instance.fpga_device = region_id
            instance.save()

    def update_resources(self, resources: dict[str, typing.Any]) -> None:
        """Set how many regions instances of this host have or may get; 0 where it is not known."""
        try:
            resources["fpga_regions"] = cli.status().for_instances
        except errors.CliError as e:
            LOG.error("This host offers no FPGA regions: %s", e.reason)
            resources["fpga_regions"] = 0
