/* SPDX-License-Identifier: Apache-2.0 */
/* Rectangles in the program's memory; they travel without padding. */
#ifndef FPGA_OPENCL_PACK_H
#define FPGA_OPENCL_PACK_H

#include "objects.h"

struct box {
    size_t width, height, depth; /* width in bytes */
    size_t row_pitch, slice_pitch;
};

/* Give pitches that are 0 their value. */
void pack_fill(struct box *box);
/* The content of a rectangle without padding, to be freed, or NULL. */
char *pack(const void *data, const struct box *box);

/* Copy three sizes to a field of a message; whether there are any. */
bool pack_three(void *to, const size_t *from);

#endif
