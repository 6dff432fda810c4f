# SPDX-License-Identifier: Apache-2.0
"""What a flavor says of a container's share of its host."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novadocker import limits, options

options.register_opts(limits.CONF)


@pytest.fixture
def flavor(config, instance):
    return instance.flavor


def test_memory_and_processors_are_those_of_the_flavor(flavor):
    asked = limits.options(flavor, 8)
    assert asked["mem_limit"] == asked["memswap_limit"] == 512 << 20
    assert asked["nano_cpus"] == 4 * 10**9


def test_swap_is_counted_beside_memory(flavor):
    flavor.swap = 256
    asked = limits.options(flavor, 8)
    assert (asked["mem_limit"], asked["memswap_limit"]) == (512 << 20, 768 << 20)


def test_no_more_processors_are_asked_for_than_the_host_has(flavor):
    assert limits.options(flavor, 2)["nano_cpus"] == 2 * 10**9


@pytest.mark.parametrize(
    ("specs", "expected"),
    [
        ({"quota:cpu_quota": "50000"}, 2 * 10**9),
        ({"quota:cpu_quota": "50000", "quota:cpu_period": "200000"}, 10**9),
        ({"quota:cpu_quota": "300000"}, 4 * 10**9),
        ({"quota:cpu_quota": "-1"}, 4 * 10**9),
        ({"quota:cpu_quota": "0"}, 4 * 10**9),
        ({"quota:cpu_period": "200000"}, 4 * 10**9),
        ({"quota:cpu_quota": "1000", "quota:cpu_period": "1000000"}, 10**7),
    ],
)
def test_quota_and_period_are_those_of_each_processor(flavor, specs, expected):
    flavor.extra_specs = specs
    assert limits.options(flavor, 8)["nano_cpus"] == expected


def test_shares_are_those_of_the_flavor(flavor):
    assert "cpu_shares" not in limits.options(flavor, 8)
    flavor.extra_specs = {"quota:cpu_shares": "2048"}
    assert limits.options(flavor, 8)["cpu_shares"] == 2048


@pytest.mark.parametrize(("asked", "expected"), [(None, 100), ("50", 50), ("5000", 100)])
def test_a_flavor_lowers_the_number_of_processes_and_never_raises_it(
    flavor, config, asked, expected
):
    config(pids_limit=100, group="docker")
    if asked:
        flavor.extra_specs = {"docker:pids_limit": asked}
    assert limits.options(flavor, 8)["pids_limit"] == expected


@pytest.mark.parametrize("memory", [0, 1, 5])
def test_less_memory_than_the_engine_gives_is_refused(flavor, memory):
    flavor.memory_mb = memory
    with pytest.raises(limits.FlavorError, match="needs 6 MB of memory"):
        limits.check(flavor)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("quota:cpu_shares", "1"),
        ("quota:cpu_shares", "262145"),
        ("quota:cpu_quota", "999"),
        ("quota:cpu_period", "1000001"),
        ("docker:pids_limit", "15"),
        ("docker:pids_limit", "-1"),
        ("docker:pids_limit", "many"),
        ("docker:pids_limit", ""),
    ],
)
def test_a_number_that_no_container_can_have_is_refused(flavor, name, text):
    flavor.extra_specs = {name: text}
    with pytest.raises(limits.FlavorError, match=f"{name} is '{text}', needs a number"):
        limits.check(flavor)


@given(st.dictionaries(st.sampled_from(sorted(limits._RANGES)), st.text() | st.integers().map(str)))
def test_no_extra_spec_lifts_a_limit(specs):
    class Flavor:
        memory_mb, swap, vcpus = 64, 0, 2
        extra_specs = specs

    try:
        limits.check(Flavor)
    except limits.FlavorError:
        return
    asked = limits.options(Flavor, 8)
    assert 10**7 <= asked["nano_cpus"] <= 2 * 10**9
    assert 16 <= asked["pids_limit"] <= 4096
    assert asked["memswap_limit"] == 64 << 20
    assert 2 <= asked.get("cpu_shares", 2) <= 262_144
