/* SPDX-License-Identifier: MIT */
/*
 * Several processes at once. The parent forks before its first OpenCL call, so
 * that each child is a program of its own; then children come and go, are
 * killed in the middle of work, and leave without releasing anything.
 */
#include "cl_test.h"

#include <signal.h>
#include <sys/wait.h>

#define COUNT 4096
#define SIZE (COUNT * sizeof(cl_uint))

static const char source[] = "__kernel void add(__global uint *p, uint v) { p[get_global_id(0)] += v; }\n";

static int child_status(pid_t pid)
{
	int status = -1;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	return status;
}

/* Returns in the parent only; the child leaves with 0 if no check failed. */
static pid_t start(void (*fn)(unsigned int), unsigned int number)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	alarm(100);
	fn(number);
	_exit(cl_test_failures() ? 1 : 0);
}

static bool ended_well(pid_t pid)
{
	int status = child_status(pid);

	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void one_program(unsigned int number)
{
	struct cl_env env;
	cl_uint data[COUNT], v = number + 1;
	size_t count = COUNT;
	cl_program program;
	cl_kernel kernel;
	cl_mem mem;

	cl_env_open(&env);
	program = cl_build(&env, source, NULL);
	kernel = cl_kernel_new(program, "add");
	mem = cl_buffer(&env, CL_MEM_READ_WRITE, SIZE, NULL);
	for (cl_uint i = 0; i < COUNT; i++)
		data[i] = number << 20 | i;
	CHECK_OK(clEnqueueWriteBuffer(env.queue, mem, CL_TRUE, 0, SIZE, data, 0, NULL, NULL));
	CHECK_OK(clSetKernelArg(kernel, 0, sizeof(mem), &mem));
	CHECK_OK(clSetKernelArg(kernel, 1, sizeof(v), &v));
	for (int i = 0; i < 200; i++)
		CHECK_OK(clEnqueueNDRangeKernel(env.queue, kernel, 1, NULL, &count, NULL, 0, NULL, NULL));
	CHECK_OK(clEnqueueReadBuffer(env.queue, mem, CL_TRUE, 0, SIZE, data, 0, NULL, NULL));
	for (cl_uint i = 0; i < COUNT; i++)
		if (!CHECK(data[i] == (number << 20 | i) + 200 * v))
			break;
	CHECK_OK(clReleaseMemObject(mem));
	CHECK_OK(clReleaseKernel(kernel));
	CHECK_OK(clReleaseProgram(program));
	cl_env_close(&env);
}

static void side_by_side(struct cl_env *env)
{
	pid_t pids[4];

	(void)env;
	for (unsigned int i = 0; i < COUNT_OF(pids); i++)
		pids[i] = start(one_program, i);
	for (unsigned int i = 0; i < COUNT_OF(pids); i++)
		CHECK(ended_well(pids[i]));
}

/* Leaves with work queued, a buffer mapped, a gate shut, nothing released. */
static void leave_in_a_mess(unsigned int by)
{
	struct cl_env env;
	const char zero = 0;
	cl_event gate, event = NULL;
	cl_mem mem;
	cl_int err;

	cl_env_open(&env);
	mem = cl_buffer(&env, CL_MEM_READ_WRITE, 16 << 20, NULL);
	CHECK(clEnqueueMapBuffer(env.queue, mem, CL_TRUE, CL_MAP_WRITE, 0, 4096, 0, NULL, NULL, &err));
	for (int i = 0; i < 100; i++)
		CHECK_OK(clEnqueueFillBuffer(env.queue, mem, &zero, 1, 0, 1 << 20, 0, NULL, NULL));
	gate = clCreateUserEvent(env.ctx, NULL);
	CHECK_OK(clEnqueueFillBuffer(env.queue, mem, &zero, 1, 0, 1 << 20, 1, &gate, &event));
	CHECK_OK(clFlush(env.queue));
	if (cl_test_failures())
		_exit(1);
	if (by == 0)
		_exit(7);
	exit(7);
}

static void exit_without_release(struct cl_env *env)
{
	(void)env;
	for (unsigned int by = 0; by < 2; by++) {
		int status = child_status(start(leave_in_a_mess, by));

		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	}
}

static int ready_pipe[2];

static void work_for_ever(unsigned int number)
{
	struct cl_env env;
	cl_mem mem;

	cl_env_open(&env);
	mem = cl_buffer(&env, CL_MEM_READ_WRITE, 8 << 20, NULL);
	for (;;) {
		CHECK_OK(clEnqueueFillBuffer(env.queue, mem, &number, 4, 0, 8 << 20, 0, NULL, NULL));
		CHECK_OK(clFinish(env.queue));
		if (write(ready_pipe[1], "x", 1) != 1 || cl_test_failures())
			_exit(1);
	}
}

/* A killed program takes nobody along: its neighbour and the next one work. */
static void killed_in_the_middle(struct cl_env *env)
{
	pid_t victims[2], neighbour;
	char byte;

	(void)env;
	REQUIRE(pipe(ready_pipe) == 0);
	for (unsigned int i = 0; i < COUNT_OF(victims); i++)
		victims[i] = start(work_for_ever, i);
	close(ready_pipe[1]);
	for (int i = 0; i < 20; i++)
		REQUIRE(read(ready_pipe[0], &byte, 1) == 1);
	neighbour = start(one_program, 9);
	for (unsigned int i = 0; i < COUNT_OF(victims); i++) {
		int status;

		CHECK(kill(victims[i], SIGKILL) == 0);
		status = child_status(victims[i]);
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	}
	close(ready_pipe[0]);
	CHECK(ended_well(neighbour));
	CHECK(ended_well(start(one_program, 10)));
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(side_by_side), CL_CASE(exit_without_release), CL_CASE(killed_in_the_middle), { NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, CL_TEST_NO_ENV);
}
