/* SPDX-License-Identifier: MIT */
#include "opencl/objects.h" /* first: it picks the OpenCL version of the headers */

#include <CL/cl_gl.h>

/* No device shares with OpenGL, and as the host's driver says: that is an answer, of no length. */
CL_API_ENTRY cl_int CL_API_CALL clGetGLContextInfoKHR(const cl_context_properties *properties,
						      cl_gl_context_info param_name, size_t param_value_size,
						      void *param_value, size_t *param_value_size_ret)
{
	if (!properties)
		return CL_INVALID_OPERATION;
	if (param_name != CL_DEVICES_FOR_GL_CONTEXT_KHR && param_name != CL_CURRENT_DEVICE_FOR_GL_CONTEXT_KHR)
		return CL_INVALID_VALUE;
	if (param_value_size_ret)
		*param_value_size_ret = 0;
	return CL_SUCCESS;
}
