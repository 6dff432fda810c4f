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
static bool gave;

// Everything in and out of the core is settled before the clock rises.
static void cycle()
{
    core.in_valid = at < left;
    core.in_data = core.in_valid ? given[at] : 0;
    core.clk = 0;
    core.eval();
    bool took = core.in_valid && core.in_ready;
    gave = core.out_valid;
    if (gave)
        made[count++] = core.out_data;
    core.clk = 1;
    core.eval();
    at += took;
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

// What is settled after the clock rose: `done` may depend on inputs that changed since.
static bool done()
{
    core.clk = 0;
    core.eval();
    return core.done;
}

// Until the input is used up, or the core pauses after some output, or the turn is over.
static void run(int command)
{
    const int most = command == 'W' ? WAIT : TURN;
    bool quiet = false;
    for (int cycles = 0; cycles < most && !done() && !quiet; cycles++) {
        cycle();
        quiet = !core.in_end && at == left && (command == 'D' || (count && !gave));
    }
}

static bool answer()
{
    const uint8_t status = done() ? 'X' : at < left ? 'B' : 'N';
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
