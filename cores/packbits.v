// SPDX-License-Identifier: Apache-2.0
// Run-length compression in the format PackBits (TIFF 6.0, section 9; compression 32773).
// Runs are of 2 to 128 bytes. Literals go out in groups of at most 16, where the format permits
// 128: any reader takes them, and a region has room for the buffer.

module top (
    input wire clk,
    input wire rst,
    input wire [7:0] in_data,
    input wire in_valid,
    output wire in_ready,
    input wire in_end,
    output reg [7:0] out_data,
    output wire out_valid,
    input wire out_ready,
    output wire done
);
    localparam TAKE = 0, DECIDE = 1, GROUP = 2, LITERAL = 3, RUN = 4, REPEATED = 5, DONE = 6;

    reg [2:0] state;
    reg [7:0] byte_now, byte_next;  // the byte of the run, and the one that ended the run
    reg [7:0] run;                  // its length so far
    reg has_next;
    reg [127:0] literals;           // the latest in the lowest byte
    reg [4:0] count;

    wire [3:0] oldest = count - 1;
    wire sent = out_valid && out_ready;

    assign in_ready = state == TAKE && !in_end;
    assign out_valid = state == GROUP || state == LITERAL || state == RUN || state == REPEATED;
    assign done = state == DONE;

    always @(*)
        case (state)
            GROUP: out_data = {4'd0, oldest};
            RUN: out_data = 8'd1 - run;
            REPEATED: out_data = byte_now;
            default: out_data = literals[{oldest, 3'd0} +: 8];
        endcase

    always @(posedge clk)
        if (rst) begin
            state <= TAKE;
            run <= 0;
            count <= 0;
        end else
            case (state)
                TAKE:
                    if (in_end) begin
                        has_next <= 0;
                        state <= DECIDE;
                    end else if (in_valid) begin
                        if (run == 0) begin
                            byte_now <= in_data;
                            run <= 1;
                        end else if (in_data == byte_now && run != 128)
                            run <= run + 1;
                        else begin
                            byte_next <= in_data;
                            has_next <= 1;
                            state <= DECIDE;
                        end
                    end
                DECIDE:
                    if (run > 2 || (run == 2 && count == 0))
                        state <= count == 0 ? RUN : GROUP;
                    else if (run != 0) begin
                        if (count == 16)
                            state <= GROUP;
                        else begin
                            literals <= {literals[119:0], byte_now};
                            count <= count + 1;
                            run <= run - 1;
                        end
                    end else if (has_next) begin
                        byte_now <= byte_next;
                        run <= 1;
                        state <= TAKE;
                    end else
                        state <= count == 0 ? DONE : GROUP;
                GROUP:
                    if (sent)
                        state <= LITERAL;
                LITERAL:
                    if (sent) begin
                        count <= count - 1;
                        if (count == 1)
                            state <= DECIDE;
                    end
                RUN:
                    if (sent)
                        state <= REPEATED;
                REPEATED:
                    if (sent) begin
                        run <= 0;
                        state <= DECIDE;
                    end
            endcase
endmodule
