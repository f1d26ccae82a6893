/* SPDX-License-Identifier: MIT */
#include "opencl/objects.h"

CL_API_ENTRY cl_int CL_API_CALL clGetSamplerInfo(cl_sampler s, cl_sampler_info param_name, size_t cap, void *dst,
						 size_t *size_ret)
{
	if (!IS_SAMPLER(s))
		return CL_INVALID_SAMPLER;

	switch (param_name) {
	case CL_SAMPLER_REFERENCE_COUNT:
		return INFO_RETURN(cl_uint, atomic_load(&s->head.refs), cap, dst, size_ret);
	case CL_SAMPLER_CONTEXT:
		return INFO_RETURN(cl_context, s->context, cap, dst, size_ret);
	case CL_SAMPLER_NORMALIZED_COORDS:
		return INFO_RETURN(cl_bool, s->normalized, cap, dst, size_ret);
	case CL_SAMPLER_ADDRESSING_MODE:
		return INFO_RETURN(cl_addressing_mode, s->addressing, cap, dst, size_ret);
	case CL_SAMPLER_FILTER_MODE:
		return INFO_RETURN(cl_filter_mode, s->filter, cap, dst, size_ret);
	case CL_SAMPLER_PROPERTIES:
		return info_return(s->properties, s->nr_properties * sizeof(*s->properties), cap, dst, size_ret);
	default:
		return CL_INVALID_VALUE;
	}
}
