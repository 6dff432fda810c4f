# SPDX-License-Identifier: Apache-2.0
"""The linux driver on a tree that looks like the kernel's; never run on an FPGA."""

import errno
import pathlib
import re
import shutil
import subprocess
import typing

import pytest

from fpga_regions import errors
from fpga_regions.drivers.linux import LinuxDriver
from fpga_regions.model import Loaded
from tests.unit.fpga_regions.drivers.kernel import Kernel
from tests.unit.fpga_regions.drivers.tools import Card, load_conf

DOCS = pathlib.Path(__file__).parents[4] / "docs" / "drivers.md"
UUID = "f1e2d3c4-0011-4233-8455-66778899aabb"


class Soc:
    """A board whose kernel programs two regions."""

    def __init__(self, folder: pathlib.Path, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.kernel = Kernel(folder / "kernel", patch)
        self.kernel.add_manager("fpga0", ["region0", "region1"])
        for index in range(2):
            self.overlay(index).write_bytes(b"\xd0\r\xfe\xed\0" + _name(index) + b".bin\0\0")
        (folder / "blank").write_bytes(b"nothing")

    def overlay(self, index: int) -> pathlib.Path:
        """The operator's overlay of a region."""
        return self.folder / f"region{index}.dtbo"

    def driver(self, **options: typing.Any) -> LinuxDriver:
        """The driver with a card `soc`."""
        defaults = {
            "board": "b",
            "part": "p",
            "manager": "fpga0",
            "regions": "region0,region1",
            "overlays": f"{self.overlay(0)},{self.overlay(1)}",
            "blanks": f"{self.folder}/blank,{self.folder}/blank",
            "nodes": "char:/dev/null",
        } | options
        card = "\n".join(f"{name} = {value}" for name, value in defaults.items())
        main = "\n".join(f"{n} = {getattr(self.kernel, n)}" for n in ("sysfs", "configfs"))
        firmware = f"firmware = {self.kernel.firmware}"
        text = f"[linux]\ncards = soc\n{main}\n{firmware}\n[linux:soc]\n{card}\n"
        return LinuxDriver("linux", load_conf(self.folder, text))

    def card(self, index: int = 0, **options: typing.Any) -> Card:
        """A region of the card."""
        return Card(self.driver(**options), index)


def _name(index: int) -> bytes:
    return f"fpga-nova-soc-{index}".encode()


@pytest.fixture
def soc(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Soc:
    return Soc(tmp_path, monkeypatch)


def test_regions_are_those_of_the_kernel(soc: Soc) -> None:
    slots = soc.driver().discover()
    assert [(s.device, s.index, s.interface, s.simulated) for s in slots] == [
        ("soc", 0, None, False),
        ("soc", 1, None, False),
    ]


def test_address_is_that_of_the_device_on_pci(soc: Soc) -> None:
    assert {s.address for s in soc.driver().discover()} == {None}
    device = soc.folder / "devices/pci0000:00/0000:00:1c.0/0000:3b:00.0/dfl-fme.0"
    device.mkdir(parents=True)
    soc.kernel.attribute("fpga0", "device").symlink_to(device)
    assert {s.address for s in soc.driver().discover()} == {"0000:3b:00.0"}


def test_compatibility_id_is_the_interface(soc: Soc) -> None:
    file = soc.kernel.sysfs / "class/fpga_region/region1/compat_id"
    file.write_text(f"{UUID.replace('-', '')}\n")
    assert [s.interface for s in soc.driver().discover()] == [None, UUID]


def test_configured_interface_counts_more_than_the_compatibility_id(soc: Soc) -> None:
    (soc.kernel.sysfs / "class/fpga_region/region0/compat_id").write_text("1" * 32)
    assert {s.interface for s in soc.driver(interface=UUID.upper()).discover()} == {UUID}


def test_bitfile_is_programmed_by_the_overlay_of_its_region(soc: Soc) -> None:
    card = soc.card(1)
    card.program(content=b"these bits")
    assert soc.kernel.loaded == {"fpga-nova-soc-1.bin": b"these bits"}
    assert soc.kernel.log == [("applied", "fpga-nova-soc-1")]
    loaded = card.read_back()
    assert loaded is not None and loaded.digest == card.package(content=b"these bits").digest


def test_bitfile_does_not_stay_in_the_firmware_folder(soc: Soc) -> None:
    soc.card().program()
    assert list(soc.kernel.firmware.iterdir()) == []


def test_clearing_loads_the_blank_and_removes_the_overlay(soc: Soc) -> None:
    card = soc.card()
    card.program()
    card.clear()
    assert soc.kernel.loaded == {"fpga-nova-soc-0.bin": b"nothing"}
    assert list(soc.kernel.overlays.iterdir()) == []
    assert card.read_back() is None


def test_region_of_unknown_content_is_cleared_as_any_other(soc: Soc) -> None:
    soc.card().program()
    shutil.rmtree(soc.folder / "state" / "drivers")
    soc.card().clear()
    assert soc.kernel.loaded == {"fpga-nova-soc-0.bin": b"nothing"}


def test_overlay_that_somebody_removed_is_not_read_back(soc: Soc) -> None:
    card = soc.card()
    card.program()
    (soc.kernel.overlays / "fpga-nova-soc-0").rmdir()
    assert card.read_back() is None


@pytest.mark.parametrize(
    "state", ["unknown", "reset", "write", "write error", "write complete error", "", "new word"]
)
def test_fpga_that_is_not_operating_says_nothing(soc: Soc, state: str) -> None:
    card = soc.card()
    card.program()
    soc.kernel.set_state("fpga0", state)
    with pytest.raises(errors.NoAnswer, match=f"in state '{state}'"):
        card.read_back()


def test_fpga_without_power_holds_nothing(soc: Soc) -> None:
    card = soc.card()
    card.program()
    soc.kernel.set_state("fpga0", "power off")
    assert card.read_back() is None


@pytest.mark.parametrize(
    "name",
    [
        "sys/class/fpga_manager/fpga0/state",
        "config/device-tree",
        "config/device-tree/overlays/fpga-nova-soc-0/status",
    ],
)
def test_file_of_the_kernel_that_is_missing_says_nothing(soc: Soc, name: str) -> None:
    card = soc.card()
    card.program()
    path = soc.kernel.root / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(errors.NoAnswer):
        card.read_back()


def test_region_that_was_never_erased_says_nothing_without_its_overlay(soc: Soc) -> None:
    with pytest.raises(errors.NoAnswer, match="what a region without overlay holds"):
        soc.card().read_back()


def test_overlay_that_nobody_put_there_is_shown(soc: Soc) -> None:
    card = soc.card()
    card.program()
    (record,) = card.state_folder().glob("*.record")
    record.unlink()
    assert card.read_back() == Loaded("overlay fpga-nova-soc-0", "unknown")


def test_restart_takes_the_overlay_away_and_leaves_erased_regions_so(soc: Soc) -> None:
    used, erased = soc.card(0), soc.card(1)
    used.program()
    erased.clear()
    soc.kernel.restart()
    used.restart_host()
    assert (used.read_back(), erased.read_back()) == (None, None)


def test_overlay_that_something_else_applied_after_a_restart_says_nothing(soc: Soc) -> None:
    card = soc.card()
    card.program()
    card.restart_host()
    with pytest.raises(errors.NoAnswer, match="something else applied the overlay"):
        card.read_back()


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ("unknown", "cannot be determined"),
        ("power off", "has no power"),
        ("firmware request error", "did not find the bitfile"),
        ("write init error", "could not be made ready"),
        ("write error", "did not take the bitfile"),
        ("write complete error", "did not start"),
        ("write", "is not done"),
    ],
)
def test_state_after_programming_says_what_failed(soc: Soc, state: str, why: str) -> None:
    card = soc.card()
    soc.kernel.state_after = state
    with pytest.raises(errors.ProgrammingFailed, match=f"in state '{state}': .*{why}"):
        card.program()
    assert list(soc.kernel.overlays.iterdir()) == []


