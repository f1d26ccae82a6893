/* SPDX-License-Identifier: MIT */
/* Buffers: each flag alone and combined, errors, info, counts, destructors. */
#include "cl_test.h"

#include <stdatomic.h>

#define SIZE 8192

static void sizes(struct cl_env *env)
{
	static const size_t list[] = { 1, 2, 3, 63, 64, 65, 4095, 4096, 4097, 65536, 1 << 20, (16 << 20) - 1,
				       16 << 20, (16 << 20) + 1 };

	for (size_t i = 0; i < COUNT_OF(list); i++) {
		cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, list[i], NULL);
		unsigned char first = 1, last = 2, got = 0;

		CHECK_EQ(GET_INFO(size_t, clGetMemObjectInfo, mem, CL_MEM_SIZE), list[i]);
		CHECK_OK(clEnqueueWriteBuffer(env->queue, mem, CL_TRUE, 0, 1, &first, 0, NULL, NULL));
		CHECK_OK(clEnqueueWriteBuffer(env->queue, mem, CL_TRUE, list[i] - 1, 1, &last, 0, NULL, NULL));
		CHECK_OK(clEnqueueReadBuffer(env->queue, mem, CL_TRUE, list[i] - 1, 1, &got, 0, NULL, NULL));
		CHECK_EQ(got, last);
		CHECK_OK(clReleaseMemObject(mem));
	}
}

static void size_errors(struct cl_env *env)
{
	cl_ulong max = GET_INFO(cl_ulong, clGetDeviceInfo, env->device, CL_DEVICE_MAX_MEM_ALLOC_SIZE);
	cl_int err;

	CHECK_FAILS(err, clCreateBuffer(env->ctx, CL_MEM_READ_WRITE, 0, NULL, &err), CL_INVALID_BUFFER_SIZE);
	CHECK_FAILS(err, clCreateBuffer(env->ctx, CL_MEM_READ_WRITE, max + 1, NULL, &err), CL_INVALID_BUFFER_SIZE);
	CHECK_FAILS(err, clCreateBuffer(env->ctx, CL_MEM_READ_WRITE, SIZE_MAX, NULL, &err), CL_INVALID_BUFFER_SIZE);
	CHECK_FAILS(err, clCreateBuffer(NULL, CL_MEM_READ_WRITE, SIZE, NULL, &err), CL_INVALID_CONTEXT);
	CHECK(!clCreateBuffer(env->ctx, CL_MEM_READ_WRITE, 0, NULL, NULL));
}

static void good_flags(struct cl_env *env)
{
	static unsigned char host[SIZE];
	static const struct {
		cl_mem_flags flags;
		bool host;
	} list[] = {
		{ 0, false },
		{ CL_MEM_READ_WRITE, false },
		{ CL_MEM_READ_ONLY, false },
		{ CL_MEM_WRITE_ONLY, false },
		{ CL_MEM_ALLOC_HOST_PTR, false },
		{ CL_MEM_READ_ONLY | CL_MEM_ALLOC_HOST_PTR, false },
		{ CL_MEM_HOST_READ_ONLY, false },
		{ CL_MEM_HOST_WRITE_ONLY, false },
		{ CL_MEM_HOST_NO_ACCESS, false },
		{ CL_MEM_USE_HOST_PTR, true },
		{ CL_MEM_READ_ONLY | CL_MEM_USE_HOST_PTR | CL_MEM_HOST_READ_ONLY, true },
		{ CL_MEM_COPY_HOST_PTR, true },
		{ CL_MEM_COPY_HOST_PTR | CL_MEM_ALLOC_HOST_PTR, true },
		{ CL_MEM_WRITE_ONLY | CL_MEM_COPY_HOST_PTR | CL_MEM_HOST_NO_ACCESS, true },
	};

	for (size_t i = 0; i < COUNT_OF(list); i++) {
		cl_mem mem = cl_buffer(env, list[i].flags, SIZE, list[i].host ? host : NULL);
		cl_mem_flags got = GET_INFO(cl_mem_flags, clGetMemObjectInfo, mem, CL_MEM_FLAGS);
		cl_mem_flags rw = CL_MEM_READ_WRITE | CL_MEM_READ_ONLY | CL_MEM_WRITE_ONLY;

		/* no access flag means read and write; whether the answer says so is left open */
		CHECK_EQ(got & ~rw, list[i].flags & ~rw);
		CHECK((got & rw) == (list[i].flags & rw) || (!(list[i].flags & rw) && (got & rw) == CL_MEM_READ_WRITE));
		CHECK_OK(clReleaseMemObject(mem));
	}
}

