/* SPDX-License-Identifier: MIT */
/* Wrong arguments of calls that make, build and describe programs. */
#include "cl_outcome.h"

static const char *const source = "__kernel void k(__global int *p) { p[0] = 1; }\n__kernel void l(void) { }\n";
static const char *const wrong = "__kernel void k( {\n";
static const char *const library_source = "int f(int a) { return a + 1; }\n";
static const char *const caller = "int f(int a);\n__kernel void k(__global int *p) { p[0] = f(p[0]); }\n";
static const char *const includes = "#include \"there.h\"\n__kernel void k(__global int *p) { p[0] = THERE; }\n";

static cl_program make(struct cl_env *env, const char *text)
{
	cl_int code;
	cl_program program = clCreateProgramWithSource(env->ctx, 1, &text, NULL, &code);

	CHECK_OK(code);
	return program;
}

static void drop(cl_program program)
{
	if (program)
		CHECK_OK(clReleaseProgram(program));
}

static void create(struct cl_env *env)
{
	const char *good[] = { source, library_source }, *null[] = { source, NULL }, *empty[] = { "", "" };
	static const size_t zero[2], some[2] = { 10, 4 };
	struct named_ptr contexts[] = { { "good", env->ctx }, { "NULL", NULL } }, *ctx;
	const struct { const char *name; const char **list; } lists[] = { { "good", good }, { "NULL text", null },
		{ "empty", empty } }, *list; /* natively, a missing list is looked into */
	const struct { const char *name; const size_t *list; } lengths[] = { { "none", NULL }, { "zero", zero },
			{ "some", some } }, *length; /* "some": within the good ones */
	struct named_ptr devices[] = { { "good", &env->device }, { "no list", NULL } }, *device;
	uint8_t bytes[64] = "not a binary";
	const unsigned char *binary = bytes, *none = NULL;
	const struct { const char *name; const unsigned char **list; } binaries[] = { { "bytes", &binary },
		{ "NULL bytes", &none } }, *blob; /* a missing list is looked into, too */
	const struct { const char *name; size_t value; } sizes[] = { { "64", 64 }, { "0", 0 } }, *size;

	EACH(ctx, contexts) EACH(list, lists) EACH(length, lengths)
		for (cl_uint nr = 0; nr < 3; nr++)
			for (int with_code = 0; with_code < 2 && !(list->list == empty && length->list == some); with_code++) {
				cl_int code = UNTOUCHED_CODE;
				cl_program program = clCreateProgramWithSource(ctx->value, nr, list->list, length->list,
									       with_code ? &code : NULL);

				outcome_object("clCreateProgramWithSource", code, program,
						"context %s, texts %s, lengths %s, %u, code %d",
					       ctx->name, list->name, length->name, nr, with_code);
				drop(program);
			}
	EACH(ctx, contexts) EACH(device, devices) EACH(blob, binaries) EACH(size, sizes)
		for (cl_uint nr = 0; nr < 2; nr++)
			for (int how = 0; how < 4; how++) {
				cl_int code = UNTOUCHED_CODE, status = 4711;
				cl_program program = clCreateProgramWithBinary(ctx->value, nr, device->value,
						&size->value,
									       blob->list, how & 1 ? &status : NULL,
											how & 2 ? &code : NULL);

				outcome_object("clCreateProgramWithBinary", code, program,
						"context %s, devices %s, binaries %s, size %s, %u, how %d: %d",
					       ctx->name, device->name, blob->name, size->name, nr, how, status);
				drop(program);
			}
	EACH(ctx, contexts) EACH(size, sizes)
		for (int how = 0; how < 4; how++) {
			cl_int code = UNTOUCHED_CODE;
			cl_program program = clCreateProgramWithIL(ctx->value, how & 1 ? bytes : NULL, size->value,
					how & 2 ? &code : NULL);

			outcome_object("clCreateProgramWithIL", code, program, "context %s, size %s, how %d",
					ctx->name, size->name, how);
			drop(program);
		}
	outcome("clRetainProgram", clRetainProgram(NULL), "NULL");
	outcome("clReleaseProgram", clReleaseProgram(NULL), "NULL");
}

static void CL_CALLBACK built(cl_program program, void *data)
{
	(*(int *)data)++;
}

