/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FPGA_OPENCL_MEMORY_H
#define FPGA_OPENCL_MEMORY_H

#include "objects.h"

cl_int memory_check_flags(cl_mem_flags flags, const void *host);
/* A memory object that the worker does not have yet. */
cl_mem memory_new(cl_context context, cl_mem_object_type type, cl_mem_flags flags, void *host);
/* It, if the worker has it; else NULL. */
cl_mem memory_done(cl_mem memory, cl_int status, cl_int *errcode_ret);
/* Whether a buffer has a part. */
cl_int memory_part(cl_mem memory, size_t offset, size_t size);

#endif
