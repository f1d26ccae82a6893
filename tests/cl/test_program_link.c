/* SPDX-License-Identifier: MIT */
/* Separate compile and link: embedded headers, -I folders, libraries, errors. */
#include "cl_test.h"

#include <sys/stat.h>

static const char uses_header[] =
	"#include \"values/answer.h\"\n"
	"__kernel void k(__global int *p) { p[0] = ANSWER; }\n";
static const char answer_header[] = "#include \"more.h\"\n#define ANSWER (MORE + 2)\n";
static const char more_header[] = "#define MORE 40\n";

static const char library_part[] = "int twice(int v) { return v * 2; }\n";
static const char main_part[] =
	"int twice(int v);\n"
	"__kernel void k(__global int *p) { p[0] = twice(21); }\n";

static cl_program source_program(struct cl_env *env, const char *text)
{
	cl_program program = clCreateProgramWithSource(env->ctx, 1, &text, NULL, NULL);

	CHECK(program);
	return program;
}

static cl_program compiled(struct cl_env *env, const char *text)
{
	cl_program program = source_program(env, text);

	CHECK_OK(clCompileProgram(program, 1, &env->device, NULL, 0, NULL, NULL, NULL, NULL));
	return program;
}

static int run_k(struct cl_env *env, cl_program program)
{
	cl_kernel kernel = cl_kernel_new(program, "k");
	cl_mem mem = cl_buffer(env, CL_MEM_READ_WRITE, 4, NULL);
	size_t one = 1;
	int value = -1;

	CHECK_OK(clSetKernelArg(kernel, 0, sizeof(mem), &mem));
	CHECK_OK(clEnqueueNDRangeKernel(env->queue, kernel, 1, NULL, &one, NULL, 0, NULL, NULL));
	CHECK_OK(clEnqueueReadBuffer(env->queue, mem, CL_TRUE, 0, 4, &value, 0, NULL, NULL));
	CHECK_OK(clReleaseMemObject(mem));
	CHECK_OK(clReleaseKernel(kernel));
	return value;
}

static cl_program_binary_type binary_type(struct cl_env *env, cl_program program)
{
	return GET_INFO(cl_program_binary_type, clGetProgramBuildInfo, program, env->device, CL_PROGRAM_BINARY_TYPE);
}

static void embedded_headers(struct cl_env *env)
{
	cl_program main_program = source_program(env, uses_header);
	cl_program headers[] = { source_program(env, answer_header), source_program(env, more_header) };
	const char *names[] = { "values/answer.h", "more.h" };
	cl_program linked;
	cl_int err = -1;

	REQUIRE_OK(clCompileProgram(main_program, 1, &env->device, NULL, 2, headers, names, NULL, NULL));
	CHECK_EQ(binary_type(env, main_program), CL_PROGRAM_BINARY_TYPE_COMPILED_OBJECT);
	linked = clLinkProgram(env->ctx, 1, &env->device, NULL, 1, &main_program, NULL, NULL, &err);
	CHECK_OK(err);
	REQUIRE(linked);
	CHECK_EQ(binary_type(env, linked), CL_PROGRAM_BINARY_TYPE_EXECUTABLE);
	CHECK_EQ(run_k(env, linked), 42);
	CHECK_OK(clReleaseProgram(headers[0]));
	CHECK_OK(clReleaseProgram(headers[1]));
	CHECK_OK(clReleaseProgram(main_program));
	CHECK_OK(clReleaseProgram(linked));
}

static void write_file(const char *folder, const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "w");
	if (CHECK(f)) {
		fputs(text, f);
		fclose(f);
	}
}

