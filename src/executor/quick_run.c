/* SPDX-License-Identifier: MIT */
/* Running commands in the ring's thread, and what is learned from it. */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/futex.h"
#include "base/log.h"
#include "base/range.h"
#include "executor/commands.h"
#include "executor/dispatch.h"
#include "executor/queue.h"
#include "executor/quick.h"

/* Transfers up to this size are copied here: the host's workers would take longer to wake. */
#define SMALL_TRANSFER 65536u
/* A sleeping program hears of what has ended at least so often. */
#define SIGNAL_NS 200000u
/* A run may take longer without being held against its kernel, a few times: as long as an interruption that no program
 * sees takes, or, when it was preempted, as others' slices. */
#define HICCUP_NS 1000000u
#define SLICES_NS 20000000u
#define MAX_EXCUSED 2u

/* ------------------------------------------------------------- context */

struct exec_quick *exec_quick_new(struct exec_context *c)
{
	struct exec_quick *quick;

	/* Elsewhere the two devices might see different bytes. */
	if (!c->ex->coherent || !c->ex->host.quick)
		return NULL;
	quick = calloc(1, sizeof(*quick));
	if (!quick)
		return NULL;
	base_list_init(&quick->measures);
	if (exec_pocl_get_limits(&c->ex->host, &quick->limits))
		return quick;
	free(quick);
	return NULL;
}

static struct exec_measure *take_measure(struct exec_context *c)
{
	struct exec_quick *quick = c->quick;
	struct exec_measure *m = NULL;

	pthread_mutex_lock(&c->lock);
	if (base_list_is_empty(&quick->measures)) {
		atomic_store(&quick->has_measures, false);
	} else {
		m = base_container_of(quick->measures.next, struct exec_measure, link);
		base_list_remove(&m->link);
	}
	pthread_mutex_unlock(&c->lock);
	return m;
}

void exec_quick_free(struct exec_context *c, struct exec_quick *quick)
{
	struct exec_measure *m;

	if (!quick)
		return;
	log_debug("context %u: %llu commands without a worker", c->id, (unsigned long long)quick->nr_runs);
	while ((m = take_measure(c)))
		exec_measure_free(m);
	if (quick->queue)
		c->ex->host.ReleaseCommandQueue(quick->queue);
	if (quick->host)
		c->ex->host.ReleaseContext(quick->host);
	free(quick);
}

cl_context exec_quick_context(const struct exec_context *c)
{
	return c->quick->host;
}

/* ----------------------------------------------------------- measuring */

void exec_measure_free(struct exec_measure *m)
{
	if (!m)
		return;
	exec_kernel_table_unref(m->table);
	free(m);
}

void exec_quick_read_time(struct exec_context *c, struct exec_measure *m, cl_event ev)
{
	struct exec_host *h = &c->ex->host;
	cl_ulong start = 0, end = 0;

	m->ns = UINT64_MAX;
	if (h->GetEventProfilingInfo(ev, CL_PROFILING_COMMAND_START, sizeof(start), &start, NULL) == CL_SUCCESS &&
	    h->GetEventProfilingInfo(ev, CL_PROFILING_COMMAND_END, sizeof(end), &end, NULL) == CL_SUCCESS &&
	    end >= start)
		m->ns = end - start;
	if (m->turn != exec_gate_turn(&c->ex->gate))
		m->ns = EXEC_MEASURE_NONE;
}

void exec_quick_measured_locked(struct exec_context *c, struct exec_measure *m)
{
	base_list_append(&c->quick->measures, &m->link);
	atomic_store(&c->quick->has_measures, true);
}

static void learn(struct exec_context *c)
{
	struct exec_measure *m;

	if (!atomic_load_explicit(&c->quick->has_measures, memory_order_relaxed))
		return;
	while ((m = take_measure(c))) {
		if (m->route->serial == m->serial && m->ns != EXEC_MEASURE_NONE) {
			if (m->ns < EXEC_SHORT_NS)
				exec_route_report(m->route, m->values, true);
			else
				exec_route_doubt(m->route, m->values);
		}
		exec_measure_free(m);
	}
}

struct exec_measure *exec_quick_measure(struct exec_context *c, struct exec_dispatch *d, bool may_measure)
{
	struct exec_quick_look *look = &d->look;
	struct exec_measure *m;

	if (!c->quick)
		return NULL;
	exec_quick_look(c, d);
	d->q->streak = look->is_short ? d->q->streak + 1 : 0;
	if (!may_measure || !look->route || look->is_short || !exec_route_wants_measure(look->route, look->values))
		return NULL;
	m = malloc(sizeof(*m));
	if (m)
		*m = (struct exec_measure){
			.table = exec_kernel_table_ref(d->ops->kernel->table), .route = look->route,
			.serial = look->route->serial, .values = look->values,
			.turn = exec_gate_turn(&c->ex->gate),
		};
	return m;
}

