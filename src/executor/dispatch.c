/* SPDX-License-Identifier: MIT */
#include "executor/dispatch.h"

#include <stdlib.h>

#include "base/futex.h"
#include "executor/queue.h"

/* Commands given to the host without an event in a row: the program's sleepers hear of every so many at least. */
#define MAX_LOOSE 256u

static bool may_print(const struct exec_operands *ops)
{
	return ops->kernel && ops->kernel->table->may_print;
}

void exec_dispatch_drop_waits(struct exec_context *c, cl_uint nr)
{
	for (cl_uint i = 0; i < nr; i++)
		c->ex->host.ReleaseEvent(c->waits[i]);
}

void exec_dispatch_end(struct exec_context *c, const struct exec_dispatch *d, int32_t status)
{
	struct exec_times t = { .queued = d->r->cmd->queued_ns };
	bool is_counted;

	pthread_mutex_lock(&c->lock);
	/* Behind loose commands its event is over now, and its number counts later. */
	is_counted = d->cmd || !d->q->loose_from;
	if (d->cmd) {
		if (d->q->profiling)
			t.submit = t.start = t.end = base_clock_raw_ns();
		exec_command_end_locked(d->cmd, status, &t);
	} else {
		exec_queue_end_at_once_locked(d->q, d->r->cmd->seq, t.queued, d->event, status, NULL);
	}
	pthread_mutex_unlock(&c->lock);
	if (is_counted)
		exec_context_signal(c);
	else
		exec_context_signal_news(c);
}

/* In order, behind commands that will be reported: it needs no place on the host, only its turn. */
static bool try_virtual(struct exec_context *c, const struct exec_dispatch *d, bool *ret_at_once)
{
	struct exec_queue *q = d->q;
	struct exec_command *cmd = d->cmd, *prev;
	bool done = false;

	*ret_at_once = false;
	pthread_mutex_lock(&c->lock);
	if (q->loose_from)
		goto out;
	if (cmd ? q->outstanding.next == &cmd->link : base_list_is_empty(&q->outstanding) || !d->event) {
		*ret_at_once = true;
		done = true;
		goto out;
	}
	if (!cmd) {
		cmd = exec_command_new(q, d->r->cmd->seq, d->r->cmd->queued_ns, d->event);
		if (!cmd)
			goto out; /* the host may have memory */
		exec_queue_append_locked(q, cmd);
	}
	prev = base_container_of(cmd->link.prev, struct exec_command, link);
	cmd->state = EXEC_VIRTUAL;
	if (cmd->event) {
		/* Borrowed: the one before is in the row for longer than this one. */
		cmd->event->host = cmd->host = prev->host;
		cmd->event->queue = q;
		exec_event_submitted_locked(c, cmd->event);
	} else {
		cmd->host = prev->host;
	}
	done = true;
out:
	pthread_mutex_unlock(&c->lock);
	return done;
}

/* Can an order-only command end without the host? Out of order it can when nothing is left to wait for. */
static bool try_without_host(struct exec_context *c, const struct exec_dispatch *d)
{
	struct exec_queue *q = d->q;
	bool at_once;

	if (d->nr_waits || !exec_command_is_order_only(c, d->r))
		return false;
	if (q->in_order) {
		if (!try_virtual(c, d, &at_once))
			return false;
		if (at_once)
			exec_dispatch_end(c, d, CL_COMPLETE);
		return true;
	}
	if (exec_waits_for_all(d->r)) {
		pthread_mutex_lock(&c->lock);
		at_once = d->cmd ? q->outstanding.next == &d->cmd->link && d->cmd->link.next == &q->outstanding :
				   base_list_is_empty(&q->outstanding);
		pthread_mutex_unlock(&c->lock);
	} else {
		pthread_mutex_lock(&c->lock);
		at_once = !q->barrier || exec_event_is_over(q->barrier);
		pthread_mutex_unlock(&c->lock);
	}
	if (at_once)
		exec_dispatch_end(c, d, CL_COMPLETE);
	return at_once;
}

void exec_dispatch_refuse(struct exec_context *c, const struct exec_dispatch *d, int32_t err)
{
	exec_context_refuse(c, err);
	pthread_mutex_lock(&c->lock);
	exec_queue_fail_locked(d->q, err);
	pthread_mutex_unlock(&c->lock);
	exec_dispatch_end(c, d, err);
}

/* Out of order, a barrier has an event that later commands of ours can wait for. */
static struct exec_event *barrier_event(struct exec_context *c, struct exec_queue *q, const struct exec_record *r,
					struct exec_event *event)
{
	if (q->in_order || r->type != TRNC_REC_BARRIER)
		return event;
	if (!event)
		event = exec_event_new_internal();
	if (!event)
		return NULL;
	pthread_mutex_lock(&c->lock);
	exec_event_unref(q->barrier);
	q->barrier = exec_event_ref(event);
	pthread_mutex_unlock(&c->lock);
	return event;
}

/* Of many held commands that nobody waits for one by one, only some are reported, as of many that come. */
static bool is_joined(const struct exec_dispatch *d)
{
	return d->cmd && d->join && !d->cmd->event && !d->ops->source && d->q->in_order &&
	       d->cmd->to - d->cmd->from < MAX_LOOSE;
}

/* The next command in the row stands for this one, too. */
static void join_locked(struct exec_command *cmd, struct exec_command *next, bool prints)
{
	struct exec_queue *q = cmd->queue;

	next->from = cmd->from;
	next->prints |= cmd->prints || prints;
	base_list_remove(&cmd->link);
	base_list_remove(&cmd->ready);
	free(cmd);
	exec_queue_unref_locked(q);
}

