/* SPDX-License-Identifier: MIT */
/*
 * printf in kernels: the runner compares standard output with the native run,
 * byte for byte. Each launch is one work-item or is finished before the next,
 * so that there is one right order; the program's own lines go in between.
 */
#include "cl_test.h"

static cl_program program;
static cl_mem mem;

static const char source[] =
	"__kernel void formats(__global int *p)\n"
	"{\n"
	"	printf(\"int %d %5d|%-5d|%05d %x %X %o %u\\n\", 1, 42, 42, 42, 255, 255, 8, 7u);\n"
	"	printf(\"long %ld %lu\\n\", -5000000000l, 5000000000ul);\n"
	"	printf(\"float %f %.2f %e %g\\n\", 1.5f, 2.25f, 12345.678f, 0.0001f);\n"
	"	printf(\"char %c string %s percent %%\\n\", 'x', \"text\");\n"
	"	printf(\"vector %v4hld and %v2hlf\\n\", (int4)(1, 2, 3, 4), (float2)(0.5f, 1.5f));\n"
	"	printf(\"no new line\");\n"
	"	printf(\"\\n\");\n"
	"}\n"
	"__kernel void line(__global int *p, int n) { printf(\"line %d\\n\", n); }\n"
	"__kernel void many(__global int *p, int n) {\n"
	"	for (int i = 0; i < n; i++) printf(\"%d of %d, padded with some text\\n\", i, n);\n"
	"}\n";

static void setup(struct cl_env *env)
{
	program = cl_build(env, source, NULL);
	mem = cl_buffer(env, CL_MEM_READ_WRITE, 64, NULL);
}

static cl_kernel kernel_with_mem(const char *name)
{
	cl_kernel kernel = cl_kernel_new(program, name);

	CHECK_OK(clSetKernelArg(kernel, 0, sizeof(mem), &mem));
	return kernel;
}

static void say(const char *text)
{
	/* past stdio, as the kernel's own output goes */
	CHECK(write(STDOUT_FILENO, text, strlen(text)) == (ssize_t)strlen(text));
}

static void formats(struct cl_env *env)
{
	cl_kernel kernel = kernel_with_mem("formats");
	size_t one = 1;

	say("before\n");
	CHECK_OK(clEnqueueNDRangeKernel(env->queue, kernel, 1, NULL, &one, &one, 0, NULL, NULL));
	CHECK_OK(clFinish(env->queue));
	say("after\n");
	CHECK_OK(clReleaseKernel(kernel));
}

/* Each way of waiting shows what was printed by then. */
static void ordered_with_the_program(struct cl_env *env)
{
	cl_kernel kernel = kernel_with_mem("line");
	size_t one = 1;

	for (int i = 0; i < 30; i++) {
		cl_event event = NULL;
		char text[32], out[4];

		CHECK_OK(clSetKernelArg(kernel, 1, sizeof(i), &i));
		CHECK_OK(clEnqueueNDRangeKernel(env->queue, kernel, 1, NULL, &one, &one, 0, NULL, &event));
		if (i % 3 == 0)
			CHECK_OK(clFinish(env->queue));
		else if (i % 3 == 1)
			CHECK_OK(clWaitForEvents(1, &event));
		else
			CHECK_OK(clEnqueueReadBuffer(env->queue, mem, CL_TRUE, 0, 4, out, 0, NULL, NULL));
		snprintf(text, sizeof(text), "host %d\n", i);
		say(text);
		CHECK_OK(clReleaseEvent(event));
	}
	CHECK_OK(clReleaseKernel(kernel));
}

static void ordered_in_a_stream(struct cl_env *env)
{
	cl_kernel kernel = kernel_with_mem("line");
	size_t one = 1;

	for (int i = 100; i < 300; i++) {
		CHECK_OK(clSetKernelArg(kernel, 1, sizeof(i), &i));
		CHECK_OK(clEnqueueNDRangeKernel(env->queue, kernel, 1, NULL, &one, &one, 0, NULL, NULL));
	}
	CHECK_OK(clFinish(env->queue));
	say("stream done\n");
	CHECK_OK(clReleaseKernel(kernel));
}

/* More than a pipe holds (64 KiB), less than the printf buffer. */
static void much_text(struct cl_env *env)
{
	cl_kernel kernel = kernel_with_mem("many");
	size_t one = 1;
	int n = 20000;

	CHECK_OK(clSetKernelArg(kernel, 1, sizeof(n), &n));
	CHECK_OK(clEnqueueNDRangeKernel(env->queue, kernel, 1, NULL, &one, &one, 0, NULL, NULL));
	CHECK_OK(clFinish(env->queue));
	say("much done\n");
	CHECK_OK(clReleaseKernel(kernel));
}

static void teardown(struct cl_env *env)
{
	(void)env;
	CHECK_OK(clReleaseMemObject(mem));
	CHECK_OK(clReleaseProgram(program));
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(setup), CL_CASE(formats), CL_CASE(ordered_with_the_program), CL_CASE(ordered_in_a_stream),
		CL_CASE(much_text), CL_CASE(teardown), { NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, 0);
}
