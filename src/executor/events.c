/* SPDX-License-Identifier: MIT */
#include "executor/events.h"

#include <errno.h>
#include <stdlib.h>

#include "executor/graph.h"

static struct trnc_event_slot *find_slot(struct exec_context *c, uint64_t handle)
{
	uint32_t index = (uint32_t)handle, block = index / TRNC_EVENT_BLOCK_SLOTS;
	struct trnc_event_slot *slots;

	if (block >= TRNC_MAX_EVENT_BLOCKS)
		return NULL;
	slots = atomic_load(&c->blocks[block].slots);
	return slots ? &slots[index % TRNC_EVENT_BLOCK_SLOTS] : NULL;
}

/* The word that says which event the slot holds, and its status. Ordered after all other stores to the slot. */
static void publish(const struct exec_event *e)
{
	if (e->slot)
		atomic_store_explicit((_Atomic uint64_t *)&e->slot->state,
				      (e->handle >> 32) << 32 | (uint32_t)e->status, memory_order_release);
}

struct exec_event *exec_event_new_internal(void)
{
	struct exec_event *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->refs = 1;
	e->status = CL_QUEUED;
	base_list_init(&e->waiters);
	base_list_init(&e->end_waiters);
	return e;
}

struct exec_event *exec_event_new_locked(struct exec_context *c, uint64_t handle, int32_t status, int32_t *ret_err)
{
	struct trnc_event_slot *slot = find_slot(c, handle);
	struct exec_event *e;
	int r;

	*ret_err = CL_INVALID_EVENT;
	if (!slot)
		return NULL;
	/* A slot whose event is over may have a new owner without a word about the old one. */
	e = base_handles_at(&c->events, (uint32_t)handle);
	if (e && exec_event_is_over(e) && e->handle != handle)
		exec_event_release_locked(c, e->handle);
	e = exec_event_new_internal();
	if (!e) {
		*ret_err = CL_OUT_OF_HOST_MEMORY;
		return NULL;
	}
	r = base_handles_add(&c->events, handle, e);
	if (r < 0) {
		free(e);
		*ret_err = r == -ENOMEM ? CL_OUT_OF_HOST_MEMORY : CL_INVALID_EVENT;
		return NULL;
	}
	e->handle = handle;
	e->slot = slot;
	e->status = status;
	atomic_store((_Atomic uint64_t *)&slot->seq, 0); /* before state shows the new owner */
	publish(e);
	*ret_err = CL_SUCCESS;
	return e;
}

struct exec_event *exec_event_get_locked(struct exec_context *c, uint64_t handle)
{
	return base_handles_get(&c->events, handle);
}

struct exec_event *exec_event_ref(struct exec_event *e)
{
	e->refs++;
	return e;
}

struct exec_event *exec_event_unref(struct exec_event *e)
{
	if (e && --e->refs == 0)
		free(e);
	return NULL;
}

void exec_event_release_locked(struct exec_context *c, uint64_t handle)
{
	struct exec_event *e = base_handles_remove(&c->events, handle);

	if (!e)
		return;
	/* The program may use the slot for something else from now on. */
	e->slot = NULL;
	exec_event_unref(e);
}

void exec_event_progress_locked(struct exec_event *e, int32_t status)
{
	e->status = status;
	publish(e);
}

static void resolve_list(struct exec_context *c, struct base_list *list, int32_t status)
{
	struct exec_wait *w, *tmp;

	base_list_for_each_safe(w, tmp, list, link) {
		base_list_remove(&w->link);
		exec_graph_wait_over_locked(c, w->command, status);
	}
}

void exec_event_end_locked(struct exec_context *c, struct exec_event *e, int32_t status, const struct exec_times *times)
{
	if (exec_event_is_over(e))
		return;
	if (e->slot && times) {
		e->slot->queued_ns = times->queued;
		e->slot->submit_ns = times->submit;
		e->slot->start_ns = times->start;
		e->slot->end_ns = times->end;
		exec_context_tell_time(c, times->end);
	}
	e->status = status;
	e->host = NULL;
	e->client = NULL;
	e->is_user = false;
	publish(e);
	resolve_list(c, &e->waiters, status);
	resolve_list(c, &e->end_waiters, status);
}

void exec_event_submitted_locked(struct exec_context *c, struct exec_event *e)
{
	exec_event_progress_locked(e, CL_SUBMITTED);
	resolve_list(c, &e->waiters, CL_COMPLETE);
}
