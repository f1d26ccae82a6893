/* SPDX-License-Identifier: MIT */
/* Every image and sampler call provoked on purpose: what it answers is printed, and must be the native driver's answer. */
#include "cl_test.h"

#define W 16
#define H 8
#define D 4
#define BUFFER 4096

#define AT(x, y, z) ((const size_t[]){ x, y, z })
#define ZERO AT(0, 0, 0)
#define ONE AT(1, 1, 1)
#define ALL AT(W, H, 1)
#define DESC(type, ...) (&(cl_image_desc){ .image_type = CL_MEM_OBJECT_IMAGE##type, __VA_ARGS__ })
#define FLAT DESC(2D, .image_width = W, .image_height = H)

static const cl_image_format rgba8 = { CL_RGBA, CL_UNSIGNED_INT8 }, r8 = { CL_R, CL_UNSIGNED_INT8 };
static unsigned char host[W * H * D * 4 * 4];
static const cl_uint colour[4] = { 1, 2, 3, 4 };
static cl_context other_ctx;
static cl_command_queue other_queue;
static cl_event other_event;

/* The native driver ends the program once it has done what was asked. */
#define VIRTUAL_OK(call)                         \
	do {                                     \
		if (!env->native)                \
			CHECK_OK(call);          \
	} while (0)

#define P(call) printf("%d: %d\n", __LINE__, (int)(call))

static cl_mem create(struct cl_env *env, cl_mem_flags flags, const cl_image_format *format, const cl_image_desc *desc,
		     void *ptr)
{
	cl_int err = 12345;
	cl_mem mem = clCreateImage(env->ctx, flags, format, desc, ptr, &err);

	if ((mem == NULL) != (err != CL_SUCCESS))
		printf("object and error do not agree\n");
	printf("%d", (int)err);
	if (mem) {
		printf(" flags %llx row %zu slice %zu size %zu",
		       (unsigned long long)GET_INFO(cl_mem_flags, clGetMemObjectInfo, mem, CL_MEM_FLAGS),
		       GET_INFO(size_t, clGetImageInfo, mem, CL_IMAGE_ROW_PITCH),
		       GET_INFO(size_t, clGetImageInfo, mem, CL_IMAGE_SLICE_PITCH),
		       GET_INFO(size_t, clGetMemObjectInfo, mem, CL_MEM_SIZE));
	}
	printf("\n");
	return mem;
}

#define CREATE(...)                                                      \
	do {                                                             \
		cl_mem mem_;                                             \
		printf("%d: ", __LINE__);                                \
		mem_ = create(env, __VA_ARGS__);                         \
		if (mem_)                                                \
			clReleaseMemObject(mem_);                        \
	} while (0)

#define RW CL_MEM_READ_WRITE
#define COPY (CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR)
#define USE (CL_MEM_READ_WRITE | CL_MEM_USE_HOST_PTR)