static void bad_flags(struct cl_env *env)
{
	static const cl_mem_flags list[] = {
		CL_MEM_READ_WRITE | CL_MEM_READ_ONLY, CL_MEM_READ_WRITE | CL_MEM_WRITE_ONLY,
		CL_MEM_READ_ONLY | CL_MEM_WRITE_ONLY, CL_MEM_HOST_READ_ONLY | CL_MEM_HOST_WRITE_ONLY,
		CL_MEM_HOST_READ_ONLY | CL_MEM_HOST_NO_ACCESS, CL_MEM_HOST_WRITE_ONLY | CL_MEM_HOST_NO_ACCESS,
		(cl_mem_flags)1 << 40,
	};
	static unsigned char host[SIZE];
	cl_int err;

	for (size_t i = 0; i < COUNT_OF(list); i++)
		CHECK_FAILS(err, clCreateBuffer(env->ctx, list[i], SIZE, NULL, &err), CL_INVALID_VALUE);
	CHECK_FAILS(err, clCreateBuffer(env->ctx, CL_MEM_USE_HOST_PTR | CL_MEM_ALLOC_HOST_PTR, SIZE, host, &err),
		    CL_INVALID_VALUE);
	CHECK_FAILS(err, clCreateBuffer(env->ctx, CL_MEM_USE_HOST_PTR | CL_MEM_COPY_HOST_PTR, SIZE, host, &err),
		    CL_INVALID_VALUE);
}

static void host_pointer_errors(struct cl_env *env)
{
	static unsigned char host[SIZE];
	cl_int err;

	CHECK_FAILS(err, clCreateBuffer(env->ctx, CL_MEM_USE_HOST_PTR, SIZE, NULL, &err), CL_INVALID_HOST_PTR);
	CHECK_FAILS(err, clCreateBuffer(env->ctx, CL_MEM_COPY_HOST_PTR, SIZE, NULL, &err), CL_INVALID_HOST_PTR);
	CHECK_FAILS(err, clCreateBuffer(env->ctx, CL_MEM_READ_WRITE, SIZE, host, &err), CL_INVALID_HOST_PTR);
	CHECK_FAILS(err, clCreateBuffer(env->ctx, CL_MEM_ALLOC_HOST_PTR, SIZE, host, &err), CL_INVALID_HOST_PTR);
}

/* Reads, writes and maps by the host are refused where the flags say so. */
static void host_access(struct cl_env *env)
{
	cl_mem none = cl_buffer(env, CL_MEM_HOST_NO_ACCESS, SIZE, NULL);
	cl_mem ro = cl_buffer(env, CL_MEM_HOST_READ_ONLY, SIZE, NULL);
	cl_mem wo = cl_buffer(env, CL_MEM_HOST_WRITE_ONLY, SIZE, NULL);
	unsigned char buf[SIZE] = { 0 };
	cl_command_queue q = env->queue;
	cl_int err;

	CHECK_ERR(clEnqueueReadBuffer(q, none, CL_TRUE, 0, SIZE, buf, 0, NULL, NULL), CL_INVALID_OPERATION);
	CHECK_ERR(clEnqueueWriteBuffer(q, none, CL_TRUE, 0, SIZE, buf, 0, NULL, NULL), CL_INVALID_OPERATION);
	CHECK_OK(clEnqueueReadBuffer(q, ro, CL_TRUE, 0, SIZE, buf, 0, NULL, NULL));
	CHECK_ERR(clEnqueueWriteBuffer(q, ro, CL_TRUE, 0, SIZE, buf, 0, NULL, NULL), CL_INVALID_OPERATION);
	CHECK_ERR(clEnqueueReadBuffer(q, wo, CL_TRUE, 0, SIZE, buf, 0, NULL, NULL), CL_INVALID_OPERATION);
	CHECK_OK(clEnqueueWriteBuffer(q, wo, CL_TRUE, 0, SIZE, buf, 0, NULL, NULL));
	CHECK_FAILS(err, clEnqueueMapBuffer(q, none, CL_TRUE, CL_MAP_READ, 0, SIZE, 0, NULL, NULL, &err),
		    CL_INVALID_OPERATION);
	CHECK_FAILS(err, clEnqueueMapBuffer(q, wo, CL_TRUE, CL_MAP_READ, 0, SIZE, 0, NULL, NULL, &err),
		    CL_INVALID_OPERATION);
	CHECK_FAILS(err, clEnqueueMapBuffer(q, ro, CL_TRUE, CL_MAP_WRITE, 0, SIZE, 0, NULL, NULL, &err),
		    CL_INVALID_OPERATION);
	/* the device may still move the data */
	CHECK_OK(clEnqueueCopyBuffer(q, wo, none, 0, 0, SIZE, 0, NULL, NULL));
	CHECK_OK(clFinish(q));
	CHECK_OK(clReleaseMemObject(none));
	CHECK_OK(clReleaseMemObject(ro));
	CHECK_OK(clReleaseMemObject(wo));
}

