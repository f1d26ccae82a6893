/* SPDX-License-Identifier: MIT */
/*
 * The host's OpenCL, loaded at run time: its functions, the chosen device, and what a self-test found out about it.
 * A function that an old loader lacks is NULL; those that the executor cannot do without are checked at load.
 */
#ifndef EXECUTOR_HOST_H
#define EXECUTOR_HOST_H

#define CL_TARGET_OPENCL_VERSION 300
#include <CL/cl.h>
#include <stdbool.h>
#include <stdint.h>

#include "tranche/error.h"

#define EXEC_HOST_LIBRARY "libOpenCL.so.1"

#define EXEC_HOST_FUNCTIONS(F)        \
	F(GetPlatformIDs)             \
	F(GetPlatformInfo)            \
	F(GetDeviceIDs)               \
	F(GetDeviceInfo)              \
	F(CreateContext)              \
	F(ReleaseContext)             \
	F(GetSupportedImageFormats)   \
	F(ReleaseCommandQueue)        \
	F(Flush)                      \
	F(Finish)                     \
	F(CreateBuffer)               \
	F(CreateSubBuffer)            \
	F(ReleaseMemObject)           \
	F(SetMemObjectDestructorCallback) \
	F(CreateProgramWithSource)    \
	F(CreateProgramWithBinary)    \
	F(ReleaseProgram)             \
	F(BuildProgram)               \
	F(CompileProgram)             \
	F(LinkProgram)                \
	F(GetProgramInfo)             \
	F(GetProgramBuildInfo)        \
	F(CreateKernel)               \
	F(CreateKernelsInProgram)     \
	F(ReleaseKernel)              \
	F(SetKernelArg)               \
	F(GetKernelInfo)              \
	F(GetKernelArgInfo)           \
	F(GetKernelWorkGroupInfo)     \
	F(CreateUserEvent)            \
	F(RetainEvent)                \
	F(ReleaseEvent)               \
	F(SetEventCallback)           \
	F(GetEventProfilingInfo)      \
	F(EnqueueNDRangeKernel)       \
	F(EnqueueCopyBuffer)          \
	F(EnqueueCopyBufferRect)      \
	F(EnqueueFillBuffer)          \
	F(EnqueueWriteBuffer)         \
	F(EnqueueMapBuffer)           \
	F(EnqueueUnmapMemObject)      \
	F(EnqueueMarkerWithWaitList)  \
	F(EnqueueBarrierWithWaitList)

struct exec_host {
#define F(name) __typeof__(cl##name) *name;
	EXEC_HOST_FUNCTIONS(F)
#undef F
	__typeof__(clCreateCommandQueueWithProperties) *CreateCommandQueueWithProperties; /* or the next one */
	__typeof__(cl_command_queue(*)(cl_context, cl_device_id, cl_command_queue_properties, cl_int *))
		CreateCommandQueue; /* OpenCL 1.x */
	__typeof__(clCreateProgramWithIL) *CreateProgramWithIL; /* may be NULL */
	/* Shared virtual memory; each may be NULL. */
	__typeof__(clSetKernelArgSVMPointer) *SetKernelArgSVMPointer;
	__typeof__(clSetKernelExecInfo) *SetKernelExecInfo;
	/* Images and samplers; each may be NULL. */
	__typeof__(clCreateImage) *CreateImage;
	__typeof__(clGetImageInfo) *GetImageInfo;
	__typeof__(clEnqueueCopyImageToBuffer) *EnqueueCopyImageToBuffer;
	__typeof__(clEnqueueCopyBufferToImage) *EnqueueCopyBufferToImage;
	__typeof__(cl_sampler(*)(cl_context, cl_bool, cl_addressing_mode, cl_filter_mode, cl_int *)) CreateSampler;
	__typeof__(clReleaseSampler) *ReleaseSampler;
	__typeof__(clCreateSubDevices) *CreateSubDevices; /* may be NULL */

	cl_platform_id platform;
	cl_device_id device;
	cl_device_id quick; /* runs kernels on the calling thread, else like device; or NULL (quick.h) */
	struct exec_subdevice *_Atomic subdevices; /* made so far (subdevice.c) */
	uint32_t identity; /* of platform and device, by names and version; not 0 */
	bool is_cpu;
	bool coherent;	  /* buffers are used in place (self-test) */
	cl_context spare; /* made by the self-test; the first context takes it */
};

#define EXEC_MAX_DEVICES 256

struct exec_host_device {
	cl_platform_id platform;
	cl_device_id device;
};

/* All devices of all platforms, in the order of their numbers. */
struct exec_host_list {
	cl_uint nr, nr_platforms;
	struct exec_host_device list[EXEC_MAX_DEVICES];
	struct exec_host_device quick; /* found beside them; or NULLs */
};

/* Loads the host's OpenCL and lists its devices.  The numbers are those of exec_host_load() with the same wants_quick.
 * Return: 0 or -errno with a sentence; -ENOENT: there is no loader. */
int exec_host_list(struct exec_host *h, bool wants_quick, struct exec_host_list *ret, struct trn_error *err);

/* Loads the host's OpenCL and picks device number index over all platforms, and if that is wanted its quick one, which
 * has no number. Return: 0 or -errno with a sentence. */
int exec_host_load(struct exec_host *h, uint32_t index, bool wants_quick, struct trn_error *err);

/* Makes the spare context and finds out whether buffers are used in place. */
int exec_host_self_test(struct exec_host *h, struct trn_error *err);

/* Can kernels of the host take pointers into the window, if it stands where its client has it? */
bool exec_host_has_svm(const struct exec_host *h);

/* A context of the chosen device. */
cl_context exec_host_create_context(struct exec_host *h, cl_int *ret_err);

/* A context and an in-order queue of the quick device. */
cl_context exec_host_create_quick_context(struct exec_host *h, cl_int *ret_err);
cl_command_queue exec_host_create_quick_queue(struct exec_host *h, cl_context context, cl_int *ret_err);

/* A queue with the properties that the wire carries. */
cl_command_queue exec_host_create_queue(struct exec_host *h, cl_context context, cl_command_queue_properties properties,
					cl_int *ret_err);

#endif
