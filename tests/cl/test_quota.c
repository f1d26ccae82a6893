/* SPDX-License-Identifier: MIT */
/*
 * The memory quota: run with it set to CL_TEST_QUOTA bytes (64 MiB where the
 * variable is missing). Two programs share it where the case says so.
 */
#include "cl_test.h"

#include <sys/wait.h>

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

static cl_ulong quota(void)
{
	const char *text = getenv("CL_TEST_QUOTA");

	return text ? strtoull(text, NULL, 0) : 64 * MIB;
}

static bool refusal(cl_int err)
{
	return err == CL_MEM_OBJECT_ALLOCATION_FAILURE || err == CL_OUT_OF_RESOURCES;
}

static void size_is_the_quota(struct cl_env *env)
{
	CHECK_EQ(GET_INFO(cl_ulong, clGetDeviceInfo, env->device, CL_DEVICE_GLOBAL_MEM_SIZE), quota());
	CHECK(GET_INFO(cl_ulong, clGetDeviceInfo, env->device, CL_DEVICE_MAX_MEM_ALLOC_SIZE) <= quota());
}

static cl_mem create_and_touch(struct cl_env *env, size_t size, unsigned int seed, cl_int *err)
{
	cl_mem mem = clCreateBuffer(env->ctx, CL_MEM_READ_WRITE, size, NULL, err);

	if (mem && clEnqueueFillBuffer(env->queue, mem, &seed, 4, 0, size & ~(size_t)3, 0, NULL, NULL) != CL_SUCCESS)
		CHECK(!"fill within the quota");
	return mem;
}

/* All of it in equal pieces, one more refused, and again after the release of one. */
static void in_pieces(struct cl_env *env, size_t piece)
{
	size_t count = quota() / piece, made = 0;
	cl_mem *mems = calloc(count + 1, sizeof(*mems));
	cl_uint value = 0;
	cl_int err = 0;

	while (made < count && (mems[made] = create_and_touch(env, piece, (unsigned int)made, &err)))
		made++;
	CHECK_EQ(made, count);
	CHECK_OK(clFinish(env->queue));
	CHECK_FAILS(err, clCreateBuffer(env->ctx, CL_MEM_READ_WRITE, piece, NULL, &err),
		    CL_MEM_OBJECT_ALLOCATION_FAILURE);
	/* the refusal harmed nothing */
	for (size_t i = 0; i < made; i += made / 16 + 1) {
		CHECK_OK(clEnqueueReadBuffer(env->queue, mems[i], CL_TRUE, piece - 4, 4, &value, 0, NULL, NULL));
		CHECK_EQ(value, i);
	}
	if (made) {
		CHECK_OK(clReleaseMemObject(mems[made - 1]));
		mems[made - 1] = create_and_touch(env, piece, 1, &err);
		CHECK(mems[made - 1]);
	}
	for (size_t i = 0; i < made; i++)
		if (mems[i])
			CHECK_OK(clReleaseMemObject(mems[i]));
	CHECK_OK(clFinish(env->queue));
	free(mems);
}

static void pieces_of_1_mib(struct cl_env *env)
{
	in_pieces(env, MIB);
}

static void pieces_of_4_kib(struct cl_env *env)
{
	in_pieces(env, 4 * KIB);
}

static void pieces_of_16_mib(struct cl_env *env)
{
	in_pieces(env, 16 * MIB);
}

/* Sizes that fill the quota once more, in another order: what was freed is usable. */
static void mixed_pieces(struct cl_env *env)
{
	static const size_t sizes[] = { 64 * KIB, 16 * MIB, MIB, 4 * KIB, 8 * MIB, 128 * KIB };
	cl_mem mems[256];

	for (int round = 0; round < 3; round++) {
		size_t made = 0, total = 0;
		cl_int err = 0;

		for (size_t i = 0; made < COUNT_OF(mems) && total + sizes[i % COUNT_OF(sizes)] <= quota(); i++) {
			mems[made] = create_and_touch(env, sizes[i % COUNT_OF(sizes)], 7, &err);
			if (!CHECK(mems[made]))
				break;
			total += sizes[i % COUNT_OF(sizes)];
			made++;
		}
		while (made > 0)
			CHECK_OK(clReleaseMemObject(mems[--made]));
		CHECK_OK(clFinish(env->queue));
	}
}

static void too_large_at_once(struct cl_env *env)
{
	cl_int err = 0;
	cl_mem mem = clCreateBuffer(env->ctx, CL_MEM_READ_WRITE, quota() + MIB, NULL, &err);

	CHECK(!mem);
	CHECK(err == CL_INVALID_BUFFER_SIZE || refusal(err));
}

