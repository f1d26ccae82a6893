/* SPDX-License-Identifier: MIT */
/*
 * What commands do with shared virtual memory.  Between allocations the host does it, as with buffers; pointers to the
 * program's own memory are only good here, so such work is done by this process, at once or in its turn.
 */
#include <stdlib.h>
#include <string.h>

#include "opencl/marker.h"
#include "opencl/svm.h"

/* Up to here work is done at once when nothing comes before it: about what handing it over costs. */
#define AT_ONCE_MAX (256u << 10)

cl_int svm_check_queue(cl_command_queue queue)
{
	if (!IS_QUEUE(queue))
		return CL_INVALID_COMMAND_QUEUE;
	return queue->context->svm ? CL_SUCCESS : CL_INVALID_OPERATION;
}

/* Doubles what is there: few calls of memcpy() whatever the pattern's size. */
static void fill(const struct svm_work *w)
{
	size_t done = w->pattern_size < w->size ? w->pattern_size : w->size;

	memcpy(w->dst, w->pattern, done);
	while (done < w->size) {
		size_t next = done < w->size - done ? done : w->size - done;

		memcpy(w->dst + done, w->dst, next);
		done += next;
	}
}

static void do_work(const struct svm_work *w)
{
	if (!w->src)
		fill(w);
	else
		memmove(w->dst, w->src, w->size);
}

/* ---------------------------------------------------------------- by host */

static cl_int write_copy(struct command *c, uint64_t src, uint64_t src_offset, uint64_t dst, uint64_t dst_offset,
			 size_t size)
{
	struct trnc_cmd_copy *rec;
	cl_int code = command_begin(c, TRNC_REC_COPY, sizeof(*rec), 0, (void **)&rec, NULL);

	if (code)
		return code;
	rec->src = src;
	rec->dst = dst;
	rec->src_offset = src_offset;
	rec->dst_offset = dst_offset;
	rec->size = size;
	command_end(c);
	return CL_SUCCESS;
}

static cl_int write_fill(struct command *c, uint64_t dst, uint64_t offset, const struct svm_work *w)
{
	struct trnc_cmd_fill *rec;
	cl_int code = command_begin(c, TRNC_REC_FILL, sizeof(*rec), 0, (void **)&rec, NULL);

	if (code)
		return code;
	rec->buffer = dst;
	rec->offset = offset;
	rec->size = w->size;
	rec->pattern_size = w->pattern_size;
	memcpy(rec->pattern, w->pattern, w->pattern_size);
	command_end(c);
	return CL_SUCCESS;
}

/* CL_INVALID_MEM_OBJECT: not all of it is in allocations of the context. */
static cl_int by_host(struct command *c, const struct svm_work *w)
{
	cl_context ctx = c->queue->context;
	struct svm_piece *dst = svm_piece_get(ctx, w->dst, w->size), *src = NULL;
	uint64_t to = 0, from = 0;
	cl_int code = CL_INVALID_MEM_OBJECT;

	if (dst && w->src)
		src = svm_piece_get(ctx, w->src, w->size);
	if (dst && (src || !w->src))
		to = svm_piece_buffer(ctx, dst);
	if (to && src)
		from = svm_piece_buffer(ctx, src);
	if (to && !w->src)
		code = write_fill(c, to, svm_piece_place(dst, w->dst), w);
	else if (from)
		code = write_copy(c, from, svm_piece_place(src, w->src), to, svm_piece_place(dst, w->dst), w->size);
	/* The records keep what they name. */
	if (src)
		svm_piece_put(ctx, src);
	if (dst)
		svm_piece_put(ctx, dst);
	return code;
}

/* ----------------------------------------------------------------- by us */

struct work_item {
	struct worker_item item;
	struct svm_work work;
};

static void run_work(struct worker_item *item, cl_int status)
{
	struct work_item *w = base_container_of(item, struct work_item, item);

	if (status >= CL_COMPLETE) {
		uint64_t start_ns = client_clock_ns(item->event->context->client);

		do_work(&w->work);
		client_command_end(item->event, CL_COMPLETE, start_ns);
	}
	free(w);
}

static cl_int later(struct command *c, const struct svm_work *w)
{
	struct work_item *item = calloc(1, sizeof(*item));
	cl_int code;

	if (!item)
		return CL_OUT_OF_HOST_MEMORY;
	item->item.run = run_work;
	item->work = *w;
	code = client_command_enqueue(c, &c->queue->context->copies, "tranche-copy", &item->item);
	if (code)
		free(item);
	return code;
}

cl_int svm_work_enqueue(struct command *c, const struct svm_work *w, bool blocking)
{
	cl_int code;

	if (c->ret_event)
		c->queued_ns = client_clock_ns(c->queue->context->client);
	if (!blocking && (w->size > AT_ONCE_MAX || !command_is_ready(c))) {
		code = by_host(c, w);
		return code == CL_INVALID_MEM_OBJECT ? later(c, w) : code;
	}
	/* Not when it is ready: what another thread enqueued meanwhile would be waited for, too. */
	code = blocking ? command_wait_ready(c) : CL_SUCCESS;
	if (code)
		return code;
	do_work(w);
	return command_complete(c);
}

cl_int svm_turn_enqueue(cl_command_queue queue, cl_command_type type, cl_uint nr_waits, const cl_event *waits,
			cl_event *event)
{
	/* Its turn means nothing to anybody else, and nobody asks for it. */
	if (!nr_waits && !waits && !event)
		return client_context_is_lost(queue->context->client) ? CL_OUT_OF_RESOURCES : CL_SUCCESS;
	return marker_enqueue(queue, type, TRNC_REC_MARKER, nr_waits, waits, event);
}
