/* SPDX-License-Identifier: Apache-2.0 */
/* Buffers and what they share with images. Memory of the program's is copied, and read and written
 * where the program maps it. */
#include "api.h"
#include "callbacks.h"
#include "info.h"
#include "memory.h"
#include "wire.h"

cl_int memory_check_flags(cl_mem_flags flags, const void *host)
{
    const cl_mem_flags known = CL_MEM_READ_WRITE | CL_MEM_WRITE_ONLY | CL_MEM_READ_ONLY |
                               CL_MEM_USE_HOST_PTR | CL_MEM_ALLOC_HOST_PTR | CL_MEM_COPY_HOST_PTR |
                               CL_MEM_HOST_WRITE_ONLY | CL_MEM_HOST_READ_ONLY |
                               CL_MEM_HOST_NO_ACCESS | CL_MEM_KERNEL_READ_AND_WRITE;
    cl_mem_flags access = flags & (CL_MEM_READ_WRITE | CL_MEM_WRITE_ONLY | CL_MEM_READ_ONLY);
    cl_mem_flags of_host =
        flags & (CL_MEM_HOST_WRITE_ONLY | CL_MEM_HOST_READ_ONLY | CL_MEM_HOST_NO_ACCESS);

    if (flags & ~known || access & (access - 1) || of_host & (of_host - 1))
        return CL_INVALID_VALUE;
    if (flags & CL_MEM_USE_HOST_PTR && flags & (CL_MEM_ALLOC_HOST_PTR | CL_MEM_COPY_HOST_PTR))
        return CL_INVALID_VALUE;
    if (!host != !(flags & (CL_MEM_USE_HOST_PTR | CL_MEM_COPY_HOST_PTR)))
        return CL_INVALID_HOST_PTR;
    return CL_SUCCESS;
}

cl_mem memory_new(cl_context context, cl_mem_object_type type, cl_mem_flags flags, void *host)
{
    cl_mem memory = object_new(KIND_MEMORY, sizeof *memory);

    if (!memory)
        return NULL;
    memory->context = context;
    memory->type = type;
    memory->flags = flags & (CL_MEM_READ_WRITE | CL_MEM_WRITE_ONLY | CL_MEM_READ_ONLY)
                        ? flags
                        : flags | CL_MEM_READ_WRITE;
    memory->host = flags & CL_MEM_USE_HOST_PTR ? host : NULL;
    return memory;
}

cl_mem memory_done(cl_mem memory, cl_int status, cl_int *errcode_ret)
{
    set_error(errcode_ret, status);
    if (status) {
        object_forget(memory);
        return NULL;
    }
    object_retain(memory->context);
    if (memory->parent)
        object_retain(memory->parent);
    return memory;
}

cl_mem CL_API_CALL icd_clCreateBuffer(cl_context context, cl_mem_flags flags, size_t size,
                                      void *host_ptr, cl_int *errcode_ret)
{
    cl_mem memory;
    cl_int status = object_is(context, KIND_CONTEXT) ? memory_check_flags(flags, host_ptr)
                                                     : CL_INVALID_CONTEXT;

    if (!status && !size)
        status = CL_INVALID_BUFFER_SIZE;
    if (status) {
        set_error(errcode_ret, status);
        return NULL;
    }
    memory = memory_new(context, CL_MEM_OBJECT_BUFFER, flags, host_ptr);
    if (memory) {
        struct create_buffer_message message = {memory->object.id, context->object.id,
                                                memory->flags, size};
        struct part parts[] = {{&message, sizeof message}, {host_ptr, host_ptr ? size : 0}};

        memory->size = size;
        status = host_ptr && size > LIMIT_DATA - sizeof message
                     ? CL_MEM_OBJECT_ALLOCATION_FAILURE
                     : wire_call(MESSAGE_CREATE_BUFFER, parts, 2);
    }
    return memory_done(memory, memory ? status : CL_OUT_OF_HOST_MEMORY, errcode_ret);
}

cl_mem CL_API_CALL icd_clCreateBufferWithProperties(cl_context context,
                                                    const cl_mem_properties *properties,
                                                    cl_mem_flags flags, size_t size,
                                                    void *host_ptr, cl_int *errcode_ret)
{
    if (properties && *properties) {
        set_error(errcode_ret, CL_INVALID_PROPERTY);
        return NULL;
    }
    return icd_clCreateBuffer(context, flags, size, host_ptr, errcode_ret);
}

static cl_int check_part(cl_mem whole, cl_mem_flags flags, cl_buffer_create_type type,
                         const cl_buffer_region *region)
{
    const cl_mem_flags access = CL_MEM_READ_WRITE | CL_MEM_WRITE_ONLY | CL_MEM_READ_ONLY;

    if (!object_is(whole, KIND_MEMORY) || whole->type != CL_MEM_OBJECT_BUFFER || whole->parent)
        return CL_INVALID_MEM_OBJECT;
    if (type != CL_BUFFER_CREATE_TYPE_REGION || !region)
        return CL_INVALID_VALUE;
    if (flags & (CL_MEM_USE_HOST_PTR | CL_MEM_ALLOC_HOST_PTR | CL_MEM_COPY_HOST_PTR))
        return CL_INVALID_VALUE;
    if ((whole->flags & CL_MEM_WRITE_ONLY && flags & (CL_MEM_READ_WRITE | CL_MEM_READ_ONLY)) ||
        (whole->flags & CL_MEM_READ_ONLY && flags & (CL_MEM_READ_WRITE | CL_MEM_WRITE_ONLY)))
        return CL_INVALID_VALUE;
    if (memory_check_flags(flags & ~access, NULL))
        return CL_INVALID_VALUE;
    if (!region->size)
        return CL_INVALID_BUFFER_SIZE;
    return memory_part(whole, region->origin, region->size);
}

