/* SPDX-License-Identifier: MIT */
/*
 * The tranche-parent of a parent: taken over when one runs, else started, and started again when it ends.
 *
 * What happens next is always decided by look(), from a timer: whoever holds the lock is connected to, else one is started.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/rmtree.h"
#include "daemon/process_priv.h"

#define MAX_NAME 63
#define MAX_START 65536u
#define PAUSE_FIRST_US (100 * 1000ull)
#define PAUSE_MAX_US (10 * 1000000ull)
#define LINGER_S 60u
#define STEADY_US (10 * 1000000ull) /* it ran for so long: its end is the first one */

struct daemon_sharer {
	struct daemon_link link;
	struct base_list node;
	struct daemon_processes *ps;
	char name[MAX_NAME + 1];
	char what[MAX_NAME + 32];
	char *start; /* its arguments, as they are to be */
	const struct daemon_sharer_events *events;
	void *data;
	bool is_up, is_down; /* that the owner was told */
	bool is_other; /* it runs with other arguments than it should */
	bool is_closed; /* it is to end, and nobody asks for it any more */
	uint64_t up_since, pause_us;
	sd_event_source *look, *late;
	struct daemon_unit_job *job;
};

static struct daemon_sharer *sharer_of(struct daemon_link *l)
{
	return base_container_of(l, struct daemon_sharer, link);
}

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void free_sharer(struct daemon_sharer *s)
{
	daemon_unit_forget(s->job);
	s->look = sd_event_source_disable_unref(s->look);
	s->late = sd_event_source_disable_unref(s->late);
	daemon_link_finish(&s->link);
	base_list_remove(&s->node);
	free(s->start);
	free(s);
}

static void tell_down(struct daemon_sharer *s, const struct trn_error *why)
{
	if (s->is_down || s->is_closed)
		return;
	s->is_up = false;
	s->is_down = true;
	s->events->down(s->data, why);
}

/* ------------------------------------------------------------ what happens next */

static int handle_look(sd_event_source *source, uint64_t usec, void *data);

static void look_later(struct daemon_sharer *s, uint64_t delay_us)
{
	daemon_link_arm(s->ps, &s->look, delay_us, handle_look, s);
}

static void pause_after(struct daemon_sharer *s, const struct trn_error *why)
{
	bool was_steady = s->up_since && now_us() - s->up_since >= STEADY_US;

	s->up_since = 0;
	s->pause_us = was_steady || !s->pause_us ? PAUSE_FIRST_US : s->pause_us * 2;
	if (s->pause_us > PAUSE_MAX_US)
		s->pause_us = PAUSE_MAX_US;
	tell_down(s, why);
	look_later(s, s->pause_us);
}

static void handle_unit(void *data, const struct trn_error *err)
{
	struct daemon_sharer *s = data;

	s->job = NULL;
	if (err && !s->link.pid)
		pause_after(s, err);
}

static int spawn_sharer(struct daemon_sharer *s, struct trn_error *err)
{
	char path[PATH_MAX];
	char *argv[] = { s->ps->parent_path, (char *)(uintptr_t) "--start-file", path, NULL };
	pid_t pid = 0;
	int pidfd;

	snprintf(path, sizeof(path), "%.*s/parents/%s/start", PATH_MAX - 96, s->ps->runtime_dir, s->name);
	pidfd = daemon_spawn(s->ps->parent_path, argv, -1, -1, &pid, err);
	return pidfd < 0 ? pidfd : daemon_link_set_process(&s->link, pid, pidfd, true, err);
}

static int start_sharer(struct daemon_sharer *s, struct trn_error *err)
{
	char unit[96];
	int r;

	/* Of one that was killed: a new one cannot listen there. */
	if (daemon_folder_is_dead_socket(s->link.socket))
		(void)unlinkat(s->link.folder, "parent.sock", 0);
	r = daemon_folder_write(s->ps, s->link.folder, "start", s->start, strlen(s->start), err);
	if (r >= 0)
		r = daemon_link_watch(&s->link, err);
	if (r < 0 || !s->ps->uses_systemd)
		return r < 0 ? r : spawn_sharer(s, err);
	snprintf(unit, sizeof(unit), "tranche-parent@%s.service", s->name);
	daemon_unit_reset(s->ps, unit);
	return daemon_unit_start(s->ps, unit, handle_unit, s, &s->job, err);
}

