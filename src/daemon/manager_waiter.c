/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>

#include "daemon/manager_priv.h"

static void cancel_waiter(struct daemon_call *call)
{
	struct manager_waiter *w = call->manager_data;

	base_list_remove(&w->node);
	call->cancel = NULL;
	if (w->gone)
		w->gone(w);
	free(w);
}

int daemon_waiter_add(struct base_list *list, struct daemon_call *call, void (*gone)(struct manager_waiter *w), void *data)
{
	struct manager_waiter *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->call = call;
	w->gone = gone;
	w->data = data;
	call->manager_data = w;
	call->cancel = cancel_waiter;
	base_list_append(list, &w->node);
	return 0;
}

void daemon_waiter_forget(struct manager_waiter *w)
{
	base_list_remove(&w->node);
	w->call->cancel = NULL;
	w->call->manager_data = NULL;
	free(w);
}

void daemon_waiter_answer(struct manager_waiter *w, json_t *result, const struct trn_error *err)
{
	struct daemon_call *call;

	if (!w) {
		json_decref(result);
		return;
	}
	call = w->call;
	base_list_remove(&w->node);
	free(w);
	call->cancel = NULL;
	daemon_done(call, result, err);
}

void daemon_waiters_answer(struct base_list *list, json_t *result, const struct trn_error *err)
{
	/* An answer may make its client ask again, at once: not to be answered here. */
	struct base_list now = { .prev = list->prev, .next = list->next };

	if (base_list_is_empty(list)) {
		json_decref(result);
		return;
	}
	now.prev->next = &now;
	now.next->prev = &now;
	base_list_init(list);
	while (!base_list_is_empty(&now))
		daemon_waiter_answer(base_container_of(now.next, struct manager_waiter, node), json_incref(result), err);
	json_decref(result);
}
