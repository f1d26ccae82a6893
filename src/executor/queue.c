/* SPDX-License-Identifier: MIT */
#include "executor/queue.h"

#include <errno.h>
#include <stdlib.h>

#include "base/futex.h"
#include "executor/dispatch.h"
#include "executor/quick.h"
#include "executor/subdevice.h"

/* A host whose clock is another one differs by more than this; then its times are moved to ours. */
#define CLOCK_SLACK_NS 1000000000ll

/* ------------------------------------------------------------- publishing */

static void publish_seq(struct exec_queue *q)
{
	struct exec_command *first = base_container_of(q->outstanding.next, struct exec_command, link);
	uint64_t done;

	if (!base_list_is_empty(&q->outstanding))
		done = first->from - 1;
	else
		done = q->loose_from ? q->loose_from - 1 : q->accounted;
	if (done <= q->done)
		return;
	q->done = done;
	if (q->event && q->event->slot)
		atomic_store_explicit((_Atomic uint64_t *)&q->event->slot->seq, done, memory_order_release);
}

void exec_queue_fail_locked(struct exec_queue *q, int32_t cl_err)
{
	if (q->sticky)
		return;
	q->sticky = cl_err;
	if (q->event && q->event->slot)
		atomic_store_explicit((_Atomic uint64_t *)&q->event->slot->state,
				      (q->event->handle >> 32) << 32 | (uint32_t)cl_err, memory_order_release);
}

/* Last: who goes by the count finds all that came before it. A guest's kernel may go to sleep meanwhile (wake.h). */
static void count_commands_locked(struct exec_context *c)
{
	if (!c->uncounted)
		return;
	atomic_fetch_add((_Atomic uint64_t *)&c->page->commands, c->uncounted);
	c->uncounted = 0;
}

/* ------------------------------------------------------------ outstanding */

struct exec_command *exec_command_new(struct exec_queue *q, uint64_t seq, uint64_t queued_ns,
				      struct exec_event *event)
{
	struct exec_command *cmd = calloc(1, sizeof(*cmd));

	if (!cmd)
		return NULL;
	cmd->queue = q;
	cmd->from = cmd->to = seq;
	cmd->queued_ns = queued_ns;
	cmd->event = event;
	base_list_init(&cmd->link);
	base_list_init(&cmd->held);
	base_list_init(&cmd->ready);
	return cmd;
}

void exec_queue_append_locked(struct exec_queue *q, struct exec_command *cmd)
{
	if (q->loose_from) {
		cmd->from = q->loose_from;
		cmd->prints |= q->loose_prints;
		q->loose_from = 0;
		q->loose_prints = false;
	}
	q->refs++;
	q->accounted = cmd->to;
	q->context->pending++;
	q->context->gate.nr_commands++;
	base_list_append(&q->outstanding, &cmd->link);
}

void exec_queue_add_loose_locked(struct exec_queue *q, uint64_t seq, bool prints)
{
	if (!q->loose_from)
		q->loose_from = seq;
	q->loose_prints |= prints;
	q->accounted = seq;
	q->context->pending++;
	q->context->gate.nr_commands++;
}

void exec_queue_end_at_once_locked(struct exec_queue *q, uint64_t seq, uint64_t queued_ns, struct exec_event *event,
				   int32_t status, const struct exec_times *times)
{
	if (event) {
		uint64_t now = q->profiling && !times ? base_clock_raw_ns() : 0;
		const struct exec_times none = { .queued = queued_ns, .submit = now, .start = now, .end = now };

		exec_event_end_locked(q->context, event, status, times ? times : &none);
		exec_event_unref(event);
	}
	/* Behind loose commands its number is theirs: the next command in the row stands for all of them. */
	if (q->loose_from) {
		exec_queue_add_loose_locked(q, seq, false);
		return;
	}
	q->accounted = seq;
	publish_seq(q);
	q->context->uncounted++;
	count_commands_locked(q->context);
}

static void end_one(struct exec_command *cmd, int32_t status, const struct exec_times *times)
{
	struct exec_queue *q = cmd->queue;
	uint64_t nr = cmd->to - cmd->from + 1;

	base_list_remove(&cmd->link);
	base_list_remove(&cmd->held);
	base_list_remove(&cmd->ready);
	if (cmd->event) {
		exec_event_end_locked(q->context, cmd->event, status, times);
		exec_event_unref(cmd->event);
	}
	exec_measure_free(cmd->measure);
	exec_window_put(cmd->source);
	q->context->uncounted += nr;
	exec_context_unpend_locked(q->context, nr);
	exec_gate_release_locked(q->context, &cmd->claim, nr == 1);
	exec_gate_count_ends_locked(q->context, nr);
	free(cmd);
}