static void descriptors(struct cl_env *env)
{
	const size_t w2 = GET_INFO(size_t, clGetDeviceInfo, env->device, CL_DEVICE_IMAGE2D_MAX_WIDTH);
	const size_t w3 = GET_INFO(size_t, clGetDeviceInfo, env->device, CL_DEVICE_IMAGE3D_MAX_WIDTH);
	const size_t layers = GET_INFO(size_t, clGetDeviceInfo, env->device, CL_DEVICE_IMAGE_MAX_ARRAY_SIZE);
	const cl_image_format odd_type = { CL_RGBA, 0x1234 }, odd_order = { 0x1234, CL_UNORM_INT8 },
			      lacking = { CL_INTENSITY, CL_SNORM_INT16 };
	cl_mem image;
	cl_int err;

	CREATE(RW, NULL, NULL, NULL);
	CREATE(RW, NULL, FLAT, NULL);
	CREATE(RW, &rgba8, NULL, NULL);
	CREATE(RW, &odd_type, FLAT, NULL);
	CREATE(RW, &odd_order, FLAT, NULL);
	CREATE(RW, &lacking, FLAT, NULL);
	CREATE(RW, &rgba8, &(cl_image_desc){ .image_type = CL_MEM_OBJECT_BUFFER, .image_width = W }, NULL);
	CREATE(RW, &lacking, &(cl_image_desc){ .image_type = 0x1234 }, NULL);
	CREATE(RW, &rgba8, &(cl_image_desc){ .image_type = CL_MEM_OBJECT_PIPE }, NULL);
	CREATE(RW, &rgba8, DESC(1D, .image_width = 0), NULL);
	CREATE(RW, &rgba8, DESC(2D, .image_height = H), NULL);
	CREATE(RW, &rgba8, DESC(2D, .image_width = W), NULL);
	CREATE(RW, &rgba8, DESC(3D, .image_width = W, .image_height = H), NULL);
	CREATE(RW, &rgba8, DESC(1D_ARRAY, .image_width = W), NULL);
	CREATE(RW, &rgba8, DESC(2D_ARRAY, .image_width = W, .image_height = H), NULL);
	CREATE((cl_mem_flags)1 << 40, &rgba8, DESC(1D, .image_width = 0), host);
	CREATE(RW, &rgba8, DESC(1D, .image_width = w2 + 1), NULL);
	CREATE(RW, &rgba8, DESC(2D, .image_width = w2 + 1, .image_height = 1), NULL);
	CREATE(RW, &rgba8, DESC(2D, .image_width = 1, .image_height = w2 + 1), NULL);
	CREATE(RW, &rgba8, DESC(3D, .image_width = w3 + 1, .image_height = 1, .image_depth = 1), NULL);
	CREATE(RW, &rgba8, DESC(3D, .image_width = 1, .image_height = w3 + 1, .image_depth = 1), NULL);
	CREATE(RW, &rgba8, DESC(3D, .image_width = 1, .image_height = 1, .image_depth = w3 + 1), NULL);
	CREATE(RW, &rgba8, DESC(1D_ARRAY, .image_width = 1, .image_array_size = layers + 1), NULL);
	CREATE(RW, &rgba8, DESC(2D_ARRAY, .image_width = 1, .image_height = 1, .image_array_size = layers + 1), NULL);
	CREATE(RW, &rgba8, DESC(2D, .image_width = SIZE_MAX / 4, .image_height = 8), NULL);
	/* pitches */
	CREATE(COPY, &rgba8, DESC(2D, .image_width = W, .image_height = H, .image_row_pitch = W * 4 + 1), host);
	CREATE(COPY, &rgba8, DESC(2D, .image_width = W, .image_height = H, .image_row_pitch = W * 4 + 4), host);
	CREATE(USE, &rgba8, DESC(2D, .image_width = W, .image_height = H, .image_row_pitch = W * 4 + 4), host);
	CREATE(USE, &rgba8, DESC(2D, .image_width = W, .image_height = H, .image_slice_pitch = W * 4 * H), host);
	CREATE(USE, &rgba8, DESC(2D, .image_width = W, .image_height = H, .image_slice_pitch = W * 4 * H + 4), host);
	CREATE(RW, &rgba8, DESC(2D, .image_width = W, .image_height = H, .image_row_pitch = W * 8), NULL);
	CREATE(RW, &rgba8, DESC(1D, .image_width = W, .image_row_pitch = W * 8), NULL);
	CREATE(COPY, &rgba8, DESC(3D, .image_width = W, .image_height = H, .image_depth = 2,
				  .image_slice_pitch = W * 4 * H + 4), host);
	CREATE(COPY, &rgba8, DESC(3D, .image_width = W, .image_height = H, .image_depth = 2,
				  .image_slice_pitch = W * 4 * (H + 1)), host);
	CREATE(COPY, &rgba8, DESC(2D_ARRAY, .image_width = W, .image_height = H, .image_array_size = 2,
				  .image_row_pitch = W * 4, .image_slice_pitch = W * 4 * (H + 1)), host);
	CREATE(COPY, &rgba8, DESC(1D_ARRAY, .image_width = W, .image_array_size = 2, .image_row_pitch = W * 8), host);
	CREATE(COPY, &rgba8, DESC(1D_ARRAY, .image_width = W, .image_array_size = 2, .image_slice_pitch = W * 8), host);
	/* pointers and flags */
	CREATE(0, &rgba8, FLAT, NULL);
	CREATE(CL_MEM_HOST_READ_ONLY, &rgba8, FLAT, NULL);
	CREATE(CL_MEM_ALLOC_HOST_PTR, &rgba8, FLAT, NULL);
	CREATE(COPY | CL_MEM_ALLOC_HOST_PTR, &rgba8, FLAT, host);
	CREATE(RW, &rgba8, FLAT, host);
	CREATE(COPY, &rgba8, FLAT, NULL);
	CREATE(USE, &rgba8, FLAT, NULL);
	CREATE(COPY | CL_MEM_USE_HOST_PTR, &rgba8, FLAT, host);
	CREATE(COPY | CL_MEM_USE_HOST_PTR, &rgba8, FLAT, NULL);
	CREATE(USE | CL_MEM_ALLOC_HOST_PTR, &rgba8, FLAT, host);
	CREATE(RW | CL_MEM_READ_ONLY, &rgba8, FLAT, host);
	CREATE(CL_MEM_WRITE_ONLY | CL_MEM_READ_ONLY, &rgba8, FLAT, NULL);
	CREATE(CL_MEM_HOST_READ_ONLY | CL_MEM_HOST_WRITE_ONLY, &rgba8, FLAT, NULL);
	CREATE(CL_MEM_HOST_NO_ACCESS | CL_MEM_HOST_WRITE_ONLY, &rgba8, FLAT, NULL);
	CREATE(CL_MEM_KERNEL_READ_AND_WRITE, &rgba8, FLAT, NULL);
	CREATE(RW | CL_MEM_KERNEL_READ_AND_WRITE, &rgba8, FLAT, NULL);
	CREATE((cl_mem_flags)1 << 40, &rgba8, FLAT, NULL);
	CREATE(1 << 6, &rgba8, FLAT, NULL);
	/* the older calls and the newer one */
	image = clCreateImage2D(env->ctx, COPY, &rgba8, W, H, W * 4 + 2, host, &err);
	P(err);
	image = clCreateImage2D(NULL, COPY, NULL, 0, H, W * 4 + 2, host, &err);
	P(err);
	image = clCreateImage3D(env->ctx, RW, &rgba8, W, H, 0, 0, 0, NULL, &err);
	P(err);
	image = clCreateImage3D(env->ctx, RW, &rgba8, W, H, 1, 0, 0, NULL, &err);
	P(err);
	clReleaseMemObject(image);
	image = clCreateImageWithProperties(NULL, (const cl_mem_properties[]){ 7, 0, 0 }, RW, &rgba8, FLAT, NULL, &err);
	P(err);
	image = clCreateImageWithProperties(env->ctx, NULL, RW, NULL, FLAT, NULL, &err);
	P(err);
	image = clCreateImageWithProperties(env->ctx, (const cl_mem_properties[]){ 0 }, RW, &rgba8, FLAT, NULL, &err);
	P(err);
	clReleaseMemObject(image);
}

