/* SPDX-License-Identifier: MIT */
/* Contexts: create by device and by type, info, counts, order of release. */
#include "cl_test.h"

#include <stdatomic.h>

static void create(struct cl_env *env)
{
	const cl_context_properties props[] = { CL_CONTEXT_PLATFORM, (cl_context_properties)env->platform, 0 };
	cl_int err = -1;
	cl_context ctx = clCreateContext(props, 1, &env->device, NULL, NULL, &err);

	CHECK_OK(err);
	REQUIRE(ctx);
	CHECK_OK(clReleaseContext(ctx));
	ctx = clCreateContext(props, 1, &env->device, NULL, NULL, NULL);
	CHECK(ctx);
	CHECK_OK(clReleaseContext(ctx));
}

static void CL_CALLBACK on_error(const char *text, const void *info, size_t size, void *user)
{
	(void)text;
	(void)info;
	(void)size;
	(void)user;
}

static void create_errors(struct cl_env *env)
{
	const cl_context_properties bad_key[] = { 0x7777, 1, 0 };
	const cl_context_properties bad_platform[] = { CL_CONTEXT_PLATFORM, 0, 0 };
	const cl_context_properties twice[] = { CL_CONTEXT_PLATFORM, (cl_context_properties)env->platform,
						CL_CONTEXT_PLATFORM, (cl_context_properties)env->platform, 0 };
	cl_device_id none = NULL;
	cl_int err;

	CHECK_FAILS(err, clCreateContext(NULL, 0, &env->device, NULL, NULL, &err), CL_INVALID_VALUE);
	CHECK_FAILS(err, clCreateContext(NULL, 1, NULL, NULL, NULL, &err), CL_INVALID_VALUE);
	CHECK_FAILS(err, clCreateContext(NULL, 1, &env->device, NULL, &err, &err), CL_INVALID_VALUE);
	CHECK_FAILS(err, clCreateContext(NULL, 1, &none, NULL, NULL, &err), CL_INVALID_DEVICE);
	CHECK_FAILS(err, clCreateContext(bad_key, 1, &env->device, NULL, NULL, &err), CL_INVALID_PROPERTY);
	CHECK_FAILS(err, clCreateContext(bad_platform, 1, &env->device, NULL, NULL, &err), CL_INVALID_PLATFORM);
	CHECK_FAILS(err, clCreateContext(twice, 1, &env->device, NULL, NULL, &err), CL_INVALID_PROPERTY);
}

static void with_callback(struct cl_env *env)
{
	cl_int err = -1;
	int mark = 0;
	cl_context ctx = clCreateContext(NULL, 1, &env->device, on_error, &mark, &err);

	CHECK_OK(err);
	REQUIRE(ctx);
	CHECK_OK(clReleaseContext(ctx));
}

static void from_type(struct cl_env *env)
{
	const cl_context_properties props[] = { CL_CONTEXT_PLATFORM, (cl_context_properties)env->platform, 0 };
	cl_device_type type = GET_INFO(cl_device_type, clGetDeviceInfo, env->device, CL_DEVICE_TYPE);
	cl_int err = -1;
	cl_context ctx = clCreateContextFromType(props, type & ~(cl_device_type)CL_DEVICE_TYPE_DEFAULT, NULL, NULL, &err);

	CHECK_OK(err);
	REQUIRE(ctx);
	CHECK(GET_INFO(cl_device_id, clGetContextInfo, ctx, CL_CONTEXT_DEVICES) == env->device);
	CHECK_OK(clReleaseContext(ctx));
	ctx = clCreateContextFromType(props, CL_DEVICE_TYPE_ALL, NULL, NULL, &err);
	CHECK_OK(err);
	CHECK_OK(clReleaseContext(ctx));
	CHECK_FAILS(err, clCreateContextFromType(props, CL_DEVICE_TYPE_ALL, NULL, &err, &err), CL_INVALID_VALUE);
}

/* The native driver returns a context beside the error (and aborts when it is released). */
static void from_type_without_device(struct cl_env *env)
{
	const cl_context_properties props[] = { CL_CONTEXT_PLATFORM, (cl_context_properties)env->platform, 0 };
	cl_int err = 0;
	cl_context ctx = clCreateContextFromType(props, CL_DEVICE_TYPE_ACCELERATOR, NULL, NULL, &err);

	CHECK_ERR(err, CL_DEVICE_NOT_FOUND);
	CHECK(!ctx || env->native);
	ctx = clCreateContextFromType(props, (cl_device_type)1 << 40, NULL, NULL, &err);
	CHECK_ERR_OR(err, CL_INVALID_DEVICE_TYPE, CL_DEVICE_NOT_FOUND);
	CHECK(!ctx || env->native);
}

