// SPDX-License-Identifier: Apache-2.0
// CRC-32 of IEEE 802.3 (polynomial 0x04C11DB7, reflected): four bytes, the most significant first.
// One cycle for each byte of the input.

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
    reg [31:0] crc;
    reg [2:0] sent;

    function [31:0] updated(input [31:0] before, input [7:0] data);
        integer i;
        begin
            updated = before ^ {24'd0, data};
            for (i = 0; i < 8; i = i + 1)
                updated = (updated >> 1) ^ (updated[0] ? 32'hEDB88320 : 32'd0);
        end
    endfunction

    assign in_ready = !in_end;
    assign out_data = ~crc[31:24];
    assign out_valid = in_end && sent != 4;
    assign done = in_end && sent == 4;

    always @(posedge clk)
        if (rst) begin
            crc <= 32'hFFFFFFFF;
            sent <= 0;
        end else if (in_valid && in_ready)
            crc <= updated(crc, in_data);
        else if (out_valid && out_ready) begin
            crc <= crc << 8;
            sent <= sent + 1;
        end
endmodule
