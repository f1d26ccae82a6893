/* SPDX-License-Identifier: MIT */
/* Samplers: creation, what they say of themselves, and as a kernel's argument. */
#include "cl_test.h"

static void create(struct cl_env *env)
{
	const cl_sampler_properties props[] = { CL_SAMPLER_NORMALIZED_COORDS, CL_TRUE, CL_SAMPLER_ADDRESSING_MODE,
						CL_ADDRESS_REPEAT, CL_SAMPLER_FILTER_MODE, CL_FILTER_LINEAR, 0 };
	cl_int err = -1;
	cl_sampler s = clCreateSampler(env->ctx, CL_FALSE, CL_ADDRESS_CLAMP, CL_FILTER_NEAREST, &err);

	REQUIRE_OK(err);
	CHECK_EQ(GET_INFO(cl_bool, clGetSamplerInfo, s, CL_SAMPLER_NORMALIZED_COORDS), CL_FALSE);
	CHECK_EQ(GET_INFO(cl_addressing_mode, clGetSamplerInfo, s, CL_SAMPLER_ADDRESSING_MODE), CL_ADDRESS_CLAMP);
	CHECK_EQ(GET_INFO(cl_filter_mode, clGetSamplerInfo, s, CL_SAMPLER_FILTER_MODE), CL_FILTER_NEAREST);
	CHECK(GET_INFO(cl_context, clGetSamplerInfo, s, CL_SAMPLER_CONTEXT) == env->ctx);
	CHECK_EQ(GET_INFO(cl_uint, clGetSamplerInfo, s, CL_SAMPLER_REFERENCE_COUNT), 1);
	CHECK_INFO(0, clGetSamplerInfo, s, CL_SAMPLER_PROPERTIES);
	CHECK_INFO(sizeof(cl_bool), clGetSamplerInfo, s, CL_SAMPLER_NORMALIZED_COORDS);
	CHECK_INFO(sizeof(cl_addressing_mode), clGetSamplerInfo, s, CL_SAMPLER_ADDRESSING_MODE);
	CHECK_INFO(sizeof(cl_filter_mode), clGetSamplerInfo, s, CL_SAMPLER_FILTER_MODE);
	CHECK_OK(clRetainSampler(s));
	CHECK_EQ(GET_INFO(cl_uint, clGetSamplerInfo, s, CL_SAMPLER_REFERENCE_COUNT), 2);
	CHECK_OK(clReleaseSampler(s));
	CHECK_OK(clReleaseSampler(s));

	s = clCreateSamplerWithProperties(env->ctx, props, &err);
	REQUIRE_OK(err);
	CHECK_EQ(GET_INFO(cl_bool, clGetSamplerInfo, s, CL_SAMPLER_NORMALIZED_COORDS), CL_TRUE);
	CHECK_EQ(GET_INFO(cl_addressing_mode, clGetSamplerInfo, s, CL_SAMPLER_ADDRESSING_MODE), CL_ADDRESS_REPEAT);
	CHECK_EQ(GET_INFO(cl_filter_mode, clGetSamplerInfo, s, CL_SAMPLER_FILTER_MODE), CL_FILTER_LINEAR);
	CHECK_INFO(sizeof(props), clGetSamplerInfo, s, CL_SAMPLER_PROPERTIES);
	CHECK_OK(clReleaseSampler(s));
}

