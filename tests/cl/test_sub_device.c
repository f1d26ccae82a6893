/* SPDX-License-Identifier: MIT */
/*
 * Sub-devices: every answer is printed, and the runner compares with what the native driver prints.  Which units run a
 * kernel is seen by kernels that wait for each other: on two parts they meet, on one unit they cannot.
 */
#include "cl_test.h"

#define MAX_PARTS 64

static cl_uint nr_units;

static void say(const char *what, cl_int err)
{
	printf("%s: %s\n", what, cl_err_name(err));
}

/* The parts of a device by counts of one unit each: {1, 1, ...}, at most two of them. */
static cl_uint two_units(cl_device_id device, cl_device_id ret[2])
{
	const cl_device_partition_property list[] = { CL_DEVICE_PARTITION_BY_COUNTS, 1, 1,
						      CL_DEVICE_PARTITION_BY_COUNTS_LIST_END };
	cl_uint nr = 0;

	if (clCreateSubDevices(device, list, 2, ret, &nr))
		return 0;
	return nr;
}

static void find_units(struct cl_env *env)
{
	CHECK_OK(clGetDeviceInfo(env->device, CL_DEVICE_MAX_COMPUTE_UNITS, sizeof(nr_units), &nr_units, NULL));
}

/* ---------------------------------------------------------------- answers */

static void print_words(const char *what, cl_device_id d, cl_device_info param)
{
	cl_device_partition_property words[MAX_PARTS] = { 0 };
	size_t size = 0;
	cl_int err = clGetDeviceInfo(d, param, sizeof(words), words, &size);

	printf("%s: %s, %zu bytes:", what, cl_err_name(err), size);
	for (size_t i = 0; !err && i < size / sizeof(words[0]); i++)
		printf(" %#lx", (long)words[i]);
	printf("\n");
}

static void print_uint(const char *what, cl_device_id d, cl_device_info param)
{
	cl_ulong value = 0;
	size_t size = 0;
	cl_int err = clGetDeviceInfo(d, param, sizeof(value), &value, &size);

	printf("%s: %s, %zu bytes: %lu\n", what, cl_err_name(err), size, (unsigned long)value);
}

static void describe(const char *name, cl_device_id d, cl_device_id parent)
{
	cl_device_id got = (cl_device_id)&got;

	printf("-- %s\n", name);
	print_words("properties", d, CL_DEVICE_PARTITION_PROPERTIES);
	print_words("type", d, CL_DEVICE_PARTITION_TYPE);
	print_words("domain", d, CL_DEVICE_PARTITION_AFFINITY_DOMAIN);
	print_uint("parts", d, CL_DEVICE_PARTITION_MAX_SUB_DEVICES);
	print_uint("units", d, CL_DEVICE_MAX_COMPUTE_UNITS);
	print_uint("references", d, CL_DEVICE_REFERENCE_COUNT);
	print_uint("device type", d, CL_DEVICE_TYPE);
	print_uint("local memory", d, CL_DEVICE_LOCAL_MEM_SIZE);
	print_uint("group size", d, CL_DEVICE_MAX_WORK_GROUP_SIZE);
	say("parent", clGetDeviceInfo(d, CL_DEVICE_PARENT_DEVICE, sizeof(got), &got, NULL));
	printf("parent is %s\n", got == parent ? "right" : "wrong");
}

static void answers(struct cl_env *env)
{
	cl_device_id parts[2] = { NULL };

	describe("root", env->device, NULL);
	if (two_units(env->device, parts) != 2)
		return;
	describe("first", parts[0], env->device);
	describe("second", parts[1], env->device);
	CHECK_OK(clReleaseDevice(parts[0]));
	CHECK_OK(clReleaseDevice(parts[1]));
}

static void references(struct cl_env *env)
{
	cl_device_id parts[2] = { NULL };

	say("retain root", clRetainDevice(env->device));
	print_uint("root", env->device, CL_DEVICE_REFERENCE_COUNT);
	say("release root", clReleaseDevice(env->device));
	say("release root again", clReleaseDevice(env->device));
	print_uint("root", env->device, CL_DEVICE_REFERENCE_COUNT);
	if (two_units(env->device, parts) != 2)
		return;
	say("retain", clRetainDevice(parts[0]));
	print_uint("part", parts[0], CL_DEVICE_REFERENCE_COUNT);
	say("release", clReleaseDevice(parts[0]));
	print_uint("part", parts[0], CL_DEVICE_REFERENCE_COUNT);
	say("release", clReleaseDevice(parts[0]));
	say("release", clReleaseDevice(parts[1]));
}

