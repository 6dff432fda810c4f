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
    another server has fetched and checked it already. Of a function, it is the bitstream that the
    host would choose.
    """

    def __init__(self) -> None:
        super().__init__()
        self._multiplier: float | None = None

    def weight_multiplier(self, host_state: typing.Any) -> float:
        """The option, as of the last weights, or what the host's aggregates say instead."""
        multiplier = self._multiplier
        if multiplier is None:
            multiplier = float(CONF.fpga.weight_multiplier)
        name = "fpga_weight_multiplier"
        return float(utils.get_weight_multiplier(host_state, name, multiplier))

    def weigh_objects(
        self, weighed_obj_list: typing.Iterable[typing.Any], weight_properties: typing.Any
    ) -> list[float]:
        """The weights of hosts; the request and the options are read once, not for each host."""
        self._multiplier = float(CONF.fpga.weight_multiplier)
        weigh = _scale(weight_properties)
        return [weigh(one.obj) for one in weighed_obj_list]

    def _weigh_object(self, host_state: typing.Any, spec_obj: "objects.RequestSpec") -> float:
        return _scale(spec_obj)(host_state)


def _scale(spec_obj: "objects.RequestSpec") -> typing.Callable[[typing.Any], float]:
    """What weighs a host for a request."""
    bitstreams, functions = request.wanted_of(spec_obj.flavor)
    images, kinds = bitstreams.values(), functions.values()
    amount = len(images) + len(kinds)
    if not amount:
        return _without_free_regions if CONF.fpga.keep_free else lambda _host_state: 0.0
    spread, warm_weight = CONF.fpga.strategy == "spread", float(CONF.fpga.warm_weight)

    def weigh(host_state: typing.Any) -> float:
        free = request.share_free(host_state)
        warm = request.images(host_state, "free")
        in_use = request.images(host_state, "programmed")
        parts = 0.0
        for image in images:
            parts += 1.0 if image in warm else _FETCHED * (image in in_use)
        if kinds:
            warm_kinds = request.functions_held(host_state, "free")
            kinds_in_use = request.functions_held(host_state, "programmed")
            for kind in kinds:
                parts += 1.0 if kind in warm_kinds else _FETCHED * (kind in kinds_in_use)
        return (free if spread else 1.0 - free) + warm_weight * parts / amount

    return weigh


def _without_free_regions(host_state: typing.Any) -> float:
    return -request.share_free(host_state)
