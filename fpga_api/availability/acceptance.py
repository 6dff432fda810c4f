# SPDX-License-Identifier: Apache-2.0
"""Whether providers accept an amount at all: their max_unit, min_unit and step_size.

Candidates do not have these numbers. Placement is asked which providers would give an amount, once
for all of them, and remembers nothing that a server could change meanwhile.
"""

import dataclasses
import time
import typing

from fpga_api import peers
from fpga_api.availability import cloud
from fpga_api.availability.counting import Provider, Tree
from fpga_api.availability.demand import Demand, Resources

#: Seconds after which a provider may have other units: its nova-compute was restarted.
_FORGET = 600


@dataclasses.dataclass
class _Answer:
    at: float
    accepted: set[str] = dataclasses.field(default_factory=set)
    rejected: set[str] = dataclasses.field(default_factory=set)


class Acceptance:
    """What was learned of the providers of a cloud."""

    def __init__(
        self, services: cloud.Cloud, clock: typing.Callable[[], float] = time.monotonic
    ) -> None:
        self._cloud = services
        self._clock = clock
        self._answers: dict[Resources, _Answer] = {}

    def __call__(self, provider: Provider, wanted: Resources) -> bool:
        """Whether it accepts amounts; yes where it never had room for them."""
        answer = self._answers.get(wanted)
        return answer is None or provider.uuid not in answer.rejected

    def learn(self, trees: typing.Iterable[Tree], demands: typing.Iterable[Demand]) -> None:
        """Ask for what is not known of the demands yet.

        :raises errors.CloudUnavailable: Placement does not answer
        """
        providers = [one for tree in trees for one in tree.providers.values()]
        wanted = {vector for one in demands for vector in _vectors(one) if vector}
        for vector in wanted:
            answer = self._answers.get(vector)
            if answer is None or self._clock() - answer.at > _FORGET:
                answer = self._answers[vector] = _Answer(self._clock())
            self._ask(vector, answer, providers)
        for vector in self._answers.keys() - wanted:
            del self._answers[vector]

    def _ask(self, vector: Resources, answer: _Answer, providers: list[Provider]) -> None:
        known = answer.accepted | answer.rejected
        unknown = {one.uuid for one in providers if one.room(vector)} - known
        if not unknown:
            return
        answer.accepted |= self._cloud.providers_with(vector)
        for uuid in unknown - answer.accepted:
            # Either its units say no, or a server took the room right now.
            (answer.accepted if self._fits(uuid, vector) else answer.rejected).add(uuid)

    def _fits(self, uuid: str, vector: Resources) -> bool:
        try:
            inventories = self._cloud.inventories(uuid)["inventories"]
        except peers.MissingError:
            return False
        return all(name in inventories and _in(inventories[name], n) for name, n in vector)


def _in(inventory: typing.Mapping[str, typing.Any], amount: int) -> bool:
    units = inventory["min_unit"] <= amount <= inventory["max_unit"]
    return bool(units and amount % inventory["step_size"] == 0)


def _vectors(demand: Demand) -> set[Resources]:
    return {demand.host, *((one,) for one in demand.loose), *(g.resources for g in demand.groups)}
