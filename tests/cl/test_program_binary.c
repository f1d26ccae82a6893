/* SPDX-License-Identifier: MIT */
/* Program binaries: taken, given back, refused when they are not any. */
#include "cl_test.h"

static const char source[] =
	"__kernel void k(__global int *p, int v) { p[get_global_id(0)] = v + SHIFT; }\n";

static unsigned char *binary_of(cl_program program, size_t *size)
{
	unsigned char *bytes;

	*size = GET_INFO(size_t, clGetProgramInfo, program, CL_PROGRAM_BINARY_SIZES);
	CHECK(*size > 0);
	bytes = calloc(1, *size + 1);
	CHECK_OK(clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof(bytes), &bytes, NULL));
	return bytes;
}

static int run_k(struct cl_env *env, cl_program program, int v)
{
	cl_kernel kernel = cl_kernel_new(program, "k");
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, 4, NULL);
	size_t one = 1;
	int value = -1;

	CHECK_OK(clSetKernelArg(kernel, 0, sizeof(mem), &mem));
	CHECK_OK(clSetKernelArg(kernel, 1, sizeof(v), &v));
	CHECK_OK(clEnqueueNDRangeKernel(env->queue, kernel, 1, NULL, &one, NULL, 0, NULL, NULL));
	CHECK_OK(clEnqueueReadBuffer(env->queue, mem, CL_TRUE, 0, 4, &value, 0, NULL, NULL));
	CHECK_OK(clReleaseMemObject(mem));
	CHECK_OK(clReleaseKernel(kernel));
	return value;
}

static void round_trip(struct cl_env *env)
{
	cl_program program = cl_build(env, source, "-DSHIFT=100"), again;
	cl_int status = -1, err = -1;
	size_t size;
	unsigned char *bytes = binary_of(program, &size);
	const unsigned char *in = bytes;

	CHECK_EQ(run_k(env, program, 5), 105);
	CHECK_OK(clReleaseProgram(program));
	again = clCreateProgramWithBinary(env->ctx, 1, &env->device, &size, &in, &status, &err);
	CHECK_OK(err);
	CHECK_OK(status);
	REQUIRE(again);
	memset(bytes, 0, size);
	REQUIRE_OK(clBuildProgram(again, 1, &env->device, NULL, NULL, NULL));
	CHECK_EQ(run_k(env, again, 6), 106);
	CHECK_EQ(GET_INFO(size_t, clGetProgramInfo, again, CL_PROGRAM_NUM_KERNELS), 1);
	CHECK_OK(clReleaseProgram(again));
	free(bytes);
}

/* A program from binary gives its binary back, and has no source. */
static void binary_of_a_binary(struct cl_env *env)
{
	cl_program program = cl_build(env, source, "-DSHIFT=1"), second, third;
	size_t size, size2, text_size = 77;
	unsigned char *bytes = binary_of(program, &size), *bytes2;
	const unsigned char *in = bytes;
	cl_int err = -1;

	second = clCreateProgramWithBinary(env->ctx, 1, &env->device, &size, &in, NULL, &err);
	REQUIRE_OK(err);
	REQUIRE_OK(clBuildProgram(second, 0, NULL, "", NULL, NULL));
	CHECK_OK(clGetProgramInfo(second, CL_PROGRAM_SOURCE, 0, NULL, &text_size));
	CHECK(text_size <= 1);
	bytes2 = binary_of(second, &size2);
	in = bytes2;
	third = clCreateProgramWithBinary(env->ctx, 1, &env->device, &size2, &in, NULL, &err);
	REQUIRE_OK(err);
	REQUIRE_OK(clBuildProgram(third, 0, NULL, NULL, NULL, NULL));
	CHECK_EQ(run_k(env, third, 1), 2);
	CHECK_OK(clReleaseProgram(program));
	CHECK_OK(clReleaseProgram(second));
	CHECK_OK(clReleaseProgram(third));
	free(bytes);
	free(bytes2);
}

static void in_another_context(struct cl_env *env)
{
	struct cl_env other = *env;
	cl_program program = cl_build(env, source, "-DSHIFT=3"), again;
	size_t size;
	unsigned char *bytes = binary_of(program, &size);
	const unsigned char *in = bytes;
	cl_int err = -1;

	other.ctx = clCreateContext(NULL, 1, &env->device, NULL, NULL, NULL);
	other.queue = cl_queue(&other, 0);
	again = clCreateProgramWithBinary(other.ctx, 1, &env->device, &size, &in, NULL, &err);
	REQUIRE_OK(err);
	REQUIRE_OK(clBuildProgram(again, 1, &env->device, NULL, NULL, NULL));
	CHECK_EQ(run_k(&other, again, 4), 7);
	CHECK_OK(clReleaseProgram(again));
	CHECK_OK(clReleaseProgram(program));
	CHECK_OK(clReleaseCommandQueue(other.queue));
	CHECK_OK(clReleaseContext(other.ctx));
	free(bytes);
}

