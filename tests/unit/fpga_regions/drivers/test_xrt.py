# SPDX-License-Identifier: Apache-2.0
"""The xrt driver with replayed reports of xbutil; never run on a card.

The reports are written after XRT's documentation, sources and public reports, not recorded from a
card.
"""

import json
import pathlib
import struct
import typing
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fpga_regions import errors
from fpga_regions.drivers import xrt
from fpga_regions.drivers.xrt import XrtDriver
from fpga_regions.model import Loaded
from tests.unit.fpga_regions.drivers.tools import Card, Tool, load_conf

ADDRESS = "0000:04:00.1"
SHELL = "97088961-fee3-da91-52a1-79d9dfd63cce"
ADD = "54754387-411c-4c16-8265-245b0241d0a2"
VERIFY = "6250ec80-3f38-4be0-ac90-68bfd3c140a8"
BLANK = "826ee89a-4b0e-0327-e5a3-1e958f905915"
NOTHING = "00000000-0000-0000-0000-000000000000"


def xclbin(identity: str, content: bytes = b"the bits") -> bytes:
    """A file with the header of an xclbin."""
    head = b"xclbin2\0".ljust(304, b"\0") + struct.pack("<Q", 432 + len(content))
    return head.ljust(416, b"\0") + uuid.UUID(identity).bytes + content


def hosts(**changes: typing.Any) -> str:
    """The report `host`."""
    device = {
        "bdf": ADDRESS,
        "device_class": "Alveo",
        "vbnv": "xilinx_u55c_gen3x16_xdma_base_3",
        "id": SHELL.upper(),
        "instance": "user(inst=128)",
        "is_ready": "true",
    } | changes
    schema = {"schema": "JSON", "creation_date": "Thu Mar  9 21:33:04 2023 GMT"}
    return json.dumps({"schema_version": schema, "system": {"host": {"devices": [device]}}})


def regions(*identities: str) -> str:
    """The report `dynamic-regions`, as of 2023."""
    entries = [{"id": "0", "xclbin_uuid": one.upper(), "compute_units": []} for one in identities]
    device = {"interface_type": "pcie", "device_id": ADDRESS, "dynamic_regions": entries or ""}
    return json.dumps({"schema_version": {"schema": "JSON"}, "devices": [device]})


def regions_of_2021(identity: str) -> str:
    """The report `dynamic-regions`, as of 2021."""
    return json.dumps({"devices": [{"xclbin_uuid": identity, "compute_units": []}]})


