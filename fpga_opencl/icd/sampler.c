/* SPDX-License-Identifier: Apache-2.0 */
#include "api.h"
#include "info.h"
#include "wire.h"

cl_sampler CL_API_CALL icd_clCreateSampler(cl_context context, cl_bool normalized_coords,
                                           cl_addressing_mode addressing_mode,
                                           cl_filter_mode filter_mode, cl_int *errcode_ret)
{
    cl_sampler sampler = NULL;
    cl_int status = CL_INVALID_CONTEXT;

    if (object_is(context, KIND_CONTEXT)) {
        sampler = object_new(KIND_SAMPLER, sizeof *sampler);
        status = CL_OUT_OF_HOST_MEMORY;
    }
    if (sampler) {
        struct create_sampler_message message = {
            sampler->object.id, context->object.id, normalized_coords, addressing_mode,
            filter_mode, 0};
        struct part parts[] = {{&message, sizeof message}};

        status = wire_call(MESSAGE_CREATE_SAMPLER, parts, 1);
    }
    set_error(errcode_ret, status);
    if (status) {
        object_forget(sampler);
        return NULL;
    }
    sampler->context = context;
    sampler->normalized = normalized_coords;
    sampler->addressing = addressing_mode;
    sampler->filter = filter_mode;
    object_retain(context);
    return sampler;
}

cl_sampler CL_API_CALL icd_clCreateSamplerWithProperties(cl_context context,
                                                         const cl_sampler_properties *properties,
                                                         cl_int *errcode_ret)
{
    cl_bool normalized = CL_TRUE;
    cl_addressing_mode addressing = CL_ADDRESS_CLAMP;
    cl_filter_mode filter = CL_FILTER_NEAREST;

    for (; properties && *properties; properties += 2) {
        switch (*properties) {
        case CL_SAMPLER_NORMALIZED_COORDS:
            normalized = (cl_bool)properties[1];
            break;
        case CL_SAMPLER_ADDRESSING_MODE:
            addressing = (cl_addressing_mode)properties[1];
            break;
        case CL_SAMPLER_FILTER_MODE:
            filter = (cl_filter_mode)properties[1];
            break;
        default:
            set_error(errcode_ret, CL_INVALID_VALUE);
            return NULL;
        }
    }
    return icd_clCreateSampler(context, normalized, addressing, filter, errcode_ret);
}

cl_int CL_API_CALL icd_clRetainSampler(cl_sampler sampler)
{
    if (!object_is(sampler, KIND_SAMPLER))
        return CL_INVALID_SAMPLER;
    object_retain(sampler);
    return CL_SUCCESS;
}

cl_int CL_API_CALL icd_clReleaseSampler(cl_sampler sampler)
{
    if (!object_is(sampler, KIND_SAMPLER))
        return CL_INVALID_SAMPLER;
    if (object_release(sampler)) {
        icd_clReleaseContext(sampler->context);
        object_forget(sampler);
    }
    return CL_SUCCESS;
}

cl_int CL_API_CALL icd_clGetSamplerInfo(cl_sampler sampler, cl_sampler_info param_name,
                                        size_t param_value_size, void *param_value,
                                        size_t *param_value_size_ret)
{
    if (!object_is(sampler, KIND_SAMPLER))
        return CL_INVALID_SAMPLER;
    switch (param_name) {
    case CL_SAMPLER_REFERENCE_COUNT:
        return INFO_VALUE(cl_uint, sampler->object.references);
    case CL_SAMPLER_CONTEXT:
        return INFO_VALUE(cl_context, sampler->context);
    case CL_SAMPLER_NORMALIZED_COORDS:
        return INFO_VALUE(cl_bool, sampler->normalized);
    case CL_SAMPLER_ADDRESSING_MODE:
        return INFO_VALUE(cl_addressing_mode, sampler->addressing);
    case CL_SAMPLER_FILTER_MODE:
        return INFO_VALUE(cl_filter_mode, sampler->filter);
    case CL_SAMPLER_PROPERTIES:
        return info_give(INFO_RESULT, NULL, 0);
    }
    return CL_INVALID_VALUE;
}
