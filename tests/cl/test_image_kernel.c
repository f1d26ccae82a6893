/* SPDX-License-Identifier: MIT */
/* Images that kernels read and write: formats, arrays, volumes, changing arguments. */
#include "cl_test.h"

#define W 24
#define H 10
#define D 3

static const char source[] =
	"constant sampler_t exact = CLK_NORMALIZED_COORDS_FALSE | CLK_ADDRESS_CLAMP_TO_EDGE | CLK_FILTER_NEAREST;\n"
	"kernel void sizes(read_only image2d_t a, read_only image3d_t b, read_only image2d_array_t c, global int *out)\n"
	"{\n"
	"	out[0] = get_image_width(a); out[1] = get_image_height(a);\n"
	"	out[2] = get_image_width(b); out[3] = get_image_height(b); out[4] = get_image_depth(b);\n"
	"	out[5] = get_image_width(c); out[6] = get_image_height(c); out[7] = get_image_array_size(c);\n"
	"}\n"
	"kernel void copy_f(read_only image2d_t in, write_only image2d_t out)\n"
	"{\n"
	"	int2 at = (int2)(get_global_id(0), get_global_id(1));\n"
	"	write_imagef(out, at, read_imagef(in, exact, at));\n"
	"}\n"
	"kernel void copy_u(read_only image2d_t in, write_only image2d_t out)\n"
	"{\n"
	"	int2 at = (int2)(get_global_id(0), get_global_id(1));\n"
	"	write_imageui(out, at, read_imageui(in, exact, at) + 1);\n"
	"}\n"
	"kernel void copy_i(read_only image2d_t in, write_only image2d_t out)\n"
	"{\n"
	"	int2 at = (int2)(get_global_id(0), get_global_id(1));\n"
	"	write_imagei(out, at, read_imagei(in, exact, at));\n"
	"}\n"
	"kernel void twice(read_write image2d_t both)\n"
	"{\n"
	"	int2 at = (int2)(get_global_id(0), get_global_id(1));\n"
	"	write_imageui(both, at, read_imageui(both, at) * 2);\n"
	"}\n"
	"kernel void deep(read_only image3d_t v, read_only image2d_array_t a, global uint *out)\n"
	"{\n"
	"	int4 at = (int4)(get_global_id(0), get_global_id(1), get_global_id(2), 0);\n"
	"	size_t n = (at.z * get_global_size(1) + at.y) * get_global_size(0) + at.x;\n"
	"	out[n] = read_imageui(v, exact, at).x * 1000 + read_imageui(a, exact, at).x;\n"
	"}\n";

#define ZERO ((const size_t[]){ 0, 0, 0 })
#define PLANE ((const size_t[]){ W, H, 1 })
#define SPACE ((const size_t[]){ W, H, D })

static cl_mem image_new(struct cl_env *env, cl_mem_object_type type, cl_mem_flags flags, cl_channel_order order,
			cl_channel_type data)
{
	const cl_image_format format = { order, data };
	const cl_image_desc desc = { .image_type = type, .image_width = W, .image_height = H, .image_depth = D,
				     .image_array_size = D };
	cl_int err = -1;
	cl_mem image = clCreateImage(env->ctx, flags, &format, &desc, NULL, &err);

	if (!CHECK_OK(err))
		exit(1);
	return image;
}

static cl_mem plane(struct cl_env *env, cl_mem_flags flags, cl_channel_order order, cl_channel_type data)
{
	return image_new(env, CL_MEM_OBJECT_IMAGE2D, flags, order, data);
}

static cl_program program(struct cl_env *env)
{
	static cl_program built;

	return built ? built : (built = cl_build(env, source, "-cl-std=CL3.0"));
}

static void set_images(cl_kernel kernel, cl_mem a, cl_mem b)
{
	CHECK_OK(clSetKernelArg(kernel, 0, sizeof(a), &a));
	CHECK_OK(clSetKernelArg(kernel, 1, sizeof(b), &b));
}

static void launch(struct cl_env *env, cl_kernel kernel)
{
	CHECK_OK(clEnqueueNDRangeKernel(env->queue, kernel, 2, NULL, PLANE, NULL, 0, NULL, NULL));
}

static void sizes(struct cl_env *env)
{
	cl_mem a = plane(env, CL_MEM_READ_ONLY, CL_RGBA, CL_FLOAT);
	cl_mem b = image_new(env, CL_MEM_OBJECT_IMAGE3D, CL_MEM_READ_ONLY, CL_R, CL_UNSIGNED_INT8);
	cl_mem c = image_new(env, CL_MEM_OBJECT_IMAGE2D_ARRAY, CL_MEM_READ_ONLY, CL_RGBA, CL_UNORM_INT8);
	cl_mem out = cl_buffer(env, CL_MEM_READ_WRITE, 8 * sizeof(cl_int), NULL);
	const cl_int want[8] = { W, H, W, H, D, W, H, D };
	cl_kernel kernel = cl_kernel_new(program(env), "sizes");
	cl_int got[8] = { 0 };

	set_images(kernel, a, b);
	CHECK_OK(clSetKernelArg(kernel, 2, sizeof(c), &c));
	CHECK_OK(clSetKernelArg(kernel, 3, sizeof(out), &out));
	CHECK_OK(clEnqueueNDRangeKernel(env->queue, kernel, 1, NULL, (const size_t[]){ 1 }, NULL, 0, NULL, NULL));
	CHECK_OK(clEnqueueReadBuffer(env->queue, out, CL_TRUE, 0, sizeof(got), got, 0, NULL, NULL));
	CHECK(memcmp(got, want, sizeof(got)) == 0);
	CHECK_OK(clReleaseKernel(kernel));
	CHECK_OK(clReleaseMemObject(a));
	CHECK_OK(clReleaseMemObject(b));
	CHECK_OK(clReleaseMemObject(c));
	CHECK_OK(clReleaseMemObject(out));
}

