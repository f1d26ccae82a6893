/* SPDX-License-Identifier: MIT */
#include "executor/program.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "executor/broker.h"
#include "executor/build.h"
#include "executor/kernel_table.h"
#include "executor/quick.h"
#include "executor/travel.h"
#include "tranche/wire/parent.h"

/* -------------------------------------------------------------- counting */

struct exec_kernel_table *exec_kernel_table_ref(struct exec_kernel_table *t)
{
	atomic_fetch_add(&t->refs, 1);
	return t;
}

void exec_kernel_table_unref(struct exec_kernel_table *t)
{
	if (!t || atomic_fetch_sub(&t->refs, 1) != 1)
		return;
	for (uint32_t i = 0; i < t->nr_kernels; i++) {
		free(t->kernels[i].name);
		free(t->kernels[i].kinds);
		free(t->kernels[i].routes);
	}
	exec_quick_program_free(t->quick);
	free(t);
}

struct exec_program *exec_program_ref(struct exec_program *p)
{
	atomic_fetch_add(&p->refs, 1);
	return p;
}

void exec_program_unref(struct exec_program *p)
{
	if (!p || atomic_fetch_sub(&p->refs, 1) != 1)
		return;
	exec_kernel_table_unref(p->table);
	if (p->host)
		p->context->ex->host.ReleaseProgram(p->host);
	base_blob_finish(&p->result);
	free(p);
}

static struct exec_program *new_program(struct exec_context *c)
{
	struct exec_program *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->refs = 1;
	p->context = c;
	return p;
}

/* -------------------------------------------------------- ring's thread */

int32_t exec_program_destroy(struct exec_context *c, uint64_t handle)
{
	struct exec_program *p;

	pthread_mutex_lock(&c->programs_lock);
	p = base_handles_remove(&c->programs, handle);
	pthread_mutex_unlock(&c->programs_lock);
	exec_program_unref(p);
	return p ? CL_SUCCESS : CL_INVALID_PROGRAM;
}

int32_t exec_kernel_table_create_kernel(struct exec_context *c, struct exec_kernel_table *t, uint32_t index,
					cl_kernel *ret)
{
	cl_int err = CL_SUCCESS;

	*ret = c->ex->host.CreateKernel(t->host, t->kernels[index].name, &err);
	if (*ret)
		return CL_SUCCESS;
	return err ? err : CL_OUT_OF_HOST_MEMORY;
}

int32_t exec_program_create_kernel(struct exec_context *c, uint64_t program, uint32_t index,
				   struct exec_kernel_table **ret_table, cl_kernel *ret)
{
	struct exec_kernel_table *t = NULL;
	struct exec_program *p;
	int32_t err = CL_SUCCESS;

	pthread_mutex_lock(&c->programs_lock);
	p = base_handles_get(&c->programs, program);
	/* Destroying it is this thread's own business: it stays. */
	while (p && p->is_unmade)
		pthread_cond_wait(&c->builders_quiet, &c->programs_lock);
	if (!p)
		err = CL_INVALID_PROGRAM;
	else if (p->building || !p->table)
		err = CL_INVALID_PROGRAM_EXECUTABLE;
	else if (index >= p->table->nr_kernels)
		err = CL_INVALID_VALUE;
	else if (!p->table->host)
		err = CL_OUT_OF_RESOURCES;
	else
		t = exec_kernel_table_ref(p->table);
	/* Under the lock: a builder must not come between. */
	if (t)
		err = exec_kernel_table_create_kernel(c, t, index, ret);
	pthread_mutex_unlock(&c->programs_lock);
	if (err)
		exec_kernel_table_unref(t);
	else
		*ret_table = t;
	return err;
}

/* -------------------------------------------------------------- builders */

/* One message that takes long; owned by its thread. */
struct job {
	struct exec_context *c;
	struct exec_program *program; /* one reference */
	uint32_t type;		      /* of the message */
	uint64_t id;
	bool is_answered;
	uint32_t what; /* of a query */
	uint64_t reply, reply_cap;
	uint8_t *request; /* private copy */
	size_t request_len;
};

static void free_job(struct job *j)
{
	if (!j)
		return;
	exec_program_unref(j->program);
	free(j->request);
	free(j);
}

/* The program is this thread's from here to release_program(): threads that want the same take turns. */
static void occupy_program(struct job *j)
{
	pthread_mutex_lock(&j->c->programs_lock);
	while (j->program->busy)
		pthread_cond_wait(&j->c->builders_quiet, &j->c->programs_lock);
	j->program->busy = true;
	j->program->building = j->type == TRNC_MSG_PROGRAM_BUILD;
	pthread_mutex_unlock(&j->c->programs_lock);
}

