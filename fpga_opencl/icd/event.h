/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FPGA_OPENCL_EVENT_H
#define FPGA_OPENCL_EVENT_H

#include "objects.h"

/* The event of a command, or of a user's without a queue. */
cl_event event_new(cl_context context, cl_command_queue queue, cl_command_type type);
void event_free(cl_event event);

#endif
