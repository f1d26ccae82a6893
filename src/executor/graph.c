/* SPDX-License-Identifier: MIT */
#include "executor/graph.h"

#include "executor/dispatch.h"
#include "executor/held.h"
#include "executor/queue.h"

struct outlook {
	int32_t err; /* an event of the wait list does not exist */
	bool failed;
	bool hold;
	cl_uint nr_waits;
};

/* Goes through the wait list of a command that has just come. */
static void look_at_waits(struct exec_context *c, struct exec_queue *q, const struct exec_record *r,
			  struct outlook *o)
{
	bool has_barrier = !q->in_order && q->barrier;

	if (r->nr_waits || has_barrier)
		pthread_mutex_lock(&c->lock);
	for (uint32_t i = 0; i < r->nr_waits && !o->err; i++) {
		struct exec_event *e = exec_event_get_locked(c, r->waits[i]);
		enum exec_dependency dep = e ? exec_dependency_locked(e, q) : EXEC_DEP_FAILED;

		if (!e || e == q->event)
			o->err = CL_INVALID_EVENT_WAIT_LIST;
		else if (dep == EXEC_DEP_FAILED)
			o->failed = true;
		else if (dep == EXEC_DEP_UNKNOWN_TO_HOST)
			o->hold = true;
		else if (dep == EXEC_DEP_ON_HOST)
			exec_add_host_wait_locked(c, e, &o->nr_waits);
	}
	if (has_barrier && !exec_event_is_over(q->barrier)) {
		if (!q->barrier->host)
			o->hold = true;
		else if (exec_command_is_order_only(c, r) && r->type != TRNC_REC_MARKER &&
			 r->type != TRNC_REC_BARRIER && o->nr_waits < TRNC_MAX_WAITS)
			exec_add_host_wait_locked(c, q->barrier, &o->nr_waits);
	}
	if (r->nr_waits || has_barrier)
		pthread_mutex_unlock(&c->lock);
	if (r->type == TRNC_REC_CLIENT)
		o->hold = true;
	if (!base_list_is_empty(&q->held) && (q->in_order || exec_waits_for_all(r)))
		o->hold = true;
}

void exec_graph_settle(struct exec_context *c)
{
	exec_quick_settle(c);
	while (!base_list_is_empty(&c->unsettled)) {
		struct exec_queue *q = base_container_of(c->unsettled.next, struct exec_queue, unsettled);

		base_list_remove(&q->unsettled);
		exec_dispatch_settle(c, q);
		c->ex->host.Flush(q->host);
	}
}

/* -------------------------------------------------------------- arrival */

/* A record that no command comes of: its event, if it can have one, says so. */
static void fail_event(struct exec_context *c, const struct exec_record *r, int32_t err)
{
	struct exec_event *e;
	int32_t ignored;

	exec_context_refuse(c, err);
	pthread_mutex_lock(&c->lock);
	e = r->cmd->event ? exec_event_new_locked(c, r->cmd->event, CL_QUEUED, &ignored) : NULL;
	if (e)
		exec_event_end_locked(c, e, err, NULL);
	pthread_mutex_unlock(&c->lock);
	exec_context_signal_news(c);
}

static struct exec_event *new_event(struct exec_context *c, const struct exec_record *r, int32_t *err)
{
	struct exec_event *e = NULL;

	if (!r->cmd->event && c->room && r->type != TRNC_REC_CLIENT) {
		c->room--;
		return NULL;
	}
	pthread_mutex_lock(&c->lock);
	if (r->cmd->event) {
		int32_t event_err;

		e = exec_event_new_locked(c, r->cmd->event, CL_QUEUED, &event_err);
		if (e)
			exec_event_ref(e);
		else if (!*err)
			*err = event_err;
	}
	if (!*err && c->pending >= TRNC_MAX_PENDING)
		*err = CL_OUT_OF_RESOURCES;
	c->room = c->pending + 1 < TRNC_MAX_PENDING ? TRNC_MAX_PENDING - c->pending - 1 : 0;
	pthread_mutex_unlock(&c->lock);
	/* Nothing could ever end it. */
	if (!*err && !e && r->type == TRNC_REC_CLIENT)
		*err = CL_INVALID_EVENT;
	return e;
}

void exec_graph_command(struct exec_context *c, const struct exec_record *r, int32_t err, bool more)
{
	struct exec_queue *q = exec_queue_get(c, r->cmd->queue);
	struct exec_operands ops = { 0 };
	struct outlook o = { 0 };
	struct exec_dispatch d = { .q = q, .r = r, .ops = &ops, .more = more };
	bool waits_turn;

	if (!q || r->cmd->seq != q->seq + 1) {
		fail_event(c, r, err ? err : q ? CL_INVALID_VALUE : CL_INVALID_COMMAND_QUEUE);
		return;
	}
	q->seq++;
	d.event = new_event(c, r, &err);
	if (!err)
		err = exec_operands_resolve(c, r, &ops);
	if (!err) {
		look_at_waits(c, q, r, &o);
		err = o.err;
	}
	if (!err && !o.hold && !o.failed)
		o.hold = !exec_gate_lets(c, &c->ex->gate, &c->gate, r, &ops);
	waits_turn = !err && !o.hold && !o.failed && !o.nr_waits && exec_quick_should_wait(c, &d);
	o.hold |= waits_turn;
	if (!err && o.hold && !o.failed)
		err = exec_hold(c, q, r, &ops, d.event, waits_turn);
	if (err || o.hold || o.failed) {
		exec_dispatch_drop_waits(c, o.nr_waits);
		if (err || o.failed)
			exec_window_put(ops.source);
		if (err)
			exec_dispatch_refuse(c, &d, err);
		else if (o.failed)
			exec_dispatch_end(c, &d, EXEC_WAIT_FAILED);
		else
			exec_graph_run(c);
		return;
	}
	d.nr_waits = o.nr_waits;
	exec_dispatch(c, &d);
	if (atomic_load(&c->has_ready))
		exec_graph_run(c);
}

void exec_queues_release_all(struct exec_context *c)
{
	struct exec_queue *q;
	uint32_t pos = 0;

	while ((q = base_handles_next(&c->queues, &pos)))
		exec_held_end_all(c, q);
	pos = 0;
	while ((q = base_handles_next(&c->queues, &pos)))
		exec_queue_drop_host(c, q);
	base_handles_finish(&c->queues);
}
