/* SPDX-License-Identifier: Apache-2.0 */
#include "program.h"

#include "api.h"
#include "info.h"
#include "wire.h"

cl_program program_new(cl_context context, cl_uint count, const cl_device_id *devices)
{
    cl_program program = object_new(KIND_PROGRAM, sizeof *program);

    if (!program)
        return NULL;
    program->context = context;
    program->count = devices ? count : context->count;
    program->devices = calloc(program->count, sizeof *devices);
    if (!program->devices) {
        object_forget(program);
        return NULL;
    }
    memcpy(program->devices, devices ? devices : context->devices,
           program->count * sizeof *devices);
    object_retain(context);
    return program;
}

void program_free(cl_program program)
{
    if (!program)
        return;
    icd_clReleaseContext(program->context);
    free(program->devices);
    free(program->source);
    free(program->options);
    object_forget(program);
}

bool program_device_ids(cl_uint count, const cl_device_id *devices, uint64_t *ids)
{
    for (cl_uint i = 0; i < count; i++) {
        if (!object_is(devices[i], KIND_DEVICE))
            return false;
        ids[i] = devices[i]->object.id;
    }
    return true;
}

static char *join(cl_uint count, const char **strings, const size_t *lengths)
{
    size_t size = 0;
    char *text, *next;

    for (cl_uint i = 0; i < count; i++) {
        if (!strings[i])
            return NULL;
        size += lengths && lengths[i] ? lengths[i] : strlen(strings[i]);
    }
    text = next = malloc(size + 1);
    for (cl_uint i = 0; text && i < count; i++) {
        size_t length = lengths && lengths[i] ? lengths[i] : strlen(strings[i]);

        memcpy(next, strings[i], length);
        next += length;
    }
    if (text)
        *next = 0;
    return text;
}

cl_program CL_API_CALL icd_clCreateProgramWithSource(cl_context context, cl_uint count,
                                                     const char **strings, const size_t *lengths,
                                                     cl_int *errcode_ret)
{
    cl_program program = NULL;
    cl_int status = CL_OUT_OF_HOST_MEMORY;

    if (!object_is(context, KIND_CONTEXT))
        status = CL_INVALID_CONTEXT;
    else if (!count || !strings)
        status = CL_INVALID_VALUE;
    else
        program = program_new(context, 0, NULL);
    if (program) {
        struct create_program_with_source_message message = {program->object.id,
                                                             context->object.id};

        program->source = join(count, strings, lengths);
        if (program->source) {
            struct part parts[] = {{&message, sizeof message},
                                   {program->source, strlen(program->source)}};

            status = wire_call(MESSAGE_CREATE_PROGRAM_WITH_SOURCE, parts, 2);
        } else {
            status = CL_INVALID_VALUE;
        }
    }
    set_error(errcode_ret, status);
    if (!status)
        return program;
    program_free(program);
    return NULL;
}

static cl_int send_binaries(cl_program program, const size_t *sizes, const unsigned char **binaries,
                            cl_int *statuses)
{
    struct create_program_with_binary_message message = {
        program->object.id, program->context->object.id, program->count, 0};
    uint64_t ids[MAX_DEVICES], lengths[MAX_DEVICES];
    struct part parts[3 + MAX_DEVICES] = {{&message, sizeof message},
                                          {ids, program->count * sizeof *ids},
                                          {lengths, program->count * sizeof *lengths}};
    struct content content;
    cl_int status;

    if (!program_device_ids(program->count, program->devices, ids))
        return CL_INVALID_DEVICE;
    for (cl_uint i = 0; i < program->count; i++) {
        if (!sizes[i] || !binaries[i])
            return CL_INVALID_VALUE;
        lengths[i] = sizes[i];
        parts[3 + i] = (struct part){binaries[i], sizes[i]};
    }
    status = wire_ask(MESSAGE_CREATE_PROGRAM_WITH_BINARY, parts, 3 + program->count, &content);
    if (status)
        return status;
    if (statuses && content.size == program->count * sizeof *statuses)
        memcpy(statuses, content.data, content.size);
    free(content.data);
    return CL_SUCCESS;
}

