/* SPDX-License-Identifier: Apache-2.0 */
/* Building, compiling and linking. The worker does it at once, so callbacks come before the return.
 */
#include "api.h"
#include "includes.h"
#include "info.h"
#include "program.h"
#include "wire.h"

enum { MAX_INPUTS = 1024 };

static bool remember(cl_program program, const char *options)
{
    free(program->options);
    program->options = strdup(options ? options : "");
    return program->options;
}

/* Where the program's own headers are in the source, the worker gets another program. */
static cl_int resolve_headers(cl_program program, const char *options)
{
    struct create_program_with_source_message message = {object_next_id(),
                                                         program->context->object.id};
    struct release_message old = {KIND_PROGRAM, 0, program->object.id};
    char *source = program->source ? includes_expand(program->source, options) : NULL;
    struct part parts[] = {{&message, sizeof message}, {source, source ? strlen(source) : 0}};
    struct part release[] = {{&old, sizeof old}};
    cl_int status;

    if (!source)
        return CL_SUCCESS;
    status = wire_call(MESSAGE_CREATE_PROGRAM_WITH_SOURCE, parts, 2);
    free(source);
    if (status)
        return status;
    program->object.id = message.program;
    return wire_post(MESSAGE_RELEASE, release, 1);
}

static cl_int prepare(cl_program program, const char *options)
{
    return remember(program, options) ? resolve_headers(program, options) : CL_OUT_OF_HOST_MEMORY;
}

static cl_int check(cl_program program, cl_uint count, const cl_device_id *devices,
                    bool callback, const void *data, uint64_t *ids)
{
    if (!object_is(program, KIND_PROGRAM))
        return CL_INVALID_PROGRAM;
    if (!count != !devices || count > MAX_DEVICES || (data && !callback))
        return CL_INVALID_VALUE;
    return program_device_ids(count, devices, ids) ? CL_SUCCESS : CL_INVALID_DEVICE;
}

cl_int CL_API_CALL icd_clBuildProgram(cl_program program, cl_uint num_devices,
                                      const cl_device_id *device_list, const char *options,
                                      void(CL_CALLBACK *pfn_notify)(cl_program, void *),
                                      void *user_data)
{
    struct build_program_message message = {object_id(program), num_devices, 0};
    uint64_t ids[MAX_DEVICES];
    struct part parts[] = {{&message, sizeof message},
                           {ids, num_devices * sizeof *ids},
                           {options, options ? strlen(options) : 0}};
    cl_int status = check(program, num_devices, device_list, pfn_notify, user_data, ids);

    if (status)
        return status;
    status = prepare(program, options);
    message.program = program->object.id;
    if (!status)
        status = wire_call(MESSAGE_BUILD_PROGRAM, parts, 3);
    if (pfn_notify)
        pfn_notify(program, user_data);
    return status;
}

static cl_int collect(cl_uint count, const cl_program *programs, uint64_t *ids)
{
    if (count > MAX_INPUTS)
        return CL_OUT_OF_HOST_MEMORY;
    for (cl_uint i = 0; i < count; i++) {
        if (!object_is(programs[i], KIND_PROGRAM))
            return CL_INVALID_PROGRAM;
        ids[i] = programs[i]->object.id;
    }
    return CL_SUCCESS;
}

static cl_int compile(cl_program program, struct part devices, const char *options,
                      cl_uint count, const cl_program *headers, const char **names)
{
    struct compile_program_message message = {
        program->object.id, (cl_uint)(devices.size / sizeof(uint64_t)), count,
        options ? (uint32_t)strlen(options) : 0, 0};
    uint64_t ids[MAX_INPUTS];
    struct part parts[4 + MAX_INPUTS] = {{&message, sizeof message},
                                         devices,
                                         {ids, count * sizeof *ids},
                                         {options, message.size}};
    cl_int status = collect(count, headers, ids);

    for (cl_uint i = 0; !status && i < count; i++) {
        if (!names[i])
            return CL_INVALID_VALUE;
        parts[4 + i] = (struct part){names[i], strlen(names[i]) + 1};
    }
    return status ? status : wire_call(MESSAGE_COMPILE_PROGRAM, parts, 4 + count);
}

