// SPDX-License-Identifier: Apache-2.0
// Drives the shell's pins for Icarus Verilog, as fpga_regions/emulator/simulation.py tells it:
// a command comes in on standard input, what the core made of it goes out on standard output.
// bench.cpp is the same for Verilator.

module bench;
    localparam IN = 32'h8000_0000, OUT = 32'h8000_0001;
    localparam TURN = 8192, WAIT = 512;

    reg clk = 0, rst = 1, in_valid = 0, in_end = 0;
    reg [7:0] in_data = 0;
    wire in_ready, out_valid, done;
    wire [7:0] out_data;

    shell shell (
        .clk(clk), .rst(rst),
        .in_data(in_data), .in_valid(in_valid), .in_ready(in_ready), .in_end(in_end),
        .out_data(out_data), .out_valid(out_valid), .out_ready(1'b1), .done(done)
    );

    reg [7:0] given[0:TURN - 1], made[0:TURN + 3];
    integer command, left, at, count, cycles, i;
    reg gave, quiet, finished;

    // Inputs change right after the clock has risen, as behind flip-flops: so a core sees the same at
    // both edges of a cycle. What counts is what is settled before the clock rises again.
    task cycle;
        begin
            in_valid = at < left;
            in_data = in_valid ? given[at] : 8'd0;
            #1;
            clk = 0;
            #1;
            finished = done === 1'b1;
            gave = out_valid === 1'b1 && !finished;
            if (gave) begin
                made[count] = out_data;
                count = count + 1;
            end
            if (in_valid && in_ready === 1'b1) at = at + 1;
            clk = 1;
            #1;
            cycles = cycles + 1;
        end
    endtask

    task reset;
        begin
            rst = 1;
            in_end = 0;
            left = 0;
            at = 0;
            for (i = 0; i < 4; i = i + 1) cycle;
            rst = 0;
            count = 0;
            finished = 0;
        end
    endtask

    task read;
        begin
            left = $fgetc(IN);
            left = left * 256 + $fgetc(IN);
            at = 0;
            for (i = 0; i < left; i = i + 1) given[i] = $fgetc(IN);
        end
    endtask

    // Until the input is used up, or the core pauses after some output, or the turn is over.
    task run;
        begin
            quiet = 0;
            while (cycles < (command == "W" ? WAIT : TURN) && !finished && !quiet) begin
                cycle;
                quiet = !in_end && at == left && (command == "D" || (count != 0 && !gave));
            end
        end
    endtask

    // Words, because %c leaves out a byte of zero.
    task answer;
        begin
            $fwrite(OUT, "%u", {count[23:0], finished ? "X" : at < left ? "B" : "N"});
            for (i = 0; i < count; i = i + 4)
                $fwrite(OUT, "%u", {made[i + 3], made[i + 2], made[i + 1], made[i]});
            $fflush(OUT);
        end
    endtask

    initial begin
        for (i = 0; i < TURN + 4; i = i + 1) made[i % (TURN + 4)] = 0;
        reset;
        command = $fgetc(IN);
        while (command != -1) begin
            cycles = 0;
            count = 0;
            if (command == "R") reset;
            if (command == "D") read;
            if (command == "E") in_end = 1;
            if (command != "R") run;
            answer;
            command = $fgetc(IN);
        end
        $finish(0);
    end
endmodule
