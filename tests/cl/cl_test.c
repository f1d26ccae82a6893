/* SPDX-License-Identifier: MIT */
/* See cl_test.h. */
#include "cl_test.h"

#include <signal.h>
#include <stdatomic.h>
#include <time.h>

/* A cold kernel build takes half a second on a free machine, more on a busy one. */
#define TEST_TIME_LIMIT_S 120

static atomic_uint cl_checks;
static atomic_uint cl_failed;
static const char *volatile cl_case_now = "start";

static void on_alarm(int sig)
{
	static const char text[] = "timed out in case ";
	const char *name = cl_case_now;

	(void)sig;
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0 || write(STDERR_FILENO, name, strlen(name)) < 0 ||
	    write(STDERR_FILENO, "\n", 1) < 0)
		_exit(1);
	_exit(1);
}

unsigned int cl_test_failures(void)
{
	return atomic_load(&cl_failed);
}

_Noreturn void cl_test_skip(const char *why)
{
	fprintf(stderr, "skipped: %s\n", why);
	exit(77);
}

static const struct {
	cl_int err;
	const char *name;
} cl_err_names[] = {
#define ERR(name) { name, #name }
	ERR(CL_SUCCESS), ERR(CL_DEVICE_NOT_FOUND), ERR(CL_DEVICE_NOT_AVAILABLE), ERR(CL_COMPILER_NOT_AVAILABLE),
	ERR(CL_MEM_OBJECT_ALLOCATION_FAILURE), ERR(CL_OUT_OF_RESOURCES), ERR(CL_OUT_OF_HOST_MEMORY),
	ERR(CL_PROFILING_INFO_NOT_AVAILABLE), ERR(CL_MEM_COPY_OVERLAP), ERR(CL_IMAGE_FORMAT_MISMATCH),
	ERR(CL_IMAGE_FORMAT_NOT_SUPPORTED), ERR(CL_BUILD_PROGRAM_FAILURE), ERR(CL_MAP_FAILURE),
	ERR(CL_MISALIGNED_SUB_BUFFER_OFFSET), ERR(CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST),
	ERR(CL_COMPILE_PROGRAM_FAILURE), ERR(CL_LINKER_NOT_AVAILABLE), ERR(CL_LINK_PROGRAM_FAILURE),
	ERR(CL_DEVICE_PARTITION_FAILED), ERR(CL_KERNEL_ARG_INFO_NOT_AVAILABLE), ERR(CL_INVALID_VALUE),
	ERR(CL_INVALID_DEVICE_TYPE), ERR(CL_INVALID_PLATFORM), ERR(CL_INVALID_DEVICE), ERR(CL_INVALID_CONTEXT),
	ERR(CL_INVALID_QUEUE_PROPERTIES), ERR(CL_INVALID_COMMAND_QUEUE), ERR(CL_INVALID_HOST_PTR),
	ERR(CL_INVALID_MEM_OBJECT), ERR(CL_INVALID_IMAGE_FORMAT_DESCRIPTOR), ERR(CL_INVALID_IMAGE_SIZE),
	ERR(CL_INVALID_SAMPLER), ERR(CL_INVALID_BINARY), ERR(CL_INVALID_BUILD_OPTIONS), ERR(CL_INVALID_PROGRAM),
	ERR(CL_INVALID_PROGRAM_EXECUTABLE), ERR(CL_INVALID_KERNEL_NAME), ERR(CL_INVALID_KERNEL_DEFINITION),
	ERR(CL_INVALID_KERNEL), ERR(CL_INVALID_ARG_INDEX), ERR(CL_INVALID_ARG_VALUE), ERR(CL_INVALID_ARG_SIZE),
	ERR(CL_INVALID_KERNEL_ARGS), ERR(CL_INVALID_WORK_DIMENSION), ERR(CL_INVALID_WORK_GROUP_SIZE),
	ERR(CL_INVALID_WORK_ITEM_SIZE), ERR(CL_INVALID_GLOBAL_OFFSET), ERR(CL_INVALID_EVENT_WAIT_LIST),
	ERR(CL_INVALID_EVENT), ERR(CL_INVALID_OPERATION), ERR(CL_INVALID_GL_OBJECT), ERR(CL_INVALID_BUFFER_SIZE),
	ERR(CL_INVALID_MIP_LEVEL), ERR(CL_INVALID_GLOBAL_WORK_SIZE), ERR(CL_INVALID_PROPERTY),
	ERR(CL_INVALID_IMAGE_DESCRIPTOR), ERR(CL_INVALID_COMPILER_OPTIONS), ERR(CL_INVALID_LINKER_OPTIONS),
	ERR(CL_INVALID_DEVICE_PARTITION_COUNT), ERR(CL_INVALID_PIPE_SIZE), ERR(CL_INVALID_DEVICE_QUEUE),
	ERR(CL_INVALID_SPEC_ID), ERR(CL_MAX_SIZE_RESTRICTION_EXCEEDED), ERR(CL_PLATFORM_NOT_FOUND_KHR),
#undef ERR
};

