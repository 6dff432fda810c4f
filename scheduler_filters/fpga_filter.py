# SPDX-License-Identifier: Apache-2.0
"""Keeps a request for an FPGA region off hosts that have none left."""

import typing

from nova.scheduler import filters, utils
from oslo_log import log as logging

from fpga_nova import request

if typing.TYPE_CHECKING:
    from nova import objects

LOG = logging.getLogger(__name__)


class FpgaFilter(filters.BaseHostFilter):  # type: ignore[misc]
    """Passes a host that has as many free regions as the flavor asks for.

    A flavor asks by ``hw:fpga_ip_id``, by ``hw:fpga_function`` and by no other key, or by the
    resource class with the trait of a function. The host's count falls with each request
    that the same scheduler places on it, before the host itself reports.
    """

    def filter_all(
        self, filter_obj_list: typing.Iterable[typing.Any], spec_obj: "objects.RequestSpec"
    ) -> typing.Iterator[typing.Any]:
        """The hosts that may be asked; the request is read once, not once for each host.

        A rebuild stays on its host: it passes, as it does each filter without RUN_ON_REBUILD.
        """
        amount = _wanted(spec_obj)
        if not amount or utils.request_is_rebuild(spec_obj):
            return iter(filter_obj_list)
        return (host for host in filter_obj_list if self._passes(host, amount))

    def host_passes(self, host_state: typing.Any, spec_obj: "objects.RequestSpec") -> bool:
        """Whether the host may be asked; a refusal is logged with its figures."""
        return self._passes(host_state, _wanted(spec_obj))

    @staticmethod
    def _passes(host_state: typing.Any, amount: int) -> bool:
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


def _wanted(spec_obj: "objects.RequestSpec") -> int:
    return request.region_count(request.extra_specs_of(spec_obj.flavor))
