/* SPDX-License-Identifier: MIT */
#include "opencl/objects.h" /* first: it picks the OpenCL version of the headers */

#include <CL/cl_gl.h>

/* Nothing is shared with OpenGL; as the host's driver without it, which looks at nothing. */
CL_API_ENTRY cl_int CL_API_CALL clEnqueueReleaseGLObjects(cl_command_queue command_queue, cl_uint num_objects,
							  const cl_mem *mem_objects, cl_uint num_events_in_wait_list,
							  const cl_event *event_wait_list, cl_event *event)
{
	return CL_INVALID_CONTEXT;
}
