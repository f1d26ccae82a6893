/* SPDX-License-Identifier: MIT */
/* Launches: dimensions, offsets, local sizes, limits, tasks, errors. */
#include "cl_test.h"

static cl_program program;
static cl_kernel ids, sized, nothing;
static cl_mem out_mem;

#define SIDE 16
#define CELLS (SIDE * SIDE * SIDE)

static const char source[] =
	"__kernel void ids(__global int *out)\n"
	"{\n"
	"	size_t x = get_global_id(0), y = get_global_id(1), z = get_global_id(2);\n"
	"	__global int *p = out + ((z * 16 + y) * 16 + x) * 4;\n"
	"	p[0] += 1;\n"
	"	p[1] = (int)(x + y * 100 + z * 10000);\n"
	"	p[2] = (int)(get_local_size(0) + get_local_size(1) * 100 + get_local_size(2) * 10000);\n"
	"	p[3] = (int)(get_global_offset(0) + get_global_offset(1) * 100 + get_global_offset(2) * 10000);\n"
	"}\n"
	"__kernel __attribute__((reqd_work_group_size(4, 2, 1))) void sized(__global int *out)\n"
	"{ out[get_global_id(1) * 16 + get_global_id(0)] = 7; }\n"
	"__kernel void nothing(void) { }\n";

static void setup(struct cl_env *env)
{
	program = cl_build(env, source, NULL);
	ids = cl_kernel_new(program, "ids");
	sized = cl_kernel_new(program, "sized");
	nothing = cl_kernel_new(program, "nothing");
	out_mem = cl_buffer(env, CL_MEM_READ_WRITE, CELLS * 16, NULL);
	CHECK_OK(clSetKernelArg(ids, 0, sizeof(out_mem), &out_mem));
	CHECK_OK(clSetKernelArg(sized, 0, sizeof(out_mem), &out_mem));
}

static size_t at(const size_t *v, cl_uint dims, cl_uint d, size_t otherwise)
{
	return v && d < dims ? v[d] : otherwise;
}

static bool inside(size_t id, const size_t *offset, const size_t *global, cl_uint dims, cl_uint d)
{
	size_t from = at(offset, dims, d, 0);

	return id >= from && id < from + at(global, dims, d, 1);
}

/* Each work-item of the range ran once with the right ids, and no other did. */
static void launch(struct cl_env *env, cl_uint dims, const size_t *offset, const size_t *global, const size_t *local)
{
	int (*out)[4] = calloc(CELLS, sizeof(*out));
	const int zero = 0;
	bool right = true;

	CHECK_OK(clEnqueueFillBuffer(env->queue, out_mem, &zero, 4, 0, CELLS * 16, 0, NULL, NULL));
	CHECK_OK(clEnqueueNDRangeKernel(env->queue, ids, dims, offset, global, local, 0, NULL, NULL));
	CHECK_OK(clEnqueueReadBuffer(env->queue, out_mem, CL_TRUE, 0, CELLS * 16, out, 0, NULL, NULL));
	for (size_t i = 0; i < CELLS; i++) {
		size_t x = i % SIDE, y = i / SIDE % SIDE, z = i / SIDE / SIDE;
		bool ran = inside(x, offset, global, dims, 0) && inside(y, offset, global, dims, 1) &&
			   inside(z, offset, global, dims, 2);

		right &= out[i][0] == ran;
		if (!ran || !right)
			continue;
		right &= out[i][1] == (int)(x + y * 100 + z * 10000);
		right &= out[i][3] == (int)(at(offset, dims, 0, 0) + at(offset, dims, 1, 0) * 100 +
					    at(offset, dims, 2, 0) * 10000);
		if (local)
			right &= out[i][2] == (int)(at(local, dims, 0, 1) + at(local, dims, 1, 1) * 100 +
						    at(local, dims, 2, 1) * 10000);
	}
	CHECK(right);
	free(out);
}

static void one_dimension(struct cl_env *env)
{
	static const size_t sizes[] = { 1, 2, 7, 13, 16 }, locals[] = { 1, 2, 7, 13, 8 };

	for (size_t i = 0; i < COUNT_OF(sizes); i++) {
		launch(env, 1, NULL, &sizes[i], NULL);
		launch(env, 1, NULL, &sizes[i], &locals[i]);
	}
}

static void two_dimensions(struct cl_env *env)
{
	const size_t global[] = { 16, 6 }, local[] = { 4, 3 }, offset[] = { 0, 5 };

	launch(env, 2, NULL, global, NULL);
	launch(env, 2, NULL, global, local);
	launch(env, 2, offset, global, local);
}

