# SPDX-License-Identifier: Apache-2.0
"""What the source `placement` makes of a cloud: hosts, aggregates, words, and what it remembers.

The functional tests compare its counts with a real Placement's; here are the answers of one.
"""

import time
import typing

import pytest

from fpga_api import clock, errors
from fpga_api.availability.demand import UncountableError
from fpga_api.availability.refresh import Refresh, load_sources
from fpga_api.availability.sources.placement import PlacementSource
from fpga_api.availability.tenancy import Counted
from fpga_api.publication import Publication
from tests.support import api as support
from tests.support.clouds import Nova

REGION = "CUSTOM_FPGA_REGION"
IMAGE = "dd834aa4-f950-40e6-8c23-9dab7f3f0138"
BOARD = "CUSTOM_FPGA_BOARD_U250"
_CANDIDATES = f"/allocation_candidates?resources={REGION}:1&root_required=!COMPUTE_STATUS_DISABLED"
_SIZES = {"VCPU": 64, "MEMORY_MB": 65536, "DISK_GB": 1000}


def _amounts(capacity: dict[str, int], used: int = 0) -> dict[str, typing.Any]:
    return {name: {"capacity": total, "used": used} for name, total in capacity.items()}


def _inventory(total: int) -> dict[str, typing.Any]:
    units = {"min_unit": 1, "max_unit": total, "step_size": 1}
    return {"total": total, "reserved": 0, "allocation_ratio": 1.0, **units}


class Cloud(Nova):
    """A Nova, and a Placement whose hosts have one card each."""

    def __init__(self) -> None:
        super().__init__()
        self.summaries: dict[str, typing.Any] = {}
        self.providers: list[dict[str, typing.Any]] = []
        self.add_flavor("1", "fpga", extra_specs={f"resources1:{REGION}": "1"})

    def add(self, name: str, regions: int, used: int = 0, provider: str | None = None) -> None:
        """Add a host; a full one is not among the candidates."""
        self.add_host(name)
        card = f"{name}-card"
        for uuid, label in ((name, provider or name), (card, card)):
            self.providers.append(
                {"uuid": uuid, "name": label, "generation": 1, "root_provider_uuid": name}
            )
        self.documents |= {
            ("placement", f"/resource_providers/{name}/inventories"): {
                "inventories": {key: _inventory(total) for key, total in _SIZES.items()}
            },
            ("placement", f"/resource_providers/{card}/inventories"): {
                "inventories": {REGION: _inventory(regions)}
            },
            ("placement", f"/resource_providers/{name}/traits"): {"traits": []},
            ("placement", f"/resource_providers/{card}/traits"): {"traits": [BOARD]},
        }
        if used < regions:
            self.summaries[name] = {
                "root_provider_uuid": name,
                "resources": _amounts(_SIZES),
                "traits": [],
            }
            self.summaries[card] = {
                "root_provider_uuid": name,
                "resources": _amounts({REGION: regions}, used),
                "traits": [BOARD],
            }

    def fill(self, name: str) -> None:
        """Have nothing free on a host from now on."""
        for uuid in (name, f"{name}-card"):
            del self.summaries[uuid]

    def update(self) -> None:
        super().update()
        providers = getattr(self, "providers", [])
        everything = [{"uuid": one["uuid"]} for one in providers]
        self.documents |= {
            ("placement", "/resource_classes"): {"resource_classes": [{"name": REGION}]},
            ("placement", "/resource_providers"): {"resource_providers": providers},
            ("placement", _CANDIDATES): {"provider_summaries": getattr(self, "summaries", {})},
        }
        for wanted in ("DISK_GB:20,MEMORY_MB:8192,VCPU:4", f"{REGION}:1"):
            path = f"/resource_providers?resources={wanted}"
            self.documents["placement", path] = {"resource_providers": everything}

    def source(self, **options: typing.Any) -> PlacementSource:
        return PlacementSource(self.cloud(), support.configuration(availability=options))

    def counted(self, source: PlacementSource) -> Counted:
        self.update()
        found = source.count(self.cloud().flavors())["1"]
        assert isinstance(found, Counted), found
        return found

    def count(self, **options: typing.Any) -> tuple[int, int]:
        return tuple(self.counted(self.source(**options)).count)


@pytest.fixture
def cloud() -> Cloud:
    cloud = Cloud()
    cloud.add("a", 4, used=1)
    cloud.add("b", 2)
    return cloud


def error(cloud: Cloud, **options: typing.Any) -> str:
    cloud.update()
    found = cloud.source(**options).count(cloud.cloud().flavors())["1"]
    assert isinstance(found, UncountableError), found
    return found.code


def test_hosts_are_counted_together(cloud: Cloud) -> None:
    assert cloud.count() == (5, 6)


def test_host_that_is_full_from_the_beginning_is_in_the_total(cloud: Cloud) -> None:
    cloud.add("c", 8, used=8)
    assert cloud.count() == (5, 14)


