/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels and what orders them. */
#include "api.h"
#include "command.h"

static uint64_t shape_of(const struct enqueue_kernel_message *message)
{
    uint64_t shape = message->dimensions * 8u + message->given + 1;

    for (int i = 0; i < 3; i++)
        shape = (shape * 1000003 + message->global[i]) * 1000003 + message->local[i];
    return shape;
}

/* The first launch of a shape waits, to give its error; later ones do not. */
static cl_int launch(struct command *command, cl_kernel kernel,
                     struct enqueue_kernel_message *message)
{
    uint64_t shape = shape_of(message);
    cl_int status;

    if (kernel->launched == shape)
        return command_send(command, MESSAGE_ENQUEUE_KERNEL, message, sizeof *message, NO_CONTENT);
    status = command_try(command, MESSAGE_ENQUEUE_KERNEL, message, sizeof *message, NO_CONTENT);
    if (!status)
        kernel->launched = shape;
    return status;
}

cl_int CL_API_CALL icd_clEnqueueNDRangeKernel(
    cl_command_queue command_queue, cl_kernel kernel, cl_uint work_dim,
    const size_t *global_work_offset, const size_t *global_work_size,
    const size_t *local_work_size, cl_uint num_events_in_wait_list,
    const cl_event *event_wait_list, cl_event *event)
{
    struct enqueue_kernel_message message = {.dimensions = work_dim};
    struct command command;
    cl_int status;

    if (!object_is(kernel, KIND_KERNEL))
        return object_is(command_queue, KIND_QUEUE) ? CL_INVALID_KERNEL : CL_INVALID_COMMAND_QUEUE;
    if (work_dim < 1 || work_dim > 3)
        return CL_INVALID_WORK_DIMENSION;
    message.kernel = kernel->object.id;
    message.given = (global_work_offset ? 1u : 0) | (global_work_size ? 2u : 0) |
                    (local_work_size ? 4u : 0);
    for (cl_uint i = 0; i < work_dim; i++) {
        message.offset[i] = global_work_offset ? global_work_offset[i] : 0;
        message.global[i] = global_work_size ? global_work_size[i] : 0;
        message.local[i] = local_work_size ? local_work_size[i] : 0;
    }
    status = command_begin(&command, command_queue, CL_COMMAND_NDRANGE_KERNEL,
                           num_events_in_wait_list, event_wait_list, event);
    if (!status && kernel->program->context != command_queue->context)
        status = CL_INVALID_CONTEXT;
    if (!status)
        status = launch(&command, kernel, &message);
    return command_end(&command, status, event);
}

cl_int CL_API_CALL icd_clEnqueueTask(cl_command_queue command_queue, cl_kernel kernel,
                                     cl_uint num_events_in_wait_list,
                                     const cl_event *event_wait_list, cl_event *event)
{
    const size_t one = 1;
    cl_int status = icd_clEnqueueNDRangeKernel(command_queue, kernel, 1, NULL, &one, &one,
                                               num_events_in_wait_list, event_wait_list, event);

    if (!status && event)
        (*event)->type = CL_COMMAND_TASK;
    return status;
}

static cl_int order(cl_command_queue queue, uint16_t number, cl_command_type type, cl_uint count,
                    const cl_event *list, cl_event *event)
{
    struct enqueue_marker_message message;
    struct command command;
    cl_int status = command_begin(&command, queue, type, count, list, event);

    if (!status)
        status = command_send(&command, number, &message, sizeof message, NO_CONTENT);
    return command_end(&command, status, event);
}

cl_int CL_API_CALL icd_clEnqueueMarkerWithWaitList(cl_command_queue command_queue,
                                                   cl_uint num_events_in_wait_list,
                                                   const cl_event *event_wait_list,
                                                   cl_event *event)
{
    return order(command_queue, MESSAGE_ENQUEUE_MARKER, CL_COMMAND_MARKER, num_events_in_wait_list,
                 event_wait_list, event);
}

cl_int CL_API_CALL icd_clEnqueueBarrierWithWaitList(cl_command_queue command_queue,
                                                    cl_uint num_events_in_wait_list,
                                                    const cl_event *event_wait_list,
                                                    cl_event *event)
{
    return order(command_queue, MESSAGE_ENQUEUE_BARRIER, CL_COMMAND_BARRIER,
                 num_events_in_wait_list, event_wait_list, event);
}

cl_int CL_API_CALL icd_clEnqueueMarker(cl_command_queue command_queue, cl_event *event)
{
    if (!event)
        return CL_INVALID_VALUE;
    return icd_clEnqueueMarkerWithWaitList(command_queue, 0, NULL, event);
}

cl_int CL_API_CALL icd_clEnqueueBarrier(cl_command_queue command_queue)
{
    return icd_clEnqueueBarrierWithWaitList(command_queue, 0, NULL, NULL);
}

cl_int CL_API_CALL icd_clEnqueueWaitForEvents(cl_command_queue command_queue, cl_uint num_events,
                                              const cl_event *event_list)
{
    if (!num_events || !event_list)
        return CL_INVALID_VALUE;
    return icd_clEnqueueBarrierWithWaitList(command_queue, num_events, event_list, NULL);
}

cl_int CL_API_CALL icd_clEnqueueMigrateMemObjects(cl_command_queue command_queue,
                                                  cl_uint num_mem_objects,
                                                  const cl_mem *mem_objects,
                                                  cl_mem_migration_flags flags,
                                                  cl_uint num_events_in_wait_list,
                                                  const cl_event *event_wait_list, cl_event *event)
{
    struct enqueue_migrate_message message = {.flags = flags};
    struct command command;
    uint64_t *ids;
    cl_int status;

    if (!num_mem_objects || !mem_objects)
        return CL_INVALID_VALUE;
    ids = malloc(num_mem_objects * sizeof *ids);
    if (!ids)
        return CL_OUT_OF_HOST_MEMORY;
    status = command_begin(&command, command_queue, CL_COMMAND_MIGRATE_MEM_OBJECTS,
                           num_events_in_wait_list, event_wait_list, event);
    for (cl_uint i = 0; i < num_mem_objects && !status; i++) {
        if (!object_is(mem_objects[i], KIND_MEMORY))
            status = CL_INVALID_MEM_OBJECT;
        else
            ids[i] = mem_objects[i]->object.id;
    }
    if (!status)
        status = command_try(&command, MESSAGE_ENQUEUE_MIGRATE, &message, sizeof message,
                             (struct part){ids, num_mem_objects * sizeof *ids});
    free(ids);
    return command_end(&command, status, event);
}
