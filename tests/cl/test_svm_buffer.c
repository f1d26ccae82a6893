/* SPDX-License-Identifier: MIT */
/*
 * Buffers and images over shared virtual memory (CL_MEM_USE_HOST_PTR): used in place, without a map.
 * What must be equal natively and virtually goes to standard output.
 */
#include "cl_test.h"

#define COUNT 4096
#define SIZE (COUNT * sizeof(cl_uint))

static cl_uint *p;
static cl_program program;
static cl_kernel add, invert;

static const char source[] =
	"__kernel void add(__global uint *p, uint v) { p[get_global_id(0)] += v; }\n"
	"__kernel void invert(__read_only image2d_t in, __write_only image2d_t out) {\n"
	"  int2 at = (int2)(get_global_id(0), get_global_id(1));\n"
	"  write_imageui(out, at, 255 - read_imageui(in, at));\n"
	"}\n";

static void show(const char *what, cl_int err)
{
	printf("%s: %s\n", what, cl_err_name(err));
}

static void setup(struct cl_env *env)
{
	cl_device_svm_capabilities caps =
		GET_INFO(cl_device_svm_capabilities, clGetDeviceInfo, env->device, CL_DEVICE_SVM_CAPABILITIES);

	if (!(caps & CL_DEVICE_SVM_COARSE_GRAIN_BUFFER))
		cl_test_skip("no shared virtual memory");
	p = clSVMAlloc(env->ctx, 0, SIZE, 0);
	CHECK(p);
	program = cl_build(env, source, NULL);
	add = cl_kernel_new(program, "add");
	invert = cl_kernel_new(program, "invert");
}

static void show_create(struct cl_env *env, const char *what, cl_mem_flags flags, size_t size, void *host)
{
	cl_int err = 1;
	cl_mem mem = clCreateBuffer(env->ctx, flags, size, host, &err);

	show(what, err);
	if (!mem)
		return;
	printf("uses a pointer of SVM: %u\n", GET_INFO(cl_bool, clGetMemObjectInfo, mem, CL_MEM_USES_SVM_POINTER));
	CHECK(GET_INFO(void *, clGetMemObjectInfo, mem, CL_MEM_HOST_PTR) == (flags & CL_MEM_USE_HOST_PTR ? host : NULL));
	CHECK_OK(clReleaseMemObject(mem));
}

static void creates(struct cl_env *env)
{
	static cl_uint plain[64];

	show_create(env, "all of it", CL_MEM_USE_HOST_PTR, SIZE, p);
	show_create(env, "a part of it", CL_MEM_USE_HOST_PTR, SIZE / 2, p);
	show_create(env, "more than it", CL_MEM_USE_HOST_PTR, SIZE + 1, p);
	show_create(env, "from the middle", CL_MEM_USE_HOST_PTR, SIZE / 2, p + COUNT / 2);
	show_create(env, "a copy of it", CL_MEM_COPY_HOST_PTR, SIZE, p);
	show_create(env, "plain memory", CL_MEM_USE_HOST_PTR, sizeof(plain), plain);
	show_create(env, "no memory", CL_MEM_READ_WRITE, SIZE, NULL);
	show_create(env, "fine grain", CL_MEM_READ_WRITE | CL_MEM_SVM_FINE_GRAIN_BUFFER, SIZE, NULL);
	show_create(env, "fine grain over it", CL_MEM_USE_HOST_PTR | CL_MEM_SVM_FINE_GRAIN_BUFFER, SIZE, p);
	show_create(env, "atomics", CL_MEM_READ_WRITE | CL_MEM_SVM_ATOMICS, SIZE, NULL);
}

static void run_add(struct cl_env *env, cl_mem mem, cl_uint value, size_t count)
{
	CHECK_OK(clSetKernelArg(add, 0, sizeof(mem), &mem));
	CHECK_OK(clSetKernelArg(add, 1, sizeof(value), &value));
	CHECK_OK(clEnqueueNDRangeKernel(env->queue, add, 1, NULL, &count, NULL, 0, NULL, NULL));
}

static void in_place(struct cl_env *env)
{
	cl_mem mem, sub;
	cl_buffer_region half = { SIZE / 2, SIZE / 2 }, start = { 0, SIZE / 2 };
	cl_uint *map, seven = 7, *back = malloc(SIZE);
	cl_int err;

	memset(p, 0, SIZE);
	mem = cl_buffer(env, CL_MEM_USE_HOST_PTR, SIZE, p);
	p[5] = 100; /* after the buffer was made, without a map */
	run_add(env, mem, 1, COUNT);
	CHECK_OK(clFinish(env->queue));
	printf("%u %u %u\n", p[0], p[5], p[COUNT - 1]);
	p[6] = 200;
	run_add(env, mem, 1, COUNT);
	map = clEnqueueMapBuffer(env->queue, mem, CL_TRUE, CL_MAP_READ | CL_MAP_WRITE, 16, 64, 0, NULL, NULL, &err);
	CHECK_OK(err);
	printf("map is in place: %d, %u %u\n", map == p + 4, map[1], map[2]);
	map[0] = 1000;
	CHECK_OK(clEnqueueUnmapMemObject(env->queue, mem, map, 0, NULL, NULL));
	run_add(env, mem, 1, COUNT);
	CHECK_OK(clEnqueueReadBuffer(env->queue, mem, CL_TRUE, 0, SIZE, back, 0, NULL, NULL));
	printf("read %u %u, there %u\n", back[4], back[6], p[4]);
	CHECK_OK(clEnqueueFillBuffer(env->queue, mem, &seven, 4, 0, 64, 0, NULL, NULL));
	CHECK_OK(clEnqueueWriteBuffer(env->queue, mem, CL_TRUE, 64, 64, back, 0, NULL, NULL));
	printf("filled %u, written %u\n", p[0], p[16 + 4]);

	sub = clCreateSubBuffer(mem, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &start, &err);
	CHECK_OK(err);
	printf("part at the start: %u\n", GET_INFO(cl_bool, clGetMemObjectInfo, sub, CL_MEM_USES_SVM_POINTER));
	CHECK_OK(clReleaseMemObject(sub));
	sub = clCreateSubBuffer(mem, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &half, &err);
	CHECK_OK(err);
	printf("part behind: %u\n", GET_INFO(cl_bool, clGetMemObjectInfo, sub, CL_MEM_USES_SVM_POINTER));
	memset(p, 0, SIZE);
	run_add(env, sub, 9, COUNT / 2);
	CHECK_OK(clFinish(env->queue));
	printf("%u %u %u\n", p[0], p[COUNT / 2], p[COUNT - 1]);
	CHECK_OK(clReleaseMemObject(sub));
	CHECK_OK(clReleaseMemObject(mem));
	free(back);
}