def test_status_of_the_manager_is_reported_with_its_state(soc: Soc) -> None:
    card = soc.card()
    soc.kernel.state_after = "write error"
    soc.kernel.attribute("fpga0", "status").write_text("reconfig CRC error\n")
    with pytest.raises(errors.ProgrammingFailed, match=r"\(reconfig CRC error\)"):
        card.program()


def test_overlay_that_the_kernel_refuses_is_a_failure_and_leaves_nothing(soc: Soc) -> None:
    card = soc.card()
    soc.kernel.refuses = OSError(errno.EINVAL, "Invalid argument")
    soc.kernel.state_after = "firmware request error"
    with pytest.raises(errors.ProgrammingFailed, match=r"refused: .*Invalid argument; .*not find"):
        card.program()
    assert list(soc.kernel.overlays.iterdir()) == list(soc.kernel.firmware.iterdir()) == []


def test_overlay_that_is_taken_but_not_applied_is_a_failure(soc: Soc) -> None:
    card = soc.card()
    soc.kernel.ignores = True
    with pytest.raises(errors.ProgrammingFailed, match=r"did not apply it; .* state 'unknown'"):
        card.program()
    assert list(soc.kernel.overlays.iterdir()) == list(soc.kernel.firmware.iterdir()) == []


def test_blank_that_cannot_be_loaded_is_not_erased(soc: Soc) -> None:
    card = soc.card()
    card.program()
    soc.kernel.state_after = "write error"
    with pytest.raises(errors.NotErased, match="did not take the bitfile"):
        card.clear()


