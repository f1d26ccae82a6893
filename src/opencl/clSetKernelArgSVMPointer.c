/* SPDX-License-Identifier: MIT */
#include "opencl/kernel.h"
#include "opencl/svm.h"

/*
 * Any pointer is taken, as natively.  One to memory that the host does not see is refused at the launch: what the
 * specification says of system pointers on a device without fine-grained sharing of the system's memory.
 */
CL_API_ENTRY cl_int CL_API_CALL clSetKernelArgSVMPointer(cl_kernel kernel, cl_uint arg_index, const void *arg_value)
{
	cl_context ctx;

	if (!IS_KERNEL(kernel))
		return CL_INVALID_KERNEL;
	ctx = kernel->program->context;
	if (!ctx->svm)
		return CL_INVALID_OPERATION;
	return kernel_arg_set_svm(kernel, arg_index, arg_value,
				  arg_value && !client_context_has_address(ctx->client, arg_value));
}
