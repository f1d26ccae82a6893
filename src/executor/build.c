/* SPDX-License-Identifier: MIT */
#include "executor/build.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "executor/kernel_table.h"
#include "executor/precompile.h"
#include "executor/travel.h"

#define ARG_INFO "-cl-kernel-arg-info"

/* ---------------------------------------------------------------- parsing */

static struct exec_build_text text_of(const struct base_blob_item *it)
{
	return (struct exec_build_text){ .data = (const char *)it->data, .len = it->len };
}

/* One more element for an array whose capacity is the next power of two. */
static void *grow(void *array, uint32_t nr, size_t size)
{
	if (nr & (nr - 1))
		return array;
	return reallocarray(array, nr ? (size_t)nr * 2 : 1, size);
}

static int parse_header(struct exec_build_header **list, uint32_t *nr, const struct base_blob_item *header)
{
	struct exec_build_header h = { 0 }, *p;
	struct base_blob_reader r;
	struct base_blob_item it;

	base_blob_reader_init(&r, header->data, header->len);
	while (base_blob_next(&r, &it)) {
		if (it.tag == TRNC_TAG_NAME)
			h.name = base_blob_str(&it);
		else if (it.tag == TRNC_TAG_SOURCE)
			h.source = text_of(&it);
		else
			return -EINVAL;
	}
	if (r.malformed || !h.name || !h.source.data || *nr == EXEC_MAX_INPUTS)
		return -EINVAL;
	p = grow(*list, *nr, sizeof(*p));
	if (!p)
		return -ENOMEM;
	*list = p;
	p[(*nr)++] = h;
	return 0;
}

static int parse_input(struct exec_build_request *q, const struct base_blob_item *it)
{
	uint64_t handle, *p;

	if (!base_blob_u64(it, &handle) || q->nr_inputs == EXEC_MAX_INPUTS)
		return -EINVAL;
	p = grow(q->inputs, q->nr_inputs, sizeof(*p));
	if (!p)
		return -ENOMEM;
	q->inputs = p;
	q->inputs[q->nr_inputs++] = handle;
	return 0;
}

static int parse_item(struct exec_build_request *q, const struct base_blob_item *it)
{
	switch (it->tag) {
	case TRNC_TAG_OP:
		return base_blob_u32(it, &q->op) ? 0 : -EINVAL;
	case TRNC_TAG_SOURCE:
		q->source = text_of(it);
		return 0;
	case TRNC_TAG_BINARY:
		q->binary = text_of(it);
		return 0;
	case TRNC_TAG_IL:
		q->il = text_of(it);
		return 0;
	case TRNC_TAG_OPTIONS:
		q->options = base_blob_str(it);
		return q->options ? 0 : -EINVAL;
	case TRNC_TAG_CWD:
		q->cwd = base_blob_str(it);
		return q->cwd ? 0 : -EINVAL;
	case TRNC_TAG_HEADER:
		return parse_header(&q->headers, &q->nr_headers, it);
	case TRNC_TAG_FILE:
		return parse_header(&q->files, &q->nr_files, it);
	case TRNC_TAG_INPUT:
		return parse_input(q, it);
	default:
		return -EINVAL;
	}
}

int exec_build_parse(const void *data, size_t len, bool is_guest, struct exec_build_request *ret)
{
	struct base_blob_reader r;
	struct base_blob_item it;

	*ret = (struct exec_build_request){ .options = "" };
	base_blob_reader_init(&r, data, len);
	while (base_blob_next(&r, &it)) {
		int err = parse_item(ret, &it);

		if (err < 0)
			return err;
	}
	if (ret->nr_files && !is_guest)
		return -EINVAL;
	return r.malformed || ret->op < TRNC_OP_BUILD || ret->op > TRNC_OP_LOAD_IL ? -EINVAL : 0;
}

void exec_build_request_finish(struct exec_build_request *q)
{
	free(q->headers);
	free(q->files);
	free(q->inputs);
	*q = (struct exec_build_request){ .options = "" };
}

