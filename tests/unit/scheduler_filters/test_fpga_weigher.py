# SPDX-License-Identifier: Apache-2.0
"""Which host is asked first."""

from types import SimpleNamespace

import pytest
from nova import objects
from oslo_config import cfg
from oslo_config import fixture as config_fixture

from scheduler_filters.fpga_weigher import FpgaWeigher

objects.register_all()

IMAGE = "dd834aa4-f950-40e6-8c23-9dab7f3f0138"


@pytest.fixture
def config():
    fixture = config_fixture.Config(cfg.CONF)
    fixture.setUp()
    yield lambda **options: fixture.config(group="fpga", **options)
    fixture.cleanUp()


def _host(total: int, used: int, images: str = "", warm: str = "", **more) -> SimpleNamespace:
    attributes = {"stats": {"fpga_images": images, "fpga_warm": warm}, "aggregates": []} | more
    return SimpleNamespace(
        host=f"{used}/{total}", fpga_regions=total, fpga_regions_used=used, **attributes
    )


OTHER = "00000000-0000-4000-8000-000000000000"


def _first(*hosts: SimpleNamespace, fpga: bool = True, second: str | None = None) -> str:
    extra_specs = {"hw:fpga_ip_id": IMAGE} if fpga else {}
    extra_specs |= {"hw:fpga_ip_id_2": second} if second else {}
    spec = SimpleNamespace(flavor=objects.Flavor(extra_specs=extra_specs))
    weigher = FpgaWeigher()
    weighed = [SimpleNamespace(obj=host) for host in hosts]
    weights = weigher.weigh_objects(weighed, spec)
    weights = [w * weigher.weight_multiplier(h) for w, h in zip(weights, hosts, strict=True)]
    return max(zip(weights, hosts, strict=True), key=lambda pair: pair[0])[1].host


def test_the_fuller_host_goes_first_so_that_whole_hosts_stay_free(config) -> None:
    assert _first(_host(4, 0), _host(4, 3), _host(4, 1)) == "3/4"


def test_the_emptier_host_goes_first_where_the_operator_wants_to_spread(config) -> None:
    config(strategy="spread")
    assert _first(_host(4, 2), _host(4, 1), _host(4, 3)) == "1/4"


@pytest.mark.parametrize("strategy", ["pack", "spread"])
def test_a_host_that_has_the_bitstream_goes_before_all_others(config, strategy) -> None:
    config(strategy=strategy)
    warm = _host(4, 2, images=f"{OTHER} {IMAGE}")
    assert _first(_host(4, 0), _host(4, 3), warm) == "2/4"


@pytest.mark.parametrize("strategy", ["pack", "spread"])
def test_a_host_with_a_free_region_that_is_warm_goes_before_one_that_has_it_in_use(
    config, strategy
) -> None:
    config(strategy=strategy)
    warm = _host(4, 2, warm=f"{OTHER} {IMAGE}")
    assert _first(_host(4, 1, images=IMAGE), _host(4, 3, images=IMAGE), warm, _host(4, 0)) == "2/4"


def test_of_two_warm_hosts_the_fuller_or_the_emptier_goes_first(config) -> None:
    hosts = [_host(4, used, warm=IMAGE) for used in (1, 2, 3)]
    assert _first(*hosts) == "3/4"
    config(strategy="spread")
    assert _first(*hosts) == "1/4"


def test_host_that_has_more_of_the_bitstreams_goes_first() -> None:
    both = _host(4, 1, images=f"{OTHER} {IMAGE}")
    assert _first(_host(4, 2, images=IMAGE), both, _host(4, 3), second=OTHER) == "1/4"


def test_the_bitstream_counts_for_nothing_where_the_operator_says_so(config) -> None:
    config(warm_weight=0)
    assert _first(_host(4, 1, images=IMAGE), _host(4, 3)) == "3/4"


def test_an_ordinary_request_goes_to_a_host_without_free_regions_first(config) -> None:
    assert _first(_host(4, 0), _host(0, 0), _host(4, 1), fpga=False) == "0/0"
    assert _first(_host(4, 0), _host(4, 4), fpga=False) == "4/4"


def test_an_ordinary_request_goes_anywhere_where_the_operator_says_so(config) -> None:
    config(keep_free=False)
    assert _first(_host(4, 0), _host(0, 0), fpga=False) == "0/4"


def test_an_aggregate_says_how_much_its_hosts_regions_count(config) -> None:
    aggregate = SimpleNamespace(metadata={"fpga_weight_multiplier": "-1"})
    hosts = (_host(4, 1, aggregates=[aggregate]), _host(4, 3, aggregates=[aggregate]))
    assert _first(*hosts) == "1/4"


def test_a_host_that_never_reported_weighs_as_one_without_regions(config) -> None:
    bare = _host(0, 0)
    bare.fpga_regions = bare.fpga_regions_used = None
    bare.stats = None
    assert _first(_host(4, 0), bare, fpga=False) == "0/0"


def test_a_weigher_takes_over_a_changed_multiplier_with_the_next_weights(config) -> None:
    weigher, spec = FpgaWeigher(), SimpleNamespace(flavor=objects.Flavor(extra_specs={}))
    found = [weigher.weight_multiplier(_host(1, 0))]
    for value in (2.0, 3.0):
        config(weight_multiplier=value)
        weigher.weigh_objects([], spec)
        found.append(weigher.weight_multiplier(_host(1, 0)))
    assert found == [1.0, 2.0, 3.0]


def _of_function(total: int, used: int, warm: str = "", in_use: str = "") -> SimpleNamespace:
    stats = {"fpga_functions": in_use, "fpga_functions_warm": warm}
    return _host(total, used, stats=stats)


@pytest.mark.parametrize("strategy", ["pack", "spread"])
@pytest.mark.parametrize(
    "specs",
    [
        {"hw:fpga_function": "zip"},
        {"resources:CUSTOM_FPGA_REGION": "1", "trait:CUSTOM_ACCELERATOR_ZIP": "required"},
    ],
)
def test_host_with_the_function_warm_goes_before_one_that_has_it_in_use_and_that_before_others(
    config, strategy, specs
) -> None:
    config(strategy=strategy)
    spec = SimpleNamespace(flavor=objects.Flavor(extra_specs=specs))
    hosts = [
        _of_function(4, 2, warm="crypto zip"),
        _of_function(4, 2, in_use="zip"),
        _of_function(4, 2, warm="zip2 unzip", in_use="crypto"),
    ]
    weights = FpgaWeigher().weigh_objects([SimpleNamespace(obj=host) for host in hosts], spec)
    assert weights == sorted(weights, reverse=True)
    assert len(set(weights)) == 3


def test_function_and_bitstream_of_one_flavor_are_weighed_together(config) -> None:
    specs = {"hw:fpga_function": "zip", "hw:fpga_ip_id_2": IMAGE}
    spec = SimpleNamespace(flavor=objects.Flavor(extra_specs=specs))
    half, both = _of_function(4, 2, warm="zip"), _of_function(4, 2, warm="zip")
    both.stats["fpga_warm"] = IMAGE
    weights = FpgaWeigher().weigh_objects([SimpleNamespace(obj=h) for h in (half, both)], spec)
    assert weights == [1.5, 2.5]
