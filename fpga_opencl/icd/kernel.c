/* SPDX-License-Identifier: Apache-2.0 */
#include "api.h"
#include "info.h"
#include "wire.h"

static cl_int create(cl_kernel kernel, cl_program program, const char *name)
{
    struct create_kernel_message message = {kernel->object.id, program->object.id};
    struct part parts[] = {{&message, sizeof message}, {name, strlen(name)}};
    struct content content;
    cl_int status = wire_ask(MESSAGE_CREATE_KERNEL, parts, 2, &content);

    if (status)
        return status;
    kernel->kinds = (uint8_t *)content.data;
    kernel->count = (cl_uint)content.size;
    kernel->sizes = calloc(content.size + 1, sizeof *kernel->sizes);
    return kernel->sizes ? CL_SUCCESS : CL_OUT_OF_HOST_MEMORY;
}

static void free_kernel(cl_kernel kernel)
{
    if (!kernel)
        return;
    free(kernel->kinds);
    free(kernel->sizes);
    object_forget(kernel);
}

cl_kernel CL_API_CALL icd_clCreateKernel(cl_program program, const char *kernel_name,
                                         cl_int *errcode_ret)
{
    cl_kernel kernel = NULL;
    cl_int status;

    if (!object_is(program, KIND_PROGRAM))
        status = CL_INVALID_PROGRAM;
    else if (!kernel_name)
        status = CL_INVALID_VALUE;
    else if (!(kernel = object_new(KIND_KERNEL, sizeof *kernel)))
        status = CL_OUT_OF_HOST_MEMORY;
    else
        status = create(kernel, program, kernel_name);
    set_error(errcode_ret, status);
    if (status) {
        free_kernel(kernel);
        return NULL;
    }
    kernel->program = program;
    object_retain(program);
    return kernel;
}

static cl_int create_each(cl_program program, char *names, cl_uint count, cl_kernel *kernels)
{
    char *state = NULL, *name = strtok_r(names, ";", &state);
    cl_int status = CL_SUCCESS;

    for (cl_uint i = 0; i < count && name && !status; i++) {
        kernels[i] = icd_clCreateKernel(program, name, &status);
        name = strtok_r(NULL, ";", &state);
    }
    return status;
}

cl_int CL_API_CALL icd_clCreateKernelsInProgram(cl_program program, cl_uint num_kernels,
                                                cl_kernel *kernels, cl_uint *num_kernels_ret)
{
    size_t count = 0, size = 0;
    char *names;
    cl_int status;

    if (!object_is(program, KIND_PROGRAM))
        return CL_INVALID_PROGRAM;
    status = info_ask((struct result){sizeof count, &count, NULL}, QUERY_PROGRAM,
                      CL_PROGRAM_NUM_KERNELS, program, 0);
    if (status)
        return status;
    if (num_kernels_ret)
        *num_kernels_ret = (cl_uint)count;
    if (!kernels)
        return CL_SUCCESS;
    if (num_kernels < count)
        return CL_INVALID_VALUE;
    status = info_ask((struct result){0, NULL, &size}, QUERY_PROGRAM, CL_PROGRAM_KERNEL_NAMES,
                      program, 0);
    if (status)
        return status;
    names = calloc(1, size + 1);
    if (!names)
        return CL_OUT_OF_HOST_MEMORY;
    status = info_ask((struct result){size, names, NULL}, QUERY_PROGRAM, CL_PROGRAM_KERNEL_NAMES,
                      program, 0);
    if (!status)
        status = create_each(program, names, (cl_uint)count, kernels);
    free(names);
    return status;
}

static cl_int copy(cl_kernel kernel, cl_kernel source)
{
    struct clone_kernel_message message = {kernel->object.id, source->object.id};
    struct part parts[] = {{&message, sizeof message}};

    kernel->count = source->count;
    kernel->launched = source->launched;
    kernel->kinds = calloc(kernel->count + 1, sizeof *kernel->kinds);
    kernel->sizes = calloc(kernel->count + 1, sizeof *kernel->sizes);
    if (!kernel->kinds || !kernel->sizes)
        return CL_OUT_OF_HOST_MEMORY;
    memcpy(kernel->kinds, source->kinds, kernel->count * sizeof *kernel->kinds);
    memcpy(kernel->sizes, source->sizes, kernel->count * sizeof *kernel->sizes);
    return wire_call(MESSAGE_CLONE_KERNEL, parts, 1);
}

cl_kernel CL_API_CALL icd_clCloneKernel(cl_kernel source_kernel, cl_int *errcode_ret)
{
    cl_kernel kernel = NULL;
    cl_int status = CL_INVALID_KERNEL;

    if (object_is(source_kernel, KIND_KERNEL)) {
        kernel = object_new(KIND_KERNEL, sizeof *kernel);
        status = kernel ? copy(kernel, source_kernel) : CL_OUT_OF_HOST_MEMORY;
    }
    set_error(errcode_ret, status);
    if (status) {
        free_kernel(kernel);
        return NULL;
    }
    kernel->program = source_kernel->program;
    object_retain(kernel->program);
    return kernel;
}

cl_int CL_API_CALL icd_clRetainKernel(cl_kernel kernel)
{
    if (!object_is(kernel, KIND_KERNEL))
        return CL_INVALID_KERNEL;
    object_retain(kernel);
    return CL_SUCCESS;
}

