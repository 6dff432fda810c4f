/* SPDX-License-Identifier: Apache-2.0 */
/* The platform, and the three functions that the loader finds by name. */
#include "api.h"
#include "info.h"
#include "wire.h"

#define EXPORTED __attribute__((visibility("default")))

struct _cl_platform_id the_platform = {.object = {.dispatch = &dispatch_table}};

cl_int CL_API_CALL icd_clGetPlatformIDs(cl_uint num_entries, cl_platform_id *platforms,
                                        cl_uint *num_platforms)
{
    bool served = wire_connect();

    if ((platforms && !num_entries) || (!platforms && !num_platforms))
        return CL_INVALID_VALUE;
    if (num_platforms)
        *num_platforms = served;
    if (!served)
        return CL_PLATFORM_NOT_FOUND_KHR;
    if (platforms)
        platforms[0] = &the_platform;
    return CL_SUCCESS;
}

cl_int CL_API_CALL icd_clGetPlatformInfo(cl_platform_id platform, cl_platform_info param_name,
                                         size_t param_value_size, void *param_value,
                                         size_t *param_value_size_ret)
{
    cl_name_version extension = {CL_MAKE_VERSION(1, 0, 0), "cl_khr_icd"};

    if (platform && platform != &the_platform)
        return CL_INVALID_PLATFORM;
    switch (param_name) {
    case CL_PLATFORM_PROFILE:
        return info_text(INFO_RESULT, "FULL_PROFILE");
    case CL_PLATFORM_VERSION:
        return info_text(INFO_RESULT, "OpenCL 3.0 fpga-nova");
    case CL_PLATFORM_NAME:
        return info_text(INFO_RESULT, "fpga-nova");
    case CL_PLATFORM_VENDOR:
        return info_text(INFO_RESULT, "fpga-nova contributors");
    case CL_PLATFORM_EXTENSIONS:
        return info_text(INFO_RESULT, "cl_khr_icd");
    case CL_PLATFORM_ICD_SUFFIX_KHR:
        return info_text(INFO_RESULT, "FPGANOVA");
    case CL_PLATFORM_NUMERIC_VERSION:
        return INFO_VALUE(cl_version, CL_MAKE_VERSION(3, 0, 0));
    case CL_PLATFORM_EXTENSIONS_WITH_VERSION:
        return info_give(INFO_RESULT, &extension, sizeof extension);
    case CL_PLATFORM_HOST_TIMER_RESOLUTION:
        return INFO_VALUE(cl_ulong, 0);
    }
    return CL_INVALID_VALUE;
}

cl_int CL_API_CALL icd_clUnloadCompiler(void)
{
    return CL_SUCCESS;
}

cl_int CL_API_CALL icd_clUnloadPlatformCompiler(cl_platform_id platform)
{
    return platform == &the_platform ? CL_SUCCESS : CL_INVALID_PLATFORM;
}

EXPORTED cl_int CL_API_CALL clIcdGetPlatformIDsKHR(cl_uint num_entries, cl_platform_id *platforms,
                                                   cl_uint *num_platforms)
{
    return icd_clGetPlatformIDs(num_entries, platforms, num_platforms);
}

EXPORTED cl_int CL_API_CALL clGetPlatformInfo(cl_platform_id platform, cl_platform_info param_name,
                                              size_t param_value_size, void *param_value,
                                              size_t *param_value_size_ret)
{
    return icd_clGetPlatformInfo(platform, param_name, param_value_size, param_value,
                                 param_value_size_ret);
}

void *CL_API_CALL icd_clGetExtensionFunctionAddress(const char *name)
{
    union {
        cl_int(CL_API_CALL *list)(cl_uint, cl_platform_id *, cl_uint *);
        cl_int(CL_API_CALL *info)(cl_platform_id, cl_platform_info, size_t, void *, size_t *);
        void *address;
    } function = {.address = NULL};

    if (name && !strcmp(name, "clIcdGetPlatformIDsKHR"))
        function.list = clIcdGetPlatformIDsKHR;
    else if (name && !strcmp(name, "clGetPlatformInfo"))
        function.info = clGetPlatformInfo;
    return function.address;
}

void *CL_API_CALL icd_clGetExtensionFunctionAddressForPlatform(cl_platform_id platform,
                                                               const char *name)
{
    (void)platform;
    return icd_clGetExtensionFunctionAddress(name);
}

EXPORTED void *CL_API_CALL clGetExtensionFunctionAddress(const char *name)
{
    return icd_clGetExtensionFunctionAddress(name);
}