def test_blank_that_is_not_there_is_not_erased(soc: Soc) -> None:
    card = soc.card()
    (soc.folder / "blank").unlink()
    with pytest.raises(errors.NotErased, match="No such file"):
        card.clear()


def test_overlay_for_another_firmware_name_is_not_applied(soc: Soc) -> None:
    card = soc.card()
    soc.overlay(0).write_bytes(b"\0system.bin\0")
    with pytest.raises(errors.ProgrammingFailed, match=r"firmware-name fpga-nova-soc-0\.bin"):
        card.program()
    assert soc.kernel.log == []


def test_flags_are_written_where_they_are_set(soc: Soc) -> None:
    card = soc.card(flags=1)
    card.program()
    assert soc.kernel.attribute("fpga0", "flags").read_text() == "1"


def test_flags_are_left_alone_where_they_are_not_set(soc: Soc) -> None:
    soc.card().program()
    assert not soc.kernel.attribute("fpga0", "flags").exists()


def test_nodes_are_named_by_the_region(soc: Soc) -> None:
    (soc.folder / "uio1").symlink_to("/dev/null")
    (node,) = soc.card(1, nodes=f"char:{soc.folder}/uio{{index}}").program()
    assert (node.path, node.name) == ("/dev/null", "/dev/fpga0")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("sys/class/fpga_manager/fpga0", "fpga_manager/fpga0/state"),
        ("sys/class/fpga_region/region1", "region1 is not there"),
        ("config/device-tree", "no overlay interface in configfs"),
    ],
)
def test_card_that_the_kernel_does_not_have_is_not_accessible(
    soc: Soc, name: str, why: str
) -> None:
    shutil.rmtree(soc.kernel.root / name)
    with pytest.raises(errors.NotAccessible, match=why):
        soc.driver().discover()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"overlays": "/x"}, "overlays has 1 entries, regions has 2"),
        ({"blanks": ""}, "blanks is not set"),
        ({"regions": ""}, "regions is not set"),
        ({"nodes": "uio0"}, "is not of the form"),
        ({"flags": "-1"}, "flags"),
    ],
)
def test_options_that_cannot_be_used_are_reported(
    soc: Soc, options: dict[str, str], why: str
) -> None:
    with pytest.raises(errors.NotAccessible, match=why):
        soc.driver(**options)


@pytest.mark.skipif(shutil.which("dtc") is None, reason="dtc is not installed")
def test_overlay_of_the_documentation_compiles_and_is_taken(soc: Soc) -> None:
    found = re.search(r"\n    /dts-v1/;.*?\n(?=\S)", DOCS.read_text(), re.DOTALL)
    assert found is not None
    command = ["dtc", "-@", "-I", "dts", "-O", "dtb", "-o", str(soc.overlay(0)), "-"]
    subprocess.run(command, input=found[0], text=True, check=True, capture_output=True)
    soc.card().program()
    assert soc.kernel.log == [("applied", "fpga-nova-soc-0")]