static void with_properties(struct cl_env *env)
{
	const cl_mem_properties empty[] = { 0 };
	const cl_mem_properties unknown[] = { 0x7777, 1, 0 };
	size_t size = 77;
	cl_int err = -1;
	cl_mem mem = clCreateBufferWithProperties(env->ctx, NULL, CL_MEM_READ_WRITE, SIZE, NULL, &err);

	CHECK_OK(err);
	REQUIRE(mem);
	CHECK_OK(clGetMemObjectInfo(mem, CL_MEM_PROPERTIES, 0, NULL, &size));
	CHECK_EQ(size, 0);
	CHECK_OK(clReleaseMemObject(mem));
	mem = clCreateBufferWithProperties(env->ctx, empty, CL_MEM_READ_WRITE, SIZE, NULL, &err);
	CHECK_OK(err);
	CHECK_OK(clReleaseMemObject(mem));
	CHECK_FAILS(err, clCreateBufferWithProperties(env->ctx, unknown, CL_MEM_READ_WRITE, SIZE, NULL, &err),
		    CL_INVALID_PROPERTY);
}

static void info(struct cl_env *env)
{
	static unsigned char host[SIZE];
	cl_mem mem = cl_buffer(env, CL_MEM_USE_HOST_PTR, SIZE, host);
	cl_mem copied = cl_buffer(env, CL_MEM_COPY_HOST_PTR, SIZE, host);
	char buf[64];

	CHECK_INFO(sizeof(cl_mem_object_type), clGetMemObjectInfo, mem, CL_MEM_TYPE);
	CHECK_INFO(sizeof(cl_mem_flags), clGetMemObjectInfo, mem, CL_MEM_FLAGS);
	CHECK_INFO(sizeof(size_t), clGetMemObjectInfo, mem, CL_MEM_SIZE);
	CHECK_INFO(sizeof(void *), clGetMemObjectInfo, mem, CL_MEM_HOST_PTR);
	CHECK_INFO(sizeof(cl_uint), clGetMemObjectInfo, mem, CL_MEM_MAP_COUNT);
	CHECK_INFO(sizeof(cl_uint), clGetMemObjectInfo, mem, CL_MEM_REFERENCE_COUNT);
	CHECK_INFO(sizeof(cl_context), clGetMemObjectInfo, mem, CL_MEM_CONTEXT);
	CHECK_INFO(sizeof(cl_mem), clGetMemObjectInfo, mem, CL_MEM_ASSOCIATED_MEMOBJECT);
	CHECK_INFO(sizeof(size_t), clGetMemObjectInfo, mem, CL_MEM_OFFSET);
	CHECK_INFO(sizeof(cl_bool), clGetMemObjectInfo, mem, CL_MEM_USES_SVM_POINTER);
	CHECK_EQ(GET_INFO(cl_mem_object_type, clGetMemObjectInfo, mem, CL_MEM_TYPE), CL_MEM_OBJECT_BUFFER);
	CHECK(GET_INFO(void *, clGetMemObjectInfo, mem, CL_MEM_HOST_PTR) == host);
	CHECK(GET_INFO(void *, clGetMemObjectInfo, copied, CL_MEM_HOST_PTR) == NULL);
	CHECK(GET_INFO(cl_context, clGetMemObjectInfo, mem, CL_MEM_CONTEXT) == env->ctx);
	CHECK(GET_INFO(cl_mem, clGetMemObjectInfo, mem, CL_MEM_ASSOCIATED_MEMOBJECT) == NULL);
	CHECK_EQ(GET_INFO(size_t, clGetMemObjectInfo, mem, CL_MEM_OFFSET), 0);
	CHECK_EQ(GET_INFO(cl_uint, clGetMemObjectInfo, mem, CL_MEM_MAP_COUNT), 0);
	CHECK_ERR(clGetMemObjectInfo(mem, 0xbad, sizeof(buf), buf, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clGetMemObjectInfo(NULL, CL_MEM_SIZE, sizeof(buf), buf, NULL), CL_INVALID_MEM_OBJECT);
	CHECK_OK(clReleaseMemObject(mem));
	CHECK_OK(clReleaseMemObject(copied));
}

static void counts(struct cl_env *env)
{
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);

	CHECK_EQ(GET_INFO(cl_uint, clGetMemObjectInfo, mem, CL_MEM_REFERENCE_COUNT), 1);
	CHECK_OK(clRetainMemObject(mem));
	CHECK_EQ(GET_INFO(cl_uint, clGetMemObjectInfo, mem, CL_MEM_REFERENCE_COUNT), 2);
	CHECK_OK(clReleaseMemObject(mem));
	CHECK_OK(clReleaseMemObject(mem));
	CHECK_ERR(clRetainMemObject(NULL), CL_INVALID_MEM_OBJECT);
	CHECK_ERR(clReleaseMemObject(NULL), CL_INVALID_MEM_OBJECT);
}

