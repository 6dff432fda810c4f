/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of OpenCL that are served, by the files that have them. */
#ifndef FPGA_OPENCL_API_H
#define FPGA_OPENCL_API_H

#include "objects.h"

#define SERVED(name) extern __typeof__(*(cl_api_##name)0) icd_##name

/* platform.c */
SERVED(clGetPlatformIDs);
SERVED(clGetPlatformInfo);
SERVED(clGetExtensionFunctionAddress);
SERVED(clGetExtensionFunctionAddressForPlatform);
SERVED(clUnloadCompiler);
SERVED(clUnloadPlatformCompiler);
/* device.c */
SERVED(clGetDeviceIDs);
SERVED(clGetDeviceInfo);
SERVED(clRetainDevice);
SERVED(clReleaseDevice);
SERVED(clCreateSubDevices);
/* context.c */
SERVED(clCreateContext);
SERVED(clCreateContextFromType);
SERVED(clRetainContext);
SERVED(clReleaseContext);
SERVED(clGetContextInfo);
SERVED(clSetContextDestructorCallback);
/* queue.c */
SERVED(clCreateCommandQueue);
SERVED(clCreateCommandQueueWithProperties);
SERVED(clRetainCommandQueue);
SERVED(clReleaseCommandQueue);
SERVED(clGetCommandQueueInfo);
SERVED(clFlush);
SERVED(clFinish);
/* memory.c */
SERVED(clCreateBuffer);
SERVED(clCreateBufferWithProperties);
SERVED(clCreateSubBuffer);
SERVED(clRetainMemObject);
SERVED(clReleaseMemObject);
SERVED(clGetMemObjectInfo);
SERVED(clSetMemObjectDestructorCallback);
/* image.c */
SERVED(clCreateImage);
SERVED(clCreateImageWithProperties);
SERVED(clCreateImage2D);
SERVED(clCreateImage3D);
SERVED(clGetSupportedImageFormats);
SERVED(clGetImageInfo);
/* sampler.c */
SERVED(clCreateSampler);
SERVED(clCreateSamplerWithProperties);
SERVED(clRetainSampler);
SERVED(clReleaseSampler);
SERVED(clGetSamplerInfo);
/* program.c */
SERVED(clCreateProgramWithSource);
SERVED(clCreateProgramWithBinary);
SERVED(clRetainProgram);
SERVED(clReleaseProgram);
SERVED(clGetProgramInfo);
/* build.c */
SERVED(clBuildProgram);
SERVED(clCompileProgram);
SERVED(clLinkProgram);
SERVED(clGetProgramBuildInfo);
/* kernel.c */
SERVED(clCreateKernel);
SERVED(clCreateKernelsInProgram);
SERVED(clCloneKernel);
SERVED(clRetainKernel);
SERVED(clReleaseKernel);
SERVED(clSetKernelArg);
SERVED(clGetKernelInfo);
SERVED(clGetKernelWorkGroupInfo);
SERVED(clGetKernelArgInfo);
/* event.c */
SERVED(clWaitForEvents);
SERVED(clGetEventInfo);
SERVED(clGetEventProfilingInfo);
SERVED(clRetainEvent);
SERVED(clReleaseEvent);
SERVED(clCreateUserEvent);
SERVED(clSetUserEventStatus);
SERVED(clSetEventCallback);
/* launch.c */
SERVED(clEnqueueNDRangeKernel);
SERVED(clEnqueueTask);
SERVED(clEnqueueMarkerWithWaitList);
SERVED(clEnqueueBarrierWithWaitList);
SERVED(clEnqueueMarker);
SERVED(clEnqueueBarrier);
SERVED(clEnqueueWaitForEvents);
SERVED(clEnqueueMigrateMemObjects);
/* transfer.c */
SERVED(clEnqueueReadBuffer);
SERVED(clEnqueueWriteBuffer);
SERVED(clEnqueueCopyBuffer);
SERVED(clEnqueueFillBuffer);
/* box.c */
SERVED(clEnqueueReadBufferRect);
SERVED(clEnqueueWriteBufferRect);
SERVED(clEnqueueCopyBufferRect);
SERVED(clEnqueueReadImage);
SERVED(clEnqueueWriteImage);
/* picture.c */
SERVED(clEnqueueCopyImage);
SERVED(clEnqueueCopyImageToBuffer);
SERVED(clEnqueueCopyBufferToImage);
SERVED(clEnqueueFillImage);
/* map.c */
SERVED(clEnqueueMapBuffer);
SERVED(clEnqueueMapImage);
SERVED(clEnqueueUnmapMemObject);

extern struct _cl_platform_id the_platform;

#endif
