/* SPDX-License-Identifier: Apache-2.0 */
/* Headers in the program's own files. A worker sees none of these, so they are put in the place of
 * the lines that include them. */
#ifndef FPGA_OPENCL_INCLUDES_H
#define FPGA_OPENCL_INCLUDES_H

/* The source with the headers that the working directory and the folders of the options (-I) have,
 * to be freed; NULL if there is nothing to put in place. */
char *includes_expand(const char *source, const char *options);

#endif
