/* SPDX-License-Identifier: MIT */
/*
 * quota MIB: what a program is told when a device's memory is all taken, and that what it lets go of is there again.
 * MIB is the quota; nobody else uses the device.
 */
#include "../../cl/cl_test.h"

#define STEP_MIB 16
#define MAX_STEPS 256

static unsigned int quota_mib;

static cl_mem try_buffer(struct cl_env *env, size_t size, cl_int *ret)
{
	cl_mem mem = clCreateBuffer(env->ctx, CL_MEM_READ_WRITE, size, NULL, ret);

	CHECK((mem == NULL) == (*ret != CL_SUCCESS));
	return mem;
}

/* A buffer that OpenCL may make late is made now. */
static cl_int use(struct cl_env *env, cl_mem mem, size_t size)
{
	const unsigned char byte = 0x5a;

	return clEnqueueFillBuffer(env->queue, mem, &byte, 1, size - 4096, 4096, 0, NULL, NULL);
}

static unsigned int take_all(struct cl_env *env, cl_mem *mems, cl_int *ret)
{
	unsigned int nr = 0;

	*ret = CL_SUCCESS;
	while (nr < MAX_STEPS) {
		mems[nr] = try_buffer(env, STEP_MIB << 20, ret);
		if (!mems[nr])
			break;
		CHECK_OK(use(env, mems[nr], STEP_MIB << 20));
		nr++;
	}
	CHECK_OK(clFinish(env->queue));
	return nr;
}

static void refused(struct cl_env *env)
{
	cl_mem mems[MAX_STEPS], late;
	unsigned int nr, most = quota_mib / STEP_MIB;
	cl_int err;

	CHECK_EQ(GET_INFO(cl_ulong, clGetDeviceInfo, env->device, CL_DEVICE_GLOBAL_MEM_SIZE), (cl_ulong)quota_mib << 20);
	for (int round = 0; round < 2; round++) {
		nr = take_all(env, mems, &err);
		printf("round %d: %u of %u, then %s\n", round, nr, most, cl_err_name(err));
		CHECK(nr <= most && nr + 1 >= most);
		CHECK(err == CL_MEM_OBJECT_ALLOCATION_FAILURE || err == CL_OUT_OF_RESOURCES);
		if (nr) {
			CHECK_OK(clReleaseMemObject(mems[--nr]));
			CHECK_OK(clFinish(env->queue));
			late = try_buffer(env, STEP_MIB << 20, &err);
			CHECK_OK(err);
			if (late)
				CHECK_OK(clReleaseMemObject(late));
		}
		while (nr)
			CHECK_OK(clReleaseMemObject(mems[--nr]));
		CHECK_OK(clFinish(env->queue));
	}
}

static void too_large(struct cl_env *env)
{
	cl_ulong most = GET_INFO(cl_ulong, clGetDeviceInfo, env->device, CL_DEVICE_MAX_MEM_ALLOC_SIZE);
	cl_int err;

	CHECK_FAILS(err, clCreateBuffer(env->ctx, CL_MEM_READ_WRITE, most + 1, NULL, &err), CL_INVALID_BUFFER_SIZE);
	CHECK(most <= (cl_ulong)quota_mib << 20);
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = { CL_CASE(refused), CL_CASE(too_large), { NULL, NULL } };

	quota_mib = argc > 1 ? (unsigned int)atoi(argv[1]) : 0;
	if (quota_mib < STEP_MIB) {
		fprintf(stderr, "usage: quota MIB\n");
		return 2;
	}
	return cl_test_main(1, argv, cases, 0);
}
