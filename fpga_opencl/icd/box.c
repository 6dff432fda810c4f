/* SPDX-License-Identifier: Apache-2.0 */
#include "box.h"

#include "api.h"
#include "pack.h"
#include "transfer.h"

/* The rectangle in the program's memory, and where in it that begins. */
static cl_int host_box(const size_t *origin, const size_t *region, size_t row, size_t slice,
                       struct box *box, size_t *start)
{
    if (!origin || !region || !region[0] || !region[1] || !region[2])
        return CL_INVALID_VALUE;
    *box = (struct box){region[0], region[1], region[2], row, slice};
    pack_fill(box);
    if (box->row_pitch < region[0] || box->slice_pitch < region[1] * box->row_pitch ||
        box->slice_pitch % box->row_pitch)
        return CL_INVALID_VALUE;
    *start = origin[2] * box->slice_pitch + origin[1] * box->row_pitch + origin[0];
    return CL_SUCCESS;
}

static struct target target_of(const struct box *box, void *place)
{
    return (struct target){place,      box->width,     box->height,
                           box->depth, box->row_pitch, box->slice_pitch};
}

cl_int CL_API_CALL icd_clEnqueueReadBufferRect(
    cl_command_queue command_queue, cl_mem buffer, cl_bool blocking_read,
    const size_t *buffer_offset, const size_t *host_offset, const size_t *region,
    size_t buffer_row_pitch, size_t buffer_slice_pitch, size_t host_row_pitch,
    size_t host_slice_pitch, void *ptr, cl_uint num_events_in_wait_list,
    const cl_event *event_wait_list, cl_event *event)
{
    struct enqueue_read_rectangle_message message = {.row = buffer_row_pitch,
                                                     .slice = buffer_slice_pitch};
    struct command command;
    struct target target;
    struct box box;
    size_t start = 0;
    cl_int status = transfer_check(command_queue, buffer);

    if (!status)
        status = host_box(host_offset, region, host_row_pitch, host_slice_pitch, &box, &start);
    if (!status && (!ptr || !buffer_offset))
        status = CL_INVALID_VALUE;
    if (status)
        return status;
    message.memory = buffer->object.id;
    pack_three(&message.origin, buffer_offset);
    pack_three(&message.region, region);
    target = target_of(&box, (char *)ptr + start);
    status = command_begin(&command, command_queue, CL_COMMAND_READ_BUFFER_RECT,
                           num_events_in_wait_list, event_wait_list, event);
    if (!status)
        status = command_read(&command, MESSAGE_ENQUEUE_READ_RECTANGLE, &message, sizeof message,
                              blocking_read, &target);
    return command_end(&command, status, event);
}

/* Send a rectangle of the program's memory; errors come at once, as it is checked by the worker. */
static cl_int send_box(struct command *command, uint16_t number, void *message, size_t size,
                       const void *place, const struct box *box)
{
    char *content = pack(place, box);
    struct part part = {content, box->width * box->height * box->depth};
    cl_int status = content ? command_try(command, number, message, size, part)
                            : CL_OUT_OF_HOST_MEMORY;

    free(content);
    return status;
}

cl_int CL_API_CALL icd_clEnqueueWriteBufferRect(
    cl_command_queue command_queue, cl_mem buffer, cl_bool blocking_write,
    const size_t *buffer_offset, const size_t *host_offset, const size_t *region,
    size_t buffer_row_pitch, size_t buffer_slice_pitch, size_t host_row_pitch,
    size_t host_slice_pitch, const void *ptr, cl_uint num_events_in_wait_list,
    const cl_event *event_wait_list, cl_event *event)
{
    struct enqueue_write_rectangle_message message = {.row = buffer_row_pitch,
                                                      .slice = buffer_slice_pitch};
    struct command command;
    struct box box;
    size_t start = 0;
    cl_int status = transfer_check(command_queue, buffer);

    (void)blocking_write;
    if (!status)
        status = host_box(host_offset, region, host_row_pitch, host_slice_pitch, &box, &start);
    if (!status && (!ptr || !buffer_offset))
        status = CL_INVALID_VALUE;
    if (status)
        return status;
    message.memory = buffer->object.id;
    pack_three(&message.origin, buffer_offset);
    pack_three(&message.region, region);
    status = command_begin(&command, command_queue, CL_COMMAND_WRITE_BUFFER_RECT,
                           num_events_in_wait_list, event_wait_list, event);
    if (!status)
        status = send_box(&command, MESSAGE_ENQUEUE_WRITE_RECTANGLE, &message, sizeof message,
                          (const char *)ptr + start, &box);
    return command_end(&command, status, event);
}