cl_int CL_API_CALL icd_clReleaseKernel(cl_kernel kernel)
{
    if (!object_is(kernel, KIND_KERNEL))
        return CL_INVALID_KERNEL;
    if (object_release(kernel)) {
        icd_clReleaseProgram(kernel->program);
        free_kernel(kernel);
    }
    return CL_SUCCESS;
}

/* The id of an object that an argument names; 0 for none. */
static cl_int find_object(uint8_t kind, size_t size, const void *value, uint64_t *id)
{
    const struct object *object = NULL;

    *id = 0;
    if (size != sizeof object)
        return CL_INVALID_ARG_SIZE;
    if (value)
        memcpy(&object, value, sizeof object);
    if (kind == ARGUMENT_SAMPLER && !object_is(object, KIND_SAMPLER))
        return CL_INVALID_SAMPLER;
    if (object && kind == ARGUMENT_MEMORY && !object_is(object, KIND_MEMORY))
        return CL_INVALID_MEM_OBJECT;
    *id = object_id(object);
    return CL_SUCCESS;
}

/* A value of a size that was accepted before is accepted again: nobody waits for that. */
static cl_int set_value(cl_kernel kernel, cl_uint index, struct part *parts, size_t size)
{
    cl_int status;

    if (kernel->sizes[index] == size)
        return wire_post(MESSAGE_SET_ARGUMENT, parts, 2);
    status = wire_call(MESSAGE_SET_ARGUMENT, parts, 2);
    if (!status)
        kernel->sizes[index] = (uint32_t)size;
    return status;
}

cl_int CL_API_CALL icd_clSetKernelArg(cl_kernel kernel, cl_uint arg_index, size_t arg_size,
                                      const void *arg_value)
{
    struct set_argument_message message;
    struct part parts[] = {{&message, sizeof message}, {arg_value, arg_value ? arg_size : 0}};
    uint64_t id;
    cl_int status;
    uint8_t kind;

    if (!object_is(kernel, KIND_KERNEL))
        return CL_INVALID_KERNEL;
    if (arg_index >= kernel->count)
        return CL_INVALID_ARG_INDEX;
    kind = kernel->kinds[arg_index];
    if (kind == ARGUMENT_UNKNOWN)
        kind = !arg_value ? ARGUMENT_LOCAL : arg_size == 8 ? ARGUMENT_MEMORY : ARGUMENT_VALUE;
    message = (struct set_argument_message){kernel->object.id, arg_index, kind, arg_size};
    if (kind == ARGUMENT_LOCAL) {
        if (arg_value || !arg_size)
            return arg_value ? CL_INVALID_ARG_VALUE : CL_INVALID_ARG_SIZE;
        return set_value(kernel, arg_index, parts, arg_size);
    }
    if (kind == ARGUMENT_VALUE) {
        if (!arg_value || !arg_size)
            return arg_value ? CL_INVALID_ARG_SIZE : CL_INVALID_ARG_VALUE;
        return set_value(kernel, arg_index, parts, arg_size);
    }
    status = find_object(kind, arg_size, arg_value, &id);
    if (status)
        return status;
    parts[1] = (struct part){&id, id ? sizeof id : 0};
    return set_value(kernel, arg_index, parts, arg_size);
}

cl_int CL_API_CALL icd_clGetKernelInfo(cl_kernel kernel, cl_kernel_info param_name,
                                       size_t param_value_size, void *param_value,
                                       size_t *param_value_size_ret)
{
    if (!object_is(kernel, KIND_KERNEL))
        return CL_INVALID_KERNEL;
    switch (param_name) {
    case CL_KERNEL_REFERENCE_COUNT:
        return INFO_VALUE(cl_uint, kernel->object.references);
    case CL_KERNEL_CONTEXT:
        return INFO_VALUE(cl_context, kernel->program->context);
    case CL_KERNEL_PROGRAM:
        return INFO_VALUE(cl_program, kernel->program);
    case CL_KERNEL_NUM_ARGS:
        return INFO_VALUE(cl_uint, kernel->count);
    }
    return info_ask(INFO_RESULT, QUERY_KERNEL, param_name, kernel, 0);
}

cl_int CL_API_CALL icd_clGetKernelWorkGroupInfo(cl_kernel kernel, cl_device_id device,
                                                cl_kernel_work_group_info param_name,
                                                size_t param_value_size, void *param_value,
                                                size_t *param_value_size_ret)
{
    if (!object_is(kernel, KIND_KERNEL))
        return CL_INVALID_KERNEL;
    if (device && !object_is(device, KIND_DEVICE))
        return CL_INVALID_DEVICE;
    return info_ask(INFO_RESULT, QUERY_WORK_GROUP, param_name, kernel, object_id(device));
}

cl_int CL_API_CALL icd_clGetKernelArgInfo(cl_kernel kernel, cl_uint arg_index,
                                          cl_kernel_arg_info param_name, size_t param_value_size,
                                          void *param_value, size_t *param_value_size_ret)
{
    if (!object_is(kernel, KIND_KERNEL))
        return CL_INVALID_KERNEL;
    if (arg_index >= kernel->count)
        return CL_INVALID_ARG_INDEX;
    return info_ask(INFO_RESULT, QUERY_ARGUMENT, param_name, kernel, arg_index);
}
