# SPDX-License-Identifier: Apache-2.0
"""Block RAM in each of its shapes: a core that yosys puts into one, with content from the start."""

import pathlib
import subprocess

import pytest

from tests.support.host import talk
from tests.unit.fpga_regions.emulator.conftest import Board

SHELL = pathlib.Path(__file__).parents[4] / "fpga_regions" / "emulator" / "shell"
#: Writes the input over the content, one byte each, and answers with all of it.
CORE = """
module top (
    input clk, input rst, input [7:0] in_data, input in_valid, output in_ready, input in_end,
    output [7:0] out_data, output out_valid, input out_ready, output done
);
    reg [WIDTH - 1:0] memory[0:4096 / WIDTH - 1], word;
    reg [12:0] at, next;
    reg ready;
    integer i;
    initial for (i = 0; i < 4096 / WIDTH; i = i + 1) memory[i] = i * 37 + 11;

    assign in_ready = !in_end;
    assign out_data = FOLDED;
    assign out_valid = ready;
    assign done = in_end && next == 4096 / WIDTH && !ready;

    always @(posedge clk) begin
        if (in_valid && in_ready) memory[at] <= {in_data, in_data};
        word <= memory[next];
        if (rst) begin
            at <= 0;
            next <= 0;
            ready <= 0;
        end else if (in_valid && in_ready) at <= at + 1;
        else if (in_end && !ready && next != 4096 / WIDTH) begin
            next <= next + 1;
            ready <= 1;
        end else if (out_ready) ready <= 0;
    end
endmodule
"""


def bitstream(folder: pathlib.Path, width: int) -> bytes:
    """The core with words of a width."""
    folded = "word[15:8] ^ {word[6:0], 1'b0}" if width == 16 else "word"
    text = CORE.replace("WIDTH", str(width)).replace("FOLDED", folded)
    (folder / "top.v").write_text(text)
    place = "nextpnr-ice40 -q --hx1k --package tq144 --json a.json --asc a.asc --pcf"
    for command in (
        ["yosys", "-q", "-p", "synth_ice40 -top top -json a.json", "top.v"],
        [*place.split(), str(SHELL / "hx1k.pcf")],
        ["icepack", "a.asc", "a.bin"],
    ):
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    assert ".ram_data" in (folder / "a.asc").read_text()
    return (folder / "a.bin").read_bytes()


def expected_byte(word: int, width: int) -> int:
    """The byte that the core makes of a word."""
    if width < 16:
        return word % (1 << width)
    return (word >> 8 & 0xFF) ^ (word << 1 & 0xFF)


@pytest.mark.parametrize(
    ("width", "engine"),
    [(16, "icarus"), (8, "icarus"), (4, "icarus"), (2, "icarus"), (4, "verilator")],
)
def test_ram_holds_what_it_began_with_and_what_was_written(
    tmp_path: pathlib.Path, width: int, engine: str
) -> None:
    board = Board(tmp_path / "board", engine)
    try:
        path = board.program("ram", content=bitstream(tmp_path, width))
        data = bytes(range(3, 103))
        size = 4096 // width
        words = [byte << 8 | byte for byte in data] + [i * 37 + 11 for i in range(len(data), size)]
        assert talk(path, data) == bytes(
            expected_byte(word % (1 << width), width) for word in words
        )
    finally:
        board.close()
