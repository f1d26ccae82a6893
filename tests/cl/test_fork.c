/* SPDX-License-Identifier: MIT */
/*
 * fork in a program that uses OpenCL. The parent goes on; a child may leave, run
 * another program, and, on a virtual device, begin anew with a context of its
 * own. (Natively the workers do not exist in the child and a wait never ends.)
 */
#include "cl_test.h"

#include <sys/wait.h>

#define SIZE 65536

static int child_status(pid_t pid)
{
	int status = -1;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	return status;
}

static void parent_works(struct cl_env *env, cl_mem mem, unsigned int seed)
{
	unsigned char *in = malloc(SIZE), *out = calloc(1, SIZE);

	cl_pattern(in, SIZE, seed);
	CHECK_OK(clEnqueueWriteBuffer(env->queue, mem, CL_TRUE, 0, SIZE, in, 0, NULL, NULL));
	CHECK_OK(clEnqueueReadBuffer(env->queue, mem, CL_TRUE, 0, SIZE, out, 0, NULL, NULL));
	CHECK(cl_pattern_is(out, SIZE, seed));
	free(in);
	free(out);
}

static void child_leaves(struct cl_env *env)
{
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);

	parent_works(env, mem, 1);
	for (unsigned int i = 0; i < 3; i++) {
		pid_t pid = fork();
		int status;

		if (pid == 0)
			_exit(5);
		parent_works(env, mem, 10 + i);
		status = child_status(pid);
		CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 5);
		parent_works(env, mem, 20 + i);
	}
	CHECK_OK(clReleaseMemObject(mem));
}

/* exit() runs the libraries' handlers in the child: nothing of the parent's may be harmed. */
static void child_exits_with_handlers(struct cl_env *env)
{
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	pid_t pid;
	int status;

	parent_works(env, mem, 2);
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		exit(6);
	status = child_status(pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 6);
	parent_works(env, mem, 3);
	CHECK_OK(clReleaseMemObject(mem));
}

static void child_runs_a_program(struct cl_env *env)
{
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);

	parent_works(env, mem, 4);
	CHECK_EQ(system("exit 0"), 0);
	parent_works(env, mem, 5);
	CHECK_OK(clReleaseMemObject(mem));
}

static void child_uses_new_context(struct cl_env *env)
{
	cl_mem mem;
	pid_t pid;
	int status;

	if (env->native)
		return;
	mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	parent_works(env, mem, 6);
	pid = fork();
	if (pid == 0) {
		struct cl_env own;
		cl_mem other;

		alarm(20);
		cl_env_open(&own);
		other = cl_buffer(&own, CL_MEM_READ_WRITE, SIZE, NULL);
		parent_works(&own, other, 7);
		CHECK_OK(clReleaseMemObject(other));
		cl_env_close(&own);
		_exit(cl_test_failures() ? 1 : 0);
	}
	parent_works(env, mem, 8);
	status = child_status(pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	parent_works(env, mem, 9);
	CHECK_OK(clReleaseMemObject(mem));
}

/* The parent's objects in the child: errors, at once, and the parent unharmed. */
static void child_uses_old_objects(struct cl_env *env)
{
	unsigned char out[64];
	cl_mem mem;
	pid_t pid;
	int status;

	if (env->native)
		return;
	mem = cl_buffer(env, CL_MEM_READ_WRITE, SIZE, NULL);
	parent_works(env, mem, 6);
	pid = fork();
	if (pid == 0) {
		alarm(20);
		CHECK(clEnqueueReadBuffer(env->queue, mem, CL_TRUE, 0, sizeof(out), out, 0, NULL, NULL) != CL_SUCCESS);
		CHECK(clFinish(env->queue) != CL_SUCCESS);
		clReleaseMemObject(mem);
		_exit(cl_test_failures() ? 1 : 0);
	}
	status = child_status(pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	parent_works(env, mem, 9);
	CHECK_OK(clReleaseMemObject(mem));
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(child_leaves), CL_CASE(child_exits_with_handlers), CL_CASE(child_runs_a_program),
		CL_CASE(child_uses_new_context), CL_CASE(child_uses_old_objects), { NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, 0);
}
