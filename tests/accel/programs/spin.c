/* SPDX-License-Identifier: MIT */
/*
 * spin FILE: starts a kernel that does not end, makes FILE when it runs, and waits for it.  It expects to lose its device:
 * an error and not a signal, and memory that it has mapped can be touched still.  Exit status: 0: so it was.
 */
#include <fcntl.h>

#include "../../cl/cl_test.h"

#define SIZE (1 << 20)

static const char source[] =
	"__kernel void spin(__global volatile int *p) { p[0] = 1; while (p[1] == 0) p[2]++; }\n";

static const char *marker;

static void make_marker(void)
{
	int fd = creat(marker, 0600);

	CHECK(fd >= 0);
	close(fd);
}

static void wait_running(volatile int *p)
{
	double end = cl_now() + 60;

	while (!p[0] && cl_now() < end)
		cl_sleep_ms(5);
	CHECK(p[0] == 1);
}

static unsigned long sum_of(const volatile unsigned char *p)
{
	unsigned long sum = 0;

	for (size_t i = 0; i < SIZE; i += 512)
		sum += p[i];
	return sum;
}

static void touch(volatile unsigned char *p)
{
	for (size_t i = 0; i < SIZE; i += 4096)
		p[i] = 1;
	CHECK(sum_of(p) > 0);
}

static void lost(struct cl_env *env)
{
	cl_program program = cl_build(env, source, NULL);
	cl_kernel kernel = cl_kernel_new(program, "spin");
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL), other = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	const size_t one = 1;
	const int zero = 0;
	cl_event event;
	cl_int err, status = 0;
	volatile int *p;
	unsigned char *kept;

	CHECK_OK(clEnqueueFillBuffer(env->queue, mem, &zero, sizeof(zero), 0, SIZE, 0, NULL, NULL));
	CHECK_OK(clEnqueueFillBuffer(env->queue, other, &zero, sizeof(zero), 0, SIZE, 0, NULL, NULL));
	/* Mapped for both while the kernel runs, which no program may rely on; here it is the way to look at it. */
	p = clEnqueueMapBuffer(env->queue, mem, CL_TRUE, CL_MAP_READ | CL_MAP_WRITE, 0, SIZE, 0, NULL, NULL, &err);
	REQUIRE_OK(err);
	kept = clEnqueueMapBuffer(env->queue, other, CL_TRUE, CL_MAP_READ | CL_MAP_WRITE, 0, SIZE, 0, NULL, NULL, &err);
	REQUIRE_OK(err);
	CHECK_OK(clSetKernelArg(kernel, 0, sizeof(mem), &mem));
	CHECK_OK(clEnqueueNDRangeKernel(env->queue, kernel, 1, NULL, &one, &one, 0, NULL, &event));
	CHECK_OK(clFlush(env->queue));
	wait_running(p);
	make_marker();
	err = clWaitForEvents(1, &event);
	CHECK_OK(clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof(status), &status, NULL));
	printf("the wait: %s, the event: %s\n", cl_err_name(err), cl_err_name(status));
	CHECK(err && status < 0);
	CHECK(clFinish(env->queue) != CL_SUCCESS);
	(void)sum_of(kept);
	touch(kept);
	touch((volatile unsigned char *)p);
	CHECK_OK(clReleaseEvent(event));
	CHECK_OK(clReleaseMemObject(mem));
	CHECK_OK(clReleaseMemObject(other));
	CHECK_OK(clReleaseKernel(kernel));
	CHECK_OK(clReleaseProgram(program));
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = { CL_CASE(lost), { NULL, NULL } };

	if (argc != 2) {
		fprintf(stderr, "usage: spin FILE\n");
		return 2;
	}
	marker = argv[1];
	return cl_test_main(1, argv, cases, CL_TEST_MAY_LOSE);
}