cl_int CL_API_CALL icd_clCompileProgram(cl_program program, cl_uint num_devices,
                                        const cl_device_id *device_list, const char *options,
                                        cl_uint num_input_headers,
                                        const cl_program *input_headers,
                                        const char **header_include_names,
                                        void(CL_CALLBACK *pfn_notify)(cl_program, void *),
                                        void *user_data)
{
    uint64_t ids[MAX_DEVICES];
    cl_int status = check(program, num_devices, device_list, pfn_notify, user_data, ids);

    if (status)
        return status;
    if (!num_input_headers != !input_headers || !num_input_headers != !header_include_names)
        return CL_INVALID_VALUE;
    status = prepare(program, options);
    if (!status)
        status = compile(program, (struct part){ids, num_devices * sizeof *ids}, options,
                         num_input_headers, input_headers, header_include_names);
    if (pfn_notify)
        pfn_notify(program, user_data);
    return status;
}

static cl_int link(cl_program program, struct part devices, const char *options, cl_uint count,
                   const cl_program *inputs)
{
    struct link_program_message message = {program->object.id, program->context->object.id,
                                           (cl_uint)(devices.size / sizeof(uint64_t)), count};
    uint64_t ids[MAX_INPUTS];
    struct part parts[] = {{&message, sizeof message},
                           devices,
                           {ids, count * sizeof *ids},
                           {options, options ? strlen(options) : 0}};
    cl_int status = collect(count, inputs, ids);

    return status ? status : wire_call(MESSAGE_LINK_PROGRAM, parts, 4);
}

cl_program CL_API_CALL icd_clLinkProgram(cl_context context, cl_uint num_devices,
                                         const cl_device_id *device_list, const char *options,
                                         cl_uint num_input_programs,
                                         const cl_program *input_programs,
                                         void(CL_CALLBACK *pfn_notify)(cl_program, void *),
                                         void *user_data, cl_int *errcode_ret)
{
    uint64_t ids[MAX_DEVICES];
    cl_program program = NULL;
    cl_int status = CL_OUT_OF_HOST_MEMORY;

    if (!object_is(context, KIND_CONTEXT))
        status = CL_INVALID_CONTEXT;
    else if (!num_devices != !device_list || num_devices > MAX_DEVICES ||
             (user_data && !pfn_notify) || !num_input_programs || !input_programs)
        status = CL_INVALID_VALUE;
    else if (!program_device_ids(num_devices, device_list, ids))
        status = CL_INVALID_DEVICE;
    else
        program = program_new(context, num_devices, device_list);
    if (program && remember(program, options))
        status = link(program, (struct part){ids, num_devices * sizeof *ids}, options,
                      num_input_programs, input_programs);
    set_error(errcode_ret, status);
    if (status) {
        program_free(program);
        program = NULL;
    }
    if (pfn_notify && program)
        pfn_notify(program, user_data);
    return program;
}

cl_int CL_API_CALL icd_clGetProgramBuildInfo(cl_program program, cl_device_id device,
                                             cl_program_build_info param_name,
                                             size_t param_value_size, void *param_value,
                                             size_t *param_value_size_ret)
{
    if (!object_is(program, KIND_PROGRAM))
        return CL_INVALID_PROGRAM;
    if (!object_is(device, KIND_DEVICE))
        return CL_INVALID_DEVICE;
    if (param_name == CL_PROGRAM_BUILD_OPTIONS)
        return info_text(INFO_RESULT, program->options ? program->options : "");
    return info_ask(INFO_RESULT, QUERY_BUILD, param_name, program, device->object.id);
}