static void queries(struct cl_env *env)
{
	cl_program program = cl_build(env, source, "-DSHIFT=1");
	unsigned char *none = NULL;
	size_t size = 0;

	CHECK_INFO(sizeof(size_t), clGetProgramInfo, program, CL_PROGRAM_BINARY_SIZES);
	CHECK_OK(clGetProgramInfo(program, CL_PROGRAM_BINARIES, 0, NULL, &size));
	CHECK_EQ(size, sizeof(unsigned char *));
	/* a NULL in the list means: not this device's; the native driver follows it */
	if (!env->native)
		CHECK_OK(clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof(none), &none, NULL));
	CHECK_OK(clReleaseProgram(program));
}

static void not_a_binary(struct cl_env *env)
{
	unsigned char junk[256];
	const unsigned char *in = junk;
	size_t size = sizeof(junk);
	cl_int status = 0, err = 0;
	cl_program program;

	cl_pattern(junk, sizeof(junk), 9);
	program = clCreateProgramWithBinary(env->ctx, 1, &env->device, &size, &in, &status, &err);
	CHECK(!program);
	CHECK_ERR(err, CL_INVALID_BINARY);
	CHECK_ERR(status, CL_INVALID_BINARY);
}

static void errors(struct cl_env *env)
{
	cl_program program = cl_build(env, source, "-DSHIFT=1");
	size_t size, zero = 0;
	unsigned char *bytes = binary_of(program, &size);
	const unsigned char *in = bytes, *none = NULL;
	cl_device_id no_device = NULL;
	cl_int err;

	CHECK_FAILS(err, clCreateProgramWithBinary(NULL, 1, &env->device, &size, &in, NULL, &err), CL_INVALID_CONTEXT);
	CHECK_FAILS(err, clCreateProgramWithBinary(env->ctx, 0, &env->device, &size, &in, NULL, &err),
		    CL_INVALID_VALUE);
	CHECK_FAILS(err, clCreateProgramWithBinary(env->ctx, 1, NULL, &size, &in, NULL, &err), CL_INVALID_VALUE);
	/* the native driver follows these NULLs */
	if (!env->native) {
		CHECK_FAILS(err, clCreateProgramWithBinary(env->ctx, 1, &no_device, &size, &in, NULL, &err),
			    CL_INVALID_DEVICE);
		CHECK_FAILS(err, clCreateProgramWithBinary(env->ctx, 1, &env->device, &size, NULL, NULL, &err),
			    CL_INVALID_VALUE);
	}
	CHECK_FAILS(err, clCreateProgramWithBinary(env->ctx, 1, &env->device, NULL, &in, NULL, &err),
		    CL_INVALID_VALUE);
	CHECK_FAILS(err, clCreateProgramWithBinary(env->ctx, 1, &env->device, &zero, &in, NULL, &err),
		    CL_INVALID_VALUE);
	CHECK_FAILS(err, clCreateProgramWithBinary(env->ctx, 1, &env->device, &size, &none, NULL, &err),
		    CL_INVALID_VALUE);
	CHECK_OK(clReleaseProgram(program));
	free(bytes);
}

/* A binary cut short is refused at create or at build: never a crash. */
static void truncated(struct cl_env *env)
{
	cl_program program = cl_build(env, source, "-DSHIFT=1");
	size_t full, sizes[3];
	unsigned char *bytes = binary_of(program, &full);
	const unsigned char *in = bytes;

	sizes[0] = 8;
	sizes[1] = full / 2;
	sizes[2] = full - 1;
	for (size_t i = 0; i < COUNT_OF(sizes) && !env->native; i++) {
		cl_int err = 0;
		cl_program cut = clCreateProgramWithBinary(env->ctx, 1, &env->device, &sizes[i], &in, NULL, &err);

		if (!cut) {
			CHECK_ERR(err, CL_INVALID_BINARY);
			continue;
		}
		CHECK(clBuildProgram(cut, 1, &env->device, NULL, NULL, NULL) != CL_SUCCESS);
		CHECK_OK(clReleaseProgram(cut));
	}
	CHECK_OK(clReleaseProgram(program));
	free(bytes);
}