static atomic_int gone;

static void CL_CALLBACK on_gone(cl_mem mem, void *user)
{
	int *order = user;

	(void)mem;
	*order = atomic_fetch_add(&gone, 1);
}

static void destructor_order(struct cl_env *env)
{
	int order[3] = { -1, -1, -1 };
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);

	atomic_store(&gone, 0);
	for (int i = 0; i < 3; i++)
		CHECK_OK(clSetMemObjectDestructorCallback(mem, on_gone, &order[i]));
	CHECK_ERR(clSetMemObjectDestructorCallback(mem, NULL, NULL), CL_INVALID_VALUE);
	CHECK_ERR(clSetMemObjectDestructorCallback(NULL, on_gone, NULL), CL_INVALID_MEM_OBJECT);
	CHECK_OK(clReleaseMemObject(mem));
	for (int i = 0; i < 2000 && atomic_load(&gone) < 3; i++)
		cl_sleep_ms(10);
	CHECK_EQ(atomic_load(&gone), 3);
	CHECK(order[2] == 0 && order[1] == 1 && order[0] == 2);
}

/* A released buffer stays until the commands that use it are done. */
static void released_while_in_use(struct cl_env *env)
{
	unsigned char *out = calloc(1, 1 << 20);

	for (unsigned char i = 1; i < 20; i++) {
		cl_mem a = cl_buffer(env, CL_MEM_READ_WRITE, 1 << 20, NULL);
		cl_mem b = cl_buffer(env, CL_MEM_READ_WRITE, 1 << 20, NULL);

		CHECK_OK(clEnqueueFillBuffer(env->queue, a, &i, 1, 0, 1 << 20, 0, NULL, NULL));
		CHECK_OK(clEnqueueCopyBuffer(env->queue, a, b, 0, 0, 1 << 20, 0, NULL, NULL));
		CHECK_OK(clReleaseMemObject(a));
		CHECK_OK(clEnqueueReadBuffer(env->queue, b, CL_FALSE, 0, 1 << 20, out, 0, NULL, NULL));
		CHECK_OK(clReleaseMemObject(b));
		CHECK_OK(clFinish(env->queue));
		CHECK(cl_all_bytes(out, 1 << 20, i));
	}
	free(out);
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(sizes), CL_CASE(size_errors), CL_CASE(good_flags), CL_CASE(bad_flags),
		CL_CASE(host_pointer_errors), CL_CASE(host_access), CL_CASE(with_properties), CL_CASE(info),
		CL_CASE(counts), CL_CASE(destructor_order), CL_CASE(released_while_in_use), { NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, 0);
}
