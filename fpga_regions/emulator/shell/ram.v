// SPDX-License-Identifier: Apache-2.0
// A block RAM of an iCE40 (Lattice, "Memory Usage Guide for iCE40 Devices"): 256 rows of 16 bits, of
// which the modes 1, 2 and 3 see each second, fourth or eighth bit at a time, chosen by the upper bits
// of the address, at the pins below.

module SB_RAM40_4K #(
    parameter READ_MODE = 0,
    parameter WRITE_MODE = 0,
    parameter [255:0] INIT_0 = 0,
    parameter [255:0] INIT_1 = 0,
    parameter [255:0] INIT_2 = 0,
    parameter [255:0] INIT_3 = 0,
    parameter [255:0] INIT_4 = 0,
    parameter [255:0] INIT_5 = 0,
    parameter [255:0] INIT_6 = 0,
    parameter [255:0] INIT_7 = 0,
    parameter [255:0] INIT_8 = 0,
    parameter [255:0] INIT_9 = 0,
    parameter [255:0] INIT_A = 0,
    parameter [255:0] INIT_B = 0,
    parameter [255:0] INIT_C = 0,
    parameter [255:0] INIT_D = 0,
    parameter [255:0] INIT_E = 0,
    parameter [255:0] INIT_F = 0
) (
    output reg [15:0] RDATA,
    input RCLK, input RCLKE, input RE, input [10:0] RADDR,
    input WCLK, input WCLKE, input WE, input [10:0] WADDR,
    input [15:0] MASK, input [15:0] WDATA
);
    localparam READ_STEP = 1 << READ_MODE, WRITE_STEP = 1 << WRITE_MODE;
    localparam READ_PIN = READ_MODE == 0 ? 0 : READ_STEP / 2 - 1;
    localparam WRITE_PIN = WRITE_MODE == 0 ? 0 : WRITE_STEP / 2 - 1;
    localparam [4095:0] INIT = {
        INIT_F, INIT_E, INIT_D, INIT_C, INIT_B, INIT_A, INIT_9, INIT_8, INIT_7, INIT_6, INIT_5, INIT_4, INIT_3, INIT_2, INIT_1, INIT_0
    };

    reg [15:0] rows[0:255];
    wire [15:0] row = rows[RADDR[7:0]];
    wire [2:0] read_bit = RADDR[10:8] & (READ_STEP - 1);
    wire [2:0] write_bit = WADDR[10:8] & (WRITE_STEP - 1);

    integer i, r, w;

    initial begin
        RDATA = 0;
        for (i = 0; i < 256; i = i + 1) rows[i] = INIT[16 * i +: 16];
    end

    // A row that is read while it is written shows what was in it.
    always @(posedge RCLK)
        if (RCLKE && RE) begin
            RDATA <= 0;
            for (r = 0; r < 16; r = r + READ_STEP) RDATA[r + READ_PIN] <= row[r + read_bit];
        end

    always @(posedge WCLK)
        if (WCLKE && WE)
            for (w = 0; w < 16; w = w + WRITE_STEP)
                if (WRITE_MODE != 0 || !MASK[w])
                    rows[WADDR[7:0]][w + write_bit] <= WDATA[w + WRITE_PIN];
endmodule
