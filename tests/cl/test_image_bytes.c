/* SPDX-License-Identifier: MIT */
/*
 * Every format with every type: filled, written, copied, mapped, read and written by kernels.  What the bytes are is printed
 * as a sum for each step, and must be the native driver's.
 */
#include "cl_test.h"

#include <math.h>

#define W 7
#define H 4
#define D 3
#define ROOM (W * H * D * 16 * 2)

static unsigned char host[ROOM], back[ROOM];

struct shape {
	cl_mem_object_type type;
	const char *name;	/* of the kernels */
	size_t region[3];
	size_t pixels;
};

static const struct shape shapes[] = {
	{ CL_MEM_OBJECT_IMAGE1D, "line", { W, 1, 1 }, W },
	{ CL_MEM_OBJECT_IMAGE1D_BUFFER, "over", { W, 1, 1 }, W },
	{ CL_MEM_OBJECT_IMAGE1D_ARRAY, "lines", { W, D, 1 }, W * D },
	{ CL_MEM_OBJECT_IMAGE2D, "flat", { W, H, 1 }, W * H },
	{ CL_MEM_OBJECT_IMAGE2D_ARRAY, "layers", { W, H, D }, W * H * D },
	{ CL_MEM_OBJECT_IMAGE3D, "volume", { W, H, D }, W * H * D },
};

/* Reads a pixel to a buffer, and writes it somewhere else in another image. */
static const char source[] =
	"#define K(name, kind, type, at) \\\n"
	"kernel void name##_##kind(read_only type in, write_only type to, global uint4 *out, int w, int h, int n) {\\\n"
	"	int i = get_global_id(0), j = n - 1 - i, x = i % w, y = i / w % h, z = i / (w * h);\\\n"
	"	uint4 v = as_uint4(read_image##kind(in, at));\\\n"
	"	out[i] = v;\\\n"
	"	x = j % w; y = j / w % h; z = j / (w * h);\\\n"
	"	write_image##kind(to, at, AS_##kind(v)); }\n"
	"#define AS_f as_float4\n"
	"#define AS_i as_int4\n"
	"#define AS_ui as_uint4\n"
	"#define ALL(name, type, at) K(name, f, type, at) K(name, i, type, at) K(name, ui, type, at)\n"
	"ALL(line, image1d_t, x)\n"
	"ALL(over, image1d_buffer_t, x)\n"
	"ALL(lines, image1d_array_t, (int2)(x, y))\n"
	"ALL(flat, image2d_t, (int2)(x, y))\n"
	"ALL(layers, image2d_array_t, (int4)(x, y, z, 0))\n"
	"ALL(volume, image3d_t, (int4)(x, y, z, 0))\n"
	"kernel void both(read_write image2d_t a, int w) {\n"
	"	int i = get_global_id(0);\n"
	"	int2 at = (int2)(i % w, i / w);\n"
	"	write_imageui(a, at, read_imageui(a, at).yzwx + 1u); }\n";

static unsigned int sum(const void *bytes, size_t size)
{
	const unsigned char *p = bytes;
	unsigned int h = 2166136261u;

	while (size--)
		h = (h ^ *p++) * 16777619u;
	return h;
}

static bool is_float(const cl_image_format *f)
{
	cl_channel_type t = f->image_channel_data_type;

	return t < CL_SIGNED_INT8 || t == CL_HALF_FLOAT || t == CL_FLOAT;
}

static const char *kind_of(const cl_image_format *f)
{
	cl_channel_type t = f->image_channel_data_type;

	if (is_float(f))
		return "f";
	return t <= CL_SIGNED_INT32 ? "i" : "ui";
}

/* The same bytes as a program of its own would choose: finite numbers, large and small. */
static void pattern(const cl_image_format *f, unsigned char *to, size_t size, unsigned int seed)
{
	cl_pattern(to, size, seed);
	if (f->image_channel_data_type == CL_FLOAT)
		for (size_t i = 0; i + 4 <= size; i += 4) {
			float v = ldexpf((float)(int)((i * 37 + seed) % 255) - 127, (int)(i % 13) - 9);

			memcpy(to + i, &v, sizeof(v));
		}
	if (f->image_channel_data_type == CL_HALF_FLOAT)
		for (size_t i = 1; i < size; i += 2)
			to[i] &= 0xbb;
}

struct made {
	cl_mem image, under;
	size_t size;	/* bytes */
};

static struct made make(struct cl_env *env, const struct shape *s, const cl_image_format *f, cl_mem_flags flags)
{
	cl_image_desc desc = { .image_type = s->type, .image_width = W, .image_height = H, .image_depth = D,
			       .image_array_size = D };
	struct made m = { 0 };
	cl_int err;