static void three_dimensions(struct cl_env *env)
{
	const size_t global[] = { 8, 4, 2 }, local[] = { 2, 2, 2 }, offset[] = { 1, 2, 3 };

	launch(env, 3, NULL, global, NULL);
	launch(env, 3, NULL, global, local);
	launch(env, 3, offset, global, local);
	launch(env, 3, offset, global, NULL);
}

static void required_size(struct cl_env *env)
{
	const size_t global[] = { 8, 4, 1 }, local[] = { 4, 2, 1 }, wrong[] = { 2, 2, 1 }, odd[] = { 6, 4, 1 };
	int out[64] = { 0 };

	CHECK_OK(clEnqueueNDRangeKernel(env->queue, sized, 3, NULL, global, local, 0, NULL, NULL));
	CHECK_OK(clEnqueueReadBuffer(env->queue, out_mem, CL_TRUE, 0, sizeof(out), out, 0, NULL, NULL));
	CHECK(out[0] == 7 && out[7] == 7 && out[3 * 16 + 7] == 7);
	CHECK_ERR(clEnqueueNDRangeKernel(env->queue, sized, 3, NULL, global, wrong, 0, NULL, NULL),
		  CL_INVALID_WORK_GROUP_SIZE);
	CHECK_ERR(clEnqueueNDRangeKernel(env->queue, sized, 3, NULL, odd, local, 0, NULL, NULL),
		  CL_INVALID_WORK_GROUP_SIZE);
}

/* No local size: the specification refuses it or takes the declared one. */
static void required_size_not_given(struct cl_env *env)
{
	const size_t global[] = { 8, 4, 1 };

	CHECK_ERR_OR(clEnqueueNDRangeKernel(env->queue, sized, 3, NULL, global, NULL, 0, NULL, NULL),
		     CL_INVALID_WORK_GROUP_SIZE, CL_SUCCESS);
	CHECK_OK(clFinish(env->queue));
}

static void errors(struct cl_env *env)
{
	const size_t ten[] = { 10, 10, 10 }, three[] = { 3, 1, 1 }, zero[] = { 0, 1, 1 };
	cl_context ctx = clCreateContext(NULL, 1, &env->device, NULL, NULL, NULL);
	cl_command_queue q = env->queue, other = clCreateCommandQueue(ctx, env->device, 0, NULL);

	CHECK_ERR(clEnqueueNDRangeKernel(NULL, ids, 1, NULL, ten, NULL, 0, NULL, NULL), CL_INVALID_COMMAND_QUEUE);
	/* the native driver follows the NULL */
	if (!env->native)
		CHECK_ERR(clEnqueueNDRangeKernel(q, NULL, 1, NULL, ten, NULL, 0, NULL, NULL), CL_INVALID_KERNEL);
	CHECK_ERR(clEnqueueNDRangeKernel(other, ids, 1, NULL, ten, NULL, 0, NULL, NULL), CL_INVALID_CONTEXT);
	CHECK_ERR(clEnqueueNDRangeKernel(q, ids, 0, NULL, ten, NULL, 0, NULL, NULL), CL_INVALID_WORK_DIMENSION);
	CHECK_ERR(clEnqueueNDRangeKernel(q, ids, 4, NULL, ten, NULL, 0, NULL, NULL), CL_INVALID_WORK_DIMENSION);
	CHECK_ERR(clEnqueueNDRangeKernel(q, ids, 1, NULL, ten, three, 0, NULL, NULL), CL_INVALID_WORK_GROUP_SIZE);
	/* the native driver divides by it */
	if (!env->native)
		CHECK_ERR_OR(clEnqueueNDRangeKernel(q, ids, 1, NULL, ten, zero, 0, NULL, NULL),
			     CL_INVALID_WORK_GROUP_SIZE, CL_INVALID_WORK_ITEM_SIZE);
	CHECK_OK(clReleaseCommandQueue(other));
	CHECK_OK(clReleaseContext(ctx));
}

/* The native driver does not look at a launch's wait list before it uses it. */
static void wait_list_errors(struct cl_env *env)
{
	const size_t one = 1;

	if (env->native)
		return;
	CHECK_ERR(clEnqueueNDRangeKernel(env->queue, ids, 1, NULL, &one, NULL, 1, NULL, NULL),
		  CL_INVALID_EVENT_WAIT_LIST);
}

