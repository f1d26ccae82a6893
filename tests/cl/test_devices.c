/* SPDX-License-Identifier: MIT */
/*
 * Several virtual devices in one platform: each with a quota and answers of its own, none of whose objects another one
 * takes.  With CL_TEST_MIXED the second one is of another host's driver.
 */
#include "cl_test.h"

#define MAX_DEVICES 4

static cl_device_id devices[MAX_DEVICES];
static cl_context contexts[2];
static cl_command_queue queues[2];

static const char source[] = "__kernel void twice(__global int *p) { p[get_global_id(0)] *= 2; }\n";

static cl_device_type type_of(cl_device_id d)
{
	cl_device_type type = 0;

	CHECK_OK(clGetDeviceInfo(d, CL_DEVICE_TYPE, sizeof(type), &type, NULL));
	return type;
}

static void listing(struct cl_env *env)
{
	static const cl_device_type types[] = { CL_DEVICE_TYPE_CPU, CL_DEVICE_TYPE_GPU, CL_DEVICE_TYPE_ACCELERATOR };
	cl_device_id one = NULL;
	cl_uint nr = 0;

	CHECK_OK(clGetDeviceIDs(env->platform, CL_DEVICE_TYPE_ALL, MAX_DEVICES, devices, &nr));
	CHECK_EQ(nr, 2);
	CHECK(devices[0] != devices[1]);
	CHECK_OK(clGetDeviceIDs(env->platform, CL_DEVICE_TYPE_ALL, 1, &one, &nr));
	CHECK(one == devices[0] && nr == 2);
	CHECK_OK(clGetDeviceIDs(env->platform, CL_DEVICE_TYPE_DEFAULT, 1, &one, &nr));
	CHECK(one == devices[0] && nr == 1);
	CHECK(!(type_of(devices[1]) & CL_DEVICE_TYPE_DEFAULT));
	for (size_t i = 0; i < COUNT_OF(types); i++) {
		cl_uint want = !!(type_of(devices[0]) & types[i]) + !!(type_of(devices[1]) & types[i]);
		cl_int err;

		nr = 0;
		err = clGetDeviceIDs(env->platform, types[i], 0, NULL, &nr);
		CHECK_EQ(err, want ? CL_SUCCESS : CL_DEVICE_NOT_FOUND);
		CHECK_EQ(nr, want);
	}
}

static void versions(struct cl_env *env)
{
	char platform[128] = "", device[128] = "";
	unsigned int major, minor, of_major, of_minor;

	CHECK_OK(clGetPlatformInfo(env->platform, CL_PLATFORM_VERSION, sizeof(platform), platform, NULL));
	REQUIRE(sscanf(platform, "OpenCL %u.%u", &of_major, &of_minor) == 2);
	for (int i = 0; i < 2; i++) {
		CHECK_OK(clGetDeviceInfo(devices[i], CL_DEVICE_VERSION, sizeof(device), device, NULL));
		REQUIRE(sscanf(device, "OpenCL %u.%u", &major, &minor) == 2);
		CHECK(major * 100 + minor <= of_major * 100 + of_minor);
	}
	if (getenv("CL_TEST_MIXED")) {
		CHECK_OK(clGetDeviceInfo(devices[0], CL_DEVICE_NAME, sizeof(platform), platform, NULL));
		CHECK_OK(clGetDeviceInfo(devices[1], CL_DEVICE_NAME, sizeof(device), device, NULL));
		CHECK(strcmp(platform, device) != 0);
	}
}

static void make_contexts(struct cl_env *env)
{
	cl_context ctx;
	cl_device_id of = NULL;
	cl_uint nr = 0;
	cl_int err;

	CHECK_FAILS(err, clCreateContext(NULL, 2, devices, NULL, NULL, &err), CL_INVALID_DEVICE);
	for (int i = 0; i < 2; i++) {
		contexts[i] = clCreateContext(NULL, 1, &devices[i], NULL, NULL, &err);
		CHECK_OK(err);
		REQUIRE(contexts[i]);
		queues[i] = clCreateCommandQueue(contexts[i], devices[i], 0, &err);
		CHECK_OK(err);
		REQUIRE(queues[i]);
	}
	ctx = clCreateContextFromType(NULL, CL_DEVICE_TYPE_ALL, NULL, NULL, &err);
	CHECK_OK(err);
	REQUIRE(ctx);
	CHECK_OK(clGetContextInfo(ctx, CL_CONTEXT_NUM_DEVICES, sizeof(nr), &nr, NULL));
	CHECK_OK(clGetContextInfo(ctx, CL_CONTEXT_DEVICES, sizeof(of), &of, NULL));
	CHECK(nr == 1 && of == devices[0]);
	CHECK_OK(clReleaseContext(ctx));
}

