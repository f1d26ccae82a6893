/* SPDX-License-Identifier: MIT */
/* Images as memory: read, write, copy, fill and map, each with parts and pitches. */
#include "cl_test.h"

#define W 20
#define H 12
#define D 6
#define TEXEL 4
#define SIZE (W * H * D * TEXEL)

#define AT(x, y, z) ((const size_t[]){ x, y, z })
#define ALL AT(W, H, D)

static const cl_image_format rgba8 = { CL_RGBA, CL_UNSIGNED_INT8 };

static cl_mem image_new(struct cl_env *env, cl_mem_object_type type, const cl_image_format *format, cl_mem_flags flags)
{
	cl_int err = -1;
	cl_image_desc desc = { .image_type = type, .image_width = W, .image_height = H };
	cl_mem image;

	if (type == CL_MEM_OBJECT_IMAGE3D)
		desc.image_depth = D;
	else
		desc.image_array_size = D;
	image = clCreateImage(env->ctx, flags, format, &desc, NULL, &err);
	if (!CHECK_OK(err))
		exit(1);
	return image;
}

/* Write @all, SIZE bytes, to a volume, or compare what is there. */
static void put(struct cl_env *env, cl_mem image, const void *all)
{
	CHECK_OK(clEnqueueWriteImage(env->queue, image, CL_TRUE, AT(0, 0, 0), ALL, 0, 0, all, 0, NULL, NULL));
}

static bool holds(struct cl_env *env, cl_mem image, const void *want)
{
	unsigned char *got = calloc(1, SIZE);
	bool same;

	CHECK_OK(clEnqueueReadImage(env->queue, image, CL_TRUE, AT(0, 0, 0), ALL, 0, 0, got, 0, NULL, NULL));
	same = memcmp(got, want, SIZE) == 0;
	free(got);
	return same;
}

/* A plain model: @region texels between two volumes with their own pitches. */
static void model(unsigned char *to, const size_t *to_at, size_t to_row, size_t to_slice, const unsigned char *from,
		  const size_t *from_at, size_t from_row, size_t from_slice, const size_t *region)
{
	for (size_t z = 0; z < region[2]; z++)
		for (size_t y = 0; y < region[1]; y++)
			memmove(to + (to_at[2] + z) * to_slice + (to_at[1] + y) * to_row + to_at[0] * TEXEL,
				from + (from_at[2] + z) * from_slice + (from_at[1] + y) * from_row + from_at[0] * TEXEL,
				region[0] * TEXEL);
}

static const struct part {
	size_t origin[3], region[3];
	size_t row, slice;	/* of the program's memory; 0 is tight */
} parts[] = {
	{ { 0, 0, 0 }, { W, H, D }, 0, 0 },
	{ { 3, 2, 1 }, { 1, 1, 1 }, 0, 0 },
	{ { 3, 2, 1 }, { 7, 5, 3 }, 0, 0 },
	{ { 0, 0, 0 }, { W, H, D }, 96, 0 },
	{ { 1, 1, 2 }, { 9, 4, 4 }, 64, 64 * 6 },
	{ { W - 1, 0, 0 }, { 1, H, D }, 4, 4 * H },
	{ { 0, 4, D - 1 }, { W, 3, 1 }, 128, 0 },
};

static void read_and_write(struct cl_env *env)
{
	static const cl_mem_object_type volumes[] = { CL_MEM_OBJECT_IMAGE3D, CL_MEM_OBJECT_IMAGE2D_ARRAY };
	unsigned char *in = malloc(2 * SIZE), *want = malloc(2 * SIZE), *got = malloc(2 * SIZE);

	cl_pattern(in, 2 * SIZE, 1);
	for (size_t t = 0; t < COUNT_OF(volumes); t++) {
		cl_mem image = image_new(env, volumes[t], &rgba8, CL_MEM_READ_WRITE);

		for (size_t i = 0; i < COUNT_OF(parts); i++) {
			const struct part *p = &parts[i];
			size_t row = p->row ? p->row : p->region[0] * TEXEL;
			size_t slice = p->slice ? p->slice : row * p->region[1];
			unsigned int before = cl_test_failures();

			memset(want, 0xee, SIZE);
			put(env, image, want);
			CHECK_OK(clEnqueueWriteImage(env->queue, image, CL_TRUE, p->origin, p->region, p->row, p->slice,
						     in, 0, NULL, NULL));
			model(want, p->origin, W * TEXEL, W * H * TEXEL, in, AT(0, 0, 0), row, slice, p->region);
			CHECK(holds(env, image, want));
			/* what lies between the rows in the program's memory stays */
			memset(want, 0xdd, 2 * SIZE);
			memset(got, 0xdd, 2 * SIZE);
			CHECK_OK(clEnqueueReadImage(env->queue, image, CL_TRUE, p->origin, p->region, p->row, p->slice,
						    got, 0, NULL, NULL));
			model(want, AT(0, 0, 0), row, slice, in, AT(0, 0, 0), row, slice, p->region);
			CHECK(memcmp(got, want, 2 * SIZE) == 0);
			if (cl_test_failures() != before)
				fprintf(stderr, "  type %zu, part %zu\n", t, i);
		}
		CHECK_OK(clReleaseMemObject(image));
	}
	free(in);
	free(want);
	free(got);
}

