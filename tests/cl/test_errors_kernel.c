/* SPDX-License-Identifier: MIT */
/* Wrong arguments of calls that make, set up and describe kernels. */
#include "cl_outcome.h"

static const char source[] =
	"typedef struct { int a; float4 b; } pair;\n"
	"__constant sampler_t s = CLK_NORMALIZED_COORDS_FALSE;\n"
	"__kernel void k(__global int *p, int v, __local float4 *l, __constant char *c, read_only image2d_t i, sampler_t m,\n"
	"                pair t, const __global volatile float *restrict r, char3 ch, ulong n, write_only image2d_t o)\n"
	"{ p[0] = v; l[0] = 0; }\n"
	"__kernel void none(void) { }\n"
	"__kernel __attribute__((reqd_work_group_size(4, 2, 1), vec_type_hint(float4), work_group_size_hint(8, 1, 1)))\n"
	"void fixed(__global int *p) { __local int l[64]; l[get_local_id(0)] = 1; barrier(CLK_LOCAL_MEM_FENCE); p[0] = l[1]; }\n";

struct programs {
	cl_program built, unbuilt, failed, library, object;
};

static void open_programs(struct cl_env *env, struct programs *p)
{
	const char *text = source, *bad = "__kernel void k( {";

	p->built = cl_build(env, source, "-cl-kernel-arg-info");
	p->unbuilt = clCreateProgramWithSource(env->ctx, 1, &text, NULL, NULL);
	p->failed = clCreateProgramWithSource(env->ctx, 1, &bad, NULL, NULL);
	outcome("clBuildProgram", clBuildProgram(p->failed, 0, NULL, NULL, NULL, NULL), "a syntax error");
	p->object = clCreateProgramWithSource(env->ctx, 1, &text, NULL, NULL);
	outcome("clCompileProgram", clCompileProgram(p->object, 0, NULL, NULL, 0, NULL, NULL, NULL, NULL), "good");
	p->library = clLinkProgram(env->ctx, 0, NULL, "-create-library", 1, &p->object, NULL, NULL, NULL);
	printf("clLinkProgram: a library -> %s\n", p->library ? "program" : "NULL");
}

static void close_programs(struct programs *p)
{
	cl_program all[] = { p->built, p->unbuilt, p->failed, p->library, p->object };

	for (size_t i = 0; i < COUNT_OF(all); i++)
		if (all[i])
			CHECK_OK(clReleaseProgram(all[i]));
}

static void create(struct cl_env *env)
{
	struct programs p;

	open_programs(env, &p);
	{
		struct named_ptr programs[] = { { "built", p.built }, { "NULL", NULL }, { "unbuilt", p.unbuilt },
						{ "failed", p.failed }, { "object", p.object }, { "library",
								p.library } }, *program;
		static const char *const names[] = { "k", "none", "", "missing", "pair", NULL }, *const *name;

		EACH(program, programs) EACH(name, names)
			for (int with_code = 0; with_code < 2; with_code++) {
				cl_int code = UNTOUCHED_CODE;
				cl_kernel kernel = clCreateKernel(program->value, *name, with_code ? &code : NULL);

				outcome_object("clCreateKernel", code, kernel, "program %s, name %s, code %d",
						program->name,
					       *name ? *name : "NULL", with_code);
				if (kernel)
					CHECK_OK(clReleaseKernel(kernel));
			}
		EACH(program, programs)
			for (cl_uint nr = 0; nr < 5; nr++)
				for (int how = 0; how < 4; how++) {
					cl_kernel kernels[8] = { NULL };
					cl_uint got = 4711;
					cl_int code = clCreateKernelsInProgram(program->value, nr,
							how & 1 ? kernels : NULL,
									       how & 2 ? &got : NULL);
					unsigned int made = 0;

					for (size_t i = 0; i < COUNT_OF(kernels); i++)
						if (kernels[i]) {
							made++;
							CHECK_OK(clReleaseKernel(kernels[i]));
						}
					outcome("clCreateKernelsInProgram", code,
							"program %s, %u, kernels %d, number %d: %u made, number %u",
						program->name, nr, how & 1, how >> 1, made, got);
				}
	}
	close_programs(&p);
}