static void quotas(struct cl_env *env)
{
	cl_ulong size[2] = { 0 }, alloc = 0;

	for (int i = 0; i < 2; i++) {
		CHECK_OK(clGetDeviceInfo(devices[i], CL_DEVICE_GLOBAL_MEM_SIZE, sizeof(size[i]), &size[i], NULL));
		CHECK_OK(clGetDeviceInfo(devices[i], CL_DEVICE_MAX_MEM_ALLOC_SIZE, sizeof(alloc), &alloc, NULL));
		CHECK(alloc <= size[i]);
	}
	CHECK_EQ(size[0], 64 << 20);
	CHECK_EQ(size[1], 96 << 20);
}

static void fill_both(struct cl_env *env)
{
	cl_mem first[3], second;
	cl_int err;

	for (int i = 0; i < 3; i++)
		first[i] = clCreateBuffer(contexts[0], CL_MEM_READ_WRITE, 20 << 20, NULL, &err);
	CHECK_OK(err);
	CHECK_FAILS(err, clCreateBuffer(contexts[0], CL_MEM_READ_WRITE, 20 << 20, NULL, &err),
		    CL_MEM_OBJECT_ALLOCATION_FAILURE);
	second = clCreateBuffer(contexts[1], CL_MEM_READ_WRITE, 20 << 20, NULL, &err);
	CHECK_OK(err);
	CHECK_OK(clReleaseMemObject(second));
	for (int i = 0; i < 3; i++)
		CHECK_OK(clReleaseMemObject(first[i]));
}

/* What is known of a kernel is known of it on its own device. */
static void check_multiple(int i, cl_kernel k)
{
	char name[256] = "";
	size_t found = 0, want = 0;

	CHECK_OK(clGetDeviceInfo(devices[i], CL_DEVICE_NAME, sizeof(name), name, NULL));
	CHECK_OK(clGetKernelWorkGroupInfo(k, devices[i], CL_KERNEL_PREFERRED_WORK_GROUP_SIZE_MULTIPLE, sizeof(found), &found,
					  NULL));
	if (strstr(name, "Oclgrind"))
		want = 1;
	else
		CHECK_OK(clGetDeviceInfo(devices[i], CL_DEVICE_PREFERRED_WORK_GROUP_SIZE_MULTIPLE, sizeof(want), &want, NULL));
	CHECK_EQ(found, want);
}

static void run_on(int i)
{
	const size_t one = 1, four = 4;
	const char *text = source;
	int numbers[4] = { 1, 2, 3, 4 };
	cl_program p;
	cl_kernel k;
	cl_mem mem;
	cl_int err;

	p = clCreateProgramWithSource(contexts[i], 1, &text, NULL, &err);
	REQUIRE(p);
	REQUIRE_OK(clBuildProgram(p, 1, &devices[i], NULL, NULL, NULL));
	k = clCreateKernel(p, "twice", &err);
	REQUIRE(k);
	check_multiple(i, k);
	mem = clCreateBuffer(contexts[i], CL_MEM_COPY_HOST_PTR, sizeof(numbers), numbers, &err);
	REQUIRE(mem);
	CHECK_OK(clSetKernelArg(k, 0, sizeof(mem), &mem));
	CHECK_OK(clEnqueueNDRangeKernel(queues[i], k, 1, NULL, &four, &one, 0, NULL, NULL));
	CHECK_OK(clEnqueueReadBuffer(queues[i], mem, CL_TRUE, 0, sizeof(numbers), numbers, 0, NULL, NULL));
	for (int n = 0; n < 4; n++)
		CHECK_EQ(numbers[n], 2 * (n + 1));
	CHECK_OK(clReleaseMemObject(mem));
	CHECK_OK(clReleaseKernel(k));
	CHECK_OK(clReleaseProgram(p));
}

static void both_run(struct cl_env *env)
{
	run_on(0);
	run_on(1);
	run_on(0);
}