/* ------------------------------------------------------------- looking */

/* Images and samplers would need twins as buffers have: such kernels stay where they are. */
static bool has_images(const struct exec_kernel_entry *e)
{
	for (uint32_t i = 0; i < e->nr_args; i++)
		if (e->kinds[i] == TRNC_ARG_IMAGE || e->kinds[i] == TRNC_ARG_SAMPLER)
			return true;
	return false;
}

static struct exec_routes *routes_of(struct exec_kernel *k)
{
	struct exec_kernel_entry *e = &k->table->kernels[k->index];

	if (e->routes || e->never_quick)
		return e->routes;
	if (!k->table->quick || has_images(e))
		e->never_quick = true;
	else
		e->routes = calloc(1, sizeof(*e->routes));
	return e->routes;
}

static bool key_of(const struct trnc_cmd_ndrange *r, struct exec_route_key *key)
{
	*key = (struct exec_route_key){ .dims = r->dims };
	for (int i = 0; i < 3; i++) {
		key->global[i] = r->global[i];
		if (r->flags & TRNC_NDRANGE_LOCAL)
			key->local[i] = r->local[i];
		if (r->offset[i])
			key->has_offset = 1;
		if (!r->global[i])
			return false;
	}
	return true;
}

void exec_quick_look(struct exec_context *c, struct exec_dispatch *d)
{
	struct exec_quick_look *look = &d->look;
	struct exec_kernel *k = d->ops->kernel;
	struct exec_route_key key;
	struct exec_routes *routes;

	if (look->done)
		return;
	look->done = true;
	if (!k || !d->q->is_quick || d->r->type != TRNC_REC_NDRANGE)
		return;
	learn(c);
	routes = routes_of(k);
	if (!routes || !key_of(d->r->ndrange, &key))
		return;
	look->route = exec_routes_get(routes, &key);
	look->values = d->ops->args ? d->ops->args->values : exec_kernel_values(k);
	look->is_short = exec_route_is_short(look->route, look->values);
	if (look->is_short)
		look->function = exec_quick_function_get(c, k->table, k->index, look->route);
}

/* Is all complete that the command comes after? */
static bool is_its_turn(struct exec_context *c, const struct exec_dispatch *d)
{
	const struct exec_queue *q = d->q;
	bool yes;

	if (d->nr_waits)
		return false;
	pthread_mutex_lock(&c->lock);
	if (!q->in_order)
		yes = !q->barrier || exec_event_is_over(q->barrier);
	else if (d->cmd)
		yes = q->outstanding.next == &d->cmd->link && d->cmd->from == d->cmd->to;
	else
		yes = base_list_is_empty(&q->outstanding) && !q->loose_from;
	pthread_mutex_unlock(&c->lock);
	return yes;
}

bool exec_quick_should_wait(struct exec_context *c, struct exec_dispatch *d)
{
	if (!c->quick || !d->q->in_order || d->q->streak < EXEC_STREAM)
		return false;
	exec_quick_look(c, d);
	return d->look.function && !is_its_turn(c, d);
}

/* -------------------------------------------------------------- running */

void exec_quick_settle(struct exec_context *c)
{
	if (!c->quick || !c->quick->unsignalled)
		return;
	c->quick->unsignalled = false;
	exec_context_signal(c);
}

/* In a stream, nobody is woken for each command: what follows soon will do. */
static void tell(struct exec_context *c, const struct exec_dispatch *d, bool has_event, uint64_t now)
{
	struct exec_quick *quick = c->quick;

	quick->unsignalled = true;
	if (d->more && !has_event && now - quick->signalled_ns < SIGNAL_NS)
		return;
	quick->signalled_ns = now;
	exec_quick_settle(c);
}

static void end(struct exec_context *c, struct exec_dispatch *d, uint64_t from, uint64_t to)
{
	const struct trnc_cmd *head = d->r->cmd;
	struct exec_times t = { .queued = head->queued_ns, .submit = from, .start = from, .end = to };
	bool has_event = d->cmd ? d->cmd->event != NULL : d->event != NULL;

	if (t.queued > from)
		t.submit = t.start = t.queued;
	if (t.end < t.start)
		t.end = t.start;
	c->quick->nr_runs++;
	if (!d->cmd)
		exec_window_put(d->ops->source);
	atomic_store_explicit((_Atomic uint64_t *)&c->page->quick, c->quick->nr_runs, memory_order_relaxed);
	pthread_mutex_lock(&c->lock);
	if (d->cmd)
		exec_command_end_locked(d->cmd, CL_COMPLETE, &t);
	else
		exec_queue_end_at_once_locked(d->q, head->seq, t.queued, d->event, CL_COMPLETE, &t);
	pthread_mutex_unlock(&c->lock);
	tell(c, d, has_event, to);
}

