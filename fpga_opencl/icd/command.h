/* SPDX-License-Identifier: Apache-2.0 */
/* What all commands have: a queue, a wait list, an event. Used so:
 *
 *     struct command command;
 *     struct enqueue_copy_message message = {.source = ...};
 *     cl_int status = command_begin(&command, queue, CL_COMMAND_COPY_BUFFER, wait list);
 *
 *     if (!status)
 *         status = command_send(&command, MESSAGE_ENQUEUE_COPY, &message, sizeof message, content);
 *     return command_end(&command, status, event);
 */
#ifndef FPGA_OPENCL_COMMAND_H
#define FPGA_OPENCL_COMMAND_H

#include "objects.h"
#include "wire.h"

enum { FEW = 16 };

struct command {
    cl_command_queue queue;
    cl_event event;
    cl_uint count;
    uint64_t *waits, few[FEW];
    bool waited; /* for the reply, which has the error if there is one */
};

/* `wanted` is where the program wants the event, or NULL. */
cl_int command_begin(struct command *command, cl_command_queue queue, cl_command_type type,
                     cl_uint count, const cl_event *list, const cl_event *wanted);
/* Send without waiting, or wait for the worker to take it. */
cl_int command_send(struct command *command, uint16_t number, void *message, size_t size,
                    struct part content);
cl_int command_try(struct command *command, uint16_t number, void *message, size_t size,
                   struct part content);
/* Read to a target: blocking, or until the event is complete. */
cl_int command_read(struct command *command, uint16_t number, void *message, size_t size,
                    bool blocking, const struct target *target);
/* Give the event, or take everything back. */
cl_int command_end(struct command *command, cl_int status, cl_event *event);

static const struct part NO_CONTENT = {NULL, 0};

#endif
