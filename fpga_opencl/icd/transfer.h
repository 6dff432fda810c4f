/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and writing parts of buffers, for the functions of that name and for mapping. */
#ifndef FPGA_OPENCL_TRANSFER_H
#define FPGA_OPENCL_TRANSFER_H

#include "command.h"

struct transfer {
    cl_command_type type;
    bool blocking;
    size_t offset, size;
    void *place;
};

cl_int transfer_read(cl_command_queue queue, cl_mem memory, const struct transfer *transfer,
                     cl_uint count, const cl_event *list, cl_event *event);
cl_int transfer_write(cl_command_queue queue, cl_mem memory, const struct transfer *transfer,
                      cl_uint count, const cl_event *list, cl_event *event);
/* CL_SUCCESS for a buffer that a queue may use. */
cl_int transfer_check(cl_command_queue queue, cl_mem memory);

#endif
