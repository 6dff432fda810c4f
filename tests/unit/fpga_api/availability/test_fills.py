# SPDX-License-Identifier: Apache-2.0
"""What is counted as free is what a real Placement grants until it grants nothing more.

Servers are asked for as Nova's scheduler asks, and take what leaves most for others: cards with few
traits first. The traits are drawn from a chain, where nobody can do better than that.
"""

import collections
import dataclasses
import typing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fpga_api.availability.flavors import Flavor
from fpga_api.availability.sources.placement import PlacementSource
from fpga_api.availability.tenancy import Counted
from tests.support import api as support
from tests.support.placement import Placement

REGION = "CUSTOM_FPGA_REGION"
_CHAIN = ("CUSTOM_FPGA", "CUSTOM_FPGA_BOARD_U250", "CUSTOM_FPGA_FUNCTION_CRC")
_DISABLED = "COMPUTE_STATUS_DISABLED"


@dataclasses.dataclass(frozen=True)
class Card:
    """A card: regions, those in quarantine, how many traits of the chain it has."""

    regions: int
    quarantine: int
    traits: int


@dataclasses.dataclass(frozen=True)
class Shape:
    """A host: vcpus, the most that one server may have, the ratio, and its cards."""

    vcpus: int
    max_unit: int
    ratio: float
    cards: tuple[Card, ...]
    #: "up", "disabled" or "down"
    state: str = "up"


_cards = st.builds(Card, st.integers(1, 3), st.integers(0, 1), st.integers(0, 3))
_shapes = st.builds(
    Shape,
    vcpus=st.integers(2, 8),
    max_unit=st.integers(1, 8),
    ratio=st.sampled_from([1.0, 2.0]),
    cards=st.lists(_cards, min_size=1, max_size=3).map(tuple),
    state=st.sampled_from(["up", "up", "up", "disabled", "down"]),
)
#: The traits of each group of the flavor, as many of the chain; or groups that exclude each other.
_groups = st.lists(st.integers(0, 3), min_size=1, max_size=3) | st.just("isolate")


def flavor(vcpus: int, groups: typing.Any) -> Flavor:
    isolate = groups == "isolate"
    specs = {"group_policy": "isolate" if isolate else "none"}
    for number, traits in enumerate([0, 0] if isolate else groups, 1):
        specs[f"resources{number}:{REGION}"] = "1"
        specs |= {f"trait{number}:{one}": "required" for one in _CHAIN[:traits]}
    return Flavor("1", "fpga", vcpus, 64, 1, extra_specs=specs)