static void retain_and_release(struct cl_env *env)
{
	cl_int code = UNTOUCHED_CODE;

	outcome("clRetainKernel", clRetainKernel(NULL), "NULL");
	outcome("clReleaseKernel", clReleaseKernel(NULL), "NULL");
	outcome_object("clCloneKernel", code, clCloneKernel(NULL, &code), "NULL");
	outcome_object("clCloneKernel", UNTOUCHED_CODE, clCloneKernel(NULL, NULL), "NULL, no code");
}

/* The native driver takes any bytes for an object, of any kind, and any size for a structure; some of that crashes. */
static bool is_unsafe(cl_uint index, size_t size, char kind)
{
	if (index == 6)
		return !size || size > 64;
	if (size != sizeof(cl_mem))
		return false;
	switch (index) {
	case 0:
	case 3:
	case 7:
		return kind != 'b' && kind != '0';
	case 4:
	case 10:
		return kind != 'i';
	case 5:
		return kind != 's';
	default:
		return false;
	}
}

static void arguments(struct cl_env *env)
{
	struct outcome_world w;
	struct programs p;
	cl_kernel kernel;
	cl_sampler sampler;
	cl_int code;

	outcome_open(&w, env);
	open_programs(env, &p);
	kernel = cl_kernel_new(p.built, "k");
	sampler = clCreateSampler(env->ctx, CL_FALSE, CL_ADDRESS_NONE, CL_FILTER_NEAREST, &code);
	CHECK_OK(code);
	{
		cl_mem none = NULL, image = w.image, buffer = w.buffer, sub = w.sub;
		uint8_t bytes[64] = { 0 };
		struct named_ptr values[] = { { "NULL", NULL }, { "bytes", bytes }, { "buffer", &buffer }, { "sub",
				&sub },
					      { "image", &image }, { "sampler", &sampler }, { "NULL object",
							&none } }, *value;
		static const size_t sizes[] = { 0, 1, 3, 4, 7, 8, 12, 16, 32, 33, 64, 1u << 20, SIZE_MAX }, *size;

		for (cl_uint index = 0; index < 13; index++)
			EACH(value, values) EACH(size, sizes) {
				if (value->value && is_unsafe(index, *size,
						value->value == &buffer || value->value == &sub ?
							      'b' : value->value == &image ? 'i' :
							      value->value == &sampler ? 's' : value->value == &none ? '0' : ' '))
					continue;
				outcome("clSetKernelArg", clSetKernelArg(kernel, index, *size, value->value),
					"argument %u, %zu bytes, %s", index, *size, value->name);
			}
		outcome("clSetKernelArg", clSetKernelArg(NULL, 0, 8, &buffer), "NULL");
		outcome("clSetKernelArg", clSetKernelArg(NULL, 99, 0, NULL), "NULL, nothing right");
		outcome("clSetKernelArg", clSetKernelArg(kernel, UINT32_MAX, 0, NULL), "index too large");
	}
	CHECK_OK(clReleaseSampler(sampler));
	CHECK_OK(clReleaseKernel(kernel));
	close_programs(&p);
	outcome_close(&w);
}

struct param {
	const char *name;
	cl_uint value;
	enum outcome_show show;
};

#define PARAM(name, show) { #name, name, show }