/* ----------------------------------------------------------------- making */

/* Kernels may print if any of their text may: what is included or came as a binary is not looked at. */
static bool text_may_print(const struct exec_build_text *t)
{
	return memmem(t->data, t->len, "printf", 6) || memmem(t->data, t->len, "#include", 8) ||
	       memmem(t->data, t->len, "##", 2);
}

static void replace_host(struct exec_program *p, cl_program host)
{
	if (p->host)
		p->context->ex->host.ReleaseProgram(p->host);
	p->host = host;
}

static int32_t make_from_source(struct exec_program *p, const struct exec_build_text *t)
{
	struct exec_host *h = &p->context->ex->host;
	cl_int err = CL_SUCCESS;
	cl_program host;

	/* An empty text is a program, too; hosts want it to have a length or an end. */
	host = t->len ? h->CreateProgramWithSource(p->context->host, 1, (const char *[]){ t->data },
						   (const size_t[]){ t->len }, &err) :
			h->CreateProgramWithSource(p->context->host, 1, (const char *[]){ "" }, NULL, &err);
	if (!host)
		return err ? err : CL_OUT_OF_HOST_MEMORY;
	replace_host(p, host);
	p->may_print = text_may_print(t);
	return CL_SUCCESS;
}

static int32_t load_binary(struct exec_program *p, const struct exec_build_text *t, struct base_blob *reply)
{
	struct exec_host *h = &p->context->ex->host;
	const unsigned char *data = (const unsigned char *)t->data;
	cl_int err = CL_SUCCESS, status = CL_SUCCESS;
	cl_program host;

	if (!t->len)
		return CL_INVALID_VALUE;
	host = h->CreateProgramWithBinary(p->context->host, 1, &h->device, &t->len, &data, &status, &err);
	base_blob_put_u32(reply, TRNC_TAG_BINARY_STATUS, (uint32_t)status);
	if (!host)
		return err ? err : CL_INVALID_BINARY;
	replace_host(p, host);
	p->may_print = true;
	return CL_SUCCESS;
}

static int32_t load_il(struct exec_program *p, const struct exec_build_text *t)
{
	struct exec_host *h = &p->context->ex->host;
	cl_int err = CL_SUCCESS;
	cl_program host;

	if (!h->CreateProgramWithIL)
		return CL_INVALID_OPERATION;
	if (!t->len)
		return CL_INVALID_VALUE;
	host = h->CreateProgramWithIL(p->context->host, t->data, t->len, &err);
	if (!host)
		return err ? err : CL_OUT_OF_HOST_MEMORY;
	replace_host(p, host);
	p->may_print = true;
	return CL_SUCCESS;
}

char *exec_build_options(const char *options)
{
	char *full;

	if (strstr(options, ARG_INFO))
		return strdup(options);
	return asprintf(&full, "%s%s%s", options, *options ? " " : "", ARG_INFO) < 0 ? NULL : full;
}

/* The build's log, when the compiler did not live to write one. */
static void put_death(struct base_blob *reply, int wait_status)
{
	char text[200];

	if (WIFSIGNALED(wait_status))
		snprintf(text, sizeof(text), "the compiler was ended by signal %d (%s): it may have run out of memory\n",
			 WTERMSIG(wait_status), strsignal(WTERMSIG(wait_status)));
	else
		snprintf(text, sizeof(text), "the compiler gave up with status %d: is there room in the runtime folder?\n",
			 WEXITSTATUS(wait_status));
	base_blob_put_str(reply, TRNC_TAG_LOG, text);
}

static int32_t build(struct exec_program *p, const struct exec_build_request *q, struct base_blob *reply)
{
	_cleanup_free_ char *options = exec_build_options(q->options);
	struct exec_host *h = &p->context->ex->host;

	if (!options)
		return CL_OUT_OF_HOST_MEMORY;
	if (q->source.data && !q->is_compiled) {
		int death = exec_precompile(p->context->ex->host_device, &q->source, options);

		if (death) {
			put_death(reply, death);
			return CL_BUILD_PROGRAM_FAILURE;
		}
	}
	return h->BuildProgram(p->host, 1, &h->device, options, NULL, NULL);
}

