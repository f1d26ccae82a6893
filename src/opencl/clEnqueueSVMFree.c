/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "opencl/svm.h"

struct free_item {
	struct worker_item item;
	void(CL_CALLBACK *fn)(cl_command_queue, cl_uint, void *[], void *);
	void *data;
	cl_uint nr;
	void *pointers[];
};

/* With a function of the program, that alone frees. */
static void run_free(struct worker_item *item, cl_int status)
{
	struct free_item *f = base_container_of(item, struct free_item, item);
	cl_event event = item->event;

	if (status >= CL_COMPLETE) {
		uint64_t start_ns = client_clock_ns(event->context->client);

		if (f->fn)
			f->fn(event->queue, f->nr, f->pointers, f->data);
		for (cl_uint i = 0; !f->fn && i < f->nr; i++)
			svm_free(event->context, f->pointers[i]);
		client_command_end(event, CL_COMPLETE, start_ns);
	}
	free(f);
}

static cl_int free_later(struct command *c, struct free_item *f)
{
	cl_context ctx = c->queue->context;

	f->item.run = run_free;
	if (f->fn)
		return client_command_enqueue(c, &ctx->callbacks, "tranche-cb", &f->item);
	return client_command_enqueue(c, &ctx->copies, "tranche-copy", &f->item);
}

static cl_int enqueue(struct command *c, cl_uint nr, void *const *pointers,
		      void(CL_CALLBACK *fn)(cl_command_queue, cl_uint, void *[], void *), void *data)
{
	struct free_item *f;
	cl_int code;

	if (!fn && command_is_ready(c)) {
		for (cl_uint i = 0; i < nr; i++)
			svm_free(c->queue->context, pointers[i]);
		return command_complete(c);
	}
	f = calloc(1, sizeof(*f) + nr * sizeof(f->pointers[0]));
	if (!f)
		return CL_OUT_OF_HOST_MEMORY;
	f->fn = fn;
	f->data = data;
	f->nr = nr;
	memcpy(f->pointers, pointers, nr * sizeof(f->pointers[0]));
	code = free_later(c, f);
	if (code)
		free(f);
	return code;
}

CL_API_ENTRY cl_int CL_API_CALL clEnqueueSVMFree(cl_command_queue queue, cl_uint num_svm_pointers,
						 void *svm_pointers[],
						 void(CL_CALLBACK *pfn_free_func)(cl_command_queue queue,
										  cl_uint num_svm_pointers,
										  void *svm_pointers[],
										  void *user_data),
						 void *user_data, cl_uint nr_waits, const cl_event *waits,
						 cl_event *event)
{
	struct command c;
	cl_int code = svm_check_queue(queue);

	if (code)
		return code;
	if (!num_svm_pointers || !svm_pointers)
		return CL_INVALID_VALUE;
	for (cl_uint i = 0; i < num_svm_pointers; i++)
		if (!svm_pointers[i])
			return CL_INVALID_VALUE;
	code = command_init(&c, queue, CL_COMMAND_SVM_FREE, nr_waits, waits, event);
	if (code)
		return code;
	return command_finish(&c, enqueue(&c, num_svm_pointers, svm_pointers, pfn_free_func, user_data));
}
