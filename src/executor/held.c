/* SPDX-License-Identifier: MIT */
#include "executor/held.h"

#include <stdlib.h>
#include <string.h>

#include "executor/dispatch.h"
#include "executor/queue.h"

/* ---------------------------------------------------------- dependencies */

enum exec_dependency exec_dependency_locked(const struct exec_event *e, const struct exec_queue *q)
{
	if (exec_event_is_over(e))
		return e->status < 0 ? EXEC_DEP_FAILED : EXEC_DEP_MET;
	if (!e->host)
		return EXEC_DEP_UNKNOWN_TO_HOST;
	/* The host's own order sees to those of the same queue. */
	return q->in_order && e->queue == q ? EXEC_DEP_MET : EXEC_DEP_ON_HOST;
}

void exec_add_host_wait_locked(struct exec_context *c, const struct exec_event *e, cl_uint *nr)
{
	c->ex->host.RetainEvent(e->host);
	c->waits[(*nr)++] = e->host;
}

static void add_wait_locked(struct exec_command *cmd, struct exec_event *e)
{
	struct exec_wait *w = &cmd->waits[cmd->nr_waits];
	bool is_client = cmd->state == EXEC_CLIENT;
	enum exec_dependency dep = exec_dependency_locked(e, cmd->queue);

	if (dep == EXEC_DEP_FAILED)
		cmd->failure = EXEC_WAIT_FAILED;
	if (exec_event_is_over(e))
		return;
	/* In order, a CLIENT command's place in the row sees to those of the same queue that the host has. */
	if (dep == EXEC_DEP_MET)
		return;
	w->command = cmd;
	w->event = exec_event_ref(e);
	base_list_init(&w->link);
	cmd->nr_waits++;
	if (is_client || dep == EXEC_DEP_UNKNOWN_TO_HOST) {
		base_list_append(is_client ? &e->end_waiters : &e->waiters, &w->link);
		cmd->unresolved++;
	}
}

/* -------------------------------------------------------------- holding */

static int32_t copy_record(struct exec_command *cmd, const struct exec_record *r)
{
	cmd->bytes = malloc(r->len);
	if (!cmd->bytes)
		return CL_OUT_OF_HOST_MEMORY;
	memcpy(cmd->bytes, r->rec, r->len);
	cmd->record = *r;
	cmd->record.rec = (const struct trnc_rec *)(const void *)cmd->bytes;
	/* Neither wait list nor arguments are read again: waits and snapshot have them. */
	cmd->record.waits = NULL;
	cmd->record.args = NULL;
	return CL_SUCCESS;
}

static void free_held(struct exec_context *c, struct exec_command *cmd)
{
	exec_operands_drop(c, &cmd->ops);
	free(cmd->waits);
	free(cmd->bytes);
	cmd->waits = NULL;
	cmd->bytes = NULL;
	cmd->nr_waits = 0;
}

/* A command that is not in any row yet, with all that it needs for later. NULL: no memory; nothing was consumed. */
static struct exec_command *new_held(struct exec_context *c, struct exec_queue *q, const struct exec_record *r,
				     struct exec_operands *ops, struct exec_event *event)
{
	struct exec_command *cmd = exec_command_new(q, r->cmd->seq, r->cmd->queued_ns, event);

	if (!cmd)
		return NULL;
	cmd->waits = calloc(r->nr_waits + 1, sizeof(*cmd->waits)); /* and the barrier */
	if (!cmd->waits || copy_record(cmd, r) || exec_operands_hold(c, ops)) {
		free(cmd->waits);
		free(cmd->bytes);
		free(cmd);
		return NULL;
	}
	cmd->ops = *ops;
	cmd->source = ops->source;
	cmd->state = r->type == TRNC_REC_CLIENT ? EXEC_CLIENT : EXEC_HELD;
	return cmd;
}

int32_t exec_hold(struct exec_context *c, struct exec_queue *q, const struct exec_record *r,
		    struct exec_operands *ops, struct exec_event *event, bool waits_turn)
{
	struct exec_event *own = event;
	struct exec_command *cmd;

	/* What is behind it in the row must be able to rely on all before it. */
	exec_dispatch_settle(c, q);
	if (q->loose_from)
		return CL_OUT_OF_RESOURCES;
	if (!own && !q->in_order && r->type == TRNC_REC_BARRIER)
		own = exec_event_new_internal();
	cmd = new_held(c, q, r, ops, own);
	if (!cmd) {
		if (own != event)
			exec_event_unref(own);
		return CL_OUT_OF_HOST_MEMORY;
	}