/* Each texel comes back as it went in; the unsigned ones one more. */
static void formats(struct cl_env *env)
{
	static const struct {
		const char *kernel;
		cl_channel_order order;
		cl_channel_type data;
		size_t size;
	} rows[] = {
		{ "copy_f", CL_RGBA, CL_UNORM_INT8, 4 },     { "copy_f", CL_R, CL_UNORM_INT8, 1 },
		{ "copy_f", CL_RGBA, CL_FLOAT, 16 },	     { "copy_f", CL_R, CL_FLOAT, 4 },
		{ "copy_u", CL_RGBA, CL_UNSIGNED_INT8, 4 },  { "copy_u", CL_R, CL_UNSIGNED_INT8, 1 },
		{ "copy_i", CL_RGBA, CL_SIGNED_INT16, 8 },   { "copy_i", CL_R, CL_SIGNED_INT16, 2 },
	};
	static unsigned char in[W * H * 16], got[W * H * 16];

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		cl_mem a = plane(env, CL_MEM_READ_ONLY, rows[i].order, rows[i].data);
		cl_mem b = plane(env, CL_MEM_WRITE_ONLY, rows[i].order, rows[i].data);
		cl_kernel kernel = cl_kernel_new(program(env), rows[i].kernel);
		const size_t bytes = W * H * rows[i].size;

		for (size_t n = 0; n < bytes; n++)
			in[n] = n % 251;
		for (size_t n = 0; rows[i].data == CL_FLOAT && n < bytes / 4; n++)
			((float *)in)[n] = n * 0.37f - 20;
		CHECK_OK(clEnqueueWriteImage(env->queue, a, CL_TRUE, ZERO, PLANE, 0, 0, in, 0, NULL, NULL));
		set_images(kernel, a, b);
		launch(env, kernel);
		/* in use: both live until the kernel has run */
		CHECK_OK(clReleaseMemObject(a));
		CHECK_OK(clReleaseKernel(kernel));
		CHECK_OK(clEnqueueReadImage(env->queue, b, CL_TRUE, ZERO, PLANE, 0, 0, got, 0, NULL, NULL));
		for (size_t n = 0; rows[i].data == CL_UNSIGNED_INT8 && n < bytes; n++)
			in[n]++;
		if (!CHECK(memcmp(in, got, bytes) == 0))
			fprintf(stderr, "  row %zu\n", i);
		CHECK_OK(clReleaseMemObject(b));
	}
}

static void read_write(struct cl_env *env)
{
	cl_mem image = plane(env, CL_MEM_READ_WRITE, CL_RGBA, CL_UNSIGNED_INT32);
	cl_kernel kernel = cl_kernel_new(program(env), "twice");
	const cl_uint colour[4] = { 1, 2, 3, 1000000 };
	const size_t last[3] = { W - 1, H - 1, 0 }, one[3] = { 1, 1, 1 };
	cl_uint got[4] = { 0 };

	CHECK_OK(clEnqueueFillImage(env->queue, image, colour, ZERO, PLANE, 0, NULL, NULL));
	CHECK_OK(clSetKernelArg(kernel, 0, sizeof(image), &image));
	for (unsigned int i = 0; i < 10; i++)
		launch(env, kernel);
	CHECK_OK(clEnqueueReadImage(env->queue, image, CL_TRUE, last, one, 0, 0, got, 0, NULL, NULL));
	for (unsigned int i = 0; i < 4; i++)
		CHECK_EQ(got[i], colour[i] * 1024);
	CHECK_OK(clReleaseKernel(kernel));
	CHECK_OK(clReleaseMemObject(image));
}

