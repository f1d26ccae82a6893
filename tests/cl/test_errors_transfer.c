/* SPDX-License-Identifier: MIT */
/* Wrong arguments of plain transfers, alone and together: which error comes. */
#include "cl_outcome.h"

static void read_and_write(struct cl_env *env)
{
	struct outcome_world w;
	struct outcome_waits waits[NR_WAITS], *wait;

	outcome_open(&w, env);
	outcome_waits(&w, waits);
	{
		struct named_ptr queues[] = { { "good", env->queue }, { "NULL", NULL }, { "other",
				w.other_queue } }, *queue;
		struct named_ptr buffers[] = { { "good", w.buffer }, { "NULL", NULL }, { "other", w.other_buffer },
					       { "host read", w.host_read }, { "host write", w.host_write },
					       { "no host", w.no_host }, { "sub", w.sub }, { "image", w.image } },
							*buffer;
		static const struct { size_t offset, size; } ranges[] = { { 0, 4 }, { 0, 0 }, { 1024, 0 }, { 1024,
				1 }, { 1020, 8 },
			{ SIZE_MAX, 1 }, { SIZE_MAX, 2 }, { 0, SIZE_MAX }, { 2000, 0 } }, *range;
		struct named_ptr ptrs[] = { { "good", w.host }, { "NULL", NULL } }, *ptr;

		EACH(queue, queues) EACH(buffer, buffers) EACH(range, ranges) EACH(ptr, ptrs) EACH(wait, waits)
			for (int blocking = 0; blocking < 2; blocking++) {
				cl_event event = UNTOUCHED_EVENT;
				cl_int code = clEnqueueReadBuffer(queue->value, buffer->value, blocking, range->offset,
								  range->size, ptr->value, wait->nr, wait->list,
										&event);

				outcome_event("clEnqueueReadBuffer", code, event,
					      "queue %s, buffer %s, [%zx, +%zx), ptr %s, waits %s, blocking %d",
							queue->name,
					      buffer->name, range->offset, range->size, ptr->name, wait->name,
							blocking);
				event = UNTOUCHED_EVENT;
				code = clEnqueueWriteBuffer(queue->value, buffer->value, blocking, range->offset,
							    range->size, ptr->value, wait->nr, wait->list, &event);
				outcome_event("clEnqueueWriteBuffer", code, event,
					      "queue %s, buffer %s, [%zx, +%zx), ptr %s, waits %s, blocking %d",
							queue->name,
					      buffer->name, range->offset, range->size, ptr->name, wait->name,
							blocking);
			}
	}
	outcome_close(&w);
}

struct rect_case {
	const char *name;
	const size_t *origin, *other, *region;
	size_t row, slice, other_row, other_slice;
};

static const size_t zero[3], one[3] = { 1, 1, 1 }, box[3] = { 4, 2, 2 }, wide[3] = { 16, 1, 1 }, flat[3] = { 4, 0, 1 },
	empty[3] = { 0, 2, 2 }, huge[3] = { SIZE_MAX, 1, 1 }, far[3] = { 1024, 0, 0 }, deep[3] = { 0, 0, 1u << 20 },
	near[3] = { 1020, 0, 0 };

