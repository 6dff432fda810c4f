// SPDX-License-Identifier: Apache-2.0
// Drives the shell's pins for Verilator, as fpga_regions/emulator/simulation.py tells it: a command
// comes in on standard input, what the core made of it goes out on standard output. bench.v is the
// same for Icarus Verilog.

#include <cstdint>
#include <cstdio>

#include "Vshell.h"

static const int TURN = 8192, WAIT = 512;

static Vshell core;
static uint8_t given[65536], made[TURN + 4];
static int left, at, count;
static bool gave, finished;

// Inputs change right after the clock has risen, as behind flip-flops: so a core sees the same at
// both edges of a cycle. What counts is what is settled before the clock rises again.
static void cycle()
{
    core.in_valid = at < left;
    core.in_data = core.in_valid ? given[at] : 0;
    core.eval();
    core.clk = 0;
    core.eval();
    finished = core.done;
    gave = core.out_valid && !finished;
    if (gave)
        made[count++] = core.out_data;
    at += core.in_valid && core.in_ready;
    core.clk = 1;
    core.eval();
}

static void reset()
{
    core.rst = 1;
    core.in_end = 0;
    left = at = count = 0;
    for (int i = 0; i < 4; i++)
        cycle();
    core.rst = 0;
    count = 0;
    finished = false;
}

static bool read()
{
    uint8_t size[2];
    if (fread(size, 1, 2, stdin) != 2)
        return false;
    left = size[0] * 256 + size[1];
    at = 0;
    return fread(given, 1, left, stdin) == size_t(left);
}

// Until the input is used up, or the core pauses after some output, or the turn is over.
static void run(int command)
{
    const int most = command == 'W' ? WAIT : TURN;
    bool quiet = false;
    for (int cycles = 0; cycles < most && !finished && !quiet; cycles++) {
        cycle();
        quiet = !core.in_end && at == left && (command == 'D' || (count && !gave));
    }
}

static bool answer()
{
    const uint8_t status = finished ? 'X' : at < left ? 'B' : 'N';
    const uint8_t head[4] = {status, uint8_t(count), uint8_t(count >> 8), uint8_t(count >> 16)};
    const size_t size = (count + 3) / 4 * 4;
    return fwrite(head, 1, 4, stdout) == 4 && fwrite(made, 1, size, stdout) == size
        && fflush(stdout) == 0;
}

int main()
{
    core.out_ready = 1;
    reset();
    for (int command; (command = getchar()) != EOF;) {
        count = 0;
        if (command == 'R')
            reset();
        if (command == 'D' && !read())
            return 1;
        if (command == 'E')
            core.in_end = 1;
        if (command != 'R')
            run(command);
        if (!answer())
            return 1;
    }
    return 0;
}
