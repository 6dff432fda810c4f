# SPDX-License-Identifier: Apache-2.0
"""Orders the hosts that passed the filters by their FPGA regions."""

import typing

from nova.scheduler import utils, weights
from oslo_config import cfg

from fpga_nova import request
from scheduler_filters import options

if typing.TYPE_CHECKING:
    from nova import objects

CONF = cfg.CONF

options.register_opts(CONF)

#: What a bitstream in use by another server counts, where a free region that holds it counts 1.
_FETCHED = 0.5


class FpgaWeigher(weights.BaseHostWeigher):  # type: ignore[misc]
    """Packs or spreads what wants a region, and keeps what wants none off hosts with free ones.

    Hosts with a free region that holds the bitstream warm go first. One that has it programmed for
    another server has fetched and checked it already.
    """

    def weight_multiplier(self, host_state: typing.Any) -> float:
        """The option, or what the host's aggregates say instead."""
        return float(
            utils.get_weight_multiplier(
                host_state, "fpga_weight_multiplier", CONF.fpga.weight_multiplier
            )
        )

    def _weigh_object(self, host_state: typing.Any, spec_obj: "objects.RequestSpec") -> float:
        free = request.share_free(host_state)
        images = request.bitstreams_of(spec_obj.flavor).values()
        if not images:
            return -free if CONF.fpga.keep_free else 0.0
        share = free if CONF.fpga.strategy == "spread" else 1.0 - free
        warm = request.images(host_state, "free")
        in_use = request.images(host_state, "programmed")
        parts = sum(1.0 if i in warm else _FETCHED * (i in in_use) for i in images)
        return float(share + CONF.fpga.warm_weight * parts / len(images))
