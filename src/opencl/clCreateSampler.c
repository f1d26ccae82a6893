/* SPDX-License-Identifier: MIT */
#include "opencl/sampler.h"

CL_API_ENTRY cl_sampler CL_API_CALL clCreateSampler(cl_context context, cl_bool normalized_coords,
						    cl_addressing_mode addressing_mode, cl_filter_mode filter_mode,
						    cl_int *errcode_ret)
{
	const struct sampler_desc desc = { normalized_coords, addressing_mode, filter_mode };

	return sampler_create(context, &desc, NULL, 0, errcode_ret);
}
