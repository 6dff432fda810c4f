/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"

#include "api.h"
#include "event.h"

static cl_int collect(struct command *command, cl_uint count, const cl_event *list)
{
    if (!count != !list)
        return CL_INVALID_EVENT_WAIT_LIST;
    if (count > FEW)
        command->waits = malloc(count * sizeof *command->waits);
    if (!command->waits)
        return CL_OUT_OF_HOST_MEMORY;
    for (cl_uint i = 0; i < count; i++) {
        if (!object_is(list[i], KIND_EVENT))
            return CL_INVALID_EVENT_WAIT_LIST;
        if (list[i]->context != command->queue->context)
            return CL_INVALID_CONTEXT;
        if (!list[i]->complete)
            command->waits[command->count++] = list[i]->object.id;
    }
    return CL_SUCCESS;
}

cl_int command_begin(struct command *command, cl_command_queue queue, cl_command_type type,
                     cl_uint count, const cl_event *list, const cl_event *wanted)
{
    cl_int status;

    command->queue = queue;
    command->event = NULL;
    command->count = 0;
    command->waits = command->few;
    command->waited = false;
    if (!object_is(queue, KIND_QUEUE))
        return CL_INVALID_COMMAND_QUEUE;
    status = collect(command, count, list);
    if (status || !wanted)
        return status;
    command->event = event_new(queue->context, queue, type);
    return command->event ? CL_SUCCESS : CL_OUT_OF_HOST_MEMORY;
}

static unsigned fill(const struct command *command, void *message, size_t size, bool blocking,
                     struct part content, struct part *parts)
{
    struct enqueue_marker_message head = {command->queue->object.id, object_id(command->event),
                                          command->count, blocking};

    memcpy(message, &head, sizeof head);
    parts[0] = (struct part){message, size};
    parts[1] = (struct part){command->waits, command->count * sizeof *command->waits};
    parts[2] = content;
    return 3;
}

cl_int command_send(struct command *command, uint16_t number, void *message, size_t size,
                    struct part content)
{
    struct part parts[3];

    return wire_post(number, parts, fill(command, message, size, false, content, parts));
}

cl_int command_try(struct command *command, uint16_t number, void *message, size_t size,
                   struct part content)
{
    struct part parts[3];

    command->waited = true;
    return wire_call(number, parts, fill(command, message, size, true, content, parts));
}

cl_int command_read(struct command *command, uint16_t number, void *message, size_t size,
                    bool blocking, const struct target *target)
{
    struct part parts[3];
    unsigned count = fill(command, message, size, blocking, NO_CONTENT, parts);
    cl_int status;

    if (!blocking)
        return wire_read_later(number, parts, count, target);
    command->waited = true;
    status = wire_read(number, parts, count, target);
    if (!status && command->event)
        command->event->complete = true;
    return status;
}

cl_int command_end(struct command *command, cl_int status, cl_event *event)
{
    if (command->waits != command->few)
        free(command->waits);
    if (!status) {
        if (event)
            *event = command->event;
    } else if (command->event) {
        if (command->waited)
            icd_clReleaseEvent(command->event); /* the worker keeps the number of a failed one */
        else
            event_free(command->event);
    }
    return status;
}
