/* SPDX-License-Identifier: Apache-2.0 */
/* A socket, with buffers: one thread may send while another one receives. */
#ifndef FPGA_OPENCL_STREAM_H
#define FPGA_OPENCL_STREAM_H

#include <stdbool.h>
#include <stddef.h>

/* Whether it is connected to the socket at a path. */
bool stream_connect(const char *path);
void stream_close(void);
/* Whether so many bytes were received; they go nowhere without a place. */
bool stream_receive(void *place, size_t size);
/* Whether bytes were taken for sending. `drain` is called where only receiving gets it on. */
bool stream_send(const void *data, size_t size, void (*drain)(void));
bool stream_flush(void (*drain)(void));
size_t stream_unsent(void);

#endif