	cmd->waits_turn = waits_turn;
	pthread_mutex_lock(&c->lock);
	exec_queue_append_locked(q, cmd);
	base_list_append(&q->held, &cmd->held);
	c->gate.nr_held++;
	for (uint32_t i = 0; i < r->nr_waits; i++)
		add_wait_locked(cmd, exec_event_get_locked(c, r->waits[i]));
	if (!q->in_order && q->barrier)
		add_wait_locked(cmd, q->barrier);
	if (!q->in_order && r->type == TRNC_REC_BARRIER && own) {
		exec_event_unref(q->barrier);
		q->barrier = exec_event_ref(own);
	}
	if (cmd->state == EXEC_CLIENT) {
		cmd->event->client = cmd;
		exec_client_check_locked(cmd);
	} else if (cmd->unresolved == 0 || cmd->failure) {
		exec_command_set_ready_locked(cmd);
	}
	pthread_mutex_unlock(&c->lock);
	return CL_SUCCESS;
}

/* ------------------------------------------------------------- releasing */

void exec_graph_wait_over_locked(struct exec_context *c, struct exec_command *cmd, int32_t status)
{
	cmd->unresolved--;
	if (status < 0)
		cmd->failure = EXEC_WAIT_FAILED;
	if (cmd->state == EXEC_CLIENT)
		exec_client_check_locked(cmd);
	else if (cmd->unresolved == 0 || cmd->failure)
		exec_command_set_ready_locked(cmd);
}

static struct exec_command *first_held(const struct exec_queue *q)
{
	return base_list_is_empty(&q->held) ? NULL : base_container_of(q->held.next, struct exec_command, held);
}

static bool must_fail(const struct exec_command *cmd)
{
	return cmd->failure || (cmd->queue->in_order && cmd->to <= cmd->queue->fail_upto);
}

/* May a held command leave, to the host or to its end? */
static bool may_go(const struct exec_command *cmd)
{
	const struct exec_queue *q = cmd->queue;
	bool is_first = first_held(q) == cmd;

	if (must_fail(cmd))
		return is_first || !q->in_order;
	/* Behind something long, the host's workers are the sooner ones. */
	if (cmd->waits_turn && q->streak >= EXEC_STREAM && q->outstanding.next != &cmd->link)
		return false;
	if (cmd->state == EXEC_CLIENT || cmd->unresolved)
		return false;
	return is_first || (!q->in_order && !exec_waits_for_all(&cmd->record));
}

/* Takes a command out of the held ones; the next may be free to go then. In order, a failed one takes along what is
 * held behind it, as on a host whose commands wait for the one before. */
static void unhold_locked(struct exec_command *cmd, bool failed)
{
	struct exec_queue *q = cmd->queue;
	bool was_first = first_held(q) == cmd;
	struct exec_command *next;

	base_list_remove(&cmd->held);
	q->context->gate.nr_held--;
	if (failed && was_first && q->in_order && !base_list_is_empty(&q->held))
		q->fail_upto = base_container_of(q->held.prev, struct exec_command, held)->to;
	next = first_held(q);
	if (next && may_go(next))
		exec_command_set_ready_locked(next);
}

/* Lets go of the waits, and collects the host events among them if nr is given. */
static void take_waits_locked(struct exec_context *c, struct exec_command *cmd, cl_uint *nr)
{
	for (uint32_t i = 0; i < cmd->nr_waits; i++) {
		struct exec_event *e = cmd->waits[i].event;
		enum exec_dependency dep = exec_dependency_locked(e, cmd->queue);

		base_list_remove(&cmd->waits[i].link);
		if (dep == EXEC_DEP_FAILED)
			cmd->failure = EXEC_WAIT_FAILED;
		else if (nr && dep == EXEC_DEP_ON_HOST && *nr < TRNC_MAX_WAITS)
			exec_add_host_wait_locked(c, e, nr);
		exec_event_unref(e);
	}
	cmd->nr_waits = 0;
}

/* The held command that follows cmd to the host at once whatever happens, or NULL. */
static struct exec_command *sure_follower(struct exec_context *c, const struct exec_queue *q)
{
	struct exec_command *next = first_held(q);

	return next && q->in_order && !next->waits_turn && may_go(next) && !must_fail(next) && !next->nr_waits &&
			       !exec_command_is_order_only(c, &next->record) ?
		       next :
		       NULL;
}