def test_host_that_became_full_is_read_no_more_than_once(cloud: Cloud) -> None:
    source = cloud.source()
    cloud.counted(source)
    cloud.fill("b")
    for one in cloud.providers[2:]:
        one["generation"] += 1
    cloud.asked.clear()
    assert cloud.counted(source).count == (3, 6)
    reads = [path for _, path in cloud.asked if path.endswith(("inventories", "traits"))]
    assert len(reads) == 4
    assert cloud.counted(source).count == (3, 6)
    assert sum(path.endswith("inventories") for _, path in cloud.asked) == 2


def test_full_hosts_are_found_bit_by_bit(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fpga_api.availability.trees._BUDGET", -1.0)
    cloud.add("c", 8, used=8)
    source = cloud.source()
    assert cloud.counted(source).count == (5, 6)
    assert not source.complete
    monkeypatch.undo()
    assert cloud.counted(source).count == (5, 14)
    assert source.complete


def test_host_without_accelerators_is_read_once(cloud: Cloud) -> None:
    cloud.add("c", 1, used=1)
    cloud.documents["placement", "/resource_providers/c-card/inventories"] = {"inventories": {}}
    source = cloud.source()
    cloud.counted(source)
    cloud.providers[-1]["generation"] = 9
    cloud.asked.clear()
    cloud.counted(source)
    assert not [path for _, path in cloud.asked if "/c" in path]


def test_node_may_be_called_otherwise_than_its_service(cloud: Cloud) -> None:
    cloud.add("c", 1, provider="c.example.org")
    cloud.add("d", 1, provider="not-of-nova")
    path = "/os-hypervisors/c"
    cloud.documents["compute", path] = {"hypervisor": {"service": {"host": "c"}}}
    source = cloud.source()
    assert cloud.counted(source).count == (6, 7)
    assert cloud.counted(source).count == (6, 7)
    assert cloud.asked.count(("compute", path)) == 1


@pytest.mark.parametrize("members", [{"state": "down"}, {"status": "disabled"}])
def test_host_that_takes_no_servers_does_not_count(cloud: Cloud, members: dict[str, str]) -> None:
    cloud.services[0] |= members
    assert cloud.count() == (2, 2)


def _aggregate(name: str, *hosts: str, **metadata: str) -> dict[str, typing.Any]:
    return {"name": name, "hosts": list(hosts), "metadata": metadata}


@pytest.mark.parametrize(
    ("rules", "others", "mine"),
    [
        ([], (5, 6), (5, 6)),
        (["filter"], (2, 2), (5, 6)),
        (["placement"], (5, 6), (3, 4)),
        (["filter", "placement"], (2, 2), (3, 4)),
        (["required"], (0, 0), (3, 4)),
    ],
)
def test_aggregates_of_projects_are_for_them(
    cloud: Cloud, rules: list[str], others: tuple[int, int], mine: tuple[int, int]
) -> None:
    cloud.aggregates.append(_aggregate("x", "a", filter_tenant_id="p1, p2", filter_tenant_id9="p3"))
    found = cloud.counted(cloud.source(tenant_aggregates=rules))
    assert found.count == others
    assert {found.projects.get(project, found.count) for project in ("p1", "p2", "p3")} == {mine}


def test_each_availability_zone_has_its_counts(cloud: Cloud) -> None:
    cloud.aggregates.append(_aggregate("x", "a", availability_zone="east"))
    cloud.aggregates.append(_aggregate("y", "a", filter_tenant_id="p1"))
    assert cloud.counted(cloud.source()).zones == {None: {"east": (3, 4), "nova": (2, 2)}}
    options = {"tenant_aggregates": ["filter"], "default_zone": "west"}
    assert cloud.counted(cloud.source(**options)).zones == {
        None: {"west": (2, 2)},
        "p1": {"east": (3, 4), "west": (2, 2)},
    }


def test_isolated_aggregates_are_for_flavors_that_ask_for_their_trait(cloud: Cloud) -> None:
    cloud.aggregates.append(_aggregate("x", "a", **{f"trait:{BOARD}": "required"}))
    assert cloud.count() == (5, 6)
    assert cloud.count(isolated_aggregates=True) == (2, 2)
    cloud.flavors[0]["extra_specs"][f"trait1:{BOARD}"] = "required"
    assert cloud.count(isolated_aggregates=True) == (5, 6)


@pytest.fixture
def bitstream(cloud: Cloud) -> Cloud:
    cloud.flavors[0]["extra_specs"] = {"hw:fpga_ip_id": IMAGE}
    return cloud


IMAGES = [
    ({"board": "u250"}, (5, 6)),
    ({"board": "u50"}, (0, 0)),
    ({"manifest": '{"target": {"board": "U250"}}'}, (5, 6)),
    ({"manifest": "{"}, (5, 6)),
    ({}, (5, 6)),
]


@pytest.mark.parametrize(("image", "expected"), IMAGES)
def test_card_has_the_board_of_the_bitstream(
    bitstream: Cloud, image: dict[str, str], expected: tuple[int, int]
) -> None:
    bitstream.documents["image", f"/v2/images/{IMAGE}"] = image
    assert bitstream.count() == expected


def test_board_is_remembered_while_glance_does_not_answer(bitstream: Cloud) -> None:
    path = ("image", f"/v2/images/{IMAGE}")
    assert error(bitstream) == "fpga.bitstream_missing"
    bitstream.documents[path] = 503
    assert error(bitstream) == "fpga.bitstream_unknown"
    bitstream.documents[path] = {"board": "u50"}
    source = bitstream.source()
    assert bitstream.counted(source).count == (0, 0)
    bitstream.documents[path] = 503
    source._dictionary._clock = lambda: float("inf")
    assert bitstream.counted(source).count == (0, 0)


def test_regions_that_placement_does_not_know_are_not_counted(bitstream: Cloud) -> None:
    assert error(bitstream, request_regions=False) == "fpga.regions_not_requested"


def test_device_profile_is_read_from_cyborg(cloud: Cloud) -> None:
    cloud.flavors[0]["extra_specs"] = {"accel:device_profile": "p 1"}
    assert error(cloud) == "fpga.device_profile_missing"
    groups = [{f"resources:{REGION}": "2", f"trait:{BOARD}": "required"}]
    path = ("accelerator", "/v2/device_profiles?name=p%201")
    cloud.documents[path] = {"device_profiles": [{"groups": groups}]}
    candidates = _CANDIDATES.replace(":1&", ":2&")
    cloud.documents["placement", candidates] = {"provider_summaries": cloud.summaries}
    accepting = {"resource_providers": [{"uuid": "a-card"}]}
    cloud.documents["placement", f"/resource_providers?resources={REGION}:2"] = accepting
    assert cloud.count() == (2, 3)


def test_class_that_placement_does_not_know_has_no_host(cloud: Cloud) -> None:
    cloud.flavors[0]["extra_specs"] = {"resources:CUSTOM_UNKNOWN": "1"}
    assert cloud.count() == (0, 0)


def test_one_bad_flavor_spoils_no_other(cloud: Cloud) -> None:
    cloud.add_flavor("2", "bad", extra_specs={"pci_passthrough:alias": "V100:1"})
    cloud.add_flavor("3", "plain")
    cloud.update()
    found = cloud.source().count(cloud.cloud().flavors())
    assert found.keys() == {"1", "2"}
    assert isinstance(found["1"], Counted)


def test_published_counts_are_stale_while_placement_does_not_answer(cloud: Cloud) -> None:
    cloud.update()
    conf = support.configuration()
    published = Publication.of(conf)
    refresh = Refresh(cloud.cloud(), conf, published)
    refresh()
    found = published.read("availability")
    assert found is not None
    assert not found.stale
    cloud.documents["placement", _CANDIDATES] = 503
    with pytest.raises(errors.CloudUnavailable):
        refresh()
    found = published.read("availability")
    assert found is not None
    assert found.stale
    assert found.document["flavors"][0]["free"] == 5


def test_count_is_as_old_as_its_beginning(cloud: Cloud) -> None:
    began = []

    class Slow:
        complete = True

        def count(self, _flavors: typing.Any) -> dict[str, typing.Any]:
            began.append(clock.now())
            time.sleep(0.05)
            return {}

    cloud.update()
    published = Publication.of(support.configuration())
    Refresh(cloud.cloud(), support.configuration(), published, {"slow": Slow()})()
    found = published.read("availability")
    assert found is not None
    assert found.at <= began[0]


def test_first_source_that_counts_a_flavor_counts(cloud: Cloud) -> None:
    cloud.add_flavor("2", "gpu", extra_specs={"pci_passthrough:alias": "V100:1"})
    cloud.aggregates.append(_aggregate("x", "a", gpu="True", gpu_count="2", gpu_type="V100"))
    node = {"vcpus": 64, "vcpus_used": 0, "memory_mb": 65536, "memory_mb_used": 0}
    node |= {"local_gb": 100, "local_gb_used": 0}
    cloud.services.clear()
    cloud.add_host("a", node=node)
    cloud.add_host("b")
    cloud.update()
    conf = support.configuration(availability={"sources": ["placement", "aggregate"]})
    refresh = Refresh(cloud.cloud(), conf, Publication.of(conf))
    found = {one["name"]: (one["source"], one["free"]) for one in refresh.count()["flavors"]}
    assert found == {"fpga": ("placement", 5), "gpu": ("aggregate", 2)}


def test_source_that_there_is_not_is_refused(cloud: Cloud) -> None:
    conf = support.configuration(availability={"sources": ["guess"]})
    with pytest.raises(RuntimeError, match="guess"):
        load_sources(cloud.cloud(), conf)
