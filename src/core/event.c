/* SPDX-License-Identifier: MIT */
/*
 * Events are queued under the lock, in the order of what happened, and delivered without it by one thread at a
 * time: whoever finds nobody delivering.  So listeners see one event after the other and may call everything.
 */
#include <stdlib.h>

#include "core/core_priv.h"

struct trn_listener {
	struct trn_core *core;
	struct base_list node; /* in trn_core.listeners */
	trn_listener_fn fn;
	void *data;
	uint64_t from_seq; /* hears events after this one */
	bool dead; /* removed while its function runs */
	bool waited_for; /* dead, and another thread waits to free it */
};

struct trn_listener *trn_listener_add(struct trn_core *core, trn_listener_fn fn, void *data)
{
	struct trn_listener *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->core = core;
	l->fn = fn;
	l->data = data;
	pthread_mutex_lock(&core->lock);
	l->from_seq = core->event_seq;
	base_list_append(&core->listeners, &l->node);
	pthread_mutex_unlock(&core->lock);
	return l;
}

static void unlink_and_free_locked(struct trn_listener *l)
{
	base_list_remove(&l->node);
	free(l);
}

void trn_listener_remove(struct trn_listener *listener)
{
	struct trn_core *core;

	if (!listener)
		return;
	core = listener->core;
	pthread_mutex_lock(&core->lock);
	if (core->calling == listener) {
		listener->dead = true;
		listener->waited_for = !pthread_equal(core->deliverer, pthread_self());
		while (listener->waited_for && core->calling == listener)
			pthread_cond_wait(&core->called, &core->lock);
	}
	/* Else it was called from its own function, and tell_listeners_locked() frees it. */
	if (!listener->dead || listener->waited_for)
		unlink_and_free_locked(listener);
	pthread_mutex_unlock(&core->lock);
}

void core_event_queue_locked(struct trn_core *core, struct core_event *ev, enum trn_event_kind kind,
			     struct trn_parent *parent, struct trn_device *dev)
{
	ev->event = (struct trn_event){ .kind = kind, .parent = parent, .dev = dev };
	ev->seq = ++core->event_seq;
	if (dev)
		dev->refs++; /* dropped in core_event_deliver() */
	else
		parent->refs++; /* likewise */
	base_list_append(&core->events, &ev->node);
}

/* Drops the lock around each call. */
static void tell_listeners_locked(struct trn_core *core, const struct core_event *ev)
{
	struct base_list *at = core->listeners.next;

	while (at != &core->listeners) {
		struct trn_listener *l = base_container_of(at, struct trn_listener, node);

		if (l->dead || l->from_seq >= ev->seq) {
			at = at->next;
			continue;
		}
		core->calling = l;
		pthread_mutex_unlock(&core->lock);
		l->fn(&ev->event, l->data);
		pthread_mutex_lock(&core->lock);
		core->calling = NULL;
		pthread_cond_broadcast(&core->called);

		/* Nobody unlinks the listener that is being called, so it still knows its successor.  Dead now means
		 * that either its own function or a thread that waits for us removed it. */
		at = at->next;
		if (l->dead && !l->waited_for)
			unlink_and_free_locked(l);
	}
}

void core_event_deliver(struct trn_core *core)
{
	pthread_mutex_lock(&core->lock);
	if (core->delivering) {
		pthread_mutex_unlock(&core->lock);
		return;
	}
	core->delivering = true;
	core->deliverer = pthread_self();
	core_ref_locked(core); /* dropping an event's reference may drop the last parent's */
	while (!base_list_is_empty(&core->events)) {
		struct core_event *ev = base_container_of(core->events.next, struct core_event, node);
		struct trn_event event = ev->event;

		base_list_remove(&ev->node);
		tell_listeners_locked(core, ev);
		pthread_mutex_unlock(&core->lock);
		if (event.dev)
			trn_device_unref(event.dev); /* pairs with core_event_queue_locked(); may free ev */
		else
			trn_parent_unref(event.parent); /* likewise */
		pthread_mutex_lock(&core->lock);
	}
	core->delivering = false;
	pthread_mutex_unlock(&core->lock);
	core_unref(core);
}
