/* SPDX-License-Identifier: MIT */
/*
 * A build: its beginning and end are noted under the program's lock, the request itself runs without any.  It is over when
 * the call returns, with a callback, too, as in the host's driver: programs count on what they never knew.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "opencl/kernel_table.h"
#include "opencl/program.h"

struct build {
	cl_program program;
	enum trnc_op op;
	struct base_blob request;
	program_notify notify;
	void *notify_data;
};

static cl_int note_begin(cl_program p, const char *options)
{
	char *copy = NULL;

	if (options) {
		copy = strdup(options);
		if (!copy)
			return CL_OUT_OF_HOST_MEMORY;
	}
	pthread_mutex_lock(&p->lock);
	if (p->nr_live_kernels || p->status == CL_BUILD_IN_PROGRESS) {
		pthread_mutex_unlock(&p->lock);
		free(copy);
		return CL_INVALID_OPERATION;
	}
	p->status = CL_BUILD_IN_PROGRESS;
	free(p->options);
	p->options = copy;
	p->known_to_host = true;
	pthread_mutex_unlock(&p->lock);
	return CL_SUCCESS;
}

/* Takes log and table out of the reply. */
static void note_end(cl_program p, struct build_reply *r)
{
	bool is_good = r->build_status == CL_BUILD_SUCCESS;

	pthread_mutex_lock(&p->lock);
	p->status = r->build_status;
	p->binary_type = r->binary_type;
	p->globals_size = r->globals_size;
	p->may_print = r->may_print;
	free(p->log);
	p->log = r->log;
	r->log = NULL;
	/* What was fetched from the host is of the build before. */
	free(p->binary);
	p->binary = NULL;
	p->binary_len = 0;
	kernel_table_unref(p->table);
	p->table = is_good ? kernel_table_ref(r->table) : NULL;
	pthread_mutex_unlock(&p->lock);
}

/* The request did not get an answer: the log says why. */
static cl_int note_failure(cl_program p, int err, const struct trn_error *why)
{
	struct build_reply r = {
		.build_status = CL_BUILD_ERROR,
		.log = strdup(why->text[0] ? why->text : strerror(-err)),
	};

	note_end(p, &r);
	build_reply_finish(&r);
	context_notify(p->context, why->text[0] ? why->text : strerror(-err));
	return cl_error_from(err);
}

static int ask_host(cl_program p, const struct base_blob *request, struct build_reply *ret, struct trn_error *err)
{
	size_t len;
	void *blob;
	int r;

	r = client_program_build(p->context->client, p->handle, request, &blob, &len, err);
	if (r < 0)
		return r;
	r = build_reply_parse(blob, len, ret);
	free(blob);
	if (r < 0)
		trn_error_set(err, r, "BadReply", "the device's answer to a build cannot be read");
	return r;
}

/* Output of kernels that nobody reads would be lost, so a failure here is told; it does not make the build fail. */
static void enable_output(cl_program p)
{
	struct trn_error err = { 0 };

	if (client_output_enable(p->context->client, &err) < 0)
		context_notify(p->context, err.text);
}

static cl_int run(struct build *b)
{
	struct trn_error err = { 0 };
	struct build_reply reply;
	cl_int status;
	int r;

	r = ask_host(b->program, &b->request, &reply, &err);
	if (r < 0) {
		status = note_failure(b->program, r, &err);
	} else {
		if (reply.may_print)
			enable_output(b->program);
		status = reply.status;
		note_end(b->program, &reply);
		build_reply_finish(&reply);
	}
	if (b->notify)
		b->notify(b->program, b->notify_data);
	return status;
}

/* A build that never began leaves the program as after a failed one. */
static void note_not_begun(cl_program p)
{
	pthread_mutex_lock(&p->lock);
	p->status = CL_BUILD_ERROR;
	pthread_mutex_unlock(&p->lock);
}

cl_int program_build(const struct build_job *job)
{
	struct build b = {
		.program = job->program,
		.op = job->op,
		.notify = job->notify,
		.notify_data = job->notify_data,
	};
	cl_int error;

	error = note_begin(job->program, job->options);
	if (error)
		return error;
	error = program_request(&b.request, job->program, job->op, job->options, &job->inputs);
	/* With a function to be told, too: as the host's driver, in this thread, and the result is the call's. */
	if (error)
		note_not_begun(job->program);
	else
		error = run(&b);
	base_blob_finish(&b.request);
	return error;
}

cl_int program_load(cl_program p, enum trnc_op op, cl_int *ret_binary_status)
{
	struct base_blob request = { 0 };
	struct trn_error err = { 0 };
	struct build_reply reply;
	cl_int error;
	int r;

	error = program_request(&request, p, op, NULL, NULL);
	if (error) {
		base_blob_finish(&request);
		return error;
	}
	p->known_to_host = true;
	r = ask_host(p, &request, &reply, &err);
	base_blob_finish(&request);
	if (r < 0) {
		context_notify(p->context, err.text);
		return cl_error_from(r);
	}
	error = reply.status;
	if (ret_binary_status && op == TRNC_OP_LOAD_BINARY)
		*ret_binary_status = reply.binary_status;
	/* Loaded, not built: what kind of program it is shows after the build. */
	build_reply_finish(&reply);
	return error;
}
