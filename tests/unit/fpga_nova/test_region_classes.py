# SPDX-License-Identifier: Apache-2.0
"""Which classes of Placement are of regions."""

import pytest
from oslo_config import cfg

from fpga_nova import options, region_classes


def test_class_of_regions_is_known_by_its_name() -> None:
    names = ["VCPU", "CUSTOM_FPGA_REGION", "CUSTOM_PCI_1", "CUSTOM_FPGA_INTEL_PF", "CUSTOM_FPGA"]
    assert region_classes.among(names) == ["CUSTOM_FPGA_INTEL_PF", "CUSTOM_FPGA_REGION"]


def test_regions_of_all_classes_are_added() -> None:
    resources = {"VCPU": 8, "CUSTOM_FPGA_REGION": 1, "CUSTOM_FPGA_INTEL_PF": 2}
    assert (region_classes.amount(resources), region_classes.amount({"VCPU": 1})) == (3, 0)


def _configured(value: str) -> dict[str, str]:
    conf = cfg.ConfigOpts()
    options.register_opts(conf)
    conf([], default_config_files=[])
    conf.set_override("region_classes", value, group="fpga")
    classes: dict[str, str] = conf.fpga.region_classes
    return classes


def test_option_has_classes_by_vendor_and_board() -> None:
    classes = _configured("intel:CUSTOM_FPGA_INTEL_PF, u250:CUSTOM_FPGA_XILINX_PF")
    assert classes == {"intel": "CUSTOM_FPGA_INTEL_PF", "u250": "CUSTOM_FPGA_XILINX_PF"}


@pytest.mark.parametrize("name", ["VCPU", "CUSTOM_PCI_1", "CUSTOM_FPGA_", "CUSTOM_FPGA_intel"])
def test_option_takes_no_class_that_is_not_known_to_be_of_regions(name: str) -> None:
    with pytest.raises(ValueError, match="doesn't match regex"):
        _configured(f"intel:{name}")