/* --------------------------------------------------------------- dividing */

static void try_division(cl_device_id d, const cl_device_partition_property *list, const char *name)
{
	cl_device_id parts[MAX_PARTS] = { NULL };
	cl_uint count = 77, made = 77;
	cl_int err;

	err = clCreateSubDevices(d, list, 0, NULL, &count);
	printf("%s: %s, %u\n", name, cl_err_name(err), count);
	err = clCreateSubDevices(d, list, MAX_PARTS, parts, &made);
	printf("%s: %s, %u made\n", name, cl_err_name(err), made);
	for (cl_uint i = 0; !err && i < made && i < MAX_PARTS; i++) {
		print_uint("  units", parts[i], CL_DEVICE_MAX_COMPUTE_UNITS);
		print_words("  type", parts[i], CL_DEVICE_PARTITION_TYPE);
		CHECK_OK(clReleaseDevice(parts[i]));
	}
}

static void divisions(struct cl_env *env)
{
	const cl_device_partition_property
		each[] = { CL_DEVICE_PARTITION_EQUALLY, 1, 0 },
		whole[] = { CL_DEVICE_PARTITION_EQUALLY, nr_units, 0 },
		zero[] = { CL_DEVICE_PARTITION_EQUALLY, 0, 0 },
		too_many[] = { CL_DEVICE_PARTITION_EQUALLY, nr_units + 1, 0 },
		no_end[] = { CL_DEVICE_PARTITION_EQUALLY, 1, 1, 0 },
		one[] = { CL_DEVICE_PARTITION_BY_COUNTS, 1, 0 },
		all[] = { CL_DEVICE_PARTITION_BY_COUNTS, nr_units, 0 },
		none[] = { CL_DEVICE_PARTITION_BY_COUNTS, 0 },
		more[] = { CL_DEVICE_PARTITION_BY_COUNTS, nr_units + 1, 0 },
		sum[] = { CL_DEVICE_PARTITION_BY_COUNTS, nr_units, 1, 0 },
		domain[] = { CL_DEVICE_PARTITION_BY_AFFINITY_DOMAIN, CL_DEVICE_AFFINITY_DOMAIN_NUMA, 0 },
		unknown[] = { 0x4711, 1, 0 }, empty[] = { 0 };

	try_division(env->device, each, "each");
	try_division(env->device, whole, "whole");
	try_division(env->device, zero, "zero");
	try_division(env->device, too_many, "too many");
	try_division(env->device, no_end, "no end");
	try_division(env->device, one, "one");
	try_division(env->device, all, "all");
	try_division(env->device, none, "none");
	try_division(env->device, more, "more");
	try_division(env->device, sum, "sum");
	try_division(env->device, domain, "domain");
	try_division(env->device, unknown, "unknown");
	try_division(env->device, empty, "empty");
}

static void wrong_calls(struct cl_env *env)
{
	const cl_device_partition_property each[] = { CL_DEVICE_PARTITION_EQUALLY, 1, 0 };
	cl_device_id part = NULL;
	cl_uint nr = 77;

	say("no device", clCreateSubDevices(NULL, each, 0, NULL, &nr));
	say("no list", clCreateSubDevices(env->device, NULL, 0, NULL, &nr));
	say("no room", clCreateSubDevices(env->device, each, 2, NULL, &nr));
	say("no number", clCreateSubDevices(env->device, each, 0, &part, &nr));
	say("nothing asked", clCreateSubDevices(env->device, each, 0, NULL, NULL));
	if (nr_units > 1)
		say("room for one", clCreateSubDevices(env->device, each, 1, &part, &nr));
	printf("%u, %s\n", nr, part ? "made" : "nothing made");
	say("retain nothing", clRetainDevice(NULL));
	say("release nothing", clReleaseDevice(NULL));
}

