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
        return INFO_VALUE(cl_device_id, device->parent);
    case CL_DEVICE_REFERENCE_COUNT:
        return INFO_VALUE(cl_uint, device->object.references);
    case CL_DEVICE_EXTENSIONS:
        return give_extensions(device, INFO_RESULT);
    case CL_DEVICE_EXTENSIONS_WITH_VERSION:
    case CL_DEVICE_ILS_WITH_VERSION:
    case CL_DEVICE_BUILT_IN_KERNELS_WITH_VERSION:
        return info_give(INFO_RESULT, NULL, 0);
    case CL_DEVICE_SVM_CAPABILITIES:
        return INFO_VALUE(cl_device_svm_capabilities, 0);
    case CL_DEVICE_DEVICE_ENQUEUE_CAPABILITIES:
        /* A cl_bool before OpenCL 3.0 was final, and programs have room for no more. */
        if (param_value && param_value_size == sizeof(cl_bool))
            return INFO_VALUE(cl_bool, CL_FALSE);
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

/* A device of the worker stays as long as the program. */
cl_int CL_API_CALL icd_clRetainDevice(cl_device_id device)
{
    if (!object_is(device, KIND_DEVICE))
        return CL_INVALID_DEVICE;
    if (device->parent)
        object_retain(device);
    return CL_SUCCESS;
}

cl_int CL_API_CALL icd_clReleaseDevice(cl_device_id device)
{
    if (!object_is(device, KIND_DEVICE))
        return CL_INVALID_DEVICE;
    if (device->parent && object_release(device)) {
        icd_clReleaseDevice(device->parent);
        object_forget(device);
    }
    return CL_SUCCESS;
}

/* Have the worker divide a device; without ids, `found` is how many parts there would be. */
static cl_int divide(cl_device_id parent, const cl_device_partition_property *properties,
                     cl_uint count, const uint64_t *ids, cl_uint *found)
{
    struct create_sub_devices_message message = {parent->object.id, count, 0};
    struct part parts[] = {{&message, sizeof message}, {ids, count * sizeof *ids}, {properties, 0}};
    struct content content;
    cl_int status;

    do
        parts[2].size += sizeof *properties;
    while (*properties++);
    status = wire_ask(MESSAGE_CREATE_SUB_DEVICES, parts, 3, &content);
    if (status)
        return status;
    if (content.size == sizeof *found)
        memcpy(found, content.data, sizeof *found);
    else
        status = CL_OUT_OF_RESOURCES;
    free(content.data);
    return status;
}

static cl_int create_parts(cl_device_id parent, const cl_device_partition_property *properties,
                           cl_uint count, cl_device_id *list)
{
    uint64_t *ids = calloc(count, sizeof *ids);
    cl_int status = ids ? CL_SUCCESS : CL_OUT_OF_HOST_MEMORY;
    cl_uint found = 0, begun = 0;

    for (; begun < count && !status; begun++) {
        list[begun] = object_new(KIND_DEVICE, sizeof **list);
        if (!list[begun]) {
            status = CL_OUT_OF_HOST_MEMORY;
            break;
        }
        list[begun]->type = parent->type;
        list[begun]->parent = parent;
        icd_clRetainDevice(parent);
        ids[begun] = list[begun]->object.id;
    }
    if (!status)
        status = divide(parent, properties, count, ids, &found);
    if (!status && found != count)
        status = CL_OUT_OF_RESOURCES;
    for (cl_uint i = 0; i < begun && status; i++) {
        icd_clReleaseDevice(parent);
        object_forget(list[i]);
    }
    free(ids);
    return status;
}

cl_int CL_API_CALL icd_clCreateSubDevices(cl_device_id in_device,
                                          const cl_device_partition_property *properties,
                                          cl_uint num_devices, cl_device_id *out_devices,
                                          cl_uint *num_devices_ret)
{
    cl_uint found = 0;
    cl_int status;

    if (!object_is(in_device, KIND_DEVICE))
        return CL_INVALID_DEVICE;
    if (!properties || !num_devices != !out_devices || (!out_devices && !num_devices_ret))
        return CL_INVALID_VALUE;
    status = divide(in_device, properties, 0, NULL, &found);
    if (!status && out_devices && found > num_devices)
        status = CL_INVALID_VALUE;
    if (!status && out_devices && found)
        status = create_parts(in_device, properties, found, out_devices);
    if (!status && num_devices_ret)
        *num_devices_ret = found;
    return status;
}
