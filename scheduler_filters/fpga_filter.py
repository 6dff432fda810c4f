# SPDX-License-Identifier: Apache-2.0
"""Keeps a request for an FPGA region off hosts that have none left."""

import typing

from nova.scheduler import filters
from oslo_log import log as logging

from fpga_nova import request

if typing.TYPE_CHECKING:
    from nova import objects

LOG = logging.getLogger(__name__)


class FpgaFilter(filters.BaseHostFilter):  # type: ignore[misc]
    """Passes a host that has as many free regions as the flavor asks for.

    A flavor asks by ``hw:fpga_ip_id`` and by no other key. The host's count falls with each request
    that the same scheduler places on it, before the host itself reports.
    """

    def host_passes(self, host_state: typing.Any, spec_obj: "objects.RequestSpec") -> bool:
        """Whether the host may be asked; a refusal is logged with its figures."""
        amount = request.region_count(request.extra_specs_of(spec_obj.flavor))
        free = request.regions_free(host_state)
        if amount <= free:
            return True
        LOG.info(
            "FpgaFilter: %(host)s has %(free)d of %(total)d FPGA regions free, %(wanted)d wanted",
            {
                "host": host_state.host,
                "free": free,
                "total": request.count(host_state, "fpga_regions"),
                "wanted": amount,
            },
        )
        return False
