/* SPDX-License-Identifier: Apache-2.0 */
/* How all clGet...Info functions give their value. */
#ifndef FPGA_OPENCL_INFO_H
#define FPGA_OPENCL_INFO_H

#include "objects.h"

struct result {
    size_t room;
    void *place;
    size_t *size;
};

cl_int info_give(struct result result, const void *value, size_t size);
cl_int info_text(struct result result, const char *text);
/* What the worker says of an object. */
cl_int info_ask(struct result result, uint32_t query, uint32_t parameter, const void *object,
                uint64_t second);

#define INFO_RESULT ((struct result){param_value_size, param_value, param_value_size_ret})
#define INFO_VALUE(type, value) info_give(INFO_RESULT, &(type){(value)}, sizeof(type))

#endif