/* What stands at the head of an in-order row now may have waited for just that. */
static void advance(struct exec_queue *q)
{
	while (q->in_order && !base_list_is_empty(&q->outstanding)) {
		struct exec_command *first = base_container_of(q->outstanding.next, struct exec_command, link);
		struct exec_times times = { .queued = first->queued_ns };

		if (first->state == EXEC_HELD && first->waits_turn)
			exec_command_set_ready_locked(first);
		if (first->state == EXEC_CLIENT)
			exec_client_check_locked(first);
		if (first->state != EXEC_VIRTUAL)
			break;
		if (q->profiling)
			times.submit = times.start = times.end = base_clock_raw_ns();
		end_one(first, CL_COMPLETE, &times);
		q->refs--;
	}
	publish_seq(q);
}

void exec_command_end_locked(struct exec_command *cmd, int32_t status, const struct exec_times *times)
{
	struct exec_queue *q = cmd->queue;

	/* The event first: a program that sees the number believes that all events up to it are over. */
	end_one(cmd, status, times);
	advance(q);
	count_commands_locked(q->context);
	exec_queue_unref_locked(q);
}

void exec_client_check_locked(struct exec_command *cmd)
{
	struct exec_queue *q = cmd->queue;

	if (cmd->unresolved || cmd->began || (q->in_order && q->outstanding.next != &cmd->link))
		return;
	if (cmd->failure) {
		exec_command_set_ready_locked(cmd); /* others may follow, which only the ring's thread may release */
		return;
	}
	cmd->began = true;
	exec_event_progress_locked(cmd->event, CL_RUNNING);
	exec_context_signal_news(q->context);
}

void exec_command_set_ready_locked(struct exec_command *cmd)
{
	struct exec_context *c = cmd->queue->context;

	if (!base_list_is_empty(&cmd->ready))
		return;
	base_list_append(&c->ready, &cmd->ready);
	atomic_store(&c->has_ready, true);
}

/* ------------------------------------------------------------ completions */

static void read_times(struct exec_command *cmd, cl_event ev, struct exec_times *t)
{
	struct exec_host *h = &cmd->queue->context->ex->host;
	cl_ulong submit = 0, start = 0, end = 0;
	uint64_t now = base_clock_raw_ns();
	int64_t shift;

	t->queued = cmd->queued_ns;
	if (h->GetEventProfilingInfo(ev, CL_PROFILING_COMMAND_SUBMIT, sizeof(submit), &submit, NULL) != CL_SUCCESS ||
	    h->GetEventProfilingInfo(ev, CL_PROFILING_COMMAND_START, sizeof(start), &start, NULL) != CL_SUCCESS ||
	    h->GetEventProfilingInfo(ev, CL_PROFILING_COMMAND_END, sizeof(end), &end, NULL) != CL_SUCCESS) {
		t->submit = t->start = t->end = now;
		return;
	}
	/* It has ended just now, whatever the host's clock says. */
	shift = (int64_t)(now - end);
	if (shift < CLOCK_SLACK_NS && shift > -CLOCK_SLACK_NS)
		shift = 0;
	t->submit = submit + (uint64_t)shift;
	t->start = start + (uint64_t)shift;
	t->end = end + (uint64_t)shift;
	if (t->submit < t->queued)
		t->submit = t->queued;
	if (t->start < t->submit)
		t->start = t->submit;
	if (t->end < t->start)
		t->end = t->start;
}

static void CL_CALLBACK host_done(cl_event ev, cl_int status, void *arg)
{
	struct exec_command *cmd = arg;
	struct exec_queue *q = cmd->queue;
	struct exec_context *c = q->context;
	struct exec_times times = { 0 };
	struct exec_measure *measure;

	atomic_fetch_add(&c->callbacks, 1);
	if (cmd->prints)
		exec_output_drain(&c->ex->output);
	if (q->profiling && cmd->event)
		read_times(cmd, ev, &times);
	measure = cmd->measure;
	if (measure)
		exec_quick_read_time(c, measure, ev);

	pthread_mutex_lock(&c->lock);
	if (measure)
		exec_quick_measured_locked(c, measure);
	cmd->measure = NULL;
	if (status < 0)
		exec_queue_fail_locked(q, status);
	exec_command_end_locked(cmd, status < 0 ? status : CL_COMPLETE, &times);
	pthread_mutex_unlock(&c->lock);

	c->ex->host.ReleaseEvent(ev);
	if (atomic_load(&c->has_ready))
		exec_context_poke(c);
	exec_context_signal(c);
	atomic_fetch_sub(&c->callbacks, 1);
}

