/* SPDX-License-Identifier: MIT */
/*
 * What every OpenCL test program here shares: checks that count and go on, a
 * small environment (platform, device, context, in-order profiling queue) and
 * a main() that runs a table of cases.
 *
 * The programs know nothing of Tranche. Each runs on whatever OpenCL the loader
 * finds: natively, or through a wrapper command. They exit 0 (passed), 1
 * (failed, each failure printed to stderr) or 77 (skipped, with the reason).
 * CL_TEST_VERBOSE=1 prints each case as it starts, --list prints their names.
 */
#ifndef CL_TEST_H
#define CL_TEST_H

#define CL_TARGET_OPENCL_VERSION 300
#define CL_USE_DEPRECATED_OPENCL_1_0_APIS
#define CL_USE_DEPRECATED_OPENCL_1_1_APIS
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#define CL_USE_DEPRECATED_OPENCL_2_2_APIS
#include <CL/cl.h>
#include <CL/cl_ext.h>

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct cl_env {
	cl_platform_id platform;
	cl_device_id device;
	cl_context ctx;
	cl_command_queue queue;		/* in order, CL_QUEUE_PROFILING_ENABLE */
	bool native;			/* PoCL itself answers, not a virtual device */
};

struct cl_case {
	const char *name;
	void (*fn)(struct cl_env *env);
};

#define CL_CASE(fn) { #fn, fn }

enum cl_test_flags {
	CL_TEST_NO_ENV = 1,		/* the cases call OpenCL first (they fork before) */
	CL_TEST_VIRTUAL_ONLY = 2,	/* natively this kills the program: skip */
	CL_TEST_MAY_LOSE = 4,		/* the cases may lose the shared context: finish may fail */
};

/**
 * cl_test_main - run the cases named on the command line, or all
 * @cases: ended by a row whose name is NULL
 * @flags: enum cl_test_flags
 *
 * Return: the exit status for main().
 */
int cl_test_main(int argc, char **argv, const struct cl_case *cases, unsigned int flags);

/** cl_env_open - fill @env; exits 77 (or 1 when a device is promised) if there is no device */
void cl_env_open(struct cl_env *env);
/** cl_env_close - finish, release queue and context, checking that all succeed */
void cl_env_close(struct cl_env *env);

/** cl_test_skip - leave the program with status 77 and a reason */
_Noreturn void cl_test_skip(const char *why);

/** cl_test_failures - failed checks so far, in this process */
unsigned int cl_test_failures(void);

/** cl_err_name - "CL_INVALID_VALUE" for -30; thread-safe for known codes */
const char *cl_err_name(cl_int err);

/** cl_now - seconds on a clock that never steps */
double cl_now(void);

/** cl_sleep_ms - sleep, going on after signals */
void cl_sleep_ms(unsigned int ms);

/* Objects: on failure these print why and leave the program with status 1,
 * because no case can go on without them. */
cl_program cl_build(const struct cl_env *env, const char *source, const char *options);
cl_kernel cl_kernel_new(cl_program program, const char *name);
cl_mem cl_buffer(const struct cl_env *env, cl_mem_flags flags, size_t size, void *host);
cl_command_queue cl_queue(const struct cl_env *env, cl_command_queue_properties props);

/* A byte pattern that differs at every offset and for every seed. */
void cl_pattern(void *buf, size_t size, unsigned int seed);
bool cl_pattern_is(const void *buf, size_t size, unsigned int seed);
/** cl_all_bytes - true if each of @size bytes is @byte */
bool cl_all_bytes(const void *buf, size_t size, unsigned char byte);

/* The checks. They count, print on failure, and return whether it held. */
bool cl_check(bool ok, const char *what, const char *file, int line);
bool cl_check_err(cl_int got, cl_int want, cl_int also, const char *what, const char *file, int line);
bool cl_check_eq(unsigned long long got, unsigned long long want, const char *what, const char *file,
		 int line);

#define CHECK(cond) cl_check(!!(cond), #cond, __FILE__, __LINE__)
#define CHECK_EQ(got, want)                                                                            \
	cl_check_eq((unsigned long long)(got), (unsigned long long)(want), #got, __FILE__, __LINE__)
#define CHECK_ERR(call, want) cl_check_err((call), (want), (want), #call, __FILE__, __LINE__)
#define CHECK_OK(call) CHECK_ERR(call, CL_SUCCESS)

/*
 * What the specification says, and what the native driver answers where it
 * answers otherwise: both are taken, from either. Say why at the place of use.
 */
#define CHECK_ERR_OR(call, spec, native_answer)                                                        \
	cl_check_err((call), (spec), (native_answer), #call, __FILE__, __LINE__)

/* Leave the case: what follows makes no sense without this. */
#define REQUIRE(cond)                                                                                  \
	do {                                                                                           \
		if (!CHECK(cond))                                                                      \
			return;                                                                        \
	} while (0)
#define REQUIRE_OK(call)                                                                               \
	do {                                                                                           \
		if (!CHECK_OK(call))                                                                   \
			return;                                                                        \
	} while (0)

/*
 * A creating call that must fail: @call names the cl_int @err as its
 * errcode_ret; the object must be NULL and the error @want.
 */
#define CHECK_FAILS(err, call, want) CHECK_FAILS_OR(err, call, want, want)
#define CHECK_FAILS_OR(err, call, want, native_answer)                                                 \
	do {                                                                                           \
		(err) = 12345;                                                                         \
		void *obj_ = (call);                                                                   \
		cl_check_err((err), (want), (native_answer), #call, __FILE__, __LINE__);               \
		cl_check((obj_ == NULL) == ((err) != CL_SUCCESS), "NULL on failure: " #call,           \
			 __FILE__, __LINE__);                                                          \
	} while (0)

/* One value of a clGet*Info call: GET_INFO(cl_uint, clGetContextInfo, ctx, CL_CONTEXT_NUM_DEVICES) */
#define GET_INFO(type, fn, ...)                                                                        \
	({                                                                                             \
		type v_;                                                                               \
		memset(&v_, 0, sizeof(v_));                                                            \
		CHECK_OK(fn(__VA_ARGS__, sizeof(v_), &v_, NULL));                                      \
		v_;                                                                                    \
	})

/*
 * The rules that every info query has: size alone, exact size, a larger buffer,
 * a buffer one byte too small. @want is the size the specification gives, or
 * ANY_SIZE (strings and arrays).
 */
#define ANY_SIZE ((size_t)-1)
#define CHECK_INFO(want, fn, ...)                                                                      \
	do {                                                                                           \
		size_t need_ = 0, got_ = 0;                                                            \
		if (!CHECK_OK(fn(__VA_ARGS__, 0, NULL, &need_)))                                       \
			break;                                                                         \
		if ((want) != ANY_SIZE)                                                                \
			CHECK_EQ(need_, (want));                                                       \
		char *buf_ = malloc(need_ + 16);                                                       \
		memset(buf_, 0x5a, need_ + 16);                                                        \
		CHECK_OK(fn(__VA_ARGS__, need_, buf_, NULL));                                          \
		CHECK(cl_all_bytes(buf_ + need_, 16, 0x5a));                                           \
		CHECK_OK(fn(__VA_ARGS__, need_ + 16, buf_, &got_));                                    \
		CHECK_EQ(got_, need_);                                                                 \
		if (need_ > 0)                                                                         \
			CHECK_ERR(fn(__VA_ARGS__, need_ - 1, buf_, NULL), CL_INVALID_VALUE);           \
		free(buf_);                                                                            \
	} while (0)

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

#endif /* CL_TEST_H */
