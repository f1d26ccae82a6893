/* SPDX-License-Identifier: MIT */
#ifndef OPENCL_SAMPLER_H
#define OPENCL_SAMPLER_H

#include "opencl/objects.h"

struct sampler_desc {
	cl_bool normalized;
	cl_addressing_mode addressing;
	cl_filter_mode filter;
};

/* clCreateSampler and clCreateSamplerWithProperties; properties (nr of them, with the closing 0) may be NULL. */
cl_sampler sampler_create(cl_context ctx, const struct sampler_desc *desc, const cl_sampler_properties *properties,
			  size_t nr, cl_int *errcode_ret);
void sampler_destroy(cl_sampler s);

#endif