static void parts_of_parts(struct cl_env *env)
{
	const cl_device_partition_property all[] = { CL_DEVICE_PARTITION_BY_COUNTS, nr_units, 0 };
	const cl_device_partition_property each[] = { CL_DEVICE_PARTITION_EQUALLY, 1, 0 };
	cl_device_id whole = NULL, parts[2] = { NULL };

	if (clCreateSubDevices(env->device, all, 1, &whole, NULL))
		return;
	describe("whole", whole, env->device);
	try_division(whole, each, "each of whole");
	if (two_units(whole, parts) == 2) {
		describe("part of part", parts[1], whole);
		try_division(parts[0], each, "each of one");
		CHECK_OK(clReleaseDevice(parts[0]));
		CHECK_OK(clReleaseDevice(parts[1]));
	}
	print_uint("whole", whole, CL_DEVICE_REFERENCE_COUNT);
	CHECK_OK(clReleaseDevice(whole));
}

/* --------------------------------------------------------------- contexts */

static void print_context(const char *name, cl_device_id root, cl_uint nr, const cl_device_id *list)
{
	cl_device_id got[4] = { NULL };
	cl_uint count = 77;
	size_t size = 0;
	cl_context ctx;
	cl_int err;

	ctx = clCreateContext(NULL, nr, list, NULL, NULL, &err);
	say(name, err);
	if (!ctx)
		return;
	say("  number", clGetContextInfo(ctx, CL_CONTEXT_NUM_DEVICES, sizeof(count), &count, NULL));
	say("  devices", clGetContextInfo(ctx, CL_CONTEXT_DEVICES, sizeof(got), got, &size));
	printf("  %u, %zu bytes, first is %s\n", count, size, got[0] == root ? "root" : "another");
	for (cl_uint i = 0; i < nr; i++) {
		cl_command_queue q = clCreateCommandQueueWithProperties(ctx, list[i], NULL, &err);
		cl_device_id of = NULL;

		say("  queue", err);
		if (!q)
			continue;
		CHECK_OK(clGetCommandQueueInfo(q, CL_QUEUE_DEVICE, sizeof(of), &of, NULL));
		printf("  of %s\n", of == list[i] ? "its device" : of == root ? "root" : "another");
		CHECK_OK(clReleaseCommandQueue(q));
	}
	CHECK_OK(clReleaseContext(ctx));
}

static void contexts(struct cl_env *env)
{
	cl_device_id parts[2] = { NULL };
	cl_command_queue queue;
	cl_int err;

	if (two_units(env->device, parts) != 2)
		return;
	print_context("one part", env->device, 1, parts);
	print_context("two parts", env->device, 2, parts);
	print_context("root and part", env->device, 2, (cl_device_id[]){ env->device, parts[1] });
	print_context("part and root", env->device, 2, (cl_device_id[]){ parts[1], env->device });
	print_context("twice", env->device, 2, (cl_device_id[]){ env->device, env->device });
	print_context("part and nothing", env->device, 2, (cl_device_id[]){ parts[0], NULL });
	print_uint("references", parts[0], CL_DEVICE_REFERENCE_COUNT);

	queue = clCreateCommandQueue(env->ctx, parts[0], CL_QUEUE_PROFILING_ENABLE, &err);
	say("old queue", err);
	print_uint("references", parts[0], CL_DEVICE_REFERENCE_COUNT);
	if (queue)
		CHECK_OK(clReleaseCommandQueue(queue));
	CHECK_OK(clReleaseDevice(parts[0]));
	CHECK_OK(clReleaseDevice(parts[1]));
}

/* --------------------------------------------------------------- programs */

static const char source[] =
	"__kernel void meet(volatile __global int *flags, int me, int other)\n"
	"{\n"
	"	atomic_xchg(&flags[me], 1);\n"
	"	for (int i = 0; i < 30000000; i++)\n"
	"		if (atomic_or(&flags[other], 0)) {\n"
	"			flags[2 + me] = 1;\n"
	"			break;\n"
	"		}\n"
	"	atomic_xchg(&flags[me], 0);\n"
	"}\n"
	"__kernel void crowd(volatile __global int *p)\n"
	"{\n"
	"	int now = atomic_inc(&p[0]) + 1;\n"
	"	atomic_max(&p[1], now);\n"
	"	for (int i = 0; i < 20000; i++)\n"
	"		atomic_or(&p[3], 0);\n"
	"	atomic_inc(&p[2]);\n"
	"	atomic_dec(&p[0]);\n"
	"}\n";