/* A line, and lines: the second coordinate of an array of lines is the line. */
static void lines(struct cl_env *env)
{
	cl_mem line = image_new(env, CL_MEM_OBJECT_IMAGE1D, &rgba8, CL_MEM_READ_WRITE);
	cl_mem array = image_new(env, CL_MEM_OBJECT_IMAGE1D_ARRAY, &rgba8, CL_MEM_READ_WRITE);
	unsigned char in[W * D * TEXEL], got[W * D * TEXEL];
	cl_command_queue q = env->queue;

	cl_pattern(in, sizeof(in), 3);
	CHECK_OK(clEnqueueWriteImage(q, line, CL_TRUE, AT(0, 0, 0), AT(W, 1, 1), 0, 0, in, 0, NULL, NULL));
	CHECK_OK(clEnqueueReadImage(q, line, CL_TRUE, AT(5, 0, 0), AT(10, 1, 1), 0, 0, got, 0, NULL, NULL));
	CHECK(memcmp(got, in + 5 * TEXEL, 10 * TEXEL) == 0);
	CHECK_OK(clEnqueueWriteImage(q, array, CL_TRUE, AT(0, 0, 0), AT(W, D, 1), 0, 0, in, 0, NULL, NULL));
	memset(got, 0, sizeof(got));
	CHECK_OK(clEnqueueReadImage(q, array, CL_TRUE, AT(0, 0, 0), AT(W, D, 1), 0, 0, got, 0, NULL, NULL));
	CHECK(memcmp(got, in, sizeof(in)) == 0);
	CHECK_ERR(clEnqueueReadImage(q, line, CL_TRUE, AT(0, 1, 0), AT(W, 1, 1), 0, 0, got, 0, NULL, NULL),
		  CL_INVALID_VALUE);
	CHECK_ERR(clEnqueueReadImage(q, line, CL_TRUE, AT(0, 0, 0), AT(W, 2, 1), 0, 0, got, 0, NULL, NULL),
		  CL_INVALID_VALUE);
	CHECK_OK(clReleaseMemObject(line));
	CHECK_OK(clReleaseMemObject(array));
}

static void non_blocking(struct cl_env *env)
{
	cl_mem image = image_new(env, CL_MEM_OBJECT_IMAGE3D, &rgba8, CL_MEM_READ_WRITE);
	unsigned char *in = malloc(SIZE), *out = calloc(1, SIZE);
	cl_event gate = clCreateUserEvent(env->ctx, NULL), written = NULL, read = NULL;
	cl_command_queue q = env->queue;

	cl_pattern(in, SIZE, 5);
	CHECK_OK(clEnqueueWriteImage(q, image, CL_FALSE, AT(0, 0, 0), ALL, 0, 0, in, 1, &gate, &written));
	CHECK_OK(clEnqueueReadImage(q, image, CL_FALSE, AT(0, 0, 0), ALL, 0, 0, out, 1, &written, &read));
	CHECK(GET_INFO(cl_int, clGetEventInfo, read, CL_EVENT_COMMAND_EXECUTION_STATUS) != CL_COMPLETE);
	/* the image lives until its last command has run */
	CHECK_OK(clReleaseMemObject(image));
	CHECK_OK(clSetUserEventStatus(gate, CL_COMPLETE));
	CHECK_OK(clWaitForEvents(1, &read));
	CHECK(memcmp(in, out, SIZE) == 0);
	CHECK_EQ(GET_INFO(cl_command_type, clGetEventInfo, written, CL_EVENT_COMMAND_TYPE), CL_COMMAND_WRITE_IMAGE);
	CHECK_EQ(GET_INFO(cl_command_type, clGetEventInfo, read, CL_EVENT_COMMAND_TYPE), CL_COMMAND_READ_IMAGE);
	CHECK_OK(clReleaseEvent(gate));
	CHECK_OK(clReleaseEvent(written));
	CHECK_OK(clReleaseEvent(read));
	free(in);
	free(out);
}

