/* SPDX-License-Identifier: MIT */
/* Every info query of platform, device, context, queue and memory, with sizes of all kinds. */
#include "cl_outcome.h"

struct param {
	const char *name;
	cl_uint value;
	enum outcome_show show;
};

#define P(name, show) { #name, name, show }
#define BAD { "0", 0, SHOW_VALUE }, { "bad", 0x4711, SHOW_VALUE }

static void platform(struct cl_env *env)
{
	static const struct param params[] = { P(CL_PLATFORM_PROFILE, SHOW_TEXT), P(CL_PLATFORM_NUMERIC_VERSION,
			SHOW_VALUE),
		P(CL_PLATFORM_HOST_TIMER_RESOLUTION, SHOW_VALUE), P(CL_PLATFORM_VERSION, SHOW_NOTHING),
				P(CL_PLATFORM_NAME, SHOW_NOTHING),
		P(CL_PLATFORM_VENDOR, SHOW_NOTHING), P(CL_PLATFORM_EXTENSIONS, SHOW_NOTHING),
		P(CL_PLATFORM_EXTENSIONS_WITH_VERSION, SHOW_NOTHING), P(CL_PLATFORM_ICD_SUFFIX_KHR, SHOW_NOTHING),
				BAD }, *param;

	EACH(param, params)
		OUTCOME_INFO("clGetPlatformInfo", param->name, param->show,
			     clGetPlatformInfo(env->platform, param->value, size_, value_, ret_));
}

/* Sizes follow the quota, names are its own, the clock moves; pointers and answers that clinfo compares: size alone. */
static enum outcome_show show_of(cl_uint param)
{
	switch (param) {
	case CL_DEVICE_NAME:
	case CL_DEVICE_EXTENSIONS:
	case CL_DEVICE_VERSION:
		return SHOW_NOTHING;
	case CL_DEVICE_PLATFORM:
	case CL_DEVICE_GLOBAL_MEM_SIZE:
	case CL_DEVICE_MAX_MEM_ALLOC_SIZE:
	case CL_DEVICE_MAX_CLOCK_FREQUENCY:
	case CL_DEVICE_IMAGE_MAX_BUFFER_SIZE:
	case CL_DEVICE_REFERENCE_COUNT:
	case CL_DEVICE_PARENT_DEVICE:
		return SHOW_SIZE;
	default:
		return SHOW_VALUE;
	}
}

static void device(struct cl_env *env)
{
	char label[32];

	for (cl_uint param = 0x0ffe; param < 0x1090; param++) {
		snprintf(label, sizeof(label), "%x", param);
		OUTCOME_INFO("clGetDeviceInfo", label, show_of(param), clGetDeviceInfo(env->device, param, size_,
				value_, ret_));
	}
	for (cl_uint param = 0x4000; param < 0x4060; param++) {
		snprintf(label, sizeof(label), "%x", param);
		OUTCOME_INFO("clGetDeviceInfo", label, SHOW_SIZE, clGetDeviceInfo(env->device, param, size_, value_,
				ret_));
	}
	OUTCOME_INFO("clGetDeviceInfo", "NULL", SHOW_VALUE, clGetDeviceInfo(NULL, CL_DEVICE_TYPE, size_, value_, ret_));
}

static void context(struct cl_env *env)
{
	static const struct param params[] = { P(CL_CONTEXT_REFERENCE_COUNT, SHOW_SIZE), P(CL_CONTEXT_NUM_DEVICES,
			SHOW_VALUE),
		P(CL_CONTEXT_DEVICES, SHOW_SIZE), P(CL_CONTEXT_PROPERTIES, SHOW_SIZE), BAD }, *param;
	const cl_context_properties platform_list[] = { CL_CONTEXT_PLATFORM, (intptr_t)env->platform, 0 },
			nothing[] = { 0 };
	struct named_ptr contexts[] = { { "plain", env->ctx },
		{ "platform", clCreateContext(platform_list, 1, &env->device, NULL, NULL, NULL) },
		{ "empty", clCreateContext(nothing, 1, &env->device, NULL, NULL, NULL) }, { "NULL", NULL } }, *ctx;
	char label[80];

	EACH(ctx, contexts) {
		EACH(param, params) {
			/* Natively, a value is copied from nowhere then. */
			if (param->value == CL_CONTEXT_PROPERTIES && ctx->value == env->ctx)
				continue;
			snprintf(label, sizeof(label), "%s %s", ctx->name, param->name);
			OUTCOME_INFO("clGetContextInfo", label, param->show,
				     clGetContextInfo(ctx->value, param->value, size_, value_, ret_));
		}
		if (ctx->value && ctx->value != env->ctx)
			CHECK_OK(clReleaseContext(ctx->value));
	}
}