static void errors(struct cl_env *env)
{
	const cl_sampler_properties unknown[] = { 1, 1, 0 }, value[] = { CL_SAMPLER_FILTER_MODE, 1, 0 };
	const cl_sampler_properties twice[] = { CL_SAMPLER_FILTER_MODE, CL_FILTER_LINEAR, CL_SAMPLER_FILTER_MODE,
						CL_FILTER_LINEAR, 0 };
	cl_sampler s = clCreateSampler(env->ctx, CL_FALSE, CL_ADDRESS_CLAMP, CL_FILTER_NEAREST, NULL);
	cl_sampler odd;
	cl_uint v;
	cl_int err;

	REQUIRE(s);
	CHECK_FAILS(err, clCreateSampler(NULL, CL_FALSE, CL_ADDRESS_CLAMP, CL_FILTER_NEAREST, &err), CL_INVALID_CONTEXT);
	/* the native driver refuses repetition of texel coordinates, and takes modes that do not exist */
	CHECK_FAILS(err, clCreateSampler(env->ctx, 7, CL_ADDRESS_CLAMP, CL_FILTER_NEAREST, &err), CL_INVALID_VALUE);
	odd = clCreateSampler(env->ctx, CL_FALSE, 1, CL_FILTER_NEAREST, &err);
	CHECK_ERR_OR(err, CL_INVALID_VALUE, CL_SUCCESS);
	if (odd)
		CHECK_OK(clReleaseSampler(odd));
	odd = clCreateSampler(env->ctx, CL_FALSE, CL_ADDRESS_CLAMP, 1, &err);
	CHECK_ERR_OR(err, CL_INVALID_VALUE, CL_SUCCESS);
	if (odd)
		CHECK_OK(clReleaseSampler(odd));
	CHECK_FAILS(err, clCreateSampler(env->ctx, CL_FALSE, CL_ADDRESS_REPEAT, CL_FILTER_NEAREST, &err), CL_INVALID_VALUE);
	CHECK_FAILS(err, clCreateSamplerWithProperties(NULL, NULL, &err), CL_INVALID_CONTEXT);
	CHECK_FAILS(err, clCreateSamplerWithProperties(env->ctx, unknown, &err), CL_INVALID_VALUE);
	CHECK_FAILS(err, clCreateSamplerWithProperties(env->ctx, twice, &err), CL_INVALID_VALUE);
	odd = clCreateSamplerWithProperties(env->ctx, value, &err);
	CHECK_ERR_OR(err, CL_INVALID_VALUE, CL_SUCCESS);
	if (odd)
		CHECK_OK(clReleaseSampler(odd));
	CHECK_ERR(clGetSamplerInfo(s, 1, sizeof(v), &v, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clGetSamplerInfo(NULL, CL_SAMPLER_FILTER_MODE, sizeof(v), &v, NULL), CL_INVALID_SAMPLER);
	CHECK_ERR(clRetainSampler(NULL), CL_INVALID_SAMPLER);
	CHECK_ERR(clReleaseSampler(NULL), CL_INVALID_SAMPLER);
	CHECK_OK(clReleaseSampler(s));
}

static const char source[] =
	"kernel void look(read_only image2d_t in, sampler_t how, float2 at, global float4 *out)\n"
	"{\n"
	"	*out = read_imagef(in, how, at);\n"
	"}\n";

/* Two texels, 0 and 1: between them filtering shows; outside the addressing mode does. */
static void as_argument(struct cl_env *env)
{
	const struct {
		cl_bool normalized;
		cl_addressing_mode mode;
		cl_filter_mode filter;
		cl_float x, want;
	} rows[] = {
		{ CL_FALSE, CL_ADDRESS_CLAMP_TO_EDGE, CL_FILTER_NEAREST, 0.5f, 0.0f },
		{ CL_FALSE, CL_ADDRESS_CLAMP_TO_EDGE, CL_FILTER_NEAREST, 1.5f, 1.0f },
		{ CL_FALSE, CL_ADDRESS_CLAMP_TO_EDGE, CL_FILTER_NEAREST, 9.0f, 1.0f },
		{ CL_TRUE, CL_ADDRESS_CLAMP_TO_EDGE, CL_FILTER_NEAREST, 0.3f, 0.0f },
		{ CL_TRUE, CL_ADDRESS_CLAMP_TO_EDGE, CL_FILTER_LINEAR, 0.5f, 0.5f },
		{ CL_FALSE, CL_ADDRESS_CLAMP_TO_EDGE, CL_FILTER_LINEAR, 1.25f, 0.75f },
		{ CL_FALSE, CL_ADDRESS_CLAMP, CL_FILTER_NEAREST, 5.5f, 0.0f },
		{ CL_TRUE, CL_ADDRESS_REPEAT, CL_FILTER_NEAREST, 1.75f, 1.0f },
	};
	const cl_image_format format = { CL_RGBA, CL_FLOAT };
	cl_float texels[8] = { 0, 0, 0, 0, 1, 1, 1, 1 };
	cl_mem image = clCreateImage2D(env->ctx, CL_MEM_COPY_HOST_PTR, &format, 2, 1, 0, texels, NULL);
	cl_mem out = cl_buffer(env, CL_MEM_READ_WRITE, sizeof(cl_float4), NULL);
	cl_program program = cl_build(env, source, NULL);
	cl_kernel kernel = cl_kernel_new(program, "look");

	REQUIRE(image);
	CHECK_OK(clSetKernelArg(kernel, 0, sizeof(image), &image));
	CHECK_OK(clSetKernelArg(kernel, 3, sizeof(out), &out));
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const cl_float at[2] = { rows[i].x, 0.5f };
		cl_float got[4] = { -1, -1, -1, -1 };
		cl_int err = -1;
		cl_sampler s = clCreateSampler(env->ctx, rows[i].normalized, rows[i].mode, rows[i].filter, &err);

		REQUIRE_OK(err);
		CHECK_OK(clSetKernelArg(kernel, 1, sizeof(s), &s));
		CHECK_OK(clSetKernelArg(kernel, 2, sizeof(at), at));
		CHECK_OK(clEnqueueNDRangeKernel(env->queue, kernel, 1, NULL, (const size_t[]){ 1 }, NULL, 0, NULL, NULL));
		CHECK_OK(clEnqueueReadBuffer(env->queue, out, CL_TRUE, 0, sizeof(got), got, 0, NULL, NULL));
		if (!CHECK(got[0] > rows[i].want - 0.01f && got[0] < rows[i].want + 0.01f))
			fprintf(stderr, "  row %zu: %g, not %g\n", i, got[0], rows[i].want);
		CHECK_OK(clReleaseSampler(s));
	}
	CHECK_ERR(clSetKernelArg(kernel, 1, 4, texels), CL_INVALID_ARG_SIZE);
	CHECK_ERR_OR(clSetKernelArg(kernel, 1, sizeof(cl_sampler), NULL), CL_INVALID_SAMPLER, CL_INVALID_ARG_VALUE);
	CHECK_OK(clReleaseKernel(kernel));
	CHECK_OK(clReleaseProgram(program));
	CHECK_OK(clReleaseMemObject(image));
	CHECK_OK(clReleaseMemObject(out));
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(create), CL_CASE(errors), CL_CASE(as_argument), { NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, 0);
}
