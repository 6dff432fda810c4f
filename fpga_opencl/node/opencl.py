# SPDX-License-Identifier: Apache-2.0
"""OpenCL's functions, through cffi; loaded by a worker once it is confined."""

import typing

from cffi import FFI

ffi = FFI()
ffi.cdef("""
typedef void *H; typedef int32_t I; typedef uint32_t U; typedef uint64_t L;
I clGetPlatformIDs(U, H *, U *);
I clGetDeviceIDs(H, L, U, H *, U *);
I clGetDeviceInfo(H, U, size_t, void *, size_t *);
I clCreateSubDevices(H, intptr_t *, U, H *, U *);
I clGetProgramInfo(H, U, size_t, void *, size_t *);
I clGetProgramBuildInfo(H, H, U, size_t, void *, size_t *);
I clGetKernelInfo(H, U, size_t, void *, size_t *);
I clGetKernelWorkGroupInfo(H, H, U, size_t, void *, size_t *);
I clGetKernelArgInfo(H, U, U, size_t, void *, size_t *);
I clGetEventInfo(H, U, size_t, void *, size_t *);
I clGetEventProfilingInfo(H, U, size_t, void *, size_t *);
I clGetImageInfo(H, U, size_t, void *, size_t *);
I clGetSupportedImageFormats(H, L, U, U, void *, U *);
H clCreateContext(void *, U, H *, void *, void *, I *);
H clCreateCommandQueue(H, H, L, I *);
H clCreateBuffer(H, L, size_t, void *, I *);
H clCreateSubBuffer(H, L, U, void *, I *);
struct format { U order; U type; };
struct description { U type; size_t width, height, depth, array, row, slice; U levels, samples;
                     H buffer; };
H clCreateImage(H, L, struct format *, struct description *, void *, I *);
H clCreateSampler(H, U, U, U, I *);
H clCreateProgramWithSource(H, U, char **, size_t *, I *);
H clCreateProgramWithBinary(H, U, H *, size_t *, unsigned char **, I *, I *);
I clBuildProgram(H, U, H *, char *, void *, void *);
I clCompileProgram(H, U, H *, char *, U, H *, char **, void *, void *);
H clLinkProgram(H, U, H *, char *, U, H *, void *, void *, I *);
H clCreateKernel(H, char *, I *);
H clCloneKernel(H, I *);
I clSetKernelArg(H, U, size_t, void *);
H clCreateUserEvent(H, I *);
I clSetUserEventStatus(H, I);
I clFlush(H);
I clFinish(H);
I clWaitForEvents(U, H *);
I clEnqueueNDRangeKernel(H, H, U, size_t *, size_t *, size_t *, U, H *, H *);
I clEnqueueReadBuffer(H, H, U, size_t, size_t, void *, U, H *, H *);
I clEnqueueWriteBuffer(H, H, U, size_t, size_t, void *, U, H *, H *);
I clEnqueueCopyBuffer(H, H, H, size_t, size_t, size_t, U, H *, H *);
I clEnqueueFillBuffer(H, H, void *, size_t, size_t, size_t, U, H *, H *);
I clEnqueueMarkerWithWaitList(H, U, H *, H *);
I clEnqueueBarrierWithWaitList(H, U, H *, H *);
I clEnqueueReadBufferRect(H, H, U, size_t *, size_t *, size_t *, size_t, size_t, size_t, size_t,
                          void *, U, H *, H *);
I clEnqueueWriteBufferRect(H, H, U, size_t *, size_t *, size_t *, size_t, size_t, size_t, size_t,
                           void *, U, H *, H *);
I clEnqueueCopyBufferRect(H, H, H, size_t *, size_t *, size_t *, size_t, size_t, size_t, size_t,
                          U, H *, H *);
I clEnqueueReadImage(H, H, U, size_t *, size_t *, size_t, size_t, void *, U, H *, H *);
I clEnqueueWriteImage(H, H, U, size_t *, size_t *, size_t, size_t, void *, U, H *, H *);
I clEnqueueCopyImage(H, H, H, size_t *, size_t *, size_t *, U, H *, H *);
I clEnqueueCopyImageToBuffer(H, H, H, size_t *, size_t *, size_t, U, H *, H *);
I clEnqueueCopyBufferToImage(H, H, H, size_t, size_t *, size_t *, U, H *, H *);
I clEnqueueFillImage(H, H, void *, size_t *, size_t *, U, H *, H *);
I clEnqueueMigrateMemObjects(H, U, H *, L, U, H *, H *);
H clEnqueueMapBuffer(H, H, U, L, size_t, size_t, U, H *, H *, I *);
I clEnqueueUnmapMemObject(H, H, void *, U, H *, H *);
I clReleaseContext(H); I clReleaseCommandQueue(H); I clReleaseMemObject(H); I clReleaseSampler(H);
I clReleaseProgram(H); I clReleaseKernel(H); I clReleaseEvent(H);
I clReleaseDevice(H); I clRetainMemObject(H); I clRetainEvent(H); I clRetainSampler(H);
""")

#: A handle, a pointer, an array: cffi gives no types.
Handle = typing.Any
NULL: Handle = ffi.NULL
#: Memory that is written before it is read.
allocate = ffi.new_allocator(should_clear_after_alloc=False)


def load() -> typing.Any:
    """The host's OpenCL loader, which finds the implementations.

    :raises OSError: it is not installed
    """
    try:
        return ffi.dlopen("libOpenCL.so.1")
    except ImportError:  # cffi looks elsewhere then, with a module that a worker cannot import
        raise OSError("libOpenCL.so.1 cannot be loaded") from None