static const struct rect_case rects[] = {
	{ "good", zero, one, box, 0, 0, 0, 0 },
	{ "pitches", zero, one, box, 16, 64, 16, 64 },
	{ "no origin", NULL, zero, box, 0, 0, 0, 0 },
	{ "no other origin", zero, NULL, box, 0, 0, 0, 0 },
	{ "no region", zero, zero, NULL, 0, 0, 0, 0 },
	{ "empty", zero, one, empty, 8, 0, 8, 0 },
	{ "empty, flat", zero, one, flat, 8, 0, 8, 0 },
	{ "huge", zero, zero, huge, 0, 0, 0, 0 },
	{ "row too small", zero, one, box, 3, 0, 0, 0 },
	{ "slice too small", zero, one, box, 4, 7, 0, 0 },
	{ "slice no multiple", zero, one, box, 4, 10, 0, 0 },
	{ "other row too small", zero, one, box, 0, 0, 3, 0 },
	{ "other slice too small", zero, one, box, 0, 0, 4, 7 },
	{ "other slice no multiple", zero, one, box, 0, 0, 4, 10 },
	{ "far", far, zero, wide, 0, 0, 0, 0 },
	{ "deep", deep, zero, wide, 0, 0, 0, 0 },
	{ "near the end", near, zero, wide, 0, 0, 0, 0 },
	{ "at the end", near, zero, box, 0, 0, 0, 0 },
	{ "too long", zero, zero, box, 1024, 0, 0, 0 },
	{ "slice too long", zero, zero, box, 16, 1024, 0, 0 },
	{ "same pitches, overlap", zero, one, box, 16, 64, 16, 64 },
	{ "unlike pitches", zero, wide, box, 16, 64, 32, 64 },
};

static void rects_read_and_write(struct cl_env *env)
{
	struct outcome_world w;
	struct outcome_waits waits[NR_WAITS], *wait;

	outcome_open(&w, env);
	outcome_waits(&w, waits);
	{
		struct named_ptr queues[] = { { "good", env->queue }, { "NULL", NULL }, { "other",
				w.other_queue } }, *queue;
		struct named_ptr buffers[] = { { "good", w.buffer }, { "NULL", NULL }, { "other", w.other_buffer },
					       { "host read", w.host_read }, { "host write", w.host_write },
					       { "no host", w.no_host }, { "sub", w.sub }, { "image", w.image } },
							*buffer;
		struct named_ptr ptrs[] = { { "good", w.host }, { "NULL", NULL } }, *ptr;
		const struct rect_case *r;

		EACH(queue, queues) EACH(buffer, buffers) EACH(r, rects) EACH(ptr, ptrs) EACH(wait, waits) {
			cl_event event = UNTOUCHED_EVENT;
			cl_int code = clEnqueueReadBufferRect(queue->value, buffer->value, CL_TRUE, r->origin, r->other,
							      r->region, r->row, r->slice, r->other_row, r->other_slice,
							      ptr->value, wait->nr, wait->list, &event);

			outcome_event("clEnqueueReadBufferRect", code, event,
					"queue %s, buffer %s, %s, ptr %s, waits %s",
				      queue->name, buffer->name, r->name, ptr->name, wait->name);
			event = UNTOUCHED_EVENT;
			code = clEnqueueWriteBufferRect(queue->value, buffer->value, CL_TRUE, r->origin, r->other,
					r->region,
							r->row, r->slice, r->other_row, r->other_slice, ptr->value,
									wait->nr,
							wait->list, &event);
			outcome_event("clEnqueueWriteBufferRect", code, event,
					"queue %s, buffer %s, %s, ptr %s, waits %s",
				      queue->name, buffer->name, r->name, ptr->name, wait->name);
		}
	}
	outcome_close(&w);
}

static void rects_copy(struct cl_env *env)
{
	struct outcome_world w;
	struct outcome_waits waits[NR_WAITS], *wait;

	outcome_open(&w, env);
	outcome_waits(&w, waits);
	{
		struct named_ptr queues[] = { { "good", env->queue }, { "NULL", NULL }, { "other",
				w.other_queue } }, *queue;
		/* The native driver looks into NULL, and crashes at sub-buffers: test_crash has those. */
		struct named_ptr sources[] = { { "good", w.buffer }, { "other", w.other_buffer }, { "image",
				w.image } }, *src;
		struct named_ptr targets[] = { { "same", w.buffer }, { "other", w.other_buffer }, { "second",
				w.no_host },
					       { "image", w.image } }, *dst;
		const struct rect_case *r;

		EACH(queue, queues) EACH(src, sources) EACH(dst, targets) EACH(r, rects) EACH(wait, waits) {
			cl_event event = UNTOUCHED_EVENT;
			cl_int code;

			if (r->region == empty || r->region == flat) /* natively memory before the buffer is written */
				continue;
			code = clEnqueueCopyBufferRect(queue->value, src->value, dst->value, r->origin, r->other,
					r->region,
						       r->row, r->slice, r->other_row, r->other_slice, wait->nr,
								wait->list,
						       &event);
			outcome_event("clEnqueueCopyBufferRect", code, event, "queue %s, %s to %s, %s, waits %s",
					queue->name,
				      src->name, dst->name, r->name, wait->name);
		}
	}
	outcome_close(&w);
}

