// SPDX-License-Identifier: Apache-2.0
// A core to begin with, which returns its input. docs/emulator.md explains the pins.

module top (
    input wire clk,
    input wire rst,
    input wire [7:0] in_data,
    input wire in_valid,
    output wire in_ready,
    input wire in_end,
    output wire [7:0] out_data,
    output wire out_valid,
    input wire out_ready,
    output wire done
);
    reg [7:0] held;
    reg full;

    assign in_ready = !full || out_ready;
    assign out_data = held;
    assign out_valid = full;
    assign done = in_end && !full;

    always @(posedge clk)
        if (rst)
            full <= 0;
        else if (in_valid && in_ready) begin
            held <= in_data;
            full <= 1;
        end else if (out_ready)
            full <= 0;
endmodule
