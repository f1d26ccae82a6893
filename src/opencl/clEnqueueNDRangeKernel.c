/* SPDX-License-Identifier: MIT */
#include "opencl/commands.h"
#include "opencl/ndrange.h"

CL_API_ENTRY cl_int CL_API_CALL clEnqueueNDRangeKernel(cl_command_queue queue, cl_kernel kernel, cl_uint dims,
						       const size_t *offset, const size_t *global, const size_t *local,
						       cl_uint nr_waits, const cl_event *waits, cl_event *event)
{
	return ndrange_enqueue(queue, kernel, CL_COMMAND_NDRANGE_KERNEL, dims, offset, global, local, nr_waits, waits,
			       event);
}
