/* SPDX-License-Identifier: Apache-2.0 */
#include "api.h"
#include "info.h"
#include "wire.h"

static const cl_command_queue_properties SERVED_PROPERTIES =
    CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE | CL_QUEUE_PROFILING_ENABLE;

static cl_int create(cl_command_queue queue, cl_context context, cl_device_id device,
                     cl_command_queue_properties properties)
{
    struct create_queue_message message = {queue->object.id, context->object.id,
                                           device->object.id, properties};
    struct part parts[] = {{&message, sizeof message}};
    cl_int status = wire_call(MESSAGE_CREATE_QUEUE, parts, 1);

    if (status)
        return status;
    queue->context = context;
    queue->device = device;
    queue->properties = properties;
    object_retain(context);
    icd_clRetainDevice(device);
    return CL_SUCCESS;
}

cl_command_queue CL_API_CALL icd_clCreateCommandQueue(cl_context context, cl_device_id device,
                                                      cl_command_queue_properties properties,
                                                      cl_int *errcode_ret)
{
    cl_command_queue queue = NULL;
    cl_int status;

    if (!object_is(context, KIND_CONTEXT))
        status = CL_INVALID_CONTEXT;
    else if (!object_is(device, KIND_DEVICE))
        status = CL_INVALID_DEVICE;
    else if (properties & ~(SERVED_PROPERTIES | CL_QUEUE_ON_DEVICE | CL_QUEUE_ON_DEVICE_DEFAULT))
        status = CL_INVALID_VALUE;
    else if (properties & ~SERVED_PROPERTIES)
        status = CL_INVALID_QUEUE_PROPERTIES;
    else if (!(queue = object_new(KIND_QUEUE, sizeof *queue)))
        status = CL_OUT_OF_HOST_MEMORY;
    else
        status = create(queue, context, device, properties);
    set_error(errcode_ret, status);
    if (!status)
        return queue;
    object_forget(queue);
    return NULL;
}

cl_command_queue CL_API_CALL icd_clCreateCommandQueueWithProperties(
    cl_context context, cl_device_id device, const cl_queue_properties *properties,
    cl_int *errcode_ret)
{
    cl_command_queue_properties flags = 0;
    cl_command_queue queue;
    cl_uint count = 0;

    for (; properties && properties[count]; count += 2) {
        if (count + 3 > MAX_PROPERTIES || properties[count] != CL_QUEUE_PROPERTIES) {
            set_error(errcode_ret, properties[count] == CL_QUEUE_SIZE
                                       ? CL_INVALID_QUEUE_PROPERTIES
                                       : CL_INVALID_VALUE);
            return NULL;
        }
        flags = properties[count + 1];
    }
    queue = icd_clCreateCommandQueue(context, device, flags, errcode_ret);
    if (queue && properties) {
        queue->property_count = count + 1;
        memcpy(queue->list, properties, queue->property_count * sizeof *properties);
    }
    return queue;
}

cl_int CL_API_CALL icd_clRetainCommandQueue(cl_command_queue queue)
{
    if (!object_is(queue, KIND_QUEUE))
        return CL_INVALID_COMMAND_QUEUE;
    object_retain(queue);
    return CL_SUCCESS;
}

cl_int CL_API_CALL icd_clReleaseCommandQueue(cl_command_queue queue)
{
    if (!object_is(queue, KIND_QUEUE))
        return CL_INVALID_COMMAND_QUEUE;
    if (object_release(queue)) {
        wire_flush(); /* releasing a queue flushes it */
        icd_clReleaseDevice(queue->device);
        icd_clReleaseContext(queue->context);
        object_forget(queue);
    }
    return CL_SUCCESS;
}

cl_int CL_API_CALL icd_clGetCommandQueueInfo(cl_command_queue queue,
                                             cl_command_queue_info param_name,
                                             size_t param_value_size, void *param_value,
                                             size_t *param_value_size_ret)
{
    if (!object_is(queue, KIND_QUEUE))
        return CL_INVALID_COMMAND_QUEUE;
    switch (param_name) {
    case CL_QUEUE_CONTEXT:
        return INFO_VALUE(cl_context, queue->context);
    case CL_QUEUE_DEVICE:
        return INFO_VALUE(cl_device_id, queue->device);
    case CL_QUEUE_SIZE: /* of queues on the device, which are not served */
        return CL_INVALID_COMMAND_QUEUE;
    case CL_QUEUE_DEVICE_DEFAULT:
        return INFO_VALUE(cl_command_queue, NULL);
    case CL_QUEUE_REFERENCE_COUNT:
        return INFO_VALUE(cl_uint, queue->object.references);
    case CL_QUEUE_PROPERTIES:
        return INFO_VALUE(cl_command_queue_properties, queue->properties);
    case CL_QUEUE_PROPERTIES_ARRAY:
        return info_give(INFO_RESULT, queue->list, queue->property_count * sizeof *queue->list);
    }
    return CL_INVALID_VALUE;
}

cl_int CL_API_CALL icd_clFlush(cl_command_queue queue)
{
    struct flush_message message = {object_id(queue)};
    struct part parts[] = {{&message, sizeof message}};
    cl_int status;

    if (!object_is(queue, KIND_QUEUE))
        return CL_INVALID_COMMAND_QUEUE;
    status = wire_post(MESSAGE_FLUSH, parts, 1);
    return status ? status : wire_flush();
}

cl_int CL_API_CALL icd_clFinish(cl_command_queue queue)
{
    struct finish_message message = {object_id(queue)};
    struct part parts[] = {{&message, sizeof message}};

    if (!object_is(queue, KIND_QUEUE))
        return CL_INVALID_COMMAND_QUEUE;
    return wire_call(MESSAGE_FINISH, parts, 1);
}
