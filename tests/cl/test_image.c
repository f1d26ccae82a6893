/* SPDX-License-Identifier: MIT */
/* Images as objects: formats, creation of each type, what they say of themselves, errors. */
#include "cl_test.h"

#define W 33
#define H 17
#define D 5
#define PITCH 160

static const cl_image_format rgba8 = { CL_RGBA, CL_UNORM_INT8 };
static const cl_mem_object_type types[] = { CL_MEM_OBJECT_IMAGE1D, CL_MEM_OBJECT_IMAGE2D, CL_MEM_OBJECT_IMAGE3D,
					    CL_MEM_OBJECT_IMAGE1D_ARRAY, CL_MEM_OBJECT_IMAGE2D_ARRAY };

#define DESC(type, ...) (&(cl_image_desc){ .image_type = CL_MEM_OBJECT_IMAGE##type, __VA_ARGS__ })

static bool listed(const cl_image_format *list, cl_uint n, cl_channel_order order, cl_channel_type type)
{
	for (cl_uint i = 0; i < n; i++)
		if (list[i].image_channel_order == order && list[i].image_channel_data_type == type)
			return true;
	return false;
}

/* The formats that the specification demands of every device with images, and a few neighbours. */
static void formats(struct cl_env *env)
{
	static const cl_channel_type all[] = { CL_UNORM_INT8, CL_UNSIGNED_INT8, CL_SIGNED_INT8, CL_SIGNED_INT16,
					       CL_UNSIGNED_INT16, CL_FLOAT, CL_HALF_FLOAT };

	for (size_t t = 0; t < COUNT_OF(types); t++) {
		cl_uint n = 0, again = 0;
		cl_image_format *list;

		CHECK_OK(clGetSupportedImageFormats(env->ctx, CL_MEM_READ_WRITE, types[t], 0, NULL, &n));
		REQUIRE(n > 0);
		list = calloc(n + 1, sizeof(*list));
		CHECK_OK(clGetSupportedImageFormats(env->ctx, CL_MEM_READ_WRITE, types[t], n, list, &again));
		CHECK_EQ(again, n);
		for (size_t i = 0; i < COUNT_OF(all); i++)
			CHECK(listed(list, n, CL_RGBA, all[i]));
		CHECK(listed(list, n, CL_R, CL_FLOAT));
		CHECK(listed(list, n, CL_BGRA, CL_UNORM_INT8));
		/* a short list is filled as far as it goes, and no further */
		memset(list, 0xff, (n + 1) * sizeof(*list));
		CHECK_OK(clGetSupportedImageFormats(env->ctx, CL_MEM_READ_WRITE, types[t], 1, list, &again));
		CHECK_EQ(again, n);
		CHECK(!cl_all_bytes(list, sizeof(*list), 0xff) && cl_all_bytes(list + 1, n * sizeof(*list), 0xff));
		free(list);
	}
}

static void format_errors(struct cl_env *env)
{
	const cl_mem_object_type type = CL_MEM_OBJECT_IMAGE2D;
	cl_image_format one;
	cl_uint n;

	CHECK_OK(clGetSupportedImageFormats(env->ctx, CL_MEM_READ_WRITE, type, 0, NULL, NULL));
	CHECK_OK(clGetSupportedImageFormats(env->ctx, 0, type, 0, NULL, &n));
	CHECK_OK(clGetSupportedImageFormats(env->ctx, CL_MEM_READ_ONLY, type, 1, &one, NULL));
	CHECK_ERR(clGetSupportedImageFormats(NULL, CL_MEM_READ_WRITE, type, 0, NULL, &n), CL_INVALID_CONTEXT);
	CHECK_ERR(clGetSupportedImageFormats(env->ctx, CL_MEM_READ_WRITE, type, 0, &one, &n), CL_INVALID_VALUE);
	CHECK_ERR(clGetSupportedImageFormats(env->ctx, CL_MEM_READ_WRITE, 0x1234, 0, NULL, &n), CL_INVALID_VALUE);
	CHECK_ERR(clGetSupportedImageFormats(env->ctx, CL_MEM_READ_WRITE, CL_MEM_OBJECT_BUFFER, 0, NULL, &n),
		  CL_INVALID_VALUE);
	/* the native driver does not look at the flags */
	CHECK_ERR_OR(clGetSupportedImageFormats(env->ctx, (cl_mem_flags)1 << 40, type, 0, NULL, &n), CL_INVALID_VALUE,
		     CL_SUCCESS);
	CHECK_ERR_OR(clGetSupportedImageFormats(env->ctx, CL_MEM_READ_WRITE | CL_MEM_READ_ONLY, type, 0, NULL, &n),
		     CL_INVALID_VALUE, CL_SUCCESS);
}