static void fill(struct cl_env *env)
{
	struct outcome_world w;
	struct outcome_waits waits[NR_WAITS], *wait;
	uint8_t pattern[256] = { 1 };

	outcome_open(&w, env);
	outcome_waits(&w, waits);
	{
		struct named_ptr queues[] = { { "good", env->queue }, { "NULL", NULL }, { "other",
				w.other_queue } }, *queue;
		struct named_ptr buffers[] = { { "good", w.buffer }, { "NULL", NULL }, { "other", w.other_buffer },
					       { "no host", w.no_host }, { "sub", w.sub }, { "image", w.image } },
							*buffer;
		static const struct { size_t offset, size; } ranges[] = { { 0, 256 }, { 0, 0 }, { 2, 256 }, { 0,
				130 }, { 1024, 0 },
			{ 1024, 128 }, { 896, 256 }, { SIZE_MAX & ~127ull, 256 } }, *range;
		static const size_t sizes[] = { 4, 0, 1, 3, 128, 256 }, *size;
		struct named_ptr ptrs[] = { { "good", pattern }, { "NULL", NULL } }, *ptr;

		EACH(queue, queues) EACH(buffer, buffers) EACH(range, ranges) EACH(size, sizes) EACH(ptr,
				ptrs) EACH(wait, waits) {
			cl_event event = UNTOUCHED_EVENT;
			cl_int code = clEnqueueFillBuffer(queue->value, buffer->value, ptr->value, *size, range->offset,
							  range->size, wait->nr, wait->list, &event);

			outcome_event("clEnqueueFillBuffer", code, event,
				      "queue %s, buffer %s, pattern %s %zu, [%zx, +%zx), waits %s", queue->name,
						buffer->name,
				      ptr->name, *size, range->offset, range->size, wait->name);
		}
	}
	outcome_close(&w);
}

static void copy(struct cl_env *env)
{
	struct outcome_world w;
	struct outcome_waits waits[NR_WAITS], *wait;

	outcome_open(&w, env);
	outcome_waits(&w, waits);
	{
		struct named_ptr queues[] = { { "good", env->queue }, { "NULL", NULL }, { "other",
				w.other_queue } }, *queue;
		struct named_ptr sources[] = { { "good", w.buffer }, { "NULL", NULL }, { "other", w.other_buffer },
					       { "image", w.image } }, *src;
		struct named_ptr targets[] = { { "same", w.buffer }, { "NULL", NULL }, { "other", w.other_buffer },
					       { "second", w.no_host }, { "sub", w.sub }, { "image", w.image } }, *dst;
		static const struct { size_t src, dst, size; } ranges[] = { { 0, 0, 4 }, { 0, 4, 4 }, { 0, 0, 0 },
				{ 4, 2, 4 },
			{ 0, 256, 256 }, { 256, 0, 16 }, { 1024, 0, 1 }, { 0, 1024, 1 }, { 0, 0, SIZE_MAX },
			{ SIZE_MAX, 0, 2 }, { 0, SIZE_MAX, 2 }, { 1024, 1024, 0 }, { 250, 0, 16 } }, *range;

		EACH(queue, queues) EACH(src, sources) EACH(dst, targets) EACH(range, ranges) EACH(wait, waits) {
			cl_event event = UNTOUCHED_EVENT;
			cl_int code = clEnqueueCopyBuffer(queue->value, src->value, dst->value, range->src, range->dst,
							  range->size, wait->nr, wait->list, &event);

			outcome_event("clEnqueueCopyBuffer", code, event,
					"queue %s, %s to %s, %zx to %zx, +%zx, waits %s",
				      queue->name, src->name, dst->name, range->src, range->dst, range->size,
						wait->name);
		}
	}
	outcome_close(&w);
}

