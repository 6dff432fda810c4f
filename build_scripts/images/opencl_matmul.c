/* SPDX-License-Identifier: Apache-2.0 */
/* Multiplies two square matrices of floats on the first device of OpenCL: opencl-matmul N
 *
 * Standard input has both, row by row; standard output gets the product. */

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <stdio.h>
#include <stdlib.h>

static const char *source =
    "kernel void multiply(global const float *a, global const float *b, global float *c) {"
    "    size_t n = get_global_size(0), row = get_global_id(0), column = get_global_id(1);"
    "    float sum = 0;"
    "    for (size_t i = 0; i < n; i++) sum += a[row * n + i] * b[i * n + column];"
    "    c[row * n + column] = sum;"
    "}";

static void check(cl_int code, const char *what) {
    if (code != CL_SUCCESS) {
        fprintf(stderr, "Error: %s - code %d\n", what, code);
        exit(1);
    }
}

int main(int count, char **words) {
    size_t n = count == 2 ? strtoul(words[1], NULL, 10) : 0;
    if (n < 1 || n > 4096) {
        fprintf(stderr, "usage: opencl-matmul N, with N from 1 to 4096\n");
        return 2;
    }
    size_t size = n * n * sizeof(float), sizes[] = {n, n};
    float *memory = malloc(2 * size);
    if (!memory || fread(memory, size, 2, stdin) != 2) {
        fprintf(stderr, "Error: two matrices are not there\n");
        return 1;
    }
    cl_platform_id platform;
    cl_device_id device;
    cl_int code;
    check(clGetPlatformIDs(1, &platform, NULL), "no platform");
    check(clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &device, NULL), "no device");
    cl_context context = clCreateContext(NULL, 1, &device, NULL, NULL, &code);
    check(code, "clCreateContext");
    cl_command_queue queue = clCreateCommandQueue(context, device, 0, &code);
    check(code, "clCreateCommandQueue");
    cl_program program = clCreateProgramWithSource(context, 1, &source, NULL, &code);
    check(code, "clCreateProgramWithSource");
    check(clBuildProgram(program, 1, &device, "", NULL, NULL), "clBuildProgram");
    cl_kernel kernel = clCreateKernel(program, "multiply", &code);
    check(code, "clCreateKernel");
    for (cl_uint i = 0; i < 3; i++) {
        cl_mem_flags flags = i < 2 ? CL_MEM_READ_ONLY | CL_MEM_COPY_HOST_PTR : CL_MEM_WRITE_ONLY;
        void *content = i < 2 ? (char *)memory + i * size : NULL;
        cl_mem buffer = clCreateBuffer(context, flags, size, content, &code);
        check(code, "clCreateBuffer");
        check(clSetKernelArg(kernel, i, sizeof buffer, &buffer), "clSetKernelArg");
        if (i < 2)
            continue;
        code = clEnqueueNDRangeKernel(queue, kernel, 2, NULL, sizes, NULL, 0, NULL, NULL);
        check(code, "clEnqueueNDRangeKernel");
        code = clEnqueueReadBuffer(queue, buffer, CL_TRUE, 0, size, memory, 0, NULL, NULL);
        check(code, "clEnqueueReadBuffer");
    }
    return fwrite(memory, size, 1, stdout) != 1;
}