/* Gives a command that was held to the host, or ends it. */
static void let_go(struct exec_context *c, struct exec_command *cmd, bool failed, cl_uint nr_waits)
{
	/* The command may be over and freed before the host's enqueue call returns: what it held is ours now. */
	struct exec_record r = cmd->record;
	struct exec_operands ops = cmd->ops;
	uint8_t *bytes = cmd->bytes;
	struct exec_wait *waits = cmd->waits;
	struct exec_dispatch d = { .q = cmd->queue, .r = &r, .ops = &ops, .cmd = cmd, .nr_waits = nr_waits };

	if (failed) {
		exec_dispatch_drop_waits(c, nr_waits);
		exec_dispatch_end(c, &d, EXEC_WAIT_FAILED);
	} else {
		d.join = sure_follower(c, cmd->queue);
		d.more = !base_list_is_empty(&cmd->queue->held);
		exec_dispatch(c, &d);
	}
	exec_operands_drop(c, &ops);
	free(waits);
	free(bytes);
}

void exec_graph_run(struct exec_context *c)
{
	while (atomic_load(&c->has_ready)) {
		struct exec_command *cmd = NULL;
		struct exec_queue *q = NULL;
		cl_uint nr_waits = 0;
		bool failed = false, asks;

		pthread_mutex_lock(&c->lock);
		if (base_list_is_empty(&c->ready)) {
			atomic_store(&c->has_ready, false);
		} else {
			cmd = base_container_of(c->ready.next, struct exec_command, ready);
			base_list_remove(&cmd->ready);
			if (!may_go(cmd))
				cmd = NULL;
		}
		asks = c->ex->gate.page && cmd && !must_fail(cmd);
		if (asks) {
			pthread_mutex_unlock(&c->lock);
			if (!exec_gate_lets(c, &c->ex->gate, &c->gate, &cmd->record, &cmd->ops)) {
				exec_gate_park(c, cmd);
				continue;
			}
			pthread_mutex_lock(&c->lock);
		}
		if (cmd) {
			q = cmd->queue;
			q->refs++;
			take_waits_locked(c, cmd, &nr_waits);
			failed = must_fail(cmd);
			unhold_locked(cmd, failed);
		}
		pthread_mutex_unlock(&c->lock);
		if (!cmd)
			continue;
		let_go(c, cmd, failed, nr_waits);
		exec_queue_let_go(c, q);
	}
}

int32_t exec_graph_set_event(struct exec_context *c, const struct trnc_rec_user_event_set *s)
{
	int32_t err = CL_SUCCESS;
	struct exec_command *cmd = NULL;
	struct exec_queue *q = NULL;
	struct exec_event *e;

	pthread_mutex_lock(&c->lock);
	e = exec_event_get_locked(c, s->event);
	if (!e) {
		err = CL_INVALID_EVENT;
	} else if (e->is_user) {
		exec_event_end_locked(c, e, s->status, NULL);
	} else if (e->client && (e->client->began || s->status < 0)) {
		cmd = e->client;
		q = cmd->queue;
		q->refs++;
		take_waits_locked(c, cmd, NULL);
		unhold_locked(cmd, s->status < 0);
	} else {
		err = CL_INVALID_OPERATION;
	}
	pthread_mutex_unlock(&c->lock);

	if (cmd) {
		const struct exec_times times = {
			.queued = cmd->queued_ns, .submit = s->start_ns, .start = s->start_ns, .end = s->end_ns,
		};

		free_held(c, cmd);
		pthread_mutex_lock(&c->lock);
		exec_command_end_locked(cmd, s->status, &times);
		pthread_mutex_unlock(&c->lock);
		exec_queue_let_go(c, q);
	}
	if (!err)
		exec_context_signal_news(c);
	exec_graph_run(c);
	return err;
}

void exec_held_end_all(struct exec_context *c, struct exec_queue *q)
{
	struct exec_command *cmd;

	while ((cmd = first_held(q))) {
		const struct exec_times times = { .queued = cmd->queued_ns };

		pthread_mutex_lock(&c->lock);
		take_waits_locked(c, cmd, NULL);
		base_list_remove(&cmd->held);
		c->gate.nr_held--;
		pthread_mutex_unlock(&c->lock);
		free_held(c, cmd);
		pthread_mutex_lock(&c->lock);
		exec_command_end_locked(cmd, CL_INVALID_CONTEXT, &times);
		pthread_mutex_unlock(&c->lock);
	}
}
