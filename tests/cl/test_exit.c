/* SPDX-License-Identifier: MIT */
/*
 * All the ways to leave a program that uses OpenCL, and what a fork keeps: afterwards the next program has the device and
 * all its memory.
 */
#include "cl_test.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define SIZE ((size_t)4 << 20)

static const char source[] =
	"__kernel void spin(__global volatile uint *p) { for (uint i = 0; i < 50000000u; i++) p[0] += i; }\n";

enum way { BY_EXIT, BY__EXIT, BY_ABORT, BY_KILL, BY_PTHREAD_EXIT };

static struct cl_env own;
static enum way way;

static _Noreturn void leave(void)
{
	if (way == BY_ABORT)
		abort();
	if (way == BY_KILL)
		raise(SIGKILL);
	if (way == BY_EXIT)
		exit(7);
	_exit(7);
}

static void CL_CALLBACK leave_in_callback(cl_event event, cl_int status, void *user)
{
	(void)event;
	(void)status;
	(void)user;
	leave();
}

static void from_a_callback(void)
{
	cl_mem mem = cl_buffer(&own, CL_MEM_READ_WRITE, SIZE, NULL);
	cl_event event = NULL;
	const char zero = 0;

	if (clEnqueueFillBuffer(own.queue, mem, &zero, 1, 0, SIZE, 0, NULL, &event) ||
	    clSetEventCallback(event, CL_COMPLETE, leave_in_callback, NULL) || clFlush(own.queue))
		_exit(1);
	cl_sleep_ms(20000);
	_exit(1);
}

static void enqueue_spin(void)
{
	cl_program program = cl_build(&own, source, NULL);
	cl_kernel kernel = cl_kernel_new(program, "spin");
	cl_mem mem = cl_buffer(&own, CL_MEM_READ_WRITE, SIZE, NULL);
	size_t one = 1;

	if (clSetKernelArg(kernel, 0, sizeof(mem), &mem) ||
	    clEnqueueNDRangeKernel(own.queue, kernel, 1, NULL, &one, NULL, 0, NULL, NULL) || clFlush(own.queue))
		_exit(1);
}

static void in_mid_kernel(void)
{
	enqueue_spin();
	cl_sleep_ms(5);
	leave();
}

static void with_a_map_and_a_gate(void)
{
	cl_mem mem = cl_buffer(&own, CL_MEM_READ_WRITE, SIZE, NULL);
	cl_event gate = clCreateUserEvent(own.ctx, NULL);
	const char zero = 0;
	cl_int err;

	if (!clEnqueueMapBuffer(own.queue, mem, CL_TRUE, CL_MAP_WRITE, 0, SIZE, 0, NULL, NULL, &err) ||
	    clEnqueueFillBuffer(own.queue, mem, &zero, 1, 0, SIZE, 1, &gate, NULL) || clFlush(own.queue))
		_exit(1);
	leave();
}

static void *last_thread(void *arg)
{
	cl_sleep_ms(20);
	if (clFinish(own.queue))
		_exit(1);
	exit(7);
	return arg;
}

/* main()'s thread ends before the others. */
static void by_the_last_thread(void)
{
	pthread_t thread;

	enqueue_spin();
	if (pthread_create(&thread, NULL, last_thread, NULL))
		_exit(1);
	pthread_exit(NULL);
}

/* A program of its own: the fork comes before its first call. */
static int run(void (*fn)(void), enum way how)
{
	const struct rlimit no_core = { 0, 0 };
	int status = -1;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		alarm(60);
		setrlimit(RLIMIT_CORE, &no_core);
		way = how;
		cl_env_open(&own);
		fn();
		_exit(1);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	return status;
}

static void left_with_7(void (*fn)(void), enum way how)
{
	int status = run(fn, how);

	/* The host's driver may crash when the process's end takes away what its workers still use. */
	for (int i = 0; !getenv("CL_TEST_EXPECT") && WIFSIGNALED(status) && i < 4; i++)
		status = run(fn, how);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

static void died_by(void (*fn)(void), enum way how, int signal)
{
	int status = run(fn, how);

	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == signal);
}

