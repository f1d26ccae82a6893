/* SPDX-License-Identifier: MIT */
#include "opencl/device.h"
#include "opencl/svm.h"

#define ACCESS_FLAGS (CL_MEM_READ_WRITE | CL_MEM_WRITE_ONLY | CL_MEM_READ_ONLY)

/* As PoCL, which takes unknown bits. */
static bool are_flags_right(cl_device_svm_capabilities caps, cl_svm_mem_flags flags)
{
	cl_svm_mem_flags access = flags & ACCESS_FLAGS;

	if (access & (access - 1))
		return false;
	if (flags & CL_MEM_SVM_ATOMICS && !(flags & CL_MEM_SVM_FINE_GRAIN_BUFFER))
		return false;
	if (flags & CL_MEM_SVM_FINE_GRAIN_BUFFER && !(caps & CL_DEVICE_SVM_FINE_GRAIN_BUFFER))
		return false;
	return !(flags & CL_MEM_SVM_ATOMICS) || caps & CL_DEVICE_SVM_ATOMICS;
}

CL_API_ENTRY void *CL_API_CALL clSVMAlloc(cl_context context, cl_svm_mem_flags flags, size_t size, cl_uint alignment)
{
	if (!IS_CONTEXT(context) || !context->svm)
		return NULL;
	if (!size || size > context->device->limits.max_alloc)
		return NULL;
	if (!are_flags_right(svm_capabilities(context->device), flags))
		return NULL;
	/* What is allowed, all memory has: 128 bytes in PoCL. */
	if (alignment & (alignment - 1) ||
	    alignment > device_host_u64(context->device, CL_DEVICE_MIN_DATA_TYPE_ALIGN_SIZE))
		return NULL;
	return svm_alloc(context, size, flags & CL_MEM_SVM_FINE_GRAIN_BUFFER);
}
