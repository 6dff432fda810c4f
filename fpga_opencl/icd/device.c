/* SPDX-License-Identifier: Apache-2.0 */
/* The devices of the worker. What is not served of them is masked. */
#include <pthread.h>
#include <stdio.h>

#include "api.h"
#include "info.h"
#include "wire.h"

static struct _cl_device_id devices[MAX_DEVICES];
static cl_uint device_count;
static cl_int hello_status;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void say_hello(void)
{
    struct hello_message message = {PROTOCOL_MAGIC, PROTOCOL_VERSION};
    struct part parts[] = {{&message, sizeof message}};
    struct content content;

    hello_status = wire_connect() ? wire_ask(MESSAGE_HELLO, parts, 1, &content)
                                  : CL_DEVICE_NOT_AVAILABLE;
    if (hello_status)
        return;
    for (size_t at = 0; at + 16 <= content.size && device_count < MAX_DEVICES; at += 16) {
        struct _cl_device_id *device = &devices[device_count];
        uint64_t id;

        memcpy(&id, content.data + at, 8);
        object_begin(&device->object, KIND_DEVICE, id);
        memcpy(&device->type, content.data + at + 8, 8);
        device_count++;
    }
    free(content.data);
}

static bool matches(cl_uint index, cl_device_type type)
{
    if (type == CL_DEVICE_TYPE_ALL)
        return true;
    return (devices[index].type & type) || ((type & CL_DEVICE_TYPE_DEFAULT) && !index);
}

cl_int CL_API_CALL icd_clGetDeviceIDs(cl_platform_id platform, cl_device_type device_type,
                                      cl_uint num_entries, cl_device_id *list,
                                      cl_uint *num_devices)
{
    const cl_device_type known = CL_DEVICE_TYPE_DEFAULT | CL_DEVICE_TYPE_CPU | CL_DEVICE_TYPE_GPU |
                                 CL_DEVICE_TYPE_ACCELERATOR | CL_DEVICE_TYPE_CUSTOM;
    cl_uint found = 0;

    if (platform && platform != &the_platform)
        return CL_INVALID_PLATFORM;
    if (!device_type || (device_type != CL_DEVICE_TYPE_ALL && device_type & ~known))
        return CL_INVALID_DEVICE_TYPE;
    if ((list && !num_entries) || (!list && !num_devices))
        return CL_INVALID_VALUE;
    pthread_once(&once, say_hello);
    if (hello_status)
        return CL_DEVICE_NOT_FOUND;
    for (cl_uint i = 0; i < device_count; i++) {
        if (!matches(i, device_type))
            continue;
        if (list && found < num_entries)
            list[found] = &devices[i];
        found++;
    }
    if (num_devices)
        *num_devices = found;
    return found ? CL_SUCCESS : CL_DEVICE_NOT_FOUND;
}

/* Extensions of the language of kernels, which need nothing of the client. */
static bool is_served(const char *name, size_t size)
{
    static const char *const starts[] = {
        "cl_khr_fp", "cl_khr_int64", "cl_khr_global_int32", "cl_khr_local_int32",
        "cl_khr_byte_addressable", "cl_khr_3d_image_writes", "cl_khr_extended_bit_ops",
        "cl_khr_integer_dot_product", "cl_khr_select_fprounding",
    };

    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        if (size >= strlen(starts[i]) && !strncmp(name, starts[i], strlen(starts[i])))
            return true;
    return false;
}

static cl_int give_extensions(cl_device_id device, struct result result)
{
    char text[16384] = "", served[16384] = "";
    size_t size = 0;
    cl_int status = info_ask((struct result){sizeof text - 1, text, &size}, QUERY_DEVICE,
                             CL_DEVICE_EXTENSIONS, device, 0);
    char *next = text;

    if (status)
        return status;
    while (*next) {
        size_t count = strcspn(next, " ");

        if (count && is_served(next, count)) {
            if (*served)
                strcat(served, " ");
            strncat(served, next, count);
        }
        next += count + (next[count] == ' ');
    }
    return info_text(result, served);
}