struct shape {
	cl_mem_flags flags;
	cl_image_desc desc;
	/* what the image answers */
	size_t row, slice, size;
};

#define SHAPE(fl, type, row, slice, size, ...)                                                         \
	{ fl, { .image_type = CL_MEM_OBJECT_IMAGE##type, __VA_ARGS__ }, row, slice, size }

static const struct shape shapes[] = {
	SHAPE(CL_MEM_READ_WRITE, 1D, W * 4, 0, W * 4, .image_width = W),
	SHAPE(CL_MEM_READ_ONLY, 2D, W * 4, 0, W * 4 * H, .image_width = W, .image_height = H),
	SHAPE(CL_MEM_WRITE_ONLY, 3D, W * 4, W * 4 * H, W * 4 * H * D, .image_width = W, .image_height = H,
	      .image_depth = D),
	SHAPE(CL_MEM_READ_WRITE, 1D_ARRAY, W * 4, W * 4, W * 4 * D, .image_width = W, .image_array_size = D),
	SHAPE(CL_MEM_READ_WRITE, 2D_ARRAY, W * 4, W * 4 * H, W * 4 * H * D, .image_width = W, .image_height = H,
	      .image_array_size = D),
	/* what its type does not use is not looked at */
	SHAPE(CL_MEM_READ_WRITE, 2D, W * 4, 0, W * 4 * H, .image_width = W, .image_height = H, .image_depth = 9,
	      .image_array_size = 9),
	SHAPE(CL_MEM_COPY_HOST_PTR | CL_MEM_READ_WRITE, 2D, PITCH, 0, PITCH * H, .image_width = W, .image_height = H,
	      .image_row_pitch = PITCH),
	SHAPE(CL_MEM_USE_HOST_PTR | CL_MEM_READ_WRITE, 2D, PITCH, 0, PITCH * H, .image_width = W, .image_height = H,
	      .image_row_pitch = PITCH),
	SHAPE(CL_MEM_USE_HOST_PTR | CL_MEM_READ_WRITE, 2D, W * 4, 0, W * 4 * H, .image_width = W, .image_height = H),
	SHAPE(CL_MEM_COPY_HOST_PTR | CL_MEM_READ_WRITE, 3D, PITCH, PITCH * 20, PITCH * 20 * D, .image_width = W,
	      .image_height = H, .image_depth = D, .image_row_pitch = PITCH, .image_slice_pitch = PITCH * 20),
	SHAPE(CL_MEM_COPY_HOST_PTR | CL_MEM_READ_WRITE, 1D_ARRAY, PITCH, PITCH, PITCH * D, .image_width = W,
	      .image_array_size = D, .image_row_pitch = PITCH),
	SHAPE(CL_MEM_ALLOC_HOST_PTR | CL_MEM_READ_WRITE, 2D, W * 4, 0, W * 4 * H, .image_width = W, .image_height = H),
};

static void check_sizes(cl_mem image, const struct shape *s)
{
	const cl_mem_object_type type = s->desc.image_type;
	bool flat = type == CL_MEM_OBJECT_IMAGE1D || type == CL_MEM_OBJECT_IMAGE1D_ARRAY;
	bool array = type == CL_MEM_OBJECT_IMAGE1D_ARRAY || type == CL_MEM_OBJECT_IMAGE2D_ARRAY;

	CHECK_EQ(GET_INFO(size_t, clGetImageInfo, image, CL_IMAGE_ELEMENT_SIZE), 4);
	CHECK_EQ(GET_INFO(size_t, clGetImageInfo, image, CL_IMAGE_WIDTH), W);
	CHECK_EQ(GET_INFO(size_t, clGetImageInfo, image, CL_IMAGE_HEIGHT), flat ? 0 : H);
	CHECK_EQ(GET_INFO(size_t, clGetImageInfo, image, CL_IMAGE_DEPTH), type == CL_MEM_OBJECT_IMAGE3D ? D : 0);
	CHECK_EQ(GET_INFO(size_t, clGetImageInfo, image, CL_IMAGE_ARRAY_SIZE), array ? D : 0);
	CHECK_EQ(GET_INFO(size_t, clGetImageInfo, image, CL_IMAGE_ROW_PITCH), s->row);
	CHECK_EQ(GET_INFO(size_t, clGetImageInfo, image, CL_IMAGE_SLICE_PITCH), s->slice);
	CHECK_EQ(GET_INFO(size_t, clGetMemObjectInfo, image, CL_MEM_SIZE), s->size);
}

static void every_shape(struct cl_env *env)
{
	static unsigned char host[PITCH * 20 * D];

	for (size_t i = 0; i < COUNT_OF(shapes); i++) {
		const struct shape *s = &shapes[i];
		bool used = s->flags & CL_MEM_USE_HOST_PTR;
		unsigned int before = cl_test_failures();
		cl_image_format format;
		cl_int err = -1;
		cl_mem image = clCreateImage(env->ctx, s->flags, &rgba8, &s->desc,
					     used || (s->flags & CL_MEM_COPY_HOST_PTR) ? host : NULL, &err);

		REQUIRE_OK(err);
		check_sizes(image, s);
		format = GET_INFO(cl_image_format, clGetImageInfo, image, CL_IMAGE_FORMAT);
		CHECK(memcmp(&format, &rgba8, sizeof(format)) == 0);
		CHECK(!GET_INFO(cl_mem, clGetImageInfo, image, CL_IMAGE_BUFFER));
		CHECK_EQ(GET_INFO(cl_uint, clGetImageInfo, image, CL_IMAGE_NUM_MIP_LEVELS), 0);
		CHECK_EQ(GET_INFO(cl_uint, clGetImageInfo, image, CL_IMAGE_NUM_SAMPLES), 0);
		CHECK_EQ(GET_INFO(cl_mem_object_type, clGetMemObjectInfo, image, CL_MEM_TYPE), s->desc.image_type);
		CHECK_EQ(GET_INFO(cl_mem_flags, clGetMemObjectInfo, image, CL_MEM_FLAGS), s->flags);
		CHECK(GET_INFO(void *, clGetMemObjectInfo, image, CL_MEM_HOST_PTR) == (used ? host : NULL));
		CHECK(GET_INFO(cl_context, clGetMemObjectInfo, image, CL_MEM_CONTEXT) == env->ctx);
		CHECK_EQ(GET_INFO(cl_uint, clGetMemObjectInfo, image, CL_MEM_REFERENCE_COUNT), 1);
		CHECK_EQ(GET_INFO(cl_uint, clGetMemObjectInfo, image, CL_MEM_MAP_COUNT), 0);
		CHECK(!GET_INFO(cl_mem, clGetMemObjectInfo, image, CL_MEM_ASSOCIATED_MEMOBJECT));
		CHECK_OK(clReleaseMemObject(image));
		if (cl_test_failures() != before)
			fprintf(stderr, "  shape %zu\n", i);
	}
}

static void info_rules(struct cl_env *env)
{
	static const cl_image_info sizes[] = { CL_IMAGE_ELEMENT_SIZE, CL_IMAGE_ROW_PITCH, CL_IMAGE_SLICE_PITCH,
					       CL_IMAGE_WIDTH, CL_IMAGE_HEIGHT, CL_IMAGE_DEPTH, CL_IMAGE_ARRAY_SIZE };
	cl_mem image = clCreateImage2D(env->ctx, CL_MEM_READ_WRITE, &rgba8, W, H, 0, NULL, NULL);
	cl_mem buffer = cl_buffer(env, CL_MEM_READ_WRITE, 64, NULL);
	size_t v;

	REQUIRE(image);
	for (size_t i = 0; i < COUNT_OF(sizes); i++)
		CHECK_INFO(sizeof(size_t), clGetImageInfo, image, sizes[i]);
	CHECK_INFO(sizeof(cl_image_format), clGetImageInfo, image, CL_IMAGE_FORMAT);
	CHECK_INFO(sizeof(cl_mem), clGetImageInfo, image, CL_IMAGE_BUFFER);
	CHECK_INFO(sizeof(cl_uint), clGetImageInfo, image, CL_IMAGE_NUM_MIP_LEVELS);
	CHECK_INFO(sizeof(cl_uint), clGetImageInfo, image, CL_IMAGE_NUM_SAMPLES);
	CHECK_ERR(clGetImageInfo(image, 1, sizeof(v), &v, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clGetImageInfo(NULL, CL_IMAGE_WIDTH, sizeof(v), &v, NULL), CL_INVALID_MEM_OBJECT);
	/* the native driver answers for a buffer, too */
	CHECK_ERR_OR(clGetImageInfo(buffer, CL_IMAGE_WIDTH, sizeof(v), &v, NULL), CL_INVALID_MEM_OBJECT, CL_SUCCESS);
	CHECK_OK(clReleaseMemObject(image));
	CHECK_OK(clReleaseMemObject(buffer));
}

static void legacy(struct cl_env *env)
{
	static unsigned char host[PITCH * H];
	cl_int err = -1;
	cl_mem image = clCreateImage2D(env->ctx, CL_MEM_COPY_HOST_PTR, &rgba8, W, H, PITCH, host, &err);

	REQUIRE_OK(err);
	CHECK_EQ(GET_INFO(cl_mem_object_type, clGetMemObjectInfo, image, CL_MEM_TYPE), CL_MEM_OBJECT_IMAGE2D);
	CHECK_EQ(GET_INFO(size_t, clGetImageInfo, image, CL_IMAGE_ROW_PITCH), PITCH);
	CHECK_OK(clReleaseMemObject(image));
	image = clCreateImage3D(env->ctx, CL_MEM_READ_WRITE, &rgba8, W, H, 3, 0, 0, NULL, &err);
	REQUIRE_OK(err);
	CHECK_EQ(GET_INFO(cl_mem_object_type, clGetMemObjectInfo, image, CL_MEM_TYPE), CL_MEM_OBJECT_IMAGE3D);
	CHECK_EQ(GET_INFO(size_t, clGetImageInfo, image, CL_IMAGE_DEPTH), 3);
	CHECK_OK(clReleaseMemObject(image));
	CHECK_FAILS(err, clCreateImage2D(env->ctx, CL_MEM_READ_WRITE, NULL, W, H, 0, NULL, &err),
		    CL_INVALID_IMAGE_FORMAT_DESCRIPTOR);
	CHECK_FAILS(err, clCreateImage2D(env->ctx, CL_MEM_READ_WRITE, &rgba8, W, H, 0, host, &err), CL_INVALID_HOST_PTR);
	CHECK_FAILS(err, clCreateImage3D(NULL, CL_MEM_READ_WRITE, &rgba8, W, H, 3, 0, 0, NULL, &err), CL_INVALID_CONTEXT);
}

static void with_properties(struct cl_env *env)
{
	const cl_mem_properties none[] = { 0 }, unknown[] = { 0x1234, 0, 0 };
	const cl_image_desc *desc = DESC(2D, .image_width = W, .image_height = H);
	cl_int err = -1;
	cl_mem image = clCreateImageWithProperties(env->ctx, none, CL_MEM_READ_WRITE, &rgba8, desc, NULL, &err);

	REQUIRE_OK(err);
	CHECK_OK(clReleaseMemObject(image));
	CHECK_FAILS(err, clCreateImageWithProperties(env->ctx, unknown, CL_MEM_READ_WRITE, &rgba8, desc, NULL, &err),
		    CL_INVALID_PROPERTY);
}

#define RW CL_MEM_READ_WRITE
#define COPY (CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR)

/*
 * One wrong thing at a time. The native driver refuses all of these, but a zero
 * size as a buffer's, a size or format it lacks as an operation, a type or
 * pitch that cannot be as a value.
 */
static void create_errors(struct cl_env *env)
{
	static unsigned char host[1 << 16];
	static const cl_image_format odd_type = { CL_RGBA, 0x1234 }, odd_order = { 0x1234, CL_UNORM_INT8 },
				     lacking = { CL_INTENSITY, CL_SNORM_INT16 };
	const size_t most = GET_INFO(size_t, clGetDeviceInfo, env->device, CL_DEVICE_IMAGE2D_MAX_WIDTH);
	const size_t layers = GET_INFO(size_t, clGetDeviceInfo, env->device, CL_DEVICE_IMAGE_MAX_ARRAY_SIZE);
	const cl_image_desc *fine = DESC(2D, .image_width = W, .image_height = H);
	const struct {
		cl_mem_flags flags;
		const cl_image_format *format;
		const cl_image_desc *desc;
		void *host;
		cl_int spec, native;
	} bad[] = {
		{ RW, NULL, fine, NULL, CL_INVALID_IMAGE_FORMAT_DESCRIPTOR, CL_INVALID_IMAGE_FORMAT_DESCRIPTOR },
		{ RW, NULL, NULL, NULL, CL_INVALID_IMAGE_FORMAT_DESCRIPTOR, CL_INVALID_IMAGE_FORMAT_DESCRIPTOR },
		{ RW, &rgba8, NULL, NULL, CL_INVALID_IMAGE_DESCRIPTOR, CL_INVALID_IMAGE_DESCRIPTOR },
		{ RW, &odd_type, fine, NULL, CL_INVALID_IMAGE_FORMAT_DESCRIPTOR, CL_INVALID_OPERATION },
		{ RW, &odd_order, fine, NULL, CL_INVALID_IMAGE_FORMAT_DESCRIPTOR, CL_INVALID_OPERATION },
		{ RW, &lacking, fine, NULL, CL_IMAGE_FORMAT_NOT_SUPPORTED, CL_INVALID_OPERATION },
		{ RW, &rgba8, &(cl_image_desc){ .image_type = CL_MEM_OBJECT_BUFFER, .image_width = W }, NULL,
		  CL_INVALID_IMAGE_DESCRIPTOR, CL_INVALID_VALUE },
		{ RW, &rgba8, &(cl_image_desc){ .image_type = 0x1234, .image_width = W }, NULL,
		  CL_INVALID_IMAGE_DESCRIPTOR, CL_INVALID_VALUE },
		{ RW, &rgba8, DESC(1D, .image_width = 0), NULL, CL_INVALID_IMAGE_DESCRIPTOR, CL_INVALID_BUFFER_SIZE },
		{ RW, &rgba8, DESC(2D, .image_height = H), NULL, CL_INVALID_IMAGE_DESCRIPTOR, CL_INVALID_BUFFER_SIZE },
		{ RW, &rgba8, DESC(2D, .image_width = W), NULL, CL_INVALID_IMAGE_DESCRIPTOR, CL_INVALID_BUFFER_SIZE },
		{ RW, &rgba8, DESC(3D, .image_width = W, .image_height = H), NULL, CL_INVALID_IMAGE_DESCRIPTOR,
		  CL_INVALID_BUFFER_SIZE },
		{ RW, &rgba8, DESC(1D_ARRAY, .image_width = W), NULL, CL_INVALID_IMAGE_DESCRIPTOR,
		  CL_INVALID_BUFFER_SIZE },
		{ RW, &rgba8, DESC(2D_ARRAY, .image_width = W, .image_height = H), NULL, CL_INVALID_IMAGE_DESCRIPTOR,
		  CL_INVALID_BUFFER_SIZE },
		{ RW, &rgba8, DESC(2D, .image_width = most + 1, .image_height = 1), NULL, CL_INVALID_IMAGE_SIZE,
		  CL_INVALID_OPERATION },
		{ RW, &rgba8, DESC(2D, .image_width = SIZE_MAX / 4, .image_height = 8), NULL, CL_INVALID_IMAGE_SIZE,
		  CL_INVALID_OPERATION },
		{ RW, &rgba8, DESC(2D_ARRAY, .image_width = 1, .image_height = 1, .image_array_size = layers + 1), NULL,
		  CL_INVALID_IMAGE_SIZE, CL_INVALID_OPERATION },
		{ COPY, &rgba8, DESC(2D, .image_width = W, .image_height = H, .image_row_pitch = W * 4 + 1), host,
		  CL_INVALID_IMAGE_DESCRIPTOR, CL_INVALID_VALUE },
		{ COPY, &rgba8, DESC(3D, .image_width = W, .image_height = H, .image_depth = 2,
				     .image_slice_pitch = W * 4 * H + 4), host, CL_INVALID_IMAGE_DESCRIPTOR,
		  CL_INVALID_VALUE },
		{ RW, &rgba8, fine, host, CL_INVALID_HOST_PTR, CL_INVALID_HOST_PTR },
		{ COPY, &rgba8, fine, NULL, CL_INVALID_HOST_PTR, CL_INVALID_HOST_PTR },
		{ RW | CL_MEM_USE_HOST_PTR, &rgba8, fine, NULL, CL_INVALID_HOST_PTR, CL_INVALID_HOST_PTR },
		{ COPY | CL_MEM_USE_HOST_PTR, &rgba8, fine, host, CL_INVALID_VALUE, CL_INVALID_VALUE },
		{ RW | CL_MEM_READ_ONLY, &rgba8, fine, NULL, CL_INVALID_VALUE, CL_INVALID_VALUE },
		{ (cl_mem_flags)1 << 40, &rgba8, fine, NULL, CL_INVALID_VALUE, CL_INVALID_VALUE },
	};
	cl_int err;

	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		unsigned int before = cl_test_failures();

		CHECK_FAILS_OR(err, clCreateImage(env->ctx, bad[i].flags, bad[i].format, bad[i].desc, bad[i].host, &err),
			       bad[i].spec, bad[i].native);
		if (cl_test_failures() != before)
			fprintf(stderr, "  bad image %zu\n", i);
	}
	CHECK_FAILS(err, clCreateImage(NULL, RW, &rgba8, fine, NULL, &err), CL_INVALID_CONTEXT);
}

/* The native driver ends the program at mip levels, and takes rows and slices that overlap. */
static void create_errors_virtual(struct cl_env *env)
{
	static unsigned char host[1 << 14];
	cl_int err;

	if (env->native)
		return;
	CHECK_FAILS(err, clCreateImage(env->ctx, RW, &rgba8, DESC(2D, .image_width = W, .image_height = H,
				       .num_mip_levels = 2), NULL, &err), CL_INVALID_IMAGE_DESCRIPTOR);
	CHECK_FAILS(err, clCreateImage(env->ctx, RW, &rgba8, DESC(2D, .image_width = W, .image_height = H,
				       .num_samples = 2), NULL, &err), CL_INVALID_IMAGE_DESCRIPTOR);
	CHECK_FAILS(err, clCreateImage(env->ctx, COPY, &rgba8, DESC(2D, .image_width = W, .image_height = H,
				       .image_row_pitch = 128), host, &err), CL_INVALID_IMAGE_DESCRIPTOR);
	CHECK_FAILS(err, clCreateImage(env->ctx, COPY, &rgba8, DESC(3D, .image_width = W, .image_height = H,
				       .image_depth = 2, .image_slice_pitch = W * 4), host, &err),
		    CL_INVALID_IMAGE_DESCRIPTOR);
}

static void CL_CALLBACK count_down(cl_mem image, void *arg)
{
	(void)image;
	++*(int *)arg;
}

static void counts(struct cl_env *env)
{
	cl_mem image = clCreateImage2D(env->ctx, RW, &rgba8, W, H, 0, NULL, NULL);
	static int gone;

	REQUIRE(image);
	CHECK_OK(clSetMemObjectDestructorCallback(image, count_down, &gone));
	CHECK_OK(clRetainMemObject(image));
	CHECK_EQ(GET_INFO(cl_uint, clGetMemObjectInfo, image, CL_MEM_REFERENCE_COUNT), 2);
	CHECK_OK(clReleaseMemObject(image));
	CHECK_EQ(gone, 0);
	CHECK_OK(clReleaseMemObject(image));
	CHECK_EQ(gone, 1);
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(formats), CL_CASE(format_errors), CL_CASE(every_shape), CL_CASE(info_rules), CL_CASE(legacy),
		CL_CASE(with_properties), CL_CASE(create_errors), CL_CASE(create_errors_virtual), CL_CASE(counts),
		{ NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, 0);
}