static void infos(struct cl_env *env)
{
	static const struct param kernel_params[] = { PARAM(CL_KERNEL_FUNCTION_NAME, SHOW_TEXT),
		PARAM(CL_KERNEL_NUM_ARGS, SHOW_VALUE), PARAM(CL_KERNEL_REFERENCE_COUNT, SHOW_VALUE),
		PARAM(CL_KERNEL_CONTEXT, SHOW_SIZE), PARAM(CL_KERNEL_PROGRAM, SHOW_SIZE),
		PARAM(CL_KERNEL_ATTRIBUTES, SHOW_TEXT), { "0", 0, SHOW_VALUE }, { "bad", 0x4711, SHOW_VALUE } };
	static const struct param group_params[] = { PARAM(CL_KERNEL_WORK_GROUP_SIZE, SHOW_VALUE),
		PARAM(CL_KERNEL_COMPILE_WORK_GROUP_SIZE, SHOW_VALUE), PARAM(CL_KERNEL_LOCAL_MEM_SIZE, SHOW_VALUE),
		PARAM(CL_KERNEL_PREFERRED_WORK_GROUP_SIZE_MULTIPLE, SHOW_VALUE), PARAM(CL_KERNEL_PRIVATE_MEM_SIZE,
				SHOW_VALUE),
		PARAM(CL_KERNEL_GLOBAL_WORK_SIZE, SHOW_VALUE), { "0", 0, SHOW_VALUE }, { "bad", 0x4711, SHOW_VALUE } };
	static const struct param arg_params[] = { PARAM(CL_KERNEL_ARG_ADDRESS_QUALIFIER, SHOW_VALUE),
		PARAM(CL_KERNEL_ARG_ACCESS_QUALIFIER, SHOW_VALUE), PARAM(CL_KERNEL_ARG_TYPE_NAME, SHOW_TEXT),
		PARAM(CL_KERNEL_ARG_TYPE_QUALIFIER, SHOW_VALUE), PARAM(CL_KERNEL_ARG_NAME, SHOW_TEXT), { "0", 0,
				SHOW_VALUE },
		{ "bad", 0x4711, SHOW_VALUE } };
	static const struct param sub_params[] = { PARAM(CL_KERNEL_MAX_SUB_GROUP_SIZE_FOR_NDRANGE, SHOW_VALUE),
		PARAM(CL_KERNEL_SUB_GROUP_COUNT_FOR_NDRANGE, SHOW_VALUE),
				PARAM(CL_KERNEL_LOCAL_SIZE_FOR_SUB_GROUP_COUNT, SHOW_VALUE),
		PARAM(CL_KERNEL_MAX_NUM_SUB_GROUPS, SHOW_VALUE), PARAM(CL_KERNEL_COMPILE_NUM_SUB_GROUPS, SHOW_VALUE),
		{ "bad", 0x4711, SHOW_VALUE } };
	cl_program program = cl_build(env, source, "-cl-kernel-arg-info"), without = cl_build(env, source, "-DX");
	struct named_ptr kernels[] = { { "k", cl_kernel_new(program, "k") }, { "none", cl_kernel_new(program, "none") },
				       { "fixed", cl_kernel_new(program, "fixed") },
				       { "k without info", cl_kernel_new(without, "k") }, { "NULL", NULL } }, *kernel;
	struct named_ptr devices[] = { { "device", env->device }, { "no device", NULL } }, *device;
	const struct param *param;
	size_t group[3] = { 4, 2, 1 };
	char label[160];

	EACH(kernel, kernels) {
		EACH(param, kernel_params) {
			snprintf(label, sizeof(label), "%s %s", kernel->name, param->name);
			OUTCOME_INFO("clGetKernelInfo", label, param->show,
				     clGetKernelInfo(kernel->value, param->value, size_, value_, ret_));
		}
		EACH(param, group_params) EACH(device, devices) {
			snprintf(label, sizeof(label), "%s %s %s", kernel->name, device->name, param->name);
			OUTCOME_INFO("clGetKernelWorkGroupInfo", label, param->show,
				     clGetKernelWorkGroupInfo(kernel->value, device->value, param->value, size_,
						value_, ret_));
		}
		EACH(param, arg_params)
			for (cl_uint index = 0; index < 12; index++) {
				snprintf(label, sizeof(label), "%s argument %u %s", kernel->name, index, param->name);
				OUTCOME_INFO("clGetKernelArgInfo", label, param->show,
					     clGetKernelArgInfo(kernel->value, index, param->value, size_, value_,
							ret_));
			}
		EACH(param, sub_params) EACH(device, devices) {
			snprintf(label, sizeof(label), "%s %s %s", kernel->name, device->name, param->name);
			OUTCOME_INFO("clGetKernelSubGroupInfo", label, param->show,
				     clGetKernelSubGroupInfo(kernel->value, device->value, param->value,
						sizeof(group), group, size_,
							     value_, ret_));
		}
	}
	EACH(kernel, kernels)
		if (kernel->value)
			CHECK_OK(clReleaseKernel(kernel->value));
	CHECK_OK(clReleaseProgram(program));
	CHECK_OK(clReleaseProgram(without));
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(create), CL_CASE(retain_and_release), CL_CASE(arguments), CL_CASE(infos), { NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, 0);
}