static void release_program(struct job *j)
{
	pthread_mutex_lock(&j->c->programs_lock);
	j->program->busy = false;
	j->program->building = false;
	pthread_cond_broadcast(&j->c->builders_quiet);
	pthread_mutex_unlock(&j->c->programs_lock);
}

/* Copies a blob to where the program wants it, if there is room. */
static int place(struct job *j, const struct base_blob *b, struct trn_error *err)
{
	struct exec_segment *segment;
	void *addr;

	if (b->failed)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory for the answer about a program");
	if (b->len == 0 || b->len > j->reply_cap)
		return 0;
	segment = exec_window_get(&j->c->ex->window, TRNC_SEGMENT_SERVICE, j->reply, b->len, &addr);
	if (!segment)
		return trn_error_set(err, -EINVAL, "Range", "the reply's place is in no service segment");
	memcpy(addr, b->data, b->len);
	exec_window_put(segment);
	return 0;
}

static void answer(struct job *j, int r, uint64_t len, const struct trn_error *err)
{
	const struct trnc_blob_reply body = { .len = len };

	if (r < 0)
		exec_reply_error(j->c->ex, j->type, j->id, err);
	else
		exec_reply(j->c->ex, j->type, j->id, &body, sizeof(body));
}

/* Takes over reply and table. */
static void set_result(struct job *j, struct base_blob *reply, struct exec_kernel_table *table)
{
	struct exec_program *p = j->program;

	if (table && !table->may_print)
		table->quick = exec_quick_program_new(j->c, j->request, j->request_len);
	pthread_mutex_lock(&j->c->programs_lock);
	exec_kernel_table_unref(p->table);
	p->table = table;
	base_blob_finish(&p->result);
	p->result = *reply;
	pthread_mutex_unlock(&j->c->programs_lock);
	*reply = (struct base_blob){ 0 };
}

static uint32_t status_in(const struct base_blob *reply)
{
	struct base_blob_reader r;
	struct base_blob_item it;
	uint32_t status = (uint32_t)CL_OUT_OF_RESOURCES;

	base_blob_reader_init(&r, reply->data, reply->len);
	while (base_blob_next(&r, &it))
		if (it.tag == TRNC_TAG_STATUS)
			base_blob_u32(&it, &status);
	return status;
}

/* From here on the program may use what its reply promises; it waits where that is not made yet. */
static void set_unmade(struct job *j, bool is_unmade)
{
	struct exec_program *p = j->program;

	pthread_mutex_lock(&j->c->programs_lock);
	p->is_unmade = is_unmade;
	if (is_unmade)
		p->building = false;
	else if (p->table)
		p->table->host = p->host;
	pthread_cond_broadcast(&j->c->builders_quiet);
	pthread_mutex_unlock(&j->c->programs_lock);
}

/* The broker's reply is the program's: it is given now, and the host's own build of what lies in the cache comes after it. */
static void finish_early(struct job *j, const struct exec_build_request *q, struct base_blob *reply,
			 struct exec_kernel_table *table, bool is_good)
{
	struct trn_error err = { 0 };
	uint64_t len = reply->len;
	int r = place(j, reply, &err);
	int32_t cl_err;

	set_result(j, reply, table);
	if (is_good)
		set_unmade(j, true);
	answer(j, r, len, &err);
	j->is_answered = true;
	if (!is_good) {
		exec_build_forget(j->program);
		return;
	}
	cl_err = exec_build_again(j->program, q);
	if (cl_err) {
		log_warning("the host does not build what its compiler has built: error %d", cl_err);
		exec_build_forget(j->program);
	}
	set_unmade(j, false);
}

/* Asks the compile broker. False: the host has to be asked for the reply; what it compiles may be there already. */
static bool run_brokered(struct job *j, struct exec_build_request *q)
{
	struct exec_broker_answer a = { 0 };
	struct exec_kernel_table *table = NULL;
	struct base_blob reply;
	bool is_good;

	if (!exec_build_is_from_source(q) ||
	    exec_broker_ask(j->c->ex, TRNC_BROKER_MAIN, j->request, j->request_len, &a) < 0)
		return false;
	q->is_compiled = true;
	reply = (struct base_blob){ .data = a.blob, .len = a.blob_len, .cap = a.blob_len };
	is_good = status_in(&reply) == CL_SUCCESS;
	if (a.is_final && is_good && q->op == TRNC_OP_BUILD)
		table = exec_kernel_table_parse(a.blob, a.blob_len);
	if (!a.is_final || (is_good && q->op == TRNC_OP_BUILD && !table)) {
		exec_broker_answer_finish(&a);
		return false;
	}
	finish_early(j, q, &reply, table, is_good);
	return true;
}

