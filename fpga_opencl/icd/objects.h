/* SPDX-License-Identifier: Apache-2.0 */
/* The objects that programs hold handles of. Each begins with the loader's dispatch table. */
#ifndef FPGA_OPENCL_OBJECTS_H
#define FPGA_OPENCL_OBJECTS_H

#define CL_TARGET_OPENCL_VERSION 300
#define CL_USE_DEPRECATED_OPENCL_1_0_APIS
#define CL_USE_DEPRECATED_OPENCL_1_1_APIS
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#define CL_USE_DEPRECATED_OPENCL_2_0_APIS
#define CL_USE_DEPRECATED_OPENCL_2_1_APIS
#define CL_USE_DEPRECATED_OPENCL_2_2_APIS
#include <CL/cl.h>
#include <CL/cl_ext.h>
#include <CL/cl_icd.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "protocol.h"

enum { KIND_PLATFORM = 100 };
enum { MAX_DEVICES = 64, MAX_PROPERTIES = 16, MAX_ARGUMENTS = 4096 };

struct object {
    const struct _cl_icd_dispatch *dispatch;
    uint32_t mark; /* `MARK` and the kind; 0 once it is freed */
    atomic_uint references;
    uint64_t id;
};

struct callback {
    void(CL_CALLBACK *function)(void *object, void *data);
    void *data;
    struct callback *next;
};

struct mapping {
    void *place;
    cl_map_flags flags;
    size_t origin[3], region[3]; /* of a buffer: offset and size in the first */
    struct mapping *next;
};

struct _cl_platform_id {
    struct object object;
};

struct _cl_device_id {
    struct object object;
    cl_device_type type;
    cl_device_id parent; /* of a part of a device */
};

struct _cl_context {
    struct object object;
    cl_uint count;
    cl_device_id *devices;
    cl_uint property_count;
    cl_context_properties properties[MAX_PROPERTIES];
    struct callback *callbacks;
};

struct _cl_command_queue {
    struct object object;
    cl_context context;
    cl_device_id device;
    cl_command_queue_properties properties;
    cl_uint property_count;
    cl_queue_properties list[MAX_PROPERTIES];
};

struct _cl_mem {
    struct object object;
    cl_context context;
    cl_mem parent; /* of a sub-buffer, or the buffer of an image */
    cl_mem_object_type type;
    cl_mem_flags flags;
    size_t size, origin;
    void *host;
    cl_image_format format;
    cl_image_desc shape; /* of an image */
    size_t pixel;
    atomic_uint map_count;
    struct mapping *mappings;
    struct callback *callbacks;
};

struct _cl_sampler {
    struct object object;
    cl_context context;
    cl_bool normalized;
    cl_addressing_mode addressing;
    cl_filter_mode filter;
};

struct _cl_program {
    struct object object;
    cl_context context;
    cl_uint count;
    cl_device_id *devices;
    char *source, *options;
};

struct _cl_kernel {
    struct object object;
    cl_program program;
    cl_uint count;
    uint8_t *kinds;      /* of its arguments */
    uint32_t *sizes;     /* with which values were accepted; 0 before */
    uint64_t launched;   /* shape with which it was accepted */
};

struct _cl_event {
    struct object object;
    cl_context context;
    cl_command_queue queue;
    cl_command_type type;
    atomic_bool complete;
};

extern const struct _cl_icd_dispatch dispatch_table;

/* Begin an object with one reference. */
void object_begin(struct object *object, uint32_t kind, uint64_t id);
/* A new object, or NULL. */
void *object_new(uint32_t kind, size_t size);
/* A number that no object has. */
uint64_t object_next_id(void);
/* Forget an object that the worker does not have. */
void object_forget(void *object);
/* Whether a handle is one of a kind. */
bool object_is(const void *handle, uint32_t kind);
void object_retain(void *object);
/* Count one reference less; whether it was the last, of which the worker has heard then. */
bool object_release(void *object);
uint64_t object_id(const void *object);

static inline void set_error(cl_int *where, cl_int code)
{
    if (where)
        *where = code;
}

#endif