static int32_t compile(struct exec_program *p, const struct exec_build_request *q)
{
	_cleanup_free_ char *options = exec_build_options(q->options);
	_cleanup_free_ cl_program *headers = calloc(q->nr_headers + 1, sizeof(*headers));
	_cleanup_free_ const char **names = calloc(q->nr_headers + 1, sizeof(*names));
	struct exec_host *h = &p->context->ex->host;
	int32_t err = CL_SUCCESS;
	uint32_t nr = 0;

	if (!options || !headers || !names)
		return CL_OUT_OF_HOST_MEMORY;
	for (; nr < q->nr_headers && !err; nr++) {
		const struct exec_build_text *t = &q->headers[nr].source;

		names[nr] = q->headers[nr].name;
		headers[nr] = h->CreateProgramWithSource(p->context->host, 1,
							 (const char *[]){ t->len ? t->data : "" },
							 t->len ? (const size_t[]){ t->len } : NULL, &err);
		p->may_print |= text_may_print(t);
	}
	if (!err)
		err = h->CompileProgram(p->host, 1, &h->device, options, nr, nr ? headers : NULL, nr ? names : NULL,
					NULL, NULL);
	for (uint32_t i = 0; i < nr; i++)
		if (headers[i])
			h->ReleaseProgram(headers[i]);
	return err;
}

/* Links; the inputs are kept from being built meanwhile by their own references only, as on the host. */
static int32_t link_inputs(struct exec_program *p, const struct exec_build_request *q)
{
	_cleanup_free_ cl_program *inputs = calloc(q->nr_inputs + 1, sizeof(*inputs));
	_cleanup_free_ struct exec_program **programs = calloc(q->nr_inputs + 1, sizeof(struct exec_program *));
	struct exec_context *c = p->context;
	struct exec_host *h = &c->ex->host;
	int32_t err = CL_SUCCESS;
	cl_program host = NULL;
	uint32_t nr = 0;

	if (!inputs || !programs)
		return CL_OUT_OF_HOST_MEMORY;
	pthread_mutex_lock(&c->programs_lock);
	for (; nr < q->nr_inputs && !err; nr++) {
		struct exec_program *input = base_handles_get(&c->programs, q->inputs[nr]);

		while (input && input->is_unmade) {
			pthread_cond_wait(&c->builders_quiet, &c->programs_lock);
			input = base_handles_get(&c->programs, q->inputs[nr]);
		}
		if (!input || !input->host || input->building) {
			err = CL_INVALID_PROGRAM;
			break;
		}
		programs[nr] = exec_program_ref(input);
		inputs[nr] = input->host;
		p->may_print |= input->may_print;
	}
	pthread_mutex_unlock(&c->programs_lock);
	if (!err)
		host = h->LinkProgram(c->host, 1, &h->device, q->options, nr, inputs, NULL, NULL, &err);
	for (uint32_t i = 0; i < nr; i++)
		exec_program_unref(programs[i]);
	/* A failed link has a program, too, with a log. */
	if (host)
		replace_host(p, host);
	else if (!err)
		err = CL_LINK_PROGRAM_FAILURE;
	return err;
}

static int32_t run_op(struct exec_program *p, const struct exec_build_request *q, struct base_blob *reply)
{
	int32_t err = CL_SUCCESS;

	switch (q->op) {
	case TRNC_OP_LINK:
		return q->nr_inputs ? link_inputs(p, q) : CL_INVALID_VALUE;
	case TRNC_OP_LOAD_BINARY:
		return load_binary(p, &q->binary, reply);
	case TRNC_OP_LOAD_IL:
		return load_il(p, &q->il);
	default:
		if (q->source.data)
			err = make_from_source(p, &q->source);
		if (err)
			return err;
		if (!p->host)
			return CL_INVALID_PROGRAM;
		return q->op == TRNC_OP_COMPILE ? compile(p, q) : build(p, q, reply);
	}
}