/* Rows of the program's memory further apart than the image is wide. */
static void host_pointers(struct cl_env *env)
{
	enum { PITCH = 128 };
	static const cl_mem_flags kinds[] = { CL_MEM_COPY_HOST_PTR, CL_MEM_USE_HOST_PTR };
	static unsigned char host[PITCH * H] __attribute__((aligned(4096)));
	const cl_image_desc desc = { .image_type = CL_MEM_OBJECT_IMAGE2D, .image_width = W, .image_height = H,
				     .image_row_pitch = PITCH };

	for (size_t k = 0; k < COUNT_OF(kinds); k++) {
		unsigned char want[W * H * TEXEL], got[W * H * TEXEL], *p;
		size_t row = 0;
		cl_int err = -1;
		cl_mem image;

		cl_pattern(host, sizeof(host), 7);
		image = clCreateImage(env->ctx, CL_MEM_READ_WRITE | kinds[k], &rgba8, &desc, host, &err);
		REQUIRE_OK(err);
		CHECK_OK(clEnqueueReadImage(env->queue, image, CL_TRUE, AT(0, 0, 0), AT(W, H, 1), 0, 0, got, 0, NULL,
					    NULL));
		model(want, AT(0, 0, 0), W * TEXEL, 0, host, AT(0, 0, 0), PITCH, 0, AT(W, H, 1));
		CHECK(memcmp(got, want, sizeof(got)) == 0);
		memset(want, 0x21, sizeof(want));
		CHECK_OK(clEnqueueWriteImage(env->queue, image, CL_TRUE, AT(0, 0, 0), AT(W, H, 1), 0, 0, want, 0, NULL,
					     NULL));
		p = clEnqueueMapImage(env->queue, image, CL_TRUE, CL_MAP_READ, AT(0, 0, 0), AT(W, H, 1), &row, NULL, 0,
				      NULL, NULL, &err);
		REQUIRE_OK(err);
		CHECK(cl_all_bytes(p + 3 * row, W * TEXEL, 0x21));
		if (kinds[k] == CL_MEM_USE_HOST_PTR)
			CHECK(p == host && row == PITCH);
		else
			CHECK(cl_pattern_is(host, sizeof(host), 7));
		CHECK_OK(clEnqueueUnmapMemObject(env->queue, image, p, 0, NULL, NULL));
		CHECK_OK(clReleaseMemObject(image));
		CHECK_OK(clFinish(env->queue));
	}
}

static void copies(struct cl_env *env)
{
	const size_t row = W * TEXEL, slice = W * H * TEXEL;
	cl_mem a = image_new(env, CL_MEM_OBJECT_IMAGE3D, &rgba8, CL_MEM_READ_WRITE);
	cl_mem b = image_new(env, CL_MEM_OBJECT_IMAGE2D_ARRAY, &rgba8, CL_MEM_READ_WRITE);
	cl_mem buffer = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	unsigned char *in = malloc(SIZE), *want = calloc(1, SIZE), *got = malloc(SIZE);
	cl_command_queue q = env->queue;

	cl_pattern(in, SIZE, 9);
	put(env, a, in);
	put(env, b, want);
	CHECK_OK(clEnqueueCopyImage(q, a, b, AT(1, 2, 3), AT(4, 0, 1), AT(9, 6, 3), 0, NULL, NULL));
	model(want, AT(4, 0, 1), row, slice, in, AT(1, 2, 3), row, slice, AT(9, 6, 3));
	CHECK(holds(env, b, want));
	/* side by side in one image */
	CHECK_OK(clEnqueueCopyImage(q, a, a, AT(0, 0, 0), AT(10, 0, 0), AT(10, H, D), 0, NULL, NULL));
	model(in, AT(10, 0, 0), row, slice, in, AT(0, 0, 0), row, slice, AT(10, H, D));
	CHECK(holds(env, a, in));
	/* a buffer's texels are tight */
	CHECK_OK(clEnqueueCopyImageToBuffer(q, a, buffer, AT(2, 1, 1), AT(5, 4, 2), 100, 0, NULL, NULL));
	CHECK_OK(clEnqueueReadBuffer(q, buffer, CL_TRUE, 100, 5 * 4 * 2 * TEXEL, got, 0, NULL, NULL));
	model(want, AT(0, 0, 0), 20, 80, in, AT(2, 1, 1), row, slice, AT(5, 4, 2));
	CHECK(memcmp(got, want, 5 * 4 * 2 * TEXEL) == 0);
	cl_pattern(got, SIZE, 11);
	CHECK_OK(clEnqueueWriteBuffer(q, buffer, CL_TRUE, 0, SIZE, got, 0, NULL, NULL));
	CHECK_OK(clEnqueueCopyBufferToImage(q, buffer, a, 40, AT(3, 3, 3), AT(6, 5, 2), 0, NULL, NULL));
	model(in, AT(3, 3, 3), row, slice, got + 40, AT(0, 0, 0), 24, 120, AT(6, 5, 2));
	CHECK(holds(env, a, in));
	CHECK_OK(clReleaseMemObject(a));
	CHECK_OK(clReleaseMemObject(b));
	CHECK_OK(clReleaseMemObject(buffer));
	free(in);
	free(want);
	free(got);
}

