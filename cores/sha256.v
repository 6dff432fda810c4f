// SPDX-License-Identifier: Apache-2.0
// SHA-256 (FIPS 180-4): 32 bytes. 129 cycles for each block of 64 bytes; the padding is made here.

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
    localparam LOAD = 0, ROUNDS = 1, ADD = 2, ANSWER = 3, DONE = 4;
    localparam [255:0] START =
        256'h6a09e667_bb67ae85_3c6ef372_a54ff53a_510e527f_9b05688c_1f83d9ab_5be0cd19;

    reg [2:0] state;
    reg [511:0] block;      // the words of the schedule, the oldest in the highest bits
    reg [255:0] hash;
    reg [31:0] a, b, c, d, e, f, g, h;
    reg [5:0] step;         // byte of the block, round, or byte of the answer
    reg [63:0] length;      // of the input, in bytes
    reg marked;             // the byte 0x80 that ends the input is in
    reg counted;            // and this block ends with the input's length

    function [31:0] constant(input [5:0] round);
        case (round)
            0: constant = 32'h428a2f98; 1: constant = 32'h71374491; 2: constant = 32'hb5c0fbcf; 3: constant = 32'he9b5dba5;
            4: constant = 32'h3956c25b; 5: constant = 32'h59f111f1; 6: constant = 32'h923f82a4; 7: constant = 32'hab1c5ed5;
            8: constant = 32'hd807aa98; 9: constant = 32'h12835b01; 10: constant = 32'h243185be; 11: constant = 32'h550c7dc3;
            12: constant = 32'h72be5d74; 13: constant = 32'h80deb1fe; 14: constant = 32'h9bdc06a7; 15: constant = 32'hc19bf174;
            16: constant = 32'he49b69c1; 17: constant = 32'hefbe4786; 18: constant = 32'h0fc19dc6; 19: constant = 32'h240ca1cc;
            20: constant = 32'h2de92c6f; 21: constant = 32'h4a7484aa; 22: constant = 32'h5cb0a9dc; 23: constant = 32'h76f988da;
            24: constant = 32'h983e5152; 25: constant = 32'ha831c66d; 26: constant = 32'hb00327c8; 27: constant = 32'hbf597fc7;
            28: constant = 32'hc6e00bf3; 29: constant = 32'hd5a79147; 30: constant = 32'h06ca6351; 31: constant = 32'h14292967;
            32: constant = 32'h27b70a85; 33: constant = 32'h2e1b2138; 34: constant = 32'h4d2c6dfc; 35: constant = 32'h53380d13;
            36: constant = 32'h650a7354; 37: constant = 32'h766a0abb; 38: constant = 32'h81c2c92e; 39: constant = 32'h92722c85;
            40: constant = 32'ha2bfe8a1; 41: constant = 32'ha81a664b; 42: constant = 32'hc24b8b70; 43: constant = 32'hc76c51a3;
            44: constant = 32'hd192e819; 45: constant = 32'hd6990624; 46: constant = 32'hf40e3585; 47: constant = 32'h106aa070;
            48: constant = 32'h19a4c116; 49: constant = 32'h1e376c08; 50: constant = 32'h2748774c; 51: constant = 32'h34b0bcb5;
            52: constant = 32'h391c0cb3; 53: constant = 32'h4ed8aa4a; 54: constant = 32'h5b9cca4f; 55: constant = 32'h682e6ff3;
            56: constant = 32'h748f82ee; 57: constant = 32'h78a5636f; 58: constant = 32'h84c87814; 59: constant = 32'h8cc70208;
            60: constant = 32'h90befffa; 61: constant = 32'ha4506ceb; 62: constant = 32'hbef9a3f7; 63: constant = 32'hc67178f2;
        endcase
    endfunction

    function [31:0] rotated(input [31:0] word, input integer by);
        rotated = (word >> by) | (word << (32 - by));
    endfunction

    wire [31:0] w0 = block[511:480], w1 = block[479:448], w9 = block[223:192], w14 = block[63:32];
    wire [31:0] s0 = rotated(w1, 7) ^ rotated(w1, 18) ^ (w1 >> 3);
    wire [31:0] s1 = rotated(w14, 17) ^ rotated(w14, 19) ^ (w14 >> 10);
    wire [31:0] t1 = h + (rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25))
        + ((e & f) ^ (~e & g)) + constant(step) + w0;
    wire [31:0] t2 = (rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22))
        + ((a & b) ^ (a & c) ^ (b & c));

    // The length stands in the last eight bytes, in bits.
    wire [63:0] bits = length << 3;
    wire tail = step[5:3] == 7 && marked && counted;
    wire [7:0] padding = !marked ? 8'h80 : tail ? bits[{3'd7 - step[2:0], 3'd0} +: 8] : 8'd0;
    wire [7:0] loaded = in_end ? padding : in_data;

    assign in_ready = state == LOAD && !in_end;
    assign out_data = hash[255:248];
    assign out_valid = state == ANSWER;
    assign done = state == DONE;

    always @(posedge clk)
        if (rst) begin
            state <= LOAD;
            hash <= START;
            {a, b, c, d, e, f, g, h} <= START;
            step <= 0;
            length <= 0;
            marked <= 0;
            counted <= 0;
        end else
            case (state)
                LOAD:
                    if (in_end || in_valid) begin
                        block <= {block[503:0], loaded};
                        step <= step + 1;
                        if (!in_end)
                            length <= length + 1;
                        else begin
                            marked <= 1;
                            // Behind the mark there must be room for the length.
                            if (step < 56 && (!marked || step == 0))
                                counted <= 1;
                        end
                        if (step == 63)
                            state <= ROUNDS;
                    end
                ROUNDS: begin
                    {a, b, c, d, e, f, g, h} <= {t1 + t2, a, b, c, d + t1, e, f, g};
                    block <= {block[479:0], s1 + w9 + s0 + w0};
                    step <= step + 1;
                    if (step == 63)
                        state <= ADD;
                end
                ADD: begin
                    {a, b, c, d, e, f, g, h} <= total;
                    hash <= total;
                    state <= counted ? ANSWER : LOAD;
                end
                ANSWER:
                    if (out_ready) begin
                        hash <= hash << 8;
                        step <= step + 1;
                        if (step == 31)
                            state <= DONE;
                    end
            endcase

    wire [255:0] total = {
        hash[255:224] + a, hash[223:192] + b, hash[191:160] + c, hash[159:128] + d,
        hash[127:96] + e, hash[95:64] + f, hash[63:32] + g, hash[31:0] + h
    };
endmodule
