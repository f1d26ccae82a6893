/* SPDX-License-Identifier: MIT */
/* Events are told when the change is complete: who hears of a device can open and stop it. */
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "daemon/manager_priv.h"

struct daemon_listener {
	struct base_list node;
	struct daemon *d;
	daemon_event_fn fn; /* NULL: removed while events are told */
	void *data;
};

struct daemon_listener *daemon_listener_add(struct daemon *d, daemon_event_fn fn, void *data)
{
	struct daemon_listener *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->d = d;
	l->fn = fn;
	l->data = data;
	base_list_append(&d->listeners, &l->node);
	return l;
}

static void drop_listener(struct daemon_listener *l)
{
	base_list_remove(&l->node);
	free(l);
}

void daemon_listener_remove(struct daemon_listener *l)
{
	if (!l)
		return;
	/* Whoever goes through the list may stand at it, or at its neighbour. */
	if (l->d->is_telling)
		l->fn = NULL;
	else
		drop_listener(l);
}

void daemon_tell(struct daemon *d, const char *kind, json_t *what)
{
	bool is_outermost = !d->is_telling;
	struct daemon_listener *l, *next;

	d->event_seq++;
	if (!what)
		what = json_object();
	d->is_telling = true;
	base_list_for_each(l, &d->listeners, node)
		if (l->fn)
			l->fn(l->data, d->event_seq, kind, what);
	json_decref(what);
	if (!is_outermost)
		return;
	d->is_telling = false;
	base_list_for_each_safe(l, next, &d->listeners, node)
		if (!l->fn)
			drop_listener(l);
}