static const char image_source[] =
	"kernel void pick(read_only image2d_t image, sampler_t sampler, ulong x, float2 f, double d, global float *out)\n"
	"{ out[0] = read_imagef(image, sampler, (int2)((int)x, 0)).x + f.x + (float)d; }\n";

static void run_pick(struct cl_env *env, const unsigned char *bytes, size_t size)
{
	const cl_image_format format = { CL_RGBA, CL_FLOAT };
	const cl_image_desc desc = { .image_type = CL_MEM_OBJECT_IMAGE2D, .image_width = 4, .image_height = 1 };
	float pixels[16] = { 0 }, result = 0;
	cl_program again;
	const cl_ulong x = 3;
	const cl_float f[2] = { 1000, 0 };
	const cl_double d = 20000;
	const size_t one = 1;
	cl_kernel kernel;
	cl_mem image, out;
	cl_sampler sampler;
	cl_int err = -1;

	again = clCreateProgramWithBinary(env->ctx, 1, &env->device, &size, &bytes, NULL, &err);
	REQUIRE_OK(err);
	REQUIRE_OK(clBuildProgram(again, 0, NULL, NULL, NULL, NULL));
	pixels[12] = 7;
	image = clCreateImage(env->ctx, CL_MEM_READ_ONLY | CL_MEM_COPY_HOST_PTR, &format, &desc, pixels, &err);
	REQUIRE_OK(err);
	sampler = clCreateSampler(env->ctx, CL_FALSE, CL_ADDRESS_CLAMP_TO_EDGE, CL_FILTER_NEAREST, &err);
	REQUIRE_OK(err);
	kernel = cl_kernel_new(again, "pick");
	out = cl_buffer(env, CL_MEM_READ_WRITE, 4, NULL);
	CHECK_OK(clSetKernelArg(kernel, 0, sizeof(image), &image));
	CHECK_OK(clSetKernelArg(kernel, 1, sizeof(sampler), &sampler));
	CHECK_OK(clSetKernelArg(kernel, 2, sizeof(x), &x));
	CHECK_OK(clSetKernelArg(kernel, 3, sizeof(f), f));
	CHECK_OK(clSetKernelArg(kernel, 4, sizeof(d), &d));
	CHECK_OK(clSetKernelArg(kernel, 5, sizeof(out), &out));
	CHECK_OK(clEnqueueNDRangeKernel(env->queue, kernel, 1, NULL, &one, NULL, 0, NULL, NULL));
	CHECK_OK(clEnqueueReadBuffer(env->queue, out, CL_TRUE, 0, sizeof(result), &result, 0, NULL, NULL));
	CHECK_EQ((int)result, 21007);
	CHECK_OK(clReleaseMemObject(out));
	CHECK_OK(clReleaseMemObject(image));
	CHECK_OK(clReleaseSampler(sampler));
	CHECK_OK(clReleaseKernel(kernel));
	CHECK_OK(clReleaseProgram(again));
}

/* Arguments whose kinds nobody says any more: images, samplers, and values of a handle's size. */
static void kinds_of_arguments(struct cl_env *env)
{
	cl_program program = cl_build(env, image_source, NULL);
	size_t size;
	unsigned char *bytes = binary_of(program, &size);

	CHECK_OK(clReleaseProgram(program));
	run_pick(env, bytes, size);
	free(bytes);
}

/* What the native driver made is taken by a virtual device: it is the same driver's. */
static void made_natively(struct cl_env *env)
{
	const char *folder = getenv("CL_TEST_FOLDER");
	unsigned char *bytes;
	cl_program program;
	char path[4096];
	size_t size;
	FILE *f;

	if (!folder)
		return;
	snprintf(path, sizeof(path), "%s/made-natively", folder);
	f = fopen(path, env->native ? "wb" : "rb");
	REQUIRE(f);
	if (env->native) {
		program = cl_build(env, image_source, NULL);
		bytes = binary_of(program, &size);
		CHECK_EQ(fwrite(bytes, 1, size, f), size);
		CHECK_OK(clReleaseProgram(program));
	} else {
		bytes = calloc(1, 1 << 22);
		size = fread(bytes, 1, 1 << 22, f);
		run_pick(env, bytes, size);
	}
	fclose(f);
	free(bytes);
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(round_trip), CL_CASE(binary_of_a_binary), CL_CASE(in_another_context), CL_CASE(queries),
		CL_CASE(not_a_binary), CL_CASE(errors), CL_CASE(truncated),
		CL_CASE(kinds_of_arguments), CL_CASE(made_natively), { NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, 0);
}