/* Each kind of buffer counts: none is a way around the quota. */
static void every_kind_counts(struct cl_env *env)
{
	static const cl_mem_flags kinds[] = { CL_MEM_READ_WRITE, CL_MEM_ALLOC_HOST_PTR, CL_MEM_COPY_HOST_PTR,
					      CL_MEM_USE_HOST_PTR };
	size_t half = quota() / 2 + MIB;
	char *host = calloc(1, half);
	cl_int err = 0;

	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		bool needs_host = kinds[i] & (CL_MEM_COPY_HOST_PTR | CL_MEM_USE_HOST_PTR);
		cl_mem first = cl_buffer(env, CL_MEM_READ_WRITE, half, NULL);
		cl_mem second = clCreateBuffer(env->ctx, kinds[i], half, needs_host ? host : NULL, &err);

		CHECK(!second && refusal(err));
		if (second)
			clReleaseMemObject(second);
		CHECK_OK(clReleaseMemObject(first));
		CHECK_OK(clFinish(env->queue));
	}
	free(host);
}

/* Sub-buffers and maps cost nothing more. */
static void views_are_free(struct cl_env *env)
{
	cl_buffer_region region = { 0, MIB };
	size_t size = quota() - MIB;
	cl_mem whole, part;
	cl_int err = -1;
	char *p;

	if (size > GET_INFO(cl_ulong, clGetDeviceInfo, env->device, CL_DEVICE_MAX_MEM_ALLOC_SIZE))
		return;
	whole = cl_buffer(env, CL_MEM_READ_WRITE, size, NULL);
	part = clCreateSubBuffer(whole, 0, CL_BUFFER_CREATE_TYPE_REGION, &region, &err);
	CHECK_OK(err);
	p = clEnqueueMapBuffer(env->queue, whole, CL_TRUE, CL_MAP_WRITE, 0, size, 0, NULL, NULL, &err);
	CHECK_OK(err);
	if (p) {
		p[0] = p[size - 1] = 1;
		CHECK_OK(clEnqueueUnmapMemObject(env->queue, whole, p, 0, NULL, NULL));
	}
	CHECK_OK(clFinish(env->queue));
	CHECK_OK(clReleaseMemObject(part));
	CHECK_OK(clReleaseMemObject(whole));
}

static int child_holds(cl_ulong size, int told, int go_on)
{
	struct cl_env env;
	cl_mem mem;
	cl_int err = 0;
	char byte = 1;

	alarm(60);
	cl_env_open(&env);
	mem = create_and_touch(&env, size, 1, &err);
	CHECK(mem);
	CHECK_OK(clFinish(env.queue));
	if (write(told, &byte, 1) != 1 || read(go_on, &byte, 1) < 0)
		return 1;
	if (mem)
		CHECK_OK(clReleaseMemObject(mem));
	cl_env_close(&env);
	return cl_test_failures() ? 1 : 0;
}

/* What another program of the same device holds is not there for this one. */
static void shared_by_two_programs(struct cl_env *env)
{
	cl_ulong half = quota() / 2;
	int told[2], go_on[2], status = -1;
	cl_int err = 0;
	char byte = 0;
	cl_mem mem;
	pid_t pid;

	REQUIRE(pipe(told) == 0 && pipe(go_on) == 0);
	pid = fork();
	if (pid == 0)
		_exit(child_holds(half + MIB, told[1], go_on[0]));
	close(told[1]);
	REQUIRE(read(told[0], &byte, 1) == 1);
	mem = clCreateBuffer(env->ctx, CL_MEM_READ_WRITE, half, NULL, &err);
	CHECK(!mem && refusal(err));
	mem = create_and_touch(env, half - 2 * MIB, 2, &err);
	CHECK(mem);
	CHECK_OK(clFinish(env->queue));
	if (mem)
		CHECK_OK(clReleaseMemObject(mem));
	REQUIRE(write(go_on[1], &byte, 1) == 1);
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	/* the other one has gone: all of it is here again, at once */
	for (int i = 0; i < 1000; i++) {
		mem = clCreateBuffer(env->ctx, CL_MEM_READ_WRITE, half + MIB, NULL, &err);
		if (mem)
			break;
		cl_sleep_ms(20);
	}
	CHECK(mem);
	if (mem)
		CHECK_OK(clReleaseMemObject(mem));
	close(told[0]);
	close(go_on[0]);
	close(go_on[1]);
}

/* Several contexts of one program share it as well. */
static void shared_by_two_contexts(struct cl_env *env)
{
	cl_context other = clCreateContext(NULL, 1, &env->device, NULL, NULL, NULL);
	size_t half = quota() / 2 + MIB;
	cl_mem first = cl_buffer(env, CL_MEM_READ_WRITE, half, NULL);
	cl_int err = 0;
	cl_mem second = clCreateBuffer(other, CL_MEM_READ_WRITE, half, NULL, &err);

	CHECK(!second && refusal(err));
	CHECK_OK(clReleaseMemObject(first));
	CHECK_OK(clReleaseContext(other));
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(size_is_the_quota), CL_CASE(pieces_of_1_mib), CL_CASE(pieces_of_4_kib),
		CL_CASE(pieces_of_16_mib), CL_CASE(mixed_pieces), CL_CASE(too_large_at_once),
		CL_CASE(every_kind_counts), CL_CASE(views_are_free), CL_CASE(shared_by_two_programs),
		CL_CASE(shared_by_two_contexts), { NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, CL_TEST_VIRTUAL_ONLY);
}