cl_int CL_API_CALL icd_clEnqueueCopyBufferRect(
    cl_command_queue command_queue, cl_mem src_buffer, cl_mem dst_buffer, const size_t *src_origin,
    const size_t *dst_origin, const size_t *region, size_t src_row_pitch, size_t src_slice_pitch,
    size_t dst_row_pitch, size_t dst_slice_pitch, cl_uint num_events_in_wait_list,
    const cl_event *event_wait_list, cl_event *event)
{
    struct enqueue_copy_rectangle_message message = {.source_row = src_row_pitch,
                                                     .source_slice = src_slice_pitch,
                                                     .target_row = dst_row_pitch,
                                                     .target_slice = dst_slice_pitch};
    struct command command;
    cl_int status = transfer_check(command_queue, src_buffer);

    if (!status)
        status = transfer_check(command_queue, dst_buffer);
    if (!status && (!src_origin || !dst_origin || !region))
        status = CL_INVALID_VALUE;
    if (status)
        return status;
    message.source = src_buffer->object.id;
    message.target = dst_buffer->object.id;
    pack_three(&message.source_origin, src_origin);
    pack_three(&message.target_origin, dst_origin);
    pack_three(&message.region, region);
    status = command_begin(&command, command_queue, CL_COMMAND_COPY_BUFFER_RECT,
                           num_events_in_wait_list, event_wait_list, event);
    if (!status)
        status = command_try(&command, MESSAGE_ENQUEUE_COPY_RECTANGLE, &message, sizeof message,
                             NO_CONTENT);
    return command_end(&command, status, event);
}

cl_int box_check_image(cl_command_queue queue, cl_mem image)
{
    if (!object_is(queue, KIND_QUEUE))
        return CL_INVALID_COMMAND_QUEUE;
    if (!object_is(image, KIND_MEMORY) || !image->pixel)
        return CL_INVALID_MEM_OBJECT;
    return image->context == queue->context ? CL_SUCCESS : CL_INVALID_CONTEXT;
}

static cl_int picture_box(cl_mem image, const struct picture *picture, struct box *box)
{
    const size_t *region = picture->region;

    if (!picture->origin || !region || !picture->place || !region[0] || !region[1] || !region[2])
        return CL_INVALID_VALUE;
    *box = (struct box){region[0] * image->pixel, region[1], region[2], picture->row_pitch,
                        picture->slice_pitch};
    pack_fill(box);
    if (box->row_pitch < box->width || box->slice_pitch < box->row_pitch * box->height)
        return CL_INVALID_VALUE;
    if (image->type == CL_MEM_OBJECT_IMAGE1D_ARRAY) { /* its slices are the second dimension */
        if (picture->slice_pitch)
            box->row_pitch = picture->slice_pitch;
    }
    return CL_SUCCESS;
}

cl_int box_read_image(cl_command_queue queue, cl_mem image, const struct picture *picture,
                      cl_uint count, const cl_event *list, cl_event *event)
{
    struct enqueue_read_image_message message;
    struct command command;
    struct target target;
    struct box box;
    cl_int status = box_check_image(queue, image);

    if (!status)
        status = picture_box(image, picture, &box);
    if (status)
        return status;
    message.memory = image->object.id;
    pack_three(&message.origin, picture->origin);
    pack_three(&message.region, picture->region);
    target = target_of(&box, picture->place);
    status = command_begin(&command, queue, picture->type, count, list, event);
    if (!status)
        status = command_read(&command, MESSAGE_ENQUEUE_READ_IMAGE, &message, sizeof message,
                              picture->blocking, &target);
    return command_end(&command, status, event);
}

cl_int box_write_image(cl_command_queue queue, cl_mem image, const struct picture *picture,
                       cl_uint count, const cl_event *list, cl_event *event)
{
    struct enqueue_write_image_message message;
    struct command command;
    struct box box;
    cl_int status = box_check_image(queue, image);

    if (!status)
        status = picture_box(image, picture, &box);
    if (status)
        return status;
    message.memory = image->object.id;
    pack_three(&message.origin, picture->origin);
    pack_three(&message.region, picture->region);
    status = command_begin(&command, queue, picture->type, count, list, event);
    if (!status)
        status = send_box(&command, MESSAGE_ENQUEUE_WRITE_IMAGE, &message, sizeof message,
                          picture->place, &box);
    return command_end(&command, status, event);
}

cl_int CL_API_CALL icd_clEnqueueReadImage(cl_command_queue command_queue, cl_mem image,
                                          cl_bool blocking_read, const size_t *origin,
                                          const size_t *region, size_t row_pitch,
                                          size_t slice_pitch, void *ptr,
                                          cl_uint num_events_in_wait_list,
                                          const cl_event *event_wait_list, cl_event *event)
{
    struct picture picture = {CL_COMMAND_READ_IMAGE, blocking_read, origin, region,
                              row_pitch,             slice_pitch,   ptr};

    return box_read_image(command_queue, image, &picture, num_events_in_wait_list,
                          event_wait_list, event);
}

cl_int CL_API_CALL icd_clEnqueueWriteImage(cl_command_queue command_queue, cl_mem image,
                                           cl_bool blocking_write, const size_t *origin,
                                           const size_t *region, size_t input_row_pitch,
                                           size_t input_slice_pitch, const void *ptr,
                                           cl_uint num_events_in_wait_list,
                                           const cl_event *event_wait_list, cl_event *event)
{
    union {
        const void *given;
        void *place;
    } source = {ptr}; /* it is only read */
    struct picture picture = {CL_COMMAND_WRITE_IMAGE, blocking_write,    origin,      region,
                              input_row_pitch,        input_slice_pitch, source.place};

    return box_write_image(command_queue, image, &picture, num_events_in_wait_list,
                           event_wait_list, event);
}