	if (s->type == CL_MEM_OBJECT_IMAGE1D_BUFFER)
		m.under = desc.mem_object = cl_buffer(env, CL_MEM_READ_WRITE, W * 16, NULL);
	m.image = clCreateImage(env->ctx, flags, f, &desc, NULL, &err);
	if (!CHECK_OK(err))
		exit(1);
	m.size = s->pixels * GET_INFO(size_t, clGetImageInfo, m.image, CL_IMAGE_ELEMENT_SIZE);
	return m;
}

static void drop(struct made *m)
{
	CHECK_OK(clReleaseMemObject(m->image));
	if (m->under)
		CHECK_OK(clReleaseMemObject(m->under));
}

static const size_t zero[3];

static unsigned int read_all(struct cl_env *env, const struct shape *s, const struct made *m)
{
	memset(back, 0, sizeof(back));
	CHECK_OK(clEnqueueReadImage(env->queue, m->image, CL_TRUE, zero, s->region, 0, 0, back, 0, NULL, NULL));
	return sum(back, m->size);
}

static unsigned int map_all(struct cl_env *env, const struct shape *s, const struct made *m)
{
	size_t row = 0, slice = 0;
	cl_int err;
	void *p = clEnqueueMapImage(env->queue, m->image, CL_TRUE, CL_MAP_READ | CL_MAP_WRITE, zero, s->region, &row,
				    &slice, 0, NULL, NULL, &err);
	unsigned int h = 0;

	if (!CHECK_OK(err))
		return 0;
	h = sum(p, m->size);
	memset(p, 0x11, 1);
	CHECK_OK(clEnqueueUnmapMemObject(env->queue, m->image, p, 0, NULL, NULL));
	return h;
}

static void launch(struct cl_env *env, cl_program program, const struct shape *s, const cl_image_format *f,
		   const struct made *from, const struct made *to)
{
	const cl_int w = W, h = (cl_int)s->region[1], n = (cl_int)s->pixels;
	cl_mem out = cl_buffer(env, CL_MEM_READ_WRITE, s->pixels * 16, NULL);
	static unsigned char pixels[W * H * D * 16];
	char name[32];
	cl_kernel k;

	snprintf(name, sizeof(name), "%s_%s", s->name, kind_of(f));
	k = cl_kernel_new(program, name);
	CHECK_OK(clSetKernelArg(k, 0, sizeof(cl_mem), &from->image));
	CHECK_OK(clSetKernelArg(k, 1, sizeof(cl_mem), &to->image));
	CHECK_OK(clSetKernelArg(k, 2, sizeof(cl_mem), &out));
	CHECK_OK(clSetKernelArg(k, 3, sizeof(w), &w));
	CHECK_OK(clSetKernelArg(k, 4, sizeof(h), &h));
	CHECK_OK(clSetKernelArg(k, 5, sizeof(n), &n));
	CHECK_OK(clEnqueueNDRangeKernel(env->queue, k, 1, NULL, &s->pixels, NULL, 0, NULL, NULL));
	CHECK_OK(clEnqueueReadBuffer(env->queue, out, CL_TRUE, 0, s->pixels * 16, pixels, 0, NULL, NULL));
	printf(" read %08x", sum(pixels, s->pixels * 16));
	printf(" written %08x", read_all(env, s, to));
	CHECK_OK(clReleaseKernel(k));
	CHECK_OK(clReleaseMemObject(out));
}

static void one(struct cl_env *env, cl_program program, const struct shape *s, const cl_image_format *f)
{
	static const cl_float floats[4] = { 0.37f, -0.6f, 1.3f, 0.99f };
	static const cl_int ints[4] = { 77, -1234567, 40000, -129 };
	struct made a = make(env, s, f, CL_MEM_READ_WRITE), b = make(env, s, f, CL_MEM_WRITE_ONLY);
	cl_mem buffer = cl_buffer(env, CL_MEM_READ_WRITE, a.size, NULL);
	bool over = s->type == CL_MEM_OBJECT_IMAGE1D_BUFFER;

	printf("%s %x:%x", s->name, f->image_channel_order, f->image_channel_data_type);
	pattern(f, host, a.size, 5);
	CHECK_OK(clEnqueueWriteImage(env->queue, a.image, CL_TRUE, zero, s->region, 0, 0, host, 0, NULL, NULL));
	printf(" all %08x", read_all(env, s, &a));
	CHECK_OK(clEnqueueWriteImage(env->queue, b.image, CL_TRUE, zero, s->region, 0, 0, host, 0, NULL, NULL));
	launch(env, program, s, f, &a, &b);
	if (!over) { /* native: ends the program */
		CHECK_OK(clEnqueueFillImage(env->queue, a.image, is_float(f) ? (const void *)floats : (const void *)ints,
					    (const size_t[3]){ 2, 0, 0 },
					    (const size_t[3]){ 3, s->region[1], s->region[2] }, 0, NULL, NULL));
		printf(" filled %08x", read_all(env, s, &a));
		CHECK_OK(clEnqueueCopyImage(env->queue, a.image, b.image, zero, (const size_t[3]){ 1, 0, 0 },
					    (const size_t[3]){ W - 2, s->region[1], s->region[2] }, 0, NULL, NULL));
		printf(" copied %08x", read_all(env, s, &b));
		CHECK_OK(clEnqueueCopyImageToBuffer(env->queue, b.image, buffer, zero, s->region, 0, 0, NULL, NULL));
		CHECK_OK(clEnqueueReadBuffer(env->queue, buffer, CL_TRUE, 0, a.size, back, 0, NULL, NULL));
		printf(" out %08x", sum(back, a.size));
	}
	pattern(f, host, a.size, 9);
	CHECK_OK(clEnqueueWriteBuffer(env->queue, buffer, CL_TRUE, 0, a.size, host, 0, NULL, NULL));
	CHECK_OK(clEnqueueCopyBufferToImage(env->queue, buffer, a.image, 0, zero, s->region, 0, NULL, NULL));
	printf(" in %08x", read_all(env, s, &a));
	printf(" mapped %08x", map_all(env, s, &a));
	printf(" then %08x\n", read_all(env, s, &a));
	CHECK_OK(clReleaseMemObject(buffer));
	drop(&a);
	drop(&b);
}

