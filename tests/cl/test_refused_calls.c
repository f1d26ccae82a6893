/* SPDX-License-Identifier: MIT */
/*
 * Calls of OpenCL 3.0 and of extensions that a CPU device commonly does not offer: what each answers to good and bad
 * arguments.  The outcomes are printed: a virtual device's must be those of the host's driver.  Not here: what
 * crashes in the loader or in that driver.
 */
#include "cl_test.h"

#include <CL/cl_gl.h>

static const char *name(cl_int err)
{
	return err == 12345 ? "untouched" : cl_err_name(err);
}

#define OUTCOME(call) printf("%s: %s\n", #call, name(call))
/* For calls that give an object and an error. */
#define OUTCOME_OBJECT(call)                                                        \
	do {                                                                        \
		cl_int err = 12345;                                                 \
		const void *object = call;                                          \
		printf("%s: %s, %s\n", #call, object ? "an object" : "NULL", name(err)); \
	} while (0)

static void case_timers(struct cl_env *env)
{
	cl_device_id device = env->device;
	cl_platform_id platform = env->platform;
	cl_ulong a = 7, b = 7;

	OUTCOME(clGetDeviceAndHostTimer(device, &a, &b));
	OUTCOME(clGetDeviceAndHostTimer(device, NULL, NULL));
	OUTCOME(clGetHostTimer(device, &b));
	OUTCOME(clGetHostTimer(device, NULL));
	printf("written: %d %d\n", a != 7, b != 7);
	OUTCOME(clGetPlatformInfo(platform, CL_PLATFORM_HOST_TIMER_RESOLUTION, sizeof(a), &a, NULL));
	printf("resolution %llu\n", (unsigned long long)a);
}

static void case_device_queue(struct cl_env *env)
{
	cl_command_queue queue = env->queue;
	cl_device_id device = env->device;
	cl_context ctx = env->ctx;

	OUTCOME(clSetDefaultDeviceCommandQueue(ctx, device, queue));
	OUTCOME(clSetDefaultDeviceCommandQueue(ctx, device, NULL));
	OUTCOME(clSetDefaultDeviceCommandQueue(ctx, NULL, queue));
}

static void case_pipe(struct cl_env *env)
{
	const cl_pipe_properties some[] = { 1, 2, 0 };
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, 64, NULL);
	cl_context ctx = env->ctx;
	cl_uint value = 0;

	OUTCOME_OBJECT(clCreatePipe(ctx, CL_MEM_READ_WRITE, 4, 16, NULL, &err));
	OUTCOME_OBJECT(clCreatePipe(ctx, 0, 0, 0, NULL, &err));
	OUTCOME_OBJECT(clCreatePipe(ctx, CL_MEM_READ_ONLY, 4, 16, NULL, &err));
	OUTCOME_OBJECT(clCreatePipe(ctx, 0, 4, 16, some, &err));
	OUTCOME_OBJECT(clCreatePipe(ctx, 0, 4, 16, NULL, NULL));
	OUTCOME(clGetPipeInfo(mem, CL_PIPE_PACKET_SIZE, sizeof(value), &value, NULL));
	OUTCOME(clGetPipeInfo(mem, 0, 0, NULL, NULL));
	clReleaseMemObject(mem);
}

static void case_sub_groups(struct cl_env *env)
{
	cl_program program = cl_build(env, "kernel void k(global int *a) { a[0] = 1; }", "");
	cl_kernel kernel = cl_kernel_new(program, "k");
	const size_t in[3] = { 8, 1, 1 };
	cl_device_id device = env->device;
	size_t out[3];

	OUTCOME(clGetKernelSubGroupInfo(kernel, device, CL_KERNEL_MAX_SUB_GROUP_SIZE_FOR_NDRANGE, sizeof(in), in,
					sizeof(out), out, NULL));
	OUTCOME(clGetKernelSubGroupInfo(kernel, NULL, CL_KERNEL_SUB_GROUP_COUNT_FOR_NDRANGE, sizeof(in), in,
					sizeof(out), out, NULL));
	OUTCOME(clGetKernelSubGroupInfo(kernel, device, CL_KERNEL_COMPILE_NUM_SUB_GROUPS, 0, NULL, sizeof(out), out,
					NULL));
	OUTCOME(clGetKernelSubGroupInfo(kernel, device, 0, 0, NULL, 0, NULL, NULL));
	clReleaseKernel(kernel);
	clReleaseProgram(program);
}

static void CL_CALLBACK never(cl_program program, void *data)
{
	(void)program;
	(void)data;
	printf("called\n");
}