static bool is_alive(const struct daemon_sharer *s)
{
	return s->link.pidfd >= 0 || daemon_folder_is_locked(s->link.folder, "lock");
}

static int handle_late(sd_event_source *source, uint64_t usec, void *data)
{
	struct daemon_sharer *s = data;
	struct trn_error err = { 0 };

	if (s->is_up)
		return 0;
	trn_error_set(&err, -ETIMEDOUT, "NoAnswer", "%s does not answer", s->what);
	trn_error_hint(&err, "the log of tranche-parent says more");
	tell_down(s, &err);
	/* One that we have just started can be ended; one that serves devices is waited for, and looked for again. */
	if (s->link.is_child)
		daemon_link_kill(&s->link);
	else if (!daemon_link_is_connected(&s->link))
		look_later(s, PAUSE_MAX_US);
	return 0;
}

static void take_over(struct daemon_sharer *s)
{
	_cleanup_free_ char *old = daemon_folder_read(s->link.folder, "start", MAX_START, NULL);

	s->is_other = !old || strcmp(old, s->start) != 0;
	(void)daemon_link_watch(&s->link, NULL);
	daemon_link_connect(&s->link, 0);
}

static int handle_look(sd_event_source *source, uint64_t usec, void *data)
{
	struct daemon_sharer *s = data;
	struct trn_error err = { 0 };

	if (daemon_link_is_connected(&s->link))
		return 0;
	if (is_alive(s)) {
		take_over(s);
	} else {
		s->is_other = false;
		if (start_sharer(s, &err) < 0) {
			pause_after(s, &err);
			return 0;
		}
	}
	daemon_link_arm(s->ps, &s->late, DAEMON_ANSWER_US, handle_late, s);
	return 0;
}

/* ------------------------------------------------------------ its connection */

static void ignore_answer(struct daemon_process_request *r, const void *body, size_t len, const struct trn_error *err)
{
}

/* Its devices go on with what they have; an idle one ends, and the next look starts the right one. */
static void replace_other(struct daemon_sharer *s, const struct trnc_parent_info *info)
{
	const struct daemon_link_call quit = { .type = TRNC_PARENT_QUIT, .answered = ignore_answer };
	struct daemon_process_request *r;

	if (info->nr_devices)
		log_warning("%s was started with other settings, which stay until its %u devices are stopped", s->what, info->nr_devices);
	else
		(void)daemon_link_call(&s->link, &quit, &r);
}

static void handle_info(struct daemon_process_request *r, const void *body, size_t len, const struct trn_error *err)
{
	struct daemon_sharer *s = sharer_of(r->link);
	struct trnc_parent_info info;

	if (s->is_closed)
		return;
	if (err) {
		if (err->code != -ENODEV && err->code != -EPROTO) /* else the connection's end is heard of */
			tell_down(s, err);
		return;
	}
	memcpy(&info, body, sizeof(info));
	if (s->is_other && !info.nr_devices) {
		replace_other(s, &info);
		return;
	}
	if (s->is_other)
		replace_other(s, &info);
	s->is_up = true;
	s->is_down = false;
	s->up_since = now_us();
	if (s->late)
		sd_event_source_set_enabled(s->late, SD_EVENT_OFF);
	s->events->up(s->data, &info);
}

static void handle_connected(struct daemon_link *l)
{
	const struct daemon_link_call manage = { .type = TRNC_PARENT_MANAGE, .min_reply = sizeof(struct trnc_parent_info),
						 .max_reply = sizeof(struct trnc_parent_info), .has_no_limit = true,
						 .answered = handle_info };
	struct daemon_process_request *r;

	if (daemon_link_call(l, &manage, &r) < 0)
		log_error("no memory left to manage %s", l->what);
}

static int handle_told(struct daemon_link *l, const struct trnc_msg *msg, const void *body, size_t len)
{
	return -EPROTO;
}