static void print_build_info(const char *name, cl_program p, cl_device_id d)
{
	cl_build_status status = 77;
	cl_program_binary_type type = 77;
	char text[256] = "";

	say(name, clGetProgramBuildInfo(p, d, CL_PROGRAM_BUILD_STATUS, sizeof(status), &status, NULL));
	say("  type", clGetProgramBuildInfo(p, d, CL_PROGRAM_BINARY_TYPE, sizeof(type), &type, NULL));
	say("  log", clGetProgramBuildInfo(p, d, CL_PROGRAM_BUILD_LOG, sizeof(text), text, NULL));
	printf("  %d, %u, log of %zu\n", status, type, strlen(text));
}

static void print_program(cl_program p, cl_device_id root)
{
	cl_device_id list[4] = { NULL };
	size_t sizes[4] = { 0 }, size = 0;
	cl_uint nr = 77;

	say("number", clGetProgramInfo(p, CL_PROGRAM_NUM_DEVICES, sizeof(nr), &nr, NULL));
	say("devices", clGetProgramInfo(p, CL_PROGRAM_DEVICES, sizeof(list), list, &size));
	printf("%u, %zu bytes, first is %s\n", nr, size, list[0] == root ? "root" : "another");
	say("sizes", clGetProgramInfo(p, CL_PROGRAM_BINARY_SIZES, sizeof(sizes), sizes, &size));
	printf("%zu bytes, %s\n", size, sizes[0] ? "some" : "none");
	say("binaries", clGetProgramInfo(p, CL_PROGRAM_BINARIES, 0, NULL, &size));
	printf("%zu bytes\n", size);
}

static void build_for(struct cl_env *env, const char *name, cl_uint nr, const cl_device_id *list)
{
	const char *text = source;
	cl_program p;
	cl_int err;

	p = clCreateProgramWithSource(env->ctx, 1, &text, NULL, &err);
	REQUIRE(p);
	say(name, clBuildProgram(p, nr, list, "", NULL, NULL));
	print_program(p, env->device);
	print_build_info("info of root", p, env->device);
	if (nr)
		print_build_info("info of part", p, list[0]);
	CHECK_OK(clReleaseProgram(p));
}

static void builds(struct cl_env *env)
{
	cl_device_id parts[2] = { NULL };
	const char *text = source;
	cl_program p;
	cl_int err;

	if (two_units(env->device, parts) != 2)
		return;
	build_for(env, "for all", 0, NULL);
	build_for(env, "for a part", 1, parts);
	build_for(env, "for two parts", 2, parts);
	build_for(env, "for part and root", 2, (cl_device_id[]){ parts[0], env->device });

	p = clCreateProgramWithSource(env->ctx, 1, &text, NULL, &err);
	REQUIRE(p);
	say("compile", clCompileProgram(p, 1, parts, NULL, 0, NULL, NULL, NULL, NULL));
	cl_program linked = clLinkProgram(env->ctx, 2, parts, NULL, 1, &p, NULL, NULL, &err);
	say("link", err);
	if (linked) {
		print_program(linked, env->device);
		CHECK_OK(clReleaseProgram(linked));
	}
	CHECK_OK(clReleaseProgram(p));
	CHECK_OK(clReleaseDevice(parts[0]));
	CHECK_OK(clReleaseDevice(parts[1]));
}

static void try_binary(struct cl_env *env, const char *name, cl_uint nr, const cl_device_id *list, const void *bytes,
		       size_t size)
{
	const unsigned char *binaries[2] = { bytes, bytes };
	const size_t sizes[2] = { size, size };
	cl_int status[2] = { 77, 77 }, err;
	cl_program p = clCreateProgramWithBinary(env->ctx, nr, list, sizes, binaries, status, &err);

	say(name, err);
	printf("  %d %d\n", status[0], status[1]);
	if (!p)
		return;
	say("  build", clBuildProgram(p, 1, list, NULL, NULL, NULL));
	print_program(p, env->device);
	CHECK_OK(clReleaseProgram(p));
}

