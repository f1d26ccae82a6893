/* SPDX-License-Identifier: MIT */
/* What kernels need before they can run on the quick device: a program, and a compiled function for each local size. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "executor/program.h"
#include "executor/quick.h"
#include "executor/quick_compile.h"
#include "executor/travel.h"
#include "executor/waits.h"

/* A program is built after so many launches that were believed to be short: most programs have a few. */
#define WORTH_BUILDING 16u
#define MAX_FUNCTIONS 256u

struct exec_quick_program {
	struct exec_context *context;
	uint8_t *request; /* owned */
	size_t request_len;

	_Atomic int state; /* enum exec_quick_state; READY: the fields below are constant */
	cl_program host;
	struct exec_quick_folders folders;

	/* ring's thread */
	uint32_t nr_launches;
	uint32_t nr_functions;
	struct exec_quick_function *functions[MAX_FUNCTIONS]; /* owned; routes count them from 1 */
};

void exec_quick_program_free(struct exec_quick_program *p)
{
	if (!p)
		return;
	for (uint32_t i = 0; i < p->nr_functions; i++)
		free(p->functions[i]);
	if (p->host)
		p->context->ex->host.ReleaseProgram(p->host);
	free(p->request);
	free(p);
}

/* A source, of which no kernel may wait for others: they might be behind it in the ring. */
static bool is_fit(const void *request, size_t len)
{
	struct exec_build_request q;
	bool yes = exec_build_parse(request, len, true, &q) == 0 && q.op == TRNC_OP_BUILD && q.source.len &&
		   !exec_text_may_wait(q.source.data, q.source.len, q.options);

	exec_build_request_finish(&q);
	return yes;
}

struct exec_quick_program *exec_quick_program_new(struct exec_context *c, const void *request, size_t len)
{
	struct exec_quick_program *p = c->quick && is_fit(request, len) ? calloc(1, sizeof(*p)) : NULL;

	if (!p)
		return NULL;
	p->context = c;
	p->request = malloc(len);
	p->request_len = len;
	if (p->request) {
		memcpy(p->request, request, len);
		return p;
	}
	free(p);
	return NULL;
}

/* ------------------------------------------------------------- builders */

/* Work of a thread of its own, that keeps the table, and with it the program. */
struct job {
	struct exec_kernel_table *table; /* one reference */
	struct exec_context *context;
	struct exec_quick_function *function; /* to copy; NULL: build the program */
};

/* The context and queue of all programs of the quick device. */
static bool make_context(struct exec_context *c)
{
	struct exec_host *h = &c->ex->host;
	struct exec_quick *quick = c->quick;
	cl_int err;

	pthread_mutex_lock(&c->programs_lock);
	if (!quick->host)
		quick->host = exec_host_create_quick_context(h, &err);
	if (quick->host && !quick->queue)
		quick->queue = exec_host_create_quick_queue(h, quick->host, &err);
	pthread_mutex_unlock(&c->programs_lock);
	return quick->queue != NULL;
}

static cl_program build(struct exec_context *c, const struct exec_build_text *source, const char *options)
{
	struct exec_host *h = &c->ex->host;
	cl_program host;
	cl_int err;

	host = h->CreateProgramWithSource(c->quick->host, 1, (const char *[]){ source->data },
					  (const size_t[]){ source->len }, &err);
	if (!host)
		return NULL;
	err = h->BuildProgram(host, 1, &h->quick, options, NULL, NULL);
	if (err == CL_SUCCESS)
		return host;
	h->ReleaseProgram(host);
	return NULL;
}

static void make_program(struct exec_quick_program *p)
{
	bool is_guest = p->context->is_guest;
	struct exec_travel travel = { 0 };
	struct exec_build_request q;
	struct trn_error err = { 0 };
	int r = exec_build_parse(p->request, p->request_len, is_guest, &q);

	if (r == 0)
		r = exec_travel_enter(is_guest, &q, &travel, &err);
	if (r == 0)
		r = exec_quick_compile(p->context->ex, p->request, p->request_len, &q, &p->folders);
	if (r == 0 && make_context(p->context)) {
		_cleanup_free_ char *options = exec_build_options(q.options);

		p->host = options ? build(p->context, &q.source, options) : NULL;
	}
	log_debug("quick program %s of %s: %s", p->folders.quick, p->folders.main, p->host ? "ready" : strerror(-r));
	exec_build_request_finish(&q);
	exec_travel_finish(&travel);
	atomic_store(&p->state, p->host ? EXEC_QUICK_READY : EXEC_QUICK_FAILED);
}