/* A command that stands for a run before it was refused by the host: it is over, the run goes on under a marker. */
static int32_t end_run(struct exec_context *c, struct exec_command *cmd, int32_t err, cl_event *ret)
{
	int32_t marker = c->ex->host.EnqueueMarkerWithWaitList(cmd->queue->host, 0, NULL, ret);

	if (marker)
		return marker;
	exec_context_refuse(c, err);
	pthread_mutex_lock(&c->lock);
	exec_queue_fail_locked(cmd->queue, err);
	if (cmd->event) {
		exec_event_end_locked(c, cmd->event, err, NULL);
		cmd->event = exec_event_unref(cmd->event);
	}
	pthread_mutex_unlock(&c->lock);
	return CL_SUCCESS;
}

void exec_dispatch(struct exec_context *c, struct exec_dispatch *d)
{
	struct exec_queue *q = d->q;
	struct exec_command *cmd = d->cmd;
	const struct trnc_cmd *head = d->r->cmd;
	cl_event ev = NULL;
	int32_t err;
	struct exec_measure *measure;
	bool told, is_counted;

	if (try_without_host(c, d) || exec_quick_run(c, d))
		return;
	if (!cmd)
		d->event = barrier_event(c, q, d->r, d->event);
	measure = exec_quick_measure(c, d, !is_joined(d));
	/* Where commands are counted that the host has, it tells of each. */
	is_counted = exec_gate_is_contended(&c->ex->gate);
	told = is_counted || (!is_joined(d) && (cmd || measure || d->event || !d->more || !q->in_order || d->ops->source ||
				 (q->loose_from && head->seq - q->loose_from >= MAX_LOOSE)));
	if (told && !cmd) {
		cmd = exec_command_new(q, head->seq, head->queued_ns, d->event);
		if (!cmd) {
			exec_measure_free(measure);
			exec_dispatch_drop_waits(c, d->nr_waits);
			exec_window_put(d->ops->source);
			exec_dispatch_refuse(c, d, CL_OUT_OF_HOST_MEMORY);
			return;
		}
	}
	err = exec_command_enqueue(c, q->host, d->r, d->ops, d->nr_waits, c->waits, told ? &ev : NULL);
	exec_dispatch_drop_waits(c, d->nr_waits);
	if (err) {
		exec_measure_free(measure);
		measure = NULL;
	}
	if (err && cmd && cmd->from != cmd->to && !end_run(c, cmd, err, &ev))
		err = CL_SUCCESS;
	if (err) {
		if (!d->cmd) {
			free(cmd);
			exec_window_put(d->ops->source);
		}
		exec_dispatch_refuse(c, d, err);
		return;
	}
	if (base_list_is_empty(&q->unsettled))
		base_list_append(&c->unsettled, &q->unsettled);

	pthread_mutex_lock(&c->lock);
	if (cmd && !told) {
		join_locked(cmd, d->join, may_print(d->ops));
	} else if (!told) {
		exec_queue_add_loose_locked(q, head->seq, may_print(d->ops));
	} else {
		if (!d->cmd) {
			exec_queue_append_locked(q, cmd);
			cmd->source = d->ops->source;
		}
		cmd->state = EXEC_ON_HOST;
		cmd->prints |= may_print(d->ops);
		cmd->host = ev;
		cmd->measure = measure;
		if (is_counted)
			exec_gate_claim_locked(c, &cmd->claim, d->r, d->ops);
		if (cmd->event) {
			cmd->event->host = ev;
			cmd->event->queue = q;
			exec_event_submitted_locked(c, cmd->event);
		}
	}
	pthread_mutex_unlock(&c->lock);
	if (told)
		exec_command_watch(cmd);
}

void exec_dispatch_settle(struct exec_context *c, struct exec_queue *q)
{
	struct exec_command *cmd;
	cl_event ev = NULL;

	if (!q->loose_from)
		return;
	cmd = exec_command_new(q, q->accounted, 0, NULL);
	if (!cmd || c->ex->host.EnqueueMarkerWithWaitList(q->host, 0, NULL, &ev) != CL_SUCCESS) {
		/* The next command of the queue tries again. */
		free(cmd);
		return;
	}
	pthread_mutex_lock(&c->lock);
	c->pending--; /* stands for loose commands only; append counts one more */
	c->gate.nr_commands--;
	exec_queue_append_locked(q, cmd);
	cmd->state = EXEC_ON_HOST;
	cmd->host = ev;
	pthread_mutex_unlock(&c->lock);
	exec_command_watch(cmd);
}

void exec_dispatch_split(struct exec_context *c, struct exec_command *cmd)
{
	struct exec_queue *q = cmd->queue;
	struct exec_command *before;
	cl_event ev = NULL;

	if (cmd->from == cmd->to)
		return;
	before = exec_command_new(q, cmd->to - 1, 0, NULL);
	if (!before || c->ex->host.EnqueueMarkerWithWaitList(q->host, 0, NULL, &ev) != CL_SUCCESS) {
		/* They are told of with the command. */
		free(before);
		return;
	}
	pthread_mutex_lock(&c->lock);
	before->from = cmd->from;
	before->prints = cmd->prints;
	before->state = EXEC_ON_HOST;
	before->host = ev;
	cmd->from = cmd->to;
	q->refs++;
	base_list_append(&cmd->link, &before->link); /* in front of it */
	pthread_mutex_unlock(&c->lock);
	if (base_list_is_empty(&q->unsettled))
		base_list_append(&c->unsettled, &q->unsettled);
	exec_command_watch(before);
}
