/* SPDX-License-Identifier: MIT */
#include "opencl/sampler.h"

/* CL_INVALID_VALUE for a property that is unknown or given twice. */
static cl_int parse(const cl_sampler_properties *p, struct sampler_desc *desc, size_t *ret_nr)
{
	bool seen[3] = { false };
	size_t nr = 0;

	for (; p[nr]; nr += 2) {
		size_t which = p[nr] - CL_SAMPLER_NORMALIZED_COORDS;

		if (which > 2 || seen[which])
			return CL_INVALID_VALUE;
		seen[which] = true;
		if (p[nr] == CL_SAMPLER_NORMALIZED_COORDS)
			desc->normalized = (cl_bool)p[nr + 1];
		else if (p[nr] == CL_SAMPLER_ADDRESSING_MODE)
			desc->addressing = (cl_addressing_mode)p[nr + 1];
		else
			desc->filter = (cl_filter_mode)p[nr + 1];
	}
	*ret_nr = nr + 1;
	return CL_SUCCESS;
}

CL_API_ENTRY cl_sampler CL_API_CALL clCreateSamplerWithProperties(cl_context context,
								  const cl_sampler_properties *properties,
								  cl_int *errcode_ret)
{
	struct sampler_desc desc = { CL_TRUE, CL_ADDRESS_CLAMP, CL_FILTER_NEAREST };
	size_t nr;

	/* In PoCL's order: the list before the context, and one there must be. */
	if (!properties || parse(properties, &desc, &nr))
		return fail_with(errcode_ret, CL_INVALID_VALUE);
	return sampler_create(context, &desc, properties, nr, errcode_ret);
}
