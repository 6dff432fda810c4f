# SPDX-License-Identifier: Apache-2.0
"""Cores that use both edges of the clock, and pins that float: as their source is simulated."""

import pathlib
import typing

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fpga_nova.deadline import Deadline
from fpga_regions.emulator import netlist
from fpga_regions.emulator.engines import ENGINES
from fpga_regions.emulator.sandbox import Sandbox
from tests.support import synthesis
from tests.support.host import talk
from tests.unit.fpga_regions.emulator.conftest import UID, Board

DATA = b"hello, \x00\xff\x80\x7f world"

#: Takes a byte as the falling edge saw it, and is done when the falling edge saw the end.
FALLING = synthesis.core(
    """
    reg [7:0] seen, held;
    reg seen_valid, seen_end, seen_reset, full;
    assign in_ready = !full;
    assign out_data = held;
    assign out_valid = full;
    assign done = seen_end && !full;
    always @(negedge clk) begin
        seen <= in_data;
        seen_valid <= in_valid;
        seen_end <= in_end;
        seen_reset <= rst;
    end
    always @(posedge clk)
        if (seen_reset) full <= 0;
        else if (in_valid && in_ready) begin
            held <= seen_valid ? seen : 8'h21;
            full <= 1;
        end else if (out_ready) full <= 0;
    """
)

#: Shows in its lowest bits what it reads on pins outside the shell, one of which it may drive, and
#: lets a pin of the shell float for some bytes.
FLOATING = synthesis.core(
    """
    reg [7:0] held;
    reg full;
    wire read, registered;
    SB_IO #(.PIN_TYPE(6'b1010_01), .PULLUP(1'b1)) both (
        .CLOCK_ENABLE(1'b1), .LATCH_INPUT_VALUE(1'b0),
        .PACKAGE_PIN(ext), .OUTPUT_ENABLE(held[7]), .D_OUT_0(held[3]), .D_IN_0(read));
    SB_IO #(.PIN_TYPE(6'b0000_00), .PULLUP(1'b1)) only_in (
        .CLOCK_ENABLE(1'b1), .PACKAGE_PIN(ext2), .INPUT_CLK(clk), .D_IN_0(registered));
    SB_IO #(.PIN_TYPE(6'b1010_01), .PULLUP(1'b1)) open (
        .PACKAGE_PIN(out_data[7]), .OUTPUT_ENABLE(held[5]), .D_OUT_0(held[4]));
    assign in_ready = !full;
    assign out_data[6:0] = {held[6:2], registered, read};
    assign out_valid = full;
    assign done = in_end && !full;
    always @(posedge clk)
        if (rst) full <= 0;
        else if (in_valid && in_ready) begin
            held <= in_data;
            full <= 1;
        end else if (out_ready) full <= 0;
    """,
    "inout ext",
    "input ext2",
)


class Core:
    """A core whose source is known, on a region."""

    def __init__(self, folder: pathlib.Path, source: str, engine: str) -> None:
        self._folder, self._source = folder, source
        self.board = Board(folder / "board", engine)
        content = synthesis.bitstream(folder / "core", source)
        self._path = self.board.program("core", "hx8k", content)

    def answers(self, data: bytes) -> tuple[bytes, bytes]:
        """What the region answers, and what it must."""
        return talk(self._path, data), synthesis.simulated(
            self._folder / "source", self._source, data
        )


@pytest.fixture(scope="module", params=["icarus", "verilator"])
def falling(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> typing.Iterator[Core]:
    core = Core(tmp_path_factory.mktemp("falling"), FALLING, request.param)
    yield core
    core.board.close()


@pytest.fixture(scope="module", params=["icarus", "verilator"])
def floating(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> typing.Iterator[Core]:
    core = Core(tmp_path_factory.mktemp("floating"), FLOATING, request.param)
    yield core
    core.board.close()


def test_core_sees_the_same_at_the_falling_edge_as_at_the_rising_one(falling: Core) -> None:
    assert falling.answers(DATA) == (DATA, DATA)


def test_pins_that_nothing_drives_read_as_one(floating: Core) -> None:
    answer, expected = floating.answers(bytes(range(256)))
    assert answer == expected
    assert (
        answer[:2] == b"\x83\x83"
    )  # nothing is driven: both pins read as 1, and so does the shell's


def small(examples: int) -> typing.Callable[[typing.Any], typing.Any]:
    """Few examples, the same each time."""
    return settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        deadline=None,
    )


def test_any_input_is_answered_as_the_source_says(falling: Core, floating: Core) -> None:
    @small(12)
    @given(st.binary(max_size=80))
    def any_input(data: bytes) -> None:
        for core in (falling, floating):
            answer, expected = core.answers(data)
            assert answer == expected

    any_input()


STAGES = st.lists(
    st.tuples(
        st.sampled_from(["posedge", "negedge"]),
        st.sampled_from(["{x} ^ 8'd{n}", "{x} + 8'd{n}", "{{{x}[3:0], {x}[7:4]}}", "{x} + acc"]),
        st.integers(0, 255),
    ),
    min_size=1,
    max_size=4,
)


def random_core(stages: list[tuple[str, str, int]]) -> str:
    """A core that hands each byte through stages, each with an edge of its own."""
    lines = ["reg [7:0] held, acc; reg full;"]
    last = "in_data"
    for number, (edge, expression, constant) in enumerate(stages):
        lines.append(f"reg [7:0] s{number};")
        lines.append(f"always @({edge} clk) s{number} <= {expression.format(x=last, n=constant)};")
        last = f"s{number}"
    return synthesis.core(
        "\n".join(lines)
        + f"""
        assign in_ready = !full;
        assign out_data = held;
        assign out_valid = full;
        assign done = in_end && !full;
        always @(posedge clk)
            if (rst) begin full <= 0; acc <= 0; end
            else if (in_valid && in_ready) begin
                held <= {last} ^ in_data;
                acc <= acc + {last};
                full <= 1;
            end else if (out_ready) full <= 0;
        """
    )


def outputs(answer: bytes) -> bytes:
    """The output in the answers of a model."""
    output = b""
    while answer:
        size = int.from_bytes(answer[1:4], "little")
        output += answer[4 : 4 + size]
        answer = answer[4 + (size + 3) // 4 * 4 :]
    return output


def test_random_cores_do_the_same_by_both_engines_and_by_their_source(
    tmp_path: pathlib.Path,
) -> None:
    box = Sandbox(tmp_path / "work", UID)

    @small(4)
    @given(STAGES, st.binary(min_size=1, max_size=60))
    def any_core(stages: list[tuple[str, str, int]], data: bytes) -> None:
        source = random_core(stages)
        content = synthesis.bitstream(tmp_path / "core", source)
        text = netlist.from_bitstream(box, content, "hx8k", Deadline(100))
        commands = b"RD" + len(data).to_bytes(2, "big") + data + b"EWWW"
        found = set()
        for engine in ENGINES.values():
            model = tmp_path / "model"
            model.unlink(missing_ok=True)
            model.write_bytes(engine.build(box, text, Deadline(250)))
            model.chmod(0o555)
            with model.open("rb") as file:
                found.add(engine.answer(box, file, commands, Deadline(60)))
        (answer,) = found
        assert outputs(answer) == synthesis.simulated(tmp_path / "source", source, data)

    any_core()
