/* SPDX-License-Identifier: Apache-2.0 */
/* Mapping: the content is read when it is mapped and written when it is unmapped. */
#include <pthread.h>

#include "api.h"
#include "box.h"
#include "memory.h"
#include "transfer.h"

enum { ALIGNMENT = 128 }; /* of the largest type of OpenCL */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of all lists of mappings */

static void *allocate(size_t size)
{
    return aligned_alloc(ALIGNMENT, (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
}

static void add(cl_mem memory, struct mapping *mapping)
{
    pthread_mutex_lock(&lock);
    mapping->next = memory->mappings;
    memory->mappings = mapping;
    memory->map_count++;
    pthread_mutex_unlock(&lock);
}

static struct mapping *take(cl_mem memory, const void *place)
{
    struct mapping **where, *found;

    pthread_mutex_lock(&lock);
    for (where = &memory->mappings; *where && (*where)->place != place; where = &(*where)->next)
        ;
    found = *where;
    if (found) {
        *where = found->next;
        memory->map_count--;
    }
    pthread_mutex_unlock(&lock);
    return found;
}

static bool good_flags(cl_map_flags flags)
{
    const cl_map_flags known = CL_MAP_READ | CL_MAP_WRITE | CL_MAP_WRITE_INVALIDATE_REGION;

    if (flags & ~known)
        return false;
    return !(flags & CL_MAP_WRITE_INVALIDATE_REGION) || !(flags & (CL_MAP_READ | CL_MAP_WRITE));
}

/* An event for what needs no transfer. */
static cl_int mark(cl_command_queue queue, cl_command_type type, bool blocking, cl_uint count,
                   const cl_event *list, cl_event *event)
{
    struct enqueue_marker_message message;
    struct command command;
    cl_int status = command_begin(&command, queue, type, count, list, event);

    if (!status)
        status = command_send(&command, MESSAGE_ENQUEUE_MARKER, &message, sizeof message,
                              NO_CONTENT);
    status = command_end(&command, status, event);
    return status || !blocking ? status : icd_clFinish(queue);
}

static void *finish(cl_mem memory, struct mapping *mapping, cl_int status, cl_int *errcode_ret)
{
    set_error(errcode_ret, status);
    if (!status) {
        add(memory, mapping);
        return mapping->place;
    }
    if (mapping && !memory->host)
        free(mapping->place);
    free(mapping);
    return NULL;
}

void *CL_API_CALL icd_clEnqueueMapBuffer(cl_command_queue command_queue, cl_mem buffer,
                                         cl_bool blocking_map, cl_map_flags map_flags,
                                         size_t offset, size_t size,
                                         cl_uint num_events_in_wait_list,
                                         const cl_event *event_wait_list, cl_event *event,
                                         cl_int *errcode_ret)
{
    struct transfer transfer = {CL_COMMAND_MAP_BUFFER, blocking_map, offset, size, NULL};
    struct mapping *mapping;
    cl_int status = transfer_check(command_queue, buffer);

    if (!status && (!size || memory_part(buffer, offset, size) || !good_flags(map_flags)))
        status = CL_INVALID_VALUE;
    if (status) {
        set_error(errcode_ret, status);
        return NULL;
    }
    mapping = calloc(1, sizeof *mapping);
    if (mapping)
        mapping->place = buffer->host ? (char *)buffer->host + offset : allocate(size);
    if (!mapping || !mapping->place)
        return finish(buffer, mapping, CL_MAP_FAILURE, errcode_ret);
    mapping->flags = map_flags;
    mapping->origin[0] = offset;
    mapping->region[0] = size;
    transfer.place = mapping->place;
    if (map_flags & CL_MAP_WRITE_INVALIDATE_REGION)
        status = mark(command_queue, transfer.type, blocking_map, num_events_in_wait_list,
                      event_wait_list, event);
    else
        status = transfer_read(command_queue, buffer, &transfer, num_events_in_wait_list,
                               event_wait_list, event);
    return finish(buffer, mapping, status, errcode_ret);
}

/* Where pixels of an image are in the program's own memory. */
static char *in_host(cl_mem image, const size_t *origin)
{
    size_t second = image->type == CL_MEM_OBJECT_IMAGE1D_ARRAY ? image->shape.image_slice_pitch
                                                               : image->shape.image_row_pitch;

    return (char *)image->host + origin[0] * image->pixel + origin[1] * second +
           origin[2] * image->shape.image_slice_pitch;
}

static cl_int map_image(cl_command_queue queue, cl_mem image, struct mapping *mapping,
                        struct picture *picture, cl_uint count, const cl_event *list,
                        cl_event *event)
{
    const size_t *region = picture->region;

    picture->row_pitch = image->host ? image->shape.image_row_pitch : region[0] * image->pixel;
    picture->slice_pitch = image->host && image->shape.image_slice_pitch
                               ? image->shape.image_slice_pitch
                               : picture->row_pitch * region[1];
    mapping->place = image->host ? in_host(image, picture->origin)
                                 : allocate(picture->slice_pitch * region[2]);
    if (!mapping->place)
        return CL_MAP_FAILURE;
    memcpy(mapping->origin, picture->origin, sizeof mapping->origin);
    memcpy(mapping->region, region, sizeof mapping->region);
    picture->place = mapping->place;
    if (mapping->flags & CL_MAP_WRITE_INVALIDATE_REGION)
        return mark(queue, picture->type, picture->blocking, count, list, event);
    return box_read_image(queue, image, picture, count, list, event);
}

void *CL_API_CALL icd_clEnqueueMapImage(cl_command_queue command_queue, cl_mem image,
                                        cl_bool blocking_map, cl_map_flags map_flags,
                                        const size_t *origin, const size_t *region,
                                        size_t *image_row_pitch, size_t *image_slice_pitch,
                                        cl_uint num_events_in_wait_list,
                                        const cl_event *event_wait_list, cl_event *event,
                                        cl_int *errcode_ret)
{
    struct picture picture = {CL_COMMAND_MAP_IMAGE, blocking_map, origin, region, 0, 0, NULL};
    struct mapping *mapping;
    cl_int status = box_check_image(command_queue, image);

    if (!status && (!origin || !region || !image_row_pitch || !good_flags(map_flags) ||
                    !region[0] || !region[1] || !region[2]))
        status = CL_INVALID_VALUE;
    if (status) {
        set_error(errcode_ret, status);
        return NULL;
    }
    mapping = calloc(1, sizeof *mapping);
    if (!mapping)
        return finish(image, NULL, CL_OUT_OF_HOST_MEMORY, errcode_ret);
    mapping->flags = map_flags;
    status = map_image(command_queue, image, mapping, &picture, num_events_in_wait_list,
                       event_wait_list, event);
    if (!status) {
        *image_row_pitch = picture.row_pitch;
        if (image_slice_pitch)
            *image_slice_pitch = image->type == CL_MEM_OBJECT_IMAGE2D ? 0 : picture.slice_pitch;
        if (image->type == CL_MEM_OBJECT_IMAGE1D_ARRAY && image_slice_pitch)
            *image_slice_pitch = picture.row_pitch;
    }
    return finish(image, mapping, status, errcode_ret);
}

static cl_int write_back(cl_command_queue queue, cl_mem memory, const struct mapping *mapping,
                         cl_uint count, const cl_event *list, cl_event *event)
{
    struct transfer transfer = {CL_COMMAND_UNMAP_MEM_OBJECT, false, mapping->origin[0],
                                mapping->region[0], mapping->place};
    struct picture picture = {CL_COMMAND_UNMAP_MEM_OBJECT,
                              false,
                              mapping->origin,
                              mapping->region,
                              memory->host ? memory->shape.image_row_pitch : 0,
                              memory->host ? memory->shape.image_slice_pitch : 0,
                              mapping->place};

    if (memory->pixel)
        return box_write_image(queue, memory, &picture, count, list, event);
    return transfer_write(queue, memory, &transfer, count, list, event);
}

cl_int CL_API_CALL icd_clEnqueueUnmapMemObject(cl_command_queue command_queue, cl_mem memobj,
                                               void *mapped_ptr, cl_uint num_events_in_wait_list,
                                               const cl_event *event_wait_list, cl_event *event)
{
    struct mapping *mapping;
    cl_int status;

    if (!object_is(command_queue, KIND_QUEUE))
        return CL_INVALID_COMMAND_QUEUE;
    if (!object_is(memobj, KIND_MEMORY))
        return CL_INVALID_MEM_OBJECT;
    if (memobj->context != command_queue->context)
        return CL_INVALID_CONTEXT;
    mapping = take(memobj, mapped_ptr);
    if (!mapping)
        return CL_INVALID_VALUE;
    if (mapping->flags & (CL_MAP_WRITE | CL_MAP_WRITE_INVALIDATE_REGION))
        status = write_back(command_queue, memobj, mapping, num_events_in_wait_list,
                            event_wait_list, event);
    else
        status = mark(command_queue, CL_COMMAND_UNMAP_MEM_OBJECT, false, num_events_in_wait_list,
                      event_wait_list, event);
    if (status) {
        add(memobj, mapping);
        return status;
    }
    if (!memobj->host)
        free(mapped_ptr);
    free(mapping);
    return CL_SUCCESS;
}
