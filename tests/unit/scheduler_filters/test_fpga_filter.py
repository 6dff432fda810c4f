# SPDX-License-Identifier: Apache-2.0
"""Which hosts FpgaFilter passes."""

import logging
from types import SimpleNamespace

import pytest
from nova import objects

from fpga_hooks import calls
from scheduler_filters import fpga_filter

objects.register_all()

FPGA = {"hw:fpga_ip_id": "dd834aa4-f950-40e6-8c23-9dab7f3f0138"}


def _spec(extra_specs: dict[str, str] | None) -> SimpleNamespace:
    flavor = objects.Flavor() if extra_specs is None else objects.Flavor(extra_specs=extra_specs)
    return SimpleNamespace(flavor=flavor)


def _host(total: int | None, used: int | None) -> SimpleNamespace:
    return SimpleNamespace(host="node", fpga_regions=total, fpga_regions_used=used)


@pytest.mark.parametrize(("total", "used"), [(None, None), (0, 0), (2, 2), (1, 5), (2, 0)])
@pytest.mark.parametrize("extra_specs", [{}, None, {"fpga:regions": "9"}])
def test_an_ordinary_request_passes_everywhere(total, used, extra_specs) -> None:
    assert fpga_filter.FpgaFilter().host_passes(_host(total, used), _spec(extra_specs))


@pytest.mark.parametrize(
    ("total", "used", "passes"),
    [
        (2, 0, True),
        (2, 1, True),
        (2, 2, False),
        (2, None, True),
        (None, None, False),
        (0, 0, False),
    ],
)
def test_a_request_for_a_region_passes_where_one_is_free(total, used, passes) -> None:
    assert fpga_filter.FpgaFilter().host_passes(_host(total, used), _spec(FPGA)) is passes


def test_request_for_two_regions_passes_where_two_are_free() -> None:
    two = _spec(FPGA | {"hw:fpga_ip_id_2": FPGA["hw:fpga_ip_id"]})
    passes = [fpga_filter.FpgaFilter().host_passes(_host(2, used), two) for used in (0, 1, 2)]
    assert passes == [True, False, False]


def test_a_host_without_the_counts_at_all_has_none() -> None:
    assert not fpga_filter.FpgaFilter().host_passes(SimpleNamespace(host="node"), _spec(FPGA))


def test_two_requests_at_once_do_not_both_get_the_last_region() -> None:
    host, spec = _host(1, 0), _spec(FPGA)
    assert fpga_filter.FpgaFilter().host_passes(host, spec)
    calls.consume_host_state(host, spec)
    assert not fpga_filter.FpgaFilter().host_passes(host, spec)


def test_a_refusal_is_logged_with_its_figures(caplog) -> None:
    caplog.set_level(logging.INFO)
    fpga_filter.FpgaFilter().host_passes(_host(2, 2), _spec(FPGA))
    assert "FpgaFilter" in caplog.text
    assert "0 of 2 FPGA regions free" in caplog.text


def _passed(extra_specs: dict[str, str], **hints: list[str]) -> list[int]:
    """How many regions the hosts have free that pass, of hosts with 0 to 2."""
    spec = objects.RequestSpec(flavor=objects.Flavor(extra_specs=extra_specs))
    spec.scheduler_hints = hints
    hosts = [_host(2, used) for used in (2, 1, 0)]
    return [2 - one.fpga_regions_used for one in fpga_filter.FpgaFilter().filter_all(hosts, spec)]


def test_of_all_hosts_those_pass_that_have_as_many_free() -> None:
    two = FPGA | {"hw:fpga_ip_id_2": FPGA["hw:fpga_ip_id"]}
    assert (_passed({}), _passed(FPGA), _passed(two)) == ([0, 1, 2], [1, 2], [2])


def test_a_rebuild_passes_on_its_full_host() -> None:
    assert _passed(FPGA, _nova_check_type=["rebuild"]) == [0, 1, 2]
