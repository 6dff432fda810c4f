/* SPDX-License-Identifier: Apache-2.0 */
#include "transfer.h"

#include "api.h"
#include "memory.h"

cl_int transfer_check(cl_command_queue queue, cl_mem memory)
{
    if (!object_is(queue, KIND_QUEUE))
        return CL_INVALID_COMMAND_QUEUE;
    if (!object_is(memory, KIND_MEMORY) || memory->pixel)
        return CL_INVALID_MEM_OBJECT;
    return memory->context == queue->context ? CL_SUCCESS : CL_INVALID_CONTEXT;
}

static cl_int check(cl_command_queue queue, cl_mem memory, const struct transfer *transfer,
                    cl_mem_flags refused)
{
    cl_int status = transfer_check(queue, memory);

    if (status)
        return status;
    if (!transfer->place || !transfer->size)
        return CL_INVALID_VALUE;
    if (memory->flags & refused)
        return CL_INVALID_OPERATION;
    return memory_part(memory, transfer->offset, transfer->size);
}

cl_int transfer_read(cl_command_queue queue, cl_mem memory, const struct transfer *transfer,
                     cl_uint count, const cl_event *list, cl_event *event)
{
    cl_mem_flags refused = transfer->type == CL_COMMAND_READ_BUFFER
                               ? CL_MEM_HOST_WRITE_ONLY | CL_MEM_HOST_NO_ACCESS
                               : 0;
    struct target target = {transfer->place, transfer->size, 1, 1, 0, 0};
    struct enqueue_read_message message;
    struct command command;
    cl_int status = check(queue, memory, transfer, refused);

    if (status)
        return status;
    message = (struct enqueue_read_message){
        .memory = memory->object.id, .offset = transfer->offset, .size = transfer->size};
    status = command_begin(&command, queue, transfer->type, count, list, event);
    if (!status)
        status = command_read(&command, MESSAGE_ENQUEUE_READ, &message, sizeof message,
                              transfer->blocking, &target);
    return command_end(&command, status, event);
}

cl_int transfer_write(cl_command_queue queue, cl_mem memory, const struct transfer *transfer,
                      cl_uint count, const cl_event *list, cl_event *event)
{
    cl_mem_flags refused = transfer->type == CL_COMMAND_WRITE_BUFFER
                               ? CL_MEM_HOST_READ_ONLY | CL_MEM_HOST_NO_ACCESS
                               : 0;
    struct part content = {transfer->place, transfer->size};
    struct enqueue_write_message message;
    struct command command;
    cl_int status = check(queue, memory, transfer, refused);

    if (status)
        return status;
    message = (struct enqueue_write_message){
        .memory = memory->object.id, .offset = transfer->offset, .size = transfer->size};
    status = command_begin(&command, queue, transfer->type, count, list, event);
    if (!status && transfer->blocking)
        status = command_try(&command, MESSAGE_ENQUEUE_WRITE, &message, sizeof message, content);
    else if (!status)
        status = command_send(&command, MESSAGE_ENQUEUE_WRITE, &message, sizeof message, content);
    return command_end(&command, status, event);
}

cl_int CL_API_CALL icd_clEnqueueReadBuffer(cl_command_queue command_queue, cl_mem buffer,
                                           cl_bool blocking_read, size_t offset, size_t size,
                                           void *ptr, cl_uint num_events_in_wait_list,
                                           const cl_event *event_wait_list, cl_event *event)
{
    struct transfer transfer = {CL_COMMAND_READ_BUFFER, blocking_read, offset, size, ptr};

    return transfer_read(command_queue, buffer, &transfer, num_events_in_wait_list,
                         event_wait_list, event);
}

cl_int CL_API_CALL icd_clEnqueueWriteBuffer(cl_command_queue command_queue, cl_mem buffer,
                                            cl_bool blocking_write, size_t offset, size_t size,
                                            const void *ptr, cl_uint num_events_in_wait_list,
                                            const cl_event *event_wait_list, cl_event *event)
{
    union {
        const void *given;
        void *place;
    } source = {ptr}; /* it is only read */
    struct transfer transfer = {CL_COMMAND_WRITE_BUFFER, blocking_write, offset, size,
                                source.place};

    return transfer_write(command_queue, buffer, &transfer, num_events_in_wait_list,
                          event_wait_list, event);
}

cl_int CL_API_CALL icd_clEnqueueCopyBuffer(cl_command_queue command_queue, cl_mem src_buffer,
                                           cl_mem dst_buffer, size_t src_offset,
                                           size_t dst_offset, size_t size,
                                           cl_uint num_events_in_wait_list,
                                           const cl_event *event_wait_list, cl_event *event)
{
    struct enqueue_copy_message message;
    struct command command;
    cl_int status = transfer_check(command_queue, src_buffer);

    if (!status)
        status = transfer_check(command_queue, dst_buffer);
    if (status)
        return status;
    if (!size || memory_part(src_buffer, src_offset, size) ||
        memory_part(dst_buffer, dst_offset, size))
        return CL_INVALID_VALUE;
    if (src_buffer == dst_buffer && src_offset < dst_offset + size &&
        dst_offset < src_offset + size)
        return CL_MEM_COPY_OVERLAP;
    message = (struct enqueue_copy_message){.source = src_buffer->object.id,
                                            .target = dst_buffer->object.id,
                                            .source_offset = src_offset,
                                            .target_offset = dst_offset,
                                            .size = size};
    status = command_begin(&command, command_queue, CL_COMMAND_COPY_BUFFER,
                           num_events_in_wait_list, event_wait_list, event);
    if (!status)
        status = command_try(&command, MESSAGE_ENQUEUE_COPY, &message, sizeof message, NO_CONTENT);
    return command_end(&command, status, event);
}

cl_int CL_API_CALL icd_clEnqueueFillBuffer(cl_command_queue command_queue, cl_mem buffer,
                                           const void *pattern, size_t pattern_size,
                                           size_t offset, size_t size,
                                           cl_uint num_events_in_wait_list,
                                           const cl_event *event_wait_list, cl_event *event)
{
    struct enqueue_fill_message message;
    struct command command;
    cl_int status = transfer_check(command_queue, buffer);

    if (status)
        return status;
    if (!pattern || !pattern_size || pattern_size > 128 || pattern_size & (pattern_size - 1) ||
        offset % pattern_size || size % pattern_size || !size ||
        memory_part(buffer, offset, size))
        return CL_INVALID_VALUE;
    message = (struct enqueue_fill_message){
        .memory = buffer->object.id, .offset = offset, .size = size};
    status = command_begin(&command, command_queue, CL_COMMAND_FILL_BUFFER,
                           num_events_in_wait_list, event_wait_list, event);
    if (!status)
        status = command_send(&command, MESSAGE_ENQUEUE_FILL, &message, sizeof message,
                              (struct part){pattern, pattern_size});
    return command_end(&command, status, event);
}