static void handle_broken(struct daemon_link *l, const struct trn_error *why)
{
	struct daemon_sharer *s = sharer_of(l);

	if (s->is_closed)
		return;
	if (!s->is_other || s->is_up) /* else it was asked to */
		tell_down(s, why);
	/* If it is about to end, that is heard of before. */
	look_later(s, PAUSE_FIRST_US);
}

static void clean(struct daemon_sharer *s)
{
	struct daemon_sharer *other;

	base_list_for_each(other, &s->ps->sharers, node)
		if (other != s && !strcmp(other->name, s->name))
			return;
	(void)base_rmtree(s->ps->parents_fd, s->name);
}

static void handle_ended(struct daemon_link *l)
{
	struct daemon_sharer *s = sharer_of(l);
	struct trn_error why = { 0 };

	if (s->is_closed) {
		clean(s);
		free_sharer(s);
		return;
	}
	if (s->is_other && !s->is_up && !s->is_down) { /* it was asked to */
		look_later(s, 0);
		return;
	}
	daemon_ended_read(l, &why);
	(void)unlinkat(l->folder, "ended", 0);
	pause_after(s, &why);
}

static const struct daemon_link_ops sharer_link_ops = {
	.connected = handle_connected,
	.told = handle_told,
	.broken = handle_broken,
	.ended = handle_ended,
};

/* ------------------------------------------------------------ for its owner */

/* It becomes a folder and a part of a unit's name. */
static int check_name(const char *name, struct trn_error *err)
{
	size_t len = strlen(name);

	if (len && len <= MAX_NAME && name[0] != '.' && name[0] != '-' &&
	    strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == len)
		return 0;
	trn_error_set(err, -EINVAL, "BadName", "\"%.80s\" cannot be the name of a parent", name);
	return trn_error_hint(err, "use up to %d letters, digits, \".\", \"_\" and \"-\"", MAX_NAME);
}

static char *make_start(const struct daemon_processes *ps, const char *name, uint32_t host_device, uint64_t memory)
{
	struct daemon_arguments a = { 0 };

	daemon_arguments_add(&a, "--listen=%s/parents/%s/parent.sock", ps->runtime_dir, name);
	daemon_arguments_add(&a, "--name=%s", name);
	daemon_arguments_add(&a, "--host-device=%u", host_device);
	daemon_arguments_add(&a, "--memory=%llu", (unsigned long long)memory);
	daemon_arguments_add(&a, "--lock=%s/parents/%s/lock", ps->runtime_dir, name);
	daemon_arguments_add(&a, "--executor=%s", ps->executor_path);
	/* It outlives us for its devices; when those are gone, too, nobody else would end it. */
	daemon_arguments_add(&a, "--linger=%u", LINGER_S);
	daemon_arguments_add(&a, "--hide=%s/devices", ps->runtime_dir);
	if (ps->store)
		daemon_arguments_add(&a, "--store=%s", ps->store);
	if (a.r < 0) {
		free(a.text);
		return NULL;
	}
	return a.text;
}

static int init(struct daemon_sharer *s, struct trn_error *err)
{
	char folder_path[PATH_MAX];
	int folder = daemon_folder_make(s->ps, s->ps->parents_fd, s->name, err);

	if (folder < 0)
		return folder;
	snprintf(folder_path, sizeof(folder_path), "%.*s/parents/%s", PATH_MAX - 96, s->ps->runtime_dir, s->name);
	return daemon_link_init(&s->link, s->ps, &sharer_link_ops, folder_path, folder, "parent.sock", s->what, err);
}