/* Pointers to one memory as buffer and as pointer. */
static void buffer_and_pointer(struct cl_env *env)
{
	cl_mem mem = cl_buffer(env, CL_MEM_USE_HOST_PTR, SIZE, p);
	size_t count = COUNT;
	cl_uint two = 2;

	memset(p, 0, SIZE);
	run_add(env, mem, 1, COUNT);
	CHECK_OK(clSetKernelArgSVMPointer(add, 0, p));
	CHECK_OK(clSetKernelArg(add, 1, sizeof(two), &two));
	CHECK_OK(clEnqueueNDRangeKernel(env->queue, add, 1, NULL, &count, NULL, 0, NULL, NULL));
	CHECK_OK(clEnqueueSVMMemcpy(env->queue, CL_TRUE, p + 1, p, 4, 0, NULL, NULL));
	printf("%u %u\n", p[0], p[COUNT - 1]);
	CHECK_OK(clReleaseMemObject(mem));
}

static void image(struct cl_env *env)
{
	const cl_image_format format = { CL_RGBA, CL_UNSIGNED_INT8 };
	const cl_image_desc desc = { .image_type = CL_MEM_OBJECT_IMAGE2D, .image_width = 32, .image_height = 16,
				     .image_row_pitch = 256 };
	uint8_t *in = clSVMAlloc(env->ctx, 0, 16 * 256, 0), *out = clSVMAlloc(env->ctx, 0, 16 * 256, 0);
	size_t size[2] = { 32, 16 };
	cl_mem image_in, image_out;
	unsigned int wrong = 0;
	cl_int err;

	REQUIRE(in && out);
	memset(out, 1, 16 * 256);
	image_in = clCreateImage(env->ctx, CL_MEM_READ_ONLY | CL_MEM_USE_HOST_PTR, &format, &desc, in, &err);
	REQUIRE_OK(err);
	image_out = clCreateImage(env->ctx, CL_MEM_WRITE_ONLY | CL_MEM_USE_HOST_PTR, &format, &desc, out, &err);
	REQUIRE_OK(err);
	printf("image: %u\n", GET_INFO(cl_bool, clGetMemObjectInfo, image_in, CL_MEM_USES_SVM_POINTER));
	cl_pattern(in, 16 * 256, 5); /* after the image was made */
	CHECK_OK(clSetKernelArg(invert, 0, sizeof(image_in), &image_in));
	CHECK_OK(clSetKernelArg(invert, 1, sizeof(image_out), &image_out));
	CHECK_OK(clEnqueueNDRangeKernel(env->queue, invert, 2, NULL, size, NULL, 0, NULL, NULL));
	CHECK_OK(clFinish(env->queue));
	for (int y = 0; y < 16; y++)
		for (int x = 0; x < 256; x++)
			wrong += out[y * 256 + x] != (x < 128 ? 255 - in[y * 256 + x] : 1);
	printf("wrong bytes: %u\n", wrong);
	CHECK_OK(clReleaseMemObject(image_in));
	CHECK_OK(clReleaseMemObject(image_out));
	clSVMFree(env->ctx, in);
	clSVMFree(env->ctx, out);
}

/* Large ones have memory of their own on a virtual device. */
static void large(struct cl_env *env)
{
	enum { BYTES = 20 << 20 };
	cl_uint *big = clSVMAlloc(env->ctx, 0, BYTES, 0);
	cl_mem mem;

	REQUIRE(big);
	memset(big, 0, BYTES);
	mem = cl_buffer(env, CL_MEM_USE_HOST_PTR, BYTES, big);
	run_add(env, mem, 3, BYTES / 4);
	CHECK_OK(clFinish(env->queue));
	printf("large %u %u\n", big[0], big[BYTES / 4 - 1]);
	CHECK_OK(clReleaseMemObject(mem));
	clSVMFree(env->ctx, big);
}

static void teardown(struct cl_env *env)
{
	clSVMFree(env->ctx, p);
	CHECK_OK(clReleaseKernel(add));
	CHECK_OK(clReleaseKernel(invert));
	CHECK_OK(clReleaseProgram(program));
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(setup), CL_CASE(creates), CL_CASE(in_place), CL_CASE(buffer_and_pointer), CL_CASE(image),
		CL_CASE(large), CL_CASE(teardown), { NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, 0);
}