/* A colour is four floats, ints or uints, by the kind of the format; it saturates. */
static void fills(struct cl_env *env)
{
	static const cl_float f[4] = { 1.0f, 0.0f, 1.5f, -1.0f };
	static const cl_int s[4] = { -5, 40000, -40000, 9 };
	static const cl_uint u[4] = { 1, 65535, 70000, 7 };
	const struct {
		cl_image_format format;
		const void *colour;
		size_t size;
		const void *want;
	} rows[] = {
		{ { CL_RGBA, CL_UNORM_INT8 }, f, 4, (const cl_uchar[]){ 255, 0, 255, 0 } },
		{ { CL_BGRA, CL_UNORM_INT8 }, f, 4, (const cl_uchar[]){ 255, 0, 255, 0 } },
		{ { CL_RGBA, CL_SNORM_INT16 }, f, 8, (const cl_short[]){ 32767, 0, 32767, -32767 } },
		{ { CL_R, CL_FLOAT }, f, 4, (const cl_float[]){ 1.0f } },
		{ { CL_RGBA, CL_FLOAT }, f, 16, f },
		{ { CL_RGBA, CL_HALF_FLOAT }, f, 8, (const cl_ushort[]){ 0x3c00, 0, 0x3e00, 0xbc00 } },
		{ { CL_R, CL_UNORM_INT8 }, f, 1, (const cl_uchar[]){ 255 } },
		{ { CL_RGBA, CL_UNSIGNED_INT16 }, u, 8, (const cl_ushort[]){ 1, 65535, 65535, 7 } },
		{ { CL_RGBA, CL_UNSIGNED_INT8 }, u, 4, (const cl_uchar[]){ 1, 255, 255, 7 } },
		{ { CL_RGBA, CL_UNSIGNED_INT32 }, u, 16, u },
		{ { CL_RGBA, CL_SIGNED_INT16 }, s, 8, (const cl_short[]){ -5, 32767, -32768, 9 } },
		{ { CL_RGBA, CL_SIGNED_INT8 }, s, 4, (const cl_char[]){ -5, 127, -128, 9 } },
		{ { CL_R, CL_SIGNED_INT32 }, s, 4, s },
	};
	static unsigned char got[W * H * 16];

	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		cl_mem image = image_new(env, CL_MEM_OBJECT_IMAGE2D, &rows[i].format, CL_MEM_READ_WRITE);
		const size_t size = rows[i].size;

		memset(got, 0x77, sizeof(got));
		CHECK_OK(clEnqueueWriteImage(env->queue, image, CL_TRUE, AT(0, 0, 0), AT(W, H, 1), 0, 0, got, 0, NULL,
					     NULL));
		CHECK_OK(clEnqueueFillImage(env->queue, image, rows[i].colour, AT(2, 3, 0), AT(5, 4, 1), 0, NULL, NULL));
		CHECK_OK(clEnqueueReadImage(env->queue, image, CL_TRUE, AT(0, 0, 0), AT(W, H, 1), 0, 0, got, 0, NULL,
					    NULL));
		for (size_t t = 0; t < W * H; t++) {
			size_t x = t % W, y = t / W;
			bool in = x >= 2 && x < 7 && y >= 3 && y < 7;

			if (!CHECK(in ? memcmp(got + t * size, rows[i].want, size) == 0 :
					cl_all_bytes(got + t * size, size, 0x77))) {
				fprintf(stderr, "  row %zu, texel %zu,%zu\n", i, x, y);
				break;
			}
		}
		CHECK_OK(clReleaseMemObject(image));
	}
}

