/* SPDX-License-Identifier: MIT */
/* Wrong arguments of calls that make buffers and parts of them, and what the objects say of themselves. */
#include "cl_outcome.h"

static void buffers(struct cl_env *env)
{
	struct named_ptr contexts[] = { { "good", env->ctx }, { "NULL", NULL } }, *ctx;
	static uint8_t host[4096] __attribute__((aligned(4096)));
	struct named_ptr ptrs[] = { { "NULL", NULL }, { "memory", host } }, *ptr;
	static const size_t sizes[] = { 64, 0, SIZE_MAX, 1ull << 50 }, *size;
	static const cl_mem_properties empty[] = { 0 }, unknown[] = { 0x4711, 1, 0 };
	const struct { const char *name; const cl_mem_properties *list; } lists[] = { { "none", NULL }, { "empty",
			empty },
		{ "unknown", unknown } }, *list;

	for (cl_mem_flags flags = 0; flags < 4096; flags++)
		EACH(ptr, ptrs) EACH(size, sizes) {
			cl_int code = UNTOUCHED_CODE;
			cl_mem mem;

			if (flags >= 1024 && flags & 1023 && *size != 64)
				continue;
			mem = clCreateBuffer(env->ctx, flags, *size, ptr->value, &code);
			outcome_object("clCreateBuffer", code, mem, "flags %llx, %zx bytes, ptr %s",
					(unsigned long long)flags, *size,
				       ptr->name);
			if (mem)
				CHECK_OK(clReleaseMemObject(mem));
		}
	EACH(ctx, contexts) EACH(list, lists) EACH(size, sizes) EACH(ptr, ptrs)
		for (int how = 0; how < 4; how++) {
			cl_int code = UNTOUCHED_CODE;
			cl_mem mem = clCreateBufferWithProperties(ctx->value, list->list,
					how & 2 ? 0 : CL_MEM_COPY_HOST_PTR, *size,
								  ptr->value, how & 1 ? &code : NULL);

			outcome_object("clCreateBufferWithProperties", code, mem,
					"context %s, list %s, %zx bytes, ptr %s, how %d", ctx->name,
				       list->name, *size, ptr->name, how);
			if (mem)
				CHECK_OK(clReleaseMemObject(mem));
		}
	EACH(ctx, contexts) EACH(size, sizes) {
		cl_int code = UNTOUCHED_CODE;
		cl_mem mem = clCreateBuffer(ctx->value, 1ull << 40, *size, host, &code);

		outcome_object("clCreateBuffer", code, mem, "context %s, unknown flags, %zx bytes", ctx->name, *size);
	}
}

static void sub_buffers(struct cl_env *env)
{
	static const cl_mem_flags parent_flags[] = { 0, CL_MEM_READ_ONLY, CL_MEM_WRITE_ONLY, CL_MEM_HOST_READ_ONLY,
		CL_MEM_HOST_WRITE_ONLY, CL_MEM_HOST_NO_ACCESS, CL_MEM_ALLOC_HOST_PTR }, *parent_flag;
	static const cl_buffer_region regions[] = { { 0, 128 }, { 128, 128 }, { 0, 0 }, { 128, 0 }, { 1, 128 },
			{ 64, 64 }, { 1024, 128 },
		{ 896, 256 }, /* sums that overflow are natively taken: see test_errors_virtual */ { 0, SIZE_MAX },
				{ 4096, 0 }, { 1, 4096 } }, *region;
	struct outcome_world w;

	outcome_open(&w, env);
	EACH(parent_flag, parent_flags) {
		cl_mem parent = clCreateBuffer(env->ctx, *parent_flag, 1024, NULL, NULL);

		for (cl_mem_flags flags = 0; flags < 1024; flags++) {
			cl_int code = UNTOUCHED_CODE;
			cl_mem mem = clCreateSubBuffer(parent, flags, CL_BUFFER_CREATE_TYPE_REGION,
					&regions[flags % 2], &code);
			cl_mem_flags got = 0;

			if (mem)
				CHECK_OK(clGetMemObjectInfo(mem, CL_MEM_FLAGS, sizeof(got), &got, NULL));
			outcome_object("clCreateSubBuffer", code, mem, "parent's flags %llx, flags %llx: %llx",
				       (unsigned long long)*parent_flag, (unsigned long long)flags,
						(unsigned long long)got);
			if (mem)
				CHECK_OK(clReleaseMemObject(mem));
		}
		CHECK_OK(clReleaseMemObject(parent));
	}
	{
		struct named_ptr parents[] = { { "good", w.buffer }, { "NULL", NULL }, { "sub", w.sub }, { "image",
				w.image } }, *parent;
		static const cl_mem_flags all_flags[] = { 0, 1ull << 40, CL_MEM_USE_HOST_PTR }, *flags;
		static const cl_buffer_create_type types[] = { CL_BUFFER_CREATE_TYPE_REGION, 0 }, *type;

		EACH(parent, parents) EACH(flags, all_flags) EACH(type, types)
			for (size_t i = 0; i <= COUNT_OF(regions); i++)
				for (int with_code = 0; with_code < 2; with_code++) {
					cl_int code = UNTOUCHED_CODE;
					cl_mem mem;

					region = i ? &regions[i - 1] : NULL;
					mem = clCreateSubBuffer(parent->value, *flags, *type, region,
							with_code ? &code : NULL);
					outcome_object("clCreateSubBuffer", code, mem,
							"parent %s, flags %llx, type %x, region %zu, code %d",
						       parent->name, (unsigned long long)*flags, *type, i, with_code);
					if (mem)
						CHECK_OK(clReleaseMemObject(mem));
				}
	}
	outcome("clRetainMemObject", clRetainMemObject(NULL), "NULL");
	outcome("clReleaseMemObject", clReleaseMemObject(NULL), "NULL");
	outcome("clSetMemObjectDestructorCallback", clSetMemObjectDestructorCallback(NULL, NULL, NULL), "NULL");
	outcome("clSetMemObjectDestructorCallback", clSetMemObjectDestructorCallback(w.buffer, NULL, NULL),
			"no function");
	outcome_close(&w);
}

/* Which object counts the maps of a part? */
static void maps_of_parts(struct cl_env *env)
{
	struct outcome_world w;
	cl_uint whole = 99, part = 99;
	void *ptr;

	outcome_open(&w, env);
	ptr = clEnqueueMapBuffer(env->queue, w.sub, CL_TRUE, CL_MAP_READ, 16, 64, 0, NULL, NULL, NULL);
	CHECK_OK(clGetMemObjectInfo(w.buffer, CL_MEM_MAP_COUNT, sizeof(whole), &whole, NULL));
	CHECK_OK(clGetMemObjectInfo(w.sub, CL_MEM_MAP_COUNT, sizeof(part), &part, NULL));
	printf("maps of the whole: %u, of the part: %u\n", whole, part);
	outcome("clEnqueueUnmapMemObject", clEnqueueUnmapMemObject(env->queue, w.buffer, ptr, 0, NULL, NULL),
			"by the whole");
	CHECK_OK(clFinish(env->queue));
	ptr = clEnqueueMapBuffer(env->queue, w.buffer, CL_TRUE, CL_MAP_READ, 256, 64, 0, NULL, NULL, NULL);
	outcome("clEnqueueUnmapMemObject", clEnqueueUnmapMemObject(env->queue, w.sub, ptr, 0, NULL, NULL),
			"by the part");
	CHECK_OK(clFinish(env->queue));
	outcome_close(&w);
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(buffers), CL_CASE(sub_buffers), CL_CASE(maps_of_parts), { NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, 0);
}