static void of_buffers(struct cl_env *env)
{
	const size_t most = GET_INFO(size_t, clGetDeviceInfo, env->device, CL_DEVICE_IMAGE_MAX_BUFFER_SIZE);
	const cl_buffer_region region = { 0, 512 };
	cl_mem buffer = cl_buffer(env, RW, BUFFER, NULL), hidden = cl_buffer(env, CL_MEM_HOST_NO_ACCESS, BUFFER, NULL);
	cl_mem used = cl_buffer(env, CL_MEM_READ_ONLY | CL_MEM_USE_HOST_PTR, 1024, host);
	cl_mem sub = clCreateSubBuffer(buffer, 0, CL_BUFFER_CREATE_TYPE_REGION, &region, NULL);
	cl_mem flat = clCreateImage(env->ctx, RW, &rgba8, FLAT, NULL, NULL), over;

	CREATE(RW, &rgba8, DESC(1D_BUFFER, .image_width = W), NULL);
	CREATE(RW, &rgba8, DESC(1D_BUFFER, .image_width = W, .mem_object = sub), NULL);
	CREATE(RW, &rgba8, DESC(1D_BUFFER, .image_width = BUFFER / 4 + 1, .mem_object = buffer), NULL);
	CREATE(RW, &rgba8, DESC(1D_BUFFER, .image_width = BUFFER / 4, .mem_object = buffer), NULL);
	CREATE(RW, &rgba8, DESC(1D_BUFFER, .image_width = most + 1, .mem_object = buffer), NULL);
	CREATE(0, &rgba8, DESC(1D_BUFFER, .image_width = W, .mem_object = buffer), NULL);
	CREATE(0, &rgba8, DESC(1D_BUFFER, .image_width = W, .mem_object = hidden), NULL);
	CREATE(0, &rgba8, DESC(1D_BUFFER, .image_width = W, .mem_object = used), NULL);
	CREATE(CL_MEM_WRITE_ONLY, &rgba8, DESC(1D_BUFFER, .image_width = W, .mem_object = used), NULL);
	CREATE(CL_MEM_HOST_READ_ONLY, &rgba8, DESC(1D_BUFFER, .image_width = W, .mem_object = buffer), host);
	CREATE(RW, &rgba8, DESC(1D_BUFFER, .image_width = W, .image_row_pitch = W * 8, .mem_object = buffer), NULL);
	CREATE(RW, &rgba8, DESC(1D_BUFFER, .image_width = W, .image_row_pitch = W * 8 + 1, .mem_object = buffer), NULL);
	/* of a buffer, or of an image: not for other types */
	CREATE(RW, &rgba8, DESC(2D, .image_width = W, .image_height = H, .mem_object = buffer), NULL);
	CREATE(RW, &rgba8, DESC(2D, .image_width = W, .image_height = H, .mem_object = flat), NULL);
	CREATE(RW, &rgba8, DESC(1D, .image_width = 0, .mem_object = buffer), NULL);
	CREATE(RW, &rgba8, DESC(3D, .image_width = W, .image_height = H, .image_depth = 1, .mem_object = buffer), host);

	over = clCreateImage(env->ctx, RW, &rgba8, DESC(1D_BUFFER, .image_width = W, .mem_object = buffer), NULL, NULL);
	REQUIRE(over && flat && sub);
	CREATE(RW, &rgba8, DESC(1D_BUFFER, .image_width = W, .mem_object = over), NULL);
	P(GET_INFO(cl_mem, clGetImageInfo, over, CL_IMAGE_BUFFER) == buffer);
	P(GET_INFO(cl_mem, clGetMemObjectInfo, over, CL_MEM_ASSOCIATED_MEMOBJECT) == buffer);
	P(GET_INFO(size_t, clGetMemObjectInfo, over, CL_MEM_OFFSET));
	P(GET_INFO(cl_mem_object_type, clGetMemObjectInfo, over, CL_MEM_TYPE));
	P(GET_INFO(cl_uint, clGetMemObjectInfo, over, CL_MEM_REFERENCE_COUNT));
	P(GET_INFO(cl_uint, clGetMemObjectInfo, buffer, CL_MEM_REFERENCE_COUNT));
	P(clCreateSubBuffer(over, 0, CL_BUFFER_CREATE_TYPE_REGION, &region, NULL) == NULL);
	P(clReleaseMemObject(over));
	P(GET_INFO(cl_uint, clGetMemObjectInfo, buffer, CL_MEM_REFERENCE_COUNT));
	clReleaseMemObject(flat);
	clReleaseMemObject(sub);
	clReleaseMemObject(buffer);
	clReleaseMemObject(hidden);
	clReleaseMemObject(used);
}

struct objects {
	cl_mem image, flat, line, lines, layers, volume, narrow, over, foreign, buffer, foreign_buffer;
	cl_mem no_access, write_only, read_only;
};

static cl_mem image_of(cl_context ctx, cl_mem_flags flags, const cl_image_format *format, const cl_image_desc *desc)
{
	cl_mem mem = clCreateImage(ctx, flags, format, desc, NULL, NULL);

	if (!CHECK(mem))
		exit(1);
	return mem;
}

static void make(struct cl_env *env, struct objects *o)
{
	cl_context c = env->ctx;

	o->buffer = cl_buffer(env, RW, BUFFER, NULL);
	o->image = image_of(c, RW, &rgba8, FLAT);
	o->flat = image_of(c, RW, &rgba8, FLAT);
	o->line = image_of(c, RW, &rgba8, DESC(1D, .image_width = W));
	o->lines = image_of(c, RW, &rgba8, DESC(1D_ARRAY, .image_width = W, .image_array_size = D));
	o->layers = image_of(c, RW, &rgba8, DESC(2D_ARRAY, .image_width = W, .image_height = H, .image_array_size = D));
	o->volume = image_of(c, RW, &rgba8, DESC(3D, .image_width = W, .image_height = H, .image_depth = D));
	o->narrow = image_of(c, RW, &r8, FLAT);
	o->over = image_of(c, RW, &rgba8, DESC(1D_BUFFER, .image_width = W, .mem_object = o->buffer));
	o->foreign = image_of(other_ctx, RW, &rgba8, FLAT);
	o->foreign_buffer = clCreateBuffer(other_ctx, RW, BUFFER, NULL, NULL);
	o->no_access = image_of(c, CL_MEM_HOST_NO_ACCESS, &rgba8, FLAT);
	o->write_only = image_of(c, CL_MEM_HOST_WRITE_ONLY, &rgba8, FLAT);
	o->read_only = image_of(c, CL_MEM_HOST_READ_ONLY, &rgba8, FLAT);
}

static void drop(struct objects *o)
{
	cl_mem *all = (cl_mem *)o;

	for (size_t i = 0; i < sizeof(*o) / sizeof(cl_mem); i++)
		CHECK_OK(clReleaseMemObject(all[i]));
}

#define READ(q, mem, at, region, ptr, n, list) clEnqueueReadImage(q, mem, CL_TRUE, at, region, 0, 0, ptr, n, list, NULL)
#define WRITE(q, mem, at, region, ptr, n, list) clEnqueueWriteImage(q, mem, CL_TRUE, at, region, 0, 0, ptr, n, list, NULL)
#define FILL(q, mem, c, at, region, n, list) clEnqueueFillImage(q, mem, c, at, region, n, list, NULL)

