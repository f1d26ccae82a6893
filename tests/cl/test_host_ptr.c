/* SPDX-License-Identifier: MIT */
/*
 * Buffers over the program's own memory. What the specification promises is
 * tested, not what a driver without copies happens to do: the program's memory
 * holds the results after a map or a blocking read of the buffer.
 */
#include "cl_test.h"

#include <sys/mman.h>

#define COUNT 4096
#define SIZE (COUNT * sizeof(cl_uint))

static cl_program program;
static cl_kernel add;

static const char source[] =
	"__kernel void add(__global uint *p, uint v) { p[get_global_id(0)] += v; }\n";

static void setup(struct cl_env *env)
{
	program = cl_build(env, source, NULL);
	add = cl_kernel_new(program, "add");
}

static void run_add(struct cl_env *env, cl_mem mem, cl_uint value)
{
	size_t count = COUNT;

	CHECK_OK(clSetKernelArg(add, 0, sizeof(mem), &mem));
	CHECK_OK(clSetKernelArg(add, 1, sizeof(value), &value));
	CHECK_OK(clEnqueueNDRangeKernel(env->queue, add, 1, NULL, &count, NULL, 0, NULL, NULL));
}

static void number(cl_uint *p, cl_uint base)
{
	for (cl_uint i = 0; i < COUNT; i++)
		p[i] = base + i;
}

static bool numbered(const cl_uint *p, cl_uint base)
{
	for (cl_uint i = 0; i < COUNT; i++)
		if (p[i] != base + i)
			return false;
	return true;
}

static void use_then_map(struct cl_env *env)
{
	cl_uint *host = aligned_alloc(4096, SIZE);
	cl_mem mem;
	cl_uint *p;
	cl_int err = -1;

	number(host, 10);
	mem = cl_buffer(env, CL_MEM_USE_HOST_PTR, SIZE, host);
	run_add(env, mem, 5);
	p = clEnqueueMapBuffer(env->queue, mem, CL_TRUE, CL_MAP_READ, 0, SIZE, 0, NULL, NULL, &err);
	CHECK_OK(err);
	/* the address is the program's own */
	CHECK(p == host);
	CHECK(numbered(host, 15));
	CHECK_OK(clEnqueueUnmapMemObject(env->queue, mem, p, 0, NULL, NULL));
	CHECK_OK(clFinish(env->queue));
	CHECK_OK(clReleaseMemObject(mem));
	free(host);
}

/* A map of a part gives the address of that part of the program's memory. */
static void use_then_map_part(struct cl_env *env)
{
	cl_uint *host = malloc(SIZE);
	cl_mem mem;
	cl_uint *p;
	cl_int err = -1;

	number(host, 0);
	mem = cl_buffer(env, CL_MEM_USE_HOST_PTR, SIZE, host);
	run_add(env, mem, 100);
	p = clEnqueueMapBuffer(env->queue, mem, CL_TRUE, CL_MAP_READ, 1024, 512, 0, NULL, NULL, &err);
	CHECK_OK(err);
	CHECK(p == host + 256);
	CHECK(p && p[0] == 356 && p[127] == 483);
	CHECK_OK(clEnqueueUnmapMemObject(env->queue, mem, p, 0, NULL, NULL));
	CHECK_OK(clFinish(env->queue));
	CHECK_OK(clReleaseMemObject(mem));
	free(host);
}

static void use_then_read(struct cl_env *env)
{
	cl_uint *host = malloc(SIZE), *out = calloc(1, SIZE);
	cl_mem mem;

	number(host, 1);
	mem = cl_buffer(env, CL_MEM_USE_HOST_PTR, SIZE, host);
	run_add(env, mem, 1);
	CHECK_OK(clEnqueueReadBuffer(env->queue, mem, CL_TRUE, 0, SIZE, out, 0, NULL, NULL));
	CHECK(numbered(out, 2));
	/* reading into the very same memory is a way programs ask for the results */
	run_add(env, mem, 1);
	CHECK_OK(clEnqueueReadBuffer(env->queue, mem, CL_TRUE, 0, SIZE, host, 0, NULL, NULL));
	CHECK(numbered(host, 3));
	CHECK_OK(clReleaseMemObject(mem));
	free(host);
	free(out);
}

/* What the program stores through a write map reaches the next kernel. */
static void use_map_write(struct cl_env *env)
{
	cl_uint *host = calloc(1, SIZE), *out = calloc(1, SIZE);
	cl_mem mem = cl_buffer(env, CL_MEM_USE_HOST_PTR, SIZE, host);
	cl_int err = -1;

	for (cl_uint round = 0; round < 10; round++) {
		cl_map_flags flags = round & 1 ? CL_MAP_WRITE : CL_MAP_WRITE_INVALIDATE_REGION;
		cl_uint *p = clEnqueueMapBuffer(env->queue, mem, CL_TRUE, flags, 0, SIZE, 0, NULL, NULL, &err);

		CHECK_OK(err);
		CHECK(p == host);
		number(p, round * 1000);
		CHECK_OK(clEnqueueUnmapMemObject(env->queue, mem, p, 0, NULL, NULL));
		run_add(env, mem, 3);
		CHECK_OK(clEnqueueReadBuffer(env->queue, mem, CL_TRUE, 0, SIZE, out, 0, NULL, NULL));
		CHECK(numbered(out, round * 1000 + 3));
	}
	CHECK_OK(clReleaseMemObject(mem));
	free(host);
	free(out);
}

