/* SPDX-License-Identifier: MIT */
#include "opencl/extension_functions.h"

/* A hint how much of a buffer a move to another device must carry: nothing is moved here. */
CL_API_ENTRY cl_int CL_API_CALL clSetContentSizeBufferPoCL(cl_mem buffer, cl_mem content_size_buffer)
{
	if (!IS_MEM(buffer) || !IS_MEM(content_size_buffer))
		return CL_INVALID_MEM_OBJECT;
	if (buffer->context != content_size_buffer->context)
		return CL_INVALID_CONTEXT;
	if (content_size_buffer->size < sizeof(uint64_t))
		return CL_INVALID_BUFFER_SIZE;
	return content_size_buffer->parent ? CL_INVALID_MEM_OBJECT : CL_SUCCESS;
}