static void transfers(struct cl_env *env)
{
	cl_command_queue q = env->queue;
	struct objects o;

	make(env, &o);
	P(READ(NULL, NULL, NULL, NULL, NULL, 1, NULL));
	P(READ(q, NULL, NULL, NULL, NULL, 1, NULL));
	P(READ(q, o.foreign, NULL, NULL, NULL, 1, NULL));
	P(READ(q, o.foreign, NULL, NULL, host, 1, NULL));
	P(READ(q, o.foreign_buffer, NULL, NULL, host, 1, NULL));
	P(READ(q, o.buffer, NULL, NULL, host, 1, NULL));
	P(READ(q, o.no_access, NULL, NULL, host, 1, NULL));
	P(READ(q, o.no_access, NULL, NULL, host, 0, &other_event));
	P(READ(q, o.no_access, NULL, NULL, host, 1, &other_event));
	P(READ(q, o.no_access, NULL, NULL, host, 0, NULL));
	P(READ(q, o.write_only, ZERO, ALL, host, 0, NULL));
	P(READ(q, o.read_only, ZERO, ALL, host, 0, NULL));
	P(READ(q, o.image, NULL, ALL, host, 0, NULL));
	P(READ(q, o.image, ZERO, NULL, host, 0, NULL));
	P(READ(q, o.image, AT(1, 0, 0), ALL, host, 0, NULL));
	P(READ(q, o.image, AT(0, 1, 0), ALL, host, 0, NULL));
	P(READ(q, o.image, AT(0, 0, 1), ALL, host, 0, NULL));
	P(READ(q, o.image, ZERO, AT(W, H, 2), host, 0, NULL));
	P(READ(q, o.image, ZERO, AT(W, H, 0), host, 0, NULL));
	P(READ(q, o.image, ZERO, AT(0, H, 1), host, 0, NULL));
	P(READ(q, o.image, ZERO, AT(W, 0, 1), host, 0, NULL));
	P(READ(q, o.line, ZERO, AT(W, 0, 1), host, 0, NULL));
	P(READ(q, o.line, ZERO, AT(W, 2, 1), host, 0, NULL));
	P(READ(q, o.line, AT(0, 1, 0), AT(W, 1, 1), host, 0, NULL));
	P(READ(q, o.lines, ZERO, AT(W, D, 1), host, 0, NULL));
	P(READ(q, o.lines, AT(0, 0, 1), AT(W, 1, 1), host, 0, NULL));
	P(READ(q, o.volume, ZERO, AT(W, H, D + 1), host, 0, NULL));
	P(READ(q, o.volume, AT(0, 0, 1), AT(W, H, D - 1), host, 0, NULL));
	P(READ(q, o.volume, ZERO, AT(W, H, 0), host, 0, NULL));
	P(clEnqueueReadImage(q, o.image, CL_TRUE, ZERO, ALL, W * 4 - 4, 0, host, 0, NULL, NULL));
	P(clEnqueueReadImage(q, o.volume, CL_TRUE, ZERO, AT(W, H, D), 0, W * 4, host, 0, NULL, NULL));
	P(WRITE(NULL, NULL, NULL, NULL, NULL, 1, NULL));
	P(WRITE(q, NULL, NULL, NULL, NULL, 1, NULL));
	P(WRITE(q, o.foreign, NULL, NULL, NULL, 1, NULL));
	P(WRITE(q, o.foreign, NULL, NULL, host, 1, NULL));
	P(WRITE(q, o.buffer, NULL, NULL, host, 1, NULL));
	P(WRITE(q, o.no_access, NULL, NULL, host, 1, NULL));
	P(WRITE(q, o.no_access, NULL, NULL, host, 1, &other_event));
	P(WRITE(q, o.no_access, NULL, NULL, host, 0, NULL));
	P(WRITE(q, o.write_only, ZERO, ALL, host, 0, NULL));
	P(WRITE(q, o.read_only, ZERO, ALL, host, 0, NULL));
	P(WRITE(q, o.image, NULL, ALL, host, 0, NULL));
	P(WRITE(q, o.image, AT(1, 0, 0), ALL, host, 0, NULL));
	P(WRITE(q, o.image, ZERO, AT(0, H, 1), host, 0, NULL));
	P(clEnqueueWriteImage(q, o.image, CL_TRUE, ZERO, ALL, W * 4 - 4, 0, host, 0, NULL, NULL));
	P(FILL(NULL, NULL, NULL, NULL, NULL, 1, NULL));
	P(FILL(q, NULL, NULL, NULL, NULL, 1, NULL));
	P(FILL(q, NULL, NULL, NULL, NULL, 0, &other_event));
	P(FILL(q, NULL, NULL, NULL, NULL, 1, &other_event));
	P(FILL(q, NULL, NULL, NULL, NULL, 0, NULL));
	P(FILL(q, o.foreign, NULL, ZERO, ALL, 0, NULL));
	P(FILL(q, o.foreign, colour, NULL, ALL, 0, NULL));
	P(FILL(q, o.foreign, colour, ZERO, ALL, 0, NULL));
	P(FILL(q, o.buffer, colour, ZERO, ALL, 0, NULL));
	P(FILL(q, o.image, colour, ZERO, AT(W, H, 2), 0, NULL));
	P(FILL(q, o.image, colour, ZERO, AT(0, H, 1), 0, NULL));
	P(FILL(q, o.no_access, colour, ZERO, ALL, 0, NULL));
	P(FILL(q, o.read_only, colour, ZERO, ALL, 0, NULL));
	VIRTUAL_OK(FILL(q, o.over, colour, ZERO, AT(W, 1, 1), 0, NULL));
	P(FILL(q, o.over, colour, ZERO, AT(W + 1, 1, 1), 0, NULL));
	P(FILL(q, o.over, colour, ZERO, AT(W, 2, 1), 0, NULL));
	P(READ(q, o.over, ZERO, AT(W, 1, 1), host, 0, NULL));
	P(READ(q, o.over, AT(1, 0, 0), AT(W, 1, 1), host, 0, NULL));
	P(READ(q, o.over, ZERO, AT(0, 1, 1), host, 0, NULL));
	P(READ(q, o.over, ZERO, AT(W, 1, 1), host, 1, NULL));
	P(WRITE(q, o.over, AT(8, 0, 0), AT(8, 1, 1), host, 0, NULL));
	P(WRITE(q, o.over, AT(9, 0, 0), AT(8, 1, 1), host, 0, NULL));
	P(READ(other_queue, o.over, ZERO, AT(W, 1, 1), host, 0, NULL));
	P(clFinish(q));
	drop(&o);
}