cl_int CL_API_CALL icd_clGetDeviceInfo(cl_device_id device, cl_device_info param_name,
                                       size_t param_value_size, void *param_value,
                                       size_t *param_value_size_ret)
{
    if (!object_is(device, KIND_DEVICE))
        return CL_INVALID_DEVICE;
    switch (param_name) {
    case CL_DEVICE_PLATFORM:
        return INFO_VALUE(cl_platform_id, &the_platform);
    case CL_DEVICE_PARENT_DEVICE:
        return INFO_VALUE(cl_device_id, NULL);
    case CL_DEVICE_REFERENCE_COUNT:
        return INFO_VALUE(cl_uint, 1);
    case CL_DEVICE_EXTENSIONS:
        return give_extensions(device, INFO_RESULT);
    case CL_DEVICE_EXTENSIONS_WITH_VERSION:
    case CL_DEVICE_ILS_WITH_VERSION:
    case CL_DEVICE_BUILT_IN_KERNELS_WITH_VERSION:
        return info_give(INFO_RESULT, NULL, 0);
    case CL_DEVICE_PARTITION_MAX_SUB_DEVICES:
        return INFO_VALUE(cl_uint, 0);
    case CL_DEVICE_PARTITION_PROPERTIES:
    case CL_DEVICE_PARTITION_TYPE:
        return INFO_VALUE(cl_device_partition_property, 0);
    case CL_DEVICE_PARTITION_AFFINITY_DOMAIN:
        return INFO_VALUE(cl_device_affinity_domain, 0);
    case CL_DEVICE_SVM_CAPABILITIES:
        return INFO_VALUE(cl_device_svm_capabilities, 0);
    case CL_DEVICE_DEVICE_ENQUEUE_CAPABILITIES:
        return INFO_VALUE(cl_device_device_enqueue_capabilities, 0);
    case CL_DEVICE_QUEUE_ON_DEVICE_PROPERTIES:
        return INFO_VALUE(cl_command_queue_properties, 0);
    case CL_DEVICE_QUEUE_ON_DEVICE_PREFERRED_SIZE:
    case CL_DEVICE_QUEUE_ON_DEVICE_MAX_SIZE:
    case CL_DEVICE_MAX_ON_DEVICE_QUEUES:
    case CL_DEVICE_MAX_ON_DEVICE_EVENTS:
    case CL_DEVICE_MAX_PIPE_ARGS:
    case CL_DEVICE_PIPE_MAX_ACTIVE_RESERVATIONS:
    case CL_DEVICE_PIPE_MAX_PACKET_SIZE:
    case CL_DEVICE_MAX_NUM_SUB_GROUPS:
        return INFO_VALUE(cl_uint, 0);
    case CL_DEVICE_PIPE_SUPPORT:
    case CL_DEVICE_SUB_GROUP_INDEPENDENT_FORWARD_PROGRESS:
    case CL_DEVICE_HOST_UNIFIED_MEMORY:
        return INFO_VALUE(cl_bool, CL_FALSE);
    case CL_DEVICE_IL_VERSION:
    case CL_DEVICE_BUILT_IN_KERNELS:
        return info_text(INFO_RESULT, "");
    case CL_DEVICE_EXECUTION_CAPABILITIES:
        return INFO_VALUE(cl_device_exec_capabilities, CL_EXEC_KERNEL);
    }
    return info_ask(INFO_RESULT, QUERY_DEVICE, param_name, device, 0);
}

cl_int CL_API_CALL icd_clRetainDevice(cl_device_id device)
{
    return object_is(device, KIND_DEVICE) ? CL_SUCCESS : CL_INVALID_DEVICE;
}

cl_int CL_API_CALL icd_clReleaseDevice(cl_device_id device)
{
    return object_is(device, KIND_DEVICE) ? CL_SUCCESS : CL_INVALID_DEVICE;
}
