# SPDX-License-Identifier: Apache-2.0
"""Image properties that Nova keeps with an instance."""

import pytest
from nova import utils

from fpga_hooks.instance import image_properties
from tests.unit.fpga_hooks.conftest import Instance, an_instance


def _instance(value: str) -> Instance:
    """An instance of an image with a property, as Nova itself keeps it."""
    instance = an_instance({})
    metadata = utils.get_system_metadata_from_image({"properties": {"docker_devices": value}})
    instance.system_metadata.update(metadata)
    return instance


def test_a_property_that_the_image_does_not_have_is_none() -> None:
    assert image_properties.of_instance(an_instance({}), "docker_devices") is None


@pytest.mark.parametrize("value", ["", "/dev/fpga0", "x" * 251])
def test_a_whole_value_is_given(value: str) -> None:
    assert image_properties.of_instance(_instance(value), "docker_devices") == value


@pytest.mark.parametrize("before", range(4))
@pytest.mark.parametrize("character", ["x", "é", "€", "𝄞"])
def test_a_value_that_nova_cut_is_refused(before: int, character: str) -> None:
    instance = _instance("x" * before + character * 300)
    with pytest.raises(image_properties.CutError, match="docker_devices is longer than 251 bytes"):
        image_properties.of_instance(instance, "docker_devices")