class Cloud:
    """Hosts of some shapes in a Placement."""

    def __init__(self, placement: Placement, shapes: typing.Iterable[Shape]) -> None:
        self.placement = placement
        self.providers: list[str] = []
        self.traits: dict[str, int] = {}
        self.servers: list[str] = []
        self.down: set[str] = set()
        placement.services.clear()
        for number, shape in enumerate(shapes):
            self._add(f"host{number}", shape)
        placement.update()

    def _add(self, name: str, shape: Shape) -> None:
        disabled = shape.state == "disabled"
        inventories: dict[str, dict[str, typing.Any]] = {
            "VCPU": {
                "total": shape.vcpus,
                "max_unit": min(shape.max_unit, shape.vcpus),
                "allocation_ratio": shape.ratio,
            },
            "MEMORY_MB": {"total": 4096},
            "DISK_GB": {"total": 100},
        }
        root = self.placement.add(name, inventories, [_DISABLED] if disabled else [])
        self.placement.add_host(
            name,
            state="down" if shape.state == "down" else "up",
            status="disabled" if disabled else "enabled",
        )
        if shape.state == "down":
            self.down.add(root)
        self.providers.append(root)
        for number, card in enumerate(shape.cards):
            regions = {"total": card.regions, "reserved": card.quarantine}
            traits = _CHAIN[: card.traits]
            provider = self.placement.add(f"{name}_fpga_{number}", {REGION: regions}, traits, root)
            self.traits[provider] = card.traits
            self.providers.append(provider)

    def boot(self, wanted: Flavor) -> bool:
        """Place a server as the scheduler does; whether it found a host."""
        answer = self.placement.ask("GET", f"/allocation_candidates?{_query(wanted)}")
        summaries = answer["provider_summaries"]
        candidates = [
            one["allocations"]
            for one in answer["allocation_requests"]
            if not self.down & one["allocations"].keys()
        ]
        if not candidates:
            return False

        def rank(allocations: typing.Any) -> tuple[int, int, list[str]]:
            cards = {one: taken for one, taken in allocations.items() if one in self.traits}
            traits = sum(
                self.traits[one] * taken["resources"][REGION] for one, taken in cards.items()
            )
            rest = [_free(summaries[one]["resources"][REGION]) for one in cards]
            # Groups that exclude each other want no traits: they take what has most.
            isolate = wanted.extra_specs["group_policy"] == "isolate"
            return 0 if isolate else traits, -sum(rest), sorted(allocations)

        self.servers.append(self.placement.allocate(min(candidates, key=rank)))
        return True

    def remove(self) -> None:
        for server in self.servers:
            self.placement.release(server)
        for provider in reversed(self.providers):
            self.placement.remove(provider)


def _free(resources: typing.Mapping[str, int]) -> int:
    return resources["capacity"] - resources["used"]


def _query(wanted: Flavor) -> str:
    sizes = f"VCPU:{wanted.vcpus},MEMORY_MB:{wanted.ram},DISK_GB:{wanted.disk}"
    words = [f"resources={sizes}", f"root_required=!{_DISABLED}"]
    required = collections.defaultdict(list)
    for key, value in wanted.extra_specs.items():
        name, _, rest = key.partition(":")
        if name == "group_policy":
            words.append(f"group_policy={value}")
        elif name.startswith("resources"):
            words.append(f"{name}={rest}:{value}")
        else:
            required[name.replace("trait", "required")].append(rest)
    words += [f"{name}={','.join(traits)}" for name, traits in required.items()]
    return "&".join(words)


@pytest.fixture(scope="module")
def placement(tmp_path_factory: pytest.TempPathFactory) -> typing.Iterator[Placement]:
    folder: Path = tmp_path_factory.mktemp("placement")
    placement = Placement(f"sqlite:///{folder / 'placement.sqlite'}")
    # Classes and traits that Nova's hosts and ours bring.
    placement.remove(placement.add("first", {REGION: {"total": 1}}, _CHAIN))
    yield placement
    placement.close()


def count(source: PlacementSource, wanted: Flavor) -> tuple[int, int]:
    counted = source.count([wanted])["1"]
    while not source.complete:
        # On a slow machine, full hosts are not all found at once.
        counted = source.count([wanted])["1"]
    assert isinstance(counted, Counted)
    return counted.count.free, counted.count.total


@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    # A failure is small enough as it is, and each step of making it smaller takes a second.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(shapes=st.lists(_shapes, min_size=1, max_size=3), vcpus=st.integers(1, 3), groups=_groups)
def test_free_servers_are_those_that_placement_grants(
    placement: Placement, shapes: list[Shape], vcpus: int, groups: typing.Any
) -> None:
    cloud, wanted = Cloud(placement, shapes), flavor(vcpus, groups)
    try:
        conf = support.configuration()
        source = PlacementSource(placement.cloud(), conf)
        free, total = count(source, wanted)
        while cloud.boot(wanted):
            assert len(cloud.servers) <= free
        assert len(cloud.servers) == free == total
        # Full, as the one that saw it free, and one that starts now, count it.
        assert count(source, wanted) == (0, total)
        assert count(PlacementSource(placement.cloud(), conf), wanted)[0] == 0
    finally:
        cloud.remove()
