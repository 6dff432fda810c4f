# SPDX-License-Identifier: Apache-2.0
"""The command driver: any program with the three verbs, as the first specification has them."""

import pathlib
import typing

import pytest

from fpga_nova.deadline import Deadline
from fpga_regions import errors
from fpga_regions.drivers.command import CommandDriver
from tests.unit.fpga_regions.drivers.tools import IMAGE, Card, Tool, load_conf

ID = "a0399bc1-cb67-4548-b0b8-aa95a91402d3"


class Wrapped:
    """A program, and the driver that wraps it."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.tool = Tool(folder / "tool")
        self.tool.answer("status", "Used regions: 0/2\n")
        self.tool.answer("burn *", f"{ID}\n", then="cp $2 $0.burnt")
        self.tool.answer(f"erase {ID}")

    def driver(self, **options: str) -> CommandDriver:
        """The driver with a card `a`."""
        defaults = {
            "exec": str(self.tool.path),
            "board": "b",
            "part": "p",
            "nodes": "char:/dev/null",
        } | options
        lines = [f"{name} = {value}" for name, value in defaults.items()]
        text = "\n".join(["[command]", "cards = a", "[command:a]", *lines])
        return CommandDriver("command", load_conf(self.folder, text))

    def card(self, **options: str) -> Card:
        """The card's first region."""
        return Card(self.driver(**options))


@pytest.fixture
def wrapped(tmp_path: pathlib.Path) -> Wrapped:
    return Wrapped(tmp_path)


def test_there_are_as_many_regions_as_status_reports(wrapped: Wrapped) -> None:
    slots = wrapped.driver(interface=ID.upper()).discover()
    assert [(s.device, s.index, s.simulated) for s in slots] == [("a", 0, False), ("a", 1, False)]
    assert (slots[0].board, slots[0].part, slots[0].interface) == ("b", "p", ID)
    assert slots[0].kinds == {"char"}


def test_bitfile_is_burnt_from_a_file_of_ours_that_is_gone_afterwards(wrapped: Wrapped) -> None:
    card = wrapped.card(suffix=".rbf")
    card.program(bitfile="theirs.svf", content=b"these bits")
    ((_verb, path),) = wrapped.tool.calls("burn *")
    assert path == f"{card.state_folder()}/{card.region.id}.rbf"
    assert pathlib.Path(f"{wrapped.tool.path}.burnt").read_bytes() == b"these bits"
    assert not pathlib.Path(path).exists()


def test_region_shows_what_was_burnt(wrapped: Wrapped) -> None:
    card = wrapped.card()
    card.program()
    wrapped.tool.answer("status", "Used regions: 1/2\n")
    loaded, package = wrapped.card().read_back(), card.package()
    assert loaded is not None
    assert (loaded.function, loaded.digest) == (package.manifest.function, package.digest)


def test_program_that_counts_nothing_in_use_shows_that_the_region_is_empty(
    wrapped: Wrapped,
) -> None:
    card = wrapped.card()
    card.program()
    assert card.read_back() is None


@pytest.mark.parametrize(
    "answer",
    [
        {"output": "no idea"},
        {"output": "Used regions: 1/2\n", "status": 1},
        {"output": "Used regions: 0/2\n", "errors": "Error: busy\n", "status": 1},
        {"then": "sleep 30"},
    ],
)
def test_program_that_answers_discovery_and_nothing_else_has_lost_nothing(
    wrapped: Wrapped, answer: dict[str, typing.Any]
) -> None:
    card = wrapped.card(timeout="1")
    card.program()
    wrapped.tool.answer("status", **answer)
    with pytest.raises(errors.NoAnswer):
        card.read_back()
    with pytest.raises(errors.NotErased):
        card.clear()
    wrapped.tool.answer("status", "Used regions: 1/2\n")
    assert card.read_back() is not None


def test_what_was_burnt_is_erased_by_its_identifier(wrapped: Wrapped) -> None:
    card = wrapped.card()
    card.program()
    card.clear()
    assert wrapped.tool.calls("erase*") == [["erase", ID]]
    assert card.read_back() is None


def test_card_without_the_verb_cannot_be_reset(wrapped: Wrapped) -> None:
    card = wrapped.card()
    assert not card.driver.can_reset(card.region)


