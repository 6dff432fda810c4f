# SPDX-License-Identifier: Apache-2.0
"""The table of docs/support-matrix.md is what the driver's class says."""

import inspect
import pathlib
import re
import tomllib
import typing

import pytest
from nova.virt import driver

from novadocker.virt import docker, unserved

TABLE = tomllib.loads(
    pathlib.Path(__file__).parents[3].joinpath("docs/support-matrix.toml").read_text()
)
FEATURES = {feature["key"]: feature for feature in TABLE["features"]}
NAMED = {method for feature in FEATURES.values() for method in feature.get("methods", ())}
INTERNAL = set(TABLE["internal"])


def is_served(method: str) -> bool:
    """Whether the driver has a method of its own that does not only refuse."""
    module: str = getattr(docker.DockerDriver, method).__module__
    return module.startswith("novadocker.") and module != unserved.__name__


def overridden() -> set[str]:
    """The methods of Nova's class that are the driver's own."""
    public = inspect.getmembers(driver.ComputeDriver, inspect.isfunction)
    return {name for name, _ in public if not name.startswith("_") and is_served(name)}


@pytest.fixture(params=sorted(FEATURES))
def feature(request: pytest.FixtureRequest) -> dict[str, typing.Any]:
    """One of the features."""
    return typing.cast(dict[str, typing.Any], FEATURES[request.param])


def test_no_feature_is_there_twice() -> None:
    assert len(FEATURES) == len(TABLE["features"])


def test_the_words_are_those_that_the_page_explains(feature: dict[str, typing.Any]) -> None:
    assert feature["state"] in ("complete", "partial", "not run", "missing")
    assert re.fullmatch(r"mandatory|optional|choice\([a-z.]+\)", feature["status"])
    assert set(feature) <= {"key", "title", "status", "state", "methods", "capability", "notes"}


def test_what_is_not_whole_has_a_note(feature: dict[str, typing.Any]) -> None:
    assert feature.get("notes") or feature["state"] in ("complete", "missing")


def test_what_nova_demands_is_there(feature: dict[str, typing.Any]) -> None:
    assert feature["state"] == "complete" or feature["status"] != "mandatory"


CHOICES = sorted({f["status"] for f in FEATURES.values() if "(" in f["status"]})


@pytest.mark.parametrize("group", CHOICES)
def test_one_of_each_choice_is_there(group: str) -> None:
    assert "complete" in {f["state"] for f in FEATURES.values() if f["status"] == group}


def test_the_driver_has_the_methods_of_a_feature(feature: dict[str, typing.Any]) -> None:
    here = [name for name in feature.get("methods", ()) if hasattr(driver.ComputeDriver, name)]
    assert {is_served(name) for name in here} <= {feature["state"] != "missing"}


def test_the_driver_has_the_capability_of_a_feature(feature: dict[str, typing.Any]) -> None:
    if "capability" in feature:
        has = docker.DockerDriver.capabilities.get(feature["capability"], False)
        assert has == (feature["state"] != "missing")


def test_each_capability_of_the_driver_belongs_to_a_feature() -> None:
    named = {feature.get("capability") for feature in FEATURES.values()}
    assert {name for name, has in docker.DockerDriver.capabilities.items() if has} <= named


def test_each_method_of_the_driver_belongs_to_a_feature_or_to_none() -> None:
    assert overridden() <= NAMED | INTERNAL
    assert not NAMED & INTERNAL


def test_methods_that_no_feature_is_about_are_the_drivers() -> None:
    assert {name for name in INTERNAL if not hasattr(docker.DockerDriver, name)} == set()