#define IMG(q, a, b, at, to, region, n, list) clEnqueueCopyImage(q, a, b, at, to, region, n, list, NULL)
#define OUT(q, a, b, at, region, off, n, list) clEnqueueCopyImageToBuffer(q, a, b, at, region, off, n, list, NULL)
#define IN(q, a, b, off, at, region, n, list) clEnqueueCopyBufferToImage(q, a, b, off, at, region, n, list, NULL)

static void copies(struct cl_env *env)
{
	cl_command_queue q = env->queue;
	struct objects o;

	make(env, &o);
	P(IMG(NULL, NULL, NULL, NULL, NULL, NULL, 1, NULL));
	P(IMG(q, NULL, NULL, NULL, NULL, NULL, 1, NULL));
	P(IMG(q, o.image, NULL, NULL, NULL, NULL, 1, NULL));
	P(IMG(q, o.image, o.over, ZERO, ZERO, AT(W, 1, 1), 1, NULL));
	P(IMG(q, o.over, o.line, ZERO, ZERO, AT(W, 1, 1), 0, NULL));
	P(IMG(q, o.foreign, o.buffer, NULL, NULL, NULL, 1, NULL));
	P(IMG(q, o.foreign, o.buffer, NULL, NULL, NULL, 0, &other_event));
	P(IMG(q, o.foreign, o.buffer, NULL, NULL, NULL, 1, &other_event));
	P(IMG(q, o.buffer, o.buffer, NULL, NULL, NULL, 1, &other_event));
	P(IMG(q, o.buffer, o.buffer, ZERO, ZERO, ALL, 1, &other_event));
	P(IMG(q, o.image, o.buffer, AT(0, 0, 1), ZERO, ALL, 0, NULL));
	P(IMG(q, o.image, o.buffer, ZERO, ZERO, ALL, 0, NULL));
	P(IMG(q, o.image, o.narrow, ZERO, AT(0, 0, 1), ALL, 0, NULL));
	P(IMG(q, o.image, o.narrow, ZERO, ZERO, AT(W, H, 2), 0, NULL));
	P(IMG(q, o.image, o.flat, ZERO, ZERO, AT(W, H, 2), 0, NULL));
	P(IMG(q, o.image, o.volume, ZERO, AT(0, 0, D), ALL, 0, NULL));
	P(IMG(q, o.image, o.volume, ZERO, AT(0, 0, D - 1), ALL, 0, NULL));
	P(IMG(q, o.volume, o.layers, ZERO, ZERO, AT(W, H, D), 0, NULL));
	P(IMG(q, o.lines, o.image, ZERO, ZERO, AT(W, D, 1), 0, NULL));
	P(IMG(q, o.lines, o.image, ZERO, ZERO, AT(W, D + 1, 1), 0, NULL));
	P(IMG(q, o.line, o.image, ZERO, ZERO, AT(W, 2, 1), 0, NULL));
	P(IMG(q, o.image, o.flat, AT(1, 0, 0), ZERO, ALL, 0, NULL));
	P(IMG(q, o.image, o.flat, ZERO, AT(0, 1, 0), ALL, 0, NULL));
	P(IMG(q, o.image, o.flat, ZERO, ZERO, AT(0, H, 1), 0, NULL));
	P(IMG(q, o.image, o.flat, ZERO, ZERO, AT(W, 0, 1), 0, NULL));
	P(IMG(q, o.image, o.flat, ZERO, ZERO, ALL, 1, &other_event));
	P(IMG(q, o.image, o.image, ZERO, ZERO, ALL, 1, &other_event));
	P(IMG(q, o.image, o.image, ZERO, AT(4, 0, 0), AT(8, H, 1), 0, NULL));
	P(IMG(q, o.image, o.image, ZERO, AT(8, 0, 0), AT(8, H, 1), 0, NULL));
	P(IMG(q, o.volume, o.volume, ZERO, AT(0, 0, 1), AT(W, H, 2), 0, NULL));
	P(IMG(q, o.volume, o.volume, ZERO, AT(0, 0, 2), AT(W, H, 2), 0, NULL));
	P(OUT(NULL, NULL, NULL, NULL, NULL, 0, 1, NULL));
	P(OUT(q, NULL, NULL, NULL, NULL, 0, 1, NULL));
	P(OUT(q, o.foreign, o.image, NULL, NULL, 0, 1, NULL));
	P(OUT(q, o.foreign, o.image, NULL, NULL, 0, 0, NULL));
	P(OUT(q, o.image, o.foreign_buffer, NULL, NULL, 0, 0, NULL));
	P(OUT(q, o.buffer, o.image, NULL, NULL, 0, 0, NULL));
	P(OUT(q, o.buffer, o.image, ZERO, ALL, 0, 0, NULL));
	P(OUT(q, o.image, o.flat, ZERO, ALL, 0, 0, NULL));
	P(OUT(q, o.image, o.buffer, AT(0, 0, 1), ALL, 0, 0, NULL));
	P(OUT(q, o.image, o.buffer, AT(1, 0, 0), ALL, 0, 0, NULL));
	P(OUT(q, o.image, o.buffer, ZERO, ALL, BUFFER - W * H * 4, 0, NULL));
	P(OUT(q, o.image, o.buffer, ZERO, ALL, BUFFER - W * H * 4 + 1, 0, NULL));
	P(OUT(q, o.image, o.buffer, ZERO, ALL, 0, 1, &other_event));
	P(OUT(q, o.over, o.foreign_buffer, ZERO, AT(W, 1, 1), 0, 0, NULL));
	VIRTUAL_OK(OUT(q, o.over, o.buffer, ZERO, AT(W, 1, 1), 1024, 0, NULL));
	P(OUT(q, o.over, o.buffer, ZERO, AT(W, 1, 1), BUFFER - W * 4 + 4, 0, NULL));
	P(IN(NULL, NULL, NULL, 0, NULL, NULL, 1, NULL));
	P(IN(q, NULL, NULL, 0, NULL, NULL, 1, NULL));
	P(IN(q, o.buffer, NULL, 0, NULL, NULL, 1, NULL));
	P(IN(q, o.foreign_buffer, o.buffer, 0, NULL, NULL, 1, NULL));
	P(IN(q, o.foreign_buffer, o.buffer, 0, NULL, NULL, 0, NULL));
	P(IN(q, o.buffer, o.foreign, 0, NULL, NULL, 0, NULL));
	P(IN(q, o.image, o.buffer, 0, NULL, NULL, 0, NULL));
	P(IN(q, o.image, o.flat, 0, ZERO, ALL, 0, NULL));
	P(IN(q, o.buffer, o.buffer, 0, ZERO, ALL, 0, NULL));
	P(IN(q, o.buffer, o.image, 0, AT(0, 0, 1), ALL, 0, NULL));
	P(IN(q, o.buffer, o.image, 0, AT(0, 1, 0), ALL, 0, NULL));
	P(IN(q, o.buffer, o.image, BUFFER - W * H * 4, ZERO, ALL, 0, NULL));
	P(IN(q, o.buffer, o.image, BUFFER - W * H * 4 + 1, ZERO, ALL, 0, NULL));
	P(IN(q, o.buffer, o.image, 0, ZERO, ALL, 1, &other_event));
	P(IN(q, o.buffer, o.over, 1024, ZERO, AT(W, 1, 1), 0, NULL));
	P(clFinish(q));
	drop(&o);
}