/* Files of the program's own, found by -I, also through another header. */
static void include_folders(struct cl_env *env)
{
	char folder[] = "/tmp/cl-include-XXXXXX", path[256], options[256];
	cl_program program;

	REQUIRE(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/values", folder);
	CHECK(mkdir(path, 0700) == 0);
	write_file(folder, "values/answer.h", answer_header);
	write_file(folder, "more.h", more_header);
	snprintf(options, sizeof(options), "-I %s", folder);
	program = cl_build(env, uses_header, options);
	CHECK_EQ(run_k(env, program), 42);
	CHECK_OK(clReleaseProgram(program));

	/* a header that changed is seen */
	write_file(folder, "more.h", "#define MORE 50\n");
	snprintf(options, sizeof(options), "-I%s", folder);
	program = cl_build(env, uses_header, options);
	CHECK_EQ(run_k(env, program), 52);
	CHECK_OK(clReleaseProgram(program));

	snprintf(path, sizeof(path), "%s/values/answer.h", folder);
	unlink(path);
	snprintf(path, sizeof(path), "%s/more.h", folder);
	unlink(path);
	snprintf(path, sizeof(path), "%s/values", folder);
	rmdir(path);
	rmdir(folder);
}

static void missing_header(struct cl_env *env)
{
	char log[8192] = "";
	cl_program program = source_program(env, uses_header);

	CHECK_ERR(clCompileProgram(program, 1, &env->device, NULL, 0, NULL, NULL, NULL, NULL),
		  CL_COMPILE_PROGRAM_FAILURE);
	CHECK_OK(clGetProgramBuildInfo(program, env->device, CL_PROGRAM_BUILD_LOG, sizeof(log), log, NULL));
	CHECK(strstr(log, "answer.h"));
	CHECK_ERR(clBuildProgram(program, 1, &env->device, NULL, NULL, NULL), CL_BUILD_PROGRAM_FAILURE);
	CHECK_OK(clReleaseProgram(program));
}

static void two_parts(struct cl_env *env)
{
	cl_program parts[] = { compiled(env, main_part), compiled(env, library_part) };
	cl_int err = -1;
	cl_program linked = clLinkProgram(env->ctx, 1, &env->device, NULL, 2, parts, NULL, NULL, &err);

	CHECK_OK(err);
	REQUIRE(linked);
	CHECK_EQ(run_k(env, linked), 42);
	CHECK_OK(clReleaseProgram(parts[0]));
	CHECK_OK(clReleaseProgram(parts[1]));
	CHECK_OK(clReleaseProgram(linked));
}

static void with_library(struct cl_env *env)
{
	cl_program part = compiled(env, library_part), main_program = compiled(env, main_part);
	cl_int err = -1;
	cl_program library = clLinkProgram(env->ctx, 1, &env->device, "-create-library", 1, &part, NULL, NULL, &err);
	cl_program linked;

	CHECK_OK(err);
	REQUIRE(library);
	CHECK_EQ(binary_type(env, library), CL_PROGRAM_BINARY_TYPE_LIBRARY);
	linked = clLinkProgram(env->ctx, 1, &env->device, NULL, 2, (cl_program[]){ main_program, library }, NULL, NULL,
			       &err);
	CHECK_OK(err);
	REQUIRE(linked);
	CHECK_EQ(run_k(env, linked), 42);
	CHECK_OK(clReleaseProgram(part));
	CHECK_OK(clReleaseProgram(library));
	CHECK_OK(clReleaseProgram(main_program));
	CHECK_OK(clReleaseProgram(linked));
}

static void unresolved(struct cl_env *env)
{
	cl_program part = compiled(env, main_part);
	cl_int err = -1;
	cl_program linked = clLinkProgram(env->ctx, 1, &env->device, NULL, 1, &part, NULL, NULL, &err);

	CHECK_ERR(err, CL_LINK_PROGRAM_FAILURE);
	/* the specification gives a program here, for its log */
	if (linked)
		CHECK_OK(clReleaseProgram(linked));
	CHECK_OK(clReleaseProgram(part));
}

static void errors(struct cl_env *env)
{
	cl_program good = compiled(env, library_part), raw = source_program(env, main_part), none = NULL;
	const char *name = "a.h";
	cl_int err;

	CHECK_ERR(clCompileProgram(NULL, 1, &env->device, NULL, 0, NULL, NULL, NULL, NULL), CL_INVALID_PROGRAM);
	CHECK_ERR(clCompileProgram(raw, 1, NULL, NULL, 0, NULL, NULL, NULL, NULL), CL_INVALID_VALUE);
	/* the native driver follows these NULLs */
	if (!env->native) {
		CHECK_ERR(clCompileProgram(raw, 1, &env->device, NULL, 1, NULL, &name, NULL, NULL), CL_INVALID_VALUE);
		CHECK_ERR(clCompileProgram(raw, 1, &env->device, NULL, 1, &raw, NULL, NULL, NULL), CL_INVALID_VALUE);
	}
	CHECK_ERR(clCompileProgram(raw, 1, &env->device, NULL, 0, NULL, NULL, NULL, &err), CL_INVALID_VALUE);
	CHECK_ERR(clCompileProgram(raw, 1, &env->device, "-no-such-option", 0, NULL, NULL, NULL, NULL),
		  CL_INVALID_COMPILER_OPTIONS);
	CHECK_FAILS(err, clLinkProgram(NULL, 1, &env->device, NULL, 1, &good, NULL, NULL, &err), CL_INVALID_CONTEXT);
	CHECK_FAILS(err, clLinkProgram(env->ctx, 1, &env->device, NULL, 0, NULL, NULL, NULL, &err), CL_INVALID_VALUE);
	CHECK_FAILS(err, clLinkProgram(env->ctx, 1, &env->device, NULL, 0, &good, NULL, NULL, &err), CL_INVALID_VALUE);
	CHECK_FAILS(err, clLinkProgram(env->ctx, 1, &env->device, NULL, 1, NULL, NULL, NULL, &err), CL_INVALID_VALUE);
	/* the native driver follows the NULL */
	if (!env->native)
		CHECK_FAILS(err, clLinkProgram(env->ctx, 1, &env->device, NULL, 1, &none, NULL, NULL, &err),
			    CL_INVALID_PROGRAM);
	CHECK_FAILS(err, clLinkProgram(env->ctx, 1, &env->device, "-no-such-option", 1, &good, NULL, NULL, &err),
		    CL_INVALID_LINKER_OPTIONS);
	CHECK_FAILS(err, clLinkProgram(env->ctx, 1, &env->device, NULL, 1, &raw, NULL, NULL, &err),
		    CL_INVALID_OPERATION);
	CHECK_OK(clReleaseProgram(good));
	CHECK_OK(clReleaseProgram(raw));
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(embedded_headers), CL_CASE(include_folders), CL_CASE(missing_header), CL_CASE(two_parts),
		CL_CASE(with_library), CL_CASE(unresolved), CL_CASE(errors), { NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, 0);
}