cl_mem CL_API_CALL icd_clCreateSubBuffer(cl_mem buffer, cl_mem_flags flags,
                                         cl_buffer_create_type buffer_create_type,
                                         const void *buffer_create_info, cl_int *errcode_ret)
{
    const cl_buffer_region *region = buffer_create_info;
    cl_int status = check_part(buffer, flags, buffer_create_type, region);
    cl_mem memory;

    if (status) {
        set_error(errcode_ret, status);
        return NULL;
    }
    memory = memory_new(buffer->context, CL_MEM_OBJECT_BUFFER, flags, NULL);
    if (memory) {
        struct create_sub_buffer_message message = {memory->object.id, buffer->object.id, flags,
                                                    region->origin, region->size};
        struct part parts[] = {{&message, sizeof message}};

        if (!(flags & (CL_MEM_READ_WRITE | CL_MEM_WRITE_ONLY | CL_MEM_READ_ONLY)))
            memory->flags = flags | (buffer->flags & (CL_MEM_READ_WRITE | CL_MEM_WRITE_ONLY |
                                                      CL_MEM_READ_ONLY));
        memory->flags |= buffer->flags & (CL_MEM_USE_HOST_PTR | CL_MEM_ALLOC_HOST_PTR |
                                          CL_MEM_COPY_HOST_PTR);
        memory->parent = buffer;
        memory->origin = region->origin;
        memory->size = region->size;
        if (buffer->host)
            memory->host = (char *)buffer->host + region->origin;
        status = wire_call(MESSAGE_CREATE_SUB_BUFFER, parts, 1);
    }
    return memory_done(memory, memory ? status : CL_OUT_OF_HOST_MEMORY, errcode_ret);
}

cl_int memory_part(cl_mem memory, size_t offset, size_t size)
{
    return offset <= memory->size && size <= memory->size - offset ? CL_SUCCESS : CL_INVALID_VALUE;
}

cl_int CL_API_CALL icd_clRetainMemObject(cl_mem memory)
{
    if (!object_is(memory, KIND_MEMORY))
        return CL_INVALID_MEM_OBJECT;
    object_retain(memory);
    return CL_SUCCESS;
}

cl_int CL_API_CALL icd_clReleaseMemObject(cl_mem memory)
{
    if (!object_is(memory, KIND_MEMORY))
        return CL_INVALID_MEM_OBJECT;
    if (!object_release(memory))
        return CL_SUCCESS;
    callbacks_run(memory->callbacks, memory);
    while (memory->mappings) {
        struct mapping *next = memory->mappings->next;

        if (!memory->host)
            free(memory->mappings->place);
        free(memory->mappings);
        memory->mappings = next;
    }
    icd_clReleaseContext(memory->context);
    if (memory->parent)
        icd_clReleaseMemObject(memory->parent);
    object_forget(memory);
    return CL_SUCCESS;
}

cl_int CL_API_CALL icd_clGetMemObjectInfo(cl_mem memory, cl_mem_info param_name,
                                          size_t param_value_size, void *param_value,
                                          size_t *param_value_size_ret)
{
    if (!object_is(memory, KIND_MEMORY))
        return CL_INVALID_MEM_OBJECT;
    switch (param_name) {
    case CL_MEM_TYPE:
        return INFO_VALUE(cl_mem_object_type, memory->type);
    case CL_MEM_FLAGS:
        return INFO_VALUE(cl_mem_flags, memory->flags);
    case CL_MEM_SIZE:
        return INFO_VALUE(size_t, memory->size);
    case CL_MEM_HOST_PTR:
        return INFO_VALUE(void *, memory->host);
    case CL_MEM_MAP_COUNT:
        return INFO_VALUE(cl_uint, memory->map_count);
    case CL_MEM_REFERENCE_COUNT:
        return INFO_VALUE(cl_uint, memory->object.references);
    case CL_MEM_CONTEXT:
        return INFO_VALUE(cl_context, memory->context);
    case CL_MEM_ASSOCIATED_MEMOBJECT:
        return INFO_VALUE(cl_mem, memory->parent);
    case CL_MEM_OFFSET:
        return INFO_VALUE(size_t, memory->origin);
    case CL_MEM_USES_SVM_POINTER:
        return INFO_VALUE(cl_bool, CL_FALSE);
    case CL_MEM_PROPERTIES:
        return info_give(INFO_RESULT, NULL, 0);
    }
    return CL_INVALID_VALUE;
}

cl_int CL_API_CALL icd_clSetMemObjectDestructorCallback(
    cl_mem memory, void(CL_CALLBACK *pfn_notify)(cl_mem, void *), void *user_data)
{
    if (!object_is(memory, KIND_MEMORY))
        return CL_INVALID_MEM_OBJECT;
    return callbacks_add(&memory->callbacks, (callback_function)(void (*)(void))pfn_notify,
                         user_data);
}
