/* SPDX-License-Identifier: Apache-2.0 */
/* One side of a ring in memory that both sides have. It puts content there, or takes it; each side
 * sends how much that was. One thread uses it at a time. */
#ifndef FPGA_OPENCL_RING_H
#define FPGA_OPENCL_RING_H

#include <stdbool.h>
#include <stddef.h>

struct ring {
    char *memory;
    size_t size;
    size_t count, start; /* bytes that are this side's, and where they begin */
    size_t unreported;   /* bytes that were used and not reported */
    int bell;            /* the socket to the other side */
};

/* Have both rings of memory: the first for what is put, the second for what is taken. */
bool ring_open(int memory, int bell, struct ring *put, int other_bell, struct ring *take);

/* Hear what the other side has reported; whether it is there. `wait` for it if asked. */
bool ring_hear(struct ring *ring, bool wait);

/* Copy from or to what is this side's, as much as there is: how much. What is taken goes nowhere
 * without a place. */
size_t ring_put(struct ring *ring, const char *content, size_t size);
size_t ring_take(struct ring *ring, char *place, size_t size);

/* Report what was used, if the socket has room; whether the other side is there. */
bool ring_report(struct ring *ring);

#endif
