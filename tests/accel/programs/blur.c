/* SPDX-License-Identifier: MIT */
/* blur: an image filter (sampled, 3 by 3), checked against the same on the host's side; prints a digest of the picture. */
#include "../../cl/cl_test.h"

#define WIDTH 160
#define HEIGHT 120

static const char source[] =
	"__constant sampler_t near = CLK_NORMALIZED_COORDS_FALSE | CLK_ADDRESS_CLAMP_TO_EDGE | CLK_FILTER_NEAREST;\n"
	"__kernel void blur(__read_only image2d_t in, __write_only image2d_t out)\n"
	"{\n"
	"	int2 at = (int2)(get_global_id(0), get_global_id(1));\n"
	"	uint4 sum = (uint4)(0);\n"
	"	for (int y = -1; y <= 1; y++)\n"
	"		for (int x = -1; x <= 1; x++)\n"
	"			sum += read_imageui(in, near, at + (int2)(x, y));\n"
	"	write_imageui(out, at, sum / 9u);\n"
	"}\n";

struct pixel {
	unsigned char c[4];
};
static struct pixel in[HEIGHT][WIDTH], out[HEIGHT][WIDTH];

static int clamped(int n, int limit)
{
	return n < 0 ? 0 : n >= limit ? limit - 1 : n;
}

static unsigned int expected(int x, int y, int c)
{
	unsigned int sum = 0;

	for (int dy = -1; dy <= 1; dy++)
		for (int dx = -1; dx <= 1; dx++)
			sum += in[clamped(y + dy, HEIGHT)][clamped(x + dx, WIDTH)].c[c];
	return sum / 9;
}

static unsigned int nr_wrong(void)
{
	unsigned int wrong = 0;

	for (int y = 0; y < HEIGHT; y++)
		for (int x = 0; x < WIDTH; x++)
			for (int c = 0; c < 4; c++)
				wrong += out[y][x].c[c] != expected(x, y, c);
	return wrong;
}

static unsigned int digest(void)
{
	const unsigned char *p = (const unsigned char *)out;
	unsigned int sum = 2166136261u;

	for (size_t i = 0; i < sizeof(out); i++)
		sum = (sum ^ p[i]) * 16777619u;
	return sum;
}

static void blur(struct cl_env *env)
{
	const cl_image_format format = { CL_RGBA, CL_UNSIGNED_INT8 };
	const cl_image_desc desc = { .image_type = CL_MEM_OBJECT_IMAGE2D, .image_width = WIDTH, .image_height = HEIGHT };
	const size_t origin[3] = { 0 }, region[3] = { WIDTH, HEIGHT, 1 }, global[2] = { WIDTH, HEIGHT };
	cl_int err;
	cl_mem from, to;
	cl_program program = cl_build(env, source, NULL);
	cl_kernel kernel = cl_kernel_new(program, "blur");

	cl_pattern(in, sizeof(in), 7);
	from = clCreateImage(env->ctx, CL_MEM_READ_ONLY | CL_MEM_COPY_HOST_PTR, &format, &desc, in, &err);
	REQUIRE_OK(err);
	to = clCreateImage(env->ctx, CL_MEM_WRITE_ONLY, &format, &desc, NULL, &err);
	REQUIRE_OK(err);
	CHECK_OK(clSetKernelArg(kernel, 0, sizeof(from), &from));
	CHECK_OK(clSetKernelArg(kernel, 1, sizeof(to), &to));
	CHECK_OK(clEnqueueNDRangeKernel(env->queue, kernel, 2, NULL, global, NULL, 0, NULL, NULL));
	CHECK_OK(clEnqueueReadImage(env->queue, to, CL_TRUE, origin, region, 0, 0, out, 0, NULL, NULL));
	CHECK_EQ(nr_wrong(), 0);
	printf("blur of %d x %d: %08x\n", WIDTH, HEIGHT, digest());
	CHECK_OK(clReleaseMemObject(from));
	CHECK_OK(clReleaseMemObject(to));
	CHECK_OK(clReleaseKernel(kernel));
	CHECK_OK(clReleaseProgram(program));
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = { CL_CASE(blur), { NULL, NULL } };

	return cl_test_main(argc, argv, cases, 0);
}
