/* SPDX-License-Identifier: MIT */
#include "process_world.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "base/rmtree.h"

#define WAIT_MS 20000u

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void open_world(struct world *w)
{
	struct trn_error err = { 0 };

	assert_true(sd_event_new(&w->event) >= 0);
	w->config.runtime_dir = w->dir;
	w->config.store = w->store[0] ? w->store : NULL;
	w->config.is_user = true;
	if (daemon_processes_create(w->event, &w->config, &w->ps, &err) < 0)
		fail_msg("%s", err.text);
	snprintf(w->ps->device_path, sizeof(w->ps->device_path), "%s/fake_device.py", FAKES);
	snprintf(w->ps->parent_path, sizeof(w->ps->parent_path), "%s/fake_parent.py", FAKES);
}

void world_create(struct world *w)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(w->dir, sizeof(w->dir), "%.30s/trn.XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(w->dir));
	open_world(w);
}

static void close_world(struct world *w)
{
	daemon_processes_destroy(w->ps);
	sd_event_unref(w->event);
	/* Devices of the world are children of the test, whoever adopts them. */
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

void world_reopen(struct world *w)
{
	close_world(w);
	open_world(w);
}

void world_destroy(struct world *w)
{
	struct daemon_process *p;

	base_list_for_each(p, &w->ps->devices, node)
		daemon_link_kill(&p->link);
	close_world(w);
	assert_int_equal(base_rmtree(AT_FDCWD, w->dir), 0);
}

void world_wait(struct world *w, const unsigned int *what, unsigned int n)
{
	uint64_t end = now_ms() + WAIT_MS;

	while (*what < n) {
		if (now_ms() >= end)
			fail_msg("waited in vain");
		assert_true(sd_event_run(w->event, 100000) >= 0);
	}
	assert_int_equal(*what, n);
}

void world_run(struct world *w, uint64_t ms)
{
	uint64_t end = now_ms() + ms;

	while (now_ms() < end)
		assert_true(sd_event_run(w->event, 1000) >= 0);
}

static void handle_ready(void *data, const struct trnc_control_hello *hello)
{
	struct told *t = data;

	t->readies++;
	t->hello = *hello;
}

static void handle_failed(void *data, const struct trn_error *err)
{
	struct told *t = data;

	t->faileds++;
	t->why = *err;
	t->process = NULL;
}

static void handle_changed(void *data, const struct trnc_control_stats *stats)
{
	struct told *t = data;

	t->changeds++;
}

static void handle_unresponsive(void *data)
{
	((struct told *)data)->silences++;
}

static void handle_answers(void *data)
{
	((struct told *)data)->answers++;
}

static void handle_ended(void *data, const struct trn_error *why)
{
	struct told *t = data;

	t->endeds++;
	t->why = *why;
	t->process = NULL;
}

const struct daemon_process_events world_events = {
	.ready = handle_ready,
	.failed = handle_failed,
	.unresponsive = handle_unresponsive,
	.answers = handle_answers,
	.changed = handle_changed,
	.ended = handle_ended,
};

int world_try_start(struct world *w, const char *uuid, const char *mode, struct told *t, struct trn_error *err)
{
	json_t *options = json_pack("{s:s}", "mode", mode), *record = json_pack("{s:s, s:s}", "uuid", uuid, "mode", mode);
	const struct daemon_process_params params = {
		.uuid = uuid,
		.driver = "compute",
		.parent = "cpu0",
		.type = "compute-memory",
		.memory = 1 << 20,
		.time = 250,
		.owner = 4711,
		.options = options,
		.record = record,
	};
	int r;

	memset(t, 0, sizeof(*t));
	r = daemon_process_start(w->ps, &params, &world_events, t, &t->process, err);
	json_decref(options);
	json_decref(record);
	return r;
}

void world_start(struct world *w, const char *uuid, const char *mode, struct told *t)
{
	struct trn_error err = { 0 };

	if (world_try_start(w, uuid, mode, t, &err) < 0)
		fail_msg("%s", err.text);
}

void world_done(void *data, const struct trn_error *err)
{
	struct told *t = data;

	t->dones++;
	memset(&t->done, 0, sizeof(t->done));
	if (err)
		t->done = *err;
}

void world_start_confirmed(struct world *w, const char *uuid, const char *mode, struct told *t)
{
	world_start(w, uuid, mode, t);
	world_wait(w, &t->readies, 1);
	assert_int_equal(daemon_process_confirm(t->process, world_done, t), 0);
	world_wait(w, &t->dones, 1);
	assert_int_equal(t->done.code, 0);
	t->dones = 0;
}

bool world_has(struct world *w, const char *name)
{
	struct stat st;

	return fstatat(w->ps->runtime_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

void world_killed_daemon(struct world *w, void (*fn)(struct world *w))
{
	pid_t pid;

	close_world(w);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		open_world(w);
		fn(w);
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	open_world(w);
}