static void build(struct cl_env *env)
{
	/* A NULL device and an option without its value crash the native driver. */
	const struct { const char *name; cl_uint nr; const cl_device_id *list; } lists[] = { { "good", 1,
			&env->device },
		{ "none", 0, NULL }, { "no list", 1, NULL }, { "count 0", 0, &env->device } }, *devices;
	static const char *const all_options[] = { NULL, "", "-DX=1", "-cl-std=CL1.2", "-cl-std=CL9.9",
			"-no-such-option", "-cl-nonsense",
		"-cl-opt-disable -w -Werror", "-cl-fast-relaxed-math -cl-mad-enable" }, *const *options;
	struct named_ptr texts[] = { { "source", (void *)(uintptr_t)source }, { "wrong",
			(void *)(uintptr_t)wrong } }, *text;
	int calls = 0;

	EACH(devices, lists) EACH(text, texts)
		for (int how = 0; how < 3; how += 2) {
			cl_program program = make(env, text->value);
			cl_int code;

			calls = 0;
			code = clBuildProgram(program, devices->nr, devices->list, "", how ? built : NULL, &calls);
			for (int i = 0; how == 2 && i < 2000 && !calls && (code == 0 || code == CL_BUILD_PROGRAM_FAILURE); i++)
				cl_sleep_ms(5);
			outcome("clBuildProgram", code, "devices %s, %s, how %d: %d calls", devices->name,
					text->name, how, calls);
			drop(program);
		}
	EACH(options, all_options) {
		cl_program program = make(env, source);

		outcome("clBuildProgram", clBuildProgram(program, 0, NULL, *options, NULL, NULL), "options %s",
				*options ? *options : "NULL");
		outcome("clBuildProgram", clBuildProgram(program, 0, NULL, NULL, NULL, NULL), "again, without options");
		outcome("clCompileProgram", clCompileProgram(program, 0, NULL, *options, 0, NULL, NULL, NULL, NULL),
				"options %s",
			*options ? *options : "NULL");
		drop(program);
	}
	{
		cl_program program = cl_build(env, source, NULL);
		cl_kernel kernel = cl_kernel_new(program, "k");

		outcome("clBuildProgram", clBuildProgram(program, 0, NULL, NULL, NULL, NULL), "with a kernel");
		outcome("clCompileProgram", clCompileProgram(program, 0, NULL, NULL, 0, NULL, NULL, NULL, NULL),
				"with a kernel");
		CHECK_OK(clReleaseKernel(kernel));
		outcome("clBuildProgram", clBuildProgram(program, 0, NULL, NULL, NULL, NULL), "without it");
		drop(program);
	}
	outcome("clBuildProgram", clBuildProgram(NULL, 1, NULL, NULL, NULL, NULL), "NULL");
	outcome("clCompileProgram", clCompileProgram(NULL, 1, NULL, NULL, 0, NULL, NULL, NULL, NULL), "NULL");
}

static void compile_and_link(struct cl_env *env)
{
	cl_program header = make(env, "#define THERE 4\n"), main_program = make(env, includes), other = make(env,
			caller);
	cl_program library = make(env, library_source), plain = make(env, source), executable = cl_build(env,
			source, NULL);
	const char *names[] = { "there.h" };
	cl_program linked;
	cl_int code;

	outcome("clCompileProgram", clCompileProgram(main_program, 0, NULL, NULL, 0, NULL, NULL, NULL, NULL),
			"without its header");
	/* Missing names or headers are natively looked into. */
	outcome("clCompileProgram", clCompileProgram(main_program, 0, NULL, NULL, 0, &header, NULL, NULL, NULL),
			"headers, count 0");
	outcome("clCompileProgram", clCompileProgram(main_program, 0, NULL, NULL, 0, NULL, names, NULL, NULL),
			"names, count 0");
	outcome("clCompileProgram", clCompileProgram(main_program, 1, NULL, NULL, 1, &header, names, NULL, NULL),
			"no devices");
	outcome("clCompileProgram", clCompileProgram(main_program, 0, NULL, NULL, 1, &header, names, NULL, NULL),
			"good");
	outcome("clCompileProgram", clCompileProgram(other, 0, NULL, NULL, 0, NULL, NULL, NULL, NULL), "caller");
	outcome("clCompileProgram", clCompileProgram(library, 0, NULL, NULL, 0, NULL, NULL, NULL, NULL), "library");
	{
		cl_program good[] = { other, library }, unbuilt[] = { other, plain }, built_one[] = { executable },
				one[] = { other };
		const struct { const char *name; cl_uint nr; const cl_program *list; } lists[] = { { "good", 2, good },
			{ "none", 0, NULL }, { "count 0", 0, good }, { "no list", 1, NULL }, { "one not compiled",
					2, unbuilt },
			{ "an executable", 1, built_one }, { "a function missing", 1, one } }, *list;
		static const char *const all_options[] = { NULL, "", "-create-library", "-no-such-option",
				"-cl-fast-relaxed-math" },
			*const *options;
		struct named_ptr contexts[] = { { "good", env->ctx }, { "NULL", NULL } }, *ctx;

		EACH(ctx, contexts) EACH(list, lists) EACH(options, all_options) {
			code = UNTOUCHED_CODE;
			linked = clLinkProgram(ctx->value, 0, NULL, *options, list->nr, list->list, NULL, NULL, &code);
			outcome_object("clLinkProgram", code, linked, "context %s, %s, options %s", ctx->name,
					list->name,
				       *options ? *options : "NULL");
			drop(linked);
		}
		code = UNTOUCHED_CODE;
		linked = clLinkProgram(env->ctx, 1, NULL, NULL, 2, good, NULL, NULL, &code);
		outcome_object("clLinkProgram", code, linked, "no devices");
		drop(linked);
		code = UNTOUCHED_CODE;
		linked = clLinkProgram(env->ctx, 0, &env->device, NULL, 2, good, NULL, NULL, &code);
		outcome_object("clLinkProgram", code, linked, "devices, count 0");
		drop(linked);
	}
	drop(header);
	drop(main_program);
	drop(other);
	drop(library);
	drop(plain);
	drop(executable);
}