static void group_limits(struct cl_env *env)
{
	size_t max = GET_INFO(size_t, clGetDeviceInfo, env->device, CL_DEVICE_MAX_WORK_GROUP_SIZE);
	size_t sizes[3], group[2] = { max, 2 }, over = max * 2;
	cl_int err;

	CHECK_OK(clGetDeviceInfo(env->device, CL_DEVICE_MAX_WORK_ITEM_SIZES, sizeof(sizes), sizes, NULL));
	CHECK_OK(clEnqueueNDRangeKernel(env->queue, nothing, 1, NULL, &max, &max, 0, NULL, NULL));
	err = clEnqueueNDRangeKernel(env->queue, nothing, 1, NULL, &over, &over, 0, NULL, NULL);
	CHECK(err == CL_INVALID_WORK_GROUP_SIZE || err == CL_INVALID_WORK_ITEM_SIZE);
	CHECK_ERR(clEnqueueNDRangeKernel(env->queue, nothing, 2, NULL, group, group, 0, NULL, NULL),
		  CL_INVALID_WORK_GROUP_SIZE);
	CHECK_OK(clFinish(env->queue));
}

/* Nothing to do is a success, whose event completes. */
static void global_size_zero(struct cl_env *env)
{
	const size_t zero[] = { 4, 0, 1 };
	cl_event event = NULL;

	CHECK_ERR_OR(clEnqueueNDRangeKernel(env->queue, nothing, 3, NULL, zero, NULL, 0, NULL, &event), CL_SUCCESS,
		     CL_INVALID_GLOBAL_WORK_SIZE);
	if (event) {
		CHECK_OK(clWaitForEvents(1, &event));
		CHECK_EQ(GET_INFO(cl_command_type, clGetEventInfo, event, CL_EVENT_COMMAND_TYPE),
			 CL_COMMAND_NDRANGE_KERNEL);
		CHECK_OK(clReleaseEvent(event));
	}
	CHECK_ERR_OR(clEnqueueNDRangeKernel(env->queue, nothing, 1, NULL, NULL, NULL, 0, NULL, NULL), CL_SUCCESS,
		     CL_INVALID_GLOBAL_WORK_SIZE);
	CHECK_OK(clFinish(env->queue));
}

static void task(struct cl_env *env)
{
	const int zero = 0;
	int out[4] = { 0 };
	cl_event event = NULL;

	CHECK_OK(clEnqueueFillBuffer(env->queue, out_mem, &zero, 4, 0, 64, 0, NULL, NULL));
	CHECK_OK(clEnqueueTask(env->queue, ids, 0, NULL, &event));
	CHECK_OK(clWaitForEvents(1, &event));
	CHECK_OK(clEnqueueReadBuffer(env->queue, out_mem, CL_TRUE, 0, sizeof(out), out, 0, NULL, NULL));
	CHECK(out[0] == 1 && out[2] == 10101);
	CHECK_OK(clReleaseEvent(event));
	/* the native driver follows the NULL */
	if (!env->native)
		CHECK_ERR(clEnqueueTask(env->queue, NULL, 0, NULL, NULL), CL_INVALID_KERNEL);
}

static void native_kernel_refused(struct cl_env *env)
{
	cl_device_exec_capabilities can = GET_INFO(cl_device_exec_capabilities, clGetDeviceInfo, env->device,
						   CL_DEVICE_EXECUTION_CAPABILITIES);

	CHECK(can & CL_EXEC_KERNEL);
	if (!(can & CL_EXEC_NATIVE_KERNEL))
		CHECK_ERR_OR(clEnqueueNativeKernel(env->queue, NULL, NULL, 0, 0, NULL, NULL, 0, NULL, NULL),
			     CL_INVALID_OPERATION, CL_INVALID_VALUE);
}

static void large_range(struct cl_env *env)
{
	const size_t global = 1 << 22;

	CHECK_OK(clEnqueueNDRangeKernel(env->queue, nothing, 1, NULL, &global, NULL, 0, NULL, NULL));
	CHECK_OK(clFinish(env->queue));
}

/* A stream of launches, the usual thing. */
static void stream(struct cl_env *env)
{
	const size_t one = 1;

	for (int i = 0; i < 10000; i++)
		if (!CHECK_OK(clEnqueueNDRangeKernel(env->queue, nothing, 1, NULL, &one, &one, 0, NULL, NULL)))
			break;
	CHECK_OK(clFinish(env->queue));
}

static void teardown(struct cl_env *env)
{
	(void)env;
	CHECK_OK(clReleaseKernel(ids));
	CHECK_OK(clReleaseKernel(sized));
	CHECK_OK(clReleaseKernel(nothing));
	CHECK_OK(clReleaseMemObject(out_mem));
	CHECK_OK(clReleaseProgram(program));
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(setup), CL_CASE(one_dimension), CL_CASE(two_dimensions), CL_CASE(three_dimensions),
		CL_CASE(required_size), CL_CASE(required_size_not_given), CL_CASE(errors), CL_CASE(wait_list_errors),
		CL_CASE(group_limits),
		CL_CASE(global_size_zero), CL_CASE(task), CL_CASE(native_kernel_refused), CL_CASE(large_range),
		CL_CASE(stream), CL_CASE(teardown), { NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, 0);
}