static int32_t launch(struct exec_context *c, const struct exec_dispatch *d)
{
	const struct trnc_cmd_ndrange *r = d->r->ndrange;
	const uint64_t *chosen = d->look.function->local;
	struct exec_kernel *k = d->ops->kernel;
	cl_kernel *host = &k->faces[EXEC_QUICK].host;
	size_t offset[3], global[3], local[3];
	int32_t err = *host ? CL_SUCCESS : exec_quick_kernel_create(c, k->table, k->index, host);

	if (!err)
		err = d->ops->args ? exec_snapshot_apply(c, k, EXEC_QUICK, d->ops->args) :
				     exec_kernel_apply(c, k, EXEC_QUICK);
	if (err)
		return err;
	for (int i = 0; i < 3; i++) {
		offset[i] = r->offset[i];
		global[i] = r->global[i];
		local[i] = chosen[i];
	}
	return c->ex->host.EnqueueNDRangeKernel(c->quick->queue, *host, r->dims,
						d->look.route->key.has_offset ? offset : NULL, global, local, 0, NULL,
						NULL);
}

/* Has somebody else had this CPU since the last look? */
static bool was_preempted(struct exec_quick *quick)
{
	struct rusage usage;
	long before = quick->nr_preempted;

	if (getrusage(RUSAGE_THREAD, &usage) < 0)
		return false;
	quick->nr_preempted = usage.ru_nivcsw;
	return quick->nr_preempted != before;
}

static void report(struct exec_context *c, const struct exec_dispatch *d, uint64_t took_ns, bool same_turn)
{
	struct exec_route *route = d->look.route;
	bool is_short = took_ns < EXEC_OVERRUN_NS;

	/* The machine may be to blame; but not time after time. */
	if (!is_short && route->nr_excused < MAX_EXCUSED &&
	    (!same_turn || took_ns < HICCUP_NS || (took_ns < SLICES_NS && was_preempted(c->quick)))) {
		route->nr_excused++;
		return;
	}
	if (is_short)
		route->nr_excused = 0;
	exec_route_report(route, d->look.values, is_short);
}

static bool run_kernel(struct exec_context *c, struct exec_dispatch *d)
{
	struct exec_quick_function *f;
	uint64_t from, to;
	uint32_t turn;
	int32_t err;

	exec_quick_look(c, d);
	f = d->look.function;
	if (!f || !is_its_turn(c, d))
		return false;
	turn = exec_gate_turn(&c->ex->gate);
	from = base_clock_raw_ns();
	err = launch(c, d);
	to = base_clock_raw_ns();
	if (err) {
		/* The main device says whether it is the program's mistake. */
		log_debug("a quick launch of %s: %d", f->name, err);
		atomic_store(&f->state, EXEC_QUICK_FAILED);
		return false;
	}
	if (f->has_run)
		report(c, d, to - from, turn == exec_gate_turn(&c->ex->gate));
	f->has_run = true;
	end(c, d, from, to);
	return true;
}

static void fill(uint8_t *to, const struct trnc_cmd_fill *r)
{
	for (uint64_t i = 0; i < r->size; i += r->pattern_size)
		memcpy(to + i, r->pattern, r->pattern_size);
}

/* Copies a small transfer; false: it is none. */
static bool transfer(const struct exec_record *r, const struct exec_operands *ops, bool for_real)
{
	switch (r->type) {
	case TRNC_REC_COPY: {
		uint8_t *from = ops->buffer->bytes + r->copy->src_offset, *to = ops->dst->bytes + r->copy->dst_offset;

		/* Of sub-buffers that overlap the host says that they do. */
		if (r->copy->size > SMALL_TRANSFER ||
		    base_range_overlaps((uintptr_t)from, r->copy->size, (uintptr_t)to, r->copy->size))
			return false;
		if (for_real)
			memcpy(to, from, r->copy->size);
		return true;
	}
	case TRNC_REC_FILL:
		if (r->fill->size > SMALL_TRANSFER || r->fill->size % r->fill->pattern_size ||
		    r->fill->offset % r->fill->pattern_size)
			return false;
		if (for_real)
			fill(ops->buffer->bytes + r->fill->offset, r->fill);
		return true;
	case TRNC_REC_WRITE:
		if (r->write->size > SMALL_TRANSFER)
			return false;
		if (for_real)
			memcpy(ops->buffer->bytes + r->write->offset, ops->source_addr, r->write->size);
		return true;
	default:
		return false;
	}
}

bool exec_quick_run(struct exec_context *c, struct exec_dispatch *d)
{
	uint64_t from;

	if (!c->quick || !d->q->is_quick)
		return false;
	if (d->r->type == TRNC_REC_NDRANGE)
		return run_kernel(c, d);
	if (!transfer(d->r, d->ops, false) || !is_its_turn(c, d))
		return false;
	from = base_clock_raw_ns();
	transfer(d->r, d->ops, true);
	end(c, d, from, base_clock_raw_ns());
	return true;
}