static void every_way(struct cl_env *env)
{
	void (*const places[])(void) = { from_a_callback, in_mid_kernel, with_a_map_and_a_gate };

	(void)env;
	for (size_t i = 0; i < COUNT_OF(places); i++) {
		left_with_7(places[i], BY_EXIT);
		left_with_7(places[i], BY__EXIT);
		died_by(places[i], BY_ABORT, SIGABRT);
		died_by(places[i], BY_KILL, SIGKILL);
	}
	left_with_7(by_the_last_thread, BY_PTHREAD_EXIT);
}

#define LARGE ((size_t)20 << 20) /* three of them are the test's quota */

static void fill_and_release(unsigned char byte)
{
	for (int i = 0; i < 6; i++) {
		cl_mem mem = cl_buffer(&own, CL_MEM_READ_WRITE, LARGE, NULL);
		unsigned char out[64];

		CHECK_OK(clEnqueueFillBuffer(own.queue, mem, &byte, 1, 0, LARGE, 0, NULL, NULL));
		CHECK_OK(clEnqueueReadBuffer(own.queue, mem, CL_TRUE, LARGE - 64, 64, out, 0, NULL, NULL));
		CHECK(cl_all_bytes(out, 64, byte));
		CHECK_OK(clReleaseMemObject(mem));
	}
}

/* A thread forks a child that lives on; the parent's buffers can be released and their memory had again. */
static void *fork_in_a_thread(void *arg)
{
	pid_t *pid = arg;

	*pid = fork();
	if (*pid == 0) {
		cl_sleep_ms(60000);
		_exit(0);
	}
	return NULL;
}

static void with_a_child(void)
{
	cl_mem held[3];
	pthread_t thread;
	void *mapped;
	cl_int err;
	pid_t pid;

	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < COUNT_OF(held); i++)
			held[i] = cl_buffer(&own, CL_MEM_READ_WRITE, LARGE, NULL);
		if (pthread_create(&thread, NULL, fork_in_a_thread, &pid) || pthread_join(thread, NULL))
			_exit(1);
		for (size_t i = 0; i < COUNT_OF(held); i++)
			CHECK_OK(clReleaseMemObject(held[i]));
		fill_and_release((unsigned char)round);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}

	/* What is mapped a child sees, as it would see any memory. */
	held[0] = cl_buffer(&own, CL_MEM_READ_WRITE, SIZE, NULL);
	mapped = clEnqueueMapBuffer(own.queue, held[0], CL_TRUE, CL_MAP_WRITE, 0, SIZE, 0, NULL, NULL, &err);
	CHECK_OK(err);
	memset(mapped, 0x5b, SIZE);
	pid = fork();
	if (pid == 0)
		_exit(cl_all_bytes(mapped, SIZE, 0x5b) ? 0 : 1);
	waitpid(pid, &err, 0);
	CHECK(WIFEXITED(err) && WEXITSTATUS(err) == 0);
	CHECK_OK(clEnqueueUnmapMemObject(own.queue, held[0], mapped, 0, NULL, NULL));
	CHECK_OK(clReleaseMemObject(held[0]));
	cl_env_close(&own);
	_exit(cl_test_failures() ? 1 : 7);
}

static void a_forked_child_keeps_nothing(struct cl_env *env)
{
	(void)env;
	left_with_7(with_a_child, BY_EXIT);
}

/* All of the quota is there: nothing is charged for those that have gone. */
static void all_there(void)
{
	cl_mem mem[3];

	for (size_t i = 0; i < COUNT_OF(mem); i++)
		mem[i] = cl_buffer(&own, CL_MEM_READ_WRITE, LARGE, NULL);
	for (size_t i = 0; i < COUNT_OF(mem); i++)
		CHECK_OK(clReleaseMemObject(mem[i]));
	cl_env_close(&own);
	_exit(cl_test_failures() ? 1 : 7);
}

static void the_next_program(struct cl_env *env)
{
	(void)env;
	left_with_7(all_there, BY_EXIT);
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(every_way), CL_CASE(a_forked_child_keeps_nothing), CL_CASE(the_next_program), { NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, CL_TEST_NO_ENV);
}