static void layers(struct cl_env *env)
{
	cl_mem volume = image_new(env, CL_MEM_OBJECT_IMAGE3D, CL_MEM_READ_ONLY, CL_R, CL_UNSIGNED_INT8);
	cl_mem array = image_new(env, CL_MEM_OBJECT_IMAGE2D_ARRAY, CL_MEM_READ_ONLY, CL_R, CL_UNSIGNED_INT16);
	cl_mem out = cl_buffer(env, CL_MEM_WRITE_ONLY, W * H * D * sizeof(cl_uint), NULL);
	cl_kernel kernel = cl_kernel_new(program(env), "deep");
	static cl_uchar bytes[W * H * D];
	static cl_ushort shorts[W * H * D];
	static cl_uint got[W * H * D];

	for (size_t i = 0; i < W * H * D; i++) {
		bytes[i] = i * 7;
		shorts[i] = i;
	}
	CHECK_OK(clEnqueueWriteImage(env->queue, volume, CL_TRUE, ZERO, SPACE, 0, 0, bytes, 0, NULL, NULL));
	CHECK_OK(clEnqueueWriteImage(env->queue, array, CL_TRUE, ZERO, SPACE, 0, 0, shorts, 0, NULL, NULL));
	set_images(kernel, volume, array);
	CHECK_OK(clSetKernelArg(kernel, 2, sizeof(out), &out));
	CHECK_OK(clEnqueueNDRangeKernel(env->queue, kernel, 3, NULL, SPACE, NULL, 0, NULL, NULL));
	CHECK_OK(clEnqueueReadBuffer(env->queue, out, CL_TRUE, 0, sizeof(got), got, 0, NULL, NULL));
	for (size_t i = 0; i < W * H * D; i++)
		if (!CHECK_EQ(got[i], bytes[i] * 1000u + shorts[i]))
			break;
	CHECK_OK(clReleaseKernel(kernel));
	CHECK_OK(clReleaseMemObject(volume));
	CHECK_OK(clReleaseMemObject(array));
	CHECK_OK(clReleaseMemObject(out));
}

/* Each launch takes the arguments of its own time. */
static void other_arguments(struct cl_env *env)
{
	enum { COUNT = 6 };
	cl_kernel kernel = cl_kernel_new(program(env), "copy_u");
	cl_mem chain[COUNT];
	cl_uchar *p, in[W * H * 4];
	size_t row = 0;
	cl_int err = -1;

	for (unsigned int i = 0; i < COUNT; i++)
		chain[i] = plane(env, CL_MEM_READ_WRITE, CL_RGBA, CL_UNSIGNED_INT8);
	memset(in, 10, sizeof(in));
	/* written by a map, seen by the kernel */
	p = clEnqueueMapImage(env->queue, chain[0], CL_TRUE, CL_MAP_WRITE, ZERO, PLANE, &row, NULL, 0, NULL, NULL, &err);
	REQUIRE_OK(err);
	for (size_t y = 0; y < H; y++)
		memcpy(p + y * row, in, W * 4);
	CHECK_OK(clEnqueueUnmapMemObject(env->queue, chain[0], p, 0, NULL, NULL));
	for (unsigned int i = 1; i < COUNT; i++) {
		set_images(kernel, chain[i - 1], chain[i]);
		launch(env, kernel);
	}
	for (unsigned int i = 0; i < COUNT; i++) {
		CHECK_OK(clEnqueueReadImage(env->queue, chain[i], CL_TRUE, ZERO, PLANE, 0, 0, in, 0, NULL, NULL));
		CHECK(cl_all_bytes(in, sizeof(in), 10 + i));
		CHECK_OK(clReleaseMemObject(chain[i]));
	}
	CHECK_OK(clReleaseKernel(kernel));
}

static void argument_errors(struct cl_env *env)
{
	cl_kernel kernel = cl_kernel_new(program(env), "copy_u");
	cl_mem image = plane(env, CL_MEM_READ_WRITE, CL_RGBA, CL_UNSIGNED_INT8);
	cl_mem buffer = cl_buffer(env, CL_MEM_READ_WRITE, 4096, NULL);

	CHECK_ERR(clSetKernelArg(kernel, 2, sizeof(image), &image), CL_INVALID_ARG_INDEX);
	CHECK_ERR(clSetKernelArg(kernel, 0, sizeof(image) / 2, &image), CL_INVALID_ARG_SIZE);
	CHECK_ERR(clSetKernelArg(kernel, 0, sizeof(image) * 2, (cl_mem[]){ image, image }), CL_INVALID_ARG_SIZE);
	CHECK_ERR(clSetKernelArg(kernel, 0, sizeof(image), NULL), CL_INVALID_ARG_VALUE);
	/* the native driver takes any object here */
	CHECK_ERR_OR(clSetKernelArg(kernel, 0, sizeof(buffer), &buffer), CL_INVALID_MEM_OBJECT, CL_SUCCESS);
	CHECK_OK(clSetKernelArg(kernel, 0, sizeof(image), &image));
	CHECK_ERR(clEnqueueNDRangeKernel(env->queue, kernel, 2, NULL, PLANE, NULL, 0, NULL, NULL),
		  CL_INVALID_KERNEL_ARGS);
	CHECK_OK(clReleaseKernel(kernel));
	CHECK_OK(clReleaseMemObject(image));
	CHECK_OK(clReleaseMemObject(buffer));
}

static void last(struct cl_env *env)
{
	CHECK_OK(clReleaseProgram(program(env)));
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(sizes), CL_CASE(formats), CL_CASE(read_write), CL_CASE(layers), CL_CASE(other_arguments),
		CL_CASE(argument_errors), CL_CASE(last), { NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, 0);
}