static void binaries(struct cl_env *env)
{
	cl_program p = cl_build(env, source, NULL);
	cl_device_id parts[2] = { NULL };
	unsigned char *bytes;
	size_t size = 0;

	if (two_units(env->device, parts) == 2) {
		CHECK_OK(clGetProgramInfo(p, CL_PROGRAM_BINARY_SIZES, sizeof(size), &size, NULL));
		bytes = calloc(1, size);
		CHECK_OK(clGetProgramInfo(p, CL_PROGRAM_BINARIES, sizeof(bytes), &bytes, NULL));
		try_binary(env, "part", 1, parts, bytes, size);
		try_binary(env, "two parts", 2, parts, bytes, size);
		try_binary(env, "root and part", 2, (cl_device_id[]){ env->device, parts[1] }, bytes, size);
		try_binary(env, "root twice", 2, (cl_device_id[]){ env->device, env->device }, bytes, size);
		try_binary(env, "part twice", 2, (cl_device_id[]){ parts[0], parts[0] }, bytes, size);
		free(bytes);
		CHECK_OK(clReleaseDevice(parts[0]));
		CHECK_OK(clReleaseDevice(parts[1]));
	}
	CHECK_OK(clReleaseProgram(p));
}

static void print_group_info(const char *name, cl_kernel k, cl_device_id d)
{
	size_t group = 77, multiple = 77;
	cl_ulong local = 77;

	say(name, clGetKernelWorkGroupInfo(k, d, CL_KERNEL_WORK_GROUP_SIZE, sizeof(group), &group, NULL));
	say("  multiple", clGetKernelWorkGroupInfo(k, d, CL_KERNEL_PREFERRED_WORK_GROUP_SIZE_MULTIPLE,
						   sizeof(multiple), &multiple, NULL));
	say("  local", clGetKernelWorkGroupInfo(k, d, CL_KERNEL_LOCAL_MEM_SIZE, sizeof(local), &local, NULL));
	printf("  %zu %zu %lu\n", group, multiple, (unsigned long)local);
}

static void kernel_info(struct cl_env *env)
{
	cl_program p = cl_build(env, source, NULL);
	cl_kernel k = cl_kernel_new(p, "crowd");
	cl_device_id parts[2] = { NULL };

	print_group_info("of root", k, env->device);
	print_group_info("of nothing", k, NULL);
	if (two_units(env->device, parts) == 2) {
		print_group_info("of a part", k, parts[1]);
		CHECK_OK(clReleaseDevice(parts[0]));
		CHECK_OK(clReleaseDevice(parts[1]));
	}
	CHECK_OK(clReleaseKernel(k));
	CHECK_OK(clReleaseProgram(p));
}

/* -------------------------------------------------------------- execution */

static void run_crowd(struct cl_env *env, const char *name, cl_program p, cl_device_id d)
{
	const size_t global = 64, local = 1;
	cl_kernel k = cl_kernel_new(p, "crowd");
	int counts[4] = { 0 };
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, sizeof(counts), counts);
	cl_command_queue q;
	cl_int err;

	q = clCreateCommandQueueWithProperties(env->ctx, d, NULL, &err);
	say(name, err);
	REQUIRE(q);
	CHECK_OK(clSetKernelArg(k, 0, sizeof(mem), &mem));
	CHECK_OK(clEnqueueNDRangeKernel(q, k, 1, NULL, &global, &local, 0, NULL, NULL));
	CHECK_OK(clEnqueueReadBuffer(q, mem, CL_TRUE, 0, sizeof(counts), counts, 0, NULL, NULL));
	printf("  %d groups, at most %s at once\n", counts[2], counts[1] == 1 ? "one" : "some");
	CHECK_OK(clReleaseCommandQueue(q));
	CHECK_OK(clReleaseMemObject(mem));
	CHECK_OK(clReleaseKernel(k));
}

/* Natively a worker may still look at the device of a queue that has finished and is released: it is left alone there. */
static void let_go_after_work(struct cl_env *env, cl_device_id parts[2])
{
	for (int i = 0; !env->native && i < 2; i++)
		CHECK_OK(clReleaseDevice(parts[i]));
}

static void one_unit(struct cl_env *env)
{
	cl_program p = cl_build(env, source, NULL);
	cl_device_id parts[2] = { NULL };

	if (two_units(env->device, parts) == 2) {
		run_crowd(env, "first", p, parts[0]);
		run_crowd(env, "second", p, parts[1]);
		let_go_after_work(env, parts);
	}
	CHECK_OK(clReleaseProgram(p));
}

