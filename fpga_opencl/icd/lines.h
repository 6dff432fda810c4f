/* SPDX-License-Identifier: Apache-2.0 */
/* What the lines of a source say to its preprocessor. */
#ifndef FPGA_OPENCL_LINES_H
#define FPGA_OPENCL_LINES_H

#include <stdbool.h>
#include <stddef.h>

/* The name in a line that includes a file: its start and its length, or NULL. */
const char *line_includes(const char *line, size_t *size, bool *quoted);

/* Whether a line says that its file is to be included once. */
bool line_says_once(const char *line);

/* Whether a comment is open at the end of a line. */
bool line_leaves_comment(const char *line, size_t size, bool open);

/* Whether a file says that it is to be included once. */
bool text_says_once(const char *text);

#endif
