/* SPDX-License-Identifier: MIT */
/* The manager as a whole: it comes up step by step, is told to look again, and goes without taking anything along. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/manager_priv.h"

#ifndef TRANCHE_VERSION
#define TRANCHE_VERSION "unknown"
#endif

int daemon_no_memory(struct trn_error *err)
{
	trn_error_set(err, -ENOMEM, "NoMemory", "tranched has no memory left");
	trn_error_hint(err, "free memory on the host, then try again");
	return -ENOMEM;
}

uint64_t daemon_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

void daemon_done(struct daemon_call *call, json_t *result, const struct trn_error *err)
{
	struct trn_error full;

	if (!call) {
		json_decref(result);
		return;
	}
	if (err) {
		full = *err;
		trn_error_hint(&full, "the log of tranched may say more");
		json_decref(result);
		result = NULL;
	}
	call->cancel = NULL;
	call->done(call, result, err ? &full : NULL);
}

/*
 * Start: parents are known, then running devices are adopted, then those that start by themselves have been started.
 * Reload: parents are known.
 */
void daemon_step(struct daemon *d)
{
	if (d->knows_parents && !d->is_adopting) {
		d->is_adopting = true;
		daemon_adopt(d);
		return;
	}
	if (!d->is_adopted)
		return;
	if (!d->is_ready) {
		if (!daemon_autostart_is_over(d))
			return;
		d->is_ready = true;
		daemon_tell(d, "ready", NULL);
		if (d->ready)
			d->ready(d->ready_data);
	}
	if (d->is_reloading && !d->is_looking) {
		d->is_reloading = false;
		daemon_tell(d, "reloaded", NULL);
		daemon_waiters_answer(&d->reload_waiters, NULL, NULL);
	}
}

int daemon_manager_create(sd_event *event, const struct daemon_config *config, void (*ready)(void *data), void *data,
			  struct daemon **ret, struct trn_error *err)
{
	struct daemon *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return daemon_no_memory(err);
	d->event = sd_event_ref(event);
	d->config = config;
	d->ready = ready;
	d->ready_data = data;
	base_list_init(&d->parents);
	base_list_init(&d->devices);
	base_list_init(&d->problems);
	base_list_init(&d->listeners);
	base_list_init(&d->reload_waiters);
	base_list_init(&d->autostarts);
	clock_gettime(CLOCK_REALTIME, &d->started);
	d->core = trn_core_create();
	r = d->core ? daemon_processes_create(event, config, &d->processes, err) : daemon_no_memory(err);
	if (r < 0) {
		daemon_manager_destroy(d);
		return r;
	}
	daemon_definitions_load(d, false);
	daemon_look_for_parents(d);
	*ret = d;
	return 0;
}

static void free_devices(struct daemon *d)
{
	struct trn_error err = { 0 };

	trn_error_set(&err, -ECANCELED, "Stopping", "tranched is being stopped");
	trn_error_hint(&err, "ask again when it is back: devices go on");
	while (!base_list_is_empty(&d->devices)) {
		struct manager_device *dev = base_container_of(d->devices.next, struct manager_device, node);

		daemon_waiters_answer(&dev->starters, NULL, &err);
		daemon_device_free(dev);
	}
}

void daemon_manager_destroy(struct daemon *d)
{
	if (!d)
		return;
	/* It answers what it was asked for, or forgets it; nothing of ours is called any more. */
	daemon_autostart_free(d);
	free_devices(d);
	while (!base_list_is_empty(&d->parents))
		daemon_parent_drop(base_container_of(d->parents.next, struct manager_parent, node), false);
	daemon_processes_destroy(d->processes);
	daemon_definitions_free(d);
	daemon_find_free(d);
	daemon_problem_clear(d, "");
	sd_event_source_disable_unref(d->sample_source);
	sd_event_source_disable_unref(d->news_source);
	trn_core_destroy(d->core);
	daemon_names_forget(d);
	sd_event_unref(d->event);
	free(d);
}

void daemon_manager_reload(struct daemon *d, const struct daemon_config *config)
{
	d->config = config;
	d->is_reloading = true;
	daemon_names_forget(d);
	daemon_definitions_load(d, true);
	daemon_look_for_parents(d);
}

/* As SIGHUP does it: the caller hears of a configuration that is wrong, and else of the end. */
void daemon_post_reload(struct daemon *d, struct daemon_call *call)
{
	struct daemon_config trial;
	struct trn_error err = { 0 };
	int r = daemon_check_right(call->peer, DAEMON_ADMIN, &err);

	if (r >= 0)
		r = daemon_config_load(d->config->file, d->config->is_user, &trial, &err);
	if (r >= 0) {
		daemon_config_free(&trial);
		if (daemon_waiter_add(&d->reload_waiters, call, NULL, NULL) < 0)
			r = daemon_no_memory(&err);
	}
	if (r < 0)
		daemon_done(call, NULL, &err);
	else
		(void)raise(SIGHUP);
}

int daemon_get_about(struct daemon *d, const struct daemon_peer *peer, json_t **ret, struct trn_error *err)
{
	static const char *const rights[] = { "none", "read", "use", "admin" };
	struct trn_error own = { 0 };
	int r = daemon_check_right(peer, DAEMON_READ, err = err ? err : &own);
	json_t *user;

	if (r < 0)
		return r;
	user = daemon_owner_name(d, geteuid());
	if (json_is_integer(user)) {
		json_decref(user);
		user = json_null();
	}
	*ret = json_pack("{s:s, s:s, s:i, s:i, s:o, s:o, s:I, s:s, s:s, s:s, s:s?, s:b, s:o}", "name", "tranched", "version",
			 TRANCHE_VERSION, "api", 1, "pid", (int)getpid(), "started", daemon_instant_json(&d->started), "user", user,
			 "uid", (json_int_t)geteuid(), "rights", rights[peer->right], "runtime_dir", d->config->runtime_dir,
			 "definitions_dir", d->config->definitions_dir, "config", d->config->file, "ready", d->is_ready, "problems",
			 daemon_problems_json(d));
	return *ret ? 0 : daemon_no_memory(err);
}
