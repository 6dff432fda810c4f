# SPDX-License-Identifier: Apache-2.0
"""Tempest is configured for this cloud, and for the features that the driver serves."""

import configparser
import tomllib
from pathlib import Path

import pytest

from tests.tempest import configuration
from tests.tempest.content import Content

MATRIX = tomllib.loads((Path(__file__).parents[3] / "docs/support-matrix.toml").read_text())

CONTENT = Content(("i1", "i2"), ("f1", "f2"), "n", ("port-security", "router"))
OPENRC = {
    "OS_AUTH_URL": "http://127.0.0.1:24770/v3",
    "OS_USERNAME": "admin",
    "OS_PASSWORD": "100%",
    "OS_PROJECT_NAME": "admin",
    "OS_USER_DOMAIN_NAME": "Default",
    "OS_REGION_NAME": "RegionOne",
}

#: Features of tempest, by those of the support matrix.
FEATURES = {
    "console.serial.interactive": "serial_console",
    "console.serial.log": "console_output",
    "console.spice": "spice_console",
    "console.vnc": "vnc_console",
    "guest.setup.inject.file": "personality",
    "guest.setup.metadata": "metadata_service",
    "operation.attach-interface": "interface_attach",
    "operation.live-migrate": "live_migration",
    "operation.multiattach-volume": "volume_multiattach",
    "operation.pause": "pause",
    "operation.rescue": "rescue",
    "operation.resize": "resize",
    "operation.shelve": "shelve",
    "operation.snapshot": "snapshot",
    "operation.suspend": "suspend",
}


def parsed() -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser()
    parser.read_string(configuration.text(CONTENT, OPENRC, Path("/run/t"), "OneFilter,TwoFilter"))
    return parser


@pytest.mark.parametrize("key", FEATURES)
def test_tests_of_a_feature_run_if_the_driver_has_it_on_every_host(key: str) -> None:
    (state,) = [one["state"] for one in MATRIX["features"] if one["key"] == key]
    switch = parsed().getboolean("compute-feature-enabled", FEATURES[key])
    assert switch is (state == "complete")


def test_images_and_flavors_differ_from_those_that_they_are_compared_with() -> None:
    compute = dict(parsed()["compute"])
    assert (compute["image_ref"], compute["image_ref_alt"]) == ("i1", "i2")
    assert (compute["flavor_ref"], compute["flavor_ref_alt"]) == ("f1", "f2")


def test_servers_are_reached_by_ssh_at_floating_addresses() -> None:
    validation = dict(parsed()["validation"])
    assert validation["connect_method"] == "floating" and validation["image_ssh_user"] == "root"


def test_password_is_as_in_openrc() -> None:
    assert parsed().get("auth", "admin_password") == "100%"


def test_tempest_knows_the_filters_and_the_extensions_of_the_cloud() -> None:
    parser = parsed()
    found = parser.get("compute-feature-enabled", "scheduler_enabled_filters")
    assert found == "OneFilter,TwoFilter"
    assert parser.get("network-feature-enabled", "api_extensions") == "port-security,router"


@pytest.mark.parametrize("service", ["cinder", "horizon", "swift"])
def test_tests_of_services_that_the_demo_lacks_do_not_run(service: str) -> None:
    assert parsed().getboolean("service_available", service) is False