int daemon_sharer_open(struct daemon_processes *ps, const char *name, uint32_t host_device, uint64_t memory,
		       const struct daemon_sharer_events *events, void *data, struct daemon_sharer **ret, struct trn_error *err)
{
	struct daemon_sharer *s;
	int r = check_name(name, err);

	if (r < 0)
		return r;
	s = calloc(1, sizeof(*s));
	if (!s)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory left");
	*s = (struct daemon_sharer){ .ps = ps, .events = events, .data = data };
	s->link = (struct daemon_link){ .ps = ps, .folder = -1, .watch = -1, .pidfd = -1, .sock = -1 };
	base_list_init(&s->link.requests);
	base_list_init(&s->link.node);
	snprintf(s->name, sizeof(s->name), "%s", name);
	snprintf(s->what, sizeof(s->what), "tranche-parent %s", s->name);
	base_list_append(&ps->sharers, &s->node);
	s->start = make_start(ps, name, host_device, memory);
	r = s->start ? init(s, err) :
		       trn_error_set(err, -EINVAL, "BadStart", "the runtime directory or the store has a newline in its name");
	if (r >= 0)
		r = daemon_link_arm(ps, &s->look, 0, handle_look, s);
	if (r < 0) {
		trn_error_set(err, r, "NoEventLoop", "cannot watch %s: %s", s->what, strerror(-r));
		free_sharer(s);
		return r;
	}
	*ret = s;
	return 0;
}

void daemon_sharer_close(struct daemon_sharer *s, bool is_gone)
{
	const struct daemon_link_call call = { .type = TRNC_PARENT_QUIT, .answered = ignore_answer };
	struct daemon_process_request *r;

	if (!s)
		return;
	s->is_closed = true;
	s->look = sd_event_source_disable_unref(s->look);
	s->late = sd_event_source_disable_unref(s->late);
	/* Whoever has asked is gone by the time of the answer. */
	base_list_for_each(r, &s->link.requests, node)
		r->is_over = true;
	/* It refuses as long as a device has joined.  It is watched until it is gone: its folder is to go, too. */
	if (daemon_link_call(&s->link, &call, &r) < 0 || !is_gone)
		free_sharer(s);
}

void daemon_sharers_destroy(struct daemon_processes *ps)
{
	struct daemon_sharer *s, *next;

	base_list_for_each_safe(s, next, &ps->sharers, node)
		free_sharer(s);
}

static void handle_schedule(struct daemon_process_request *r, const void *body, size_t len, const struct trn_error *err)
{
	struct trnc_parent_info info;

	if (body)
		memcpy(&info, body, sizeof(info));
	r->fn.info(r->data, err ? NULL : &info, err);
}

int daemon_sharer_schedule(struct daemon_sharer *s, const struct trnc_parent_schedule *schedule, daemon_sharer_done done, void *data)
{
	const struct daemon_link_call call = { .type = TRNC_PARENT_SCHEDULE, .body = schedule, .len = sizeof(*schedule),
					       .min_reply = sizeof(struct trnc_parent_info), .max_reply = sizeof(struct trnc_parent_info),
					       .answered = handle_schedule, .data = data };
	struct daemon_process_request *r;
	int e = s->is_up ? daemon_link_call(&s->link, &call, &r) : -ENOTCONN;

	if (e >= 0)
		r->fn.info = done;
	return e < 0 ? e : 0;
}

static void handle_accounts(struct daemon_process_request *r, const void *body, size_t len, const struct trn_error *err)
{
	const struct trnc_parent_accounts *head = body;
	struct trn_error wrong = { 0 };

	if (err) {
		r->fn.accounts(r->data, NULL, NULL, err);
	} else if (head->nr != (len - sizeof(*head)) / sizeof(struct trnc_parent_account) ||
		   (len - sizeof(*head)) % sizeof(struct trnc_parent_account)) {
		trn_error_set(&wrong, -EPROTO, "BrokenAnswer", "%s sent accounts that cannot be read", r->link->what);
		r->fn.accounts(r->data, NULL, NULL, &wrong);
	} else {
		r->fn.accounts(r->data, head, (const void *)(head + 1), NULL);
	}
}

int daemon_sharer_accounts(struct daemon_sharer *s, daemon_accounts_done done, void *data)
{
	const struct daemon_link_call call = { .type = TRNC_PARENT_ACCOUNTS, .min_reply = sizeof(struct trnc_parent_accounts),
					       .max_reply = DAEMON_REPLY_MAX - sizeof(struct trnc_msg), .answered = handle_accounts,
					       .data = data };
	struct daemon_process_request *r;
	int e = s->is_up ? daemon_link_call(&s->link, &call, &r) : -ENOTCONN;

	if (e >= 0)
		r->fn.accounts = done;
	return e < 0 ? e : 0;
}
