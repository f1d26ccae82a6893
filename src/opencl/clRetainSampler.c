/* SPDX-License-Identifier: MIT */
#include "opencl/objects.h"

CL_API_ENTRY cl_int CL_API_CALL clRetainSampler(cl_sampler sampler)
{
	if (!IS_SAMPLER(sampler))
		return CL_INVALID_SAMPLER;
	head_ref(&sampler->head);
	return CL_SUCCESS;
}
