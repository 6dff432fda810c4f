# SPDX-License-Identifier: Apache-2.0
"""Reads the regions of this host at start and with each audit, and has them reconciled."""

import dataclasses

from nova import exception
from oslo_config import cfg
from oslo_log import log as logging

from fpga_hooks import cli, errors, reconcile

CONF = cfg.CONF
LOG = logging.getLogger(__name__)


#: What the last look told, by host; nothing before it, and after one that failed.
_last: dict[str, cli.Status] = {}

_reconciler = reconcile.Reconciler()


def name() -> str:
    """The name under which Nova knows this compute host."""
    return str(CONF.host)


def start(host: str) -> None:
    """Look at the regions, and burn again what they have lost.

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
    _reconciler.start(host, status)


def audit() -> int:
    """Reconcile, and tell how many regions instances of this host have or may get.

    :returns: 0, too, where it is not known
    """
    _last.pop(name(), None)
    try:
        status = cli.status()
        if _reconciler.audit(name(), status):
            status = cli.status()
    except errors.CliError as e:
        LOG.error("This host offers no FPGA regions: %s", e.reason)
        return 0
    stray = _reconciler.stray
    regions = (dataclasses.replace(r, stray=r.id in stray) for r in status.regions)
    status = dataclasses.replace(status, regions=tuple(regions))
    _last[name()] = status
    return status.for_instances


def last() -> cli.Status | None:
    """What the last audit saw; None before the first, and after one that could not see."""
    return _last.get(name())


def images(state: str) -> str:
    """The images of the regions in a state, as the last audit saw it; a free one may be warm."""
    status = last()
    regions = status.regions if status else ()
    return " ".join(sorted({r.image_id for r in regions if r.image_id and r.state == state}))
