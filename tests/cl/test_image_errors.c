/* SPDX-License-Identifier: MIT */
/* Commands on images that must be refused. */
#include "cl_test.h"

#define W 16
#define H 8
#define D 4
#define BUFFER 4096

#define AT(x, y, z) ((const size_t[]){ x, y, z })
#define ZERO AT(0, 0, 0)
#define ONE AT(1, 1, 1)

static const cl_image_format rgba8 = { CL_RGBA, CL_UNSIGNED_INT8 };
static unsigned char host[W * H * D * 4 * 2];

static cl_mem flat(struct cl_env *env, cl_mem_flags flags)
{
	cl_mem image = clCreateImage2D(env->ctx, flags, &rgba8, W, H, 0, NULL, NULL);

	if (!CHECK(image))
		exit(1);
	return image;
}

/* Past an edge: read, write, fill, copy and map agree. What is nothing at all, see test_image_codes. */
static void bounds(struct cl_env *env)
{
	static const struct {
		size_t origin[3], region[3];
		bool native;	/* the native driver refuses it, too; else it goes past the image */
	} bad[] = {
		{ { 0, 0, 0 }, { W + 1, H, 1 }, true }, { { 1, 0, 0 }, { W, H, 1 }, true },
		{ { 0, 1, 0 }, { W, H, 1 }, true }, { { 0, 0, 1 }, { W, H, 1 }, true },
		{ { 0, 0, 0 }, { W, H, 2 }, true }, { { SIZE_MAX, 0, 0 }, { 2, H, 1 }, false },
		{ { 0, SIZE_MAX, 0 }, { 1, 2, 1 }, false },
	};
	const cl_uint colour[4] = { 0 };
	cl_mem image = flat(env, CL_MEM_READ_WRITE), other = flat(env, CL_MEM_READ_WRITE);
	cl_mem buffer = cl_buffer(env, CL_MEM_READ_WRITE, BUFFER, NULL);
	cl_command_queue q = env->queue;
	size_t row;
	cl_int err;

	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		const size_t *at = bad[i].origin, *region = bad[i].region;
		unsigned int before = cl_test_failures();

		if (env->native && !bad[i].native)
			continue;
		CHECK_ERR(clEnqueueReadImage(q, image, CL_TRUE, at, region, 0, 0, host, 0, NULL, NULL), CL_INVALID_VALUE);
		CHECK_ERR(clEnqueueWriteImage(q, image, CL_TRUE, at, region, 0, 0, host, 0, NULL, NULL),
			  CL_INVALID_VALUE);
		CHECK_ERR(clEnqueueFillImage(q, image, colour, at, region, 0, NULL, NULL), CL_INVALID_VALUE);
		CHECK_ERR(clEnqueueCopyImage(q, image, other, at, ZERO, region, 0, NULL, NULL), CL_INVALID_VALUE);
		CHECK_ERR(clEnqueueCopyImage(q, other, image, ZERO, at, region, 0, NULL, NULL), CL_INVALID_VALUE);
		CHECK_ERR(clEnqueueCopyImageToBuffer(q, image, buffer, at, region, 0, 0, NULL, NULL), CL_INVALID_VALUE);
		CHECK_ERR(clEnqueueCopyBufferToImage(q, buffer, image, 0, at, region, 0, NULL, NULL), CL_INVALID_VALUE);
		CHECK_FAILS(err, clEnqueueMapImage(q, image, CL_TRUE, CL_MAP_READ, at, region, &row, NULL, 0, NULL, NULL,
						   &err), CL_INVALID_VALUE);
		if (cl_test_failures() != before)
			fprintf(stderr, "  bad box %zu\n", i);
	}
	CHECK_ERR(clEnqueueCopyImageToBuffer(q, image, buffer, ZERO, AT(W, H, 1), BUFFER - W * H * 4 + 1, 0, NULL, NULL),
		  CL_INVALID_VALUE);
	CHECK_ERR(clEnqueueCopyBufferToImage(q, buffer, image, BUFFER - W * H * 4 + 1, ZERO, AT(W, H, 1), 0, NULL, NULL),
		  CL_INVALID_VALUE);
	CHECK_OK(clFinish(q));
	CHECK_OK(clReleaseMemObject(image));
	CHECK_OK(clReleaseMemObject(other));
	CHECK_OK(clReleaseMemObject(buffer));
}

