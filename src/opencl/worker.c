/* SPDX-License-Identifier: MIT */
/* The threads that wait for events on the program's behalf. */
#include <signal.h>
#include <stdlib.h>

#include "opencl/commands.h"

/*
 * Items of one in-order queue, in its order: the first is the first to be ready, and nobody looks at the others.  With
 * one list of all, thousands of events would be looked at again and again.
 */
struct lane {
	cl_command_queue queue; /* means something while there are items: their events hold it */
	struct base_list items;
};

#define NR_LANES 4

struct worker {
	struct client_context *client;
	pthread_t thread;
	pthread_mutex_t lock; /* protects lanes, loose, quit, is_orphan */
	pthread_cond_t changed;
	struct lane lanes[NR_LANES];
	struct base_list loose; /* all other items, oldest first */
	bool quit;
	bool is_orphan; /* destroyed from its own thread: frees itself at its end */
};

static struct worker_item *last_item(struct lane *lane)
{
	return base_container_of(lane->items.prev, struct worker_item, node);
}

/* Where the item goes: to its queue's lane if it comes after all that are there, as it nearly always does. */
static struct base_list *choose_list_locked(struct worker *w, const struct worker_item *item)
{
	const struct _cl_event *e = item->event;
	struct lane *empty = NULL;

	/* Commands of a queue are submitted in any order, but run in theirs. */
	if (!e->seq || !e->queue->in_order || item->level > CL_RUNNING)
		return &w->loose;
	for (size_t i = 0; i < NR_LANES; i++) {
		struct lane *lane = &w->lanes[i];

		if (base_list_is_empty(&lane->items))
			empty = lane;
		else if (lane->queue == e->queue)
			return last_item(lane)->event->seq <= e->seq && last_item(lane)->level >= item->level ?
				       &lane->items : &w->loose;
	}
	if (!empty)
		return &w->loose;
	empty->queue = e->queue;
	return &empty->items;
}

static bool is_ready(const struct worker_item *it, cl_int *ret_status)
{
	*ret_status = event_status(it->event);
	return *ret_status <= it->level;
}

static struct worker_item *find_ready_locked(struct worker *w, cl_int *ret_status)
{
	struct worker_item *it;

	base_list_for_each(it, &w->loose, node)
		if (is_ready(it, ret_status))
			return it;
	for (size_t i = 0; i < NR_LANES; i++) {
		struct lane *lane = &w->lanes[i];

		if (base_list_is_empty(&lane->items))
			continue;
		it = base_container_of(lane->items.next, struct worker_item, node);
		if (is_ready(it, ret_status))
			return it;
	}
	return NULL;
}

static bool has_items_locked(const struct worker *w)
{
	for (size_t i = 0; i < NR_LANES; i++)
		if (!base_list_is_empty(&w->lanes[i].items))
			return true;
	return !base_list_is_empty(&w->loose);
}

/* An item whose event is far enough; taken off its list. */
static struct worker_item *take_ready(struct worker *w, cl_int *ret_status)
{
	struct worker_item *it;

	pthread_mutex_lock(&w->lock);
	it = find_ready_locked(w, ret_status);
	if (it)
		base_list_remove(&it->node);
	pthread_mutex_unlock(&w->lock);
	return it;
}

static bool has_ready(void *data)
{
	struct worker *w = data;
	cl_int status;
	bool ready;

	pthread_mutex_lock(&w->lock);
	ready = w->quit || find_ready_locked(w, &status);
	pthread_mutex_unlock(&w->lock);
	return ready;
}

/* The first of each lane is the first to be ready; of the others nothing is known. */
static uint64_t get_target_locked(struct worker *w)
{
	uint64_t least = UINT64_MAX;

	if (!base_list_is_empty(&w->loose))
		return 0;
	for (size_t i = 0; i < NR_LANES; i++) {
		const struct worker_item *it = base_container_of(w->lanes[i].items.next, struct worker_item, node);
		uint64_t target;

		if (base_list_is_empty(&w->lanes[i].items))
			continue;
		if (it->level != CL_COMPLETE)
			return 0;
		target = client_queue_target(&w->lanes[i].queue->client, it->event->seq);
		if (target < least)
			least = target;
	}
	return least;
}