/* What is written to a mapped part of the buffer stays, whatever is waited for meanwhile. */
static void use_map_write_sub_buffer(struct cl_env *env)
{
	const cl_buffer_region region = { 0, SIZE / 2 };
	cl_uint *host = aligned_alloc(4096, SIZE), *out = calloc(1, SIZE), *p;
	cl_int err = -1;
	cl_mem mem, sub;

	number(host, 0);
	mem = cl_buffer(env, CL_MEM_USE_HOST_PTR, SIZE, host);
	sub = clCreateSubBuffer(mem, 0, CL_BUFFER_CREATE_TYPE_REGION, &region, &err);
	REQUIRE_OK(err);
	run_add(env, mem, 1);
	p = clEnqueueMapBuffer(env->queue, sub, CL_TRUE, CL_MAP_READ | CL_MAP_WRITE, 0, SIZE / 2, 0, NULL, NULL, &err);
	REQUIRE_OK(err);
	CHECK_EQ(p[1], 2);
	p[1] = 77;
	CHECK_OK(clFinish(env->queue));
	CHECK_EQ(p[1], 77);
	CHECK_OK(clEnqueueUnmapMemObject(env->queue, sub, p, 0, NULL, NULL));
	CHECK_OK(clEnqueueReadBuffer(env->queue, mem, CL_TRUE, 0, SIZE, out, 0, NULL, NULL));
	CHECK_EQ(out[0], 1);
	CHECK_EQ(out[1], 77);
	CHECK_OK(clReleaseMemObject(sub));
	CHECK_OK(clReleaseMemObject(mem));
	free(host);
	free(out);
}

/* An unmap that has to wait takes over what was written before it, whatever is waited for meanwhile. */
static void use_unmap_behind_a_gate(struct cl_env *env)
{
	const size_t size = 4 << 20; /* more than a driver copies aside */
	cl_event gate = clCreateUserEvent(env->ctx, NULL), other = NULL;
	cl_command_queue queue = cl_queue(env, 0);
	cl_uint *host = aligned_alloc(4096, size), *p, out = 0;
	cl_int err = -1;
	cl_mem mem;

	memset(host, 0, size);
	mem = cl_buffer(env, CL_MEM_USE_HOST_PTR, size, host);
	run_add(env, mem, 1);
	p = clEnqueueMapBuffer(env->queue, mem, CL_TRUE, CL_MAP_READ | CL_MAP_WRITE, 0, size, 0, NULL, NULL, &err);
	REQUIRE_OK(err);
	p[0] = 77;
	CHECK_OK(clEnqueueUnmapMemObject(env->queue, mem, p, 1, &gate, NULL));
	CHECK_OK(clEnqueueMarkerWithWaitList(queue, 0, NULL, &other));
	CHECK_OK(clWaitForEvents(1, &other));
	CHECK_OK(clFinish(queue));
	CHECK_OK(clSetUserEventStatus(gate, CL_COMPLETE));
	CHECK_OK(clEnqueueReadBuffer(env->queue, mem, CL_TRUE, 0, sizeof(out), &out, 0, NULL, NULL));
	CHECK_EQ(out, 77);
	CHECK_OK(clReleaseEvent(gate));
	CHECK_OK(clReleaseEvent(other));
	CHECK_OK(clReleaseMemObject(mem));
	CHECK_OK(clReleaseCommandQueue(queue));
	free(host);
}

/* Odd addresses and sizes are the program's right. */
static void use_unaligned(struct cl_env *env)
{
	static const size_t shifts[] = { 4, 8, 20, 64, 132 };
	unsigned char *block = malloc(SIZE + 4096);

	for (size_t i = 0; i < COUNT_OF(shifts); i++) {
		unsigned char *base = (unsigned char *)(((uintptr_t)block + 511) & ~(uintptr_t)511);
		cl_uint *host = (void *)(base + shifts[i]);
		cl_mem mem;
		cl_int err = -1;
		cl_uint *p;

		number(host, 7);
		mem = cl_buffer(env, CL_MEM_USE_HOST_PTR, SIZE, host);
		run_add(env, mem, 2);
		p = clEnqueueMapBuffer(env->queue, mem, CL_TRUE, CL_MAP_READ, 0, SIZE, 0, NULL, NULL, &err);
		CHECK(p == host);
		CHECK(numbered(host, 9));
		CHECK_OK(clEnqueueUnmapMemObject(env->queue, mem, p, 0, NULL, NULL));
		CHECK_OK(clFinish(env->queue));
		CHECK_OK(clReleaseMemObject(mem));
	}
	free(block);
}