static void every_format(struct cl_env *env)
{
	cl_program program = cl_build(env, source, "-cl-std=CL3.0");
	cl_image_format list[256];

	for (size_t i = 0; i < COUNT_OF(shapes); i++) {
		cl_uint n = 0;

		CHECK_OK(clGetSupportedImageFormats(env->ctx, CL_MEM_READ_WRITE, shapes[i].type, COUNT_OF(list), list, &n));
		for (cl_uint f = 0; f < n; f++)
			one(env, program, &shapes[i], &list[f]);
	}
	CHECK_OK(clReleaseProgram(program));
}

/* Read and written by one kernel, which waits for a fill and is waited for by a map. */
static void read_write(struct cl_env *env)
{
	static const cl_image_format format = { CL_RGBA, CL_UNSIGNED_INT8 };
	cl_program program = cl_build(env, source, "-cl-std=CL3.0");
	cl_kernel k = cl_kernel_new(program, "both");
	struct made m = make(env, &shapes[3], &format, CL_MEM_READ_WRITE);
	const cl_uint colour[4] = { 1, 2, 3, 254 };
	const cl_int w = W;

	CHECK_OK(clEnqueueFillImage(env->queue, m.image, colour, zero, shapes[3].region, 0, NULL, NULL));
	CHECK_OK(clSetKernelArg(k, 0, sizeof(cl_mem), &m.image));
	CHECK_OK(clSetKernelArg(k, 1, sizeof(w), &w));
	for (int i = 0; i < 3; i++)
		CHECK_OK(clEnqueueNDRangeKernel(env->queue, k, 1, NULL, &shapes[3].pixels, NULL, 0, NULL, NULL));
	printf("both %08x\n", map_all(env, &shapes[3], &m));
	drop(&m);
	CHECK_OK(clReleaseKernel(k));
	CHECK_OK(clReleaseProgram(program));
}

/* A colour's conversion to each format, at the edges of what it holds. */
static void colours(struct cl_env *env)
{
	static const float floats[] = {
		0.0f, -0.0f, 0.5f, 0.25f, 0.1f, 0.0019f, 0.002f, 0.9999f, 1.0f, 1.0001f, 2.0f, -0.5f, -0.9999f, -1.0f, -1.01f,
		-2.0f, 1e10f, -1e10f, 3e7f, 1e20f, -1e20f, 65504.0f, 65519.0f, 65520.0f, 65535.0f, 65536.0f, 1e-4f, 6.1e-5f,
		5.9e-5f, 6e-8f, 5.96e-8f, 5.9e-8f, 1e-8f, 1e-30f, 1e-45f, 0.333333f, 1024.7f, 2049.0f, INFINITY, -INFINITY,
	};
	static const cl_int ints[] = { 0, 1, -1, 127, 128, -128, -129, 255, 256, 32767, 32768, -32768, -32769, 65535, 65536,
				       INT32_MAX, INT32_MIN };
	cl_image_format list[256];
	cl_uint n = 0;

	CHECK_OK(clGetSupportedImageFormats(env->ctx, CL_MEM_READ_WRITE, CL_MEM_OBJECT_IMAGE2D, COUNT_OF(list), list, &n));
	for (cl_uint f = 0; f < n; f++) {
		struct made m = make(env, &shapes[3], &list[f], CL_MEM_READ_WRITE);
		size_t pixel = m.size / shapes[3].pixels, nr = is_float(&list[f]) ? COUNT_OF(floats) : COUNT_OF(ints);

		for (size_t i = 0; i < nr; i++) {
			cl_uint colour[4];

			for (size_t c = 0; c < 4; c++)
				memcpy(&colour[c], is_float(&list[f]) ? (const void *)&floats[(i + c) % nr] :
								       (const void *)&ints[(i + c) % nr], 4);
			CHECK_OK(clEnqueueFillImage(env->queue, m.image, colour, zero, (const size_t[3]){ 1, 1, 1 }, 0, NULL,
						    NULL));
			CHECK_OK(clEnqueueReadImage(env->queue, m.image, CL_TRUE, zero, (const size_t[3]){ 1, 1, 1 }, 0, 0,
						    back, 0, NULL, NULL));
			printf("%x:%x %zu:", list[f].image_channel_order, list[f].image_channel_data_type, i);
			for (size_t b = 0; b < pixel; b++)
				printf(" %02x", back[b]);
			printf("\n");
		}
		drop(&m);
	}
}

