/* SPDX-License-Identifier: Apache-2.0 */
/* Functions that are called when an object ends, the last one first. */
#ifndef FPGA_OPENCL_CALLBACKS_H
#define FPGA_OPENCL_CALLBACKS_H

#include "objects.h"

typedef void(CL_CALLBACK *callback_function)(void *object, void *data);

cl_int callbacks_add(struct callback **list, callback_function function, void *data);
/* Call them and forget them. */
void callbacks_run(struct callback *list, void *object);

#endif