/* The native driver looks not at the layers of arrays. */
static void layers(struct cl_env *env)
{
	const cl_image_desc planes = { .image_type = CL_MEM_OBJECT_IMAGE2D_ARRAY, .image_width = W, .image_height = H,
				       .image_array_size = D };
	const cl_image_desc lines = { .image_type = CL_MEM_OBJECT_IMAGE1D_ARRAY, .image_width = W,
				      .image_array_size = D };
	cl_mem a2 = clCreateImage(env->ctx, CL_MEM_READ_WRITE, &rgba8, &planes, NULL, NULL);
	cl_mem a1 = clCreateImage(env->ctx, CL_MEM_READ_WRITE, &rgba8, &lines, NULL, NULL);
	cl_command_queue q = env->queue;

	REQUIRE(a1 && a2);
	if (!env->native) {
		CHECK_ERR(clEnqueueWriteImage(q, a2, CL_TRUE, AT(0, 0, 1), AT(W, H, D), 0, 0, host, 0, NULL, NULL),
			  CL_INVALID_VALUE);
		CHECK_ERR(clEnqueueWriteImage(q, a1, CL_TRUE, AT(0, 1, 0), AT(W, D, 1), 0, 0, host, 0, NULL, NULL),
			  CL_INVALID_VALUE);
	}
	CHECK_OK(clReleaseMemObject(a2));
	CHECK_OK(clReleaseMemObject(a1));
}

