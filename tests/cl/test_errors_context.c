/* SPDX-License-Identifier: MIT */
/* Wrong arguments of calls about platforms, devices, contexts and queues. */
#include "cl_outcome.h"

#define BAD_HANDLE ((intptr_t)-1)

static void platforms(struct cl_env *env)
{
	cl_platform_id platform = NULL;
	cl_uint nr = 4711;
	size_t size = 4711;
	char text[8];

	outcome("clGetPlatformIDs", clGetPlatformIDs(0, NULL, NULL), "nothing");
	outcome("clGetPlatformIDs", clGetPlatformIDs(0, &platform, &nr), "0 and a list");
	outcome("clGetPlatformIDs", clGetPlatformIDs(1, NULL, NULL), "1 and no list");
	outcome("clGetPlatformIDs", clGetPlatformIDs(1, NULL, &nr), "1, no list, a number: %u", nr);
	outcome("clGetPlatformInfo", clGetPlatformInfo(env->platform, 0, 0, NULL, &size), "0: %zu", size);
	outcome("clGetPlatformInfo", clGetPlatformInfo(env->platform, CL_DEVICE_NAME, 0, NULL, &size),
			"a device's: %zu", size);
	outcome("clGetPlatformInfo", clGetPlatformInfo(env->platform, CL_PLATFORM_PROFILE, 1, text, &size),
			"1 byte: %zu", size);
	outcome("clGetPlatformInfo", clGetPlatformInfo(env->platform, CL_PLATFORM_PROFILE, 0, text, &size),
			"0 bytes: %zu", size);
	outcome("clGetPlatformInfo", clGetPlatformInfo(env->platform, CL_PLATFORM_PROFILE, 8, NULL, NULL), "nothing");
	outcome("clUnloadPlatformCompiler", clUnloadPlatformCompiler(env->platform), "good");
	outcome("clUnloadPlatformCompiler", clUnloadPlatformCompiler(NULL), "NULL");
	outcome("clUnloadCompiler", clUnloadCompiler(), "good");
}

static void device_ids(struct cl_env *env)
{
	static const cl_device_type types[] = { CL_DEVICE_TYPE_ALL, CL_DEVICE_TYPE_CPU, CL_DEVICE_TYPE_GPU,
			CL_DEVICE_TYPE_DEFAULT,
		CL_DEVICE_TYPE_ACCELERATOR, CL_DEVICE_TYPE_CUSTOM, 0, 1ull << 6, 1ull << 40,
				CL_DEVICE_TYPE_CPU | CL_DEVICE_TYPE_GPU,
		CL_DEVICE_TYPE_CPU | 1ull << 40 }, *type;
	static const cl_uint counts[] = { 0, 1, 4 }, *count;

	EACH(type, types) EACH(count, counts)
		for (int how = 0; how < 4; how++) {
			cl_device_id devices[4] = { NULL };
			cl_uint nr = 4711;
			cl_int code = clGetDeviceIDs(env->platform, *type, *count, how & 1 ? devices : NULL,
					how & 2 ? &nr : NULL);

			outcome("clGetDeviceIDs", code, "type %llx, %u, list %d: device %d, number %u",
					(unsigned long long)*type,
				*count, how & 1, !!devices[0], nr);
		}
	outcome("clRetainDevice", clRetainDevice(NULL), "NULL");
	outcome("clReleaseDevice", clReleaseDevice(NULL), "NULL");
	outcome("clRetainDevice", clRetainDevice(env->device), "the device");
	outcome("clReleaseDevice", clReleaseDevice(env->device), "the device");
	outcome("clReleaseDevice", clReleaseDevice(env->device), "the device once more");
}

static void CL_CALLBACK notify(const char *text, const void *info, size_t size, void *data)
{
}

static void contexts(struct cl_env *env)
{
	const cl_context_properties platform[] = { CL_CONTEXT_PLATFORM, (intptr_t)env->platform, 0 };
	const cl_context_properties twice[] = { CL_CONTEXT_PLATFORM, (intptr_t)env->platform, CL_CONTEXT_PLATFORM,
						(intptr_t)env->platform, 0 };
	const cl_context_properties bad_platform[] = { CL_CONTEXT_PLATFORM, BAD_HANDLE, 0 };
	const cl_context_properties unknown[] = { 0x4711, 1, 0 };
	const cl_context_properties unknown_later[] = { CL_CONTEXT_PLATFORM, (intptr_t)env->platform, 0x4711, 1, 0 };
	const cl_context_properties sync[] = { CL_CONTEXT_INTEROP_USER_SYNC, CL_TRUE, 0 };
	const cl_context_properties nothing[] = { 0 };
	const struct { const char *name; const cl_context_properties *list; } all[] = { { "none", NULL },
			{ "platform", platform },
		{ "twice", twice }, { "bad platform", bad_platform }, { "unknown", unknown }, { "unknown later",
				unknown_later },
		{ "sync", sync }, { "empty", nothing } }, *properties;
	cl_device_id good[] = { env->device, env->device }, null[] = { env->device, NULL };
	const struct { const char *name; cl_uint nr; const cl_device_id *list; } lists[] = { { "good", 1, good },
			{ "same twice", 2, good },
		{ "no list", 1, NULL }, { "none", 0, good }, { "nothing", 0, NULL }, { "NULL device", 2, null } },
				*devices;
	static const cl_device_type types[] = { CL_DEVICE_TYPE_ALL, CL_DEVICE_TYPE_DEFAULT, CL_DEVICE_TYPE_CPU }, *type;

	EACH(properties, all) EACH(devices, lists)
		for (int how = 0; how < 8; how++) {
			cl_int code = UNTOUCHED_CODE;
			cl_uint nr = 4711;
			cl_context ctx = clCreateContext(properties->list, devices->nr, devices->list,
					how & 1 ? notify : NULL,
							 how & 2 ? &code : NULL, how & 4 ? &code : NULL);

			if (ctx)
				CHECK_OK(clGetContextInfo(ctx, CL_CONTEXT_NUM_DEVICES, sizeof(nr), &nr, NULL));
			outcome_object("clCreateContext", code, ctx,
					"properties %s, devices %s, notify %d, data %d, code %d: %u",
				       properties->name, devices->name, how & 1, how >> 1 & 1, how >> 2, nr);
			if (ctx)
				CHECK_OK(clReleaseContext(ctx));
		}
	EACH(properties, all) EACH(type, types)
		for (int how = 0; how < 8; how++) {
			cl_int code = UNTOUCHED_CODE;
			cl_context ctx = NULL;

			/* The loader looks for the platform in the properties. */
			ctx = clCreateContextFromType(properties->list, *type, how & 1 ? notify : NULL,
					how & 2 ? &code : NULL,
						      how & 4 ? &code : NULL);
			outcome_object("clCreateContextFromType", code, ctx,
					"properties %s, type %llx, notify %d, data %d, code %d",
				       properties->name, (unsigned long long)*type, how & 1, how >> 1 & 1, how >> 2);
			if (ctx)
				CHECK_OK(clReleaseContext(ctx));
		}
	outcome("clRetainContext", clRetainContext(NULL), "NULL");
	outcome("clReleaseContext", clReleaseContext(NULL), "NULL");
	outcome("clSetContextDestructorCallback", clSetContextDestructorCallback(NULL, NULL, NULL), "NULL");
	outcome("clSetContextDestructorCallback", clSetContextDestructorCallback(env->ctx, NULL, NULL), "no function");
}

