/* SPDX-License-Identifier: Apache-2.0 */
/* A socket, with buffers or rings: one thread may send while another one receives. */
#ifndef FPGA_OPENCL_STREAM_H
#define FPGA_OPENCL_STREAM_H

#include <stdbool.h>
#include <stddef.h>

/* Whether it is connected to the socket at a path. */
bool stream_connect(const char *path);
void stream_close(void);
/* Whether so many bytes were received; they go nowhere without a place. */
bool stream_receive(void *place, size_t size);
/* Whether what was received is what the other side sent: it may empty rings once it has left. */
bool stream_holds(void);
/* Whether there is something to receive; not while another thread receives. */
bool stream_ready(void);
/* Whether bytes were taken for sending. `drain` receives where only that may get it on, and says
 * whether it did. */
bool stream_send(const void *data, size_t size, bool (*drain)(void));
bool stream_flush(bool (*drain)(void));
size_t stream_unsent(void);

#endif