/* Two kernels of one group each, enqueued at once; *ret: which of them saw the other one. */
static void run_pair(struct cl_env *env, const char *name, cl_program p, cl_device_id d[2])
{
	const size_t one = 1;
	int flags[4] = { 0 };
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR, sizeof(flags), flags);
	cl_command_queue q[2];
	cl_kernel k[2];

	for (int i = 0; i < 2; i++) {
		const int other = !i;

		q[i] = clCreateCommandQueueWithProperties(env->ctx, d[i], NULL, NULL);
		REQUIRE(q[i]);
		k[i] = cl_kernel_new(p, "meet");
		CHECK_OK(clSetKernelArg(k[i], 0, sizeof(mem), &mem));
		CHECK_OK(clSetKernelArg(k[i], 1, sizeof(i), &i));
		CHECK_OK(clSetKernelArg(k[i], 2, sizeof(other), &other));
	}
	for (int i = 0; i < 2; i++) {
		CHECK_OK(clEnqueueNDRangeKernel(q[i], k[i], 1, NULL, &one, &one, 0, NULL, NULL));
		CHECK_OK(clFlush(q[i]));
	}
	for (int i = 0; i < 2; i++)
		CHECK_OK(clFinish(q[i]));
	CHECK_OK(clEnqueueReadBuffer(q[0], mem, CL_TRUE, 0, sizeof(flags), flags, 0, NULL, NULL));
	printf("%s: %s\n", name, flags[2] || flags[3] ? "met" : "never met");
	for (int i = 0; i < 2; i++) {
		CHECK_OK(clReleaseKernel(k[i]));
		CHECK_OK(clReleaseCommandQueue(q[i]));
	}
	CHECK_OK(clReleaseMemObject(mem));
}

static void two_at_once(struct cl_env *env)
{
	cl_program p = cl_build(env, source, NULL);
	cl_device_id parts[2] = { NULL };

	if (two_units(env->device, parts) == 2) {
		run_pair(env, "on two units", p, parts);
		run_pair(env, "on the first", p, (cl_device_id[]){ parts[0], parts[0] });
		run_pair(env, "on the second", p, (cl_device_id[]){ parts[1], parts[1] });
		let_go_after_work(env, parts);
	}
	CHECK_OK(clReleaseProgram(p));
}

/* Queue and part of a part outlive the program's references to what they came from (natively a stale pointer). */
static void outlived(struct cl_env *env)
{
	const cl_device_partition_property all[] = { CL_DEVICE_PARTITION_BY_COUNTS, nr_units, 0 };
	cl_device_id whole = NULL, parts[2] = { NULL }, of = NULL;
	cl_program p = cl_build(env, source, NULL);
	cl_command_queue q;

	if (!env->native && clCreateSubDevices(env->device, all, 1, &whole, NULL) == CL_SUCCESS) {
		if (two_units(whole, parts) == 2) {
			q = clCreateCommandQueueWithProperties(env->ctx, parts[1], NULL, NULL);
			CHECK_OK(clReleaseDevice(whole));
			CHECK_OK(clReleaseDevice(parts[0]));
			CHECK_OK(clReleaseDevice(parts[1]));
			REQUIRE(q);
			CHECK_OK(clGetCommandQueueInfo(q, CL_QUEUE_DEVICE, sizeof(of), &of, NULL));
			CHECK(of == parts[1]);
			CHECK_OK(clGetDeviceInfo(of, CL_DEVICE_PARENT_DEVICE, sizeof(of), &of, NULL));
			CHECK(of == whole);
			CHECK_OK(clReleaseCommandQueue(q));
		} else {
			CHECK_OK(clReleaseDevice(whole));
		}
	}
	CHECK_OK(clReleaseProgram(p));
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(find_units), CL_CASE(answers), CL_CASE(references), CL_CASE(divisions), CL_CASE(wrong_calls),
		CL_CASE(parts_of_parts), CL_CASE(contexts), CL_CASE(builds), CL_CASE(binaries), CL_CASE(kernel_info),
		CL_CASE(one_unit), CL_CASE(two_at_once), CL_CASE(outlived), { NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, 0);
}
