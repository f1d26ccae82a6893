/* SPDX-License-Identifier: MIT */
/*
 * Sharing with OpenGL and EGL: never offered, because the program's graphics and the virtual device live in different
 * machines or processes.  The extensions are not listed, so that no program has a reason to come here.  These are the calls
 * that PoCL has not, or that end the program there; what it refuses is in files of its own.
 */
#include "opencl/objects.h" /* first: it picks the OpenCL version of the headers */

#include <CL/cl_egl.h>
#include <CL/cl_gl.h>

CL_API_ENTRY cl_mem CL_API_CALL clCreateFromGLBuffer(cl_context context, cl_mem_flags flags, cl_GLuint bufobj,
						     cl_int *errcode_ret)
{
	return fail_with(errcode_ret, CL_INVALID_OPERATION);
}

CL_API_ENTRY cl_mem CL_API_CALL clCreateFromGLRenderbuffer(cl_context context, cl_mem_flags flags,
							   cl_GLuint renderbuffer, cl_int *errcode_ret)
{
	return fail_with(errcode_ret, CL_INVALID_OPERATION);
}

CL_API_ENTRY cl_int CL_API_CALL clGetGLObjectInfo(cl_mem memobj, cl_gl_object_type *gl_object_type,
						  cl_GLuint *gl_object_name)
{
	return CL_INVALID_GL_OBJECT;
}

CL_API_ENTRY cl_int CL_API_CALL clGetGLTextureInfo(cl_mem memobj, cl_gl_texture_info param_name,
						   size_t param_value_size, void *param_value,
						   size_t *param_value_size_ret)
{
	return CL_INVALID_GL_OBJECT;
}

CL_API_ENTRY cl_event CL_API_CALL clCreateEventFromGLsyncKHR(cl_context context, cl_GLsync sync, cl_int *errcode_ret)
{
	return fail_with(errcode_ret, CL_INVALID_OPERATION);
}

CL_API_ENTRY cl_mem CL_API_CALL clCreateFromEGLImageKHR(cl_context context, CLeglDisplayKHR egldisplay,
							CLeglImageKHR eglimage, cl_mem_flags flags,
							const cl_egl_image_properties_khr *properties,
							cl_int *errcode_ret)
{
	return fail_with(errcode_ret, CL_INVALID_OPERATION);
}

CL_API_ENTRY cl_int CL_API_CALL clEnqueueAcquireEGLObjectsKHR(cl_command_queue command_queue, cl_uint num_objects,
							      const cl_mem *mem_objects,
							      cl_uint num_events_in_wait_list,
							      const cl_event *event_wait_list, cl_event *event)
{
	return CL_INVALID_OPERATION;
}

CL_API_ENTRY cl_int CL_API_CALL clEnqueueReleaseEGLObjectsKHR(cl_command_queue command_queue, cl_uint num_objects,
							      const cl_mem *mem_objects,
							      cl_uint num_events_in_wait_list,
							      const cl_event *event_wait_list, cl_event *event)
{
	return CL_INVALID_OPERATION;
}

CL_API_ENTRY cl_event CL_API_CALL clCreateEventFromEGLSyncKHR(cl_context context, CLeglSyncKHR sync,
							      CLeglDisplayKHR display, cl_int *errcode_ret)
{
	return fail_with(errcode_ret, CL_INVALID_OPERATION);
}