bool exec_build_is_from_source(const struct exec_build_request *q)
{
	return q->source.len && (q->op == TRNC_OP_BUILD || q->op == TRNC_OP_COMPILE);
}

int32_t exec_build_again(struct exec_program *p, const struct exec_build_request *q)
{
	struct base_blob none = { 0 };
	int32_t err = run_op(p, q, &none);

	base_blob_finish(&none);
	return err;
}

void exec_build_forget(struct exec_program *p)
{
	replace_host(p, NULL);
	p->may_print = false;
}

/* -------------------------------------------------------------- reporting */

static void put_text(struct base_blob *reply, const char *log, const struct exec_travel *travel)
{
	_cleanup_free_ char *theirs = travel ? exec_travel_log(travel, log) : NULL;

	if (travel && !theirs)
		reply->failed = true;
	else
		base_blob_put_str(reply, TRNC_TAG_LOG, theirs ? theirs : log);
}

static void put_log(struct exec_program *p, const struct exec_travel *travel, struct base_blob *reply)
{
	struct exec_host *h = &p->context->ex->host;
	size_t len = 0;
	char *log;

	if (h->GetProgramBuildInfo(p->host, h->device, CL_PROGRAM_BUILD_LOG, 0, NULL, &len) != CL_SUCCESS || len <= 1)
		return;
	log = calloc(1, len + 1);
	if (log && h->GetProgramBuildInfo(p->host, h->device, CL_PROGRAM_BUILD_LOG, len, log, NULL) == CL_SUCCESS)
		put_text(reply, log, travel);
	free(log);
}

static void put_globals_size(struct exec_program *p, struct base_blob *reply)
{
	struct exec_host *h = &p->context->ex->host;
	size_t size = 0;

	if (h->GetProgramBuildInfo(p->host, h->device, CL_PROGRAM_BUILD_GLOBAL_VARIABLE_TOTAL_SIZE, sizeof(size),
				   &size, NULL) == CL_SUCCESS)
		base_blob_put_u64(reply, TRNC_TAG_GLOBALS_SIZE, size);
}

void exec_build_run(struct exec_context *c, struct exec_program *p, const struct exec_build_request *q,
		    struct base_blob *reply, struct exec_kernel_table **ret_table)
{
	struct exec_host *h = &c->ex->host;
	cl_build_status build_status = CL_BUILD_NONE;
	cl_program_binary_type type = CL_PROGRAM_BINARY_TYPE_NONE;
	bool is_load = q->op == TRNC_OP_LOAD_BINARY || q->op == TRNC_OP_LOAD_IL;
	int32_t err = run_op(p, q, reply), table_err = CL_SUCCESS;

	if (p->host) {
		h->GetProgramBuildInfo(p->host, h->device, CL_PROGRAM_BUILD_STATUS, sizeof(build_status), &build_status,
				       NULL);
		h->GetProgramBuildInfo(p->host, h->device, CL_PROGRAM_BINARY_TYPE, sizeof(type), &type, NULL);
		base_blob_put_u32(reply, TRNC_TAG_BUILD_STATUS, (uint32_t)build_status);
		base_blob_put_u32(reply, TRNC_TAG_BINARY_TYPE, type);
		put_log(p, q->travel, reply);
		put_globals_size(p, reply);
	}
	base_blob_put_u32(reply, TRNC_TAG_PRINTF, p->may_print);
	if (!err && !is_load && build_status == CL_BUILD_SUCCESS && type == CL_PROGRAM_BINARY_TYPE_EXECUTABLE)
		table_err = exec_kernel_table_make(p, strstr(q->options, ARG_INFO) != NULL, reply, ret_table);
	base_blob_put_u32(reply, TRNC_TAG_STATUS, (uint32_t)(err ? err : table_err));
}