struct param {
	const char *name;
	cl_uint value;
	enum outcome_show show;
};

#define PARAM(name, show) { #name, name, show }

static void infos(struct cl_env *env)
{
	static const struct param program_params[] = { PARAM(CL_PROGRAM_REFERENCE_COUNT, SHOW_VALUE),
			PARAM(CL_PROGRAM_CONTEXT, SHOW_SIZE),
		PARAM(CL_PROGRAM_NUM_DEVICES, SHOW_VALUE), PARAM(CL_PROGRAM_DEVICES, SHOW_SIZE),
				PARAM(CL_PROGRAM_SOURCE, SHOW_TEXT),
		PARAM(CL_PROGRAM_IL, SHOW_VALUE), PARAM(CL_PROGRAM_NUM_KERNELS, SHOW_VALUE),
				PARAM(CL_PROGRAM_KERNEL_NAMES, SHOW_TEXT),
		PARAM(CL_PROGRAM_BINARY_SIZES, SHOW_SIZE), PARAM(CL_PROGRAM_SCOPE_GLOBAL_CTORS_PRESENT, SHOW_VALUE),
		PARAM(CL_PROGRAM_SCOPE_GLOBAL_DTORS_PRESENT, SHOW_VALUE), { "0", 0, SHOW_VALUE }, { "bad", 0x4711,
				SHOW_VALUE } };
	static const struct param build_params[] = { PARAM(CL_PROGRAM_BUILD_STATUS, SHOW_VALUE),
			PARAM(CL_PROGRAM_BUILD_OPTIONS, SHOW_TEXT),
		PARAM(CL_PROGRAM_BINARY_TYPE, SHOW_VALUE), PARAM(CL_PROGRAM_BUILD_GLOBAL_VARIABLE_TOTAL_SIZE,
				SHOW_VALUE),
		{ "0", 0, SHOW_VALUE }, { "bad", 0x4711, SHOW_VALUE } };
	cl_program unbuilt = make(env, source), failed = make(env, wrong), object = make(env, source),
			done = cl_build(env, source, "-DX");
	struct named_ptr programs[] = { { "built", done }, { "unbuilt", unbuilt }, { "failed", failed }, { "object",
			object },
					{ "NULL", NULL } }, *program;
	struct named_ptr devices[] = { { "device", env->device }, { "no device", NULL } }, *device;
	const struct param *param;
	char label[128];

	outcome("clBuildProgram", clBuildProgram(failed, 0, NULL, "-DY", NULL, NULL), "wrong");
	outcome("clCompileProgram", clCompileProgram(object, 0, NULL, "-DZ", 0, NULL, NULL, NULL, NULL), "good");
	EACH(program, programs) {
		EACH(param, program_params) {
			/* Of no kernels natively nothing is written, not even an end. */
			if (program->value == object && param->value == CL_PROGRAM_KERNEL_NAMES)
				continue;
			snprintf(label, sizeof(label), "%s %s", program->name, param->name);
			OUTCOME_INFO("clGetProgramInfo", label, param->show,
				     clGetProgramInfo(program->value, param->value, size_, value_, ret_));
		}
		EACH(param, build_params) EACH(device, devices) {
			snprintf(label, sizeof(label), "%s %s %s", program->name, device->name, param->name);
			OUTCOME_INFO("clGetProgramBuildInfo", label, param->show,
				     clGetProgramBuildInfo(program->value, device->value, param->value, size_,
						value_, ret_));
		}
		EACH(device, devices) {
			/* The log names a file of the process that built: sizes differ. */
			char log[4096];
			size_t size = 0;

			outcome("clGetProgramBuildInfo",
				clGetProgramBuildInfo(program->value, device->value, CL_PROGRAM_BUILD_LOG,
						sizeof(log), log, &size),
				"%s %s log: %s", program->name, device->name,
						size > 1 ? "some" : size ? "empty" : "none");
		}
	}
	drop(unbuilt);
	drop(failed);
	drop(object);
	drop(done);
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(create), CL_CASE(build), CL_CASE(compile_and_link), CL_CASE(infos), { NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, 0);
}
