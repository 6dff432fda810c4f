/* SPDX-License-Identifier: Apache-2.0 */
/* The connection to the worker: sends messages and takes replies, for any number of threads. */
#ifndef FPGA_OPENCL_WIRE_H
#define FPGA_OPENCL_WIRE_H

#include "objects.h"

struct part {
    const void *data;
    size_t size;
};

/* Where the content of a reply goes: rows of `width` bytes, `height` of them in each of `depth`. */
struct target {
    char *data;
    size_t width, height, depth, row_pitch, slice_pitch;
};

/* The content of a reply of any size, to be freed. */
struct content {
    char *data;
    size_t size;
};

/* Connect, once; whether there is a connection, or was one. */
bool wire_connect(void);

/* Send a message and wait for its reply. CL_DEVICE_NOT_AVAILABLE once the worker has ended. */
cl_int wire_call(uint16_t number, const struct part *parts, unsigned count);
cl_int wire_ask(uint16_t number, const struct part *parts, unsigned count,
                struct content *content);
cl_int wire_read(uint16_t number, const struct part *parts, unsigned count,
                 const struct target *target);
/* The same, without holding other messages up. */
cl_int wire_await(uint16_t number, const struct part *parts, unsigned count);
/* Send a message; the reply's content is at its target when the command's event is complete. */
cl_int wire_read_later(uint16_t number, const struct part *parts, unsigned count,
                       const struct target *target);
/* Send a message whose error comes when its queue is finished. */
cl_int wire_post(uint16_t number, const struct part *parts, unsigned count);
/* Have the worker receive what was posted. */
cl_int wire_flush(void);

#endif
