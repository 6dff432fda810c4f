/* SPDX-License-Identifier: Apache-2.0 */
/* Commands on images that stay with the worker. */
#include "api.h"
#include "box.h"
#include "pack.h"
#include "transfer.h"

cl_int CL_API_CALL icd_clEnqueueCopyImage(cl_command_queue command_queue, cl_mem src_image,
                                          cl_mem dst_image, const size_t *src_origin,
                                          const size_t *dst_origin, const size_t *region,
                                          cl_uint num_events_in_wait_list,
                                          const cl_event *event_wait_list, cl_event *event)
{
    struct enqueue_copy_image_message message = {0};
    struct command command;
    cl_int status = box_check_image(command_queue, src_image);

    if (!status)
        status = box_check_image(command_queue, dst_image);
    if (status)
        return status;
    message.source = src_image->object.id;
    message.target = dst_image->object.id;
    if (!pack_three(&message.source_origin, src_origin) || !pack_three(&message.target_origin, dst_origin) ||
        !pack_three(&message.region, region))
        return CL_INVALID_VALUE;
    status = command_begin(&command, command_queue, CL_COMMAND_COPY_IMAGE,
                           num_events_in_wait_list, event_wait_list, event);
    if (!status)
        status = command_try(&command, MESSAGE_ENQUEUE_COPY_IMAGE, &message, sizeof message,
                             NO_CONTENT);
    return command_end(&command, status, event);
}

cl_int CL_API_CALL icd_clEnqueueCopyImageToBuffer(
    cl_command_queue command_queue, cl_mem src_image, cl_mem dst_buffer, const size_t *src_origin,
    const size_t *region, size_t dst_offset, cl_uint num_events_in_wait_list,
    const cl_event *event_wait_list, cl_event *event)
{
    struct enqueue_copy_image_to_buffer_message message = {.offset = dst_offset};
    struct command command;
    cl_int status = box_check_image(command_queue, src_image);

    if (!status)
        status = transfer_check(command_queue, dst_buffer);
    if (status)
        return status;
    message.source = src_image->object.id;
    message.target = dst_buffer->object.id;
    if (!pack_three(&message.origin, src_origin) || !pack_three(&message.region, region))
        return CL_INVALID_VALUE;
    status = command_begin(&command, command_queue, CL_COMMAND_COPY_IMAGE_TO_BUFFER,
                           num_events_in_wait_list, event_wait_list, event);
    if (!status)
        status = command_try(&command, MESSAGE_ENQUEUE_COPY_IMAGE_TO_BUFFER, &message,
                             sizeof message, NO_CONTENT);
    return command_end(&command, status, event);
}

cl_int CL_API_CALL icd_clEnqueueCopyBufferToImage(
    cl_command_queue command_queue, cl_mem src_buffer, cl_mem dst_image, size_t src_offset,
    const size_t *dst_origin, const size_t *region, cl_uint num_events_in_wait_list,
    const cl_event *event_wait_list, cl_event *event)
{
    struct enqueue_copy_buffer_to_image_message message = {.offset = src_offset};
    struct command command;
    cl_int status = transfer_check(command_queue, src_buffer);

    if (!status)
        status = box_check_image(command_queue, dst_image);
    if (status)
        return status;
    message.source = src_buffer->object.id;
    message.target = dst_image->object.id;
    if (!pack_three(&message.origin, dst_origin) || !pack_three(&message.region, region))
        return CL_INVALID_VALUE;
    status = command_begin(&command, command_queue, CL_COMMAND_COPY_BUFFER_TO_IMAGE,
                           num_events_in_wait_list, event_wait_list, event);
    if (!status)
        status = command_try(&command, MESSAGE_ENQUEUE_COPY_BUFFER_TO_IMAGE, &message,
                             sizeof message, NO_CONTENT);
    return command_end(&command, status, event);
}

cl_int CL_API_CALL icd_clEnqueueFillImage(cl_command_queue command_queue, cl_mem image,
                                          const void *fill_color, const size_t *origin,
                                          const size_t *region, cl_uint num_events_in_wait_list,
                                          const cl_event *event_wait_list, cl_event *event)
{
    struct enqueue_fill_image_message message = {0};
    struct command command;
    cl_int status = box_check_image(command_queue, image);

    if (status)
        return status;
    message.memory = image->object.id;
    if (!fill_color || !pack_three(&message.origin, origin) || !pack_three(&message.region, region))
        return CL_INVALID_VALUE;
    status = command_begin(&command, command_queue, CL_COMMAND_FILL_IMAGE,
                           num_events_in_wait_list, event_wait_list, event);
    if (!status)
        status = command_try(&command, MESSAGE_ENQUEUE_FILL_IMAGE, &message, sizeof message,
                             (struct part){fill_color, 16});
    return command_end(&command, status, event);
}