/* What belongs to one device is nothing to the other. */
static void strangers(struct cl_env *env)
{
	const size_t one = 1;
	const char *text = source;
	cl_program p = clCreateProgramWithSource(contexts[0], 1, &text, NULL, NULL);
	cl_mem here, there;
	cl_event event;
	cl_kernel k;
	cl_build_status status;
	cl_int err, word = 0;
	size_t size;

	REQUIRE(p);
	CHECK_FAILS(err, clCreateCommandQueue(contexts[0], devices[1], 0, &err), CL_INVALID_DEVICE);
	CHECK_FAILS(err, clCreateCommandQueueWithProperties(contexts[1], devices[0], NULL, &err), CL_INVALID_DEVICE);
	CHECK_ERR(clBuildProgram(p, 1, &devices[1], NULL, NULL, NULL), CL_BUILD_PROGRAM_FAILURE);
	CHECK_ERR(clCompileProgram(p, 2, devices, NULL, 0, NULL, NULL, NULL, NULL), CL_COMPILE_PROGRAM_FAILURE);
	REQUIRE_OK(clBuildProgram(p, 1, &devices[0], NULL, NULL, NULL));
	CHECK_ERR(clGetProgramBuildInfo(p, devices[1], CL_PROGRAM_BUILD_STATUS, sizeof(status), &status, NULL),
		  CL_INVALID_DEVICE);
	k = clCreateKernel(p, "twice", &err);
	REQUIRE(k);
	CHECK_ERR(clGetKernelWorkGroupInfo(k, devices[1], CL_KERNEL_WORK_GROUP_SIZE, sizeof(size), &size, NULL),
		  CL_INVALID_DEVICE);

	here = clCreateBuffer(contexts[0], 0, 64, NULL, &err);
	there = clCreateBuffer(contexts[1], 0, 64, NULL, &err);
	event = clCreateUserEvent(contexts[1], &err);
	REQUIRE(here && there && event);
	CHECK_OK(clSetKernelArg(k, 0, sizeof(here), &here));
	CHECK_ERR(clEnqueueNDRangeKernel(queues[1], k, 1, NULL, &one, NULL, 0, NULL, NULL), CL_INVALID_CONTEXT);
	CHECK_ERR(clEnqueueWriteBuffer(queues[0], there, CL_TRUE, 0, 4, &word, 0, NULL, NULL), CL_INVALID_CONTEXT);
	CHECK_ERR(clEnqueueCopyBuffer(queues[0], here, there, 0, 0, 4, 0, NULL, NULL), CL_INVALID_CONTEXT);
	CHECK_ERR(clEnqueueMarkerWithWaitList(queues[0], 1, &event, NULL), CL_INVALID_CONTEXT);
	CHECK_OK(clSetUserEventStatus(event, CL_COMPLETE));
	CHECK_OK(clReleaseEvent(event));
	CHECK_OK(clReleaseMemObject(here));
	CHECK_OK(clReleaseMemObject(there));
	CHECK_OK(clReleaseKernel(k));
	CHECK_OK(clReleaseProgram(p));
}

static void parts_of_each(struct cl_env *env)
{
	const cl_device_partition_property one[] = { CL_DEVICE_PARTITION_BY_COUNTS, 1, 0 };
	cl_device_id part = NULL, pair[2];
	cl_context ctx;
	cl_int err;

	err = clCreateSubDevices(devices[0], one, 1, &part, NULL);
	if (err)
		return;
	pair[0] = part;
	pair[1] = devices[0];
	ctx = clCreateContext(NULL, 2, pair, NULL, NULL, &err);
	CHECK_OK(err);
	REQUIRE(ctx);
	CHECK_OK(clReleaseContext(ctx));
	pair[1] = devices[1];
	CHECK_FAILS(err, clCreateContext(NULL, 2, pair, NULL, NULL, &err), CL_INVALID_DEVICE);
	CHECK_FAILS(err, clCreateCommandQueueWithProperties(contexts[1], part, NULL, &err), CL_INVALID_DEVICE);
	CHECK_OK(clReleaseDevice(part));
}

static void release_all(struct cl_env *env)
{
	for (int i = 0; i < 2; i++) {
		CHECK_OK(clReleaseCommandQueue(queues[i]));
		CHECK_OK(clReleaseContext(contexts[i]));
	}
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(listing), CL_CASE(versions), CL_CASE(make_contexts), CL_CASE(quotas), CL_CASE(fill_both),
		CL_CASE(both_run), CL_CASE(strangers), CL_CASE(parts_of_each), CL_CASE(release_all), { NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, CL_TEST_VIRTUAL_ONLY);
}