void exec_command_watch(struct exec_command *cmd)
{
	struct exec_host *h = &cmd->queue->context->ex->host;
	cl_event ev = cmd->host;

	/* A host that takes no callback tells nothing later; then the command is over when it says so now. */
	if (h->SetEventCallback(ev, CL_COMPLETE, host_done, cmd) != CL_SUCCESS)
		host_done(ev, CL_OUT_OF_RESOURCES, cmd);
}

/* ----------------------------------------------------------------- queues */

struct exec_queue *exec_queue_get(struct exec_context *c, uint64_t handle)
{
	return base_handles_get(&c->queues, handle);
}

void exec_queue_unref_locked(struct exec_queue *q)
{
	if (--q->refs)
		return;
	exec_event_unref(q->event);
	exec_event_unref(q->barrier);
	free(q);
}

int32_t exec_queue_create(struct exec_context *c, const struct trnc_rec_queue_create *r)
{
	struct exec_queue *q;
	cl_command_queue_properties properties;
	struct exec_event *e;
	int32_t err;
	cl_int cl_err;
	int ret;

	if (!exec_subdevice_is_range(&c->ex->host, r->first_unit, r->nr_units))
		return CL_INVALID_DEVICE;
	q = calloc(1, sizeof(*q));
	if (!q)
		return CL_OUT_OF_HOST_MEMORY;
	q->context = c;
	q->in_order = !(r->properties & CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE);
	q->profiling = (r->properties & CL_QUEUE_PROFILING_ENABLE) != 0;
	q->is_quick = c->quick && !r->nr_units;
	q->refs = 1;
	base_list_init(&q->held);
	base_list_init(&q->unsettled);
	base_list_init(&q->outstanding);
	/* Launches are measured by the host's own times, which cost next to nothing. */
	properties = r->properties | (q->is_quick ? CL_QUEUE_PROFILING_ENABLE : 0);
	q->host = exec_subdevice_create_queue(&c->ex->host, c->host, properties, r->first_unit, r->nr_units, &cl_err);
	if (!q->host) {
		free(q);
		return cl_err;
	}
	ret = base_handles_add(&c->queues, r->queue, q);
	err = ret == 0 ? CL_SUCCESS : ret == -ENOMEM ? CL_OUT_OF_HOST_MEMORY : CL_INVALID_VALUE;
	if (!err) {
		pthread_mutex_lock(&c->lock);
		e = exec_event_new_locked(c, r->event, CL_COMPLETE, &err);
		if (e) {
			q->event = exec_event_ref(e);
			err = CL_SUCCESS;
		}
		pthread_mutex_unlock(&c->lock);
		if (err)
			base_handles_remove(&c->queues, r->queue);
	}
	if (err) {
		c->ex->host.ReleaseCommandQueue(q->host);
		free(q);
	}
	return err;
}

void exec_queue_drop_host(struct exec_context *c, struct exec_queue *q)
{
	base_list_remove(&q->unsettled);
	exec_dispatch_settle(c, q);
	c->ex->host.Flush(q->host); /* not every host does that on release */
	c->ex->host.ReleaseCommandQueue(q->host);
	q->host = NULL;
	pthread_mutex_lock(&c->lock);
	exec_queue_unref_locked(q); /* the table's */
	pthread_mutex_unlock(&c->lock);
}

int32_t exec_queue_destroy(struct exec_context *c, uint64_t handle)
{
	struct exec_queue *q = base_handles_remove(&c->queues, handle);

	if (!q)
		return CL_INVALID_COMMAND_QUEUE;
	pthread_mutex_lock(&c->lock);
	q->destroyed = true;
	/* Nothing more is published in its slot, which the program may use again. */
	if (q->event->slot)
		exec_event_release_locked(c, q->event->handle);
	pthread_mutex_unlock(&c->lock);
	/* What is held still needs the host's queue; the last of it takes the queue along. */
	if (base_list_is_empty(&q->held))
		exec_queue_drop_host(c, q);
	return CL_SUCCESS;
}

void exec_queue_let_go(struct exec_context *c, struct exec_queue *q)
{
	if (q->destroyed && q->host) {
		if (base_list_is_empty(&q->held))
			exec_queue_drop_host(c, q);
		else
			c->ex->host.Flush(q->host);
	}
	pthread_mutex_lock(&c->lock);
	exec_queue_unref_locked(q);
	pthread_mutex_unlock(&c->lock);
}