def test_what_was_burnt_is_reset_by_its_identifier(wrapped: Wrapped) -> None:
    card = wrapped.card(reset="wind-back {id} {index}")
    wrapped.tool.answer(f"wind-back {ID} 0")
    card.program()
    assert card.driver.can_reset(card.region)
    card.driver.reset(card.region, Deadline(10))
    assert wrapped.tool.calls("wind-back*") == [["wind-back", ID, "0"]]


def test_reset_that_fails_is_reported(wrapped: Wrapped) -> None:
    card = wrapped.card(reset="wind-back {id}")
    wrapped.tool.answer("wind-back *", errors="no such core\n", status=33)
    card.program()
    with pytest.raises(errors.NotErased, match="ended with 33: no such core"):
        card.driver.reset(card.region, Deadline(10))


def test_reset_that_takes_too_long_is_reported(wrapped: Wrapped) -> None:
    card = wrapped.card(reset="wind-back {id}")
    wrapped.tool.answer("wind-back *", then="sleep 60")
    card.program()
    with pytest.raises(errors.NotErased, match="did not end within 1 seconds"):
        card.driver.reset(card.region, Deadline(1))


def test_region_that_was_burnt_before_the_host_restarted_is_not_reset(wrapped: Wrapped) -> None:
    card = wrapped.card(reset="wind-back {id}")
    card.program()
    card.restart_host()
    with pytest.raises(errors.NotErased, match="not on record since the host started"):
        card.driver.reset(card.region, Deadline(10))


def test_region_that_was_never_burnt_is_clear_without_asking(wrapped: Wrapped) -> None:
    wrapped.card().clear()
    assert wrapped.tool.calls("erase*") == []


def test_identifier_that_the_program_does_not_know_is_erased_already(wrapped: Wrapped) -> None:
    card = wrapped.card()
    card.program()
    wrapped.tool.answer(f"erase {ID}", errors="Error: unknown region", status=33)
    card.clear()
    assert card.read_back() is None


def test_failed_erase_is_reported_and_can_be_tried_again(wrapped: Wrapped) -> None:
    card = wrapped.card()
    card.program()
    wrapped.tool.answer(f"erase {ID}", errors="Error: stuck\n", status=31)
    with pytest.raises(errors.NotErased, match="tool ended with 31: Error: stuck"):
        card.clear()
    wrapped.tool.answer(f"erase {ID}")
    card.clear()
    assert len(wrapped.tool.calls("erase*")) == 2


def test_identifier_is_known_after_a_restart_of_the_host(wrapped: Wrapped) -> None:
    card = wrapped.card()
    card.program()
    card.restart_host()
    wrapped.tool.answer("status", "Used regions: 1/2\n")
    assert card.read_back() is None
    command = f"echo 'Used regions: 0/2' > {wrapped.folder}/left"
    wrapped.tool.answer("status", then=f"cat {wrapped.folder}/left")
    (wrapped.folder / "left").write_text("Used regions: 1/2\n")
    wrapped.tool.answer(f"erase {ID}", then=command)
    card.clear()
    assert wrapped.tool.calls("erase*") == [["erase", ID]]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"boot": 1}'])
def test_damaged_record_says_nothing(wrapped: Wrapped, text: str) -> None:
    card = wrapped.card()
    card.program()
    (record,) = card.state_folder().glob("*.record")
    record.write_text(text)
    wrapped.tool.answer("status", "Used regions: 1/2\n")
    with pytest.raises(errors.NoAnswer, match="is damaged"):
        card.read_back()
    with pytest.raises(errors.NotErased, match="identifier is not known"):
        card.clear()
    wrapped.tool.answer("status", "Used regions: 0/2\n")
    card.clear()
    assert card.read_back() is None


def test_region_with_a_burn_of_unknown_identifier_is_not_burnt_over(wrapped: Wrapped) -> None:
    card = wrapped.card()
    card.program()
    (record,) = card.state_folder().glob("*.record")
    record.unlink()
    wrapped.tool.answer("status", "Used regions: 1/2\n")
    wrapped.tool.forget()
    with pytest.raises(errors.ProgrammingFailed, match="identifier is not known"):
        card.program()
    assert wrapped.tool.calls("burn*") == []


def test_burn_that_failed_can_be_tried_again(wrapped: Wrapped) -> None:
    card = wrapped.card()
    wrapped.tool.answer("burn *", status=1)
    with pytest.raises(errors.ProgrammingFailed):
        card.program()
    wrapped.tool.answer("burn *", f"{ID}\n")
    card.program()