static uint64_t get_target(void *data)
{
	struct worker *w = data;
	uint64_t target;

	pthread_mutex_lock(&w->lock);
	target = get_target_locked(w);
	pthread_mutex_unlock(&w->lock);
	return target;
}

static void run_ready(struct worker *w)
{
	struct worker_item *it;
	cl_int status;

	while ((it = take_ready(w, &status))) {
		cl_event event = it->event;

		it->run(it, status);
		clReleaseEvent(event); /* may be the context's last reference: then the worker is an orphan now */
	}
}

static void worker_free(struct worker *w)
{
	pthread_cond_destroy(&w->changed);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

static void *worker_main(void *data)
{
	struct worker *w = data;
	const struct client_condition ready = { .done = has_ready, .target = get_target, .data = w };
	bool quit, is_orphan;

	for (;;) {
		pthread_mutex_lock(&w->lock);
		while (!w->quit && !has_items_locked(w))
			pthread_cond_wait(&w->changed, &w->lock);
		quit = w->quit;
		is_orphan = w->is_orphan;
		pthread_mutex_unlock(&w->lock);
		if (quit)
			break;
		/* A lost context ends the wait, too; then every event counts as failed and all items are ready. */
		client_wait_asleep(w->client, &ready, -1);
		run_ready(w);
	}
	if (is_orphan)
		worker_free(w);
	return NULL;
}

static struct worker *worker_create(struct client_context *client, const char *name)
{
	struct worker *w = calloc(1, sizeof(*w));
	sigset_t all, old;
	int r;

	if (!w)
		return NULL;
	w->client = client;
	base_list_init(&w->loose);
	for (size_t i = 0; i < NR_LANES; i++)
		base_list_init(&w->lanes[i].items);
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->changed, NULL);
	/* Signals are the program's: none may be delivered to this thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&w->thread, NULL, worker_main, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r) {
		worker_free(w);
		return NULL;
	}
	pthread_setname_np(w->thread, name);
	return w;
}

cl_int worker_add(cl_context ctx, struct worker **slot, const char *name, struct worker_item *item)
{
	struct base_list *list;
	bool is_first, is_late;
	struct worker *w;
	cl_int status;

	pthread_mutex_lock(&ctx->lock);
	if (!*slot)
		*slot = worker_create(ctx->client, name);
	w = *slot;
	pthread_mutex_unlock(&ctx->lock);
	if (!w)
		return CL_OUT_OF_HOST_MEMORY;

	pthread_mutex_lock(&w->lock);
	is_first = !has_items_locked(w);
	list = choose_list_locked(w, item);
	/* Asleep for its other items it is woken by the host for this one, too, unless that is past, or sooner than it asked
	 * for: in a lane it comes after those that are there. */
	is_late = !is_first && (is_ready(item, &status) || (client_context_has_targets(ctx->client) &&
							    (list == &w->loose || base_list_is_empty(list))));
	base_list_append(list, &item->node);
	if (is_first)
		pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->lock);
	if (is_late)
		client_wake(ctx->client);
	return CL_SUCCESS;
}

void worker_end(struct worker *w)
{
	bool is_self;

	if (!w)
		return;
	is_self = pthread_equal(w->thread, pthread_self());
	pthread_mutex_lock(&w->lock);
	w->quit = true;
	w->is_orphan = is_self;
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->lock);
	if (is_self) {
		pthread_detach(w->thread);
		return;
	}
	client_wake(w->client);
	pthread_join(w->thread, NULL);
	worker_free(w);
}

void context_commands_finish(cl_context ctx)
{
	if (client_context_is_forked(ctx->client)) {
		/* The threads and perhaps their locks stayed with the parent process. */
		return;
	}
	worker_end(ctx->callbacks);
	worker_end(ctx->copies);
	ctx->callbacks = ctx->copies = NULL;
	context_zombies_finish(ctx);
}
