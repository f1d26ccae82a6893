/* SPDX-License-Identifier: MIT */
#include "opencl/ndrange.h"

CL_API_ENTRY cl_int CL_API_CALL clEnqueueTask(cl_command_queue queue, cl_kernel kernel, cl_uint nr_waits,
					      const cl_event *waits, cl_event *event)
{
	const size_t one = 1;

	return ndrange_enqueue(queue, kernel, CL_COMMAND_TASK, 1, NULL, &one, &one, nr_waits, waits, event);
}