def test_burning_again_erases_first(wrapped: Wrapped) -> None:
    card = wrapped.card()
    card.program()
    card.program()
    assert [call[0] for call in wrapped.tool.calls() if call != ["status"]] == [
        "burn",
        "erase",
        "burn",
    ]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (1, errors.ProgrammingFailed),
        (64, errors.NoMatchingHardware),
        (65, errors.NoFreeRegion),
        (66, errors.BadPackage),
        (67, errors.ProgrammingFailed),
        (68, errors.ProgrammingFailed),
        (69, errors.WrongFunction),
        (70, errors.TimedOut),
        (127, errors.ProgrammingFailed),
    ],
)
def test_exit_status_of_burn_says_what_failed(
    wrapped: Wrapped, status: int, error: type[errors.RegionError]
) -> None:
    card = wrapped.card()
    wrapped.tool.answer("burn *", errors="Error: not today\n", status=status)
    with pytest.raises(error, match=f"tool ended with {status}: Error: not today") as caught:
        card.program()
    assert type(caught.value) is error
    card.clear()


@pytest.mark.parametrize(
    "printed", ["", "two words", "-x", "a" * 256, f"{ID}\n{ID}", "a\x00b", "a;b", "ä"]
)
def test_burn_without_a_proper_identifier_has_failed(wrapped: Wrapped, printed: str) -> None:
    card = wrapped.card()
    wrapped.tool.answer("burn *", printed.replace("\x00", "\x01"))
    with pytest.raises(errors.ProgrammingFailed, match="printed no identifier"):
        card.program()


def test_burn_that_takes_too_long_is_a_time_out(wrapped: Wrapped) -> None:
    card = wrapped.card()
    wrapped.tool.answer("burn *", then="sleep 30")
    with pytest.raises(errors.TimedOut, match="did not end within"):
        card.program(0.5)


def test_erase_that_takes_too_long_is_not_erased(wrapped: Wrapped) -> None:
    card = wrapped.card()
    card.program()
    wrapped.tool.answer(f"erase {ID}", then="sleep 30")
    with pytest.raises(errors.NotErased, match="did not end within"):
        card.clear(0.3)


def test_burn_of_unknown_outcome_is_not_erased_while_the_program_counts_it(
    wrapped: Wrapped,
) -> None:
    card = wrapped.card()
    wrapped.tool.answer("burn *", then="sleep 30")
    with pytest.raises(errors.TimedOut):
        card.program(0.5)
    wrapped.tool.answer("status", "Used regions: 1/2\n")
    with pytest.raises(errors.NotErased, match="identifier is not known"):
        card.clear()
    wrapped.tool.answer("status", "Used regions: 0/2\n")
    card.clear()


def test_known_regions_do_not_make_a_burn_of_unknown_outcome_look_done(wrapped: Wrapped) -> None:
    driver = wrapped.driver()
    first, second = Card(driver, 0), Card(driver, 1)
    first.program()
    wrapped.tool.answer("status", "Used regions: 1/2\n")
    wrapped.tool.answer("burn *", status=1)
    with pytest.raises(errors.ProgrammingFailed):
        second.program()
    second.clear()


def test_arguments_have_the_form_that_the_operator_gave(wrapped: Wrapped) -> None:
    wrapped.tool.answer("tell how many", "Used regions: 0/2\n")
    card = wrapped.card(
        burn="--slot '{index}' load {image_id} {digest}",
        erase="wipe --slot {index}",
        status="tell 'how many'",
    )
    wrapped.tool.answer("--slot 0 load *", f"{ID}\n")
    wrapped.tool.answer("wipe --slot 0")
    package = card.package()
    card.program()
    card.clear()
    digest = package.manifest.sha256
    assert [call for call in wrapped.tool.calls() if call != ["tell", "how many"]] == [
        ["--slot", "0", "load", IMAGE, digest],
        ["wipe", "--slot", "0"],
    ]


def test_erase_by_number_needs_no_identifier(wrapped: Wrapped) -> None:
    card = wrapped.card(erase="wipe {index}")
    wrapped.tool.answer("wipe 0")
    card.clear()
    assert wrapped.tool.calls("wipe*") == [["wipe", "0"]]


