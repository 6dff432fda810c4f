/* SPDX-License-Identifier: Apache-2.0 */
#include "api.h"
#include "callbacks.h"
#include "info.h"
#include "wire.h"

static cl_int copy_properties(cl_context context, const cl_context_properties *list)
{
    cl_uint count = 0;

    for (; list && list[count]; count += 2) {
        if (count + 3 > MAX_PROPERTIES)
            return CL_INVALID_PROPERTY;
        if (list[count] == CL_CONTEXT_PLATFORM) {
            if (list[count + 1] != (cl_context_properties)&the_platform)
                return CL_INVALID_PLATFORM;
        } else if (list[count] != CL_CONTEXT_INTEROP_USER_SYNC) {
            return CL_INVALID_PROPERTY;
        }
        for (cl_uint i = 0; i < count; i += 2)
            if (list[i] == list[count])
                return CL_INVALID_PROPERTY;
        memcpy(context->properties + count, list + count, 2 * sizeof *list);
    }
    context->property_count = list ? count + 1 : 0;
    return CL_SUCCESS;
}

static bool is_listed(cl_context context, cl_device_id device)
{
    for (cl_uint i = 0; i < context->count; i++)
        if (context->devices[i] == device)
            return true;
    return false;
}

/* A program may name a device twice; the context has it once. */
static cl_int create(cl_context context, cl_uint count, const cl_device_id *devices)
{
    struct create_context_message message = {context->object.id, 0, 0};
    uint64_t ids[MAX_DEVICES];
    struct part parts[] = {{&message, sizeof message}, {ids, 0}};

    context->devices = calloc(count, sizeof *devices);
    if (!context->devices)
        return CL_OUT_OF_HOST_MEMORY;
    for (cl_uint i = 0; i < count; i++) {
        if (icd_clRetainDevice(devices[i]))
            return CL_INVALID_DEVICE;
        if (is_listed(context, devices[i])) {
            icd_clReleaseDevice(devices[i]);
            continue;
        }
        ids[context->count] = devices[i]->object.id;
        context->devices[context->count++] = devices[i];
    }
    message.count = context->count;
    parts[1].size = context->count * sizeof *ids;
    return wire_call(MESSAGE_CREATE_CONTEXT, parts, 2);
}

static void free_context(cl_context context)
{
    if (!context)
        return;
    for (cl_uint i = 0; i < context->count; i++)
        icd_clReleaseDevice(context->devices[i]);
    free(context->devices);
    object_forget(context);
}

cl_context CL_API_CALL icd_clCreateContext(
    const cl_context_properties *properties, cl_uint num_devices, const cl_device_id *devices,
    void(CL_CALLBACK *pfn_notify)(const char *, const void *, size_t, void *), void *user_data,
    cl_int *errcode_ret)
{
    cl_context context;
    cl_int status;

    if (!devices || !num_devices || num_devices > MAX_DEVICES || (!pfn_notify && user_data)) {
        set_error(errcode_ret, CL_INVALID_VALUE);
        return NULL;
    }
    context = object_new(KIND_CONTEXT, sizeof *context);
    status = context ? copy_properties(context, properties) : CL_OUT_OF_HOST_MEMORY;
    if (!status)
        status = create(context, num_devices, devices);
    set_error(errcode_ret, status);
    if (!status)
        return context;
    free_context(context);
    return NULL;
}

cl_context CL_API_CALL icd_clCreateContextFromType(
    const cl_context_properties *properties, cl_device_type device_type,
    void(CL_CALLBACK *pfn_notify)(const char *, const void *, size_t, void *), void *user_data,
    cl_int *errcode_ret)
{
    cl_device_id devices[MAX_DEVICES];
    cl_uint count = 0;
    cl_int status = icd_clGetDeviceIDs(&the_platform, device_type, MAX_DEVICES, devices, &count);

    if (status) {
        set_error(errcode_ret, status);
        return NULL;
    }
    return icd_clCreateContext(properties, count, devices, pfn_notify, user_data, errcode_ret);
}

cl_int CL_API_CALL icd_clRetainContext(cl_context context)
{
    if (!object_is(context, KIND_CONTEXT))
        return CL_INVALID_CONTEXT;
    object_retain(context);
    return CL_SUCCESS;
}

cl_int CL_API_CALL icd_clReleaseContext(cl_context context)
{
    if (!object_is(context, KIND_CONTEXT))
        return CL_INVALID_CONTEXT;
    if (object_release(context)) {
        callbacks_run(context->callbacks, context);
        free_context(context);
    }
    return CL_SUCCESS;
}

cl_int CL_API_CALL icd_clGetContextInfo(cl_context context, cl_context_info param_name,
                                        size_t param_value_size, void *param_value,
                                        size_t *param_value_size_ret)
{
    if (!object_is(context, KIND_CONTEXT))
        return CL_INVALID_CONTEXT;
    switch (param_name) {
    case CL_CONTEXT_REFERENCE_COUNT:
        return INFO_VALUE(cl_uint, context->object.references);
    case CL_CONTEXT_NUM_DEVICES:
        return INFO_VALUE(cl_uint, context->count);
    case CL_CONTEXT_DEVICES:
        return info_give(INFO_RESULT, context->devices, context->count * sizeof(cl_device_id));
    case CL_CONTEXT_PROPERTIES:
        return info_give(INFO_RESULT, context->properties,
                         context->property_count * sizeof *context->properties);
    }
    return CL_INVALID_VALUE;
}

cl_int CL_API_CALL icd_clSetContextDestructorCallback(
    cl_context context, void(CL_CALLBACK *pfn_notify)(cl_context, void *), void *user_data)
{
    if (!object_is(context, KIND_CONTEXT))
        return CL_INVALID_CONTEXT;
    return callbacks_add(&context->callbacks, (callback_function)(void (*)(void))pfn_notify,
                         user_data);
}
