/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and writing images, for the functions of that name and for mapping. */
#ifndef FPGA_OPENCL_BOX_H
#define FPGA_OPENCL_BOX_H

#include "command.h"

struct picture {
    cl_command_type type;
    bool blocking;
    const size_t *origin, *region;
    size_t row_pitch, slice_pitch;
    void *place;
};

cl_int box_check_image(cl_command_queue queue, cl_mem image);
cl_int box_read_image(cl_command_queue queue, cl_mem image, const struct picture *picture,
                      cl_uint count, const cl_event *list, cl_event *event);
cl_int box_write_image(cl_command_queue queue, cl_mem image, const struct picture *picture,
                       cl_uint count, const cl_event *list, cl_event *event);

#endif