static const struct {
	cl_mem_object_type type;
	size_t origin[3], region[3];
	size_t row, slice;	/* what the map says */
} maps[] = {
	{ CL_MEM_OBJECT_IMAGE1D, { 3, 0, 0 }, { 9, 1, 1 }, W * 4, 0 },
	{ CL_MEM_OBJECT_IMAGE2D, { 2, 3, 0 }, { 4, 2, 1 }, W * 4, 0 },
	{ CL_MEM_OBJECT_IMAGE1D_ARRAY, { 0, 0, 0 }, { W, D, 1 }, W * 4, W * 4 },
	{ CL_MEM_OBJECT_IMAGE2D_ARRAY, { 1, 1, 1 }, { 5, 5, 3 }, W * 4, W * H * 4 },
	{ CL_MEM_OBJECT_IMAGE3D, { 0, 0, 0 }, { W, H, D }, W * 4, W * H * 4 },
	{ CL_MEM_OBJECT_IMAGE3D, { 1, 2, 3 }, { 3, 2, 2 }, W * 4, W * H * 4 },
};

/* Written through a map, then read as an image; read through another map. */
static void map_each(struct cl_env *env)
{
	for (size_t i = 0; i < COUNT_OF(maps); i++) {
		cl_mem image = image_new(env, maps[i].type, &rgba8, CL_MEM_READ_WRITE);
		const size_t *region = maps[i].region;
		size_t row = 77, slice = 77, bytes = region[0] * region[1] * region[2] * TEXEL;
		unsigned char *in = malloc(bytes), *got = malloc(bytes), *p;
		unsigned int before = cl_test_failures();
		cl_int err = -1;

		cl_pattern(in, bytes, i);
		p = clEnqueueMapImage(env->queue, image, CL_TRUE, CL_MAP_WRITE, maps[i].origin, region, &row, &slice, 0,
				      NULL, NULL, &err);
		REQUIRE_OK(err);
		CHECK_EQ(row, maps[i].row);
		CHECK_EQ(slice, maps[i].slice);
		CHECK_EQ(GET_INFO(cl_uint, clGetMemObjectInfo, image, CL_MEM_MAP_COUNT), 1);
		model(p, AT(0, 0, 0), row, slice, in, AT(0, 0, 0), region[0] * TEXEL, region[0] * region[1] * TEXEL, region);
		CHECK_OK(clEnqueueUnmapMemObject(env->queue, image, p, 0, NULL, NULL));
		CHECK_OK(clEnqueueReadImage(env->queue, image, CL_TRUE, maps[i].origin, region, 0, 0, got, 0, NULL, NULL));
		CHECK(memcmp(in, got, bytes) == 0);
		CHECK_EQ(GET_INFO(cl_uint, clGetMemObjectInfo, image, CL_MEM_MAP_COUNT), 0);
		p = clEnqueueMapImage(env->queue, image, CL_TRUE, CL_MAP_READ, maps[i].origin, region, &row, &slice, 0, NULL,
				      NULL, &err);
		REQUIRE_OK(err);
		memset(got, 0, bytes);
		model(got, AT(0, 0, 0), region[0] * TEXEL, region[0] * region[1] * TEXEL, p, AT(0, 0, 0), row, slice, region);
		CHECK(memcmp(in, got, bytes) == 0);
		CHECK_OK(clEnqueueUnmapMemObject(env->queue, image, p, 0, NULL, NULL));
		CHECK_ERR(clEnqueueUnmapMemObject(env->queue, image, in, 0, NULL, NULL), CL_INVALID_VALUE);
		CHECK_OK(clReleaseMemObject(image));
		CHECK_OK(clFinish(env->queue));
		if (cl_test_failures() != before)
			fprintf(stderr, "  map %zu\n", i);
		free(in);
		free(got);
	}
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(read_and_write), CL_CASE(lines), CL_CASE(non_blocking), CL_CASE(host_pointers), CL_CASE(copies),
		CL_CASE(fills), CL_CASE(map_each), { NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, 0);
}