static void map(struct cl_env *env, int line, cl_mem mem, cl_map_flags flags, const size_t *at, const size_t *region,
		bool row_wanted, bool slice_wanted, cl_uint n, const cl_event *list)
{
	size_t row = 0, slice = 0;
	cl_int err = 12345;
	void *p = clEnqueueMapImage(env->queue, mem, CL_TRUE, flags, at, region, row_wanted ? &row : NULL,
				    slice_wanted ? &slice : NULL, n, list, NULL, &err);

	printf("%d: %d", line, (int)err);
	if (p) {
		/* PoCL does not tell a buffer's pitches */
		if (GET_INFO(cl_mem_object_type, clGetMemObjectInfo, mem, CL_MEM_TYPE) != CL_MEM_OBJECT_IMAGE1D_BUFFER)
			printf(" row %zu slice %zu", row, slice);
		printf(" maps %u", GET_INFO(cl_uint, clGetMemObjectInfo, mem, CL_MEM_MAP_COUNT));
		printf(" unmap %d", (int)clEnqueueUnmapMemObject(env->queue, mem, p, 0, NULL, NULL));
		clFinish(env->queue);
		printf(" maps %u", GET_INFO(cl_uint, clGetMemObjectInfo, mem, CL_MEM_MAP_COUNT));
	}
	printf("\n");
}

#define MAP(...) map(env, __LINE__, __VA_ARGS__)

static void maps(struct cl_env *env)
{
	struct objects o;
	cl_int err = 0;
	size_t row;

	make(env, &o);
	clEnqueueMapImage(NULL, NULL, CL_TRUE, 0, NULL, NULL, NULL, NULL, 1, NULL, NULL, &err);
	P(err);
	MAP(NULL, CL_MAP_READ, NULL, NULL, false, false, 1, NULL);
	MAP(o.foreign, CL_MAP_READ, NULL, NULL, false, false, 1, NULL);
	MAP(o.buffer, CL_MAP_READ, NULL, NULL, false, false, 1, NULL);
	MAP(o.no_access, CL_MAP_READ, NULL, NULL, false, false, 1, NULL);
	MAP(o.no_access, CL_MAP_READ, NULL, NULL, false, false, 1, &other_event);
	MAP(o.no_access, CL_MAP_READ, NULL, NULL, false, false, 0, NULL);
	MAP(o.no_access, CL_MAP_READ, NULL, NULL, true, true, 0, NULL);
	MAP(o.no_access, CL_MAP_READ, ZERO, ALL, true, true, 0, NULL);
	MAP(o.no_access, CL_MAP_WRITE, ZERO, ALL, true, true, 0, NULL);
	MAP(o.read_only, CL_MAP_WRITE, ZERO, ALL, true, true, 0, NULL);
	MAP(o.read_only, CL_MAP_WRITE_INVALIDATE_REGION, ZERO, ALL, true, true, 0, NULL);
	MAP(o.read_only, CL_MAP_READ, ZERO, ALL, true, true, 0, NULL);
	MAP(o.write_only, CL_MAP_READ | CL_MAP_WRITE, ZERO, ALL, true, true, 0, NULL);
	MAP(o.write_only, CL_MAP_WRITE, ZERO, ALL, true, true, 0, NULL);
	MAP(o.image, CL_MAP_READ, ZERO, ALL, true, false, 0, NULL);
	MAP(o.image, CL_MAP_READ, AT(1, 0, 0), ALL, true, false, 0, NULL);
	MAP(o.image, CL_MAP_READ, AT(0, 0, 1), ALL, true, false, 0, NULL);
	MAP(o.image, 0, ZERO, ALL, true, true, 0, NULL);
	MAP(o.image, CL_MAP_READ | CL_MAP_WRITE_INVALIDATE_REGION, ZERO, ALL, true, true, 0, NULL);
	MAP(o.image, 0xf0, ZERO, ALL, true, true, 0, NULL);
	MAP(o.line, CL_MAP_READ, ZERO, AT(W, 1, 1), true, false, 0, NULL);
	MAP(o.lines, CL_MAP_READ, ZERO, AT(W, D, 1), true, false, 0, NULL);
	MAP(o.lines, CL_MAP_READ, ZERO, AT(W, D, 1), true, true, 0, NULL);
	MAP(o.layers, CL_MAP_READ, ZERO, AT(W, H, D), true, false, 0, NULL);
	MAP(o.layers, CL_MAP_READ, AT(1, 1, 1), AT(2, 2, 2), true, true, 0, NULL);
	MAP(o.volume, CL_MAP_READ, ZERO, AT(W, H, D), true, false, 0, NULL);
	MAP(o.volume, CL_MAP_WRITE, ZERO, AT(W, H, D), true, true, 0, NULL);
	MAP(o.volume, CL_MAP_WRITE, ZERO, AT(W, H, D + 1), true, true, 0, NULL);
	MAP(o.over, CL_MAP_READ, ZERO, AT(W, 1, 1), true, false, 0, NULL);
	MAP(o.over, CL_MAP_WRITE, AT(8, 0, 0), AT(W, 1, 1), false, false, 0, NULL);
	MAP(o.over, CL_MAP_WRITE, ZERO, AT(BUFFER / 4 + 1, 1, 1), true, false, 0, NULL);
	P(clEnqueueUnmapMemObject(env->queue, o.image, host, 0, NULL, NULL));
	P(clEnqueueUnmapMemObject(env->queue, o.no_access, host, 0, NULL, NULL));
	P(clEnqueueUnmapMemObject(env->queue, o.no_access, host, 1, NULL, NULL));
	P(clEnqueueUnmapMemObject(env->queue, o.foreign, host, 1, NULL, NULL));
	clEnqueueMapBuffer(env->queue, o.image, CL_TRUE, CL_MAP_READ, 0, 64, 0, NULL, NULL, &err);
	P(err);
	(void)row;
	drop(&o);
}