static void objects(struct cl_env *env)
{
	const cl_uint colour[4] = { 0 };
	const cl_image_format r8 = { CL_R, CL_UNSIGNED_INT8 };
	cl_mem image = flat(env, CL_MEM_READ_WRITE), hidden = flat(env, CL_MEM_HOST_NO_ACCESS);
	cl_mem narrow = clCreateImage2D(env->ctx, CL_MEM_READ_WRITE, &r8, W, H, 0, NULL, NULL);
	cl_mem buffer = cl_buffer(env, CL_MEM_READ_WRITE, BUFFER, NULL);
	cl_command_queue q = env->queue;

	REQUIRE(narrow);
	CHECK_ERR(clEnqueueReadImage(NULL, image, CL_TRUE, ZERO, ONE, 0, 0, host, 0, NULL, NULL),
		  CL_INVALID_COMMAND_QUEUE);
	CHECK_ERR(clEnqueueWriteImage(q, NULL, CL_TRUE, ZERO, ONE, 0, 0, host, 0, NULL, NULL), CL_INVALID_MEM_OBJECT);
	CHECK_ERR(clEnqueueReadImage(q, buffer, CL_TRUE, ZERO, ONE, 0, 0, host, 0, NULL, NULL), CL_INVALID_MEM_OBJECT);
	CHECK_ERR(clEnqueueReadImage(q, image, CL_TRUE, ZERO, ONE, 0, 0, NULL, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clEnqueueWriteImage(q, image, CL_TRUE, ZERO, ONE, 0, 0, NULL, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clEnqueueReadImage(q, image, CL_TRUE, NULL, ONE, 0, 0, host, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clEnqueueWriteImage(q, image, CL_TRUE, ZERO, NULL, 0, 0, host, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clEnqueueReadImage(q, image, CL_TRUE, ZERO, ONE, 0, 0, host, 1, NULL, NULL),
		  CL_INVALID_EVENT_WAIT_LIST);
	CHECK_ERR(clEnqueueReadImage(q, hidden, CL_TRUE, ZERO, ONE, 0, 0, host, 0, NULL, NULL), CL_INVALID_OPERATION);
	CHECK_ERR(clEnqueueWriteImage(q, hidden, CL_TRUE, ZERO, ONE, 0, 0, host, 0, NULL, NULL), CL_INVALID_OPERATION);
	CHECK_ERR(clEnqueueFillImage(q, image, NULL, ZERO, ONE, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clEnqueueFillImage(q, image, colour, NULL, ONE, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clEnqueueFillImage(q, buffer, colour, ZERO, ONE, 0, NULL, NULL), CL_INVALID_MEM_OBJECT);
	CHECK_ERR(clEnqueueCopyImage(q, image, buffer, ZERO, ZERO, ONE, 0, NULL, NULL), CL_INVALID_MEM_OBJECT);
	CHECK_ERR(clEnqueueCopyImage(q, image, NULL, ZERO, ZERO, ONE, 0, NULL, NULL), CL_INVALID_MEM_OBJECT);
	CHECK_ERR(clEnqueueCopyImage(q, image, hidden, NULL, ZERO, ONE, 0, NULL, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clEnqueueCopyImage(q, image, narrow, ZERO, ZERO, ONE, 0, NULL, NULL), CL_IMAGE_FORMAT_MISMATCH);
	CHECK_OK(clEnqueueCopyImage(q, image, image, ZERO, AT(8, 0, 0), AT(8, H, 1), 0, NULL, NULL));
	CHECK_ERR(clEnqueueCopyImage(q, image, image, ZERO, AT(4, 0, 0), AT(8, H, 1), 0, NULL, NULL),
		  CL_MEM_COPY_OVERLAP);
	CHECK_ERR(clEnqueueCopyImageToBuffer(q, image, hidden, ZERO, ONE, 0, 0, NULL, NULL), CL_INVALID_MEM_OBJECT);
	CHECK_ERR(clEnqueueCopyImageToBuffer(q, buffer, buffer, ZERO, ONE, 0, 0, NULL, NULL), CL_INVALID_MEM_OBJECT);
	CHECK_ERR(clEnqueueCopyBufferToImage(q, image, image, 0, ZERO, ONE, 0, NULL, NULL), CL_INVALID_MEM_OBJECT);
	/* commands for buffers: the native driver takes images there */
	CHECK_ERR_OR(clEnqueueReadBuffer(q, image, CL_TRUE, 0, 4, host, 0, NULL, NULL), CL_INVALID_MEM_OBJECT,
		     CL_SUCCESS);
	CHECK_OK(clFinish(q));
	CHECK_OK(clReleaseMemObject(image));
	CHECK_OK(clReleaseMemObject(hidden));
	CHECK_OK(clReleaseMemObject(narrow));
	CHECK_OK(clReleaseMemObject(buffer));
}

static void maps(struct cl_env *env)
{
	const cl_image_desc desc = { .image_type = CL_MEM_OBJECT_IMAGE3D, .image_width = W, .image_height = H,
				     .image_depth = D };
	cl_mem image = flat(env, CL_MEM_READ_WRITE), hidden = flat(env, CL_MEM_HOST_NO_ACCESS);
	cl_mem volume = clCreateImage(env->ctx, CL_MEM_READ_WRITE, &rgba8, &desc, NULL, NULL);
	cl_mem buffer = cl_buffer(env, CL_MEM_READ_WRITE, BUFFER, NULL);
	cl_command_queue q = env->queue;
	size_t row, slice;
	cl_int err;

#define MAP(queue, mem, origin, region, row, slice, waits)                                             \
	clEnqueueMapImage(queue, mem, CL_TRUE, CL_MAP_READ, origin, region, row, slice, waits, NULL, NULL, &err)
	REQUIRE(volume);
	CHECK_FAILS(err, MAP(NULL, image, ZERO, ONE, &row, &slice, 0), CL_INVALID_COMMAND_QUEUE);
	CHECK_FAILS(err, MAP(q, NULL, ZERO, ONE, &row, &slice, 0), CL_INVALID_MEM_OBJECT);
	CHECK_FAILS(err, MAP(q, buffer, ZERO, ONE, &row, &slice, 0), CL_INVALID_MEM_OBJECT);
	CHECK_FAILS(err, MAP(q, hidden, ZERO, ONE, &row, &slice, 0), CL_INVALID_OPERATION);
	CHECK_FAILS(err, MAP(q, image, NULL, ONE, &row, &slice, 0), CL_INVALID_VALUE);
	CHECK_FAILS(err, MAP(q, image, ZERO, NULL, &row, &slice, 0), CL_INVALID_VALUE);
	CHECK_FAILS(err, MAP(q, image, ZERO, ONE, NULL, &slice, 0), CL_INVALID_VALUE);
	CHECK_FAILS(err, MAP(q, volume, ZERO, ONE, &row, NULL, 0), CL_INVALID_VALUE);
	CHECK_FAILS(err, MAP(q, image, ZERO, ONE, &row, &slice, 1), CL_INVALID_EVENT_WAIT_LIST);
	CHECK_FAILS(err, clEnqueueMapBuffer(q, image, CL_TRUE, CL_MAP_READ, 0, 64, 0, NULL, NULL, &err),
		    CL_INVALID_MEM_OBJECT);
	CHECK_EQ(GET_INFO(cl_uint, clGetMemObjectInfo, image, CL_MEM_MAP_COUNT), 0);
	CHECK_OK(clReleaseMemObject(image));
	CHECK_OK(clReleaseMemObject(hidden));
	CHECK_OK(clReleaseMemObject(volume));
	CHECK_OK(clReleaseMemObject(buffer));
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(bounds), CL_CASE(layers), CL_CASE(objects), CL_CASE(maps), { NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, 0);
}
