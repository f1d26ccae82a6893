/* SPDX-License-Identifier: MIT */
#include "opencl/objects.h" /* first: it picks the OpenCL version of the headers */

#include <CL/cl_gl.h>

/* Nothing is shared with OpenGL. */
CL_API_ENTRY cl_mem CL_API_CALL clCreateFromGLTexture3D(cl_context context, cl_mem_flags flags, cl_GLenum target,
							cl_GLint miplevel, cl_GLuint texture, cl_int *errcode_ret)
{
	return fail_with(errcode_ret, IS_CONTEXT(context) ? CL_INVALID_OPERATION : CL_INVALID_CONTEXT);
}