static void infos(struct cl_env *env)
{
	static const cl_image_info image_params[] = {
		CL_IMAGE_FORMAT, CL_IMAGE_ELEMENT_SIZE, CL_IMAGE_ROW_PITCH, CL_IMAGE_SLICE_PITCH, CL_IMAGE_WIDTH,
		CL_IMAGE_HEIGHT, CL_IMAGE_DEPTH, CL_IMAGE_ARRAY_SIZE, CL_IMAGE_NUM_MIP_LEVELS, CL_IMAGE_NUM_SAMPLES,
		CL_IMAGE_BUFFER, 0, 0x1119, CL_MEM_TYPE,
	};
	static const cl_mem_info mem_params[] = { CL_MEM_TYPE, CL_MEM_FLAGS, CL_MEM_SIZE, CL_MEM_MAP_COUNT,
						  CL_MEM_REFERENCE_COUNT, CL_MEM_ASSOCIATED_MEMOBJECT, CL_MEM_OFFSET,
						  CL_MEM_USES_SVM_POINTER, CL_MEM_PROPERTIES };
	unsigned char value[64];
	struct objects o;
	size_t size;

	make(env, &o);
	P(clGetImageInfo(NULL, CL_IMAGE_WIDTH, 8, value, &size));
	P(clGetImageInfo(o.image, CL_IMAGE_WIDTH, 4, value, NULL));
	for (cl_mem *m = (cl_mem *)&o; m < (cl_mem *)(&o + 1); m++) {
		for (size_t i = 0; i < COUNT_OF(image_params) + COUNT_OF(mem_params); i++) {
			bool is_image = i < COUNT_OF(image_params);
			cl_uint param = is_image ? image_params[i] : mem_params[i - COUNT_OF(image_params)];
			cl_int err;

			size = 999;
			memset(value, 0, sizeof(value));
			err = is_image ? clGetImageInfo(*m, param, sizeof(value), value, &size) :
					 clGetMemObjectInfo(*m, param, sizeof(value), value, &size);
			printf("%d %x: %d", (int)(m - (cl_mem *)&o), param, (int)err);
			if (!err && (param == CL_IMAGE_BUFFER || param == CL_MEM_ASSOCIATED_MEMOBJECT))
				printf(" %d", memcmp(value, &o.buffer, sizeof(cl_mem)) == 0);
			else if (!err)
				for (size_t b = 0; b < size && b < sizeof(value); b++)
					printf(" %02x", value[b]);
			printf("\n");
		}
	}
	drop(&o);
}

static cl_sampler sampler(struct cl_env *env, const cl_sampler_properties *list)
{
	cl_int err = 12345;
	cl_sampler s = clCreateSamplerWithProperties(env ? env->ctx : NULL, list, &err);

	printf("%d", (int)err);
	if (s)
		printf(" %u %x %x", GET_INFO(cl_bool, clGetSamplerInfo, s, CL_SAMPLER_NORMALIZED_COORDS),
		       GET_INFO(cl_addressing_mode, clGetSamplerInfo, s, CL_SAMPLER_ADDRESSING_MODE),
		       GET_INFO(cl_filter_mode, clGetSamplerInfo, s, CL_SAMPLER_FILTER_MODE));
	printf("\n");
	if (s)
		clReleaseSampler(s);
	return s;
}

#define LIST(...) ((const cl_sampler_properties[]){ __VA_ARGS__ })