static void info(struct cl_env *env)
{
	const cl_context_properties props[] = { CL_CONTEXT_PLATFORM, (cl_context_properties)env->platform, 0 };
	cl_context_properties got[3] = { -1, -1, -1 };
	size_t size = 77;
	char buf[64];
	cl_context ctx = clCreateContext(props, 1, &env->device, NULL, NULL, NULL);

	REQUIRE(ctx);
	CHECK_INFO(sizeof(cl_uint), clGetContextInfo, ctx, CL_CONTEXT_REFERENCE_COUNT);
	CHECK_INFO(sizeof(cl_uint), clGetContextInfo, ctx, CL_CONTEXT_NUM_DEVICES);
	CHECK_INFO(sizeof(cl_device_id), clGetContextInfo, ctx, CL_CONTEXT_DEVICES);
	CHECK_INFO(sizeof(props), clGetContextInfo, ctx, CL_CONTEXT_PROPERTIES);
	CHECK_EQ(GET_INFO(cl_uint, clGetContextInfo, ctx, CL_CONTEXT_NUM_DEVICES), 1);
	CHECK(GET_INFO(cl_device_id, clGetContextInfo, ctx, CL_CONTEXT_DEVICES) == env->device);
	CHECK_OK(clGetContextInfo(ctx, CL_CONTEXT_PROPERTIES, sizeof(got), got, NULL));
	CHECK(memcmp(got, props, sizeof(props)) == 0);
	CHECK_ERR(clGetContextInfo(ctx, 0xbad, sizeof(buf), buf, NULL), CL_INVALID_VALUE);
	CHECK_OK(clReleaseContext(ctx));

	/* made without properties: the list is empty */
	CHECK_OK(clGetContextInfo(env->ctx, CL_CONTEXT_PROPERTIES, 0, NULL, &size));
	CHECK_EQ(size, 0);
}

static void counts(struct cl_env *env)
{
	cl_context ctx = clCreateContext(NULL, 1, &env->device, NULL, NULL, NULL);

	REQUIRE(ctx);
	CHECK_EQ(GET_INFO(cl_uint, clGetContextInfo, ctx, CL_CONTEXT_REFERENCE_COUNT), 1);
	CHECK_OK(clRetainContext(ctx));
	CHECK_EQ(GET_INFO(cl_uint, clGetContextInfo, ctx, CL_CONTEXT_REFERENCE_COUNT), 2);
	CHECK_OK(clReleaseContext(ctx));
	CHECK_OK(clReleaseContext(ctx));
	CHECK_ERR(clRetainContext(NULL), CL_INVALID_CONTEXT);
	CHECK_ERR(clReleaseContext(NULL), CL_INVALID_CONTEXT);
	CHECK_ERR(clGetContextInfo(NULL, CL_CONTEXT_NUM_DEVICES, 0, NULL, NULL), CL_INVALID_CONTEXT);
}

/* Objects keep their context alive: released first, it still serves them. */
static void released_before_its_objects(struct cl_env *env)
{
	cl_context ctx = clCreateContext(NULL, 1, &env->device, NULL, NULL, NULL);
	cl_command_queue queue = clCreateCommandQueue(ctx, env->device, 0, NULL);
	cl_mem mem = clCreateBuffer(ctx, CL_MEM_READ_WRITE, 4096, NULL, NULL);
	unsigned char in[4096], out[4096] = { 0 };

	REQUIRE(ctx && queue && mem);
	CHECK_OK(clReleaseContext(ctx));
	cl_pattern(in, sizeof(in), 1);
	CHECK_OK(clEnqueueWriteBuffer(queue, mem, CL_TRUE, 0, sizeof(in), in, 0, NULL, NULL));
	CHECK_OK(clEnqueueReadBuffer(queue, mem, CL_TRUE, 0, sizeof(out), out, 0, NULL, NULL));
	CHECK(cl_pattern_is(out, sizeof(out), 1));
	CHECK_OK(clReleaseCommandQueue(queue));
	CHECK_OK(clReleaseMemObject(mem));
}

static atomic_int gone;

static void CL_CALLBACK on_gone(cl_context ctx, void *user)
{
	int *order = user;

	(void)ctx;
	*order = atomic_fetch_add(&gone, 1);
}

/* Destructor callbacks run at the last release, the last registered first. */
static void destructor_order(struct cl_env *env)
{
	int order[3] = { -1, -1, -1 };
	cl_context ctx = clCreateContext(NULL, 1, &env->device, NULL, NULL, NULL);

	REQUIRE(ctx);
	atomic_store(&gone, 0);
	for (int i = 0; i < 3; i++)
		CHECK_OK(clSetContextDestructorCallback(ctx, on_gone, &order[i]));
	CHECK_ERR(clSetContextDestructorCallback(ctx, NULL, NULL), CL_INVALID_VALUE);
	CHECK_OK(clRetainContext(ctx));
	CHECK_OK(clReleaseContext(ctx));
	CHECK_EQ(atomic_load(&gone), 0);
	CHECK_OK(clReleaseContext(ctx));
	for (int i = 0; i < 2000 && atomic_load(&gone) < 3; i++)
		cl_sleep_ms(10);
	CHECK_EQ(atomic_load(&gone), 3);
	CHECK(order[2] == 0 && order[1] == 1 && order[0] == 2);
}

static void many_in_turn(struct cl_env *env)
{
	for (int i = 0; i < 50; i++) {
		cl_context ctx = clCreateContext(NULL, 1, &env->device, NULL, NULL, NULL);

		REQUIRE(ctx);
		CHECK_OK(clReleaseContext(ctx));
	}
}

static void many_at_once(struct cl_env *env)
{
	cl_context ctx[32];

	for (size_t i = 0; i < COUNT_OF(ctx); i++) {
		ctx[i] = clCreateContext(NULL, 1, &env->device, NULL, NULL, NULL);
		REQUIRE(ctx[i]);
	}
	for (size_t i = 0; i < COUNT_OF(ctx); i++)
		CHECK_OK(clReleaseContext(ctx[i]));
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(create), CL_CASE(create_errors), CL_CASE(with_callback), CL_CASE(from_type),
		CL_CASE(from_type_without_device), CL_CASE(info), CL_CASE(counts),
		CL_CASE(released_before_its_objects),
		CL_CASE(destructor_order), CL_CASE(many_in_turn), CL_CASE(many_at_once), { NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, 0);
}