static void queue(struct cl_env *env)
{
	static const struct param params[] = { P(CL_QUEUE_CONTEXT, SHOW_SIZE), P(CL_QUEUE_DEVICE, SHOW_SIZE),
		P(CL_QUEUE_REFERENCE_COUNT, SHOW_SIZE), P(CL_QUEUE_PROPERTIES, SHOW_VALUE), P(CL_QUEUE_SIZE,
				SHOW_VALUE),
		P(CL_QUEUE_PROPERTIES_ARRAY, SHOW_VALUE), P(CL_QUEUE_DEVICE_DEFAULT, SHOW_VALUE), BAD }, *param;
	cl_queue_properties list[] = { CL_QUEUE_PROPERTIES, CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE, 0 },
			nothing[] = { 0 };
	struct named_ptr queues[] = { { "plain", env->queue },
		{ "list", clCreateCommandQueueWithProperties(env->ctx, env->device, list, NULL) },
		{ "empty", clCreateCommandQueueWithProperties(env->ctx, env->device, nothing, NULL) },
		{ "no list", clCreateCommandQueueWithProperties(env->ctx, env->device, NULL, NULL) }, { "NULL",
				NULL } }, *q;
	char label[80];

	EACH(q, queues) {
		EACH(param, params) {
			snprintf(label, sizeof(label), "%s %s", q->name, param->name);
			OUTCOME_INFO("clGetCommandQueueInfo", label, param->show,
				     clGetCommandQueueInfo(q->value, param->value, size_, value_, ret_));
		}
		if (q->value && q->value != env->queue)
			CHECK_OK(clReleaseCommandQueue(q->value));
	}
}

static void memory(struct cl_env *env)
{
	static const struct param params[] = { P(CL_MEM_TYPE, SHOW_VALUE), P(CL_MEM_FLAGS, SHOW_VALUE),
			P(CL_MEM_SIZE, SHOW_VALUE),
		P(CL_MEM_HOST_PTR, SHOW_SIZE), P(CL_MEM_MAP_COUNT, SHOW_VALUE), P(CL_MEM_REFERENCE_COUNT, SHOW_SIZE),
		P(CL_MEM_CONTEXT, SHOW_SIZE), P(CL_MEM_ASSOCIATED_MEMOBJECT, SHOW_SIZE), P(CL_MEM_OFFSET, SHOW_VALUE),
		P(CL_MEM_USES_SVM_POINTER, SHOW_VALUE), P(CL_MEM_PROPERTIES, SHOW_VALUE), BAD }, *param;
	static const cl_mem_properties nothing[] = { 0 };
	static uint8_t bytes[1024] __attribute__((aligned(4096)));
	struct outcome_world w;
	char label[80];

	outcome_open(&w, env);
	{
		cl_mem over = clCreateBuffer(env->ctx, CL_MEM_USE_HOST_PTR, sizeof(bytes), bytes, NULL);
		cl_mem alloc = clCreateBuffer(env->ctx, CL_MEM_ALLOC_HOST_PTR | CL_MEM_READ_ONLY, 100, NULL, NULL);
		cl_mem listed = clCreateBufferWithProperties(env->ctx, nothing, CL_MEM_COPY_HOST_PTR, 64, bytes, NULL);
		struct named_ptr mems[] = { { "buffer", w.buffer }, { "sub", w.sub }, { "image", w.image },
				{ "no host", w.no_host },
					    { "over memory", over }, { "alloc", alloc }, { "listed", listed },
							{ "NULL", NULL } }, *mem;
		void *ptr = NULL;

		EACH(mem, mems)
			EACH(param, params) {
				snprintf(label, sizeof(label), "%s %s", mem->name, param->name);
				OUTCOME_INFO("clGetMemObjectInfo", label, param->show,
					     clGetMemObjectInfo(mem->value, param->value, size_, value_, ret_));
			}
		EACH(mem, mems)
			if (mem->value) {
				CHECK_OK(clGetMemObjectInfo(mem->value, CL_MEM_HOST_PTR, sizeof(ptr), &ptr, NULL));
				printf("%s: host pointer %s\n", mem->name,
						ptr == bytes ? "as given" : ptr ? "another" : "NULL");
			}
		CHECK_OK(clReleaseMemObject(over));
		CHECK_OK(clReleaseMemObject(alloc));
		CHECK_OK(clReleaseMemObject(listed));
	}
	outcome_close(&w);
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(platform), CL_CASE(device), CL_CASE(context), CL_CASE(queue), CL_CASE(memory), { NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, 0);
}
