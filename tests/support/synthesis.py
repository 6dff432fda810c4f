# SPDX-License-Identifier: Apache-2.0
"""Cores of a test's own: as bitstreams, and simulated as they are written."""

import importlib.resources
import pathlib
import subprocess

_CELLS = pathlib.Path("/usr/share/yosys/ice40/cells_sim.v")
_PLAIN = "-DNO_ICE40_DEFAULT_ASSIGNMENTS"  # which Icarus 11 does not know
_PORTS = """
    input wire clk, input wire rst,
    input wire [7:0] in_data, input wire in_valid, output wire in_ready, input wire in_end,
    output wire [7:0] out_data, output wire out_valid, input wire out_ready, output wire done"""
#: Pins outside the shell, and where they are on an hx8k.
MORE_PINS = {"ext": "A1", "ext2": "A2"}

_BENCH = """
`timescale 1ns/1ps
module bench;
    reg clk = 0, rst = 1, in_valid = 0, in_end = 0;
    reg [7:0] in_data = 0, data[0:65535];
    wire in_ready, out_valid, done;
    tri1 [7:0] out_data;
    tri1 ext, ext2;
    integer at = 0, size;
    top core (
        .clk(clk), .rst(rst), .in_data(in_data), .in_valid(in_valid), .in_ready(in_ready),
        .in_end(in_end), .out_data(out_data), .out_valid(out_valid), .out_ready(1'b1), .done(done)
        MORE
    );
    always #10 clk = ~clk;
    // As other logic with the same clock does: read what was before the edge, change after it.
    always @(posedge clk) if (!rst) begin
        if (done) begin
            $display(".");
            $finish;
        end
        if (out_valid && !done) $write("%02x", out_data);
        if (in_valid && in_ready) at = at + 1;
        in_valid <= #1 at < size;
        in_data <= #1 at < size ? data[at] : 8'd0;
        in_end <= #1 at >= size;
    end
    initial begin
        if (!$value$plusargs("size=%d", size)) $finish;
        $readmemh("data", data);
        repeat (4) @(posedge clk);
        rst <= #1 0;
        #10_000_000 $display("it does not end");
        $finish;
    end
endmodule
"""


def core(body: str, *more_pins: str) -> str:
    """The Verilog of a core with the shell's pins and some others.

    :param more_pins: each with its direction, as in `inout ext`
    """
    more = "".join(f", {direction} wire {name}" for direction, name in map(str.split, more_pins))
    return f"module top ({_PORTS}{more} );\n{body}\nendmodule\n"


def bitstream(folder: pathlib.Path, source: str) -> bytes:
    """What the free tools make of a core for an hx8k."""
    folder.mkdir(exist_ok=True)
    shell = importlib.resources.files("fpga_regions.emulator").joinpath("shell/hx8k.pcf")
    pins = [f"set_io --warn-no-port {name} {place}\n" for name, place in MORE_PINS.items()]
    (folder / "top.v").write_text(source)
    (folder / "top.pcf").write_text(shell.read_text() + "".join(pins))
    place = [
        "--hx8k",
        "--package",
        "ct256",
        "--pcf",
        "top.pcf",
        "--freq",
        "12",
        "--seed",
        "1",
        "--force",
    ]
    for command in (
        ["yosys", "-q", "-p", "synth_ice40 -top top -json top.json", "top.v"],
        ["nextpnr-ice40", "-q", *place, "--json", "top.json", "--asc", "top.asc"],
        ["icepack", "top.asc", "top.bin"],
    ):
        result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
    return (folder / "top.bin").read_bytes()


def simulated(folder: pathlib.Path, source: str, data: bytes) -> bytes:
    """What a core answers by its source, simulated with logic around it that has the same clock."""
    folder.mkdir(exist_ok=True)
    more = "".join(f", .{pin}({pin})" for pin in MORE_PINS if f"wire {pin} " in source)
    (folder / "top.v").write_text(source)
    (folder / "bench.v").write_text(_BENCH.replace("MORE", more))
    (folder / "data").write_text(" ".join(f"{byte:02x}" for byte in data) or "00")
    sources = ["top.v", "bench.v", *([str(_CELLS)] if "SB_" in source else [])]
    command = ["iverilog", "-g2012", _PLAIN, "-s", "bench", "-o", "bench", *sources]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    command = ["vvp", "-n", "bench", f"+size={len(data)}"]
    result = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    answer, _, end = result.stdout.splitlines()[-1].rpartition(".")
    assert end == "" and result.stdout.rstrip().endswith("."), result.stdout
    return bytes.fromhex(answer)