static int run_on_host(struct job *j, const struct exec_build_request *q, uint64_t *ret_len, struct trn_error *err)
{
	struct exec_kernel_table *table = NULL;
	struct base_blob reply = { 0 };
	int r;

	exec_build_run(j->c, j->program, q, &reply, &table);
	r = place(j, &reply, err);
	*ret_len = reply.len;
	set_result(j, &reply, table);
	return r;
}

static int run_build(struct job *j, uint64_t *ret_len, struct trn_error *err)
{
	bool is_guest = j->c->is_guest;
	struct exec_travel travel = { 0 };
	struct exec_build_request q;
	int r = exec_build_parse(j->request, j->request_len, is_guest, &q);

	if (r < 0)
		trn_error_set(err, r, "BuildRequest", "the build request cannot be read");
	else
		r = exec_travel_enter(is_guest, &q, &travel, err);
	if (r == 0 && !run_brokered(j, &q))
		r = run_on_host(j, &q, ret_len, err);
	exec_build_request_finish(&q);
	exec_travel_finish(&travel);
	return r;
}

static void put_binary(struct exec_program *p, struct base_blob *b)
{
	struct exec_host *h = &p->context->ex->host;
	unsigned char *data = NULL;
	size_t len = 0;

	if (h->GetProgramInfo(p->host, CL_PROGRAM_BINARY_SIZES, sizeof(len), &len, NULL) != CL_SUCCESS || len == 0 ||
	    len > TRNC_MAX_BLOB)
		return;
	data = malloc(len);
	if (!data)
		b->failed = true;
	else if (h->GetProgramInfo(p->host, CL_PROGRAM_BINARIES, sizeof(data), &data, NULL) == CL_SUCCESS)
		base_blob_put(b, TRNC_TAG_BINARY, data, len);
	free(data);
}

static void put_il(struct exec_program *p, struct base_blob *b)
{
	struct exec_host *h = &p->context->ex->host;
	void *data;
	size_t len = 0;

	if (h->GetProgramInfo(p->host, CL_PROGRAM_IL, 0, NULL, &len) != CL_SUCCESS || len == 0 || len > TRNC_MAX_BLOB)
		return;
	data = malloc(len);
	if (!data)
		b->failed = true;
	else if (h->GetProgramInfo(p->host, CL_PROGRAM_IL, len, data, NULL) == CL_SUCCESS)
		base_blob_put(b, TRNC_TAG_IL, data, len);
	free(data);
}

static int run_query(struct job *j, uint64_t *ret_len, struct trn_error *err)
{
	_cleanup_(base_blob_finish) struct base_blob b = { 0 };
	struct exec_program *p = j->program;
	const struct base_blob *answer = &b;

	if (j->what == TRNC_QUERY_RESULT)
		answer = &p->result;
	else if (p->host && j->what == TRNC_QUERY_BINARY)
		put_binary(p, &b);
	else if (p->host && j->what == TRNC_QUERY_IL)
		put_il(p, &b);
	*ret_len = answer->len;
	return place(j, answer, err);
}

/* What is known by now: the host tells nothing before a build has ended. */
static int run_log_query(struct job *j, uint64_t *ret_len, struct trn_error *err)
{
	_cleanup_(base_blob_finish) struct base_blob b = { 0 };
	struct exec_program *p = j->program;
	struct base_blob_reader r;
	struct base_blob_item it;
	const char *log = NULL;

	pthread_mutex_lock(&j->c->programs_lock);
	base_blob_reader_init(&r, p->result.data, p->building ? 0 : p->result.len);
	while (!log && base_blob_next(&r, &it))
		if (it.tag == TRNC_TAG_LOG)
			log = base_blob_str(&it);
	base_blob_put_str(&b, TRNC_TAG_LOG, log ? log : "");
	pthread_mutex_unlock(&j->c->programs_lock);
	*ret_len = b.len;
	return place(j, &b, err);
}

static void *job_thread(void *arg)
{
	struct job *j = arg;
	struct exec_context *c = j->c;
	struct trn_error err = { 0 };
	uint64_t len = 0;
	int r;

	if (j->what == TRNC_QUERY_LOG) {
		r = run_log_query(j, &len, &err);
	} else {
		occupy_program(j);
		r = j->type == TRNC_MSG_PROGRAM_BUILD ? run_build(j, &len, &err) : run_query(j, &len, &err);
		/* Before the answer: the program may create kernels as soon as it has that. */
		release_program(j);
	}
	if (!j->is_answered)
		answer(j, r, len, &err);
	free_job(j);
	pthread_mutex_lock(&c->programs_lock);
	c->nr_builders--;
	pthread_cond_broadcast(&c->builders_quiet);
	pthread_mutex_unlock(&c->programs_lock);
	return NULL;
}

