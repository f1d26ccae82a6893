/* SPDX-License-Identifier: MIT */
/* The threads that wait for events on the program's behalf. */
#include <signal.h>
#include <stdlib.h>

#include "opencl/commands.h"

struct worker {
	struct client_context *client;
	pthread_t thread;
	pthread_mutex_t lock; /* protects items, quit, is_orphan */
	pthread_cond_t changed;
	struct base_list items;
	bool quit;
	bool is_orphan; /* destroyed from its own thread: frees itself at its end */
};

/* The oldest item whose event is far enough; taken off the list. */
static struct worker_item *take_ready(struct worker *w, cl_int *ret_status)
{
	struct worker_item *it, *found = NULL;

	pthread_mutex_lock(&w->lock);
	base_list_for_each(it, &w->items, node) {
		*ret_status = event_status(it->event);
		if (*ret_status <= it->level) {
			base_list_remove(&it->node);
			found = it;
			break;
		}
	}
	pthread_mutex_unlock(&w->lock);
	return found;
}

static bool has_ready(void *data)
{
	struct worker *w = data;
	struct worker_item *it;
	bool ready = false;

	pthread_mutex_lock(&w->lock);
	if (w->quit)
		ready = true;
	base_list_for_each(it, &w->items, node) {
		if (ready)
			break;
		ready = event_status(it->event) <= it->level;
	}
	pthread_mutex_unlock(&w->lock);
	return ready;
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
	bool quit, is_orphan;

	for (;;) {
		pthread_mutex_lock(&w->lock);
		while (!w->quit && base_list_is_empty(&w->items))
			pthread_cond_wait(&w->changed, &w->lock);
		quit = w->quit;
		is_orphan = w->is_orphan;
		pthread_mutex_unlock(&w->lock);
		if (quit)
			break;
		/* A lost context ends the wait, too; then every event counts as failed and all items are ready. */
		client_wait(w->client, has_ready, w, -1);
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
	base_list_init(&w->items);
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
	struct worker *w;

	pthread_mutex_lock(&ctx->lock);
	if (!*slot)
		*slot = worker_create(ctx->client, name);
	w = *slot;
	pthread_mutex_unlock(&ctx->lock);
	if (!w)
		return CL_OUT_OF_HOST_MEMORY;

	pthread_mutex_lock(&w->lock);
	base_list_append(&w->items, &item->node);
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->lock);
	client_wake(ctx->client); /* it may be asleep for its other items */
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