/* Memory outside of the buffer is never touched. */
static void use_spares_neighbours(struct cl_env *env)
{
	unsigned char *block = malloc(SIZE + 2 * 256);
	cl_uint *host = (void *)(block + 256);
	cl_mem mem;
	cl_int err;
	void *p;

	memset(block, 0x77, SIZE + 512);
	number(host, 0);
	mem = cl_buffer(env, CL_MEM_USE_HOST_PTR, SIZE, host);
	run_add(env, mem, 1);
	p = clEnqueueMapBuffer(env->queue, mem, CL_TRUE, CL_MAP_READ | CL_MAP_WRITE, 0, SIZE, 0, NULL, NULL, &err);
	CHECK_OK(clEnqueueUnmapMemObject(env->queue, mem, p, 0, NULL, NULL));
	CHECK_OK(clFinish(env->queue));
	CHECK(cl_all_bytes(block, 256, 0x77));
	CHECK(cl_all_bytes(block + 256 + SIZE, 256, 0x77));
	CHECK_OK(clReleaseMemObject(mem));
	free(block);
}

/* Read-only memory can back a buffer that the kernel only reads. */
static void use_read_only_memory(struct cl_env *env)
{
	cl_uint *host = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	cl_uint *out = calloc(1, SIZE);
	cl_mem mem, copy;

	REQUIRE(host != MAP_FAILED);
	number(host, 4);
	CHECK(mprotect(host, SIZE, PROT_READ) == 0);
	mem = cl_buffer(env, CL_MEM_READ_ONLY | CL_MEM_USE_HOST_PTR | CL_MEM_HOST_READ_ONLY, SIZE, host);
	copy = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	CHECK_OK(clEnqueueCopyBuffer(env->queue, mem, copy, 0, 0, SIZE, 0, NULL, NULL));
	CHECK_OK(clEnqueueReadBuffer(env->queue, copy, CL_TRUE, 0, SIZE, out, 0, NULL, NULL));
	CHECK(numbered(out, 4));
	CHECK_OK(clFinish(env->queue));
	CHECK_OK(clReleaseMemObject(mem));
	CHECK_OK(clReleaseMemObject(copy));
	munmap(host, SIZE);
	free(out);
}

/* The copy is taken at once: the program may change or free its memory. */
static void copy_is_taken_at_create(struct cl_env *env)
{
	cl_uint *host = malloc(SIZE), *out = calloc(1, SIZE);
	cl_mem mem;

	number(host, 42);
	mem = cl_buffer(env, CL_MEM_COPY_HOST_PTR, SIZE, host);
	memset(host, 0, SIZE);
	free(host);
	CHECK_OK(clEnqueueReadBuffer(env->queue, mem, CL_TRUE, 0, SIZE, out, 0, NULL, NULL));
	CHECK(numbered(out, 42));
	run_add(env, mem, 1);
	CHECK_OK(clEnqueueReadBuffer(env->queue, mem, CL_TRUE, 0, SIZE, out, 0, NULL, NULL));
	CHECK(numbered(out, 43));
	CHECK_OK(clReleaseMemObject(mem));
	free(out);
}

static void alloc_host_ptr(struct cl_env *env)
{
	cl_mem mem = cl_buffer(env, CL_MEM_ALLOC_HOST_PTR, SIZE, NULL);
	cl_int err = -1;
	cl_uint *p = clEnqueueMapBuffer(env->queue, mem, CL_TRUE, CL_MAP_WRITE, 0, SIZE, 0, NULL, NULL, &err);

	CHECK_OK(err);
	REQUIRE(p);
	CHECK_EQ((uintptr_t)p % 128, 0);
	number(p, 1);
	CHECK_OK(clEnqueueUnmapMemObject(env->queue, mem, p, 0, NULL, NULL));
	run_add(env, mem, 1);
	p = clEnqueueMapBuffer(env->queue, mem, CL_TRUE, CL_MAP_READ, 0, SIZE, 0, NULL, NULL, &err);
	CHECK(p && numbered(p, 2));
	CHECK_OK(clEnqueueUnmapMemObject(env->queue, mem, p, 0, NULL, NULL));
	CHECK_OK(clFinish(env->queue));
	CHECK_OK(clReleaseMemObject(mem));
}

static void teardown(struct cl_env *env)
{
	(void)env;
	CHECK_OK(clReleaseKernel(add));
	CHECK_OK(clReleaseProgram(program));
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(setup), CL_CASE(use_then_map), CL_CASE(use_then_map_part), CL_CASE(use_then_read),
		CL_CASE(use_map_write), CL_CASE(use_map_write_sub_buffer),
		CL_CASE(use_unmap_behind_a_gate), CL_CASE(use_unaligned), CL_CASE(use_spares_neighbours),
		CL_CASE(use_read_only_memory), CL_CASE(copy_is_taken_at_create), CL_CASE(alloc_host_ptr),
		CL_CASE(teardown), { NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, 0);
}