static int start_job(struct job *j, struct trn_error *err)
{
	struct exec_context *c = j->c;
	pthread_t thread;
	int r;

	pthread_mutex_lock(&c->programs_lock);
	c->nr_builders++;
	pthread_mutex_unlock(&c->programs_lock);
	r = pthread_create(&thread, NULL, job_thread, j);
	if (r == 0) {
		pthread_detach(thread);
		return 0;
	}
	pthread_mutex_lock(&c->programs_lock);
	c->nr_builders--;
	pthread_mutex_unlock(&c->programs_lock);
	free_job(j);
	return trn_error_set(err, -r, "NoThread", "no thread for a build");
}

/* Finds the program, or makes it when it may be new. One reference. */
static int find_program(struct exec_context *c, uint64_t handle, bool may_create, struct exec_program **ret,
			 struct trn_error *err)
{
	struct exec_program *p;
	int r = 0;

	pthread_mutex_lock(&c->programs_lock);
	p = base_handles_get(&c->programs, handle);
	if (!p && may_create) {
		p = new_program(c);
		r = p ? base_handles_add(&c->programs, handle, p) : -ENOMEM;
		if (r < 0) {
			exec_program_unref(p);
			p = NULL;
		}
	}
	if (!p) {
		r = trn_error_set(err, r ? r : -ENOENT, "NoProgram", "program %#llx does not exist",
				  (unsigned long long)handle);
	} else {
		*ret = exec_program_ref(p);
	}
	pthread_mutex_unlock(&c->programs_lock);
	return r;
}

static int copy_request(struct job *j, const struct trnc_program_build *b, struct trn_error *err)
{
	struct exec_window *w = &j->c->ex->window;
	struct exec_segment *segment;
	void *addr;

	if (b->request_len == 0 || b->request_len > TRNC_MAX_BLOB)
		return trn_error_set(err, -EINVAL, "BuildRequest", "a build request of %llu bytes is not valid",
				     (unsigned long long)b->request_len);
	segment = exec_window_get(w, TRNC_SEGMENT_SERVICE, b->request, b->request_len, &addr);
	if (!segment)
		return trn_error_set(err, -EINVAL, "Range", "the build request is in no service segment");
	j->request = malloc(b->request_len);
	if (j->request)
		memcpy(j->request, addr, b->request_len);
	j->request_len = b->request_len;
	exec_window_put(segment);
	return j->request ? 0 : trn_error_set(err, -ENOMEM, "NoMemory", "no memory for a build request");
}

int exec_program_build(struct exec_context *c, uint64_t id, const struct trnc_program_build *b, struct trn_error *err)
{
	struct job *j = calloc(1, sizeof(*j));
	int r;

	if (!j)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory for a build");
	*j = (struct job){
		.c = c, .type = TRNC_MSG_PROGRAM_BUILD, .id = id, .reply = b->reply, .reply_cap = b->reply_cap,
	};
	r = copy_request(j, b, err);
	if (r == 0)
		r = find_program(c, b->program, true, &j->program, err);
	if (r < 0) {
		free_job(j);
		return r;
	}
	return start_job(j, err);
}

int exec_program_query(struct exec_context *c, uint64_t id, const struct trnc_program_query *q, struct trn_error *err)
{
	struct job *j;
	int r;

	if (q->what < TRNC_QUERY_RESULT || q->what > TRNC_QUERY_LOG)
		return trn_error_set(err, -EINVAL, "Query", "there is no program query %u", q->what);
	j = calloc(1, sizeof(*j));
	if (!j)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory for a query");
	*j = (struct job){
		.c = c, .type = TRNC_MSG_PROGRAM_QUERY, .id = id, .what = q->what, .reply = q->reply,
		.reply_cap = q->reply_cap,
	};
	r = find_program(c, q->program, false, &j->program, err);
	if (r < 0) {
		free_job(j);
		return r;
	}
	return start_job(j, err);
}

void exec_programs_release_all(struct exec_context *c)
{
	struct exec_program *p;
	uint32_t pos = 0;

	pthread_mutex_lock(&c->programs_lock);
	while (c->nr_builders)
		pthread_cond_wait(&c->builders_quiet, &c->programs_lock);
	while ((p = base_handles_next(&c->programs, &pos)))
		exec_program_unref(p);
	base_handles_finish(&c->programs);
	pthread_mutex_unlock(&c->programs_lock);
}
