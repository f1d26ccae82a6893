/* SPDX-License-Identifier: MIT */
/* Programs of built-in kernels: what the device lists, and what comes of asking for it. Printed, to be compared. */
#include "cl_test.h"

static void CL_CALLBACK built(cl_program program, void *data)
{
	(void)program;
	++*(int *)data;
}

static void print_build(struct cl_env *env, cl_program p)
{
	cl_program_binary_type type = 77;
	cl_build_status status = 77;
	char text[256];
	size_t len = 77;
	cl_int err;

	err = clGetProgramBuildInfo(p, env->device, CL_PROGRAM_BUILD_STATUS, sizeof(status), &status, NULL);
	printf("  status %s %d\n", cl_err_name(err), status);
	err = clGetProgramBuildInfo(p, env->device, CL_PROGRAM_BINARY_TYPE, sizeof(type), &type, NULL);
	printf("  binary type %s %x\n", cl_err_name(err), type);
	err = clGetProgramBuildInfo(p, env->device, CL_PROGRAM_BUILD_LOG, sizeof(text), text, &len);
	printf("  log %s %zu\n", cl_err_name(err), len);
	err = clGetProgramBuildInfo(p, env->device, CL_PROGRAM_BUILD_OPTIONS, sizeof(text), text, &len);
	printf("  options %s '%s'\n", cl_err_name(err), err ? "" : text);
	printf("  kernels %s\n", cl_err_name(clGetProgramInfo(p, CL_PROGRAM_NUM_KERNELS, sizeof(len), &len, NULL)));
	printf("  names %s\n", cl_err_name(clGetProgramInfo(p, CL_PROGRAM_KERNEL_NAMES, 0, NULL, &len)));
	err = clGetProgramInfo(p, CL_PROGRAM_SOURCE, 0, NULL, &len);
	printf("  source %s %zu\n", cl_err_name(err), len);
	err = clGetProgramInfo(p, CL_PROGRAM_BINARY_SIZES, sizeof(len), &len, NULL);
	printf("  binary sizes %s\n", cl_err_name(err));
}

static void print_kernels(cl_program p, const char *name)
{
	cl_kernel kernel, kernels[8];
	cl_uint nr = 77;
	cl_int err;

	kernel = clCreateKernel(p, name, &err);
	printf("  kernel %d %s\n", kernel != NULL, cl_err_name(err));
	err = clCreateKernelsInProgram(p, 8, kernels, &nr);
	printf("  kernels %u %s\n", nr, cl_err_name(err));
}

static void try_names(struct cl_env *env, const char *names, cl_uint nr_devices, const cl_device_id *devices)
{
	int nr_calls = 0;
	cl_int err = 12345;
	cl_program p = clCreateProgramWithBuiltInKernels(env->ctx, nr_devices, devices, names, &err), linked;

	printf("'%s': %d %s\n", names ? names : "(null)", p != NULL, cl_err_name(err));
	if (!p)
		return;
	print_build(env, p);
	print_kernels(p, names);
	printf("  compile %s\n", cl_err_name(clCompileProgram(p, 0, NULL, "", 0, NULL, NULL, NULL, NULL)));
	printf("  build %s\n", cl_err_name(clBuildProgram(p, 1, &env->device, "-cl-mad-enable", NULL, NULL)));
	print_build(env, p);
	print_kernels(p, names);
	printf("  build again %s", cl_err_name(clBuildProgram(p, 0, NULL, NULL, built, &nr_calls)));
	for (int i = 0; i < 10000 && !*(volatile int *)&nr_calls; i++)
		cl_sleep_ms(1);
	cl_sleep_ms(50); /* once */
	printf(", %d calls\n", nr_calls);
	linked = clLinkProgram(env->ctx, 0, NULL, NULL, 1, &p, NULL, NULL, &err);
	printf("  link %d %s\n", linked != NULL, cl_err_name(err));
	printf("  release %s\n", cl_err_name(clReleaseProgram(p)));
}

static void case_names(struct cl_env *env)
{
	const cl_device_id two[] = { env->device, env->device };
	char list[4096] = "", one[4096];

	CHECK_OK(clGetDeviceInfo(env->device, CL_DEVICE_BUILT_IN_KERNELS, sizeof(list), list, NULL));
	printf("list '%s'\n", list);
	for (char *next = list; *next; next += strspn(next, ";")) {
		size_t len = strcspn(next, ";");

		memcpy(one, next, len);
		one[len] = '\0';
		try_names(env, one, 1, &env->device);
		next += len;
	}
	try_names(env, list, 1, &env->device);
	try_names(env, "nobody.has.this", 1, &env->device);
	try_names(env, "", 1, &env->device);
	try_names(env, ";;", 1, &env->device);
	try_names(env, NULL, 1, &env->device);
	try_names(env, "pocl.add.i8;pocl.add.i8", 1, &env->device);
	try_names(env, "pocl.add.i8;nobody.has.this", 1, &env->device);
	try_names(env, " pocl.add.i8", 1, &env->device);
	try_names(env, "pocl.add", 1, &env->device);
	try_names(env, "pocl.add.i8", 0, &env->device);
	try_names(env, "pocl.add.i8", 1, NULL);
	try_names(env, "pocl.add.i8", 0, NULL);
	try_names(env, "pocl.add.i8", 2, two);
}

static void case_versions(struct cl_env *env)
{
	cl_name_version list[16];
	size_t size = 0;

	CHECK_OK(clGetDeviceInfo(env->device, CL_DEVICE_BUILT_IN_KERNELS_WITH_VERSION, sizeof(list), list, &size));
	for (size_t i = 0; i < size / sizeof(list[0]); i++)
		printf("%s %x\n", list[i].name, list[i].version);
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = { CL_CASE(case_names), CL_CASE(case_versions), { NULL, NULL } };

	return cl_test_main(argc, argv, cases, 0);
}
