/* SPDX-License-Identifier: MIT */
#include "opencl/sampler.h"

CL_API_ENTRY cl_int CL_API_CALL clReleaseSampler(cl_sampler sampler)
{
	if (!IS_SAMPLER(sampler))
		return CL_INVALID_SAMPLER;
	if (head_unref(&sampler->head))
		sampler_destroy(sampler);
	return CL_SUCCESS;
}