static void map_and_unmap(struct cl_env *env)
{
	struct outcome_world w;
	struct outcome_waits waits[NR_WAITS], *wait;
	cl_int code;

	outcome_open(&w, env);
	outcome_waits(&w, waits);
	{
		struct named_ptr queues[] = { { "good", env->queue }, { "NULL", NULL }, { "other",
				w.other_queue } }, *queue;
		struct named_ptr buffers[] = { { "good", w.buffer }, { "NULL", NULL }, { "other", w.other_buffer },
					       { "host read", w.host_read }, { "host write", w.host_write },
					       { "no host", w.no_host }, { "sub", w.sub } }, *buffer;
		static const struct { size_t offset, size; } ranges[] = { { 0, 4 }, { 0, 0 }, { 1024, 0 }, { 1024, 1 },
			{ SIZE_MAX, 2 }, { 0, SIZE_MAX } }, *range;
		static const cl_map_flags all_flags[] = { 0, CL_MAP_READ, CL_MAP_WRITE, CL_MAP_READ | CL_MAP_WRITE,
			CL_MAP_WRITE_INVALIDATE_REGION, CL_MAP_READ | CL_MAP_WRITE_INVALIDATE_REGION, 8,
					1ull << 40 }, *flags;

		EACH(queue, queues) EACH(buffer, buffers) EACH(range, ranges) EACH(flags, all_flags) EACH(wait, waits) {
			cl_event event = UNTOUCHED_EVENT;
			void *ptr;

			code = UNTOUCHED_CODE;
			ptr = clEnqueueMapBuffer(queue->value, buffer->value, CL_TRUE, *flags, range->offset,
					range->size,
						 wait->nr, wait->list, &event, &code);
			printf("%s", ptr ? "pointer, " : "");
			outcome_event("clEnqueueMapBuffer", code, event,
					"queue %s, buffer %s, flags %llx, [%zx, +%zx), waits %s",
				      queue->name, buffer->name, (unsigned long long)*flags, range->offset,
						range->size, wait->name);
			if (!ptr)
				continue;
			outcome("clEnqueueUnmapMemObject",
				clEnqueueUnmapMemObject(queue->value, buffer->value, ptr, 0, NULL, NULL), "of that");
			CHECK_OK(clFinish(queue->value));
		}
	}
	{
		void *mapped = clEnqueueMapBuffer(env->queue, w.buffer, CL_TRUE, CL_MAP_READ, 16, 64, 0, NULL, NULL,
				&code);
		struct named_ptr queues[] = { { "good", env->queue }, { "NULL", NULL }, { "other",
				w.other_queue } }, *queue;
		struct named_ptr buffers[] = { { "good", w.buffer }, { "NULL", NULL }, { "other", w.other_buffer },
					       { "unmapped", w.no_host }, { "sub", w.sub }, { "image", w.image } },
							*buffer;
		struct named_ptr ptrs[] = { { "NULL", NULL }, { "never mapped", w.host }, { "inside",
				(char *)mapped + 4 } }, *ptr;
		cl_uint maps = 0;

		EACH(queue, queues) EACH(buffer, buffers) EACH(ptr, ptrs) EACH(wait, waits) {
			cl_event event = UNTOUCHED_EVENT;

			code = clEnqueueUnmapMemObject(queue->value, buffer->value, ptr->value, wait->nr,
					wait->list, &event);
			outcome_event("clEnqueueUnmapMemObject", code, event,
					"queue %s, buffer %s, ptr %s, waits %s", queue->name,
				      buffer->name, ptr->name, wait->name);
		}
		EACH(wait, waits) {
			cl_event event = UNTOUCHED_EVENT;

			if (!wait->nr && !wait->list)
				continue;
			code = clEnqueueUnmapMemObject(env->queue, w.buffer, mapped, wait->nr, wait->list, &event);
			outcome_event("clEnqueueUnmapMemObject", code, event, "the mapped one, waits %s", wait->name);
			CHECK_OK(clFinish(env->queue));
			CHECK_OK(clGetMemObjectInfo(w.buffer, CL_MEM_MAP_COUNT, sizeof(maps), &maps, NULL));
			printf("maps: %u\n", maps);
			if (!code)
				mapped = clEnqueueMapBuffer(env->queue, w.buffer, CL_TRUE, CL_MAP_READ, 16, 64, 0,
						NULL, NULL, &code);
		}
		code = clEnqueueUnmapMemObject(env->queue, w.buffer, mapped, 0, NULL, NULL);
		outcome("clEnqueueUnmapMemObject", code, "the mapped one");
		code = clEnqueueUnmapMemObject(env->queue, w.buffer, mapped, 0, NULL, NULL);
		outcome("clEnqueueUnmapMemObject", code, "the one that was unmapped");
	}
	outcome_close(&w);
}