def test_nodes_may_be_named_after_the_identifier(wrapped: Wrapped) -> None:
    wrapped.tool.answer("burn *", "null\n")
    card = wrapped.card(nodes="char:/dev/{id},char:/dev/zero")
    exposes = [{"kind": "char", "name": f"/dev/fpga{number}"} for number in range(2)]
    nodes = card.program(exposes=exposes)
    assert [(n.path, n.name) for n in nodes] == [
        ("/dev/null", "/dev/fpga0"),
        ("/dev/zero", "/dev/fpga1"),
    ]


def test_node_that_does_not_appear_is_a_failure(wrapped: Wrapped) -> None:
    card = wrapped.card(nodes=f"char:{wrapped.folder}/missing")
    with pytest.raises(errors.ProgrammingFailed, match="missing is not there, or is no char node"):
        card.program(1)
    card.clear()
    assert wrapped.tool.calls("erase*") == [["erase", ID]]


def test_node_of_another_kind_is_a_failure(wrapped: Wrapped) -> None:
    (wrapped.folder / "file").write_text("")
    with pytest.raises(errors.ProgrammingFailed, match="is no char node"):
        wrapped.card(nodes=f"char:{wrapped.folder}/file").program(1)


def test_package_that_exposes_more_than_the_region_has_is_a_failure(wrapped: Wrapped) -> None:
    exposes = [{"kind": "char", "name": f"/dev/fpga{number}"} for number in range(2)]
    with pytest.raises(errors.ProgrammingFailed, match="exposes more char nodes"):
        wrapped.card().program(exposes=exposes)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"status": 127, "errors": "Error: FPGA device is not accessible"}, "ended with 127"),
        ({"output": "2 regions"}, "did not print 'Used regions: U/T'"),
        ({"output": "Used regions: 3/2"}, "did not print"),
        ({"output": "Used regions: 1/9999"}, "did not print"),
        ({"then": "sleep 30"}, "did not end within 1 seconds"),
    ],
)
def test_card_whose_program_does_not_answer_is_not_accessible(
    wrapped: Wrapped, answer: dict[str, typing.Any], why: str
) -> None:
    wrapped.tool.answer("status", **answer)
    with pytest.raises(errors.NotAccessible, match=f"card a: .*{why}"):
        wrapped.driver(timeout="1").discover()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"exec": "fpga-tool"}, r"\[command:a\] exec must be a full path"),
        ({"exec": ""}, r"\[command:a\] exec is not set"),
        ({"board": ""}, r"\[command:a\] board is not set"),
        ({"burn": "burn {secret}"}, r"burn: there is no place \{secret\}"),
        ({"erase": "erase {bitfile}"}, r"erase: there is no place \{bitfile\}"),
        ({"status": "'open"}, "status: No closing quotation"),
        ({"nodes": "tape:/dev/st0"}, "'tape:/dev/st0' is not of the form"),
        ({"nodes": "char:st0"}, "is not of the form"),
        ({"suffix": "/../x.bin"}, "suffix"),
        ({"timeout": "0"}, "timeout"),
        ({"interface": "none"}, "interface"),
    ],
)
def test_options_that_cannot_be_used_are_reported(
    wrapped: Wrapped, options: dict[str, str], why: str
) -> None:
    with pytest.raises(errors.NotAccessible, match=why):
        wrapped.driver(**options)


@pytest.mark.parametrize(
    ("cards", "why"),
    [("", "no card is configured"), ("a,a", "names a card twice"), ("../a", "is not a name")],
)
def test_cards_that_cannot_be_are_reported(tmp_path: pathlib.Path, cards: str, why: str) -> None:
    with pytest.raises(errors.NotAccessible, match=why):
        CommandDriver("command", load_conf(tmp_path, f"[command]\ncards = {cards}\n"))


def test_card_that_is_not_configured_any_more_is_reported(wrapped: Wrapped) -> None:
    card = wrapped.card()
    card.program()
    text = "[command]\ncards = b\n[command:b]\nexec = /bin/false\nboard = b\npart = p\n"
    driver = CommandDriver("command", load_conf(wrapped.folder, text))
    card.driver = driver
    with pytest.raises(errors.NotErased, match=r"card a is not in \[command\] cards any more"):
        card.clear()
    with pytest.raises(errors.NoAnswer, match="card a is not in"):
        card.read_back()
