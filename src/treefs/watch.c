/* SPDX-License-Identifier: MIT */
#include "treefs/watch.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#include "api/api.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "treefs/node.h"

/* Between two tries to reach tranched. */
#define FIRST_PAUSE_MS 50
#define LONGEST_PAUSE_MS 1000
/* Three lists are not one moment: when they do not fit together they are asked for again, so often. */
#define MAX_LOOKS 5

struct treefs_watch {
	struct treefs_tree *tree;
	treefs_changed_fn fn;
	void *data;
	struct api *events, *lists; /* each of one thread */
	int cancel_fd;
	pthread_t event_thread, list_thread;
	bool has_event_thread, has_list_thread;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t changed;
	uint64_t wanted, done; /* looks */
	bool is_streaming, has_tried, is_ending;
	bool is_ready; /* tranched knows all of its devices */
	bool was_away; /* event thread's: it has been said in the log */
};

static void want(struct treefs_watch *w)
{
	pthread_mutex_lock(&w->lock);
	w->wanted++;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

struct listener {
	struct treefs_watch *w;
	bool has_gone;
};

static void tell_entry(void *data, uint64_t folder, const char *name, uint64_t ino)
{
	struct listener *l = data;

	l->w->fn(l->w->data, folder, name, ino, l->has_gone);
}

/* --- looking --- */

static int get_list(struct api *a, const char *path, const char *key, json_t **ret, struct trn_error *err)
{
	json_t *answer = NULL;
	int r = api_get(a, path, &answer, err);

	if (r < 0)
		return r;
	*ret = json_incref(json_object_get(answer, key));
	json_decref(answer);
	if (json_is_array(*ret))
		return 0;
	return trn_error_set(err, -EPROTO, "NotUnderstood", "tranched's answer to %s has no \"%s\"", path, key);
}

/* Devices first: what they belong to was there before them. */
static int get_state(struct api *a, struct treefs_state **ret, bool *ret_missing, struct trn_error *err)
{
	json_t *parents = NULL, *types = NULL, *devices = NULL;
	int r = get_list(a, "/v1/devices", "devices", &devices, err);

	if (r == 0)
		r = get_list(a, "/v1/types", "types", &types, err);
	if (r == 0)
		r = get_list(a, "/v1/parents", "parents", &parents, err);
	if (r == 0) {
		*ret = treefs_state_create(parents, types, devices, ret_missing);
		if (!*ret)
			r = trn_error_set(err, -ENOMEM, "NoMemory", "no memory for the tree");
	}
	json_decref(parents);
	json_decref(types);
	json_decref(devices);
	return r;
}

static void put_state(struct treefs_watch *w, struct treefs_state *state)
{
	struct treefs_tree *tree = w->tree;
	struct listener l = {.w = w, .has_gone = true};
	struct treefs_state *old;

	pthread_rwlock_wrlock(&tree->lock);
	old = treefs_tree_replace(tree, state);
	/* Without events it would grow old unseen. */
	pthread_mutex_lock(&w->lock);
	tree->is_known = w->is_streaming;
	pthread_mutex_unlock(&w->lock);
	pthread_rwlock_unlock(&tree->lock);
	/* Only this thread replaces states: the new one can be read without the lock. */
	for (size_t i = old->nr; i-- > 0;)
		if (!treefs_tree_get(tree, old->by_name[i]->id))
			treefs_node_each_entry(old->by_name[i], tell_entry, &l);
	treefs_state_destroy(old);
}

/* A tranched that has just started has yet to find the devices that went on without it. Return: 1, 0 or -errno. */
static int ask_ready(struct treefs_watch *w, struct trn_error *err)
{
	json_t *about = NULL;
	int r;

	pthread_mutex_lock(&w->lock);
	r = w->is_ready;
	pthread_mutex_unlock(&w->lock);
	if (r)
		return r;
	r = api_get(w->lists, "/v1", &about, err);
	if (r == 0) {
		r = !json_is_false(json_object_get(about, "ready"));
		pthread_mutex_lock(&w->lock);
		w->is_ready = r;
		pthread_mutex_unlock(&w->lock);
	}
	json_decref(about);
	return r;
}

/* Return: false: there will be an event when there is something to see. */
static bool look(struct treefs_watch *w)
{
	struct treefs_state *state = NULL;
	struct trn_error err = {0};
	bool missing = true;
	int ready = ask_ready(w, &err);

	if (ready == 0)
		return false;
	for (int i = 0; i < MAX_LOOKS && missing && ready > 0; i++) {
		treefs_state_destroy(state);
		state = NULL;
		missing = false;
		if (get_state(w->lists, &state, &missing, &err) < 0)
			break;
	}
	if (state)
		put_state(w, state);
	else if (err.code != -ECANCELED && !api_is_no_daemon(&err))
		base_log_error(BASE_LOG_WARNING, &err);
	return true;
}

static void *run_lists(void *data)
{
	struct treefs_watch *w = data;

	pthread_mutex_lock(&w->lock);
	while (!w->is_ending) {
		uint64_t wanted = w->wanted;
		bool has_tried;

		if (wanted == w->done) {
			pthread_cond_wait(&w->changed, &w->lock);
			continue;
		}
		pthread_mutex_unlock(&w->lock);
		has_tried = look(w);
		pthread_mutex_lock(&w->lock);
		w->done = wanted;
		w->has_tried |= has_tried;
		pthread_cond_broadcast(&w->changed);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* --- following --- */

static void set_streaming(struct treefs_watch *w, bool is_streaming)
{
	pthread_mutex_lock(&w->lock);
	w->is_streaming = is_streaming;
	w->is_ready = false;
	pthread_mutex_unlock(&w->lock);
}

static int handle_event(void *data, uint64_t seq, const char *kind, json_t *what)
{
	struct treefs_watch *w = data;

	if (!kind) {
		set_streaming(w, true);
		if (w->was_away)
			log_warning("tranched at %s is back", api_socket(w->events));
		w->was_away = false;
	}
	/* The tree shows no definitions. */
	if (!kind || strncmp(kind, "definition-", strlen("definition-")) != 0)
		want(w);
	return 0;
}

/* What the kernel remembers must not hide that nothing is known any more. */
static void forget_tree(struct treefs_watch *w)
{
	struct treefs_tree *tree = w->tree;
	struct listener l = {.w = w};

	set_streaming(w, false);
	pthread_rwlock_wrlock(&tree->lock);
	tree->is_known = false;
	pthread_rwlock_unlock(&tree->lock);
	/* The kernel may wait for other readers while it is told; they go before a writer that waits. */
	pthread_rwlock_rdlock(&tree->lock);
	for (size_t i = 0; i < tree->state->nr; i++)
		treefs_node_each_entry(tree->state->by_name[i], tell_entry, &l);
	pthread_rwlock_unlock(&tree->lock);
}

static void tell_away(struct treefs_watch *w, struct trn_error *err)
{
	if (!w->was_away && err->code != -ECANCELED) {
		trn_error_hint(err, "see the log of tranched");
		base_log_error(BASE_LOG_WARNING, err);
		log_warning("until it answers, the files of the tree give EIO");
		w->was_away = true;
	}
	pthread_mutex_lock(&w->lock);
	w->has_tried = true;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

static bool is_ending(struct treefs_watch *w)
{
	bool ending;

	pthread_mutex_lock(&w->lock);
	ending = w->is_ending;
	pthread_mutex_unlock(&w->lock);
	return ending;
}

static void *run_events(void *data)
{
	struct treefs_watch *w = data;
	int pause = FIRST_PAUSE_MS;

	while (!is_ending(w)) {
		struct pollfd p = {.fd = w->cancel_fd, .events = POLLIN};
		struct trn_error err = {0};

		api_events(w->events, 0, handle_event, w, &err);
		if (w->is_streaming) {
			pause = FIRST_PAUSE_MS;
			forget_tree(w);
		}
		tell_away(w, &err);
		poll(&p, 1, pause);
		pause = pause < LONGEST_PAUSE_MS / 2 ? 2 * pause : LONGEST_PAUSE_MS;
	}
	return NULL;
}

/* --- from outside --- */

void treefs_watch_refresh(struct treefs_watch *w)
{
	uint64_t mine;

	pthread_mutex_lock(&w->lock);
	mine = ++w->wanted;
	pthread_cond_broadcast(&w->changed);
	while (w->done < mine && !w->is_ending)
		pthread_cond_wait(&w->changed, &w->lock);
	pthread_mutex_unlock(&w->lock);
}

void treefs_watch_wait_first(struct treefs_watch *w, int timeout_ms)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += timeout_ms / 1000;
	pthread_mutex_lock(&w->lock);
	while (!w->has_tried && pthread_cond_timedwait(&w->changed, &w->lock, &end) == 0)
		;
	pthread_mutex_unlock(&w->lock);
}

static int start_threads(struct treefs_watch *w, struct trn_error *err)
{
	int r = pthread_create(&w->list_thread, NULL, run_lists, w);

	w->has_list_thread = r == 0;
	if (r == 0) {
		r = pthread_create(&w->event_thread, NULL, run_events, w);
		w->has_event_thread = r == 0;
	}
	return r ? trn_error_set(err, -r, "NoThread", "cannot start a thread: %s", strerror(r)) : 0;
}

int treefs_watch_create(struct treefs_tree *tree, const char *socket, treefs_changed_fn fn, void *data,
	struct treefs_watch **ret, struct trn_error *err)
{
	struct treefs_watch *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory to start");
	*w = (struct treefs_watch){.tree = tree, .fn = fn, .data = data, .cancel_fd = eventfd(0, EFD_CLOEXEC)};
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->changed, NULL);
	r = w->cancel_fd < 0 ? trn_error_set(err, -errno, "NoDescriptor", "no descriptor left: %s", strerror(errno))
			     : 0;
	if (r == 0)
		r = api_open(socket, &w->events, err);
	if (r == 0)
		r = api_open(socket, &w->lists, err);
	if (r == 0) {
		api_set_cancel(w->events, w->cancel_fd);
		api_set_cancel(w->lists, w->cancel_fd);
		r = start_threads(w, err);
	}
	if (r < 0)
		treefs_watch_destroy(w);
	else
		*ret = w;
	return r;
}

void treefs_watch_destroy(struct treefs_watch *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->is_ending = true;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
	if (w->cancel_fd >= 0)
		eventfd_write(w->cancel_fd, 1);
	if (w->has_event_thread)
		pthread_join(w->event_thread, NULL);
	if (w->has_list_thread)
		pthread_join(w->list_thread, NULL);
	api_close(w->events);
	api_close(w->lists);
	base_close(w->cancel_fd);
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->changed);
	free(w);
}