const char *cl_err_name(cl_int err)
{
	for (size_t i = 0; i < COUNT_OF(cl_err_names); i++)
		if (cl_err_names[i].err == err)
			return cl_err_names[i].name;
	return "unknown";
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

bool cl_check(bool ok, const char *what, const char *file, int line)
{
	atomic_fetch_add(&cl_checks, 1);
	if (ok)
		return true;
	atomic_fetch_add(&cl_failed, 1);
	fprintf(stderr, "%s:%d: %s: failed: %s\n", base_name(file), line, cl_case_now, what);
	return false;
}

bool cl_check_err(cl_int got, cl_int want, cl_int also, const char *what, const char *file, int line)
{
	atomic_fetch_add(&cl_checks, 1);
	if (got == want || got == also)
		return true;
	atomic_fetch_add(&cl_failed, 1);
	fprintf(stderr, "%s:%d: %s: got %d (%s), not %d (%s): %s\n", base_name(file), line, cl_case_now, got,
		cl_err_name(got), want, cl_err_name(want), what);
	return false;
}

bool cl_check_eq(unsigned long long got, unsigned long long want, const char *what, const char *file, int line)
{
	atomic_fetch_add(&cl_checks, 1);
	if (got == want)
		return true;
	atomic_fetch_add(&cl_failed, 1);
	fprintf(stderr, "%s:%d: %s: got %llu (0x%llx), not %llu (0x%llx): %s\n", base_name(file), line, cl_case_now,
		got, got, want, want, what);
	return false;
}

double cl_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

void cl_sleep_ms(unsigned int ms)
{
	struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

	while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
		continue;
}

/* A wrapper that silently failed to hide the host's own driver must not pass. */
static bool virtual_expected(void)
{
	const char *mode = getenv("CL_TEST_EXPECT");

	return mode && strcmp(mode, "virtual") == 0;
}

static _Noreturn void no_device(const char *why, cl_int err)
{
	fprintf(stderr, "%s: %d (%s)\n", why, err, cl_err_name(err));
	exit(virtual_expected() ? 1 : 77);
}

static _Noreturn void cannot(const char *what, cl_int err)
{
	fprintf(stderr, "%s: cannot %s: %d (%s)\n", cl_case_now, what, err, cl_err_name(err));
	exit(1);
}

void cl_env_open(struct cl_env *env)
{
	const cl_queue_properties props[] = { CL_QUEUE_PROPERTIES, CL_QUEUE_PROFILING_ENABLE, 0 };
	char suffix[64] = "";
	cl_int err;

	memset(env, 0, sizeof(*env));
	err = clGetPlatformIDs(1, &env->platform, NULL);
	if (err)
		no_device("no OpenCL platform", err);
	err = clGetDeviceIDs(env->platform, CL_DEVICE_TYPE_ALL, 1, &env->device, NULL);
	if (err)
		no_device("no OpenCL device", err);
	clGetPlatformInfo(env->platform, CL_PLATFORM_ICD_SUFFIX_KHR, sizeof(suffix), suffix, NULL);
	env->native = strcmp(suffix, "POCL") == 0;
	if (env->native && virtual_expected()) {
		fprintf(stderr, "the host's own driver answers, not the virtual device\n");
		exit(1);
	}
	env->ctx = clCreateContext(NULL, 1, &env->device, NULL, NULL, &err);
	if (!env->ctx)
		cannot("create a context", err);
	env->queue = clCreateCommandQueueWithProperties(env->ctx, env->device, props, &err);
	if (!env->queue)
		cannot("create a queue", err);
}

static void env_release(struct cl_env *env)
{
	CHECK_OK(clReleaseCommandQueue(env->queue));
	CHECK_OK(clReleaseContext(env->ctx));
}

void cl_env_close(struct cl_env *env)
{
	CHECK_OK(clFinish(env->queue));
	env_release(env);
}

cl_program cl_build(const struct cl_env *env, const char *source, const char *options)
{
	cl_int err;
	cl_program program = clCreateProgramWithSource(env->ctx, 1, &source, NULL, &err);
	static char log[16384];

	if (!program)
		cannot("create a program", err);
	err = clBuildProgram(program, 1, &env->device, options, NULL, NULL);
	if (!err)
		return program;
	clGetProgramBuildInfo(program, env->device, CL_PROGRAM_BUILD_LOG, sizeof(log), log, NULL);
	fprintf(stderr, "%s\n", log);
	cannot("build a program", err);
}

cl_kernel cl_kernel_new(cl_program program, const char *name)
{
	cl_int err;
	cl_kernel kernel = clCreateKernel(program, name, &err);

	if (!kernel)
		cannot("create a kernel", err);
	return kernel;
}

cl_mem cl_buffer(const struct cl_env *env, cl_mem_flags flags, size_t size, void *host)
{
	cl_int err;
	cl_mem mem = clCreateBuffer(env->ctx, flags, size, host, &err);

	if (!mem)
		cannot("create a buffer", err);
	return mem;
}

cl_command_queue cl_queue(const struct cl_env *env, cl_command_queue_properties props)
{
	const cl_queue_properties list[] = { CL_QUEUE_PROPERTIES, props, 0 };
	cl_int err;
	cl_command_queue queue = clCreateCommandQueueWithProperties(env->ctx, env->device, list, &err);

	if (!queue)
		cannot("create a queue", err);
	return queue;
}

static unsigned char pattern_byte(size_t i, unsigned int seed)
{
	uint32_t x = (uint32_t)i * 2654435761u + seed * 40503u;

	return (unsigned char)((x >> 24) ^ (x >> 11));
}

void cl_pattern(void *buf, size_t size, unsigned int seed)
{
	unsigned char *p = buf;

	for (size_t i = 0; i < size; i++)
		p[i] = pattern_byte(i, seed);
}

bool cl_pattern_is(const void *buf, size_t size, unsigned int seed)
{
	const unsigned char *p = buf;

	for (size_t i = 0; i < size; i++) {
		if (p[i] != pattern_byte(i, seed)) {
			fprintf(stderr, "pattern %u differs first at byte %zu of %zu\n", seed, i, size);
			return false;
		}
	}
	return true;
}

bool cl_all_bytes(const void *buf, size_t size, unsigned char byte)
{
	const unsigned char *p = buf;

	for (size_t i = 0; i < size; i++)
		if (p[i] != byte)
			return false;
	return true;
}

static bool wanted(int argc, char **argv, const char *name)
{
	if (argc < 2)
		return true;
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return true;
	return false;
}

static int list_cases(const struct cl_case *cases)
{
	for (; cases->name; cases++)
		printf("%s\n", cases->name);
	return 0;
}

int cl_test_main(int argc, char **argv, const struct cl_case *cases, unsigned int flags)
{
	struct cl_env env = { 0 };
	unsigned int ran = 0;

	if (argc == 2 && strcmp(argv[1], "--list") == 0)
		return list_cases(cases);
	signal(SIGALRM, on_alarm);
	alarm(TEST_TIME_LIMIT_S);
	if ((flags & CL_TEST_VIRTUAL_ONLY) && !virtual_expected())
		cl_test_skip("only for a virtual device (CL_TEST_EXPECT=virtual)");
	if (!(flags & CL_TEST_NO_ENV))
		cl_env_open(&env);
	for (; cases->name; cases++) {
		if (!wanted(argc, argv, cases->name))
			continue;
		cl_case_now = cases->name;
		if (getenv("CL_TEST_VERBOSE"))
			fprintf(stderr, "case %s\n", cases->name);
		cases->fn(&env);
		ran++;
	}
	cl_case_now = "end";
	if (flags & CL_TEST_MAY_LOSE)
		env_release(&env);
	else if (!(flags & CL_TEST_NO_ENV))
		cl_env_close(&env);
	fprintf(stderr, "%u cases, %u checks, %u failed\n", ran, atomic_load(&cl_checks), atomic_load(&cl_failed));
	return ran == 0 || atomic_load(&cl_failed) ? 1 : 0;
}