static void queues(struct cl_env *env)
{
	static const cl_command_queue_properties flags[] = { 0, CL_QUEUE_PROFILING_ENABLE,
			CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE,
		3, 16, 1ull << 20, CL_QUEUE_PROFILING_ENABLE | 1ull << 40, 32 }, *flag;
	struct named_ptr contexts[] = { { "good", env->ctx }, { "NULL", NULL } }, *ctx;
	struct named_ptr devices[] = { { "good", env->device }, { "NULL", NULL } }, *device;
	cl_queue_properties lists[][6] = { { 0 }, { CL_QUEUE_PROPERTIES, 0, 0 }, { CL_QUEUE_PROPERTIES, 2, 0 },
			{ CL_QUEUE_PROPERTIES, 3, 0 },
		{ CL_QUEUE_PROPERTIES, 16, 0 }, { CL_QUEUE_PROPERTIES, 1 << 20, 0 }, { CL_QUEUE_PROPERTIES, 2,
				CL_QUEUE_PROPERTIES, 2, 0 },
		{ CL_QUEUE_SIZE, 16, 0 }, { CL_QUEUE_SIZE, 0, 0 }, { CL_QUEUE_PROPERTIES, 2, CL_QUEUE_SIZE, 16, 0 },
		{ CL_QUEUE_PROPERTIES, 2, CL_QUEUE_SIZE, 0, 0 }, { CL_QUEUE_SIZE, 16, CL_QUEUE_SIZE, 16, 0 },
				{ 0x4711, 1, 0 },
		{ CL_QUEUE_PROPERTIES, 2, 0x4711, 1, 0 } };
	cl_command_queue queue;
	cl_int code;

	EACH(ctx, contexts) EACH(device, devices) EACH(flag, flags)
		for (int with_code = 0; with_code < 2; with_code++) {
			code = UNTOUCHED_CODE;
			queue = clCreateCommandQueue(ctx->value, device->value, *flag, with_code ? &code : NULL);
			outcome_object("clCreateCommandQueue", code, queue,
					"context %s, device %s, flags %llx, code %d", ctx->name,
				       device->name, (unsigned long long)*flag, with_code);
			if (queue)
				CHECK_OK(clReleaseCommandQueue(queue));
		}
	EACH(ctx, contexts) EACH(device, devices)
		for (size_t i = 0; i <= COUNT_OF(lists); i++)
			for (int with_code = 0; with_code < 2; with_code++) {
				code = UNTOUCHED_CODE;
				queue = clCreateCommandQueueWithProperties(ctx->value, device->value,
						i ? lists[i - 1] : NULL,
									   with_code ? &code : NULL);
				outcome_object("clCreateCommandQueueWithProperties", code, queue,
						"context %s, device %s, list %zu, code %d",
					       ctx->name, device->name, i, with_code);
				if (queue)
					CHECK_OK(clReleaseCommandQueue(queue));
			}
	/* clSetCommandQueueProperty: no such function natively. */
	queue = cl_queue(env, 0);
	outcome("clSetDefaultDeviceCommandQueue", clSetDefaultDeviceCommandQueue(env->ctx, env->device, queue), "good");
	outcome("clSetDefaultDeviceCommandQueue", clSetDefaultDeviceCommandQueue(NULL, NULL, NULL), "NULL");
	CHECK_OK(clReleaseCommandQueue(queue));
	outcome("clRetainCommandQueue", clRetainCommandQueue(NULL), "NULL");
	outcome("clReleaseCommandQueue", clReleaseCommandQueue(NULL), "NULL");
	outcome("clFlush", clFlush(NULL), "NULL");
	outcome("clFinish", clFinish(NULL), "NULL");
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(platforms), CL_CASE(device_ids), CL_CASE(contexts), CL_CASE(queues), { NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, 0);
}