class Alveo:
    """A host with a card."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.tool = Tool(folder / "xbutil")
        self.report("host", hosts())
        self.show(regions(NOTHING))
        self.loads("*.xclbin", ADD)
        self.loads("*blank.xclbin", BLANK)
        (folder / "blank.xclbin").write_bytes(xclbin(BLANK))
        card = folder / "sys/bus/pci/devices" / ADDRESS
        for name in ("card1", "renderD129"):
            (card / "drm" / name).mkdir(parents=True)
        (folder / "dev/dri").mkdir(parents=True)
        (folder / "dev/dri/renderD129").symlink_to("/dev/null")

    def report(self, name: str, text: str) -> None:
        """Have xbutil write a report; the last argument is the file."""
        file = self.folder / f"{name}.json"
        file.write_text(text)
        then = f'for f; do :; done; [ ! -e "$f" ] || exit 9; cat {file} > "$f"'
        self.tool.answer(f"examine *--report {name} --format JSON --output *", "done\n", then=then)

    def show(self, text: str) -> None:
        """Have the card show what is loaded."""
        self.report("dynamic-regions", text)

    def kernel_shows(self, text: str) -> None:
        """Have sysfs show what is loaded."""
        file = self.folder / "sys/bus/pci/devices" / ADDRESS / "xclbinuuid"
        file.write_text(text)

    def loads(self, pattern: str, identity: str) -> None:
        """Have a program command load something."""
        text = regions(identity)
        then = f"echo '{text}' > {self.folder}/dynamic-regions.json"
        self.tool.answer(f"program {pattern}", "INFO: xbutil program succeeded.\n", then=then)

    def driver(self, **options: str | None) -> XrtDriver:
        """The driver with a card `u55c`."""
        defaults = {
            "board": "u55c",
            "part": "xcu55c",
            "address": ADDRESS,
            "blank": f"{self.folder}/blank.xclbin",
        } | options
        main = {
            "cards": "u55c",
            "xbutil": self.tool.path,
            "sysfs": self.folder / "sys",
            "dev": self.folder / "dev",
            "timeout": 2,
        }
        text = "[xrt]\n" + "".join(f"{n} = {v}\n" for n, v in main.items())
        text += "[xrt:u55c]\n" + "".join(
            f"{n} = {v}\n" for n, v in defaults.items() if v is not None
        )
        return XrtDriver("xrt", load_conf(self.folder, text))

    def card(self, **options: str | None) -> Card:
        """The card."""
        return Card(self.driver(**options))


@pytest.fixture
def alveo(tmp_path: pathlib.Path) -> Alveo:
    return Alveo(tmp_path)


def test_card_that_is_ready_has_a_region(alveo: Alveo) -> None:
    (slot,) = alveo.driver().discover()
    assert (slot.device, slot.board, slot.part) == ("u55c", "u55c", "xcu55c")
    assert (slot.interface, slot.kinds, slot.simulated) == (SHELL, {"char"}, False)


def test_shell_of_an_old_card_is_no_interface(alveo: Alveo) -> None:
    alveo.report("host", hosts(id="0x5d1211e8"))
    assert [slot.interface for slot in alveo.driver().discover()] == [None]


def test_configured_interface_counts_more(alveo: Alveo) -> None:
    assert [slot.interface for slot in alveo.driver(interface=ADD.upper()).discover()] == [ADD]


def test_xclbin_is_loaded_into_the_card_of_the_address(alveo: Alveo) -> None:
    card = alveo.card()
    card.program(content=xclbin(ADD))
    path = f"{card.state_folder()}/{card.region.id}.xclbin"
    words = ["program", "--device", ADDRESS, "--user", path]
    assert alveo.tool.calls("program*") == [words]


@pytest.mark.parametrize("report", [regions(ADD), regions_of_2021(ADD), regions(NOTHING, ADD)])
def test_region_shows_what_was_loaded_while_the_card_shows_its_uuid(
    alveo: Alveo, report: str
) -> None:
    card = alveo.card()
    card.program(content=xclbin(ADD))
    alveo.show(report)
    loaded = card.read_back()
    assert loaded is not None and loaded.digest == card.package(content=xclbin(ADD)).digest


@pytest.mark.parametrize("report", [regions(NOTHING), regions(BLANK), regions_of_2021(NOTHING)])
def test_region_is_empty_where_the_card_shows_that(alveo: Alveo, report: str) -> None:
    card = alveo.card()
    card.program(content=xclbin(ADD))
    alveo.show(report)
    assert card.read_back() is None


@pytest.mark.parametrize("kernel", ["", f"{NOTHING}\n", f"0 {NOTHING}\n"])
@pytest.mark.parametrize("report", [regions(), regions("")])
def test_report_without_an_uuid_means_empty_where_the_kernel_says_so(
    alveo: Alveo, report: str, kernel: str
) -> None:
    card = alveo.card()
    card.program(content=xclbin(ADD))
    alveo.show(report)
    alveo.kernel_shows(kernel)
    assert card.read_back() is None


@pytest.mark.parametrize("kernel", [None, f"{ADD}\n", f"0 {ADD}\n"])
@pytest.mark.parametrize("report", [regions(), regions(""), "{}", '{"devices": ""}'])
def test_report_without_an_uuid_says_nothing_where_the_kernel_does_not(
    alveo: Alveo, report: str, kernel: str | None
) -> None:
    card = alveo.card()
    card.program(content=xclbin(ADD))
    alveo.show(report)
    if kernel is not None:
        alveo.kernel_shows(kernel)
    with pytest.raises(errors.NoAnswer):
        card.read_back()


@pytest.mark.parametrize(
    "report",
    [
        "",
        "{",
        pytest.param("[" * 900 + "]" * 900, id="deep"),
        '{"devices": [{"dynamic_regions": {"error_msg": "device is busy"}}]}',
        '{"devices": [{"dynamic_regions": [{"xclbin_uuid": "N/A"}]}]}',
    ],
)
def test_report_that_makes_no_sense_says_nothing(alveo: Alveo, report: str) -> None:
    card = alveo.card(clear="reset", blank=None)
    card.program(content=xclbin(ADD))
    alveo.show(report)
    if "error_msg" in report:
        alveo.kernel_shows("")
    with pytest.raises(errors.NoAnswer):
        card.read_back()
    alveo.tool.answer(f"--force reset --device {ADDRESS}")
    with pytest.raises(errors.NotErased):
        card.clear()


def test_xclbin_that_is_shown_after_a_restart_of_the_host_is_what_was_burnt(alveo: Alveo) -> None:
    card = alveo.card()
    card.program(content=xclbin(ADD))
    loaded = card.read_back()
    card.restart_host()
    assert card.read_back() == loaded is not None
    alveo.show(regions(NOTHING))
    assert card.read_back() is None


@pytest.mark.parametrize("identity", [BLANK, NOTHING])
def test_bitfile_that_would_look_erased_is_not_loaded(alveo: Alveo, identity: str) -> None:
    with pytest.raises(errors.BadPackage, match=f"uuid of an erased region, {identity}"):
        alveo.card().program(content=xclbin(identity))
    assert alveo.tool.calls("program*") == []


@pytest.mark.parametrize("status", [{}, {"output": "ERROR: no device\n"}])
def test_load_that_ends_with_zero_and_changes_nothing_has_failed(
    alveo: Alveo, status: dict[str, typing.Any]
) -> None:
    card = alveo.card()
    alveo.tool.answer("program *", **status)
    with pytest.raises(errors.ProgrammingFailed, match="shows no xclbin, not"):
        card.program(content=xclbin(ADD))


@pytest.mark.parametrize("report", [regions(VERIFY), regions(ADD, VERIFY)])
def test_region_shows_what_somebody_else_loaded(alveo: Alveo, report: str) -> None:
    card = alveo.card()
    card.program(content=xclbin(ADD))
    alveo.show(report)
    assert card.read_back() == Loaded(f"xclbin {VERIFY}", "unknown")


def test_node_is_the_cards_render_node(alveo: Alveo) -> None:
    (node,) = alveo.card().program(content=xclbin(ADD))
    assert (node.kind, node.path, node.name) == ("char", "/dev/null", "/dev/fpga0")


def test_card_without_a_render_node_is_a_failure(alveo: Alveo) -> None:
    (alveo.folder / "dev/dri/renderD129").unlink()
    with pytest.raises(errors.ProgrammingFailed, match="renderD129 is not there"):
        alveo.card().program(1, content=xclbin(ADD))


def test_nodes_of_a_card_that_is_not_configured_any_more_cannot_be_known(alveo: Alveo) -> None:
    card = alveo.card()
    package = card.package(content=xclbin(ADD))
    text = "[xrt]\ncards = b\n[xrt:b]\nboard = b\npart = p\nclear = reset\n"
    other = XrtDriver("xrt", load_conf(alveo.folder, f"{text}address = {ADDRESS}\n"))
    with pytest.raises(errors.ProgrammingFailed, match="nodes are not known: card u55c is not in"):
        other.nodes(card.region, package)


def test_reports_do_not_stay(alveo: Alveo) -> None:
    card = alveo.card()
    card.program(content=xclbin(ADD))
    assert list(card.state_folder().glob("report*")) == []


@pytest.mark.parametrize(
    "content",
    [b"", b"the bits", b"xclbin2\0", xclbin(ADD)[:-1], xclbin(ADD) + b"x", b"x" + xclbin(ADD)],
)
def test_bitfile_that_is_no_xclbin_is_not_loaded(alveo: Alveo, content: bytes) -> None:
    with pytest.raises(errors.BadPackage, match="is not an xclbin"):
        alveo.card().program(content=content)
    assert alveo.tool.calls("program*") == []


@given(st.binary(max_size=600))
def test_header_of_a_bitfile_is_read_or_refused(data: bytes) -> None:
    for content in (data, b"xclbin2\0" + data):
        try:
            xrt.describe(content)
        except ValueError:
            continue


def test_failed_load_is_reported_with_the_programs_last_words(alveo: Alveo) -> None:
    card = alveo.card()
    alveo.tool.answer("program *", errors="ERROR: Could not program device\n", status=1)
    with pytest.raises(errors.ProgrammingFailed, match="xbutil ended with 1: ERROR: Could not"):
        card.program(content=xclbin(ADD))


@pytest.mark.parametrize(("answer", "loaded"), [(VERIFY, VERIFY), (NOTHING, "no xclbin")])
def test_load_after_which_the_card_shows_another_has_failed(
    alveo: Alveo, answer: str, loaded: str
) -> None:
    card = alveo.card()
    alveo.loads("*", answer)
    with pytest.raises(errors.ProgrammingFailed, match=f"the card shows {loaded}, not {ADD}"):
        card.program(content=xclbin(ADD))


def test_load_that_takes_too_long_is_a_time_out(alveo: Alveo) -> None:
    card = alveo.card()
    alveo.tool.answer("program *", then="sleep 30")
    with pytest.raises(errors.TimedOut, match="xbutil did not end"):
        card.program(1, content=xclbin(ADD))


def test_clearing_loads_the_blank_and_sees_that_it_is_there(alveo: Alveo) -> None:
    card = alveo.card()
    card.program(content=xclbin(ADD))
    card.clear()
    assert alveo.tool.calls("program*")[-1][-1] == f"{alveo.folder}/blank.xclbin"
    assert card.read_back() is None


def test_blank_that_does_not_show_is_not_erased(alveo: Alveo) -> None:
    card = alveo.card()
    alveo.loads("*blank.xclbin", ADD)
    with pytest.raises(errors.NotErased, match=f"shows {ADD}, not {BLANK}"):
        card.clear()


def test_blank_that_is_no_xclbin_is_not_erased(alveo: Alveo) -> None:
    (alveo.folder / "blank.xclbin").write_bytes(b"nothing")
    with pytest.raises(errors.NotErased, match="does not begin as one"):
        alveo.card().clear()


def test_clearing_by_reset_leaves_no_xclbin(alveo: Alveo) -> None:
    card = alveo.card(clear="reset", blank=None)
    card.program(content=xclbin(ADD))
    empty = regions(NOTHING)
    then = f"echo '{empty}' > {alveo.folder}/dynamic-regions.json"
    alveo.tool.answer(f"--force reset --device {ADDRESS}", then=then)
    card.clear()
    assert card.read_back() is None


def test_reset_after_which_the_xclbin_still_shows_is_not_erased(alveo: Alveo) -> None:
    card = alveo.card(clear="reset", blank=None)
    card.program(content=xclbin(ADD))
    alveo.tool.answer(f"--force reset --device {ADDRESS}")
    with pytest.raises(errors.NotErased, match=f"still shows {ADD}"):
        card.clear()


@pytest.mark.parametrize(
    ("report", "why"),
    [
        (hosts(bdf="0000:05:00.1"), f"shows no card at {ADDRESS}"),
        (hosts(is_ready="false"), "is not ready"),
        (hosts(is_ready=False), "is not ready"),
        ("{}", "shows no card"),
        ("", "Expecting value"),
        ("[" * 100_000, "wrote no report"),
        ("[" * 900 + "]" * 900, "shows no card"),
    ],
)
def test_card_that_xbutil_does_not_show_is_not_accessible(
    alveo: Alveo, report: str, why: str
) -> None:
    alveo.report("host", report)
    with pytest.raises(errors.NotAccessible, match=why):
        alveo.driver().discover()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"status": 1, "errors": "ERROR: no driver"}, "xbutil ended with 1: ERROR: no driver"),
        ({"output": "done"}, "xbutil wrote no report"),
        ({"then": "sleep 30"}, "did not end within 2 seconds"),
    ],
)
def test_xbutil_that_does_not_answer_means_no_access(
    alveo: Alveo, answer: dict[str, typing.Any], why: str
) -> None:
    alveo.tool.answer("examine *--report host --format JSON --output *", **answer)
    with pytest.raises(errors.NotAccessible, match=why):
        alveo.driver().discover()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"address": "04:00.1"}, "address"),
        ({"address": None}, "address is not set"),
        ({"blank": None}, "blank is not set"),
        ({"clear": "pray"}, "clear"),
    ],
)
def test_options_that_cannot_be_used_are_reported(
    alveo: Alveo, options: dict[str, str | None], why: str
) -> None:
    with pytest.raises(errors.NotAccessible, match=why):
        alveo.driver(**options)


def test_address_is_that_of_the_card(alveo: Alveo) -> None:
    assert [slot.address for slot in alveo.driver().discover()] == [ADDRESS]


def test_vendor_is_known_by_its_number_on_pcie(alveo: Alveo) -> None:
    (alveo.folder / "sys/bus/pci/devices" / ADDRESS / "vendor").write_text("0x10ee\n")
    assert [slot.vendor for slot in alveo.driver().discover()] == ["xilinx"]
