# SPDX-License-Identifier: Apache-2.0
"""Reads the regions of this host at start and with each audit, and has them reconciled."""

import dataclasses

from nova import exception
from oslo_config import cfg
from oslo_log import log as logging

from fpga_hooks.host import reconcile
from fpga_hooks.program import client, errors, last_look

CONF = cfg.CONF
LOG = logging.getLogger(__name__)


class Auditor:
    """The audits of a service.

    :ivar reconciler: what brings the regions back in line
    """

    def __init__(self) -> None:
        self.reconciler = reconcile.Reconciler()

    def start(self, host: str) -> None:
        """Look at the regions, and burn again what they have lost.

        Hardware that cannot be reached is no reason not to start: ordinary instances of the host
        need their nova-compute. The host then offers no regions.

        :raises nova.exception.InvalidConfiguration: fpga-cli cannot be run, or a region is
            simulated and simulation is not permitted
        """
        try:
            status = client.status()
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
        self.reconciler.start(host, status)

    def audit(self) -> int:
        """Reconcile, and count the regions that instances of this host have or may get.

        :returns: 0, too, where it is not known
        """
        last_look.ours.forget()
        try:
            status = client.status()
            if self.reconciler.audit(last_look.host(), status):
                status = client.status()
        except errors.CliError as e:
            LOG.error("This host offers no FPGA regions: %s", e.reason)
            return 0
        stray, claimed = self.reconciler.stray, self.reconciler.claimed
        regions = (
            dataclasses.replace(r, stray=r.id in stray, of_claim=r.id in claimed)
            for r in status.regions
        )
        status = dataclasses.replace(status, regions=tuple(regions))
        last_look.ours.record(status)
        return status.for_instances