static void map_without_places(struct cl_env *env)
{
	struct outcome_world w;
	void *ptr;

	outcome_open(&w, env);
	ptr = clEnqueueMapBuffer(env->queue, w.buffer, CL_TRUE, CL_MAP_READ, 0, 0, 0, NULL, NULL, NULL);
	printf("map of nothing, no errcode_ret: %s\n", ptr ? "pointer" : "NULL");
	ptr = clEnqueueMapBuffer(env->queue, w.buffer, CL_FALSE, CL_MAP_READ, 0, 16, 0, NULL, NULL, NULL);
	printf("map, no event, no errcode_ret: %s\n", ptr ? "pointer" : "NULL");
	outcome("clEnqueueUnmapMemObject", clEnqueueUnmapMemObject(env->queue, w.buffer, ptr, 0, NULL, NULL),
			"no event");
	outcome_close(&w);
}

static void migrate(struct cl_env *env)
{
	struct outcome_world w;
	struct outcome_waits waits[NR_WAITS], *wait;

	outcome_open(&w, env);
	outcome_waits(&w, waits);
	{
		cl_mem good[] = { w.buffer, w.sub, w.image }, null[] = { w.buffer, NULL }, other[] = { w.buffer,
				w.other_buffer };
		struct named_ptr queues[] = { { "good", env->queue }, { "NULL", NULL }, { "other",
				w.other_queue } }, *queue;
		struct named_ptr lists[] = { { "good", good }, { "NULL", NULL }, { "with NULL", null },
					     { "with other", other } }, *list;
		static const cl_uint counts[] = { 1, 0, 2 }, *nr;
		static const cl_mem_migration_flags all_flags[] = { 0, CL_MIGRATE_MEM_OBJECT_HOST,
			CL_MIGRATE_MEM_OBJECT_CONTENT_UNDEFINED, 3, 4, 1ull << 40 }, *flags;

		EACH(queue, queues) EACH(list, lists) EACH(nr, counts) EACH(flags, all_flags) EACH(wait, waits) {
			cl_event event = UNTOUCHED_EVENT;
			cl_int code = clEnqueueMigrateMemObjects(queue->value, *nr, list->value, *flags, wait->nr,
					wait->list, &event);

			outcome_event("clEnqueueMigrateMemObjects", code, event,
					"queue %s, list %s, count %u, flags %llx, waits %s",
				      queue->name, list->name, *nr, (unsigned long long)*flags, wait->name);
		}
	}
	outcome_close(&w);
}

int main(int argc, char **argv)
{
	static const struct cl_case cases[] = {
		CL_CASE(read_and_write), CL_CASE(rects_read_and_write), CL_CASE(rects_copy), CL_CASE(fill),
				CL_CASE(copy),
		CL_CASE(map_and_unmap), CL_CASE(map_without_places), CL_CASE(migrate), { NULL, NULL },
	};

	return cl_test_main(argc, argv, cases, 0);
}
