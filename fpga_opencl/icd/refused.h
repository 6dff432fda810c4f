/* SPDX-License-Identifier: Apache-2.0 */
/* What is not served: each function fails with CL_INVALID_OPERATION. */
#ifndef FPGA_OPENCL_REFUSED_H
#define FPGA_OPENCL_REFUSED_H

#include "objects.h"

/* Without prototypes, so that they stand for functions of any parameters; they look at none. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wstrict-prototypes"
cl_int CL_API_CALL refuse();
void *CL_API_CALL refuse_memory();
void CL_API_CALL refuse_silently();
#pragma GCC diagnostic pop

/* Those that give an error where the program wants it. */
cl_mem CL_API_CALL refuse_gl_buffer(cl_context context, cl_mem_flags flags, cl_GLuint object,
                                    int *errcode_ret);
cl_mem CL_API_CALL refuse_gl_texture(cl_context context, cl_mem_flags flags, cl_GLenum target,
                                     cl_GLint level, cl_GLuint texture, cl_int *errcode_ret);
cl_event CL_API_CALL refuse_gl_sync(cl_context context, cl_GLsync sync, cl_int *errcode_ret);
cl_mem CL_API_CALL refuse_egl_image(cl_context context, CLeglDisplayKHR display,
                                    CLeglImageKHR image, cl_mem_flags flags,
                                    const cl_egl_image_properties_khr *properties,
                                    cl_int *errcode_ret);
cl_event CL_API_CALL refuse_egl_sync(cl_context context, CLeglSyncKHR sync,
                                     CLeglDisplayKHR display, cl_int *errcode_ret);
cl_mem CL_API_CALL refuse_pipe(cl_context context, cl_mem_flags flags, cl_uint size, cl_uint count,
                               const cl_pipe_properties *properties, cl_int *errcode_ret);
cl_program CL_API_CALL refuse_built_in(cl_context context, cl_uint count,
                                       const cl_device_id *devices, const char *names,
                                       cl_int *errcode_ret);
cl_program CL_API_CALL refuse_il(cl_context context, const void *il, size_t size,
                                 cl_int *errcode_ret);

#endif