static void samplers(struct cl_env *env)
{
	cl_int err = 12345;
	cl_sampler s;
	size_t size;

	for (cl_bool n = 0; n < 3; n++) {
		for (cl_addressing_mode a = CL_ADDRESS_NONE - 1; a <= CL_ADDRESS_MIRRORED_REPEAT + 1; a++) {
			for (cl_filter_mode f = CL_FILTER_NEAREST - 1; f <= CL_FILTER_LINEAR + 1; f++) {
				s = clCreateSampler(env->ctx, n, a, f, &err);
				printf("%u %x %x: %d\n", n, a, f, (int)err);
				if (s)
					clReleaseSampler(s);
			}
		}
	}
	s = clCreateSampler(NULL, 2, 0, 0, &err);
	P(err);
	sampler(env, NULL);
	sampler(NULL, NULL);
	sampler(NULL, LIST(0));
	sampler(NULL, LIST(7, 7, 0));
	sampler(env, LIST(0));
	sampler(env, LIST(CL_SAMPLER_FILTER_MODE, CL_FILTER_LINEAR, 0));
	sampler(env, LIST(CL_SAMPLER_FILTER_MODE, CL_FILTER_LINEAR, CL_SAMPLER_FILTER_MODE, CL_FILTER_LINEAR, 0));
	sampler(env, LIST(CL_SAMPLER_ADDRESSING_MODE, 5, CL_SAMPLER_NORMALIZED_COORDS, 0, 0));
	sampler(env, LIST(CL_SAMPLER_ADDRESSING_MODE, CL_ADDRESS_REPEAT, CL_SAMPLER_NORMALIZED_COORDS, 0, 0));
	sampler(env, LIST(CL_SAMPLER_NORMALIZED_COORDS, 3, 0));
	sampler(env, LIST(CL_SAMPLER_MIP_FILTER_MODE, CL_FILTER_LINEAR, 0));
	s = clCreateSampler(env->ctx, CL_TRUE, CL_ADDRESS_CLAMP, CL_FILTER_LINEAR, &err);
	P(clGetSamplerInfo(NULL, CL_SAMPLER_CONTEXT, 0, NULL, &size));
	P(clGetSamplerInfo(s, 0, 0, NULL, &size));
	P(clGetSamplerInfo(s, CL_SAMPLER_CONTEXT, 4, &size, NULL));
	P(clGetSamplerInfo(s, CL_SAMPLER_PROPERTIES, 0, NULL, &size));
	P(size);
	P(clGetSamplerInfo(s, CL_SAMPLER_MIP_FILTER_MODE, 0, NULL, &size));
	P(clGetSamplerInfo(s, CL_SAMPLER_LOD_MIN, 0, NULL, &size));
	P(clRetainSampler(NULL));
	P(clReleaseSampler(NULL));
	P(clRetainSampler(s));
	P(GET_INFO(cl_uint, clGetSamplerInfo, s, CL_SAMPLER_REFERENCE_COUNT));
	P(clReleaseSampler(s));
	P(clReleaseSampler(s));
}

static void formats(struct cl_env *env)
{
	cl_image_format list[256];
	cl_uint n = 0;

	for (cl_mem_object_type t = CL_MEM_OBJECT_BUFFER; t <= CL_MEM_OBJECT_PIPE; t++) {
		for (cl_mem_flags flags = 0; flags < 8; flags++) {
			cl_int err = clGetSupportedImageFormats(env->ctx, flags, t, COUNT_OF(list), list, &n);

			printf("%x %u: %d %u\n", t, (unsigned)flags, (int)err, n);
			for (cl_uint i = 0; !err && i < n; i++)
				printf("%x:%x\n", list[i].image_channel_order, list[i].image_channel_data_type);
		}
		P(clGetSupportedImageFormats(env->ctx, CL_MEM_KERNEL_READ_AND_WRITE, t, COUNT_OF(list), list, &n));
		P(n);
		P(clGetSupportedImageFormats(env->ctx, RW | CL_MEM_KERNEL_READ_AND_WRITE, t, 1, list, &n));
		P(n);
		P(clGetSupportedImageFormats(env->ctx, (cl_mem_flags)1 << 40, t, 0, NULL, &n));
		P(clGetSupportedImageFormats(env->ctx, RW, t, 0, list, &n));
		P(clGetSupportedImageFormats(NULL, RW, t, 0, list, &n));
		P(clGetSupportedImageFormats(env->ctx, RW, t, 0, NULL, NULL));
	}
}

static cl_int type_of(cl_event *e)
{
	cl_int type = (cl_int)GET_INFO(cl_command_type, clGetEventInfo, *e, CL_EVENT_COMMAND_TYPE);

	CHECK_OK(clWaitForEvents(1, e));
	CHECK_OK(clReleaseEvent(*e));
	return type;
}

/* What the events of image commands say. */
static void event_types(struct cl_env *env)
{
	cl_command_queue q = env->queue;
	struct objects o;
	size_t row;
	cl_event e;
	void *p;

	make(env, &o);
	for (int i = 0; i < 2; i++) {
		cl_mem m = i ? o.over : o.line;
		const size_t *all = AT(W, 1, 1);

		P(clEnqueueReadImage(q, m, CL_TRUE, ZERO, all, 0, 0, host, 0, NULL, &e));
		P(type_of(&e));
		P(clEnqueueWriteImage(q, m, CL_FALSE, ZERO, all, 0, 0, host, 0, NULL, &e));
		P(type_of(&e));
		if (m == o.line) { /* of a buffer's image: see VIRTUAL_OK */
			P(clEnqueueFillImage(q, m, colour, ZERO, all, 0, NULL, &e));
			P(type_of(&e));
			P(clEnqueueCopyImageToBuffer(q, m, o.buffer, ZERO, all, 1024, 0, NULL, &e));
			P(type_of(&e));
		}
		P(clEnqueueCopyBufferToImage(q, o.buffer, m, 1024, ZERO, all, 0, NULL, &e));
		P(type_of(&e));
		p = clEnqueueMapImage(q, m, CL_TRUE, CL_MAP_WRITE, ZERO, all, &row, NULL, 0, NULL, &e, NULL);
		P(type_of(&e));
		P(clEnqueueUnmapMemObject(q, m, p, 0, NULL, &e));
		P(type_of(&e));
	}
	P(clEnqueueCopyImage(q, o.image, o.flat, ZERO, ZERO, ALL, 0, NULL, &e));
	P(type_of(&e));
	drop(&o);
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(descriptors), CL_CASE(of_buffers), CL_CASE(transfers), CL_CASE(copies), CL_CASE(maps),
		CL_CASE(infos), CL_CASE(samplers), CL_CASE(formats), CL_CASE(event_types), { NULL, NULL },
	};
	struct cl_env env;

	cl_env_open(&env);
	other_ctx = clCreateContext(NULL, 1, &env.device, NULL, NULL, NULL);
	other_queue = clCreateCommandQueueWithProperties(other_ctx, env.device, NULL, NULL);
	other_event = clCreateUserEvent(other_ctx, NULL);
	cl_env_close(&env);
	return cl_test_main(argc, argv, cases, 0);
}
