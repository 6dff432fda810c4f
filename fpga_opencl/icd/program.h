/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FPGA_OPENCL_PROGRAM_H
#define FPGA_OPENCL_PROGRAM_H

#include "objects.h"

/* A program of devices, or of all of its context's without a list, that the worker has not yet. */
cl_program program_new(cl_context context, cl_uint count, const cl_device_id *devices);
void program_free(cl_program program);
/* The ids of devices; whether all are devices. */
bool program_device_ids(cl_uint count, const cl_device_id *devices, uint64_t *ids);

#endif