static void case_program(struct cl_env *env)
{
	static const char il[] = "\x03\x02\x23\x07 is how SPIR-V begins";
	cl_program program = cl_build(env, "kernel void k(global int *a) { a[0] = 1; }", "");
	cl_platform_id platform = env->platform;
	cl_context ctx = env->ctx;
	cl_uint value = 1;
	size_t len = 77;

	OUTCOME(clSetProgramReleaseCallback(program, never, NULL));
	OUTCOME(clSetProgramReleaseCallback(program, NULL, NULL));
	OUTCOME(clSetProgramSpecializationConstant(program, 0, sizeof(value), &value));
	OUTCOME(clSetProgramSpecializationConstant(program, 0, 0, NULL));
	OUTCOME_OBJECT(clCreateProgramWithIL(ctx, il, sizeof(il), &err));
	OUTCOME_OBJECT(clCreateProgramWithIL(ctx, "nonsense", 8, &err));
	OUTCOME_OBJECT(clCreateProgramWithIL(ctx, il, 0, &err));
	OUTCOME_OBJECT(clCreateProgramWithIL(ctx, NULL, 0, &err));
	OUTCOME(clGetProgramInfo(program, CL_PROGRAM_IL, 0, NULL, &len));
	printf("IL of %zu bytes\n", len);
	OUTCOME(clUnloadCompiler());
	OUTCOME(clUnloadPlatformCompiler(platform));
	OUTCOME(clUnloadPlatformCompiler(NULL));
	clReleaseProgram(program);
}

static void case_gl(struct cl_env *env)
{
	cl_context_properties none[] = { 0 };
	cl_context_properties some[] = { CL_CONTEXT_PLATFORM, (cl_context_properties)env->platform, 0 };
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, 64, NULL);
	clGetGLContextInfoKHR_fn clGetGLContextInfoKHR;
	cl_command_queue queue = env->queue;
	cl_context ctx = env->ctx;
	char room[64];

	OUTCOME_OBJECT(clCreateFromGLTexture(ctx, CL_MEM_READ_WRITE, CL_GL_OBJECT_TEXTURE2D, 0, 1, &err));
	OUTCOME_OBJECT(clCreateFromGLTexture2D(ctx, CL_MEM_READ_WRITE, CL_GL_OBJECT_TEXTURE2D, 0, 1, &err));
	OUTCOME_OBJECT(clCreateFromGLTexture3D(ctx, CL_MEM_READ_WRITE, CL_GL_OBJECT_TEXTURE3D, 0, 1, &err));
	OUTCOME(clEnqueueAcquireGLObjects(queue, 1, &mem, 0, NULL, NULL));
	OUTCOME(clEnqueueAcquireGLObjects(queue, 0, NULL, 0, NULL, NULL));
	OUTCOME(clEnqueueReleaseGLObjects(queue, 1, &mem, 0, NULL, NULL));
	OUTCOME(clEnqueueReleaseGLObjects(queue, 0, NULL, 0, NULL, NULL));

	clGetGLContextInfoKHR = (clGetGLContextInfoKHR_fn)clGetExtensionFunctionAddressForPlatform(env->platform,
											       "clGetGLContextInfoKHR");
	printf("clGetGLContextInfoKHR: %d\n", clGetGLContextInfoKHR != NULL);
	if (clGetGLContextInfoKHR) {
		OUTCOME(clGetGLContextInfoKHR(some, CL_DEVICES_FOR_GL_CONTEXT_KHR, sizeof(room), room, NULL));
		OUTCOME(clGetGLContextInfoKHR(some, 0, sizeof(room), room, NULL));
		OUTCOME(clGetGLContextInfoKHR(none, CL_DEVICES_FOR_GL_CONTEXT_KHR, sizeof(room), room, NULL));
	}
	clReleaseMemObject(mem);
}

static void print_code(const char *what, cl_int err)
{
	printf("%s: %s\n", what, name(err));
}

/* cl_pocl_content_size, where the platform has it: known by its name alone. */
static void case_content_size(struct cl_env *env)
{
	cl_int(CL_API_CALL * set)(cl_mem, cl_mem);
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, 1024, NULL), size = cl_buffer(env, 0, 8, NULL);
	cl_mem small = cl_buffer(env, 0, 4, NULL), sub, foreign;
	const cl_buffer_region region = { 0, 64 };
	cl_context other = clCreateContext(NULL, 1, &env->device, NULL, NULL, NULL);
	cl_int err;

	sub = clCreateSubBuffer(mem, 0, CL_BUFFER_CREATE_TYPE_REGION, &region, &err);
	CHECK_OK(err);
	foreign = clCreateBuffer(other, 0, 8, NULL, &err);
	CHECK_OK(err);
	set = (cl_int(CL_API_CALL *)(cl_mem, cl_mem))clGetExtensionFunctionAddressForPlatform(
		env->platform, "clSetContentSizeBufferPoCL");
	printf("clSetContentSizeBufferPoCL: %d\n", set != NULL);
	if (set) {
		print_code("good", set(mem, size));
		print_code("no buffer", set(NULL, size));
		print_code("no size", set(mem, NULL));
		print_code("small", set(mem, small));
		print_code("sub-buffer as size", set(mem, sub));
		print_code("foreign", set(mem, foreign));
	}
	clReleaseMemObject(sub);
	clReleaseMemObject(mem);
	clReleaseMemObject(small);
	clReleaseMemObject(size);
	clReleaseMemObject(foreign);
	clReleaseContext(other);
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(case_timers),  CL_CASE(case_device_queue), CL_CASE(case_pipe),
		CL_CASE(case_sub_groups), CL_CASE(case_program),   CL_CASE(case_gl),
		CL_CASE(case_content_size), { NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, 0);
}