cl_program CL_API_CALL icd_clCreateProgramWithBinary(
    cl_context context, cl_uint num_devices, const cl_device_id *device_list,
    const size_t *lengths, const unsigned char **binaries, cl_int *binary_status,
    cl_int *errcode_ret)
{
    cl_program program = NULL;
    cl_int status = CL_OUT_OF_HOST_MEMORY;

    if (!object_is(context, KIND_CONTEXT))
        status = CL_INVALID_CONTEXT;
    else if (!num_devices || num_devices > MAX_DEVICES || !device_list || !lengths || !binaries)
        status = CL_INVALID_VALUE;
    else
        program = program_new(context, num_devices, device_list);
    if (program)
        status = send_binaries(program, lengths, binaries, binary_status);
    if (status == CL_INVALID_BINARY && binary_status)
        for (cl_uint i = 0; i < num_devices; i++)
            binary_status[i] = status;
    set_error(errcode_ret, status);
    if (!status)
        return program;
    program_free(program);
    return NULL;
}

cl_int CL_API_CALL icd_clRetainProgram(cl_program program)
{
    if (!object_is(program, KIND_PROGRAM))
        return CL_INVALID_PROGRAM;
    object_retain(program);
    return CL_SUCCESS;
}

cl_int CL_API_CALL icd_clReleaseProgram(cl_program program)
{
    if (!object_is(program, KIND_PROGRAM))
        return CL_INVALID_PROGRAM;
    if (object_release(program))
        program_free(program);
    return CL_SUCCESS;
}

static cl_int give_binaries(cl_program program, struct result result)
{
    struct query_message message = {QUERY_PROGRAM, CL_PROGRAM_BINARIES, program->object.id, 0};
    struct part parts[] = {{&message, sizeof message}};
    size_t sizes[MAX_DEVICES], needed = 0, at = 0;
    unsigned char **places = result.place;
    struct content content;
    cl_int status;

    if (result.size)
        *result.size = program->count * sizeof *places;
    if (!places)
        return CL_SUCCESS;
    if (result.room < program->count * sizeof *places)
        return CL_INVALID_VALUE;
    status = info_ask((struct result){sizeof sizes, sizes, &needed}, QUERY_PROGRAM,
                      CL_PROGRAM_BINARY_SIZES, program, 0);
    if (!status)
        status = wire_ask(MESSAGE_QUERY, parts, 1, &content);
    if (status)
        return status;
    for (cl_uint i = 0; i < needed / sizeof *sizes && i < program->count; i++) {
        if (sizes[i] > content.size - at)
            break; /* built anew in between */
        if (places[i])
            memcpy(places[i], content.data + at, sizes[i]);
        at += sizes[i];
    }
    free(content.data);
    return CL_SUCCESS;
}

cl_int CL_API_CALL icd_clGetProgramInfo(cl_program program, cl_program_info param_name,
                                        size_t param_value_size, void *param_value,
                                        size_t *param_value_size_ret)
{
    if (!object_is(program, KIND_PROGRAM))
        return CL_INVALID_PROGRAM;
    switch (param_name) {
    case CL_PROGRAM_REFERENCE_COUNT:
        return INFO_VALUE(cl_uint, program->object.references);
    case CL_PROGRAM_CONTEXT:
        return INFO_VALUE(cl_context, program->context);
    case CL_PROGRAM_NUM_DEVICES:
        return INFO_VALUE(cl_uint, program->count);
    case CL_PROGRAM_DEVICES:
        return info_give(INFO_RESULT, program->devices, program->count * sizeof(cl_device_id));
    case CL_PROGRAM_SOURCE:
        return info_text(INFO_RESULT, program->source ? program->source : "");
    case CL_PROGRAM_IL:
        return info_give(INFO_RESULT, NULL, 0);
    case CL_PROGRAM_SCOPE_GLOBAL_CTORS_PRESENT:
    case CL_PROGRAM_SCOPE_GLOBAL_DTORS_PRESENT:
        return INFO_VALUE(cl_bool, CL_FALSE);
    case CL_PROGRAM_BINARIES:
        return give_binaries(program, INFO_RESULT);
    }
    return info_ask(INFO_RESULT, QUERY_PROGRAM, param_name, program, 0);
}