/* An image of a buffer and the buffer are the same memory. */
static void same_memory(struct cl_env *env)
{
	static const cl_image_format format = { CL_R, CL_FLOAT };
	static const cl_uint ones[4] = { 0x3f800000, 0, 0, 0 };
	struct made m = make(env, &shapes[1], &format, CL_MEM_READ_WRITE);
	float values[W] = { 1, 2, 3, 4, 5, 6, 7 };
	const size_t region[3] = { W, 1, 1 };
	size_t row = 0;
	cl_int err;
	float *p;

	CHECK_OK(clEnqueueWriteBuffer(env->queue, m.under, CL_TRUE, 0, sizeof(values), values, 0, NULL, NULL));
	printf("seen %08x\n", read_all(env, &shapes[1], &m));
	values[2] = 30;
	CHECK_OK(clEnqueueWriteImage(env->queue, m.image, CL_FALSE, (const size_t[3]){ 2, 0, 0 },
				     (const size_t[3]){ 1, 1, 1 }, 0, 0, values + 2, 0, NULL, NULL));
	p = clEnqueueMapImage(env->queue, m.image, CL_TRUE, CL_MAP_WRITE, (const size_t[3]){ 1, 0, 0 },
			      (const size_t[3]){ 3, 1, 1 }, &row, NULL, 0, NULL, NULL, &err);
	REQUIRE_OK(err);
	printf("mapped %g %g, buffer has %u\n", (double)p[0], (double)p[1],
	       GET_INFO(cl_uint, clGetMemObjectInfo, m.under, CL_MEM_MAP_COUNT));
	p[0] = 20;
	CHECK_OK(clEnqueueUnmapMemObject(env->queue, m.image, p, 0, NULL, NULL));
	CHECK_OK(clEnqueueReadBuffer(env->queue, m.under, CL_TRUE, 0, sizeof(values), values, 0, NULL, NULL));
	for (int i = 0; i < W; i++)
		printf("%g\n", (double)values[i]);
	if (!env->native) { /* native: ends the program */
		CHECK_OK(clEnqueueFillImage(env->queue, m.image, ones, zero, region, 0, NULL, NULL));
		CHECK_OK(clEnqueueReadBuffer(env->queue, m.under, CL_TRUE, 0, sizeof(values), values, 0, NULL, NULL));
		for (int i = 0; i < W; i++)
			CHECK(values[i] == 1.0f);
	}
	/* the image keeps its buffer */
	CHECK_OK(clReleaseMemObject(m.under));
	m.under = NULL;
	CHECK_OK(clEnqueueReadImage(env->queue, m.image, CL_TRUE, zero, region, 0, 0, values, 0, NULL, NULL));
	drop(&m);
}

/* What is released while it is mapped goes with the context, which must not wait for it. */
static void left_mapped(struct cl_env *env)
{
	static const cl_image_format format = { CL_RGBA, CL_UNSIGNED_INT8 };
	cl_int err;

	for (int i = 0; i < 8; i++) {
		struct made m = make(env, &shapes[3], &format, CL_MEM_READ_WRITE);
		cl_mem buffer = cl_buffer(env, CL_MEM_READ_WRITE, 1024, NULL);
		size_t row;

		clEnqueueMapImage(env->queue, m.image, i & 1, CL_MAP_READ | CL_MAP_WRITE, zero, shapes[3].region, &row, NULL,
				  0, NULL, NULL, &err);
		CHECK_OK(err);
		clEnqueueMapBuffer(env->queue, buffer, i & 1, CL_MAP_WRITE, 0, 512, 0, NULL, NULL, &err);
		CHECK_OK(err);
		CHECK_OK(clReleaseMemObject(buffer));
		drop(&m);
	}
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(every_format), CL_CASE(read_write), CL_CASE(colours), CL_CASE(same_memory), CL_CASE(left_mapped),
		{ NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, 0);
}