static void copy_function(struct exec_quick_program *p, struct exec_quick_function *f)
{
	const char *cache = getenv("POCL_CACHE_DIR");
	int r = cache ? exec_pocl_copy_function(cache, p->folders.main, p->folders.quick, f->name) : -ENOENT;

	log_debug("quick function %s: %s", f->name, r < 0 ? strerror(-r) : "ready");
	atomic_store(&f->state, r < 0 ? EXEC_QUICK_FAILED : EXEC_QUICK_READY);
}

static void end_job(struct job *j)
{
	struct exec_context *c = j->context;

	exec_kernel_table_unref(j->table);
	free(j);
	pthread_mutex_lock(&c->programs_lock);
	c->nr_builders--;
	pthread_cond_broadcast(&c->builders_quiet);
	pthread_mutex_unlock(&c->programs_lock);
}

static void *job_thread(void *arg)
{
	struct job *j = arg;

	if (j->function)
		copy_function(j->table->quick, j->function);
	else
		make_program(j->table->quick);
	end_job(j);
	return NULL;
}

/* False: it will never be done. */
static bool start_job(struct exec_context *c, struct exec_kernel_table *t, struct exec_quick_function *f)
{
	struct job *j = malloc(sizeof(*j));
	pthread_t thread;

	if (!j)
		return false;
	*j = (struct job){ .table = exec_kernel_table_ref(t), .context = c, .function = f };
	pthread_mutex_lock(&c->programs_lock);
	c->nr_builders++;
	pthread_mutex_unlock(&c->programs_lock);
	if (pthread_create(&thread, NULL, job_thread, j) == 0) {
		pthread_detach(thread);
		return true;
	}
	end_job(j);
	return false;
}

/* --------------------------------------------------------- ring's thread */

static bool is_built(struct exec_context *c, struct exec_kernel_table *t)
{
	struct exec_quick_program *p = t->quick;
	int state = atomic_load_explicit(&p->state, memory_order_acquire);

	if (state != EXEC_QUICK_NONE)
		return state == EXEC_QUICK_READY;
	if (++p->nr_launches < WORTH_BUILDING)
		return false;
	atomic_store(&p->state, EXEC_QUICK_BUSY);
	if (!start_job(c, t, NULL))
		atomic_store(&p->state, EXEC_QUICK_FAILED);
	return false;
}

static struct exec_quick_function *new_function(struct exec_quick_program *p, const char *name,
						const uint64_t local[3])
{
	struct exec_quick_function *f;
	size_t len = strlen(name) + 1;

	if (p->nr_functions == MAX_FUNCTIONS)
		return NULL;
	f = calloc(1, sizeof(*f) + len);
	if (!f)
		return NULL;
	memcpy(f->name, name, len);
	memcpy(f->local, local, sizeof(f->local));
	p->functions[p->nr_functions++] = f;
	return f;
}

/* Finds the function by its name, or has it copied. Its number; 0: it cannot be. */
static uint32_t find_function(struct exec_context *c, struct exec_kernel_table *t, const char *name,
			      const uint64_t local[3])
{
	struct exec_quick_program *p = t->quick;
	struct exec_quick_function *f;

	for (uint32_t i = 0; i < p->nr_functions; i++)
		if (strcmp(p->functions[i]->name, name) == 0)
			return i + 1;
	f = new_function(p, name, local);
	if (!f)
		return 0;
	atomic_store(&f->state, EXEC_QUICK_BUSY);
	if (!start_job(c, t, f))
		atomic_store(&f->state, EXEC_QUICK_FAILED);
	return p->nr_functions;
}

struct exec_quick_function *exec_quick_function_get(struct exec_context *c, struct exec_kernel_table *t,
						    uint32_t kernel, struct exec_route *route)
{
	struct exec_quick_function *f;
	uint64_t local[3];
	char name[512];

	if (!is_built(c, t))
		return NULL;
	if (!route->variant) {
		memcpy(local, route->key.local, sizeof(local));
		if (!local[0])
			exec_pocl_local_size(&c->quick->limits, route->key.global, local);
		if (exec_pocl_function(name, sizeof(name), t->kernels[kernel].name, local, &route->key))
			route->variant = find_function(c, t, name, local);
		if (!route->variant)
			return NULL;
	}
	f = t->quick->functions[route->variant - 1];
	return atomic_load_explicit(&f->state, memory_order_acquire) == EXEC_QUICK_READY ? f : NULL;
}

int32_t exec_quick_kernel_create(struct exec_context *c, const struct exec_kernel_table *t, uint32_t kernel,
				 cl_kernel *ret)
{
	cl_int err = CL_SUCCESS;

	*ret = c->ex->host.CreateKernel(t->quick->host, t->kernels[kernel].name, &err);
	return *ret ? CL_SUCCESS : err ? err : CL_OUT_OF_HOST_MEMORY;
}
