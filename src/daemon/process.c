/* SPDX-License-Identifier: MIT */
/*
 * The registry of device processes, and the life of one: started, greeted, known, ended.
 *
 * Who ends a process waits for its pidfd before anything of it is removed; so what is started next under the same UUID never
 * meets it.  By hand, the file "start" is the process's standard input, locked: somebody who comes later sees that it lives
 * also before it has come to its own lock.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/rmtree.h"
#include "daemon/process_priv.h"

#define START_US (TRNC_CONTROL_HELLO_MS * 1000ull)
#define STOP_US (1000 * 1000ull)      /* from STOP by force to SIGKILL */
#define CLOSED_US (200 * 1000ull)     /* from the end of a connection to the end of its process */
#define AGAIN_FIRST_US (100 * 1000ull) /* from the end of a connection to the next one */
#define AGAIN_MAX_US (30 * 1000 * 1000ull)

const char *daemon_processes_name(struct daemon_processes *ps, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < ps->nr_names; i++)
		if (!strcmp(ps->names[i], name))
			return ps->names[i];
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)name[i]))
			len = 0;
	if (!len || len > 47 || ps->nr_names == DAEMON_MAX_NAMES || !(ps->names[ps->nr_names] = strdup(name)))
		return "Refused";
	return ps->names[ps->nr_names++];
}

struct daemon_process *daemon_process_find(struct daemon_processes *ps, const char *uuid)
{
	struct daemon_process *p;

	base_list_for_each(p, &ps->devices, node)
		if (!strcmp(p->uuid, uuid))
			return p;
	return NULL;
}

static int find_paths(const struct daemon_processes *ps, const char *uuid, char folder[PATH_MAX], char face[DAEMON_SOCKET_PATH],
		      struct trn_error *err)
{
	int n = snprintf(face, DAEMON_SOCKET_PATH, "%s/%s.sock", ps->runtime_dir, uuid);

	snprintf(folder, PATH_MAX, "%s/devices/%s", ps->runtime_dir, uuid);
	if (n > 0 && (size_t)n < DAEMON_SOCKET_PATH)
		return 0;
	trn_error_set(err, -ENAMETOOLONG, "PathTooLong", "the runtime directory %.80s is too long for a device's socket", ps->runtime_dir);
	return trn_error_hint(err, "choose a shorter one");
}

int daemon_process_new(struct daemon_processes *ps, const char *uuid, int folder, struct daemon_process **ret, struct trn_error *err)
{
	struct daemon_process *p = calloc(1, sizeof(*p));
	char path[PATH_MAX];
	int r;

	if (!p) {
		base_close(folder);
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory left");
	}
	p->ps = ps;
	snprintf(p->uuid, sizeof(p->uuid), "%s", uuid);
	snprintf(p->what, sizeof(p->what), "device %s", uuid);
	base_list_append(&ps->devices, &p->node);
	(void)find_paths(ps, uuid, path, p->face, NULL);
	r = daemon_link_init(&p->link, ps, &daemon_process_link_ops, path, folder, "control.sock", p->what, err);
	if (r < 0) {
		daemon_process_free(p);
		return r;
	}
	*ret = p;
	return 0;
}

void daemon_process_free(struct daemon_process *p)
{
	daemon_unit_forget(p->job);
	p->limit = sd_event_source_disable_unref(p->limit);
	p->kill = sd_event_source_disable_unref(p->kill);
	daemon_link_finish(&p->link);
	base_list_remove(&p->node);
	free(p);
}

/* ------------------------------------------------------------ the end */

void daemon_process_clean(struct daemon_processes *ps, const char *uuid)
{
	char folder[PATH_MAX], face[DAEMON_SOCKET_PATH];
	int r;

	if (find_paths(ps, uuid, folder, face, NULL) >= 0 && daemon_folder_is_dead_socket(face))
		(void)unlink(face);
	r = base_rmtree(ps->devices_fd, uuid);
	if (r < 0 && r != -ENOENT)
		log_warning("cannot remove %s: %s", folder, strerror(-r));
}

static void tell_end(const struct daemon_process *p, enum daemon_process_state state, const struct trn_error *why)
{
	if (state == DAEMON_PROCESS_STARTING)
		p->events->failed(p->data, why);
	else if (state == DAEMON_PROCESS_KNOWN)
		p->events->ended(p->data, why);
	else
		log_info("%s is ended: %s", p->what, why->text);
}

void daemon_process_gone(struct daemon_process *p)
{
	struct trn_error why = p->why;

	if (!why.name)
		daemon_ended_read(&p->link, &why);
	/* Only a failure can have no code here: it did not become ready. */
	if (p->state == DAEMON_PROCESS_STARTING && !why.code)
		why.code = -EIO;
	daemon_process_clean(p->ps, p->uuid);
	if (p->ps->uses_systemd) {
		char unit[64];

		snprintf(unit, sizeof(unit), "tranche-device@%s.service", p->uuid);
		daemon_unit_reset(p->ps, unit);
	}
	base_list_remove(&p->node); /* the name is free for who hears of it */
	daemon_adopt_forget(p);
	tell_end(p, p->state, &why);
	daemon_process_free(p);
}

static void handle_told_end(void *data, const struct trn_error *err)
{
	struct daemon_process *p = data;

	p->job = NULL;
	if (err && !p->why.name)
		p->why = *err;
	daemon_process_gone(p);
}

void daemon_process_ended(struct daemon_process *p)
{
	struct trn_error why = { 0 };
	char unit[64];

	snprintf(unit, sizeof(unit), "tranche-device@%s.service", p->uuid);
	/* What it was ended for, and what it has left behind, is better. */
	if (p->why.name || p->job || daemon_ended_read(&p->link, &why) || !p->ps->uses_systemd ||
	    daemon_unit_ask_end(p->ps, unit, handle_told_end, p, &p->job) < 0)
		daemon_process_gone(p);
}

static void handle_stopped_unit(void *data, const struct trn_error *err)
{
	struct daemon_process *p = data;

	p->job = NULL;
	if (err)
		log_debug("%s: %s", p->what, err->text);
	if (!p->link.pid)
		daemon_process_gone(p);
}

static int stop_unit(struct daemon_process *p)
{
	char unit[64];

	daemon_unit_forget(p->job);
	p->job = NULL;
	snprintf(unit, sizeof(unit), "tranche-device@%s.service", p->uuid);
	return daemon_unit_stop(p->ps, unit, handle_stopped_unit, p, &p->job, NULL);
}

/* One that we did not start and that does not answer: the holder of its lock. */
static bool find_by_lock(struct daemon_process *p)
{
	pid_t pid = 0;
	int pidfd = daemon_folder_find_holder(p->link.folder, "lock", &pid);

	return pidfd >= 0 && daemon_link_set_process(&p->link, pid, pidfd, false, NULL) >= 0;
}

static int handle_kill(sd_event_source *source, uint64_t usec, void *data);

static void kill_or_go(struct daemon_process *p)
{
	if (p->link.pidfd >= 0 || find_by_lock(p)) {
		daemon_link_kill(&p->link);
		if (p->tries++ == 1)
			log_error("process %d of %s cannot be ended", p->link.pid, p->what);
		if (p->tries > 4)
			daemon_adopt_forget(p); /* others are not held up by it */
		daemon_link_arm(p->ps, &p->kill, STOP_US * p->tries, handle_kill, p);
	} else if (!p->ps->uses_systemd || stop_unit(p) < 0) {
		daemon_process_gone(p);
	}
}

static int handle_kill(sd_event_source *source, uint64_t usec, void *data)
{
	struct daemon_process *p = data;

	if (!p->why.name)
		trn_error_set(&p->why, -EIO, "ConnectionLost", "%s has closed its connection before it was ready", p->what);
	kill_or_go(p);
	return 0;
}

static void ignore_answer(struct daemon_process_request *r, const void *body, size_t len, const struct trn_error *err)
{
}

void daemon_process_end(struct daemon_process *p, const struct trn_error *why)
{
	const struct trnc_control_leave force = { .policy = TRNC_CONTROL_FORCE };
	const struct daemon_link_call call = { .type = TRNC_CONTROL_STOP, .body = &force, .len = sizeof(force), .has_no_limit = true,
					       .answered = ignore_answer };
	struct daemon_process_request *r;

	if (why && !p->why.name)
		p->why = *why;
	if (p->state == DAEMON_PROCESS_ADOPTING)
		p->state = DAEMON_PROCESS_UNWANTED;
	if (p->limit)
		sd_event_source_set_enabled(p->limit, SD_EVENT_OFF);
	daemon_link_arm(p->ps, &p->kill, daemon_link_call(&p->link, &call, &r) < 0 ? 0 : STOP_US, handle_kill, p);
}

/* ------------------------------------------------------------ the start */

static void add_options(struct daemon_arguments *a, json_t *options)
{
	const char *key;
	json_t *value;

	json_object_foreach (options, key, value) {
		if (!json_is_string(value) || strlen(json_string_value(value)) != json_string_length(value) || strchr(key, '='))
			a->r = -EINVAL;
		else
			daemon_arguments_add(a, "--option=%s=%s", key, json_string_value(value));
	}
}

static void add_compute(struct daemon_arguments *a, const struct daemon_processes *ps, const struct daemon_process_params *params,
			const char *folder)
{
	daemon_arguments_add(a, "--host-device=%u", params->host_device);
	daemon_arguments_add(a, "--runtime-dir=%s", folder);
	if (params->time)
		daemon_arguments_add(a, "--time=%u", params->time);
	if (params->parent)
		daemon_arguments_add(a, "--parent-socket=%s/parents/%s/parent.sock", ps->runtime_dir, params->parent);
	if (ps->store)
		daemon_arguments_add(a, "--store=%s", ps->store);
}

static int write_start(struct daemon_process *p, const struct daemon_process_params *params, struct trn_error *err)
{
	struct daemon_arguments a = { 0 };
	char folder[PATH_MAX], face[DAEMON_SOCKET_PATH];
	int r = find_paths(p->ps, p->uuid, folder, face, err);

	if (r < 0)
		return r;
	daemon_arguments_add(&a, "--parent=%s", params->driver);
	daemon_arguments_add(&a, "--type=%s", params->type);
	daemon_arguments_add(&a, "--uuid=%s", p->uuid);
	daemon_arguments_add(&a, "--socket-path=%s", face);
	daemon_arguments_add(&a, "--control-socket=%s", p->link.socket);
	daemon_arguments_add(&a, "--unconfirmed");
	daemon_arguments_add(&a, "--lock=%s/lock", folder);
	daemon_arguments_add(&a, "--ended=%s/ended", folder);
	daemon_arguments_add(&a, "--owner=%u", params->owner);
	if (params->memory)
		daemon_arguments_add(&a, "--memory=%llu", (unsigned long long)params->memory);
	if (!strcmp(params->driver, "compute"))
		add_compute(&a, p->ps, params, folder);
	add_options(&a, params->options);
	r = a.r < 0 ? trn_error_set(err, a.r, "BadOption", "an option of %s has a newline in it, or is no text", p->what) :
		      daemon_folder_write(p->ps, p->link.folder, "start", a.text, a.len, err);
	free(a.text);
	return r;
}

int daemon_process_set_record(struct daemon_process *p, json_t *record, struct trn_error *err)
{
	_cleanup_free_ char *text = json_dumps(record, JSON_COMPACT);

	if (!text)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory left");
	return daemon_folder_write(p->ps, p->link.folder, "record.json", text, strlen(text), err);
}

static int spawn_device(struct daemon_process *p, struct trn_error *err)
{
	_cleanup_close_ int start = openat(p->link.folder, "start", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	char path[PATH_MAX], folder[PATH_MAX], face[DAEMON_SOCKET_PATH];
	char *argv[] = { p->ps->device_path, (char *)(uintptr_t) "--start-file", path, NULL };
	pid_t pid = 0;
	int pidfd;

	if (start < 0 || flock(start, LOCK_EX | LOCK_NB) < 0)
		return trn_error_set(err, -errno, "CannotStart", "cannot lock the start file of %s: %s", p->what, strerror(errno));
	(void)find_paths(p->ps, p->uuid, folder, face, NULL);
	snprintf(path, sizeof(path), "%.*s/start", PATH_MAX - 8, folder);
	pidfd = daemon_spawn(p->ps->device_path, argv, start, -1, &pid, err);
	return pidfd < 0 ? pidfd : daemon_link_set_process(&p->link, pid, pidfd, true, err);
}

static void handle_started_unit(void *data, const struct trn_error *err)
{
	struct daemon_process *p = data;

	p->job = NULL;
	/* Its own words are better than systemd's, when it has left some. */
	if (!err || p->link.pid)
		return;
	if (!p->why.name) {
		daemon_ended_read(&p->link, &p->why);
		if (!p->why.code || !strcmp(p->why.name, "Ended"))
			p->why = *err;
	}
	daemon_process_gone(p);
}

static int start_process(struct daemon_process *p, struct trn_error *err)
{
	char unit[64];

	if (!p->ps->uses_systemd)
		return spawn_device(p, err);
	snprintf(unit, sizeof(unit), "tranche-device@%s.service", p->uuid);
	return daemon_unit_start(p->ps, unit, handle_started_unit, p, &p->job, err);
}

static int handle_late(sd_event_source *source, uint64_t usec, void *data)
{
	struct daemon_process *p = data;
	struct trn_error err = { 0 };

	trn_error_set(&err, -ETIMEDOUT, "NotReady", "%s was not ready within %llu s", p->what, START_US / 1000000);
	trn_error_hint(&err, "the log of tranche-device says how far it came");
	daemon_process_end(p, &err);
	return 0;
}

static int begin(struct daemon_process *p, const struct daemon_process_params *params, struct trn_error *err)
{
	int r = write_start(p, params, err);

	if (r >= 0 && params->record)
		r = daemon_process_set_record(p, params->record, err);
	if (r >= 0)
		r = daemon_link_watch(&p->link, err);
	if (r >= 0)
		r = daemon_link_arm(p->ps, &p->limit, START_US, handle_late, p);
	return r < 0 ? r : start_process(p, err);
}

/* A folder of that name may be there: of a process that ended while nobody looked, or of one that lives. */
static int check_free(struct daemon_processes *ps, const char *uuid, struct trn_error *err)
{
	_cleanup_close_ int fd = openat(ps->devices_fd, uuid, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (daemon_process_find(ps, uuid))
		return trn_error_set(err, -EEXIST, "UuidInUse", "device %s has a process already", uuid);
	if (fd >= 0 && (daemon_folder_is_locked(fd, "start") || daemon_folder_is_locked(fd, "lock"))) {
		trn_error_set(err, -EEXIST, "UuidInUse", "a process of device %s is running that nobody here has started", uuid);
		return trn_error_hint(err, "end it, then try again");
	}
	daemon_process_clean(ps, uuid);
	return 0;
}

int daemon_process_start(struct daemon_processes *ps, const struct daemon_process_params *params,
			 const struct daemon_process_events *events, void *data, struct daemon_process **ret, struct trn_error *err)
{
	struct daemon_process *p = NULL;
	char uuid[TRN_UUID_SIZE];
	int r, folder;

	r = trn_uuid_parse(params->uuid, strlen(params->uuid), uuid, err);
	if (r >= 0)
		r = check_free(ps, uuid, err);
	if (r < 0)
		return r;
	folder = daemon_folder_make(ps, ps->devices_fd, uuid, err);
	if (folder < 0)
		return folder;
	r = daemon_process_new(ps, uuid, folder, &p, err);
	if (r >= 0) {
		p->events = events;
		p->data = data;
		r = begin(p, params, err);
	}
	if (r < 0) {
		if (p)
			daemon_process_free(p);
		daemon_process_clean(ps, uuid);
		return r;
	}
	*ret = p;
	return 0;
}

void daemon_process_greeted(struct daemon_process *p, const struct trnc_control_hello *hello)
{
	if (p->state == DAEMON_PROCESS_UNWANTED || p->why.name)
		return;
	if (p->limit)
		sd_event_source_set_enabled(p->limit, SD_EVENT_OFF);
	p->is_broken = false;
	if (p->state == DAEMON_PROCESS_ADOPTING) {
		daemon_adopt_greeted(p, hello);
		return;
	}
	p->state = DAEMON_PROCESS_KNOWN;
	if (p->was_told)
		return;
	p->was_told = true;
	p->events->ready(p->data, hello);
}

/* ------------------------------------------------------------ broken connections, ends (of process_control.c's table) */

void daemon_process_broken(struct daemon_process *p, const struct trn_error *why)
{
	if (p->state == DAEMON_PROCESS_KNOWN) {
		/* It goes on without us; perhaps it is about to end, and says so by its pidfd. */
		p->again_us = p->is_broken && p->again_us < AGAIN_MAX_US ? p->again_us * 2 : AGAIN_FIRST_US;
		p->is_broken = true;
		(void)daemon_link_watch(&p->link, NULL);
		daemon_link_connect(&p->link, p->again_us);
	} else if (why->code != -ENODEV) {
		daemon_process_end(p, why);
	} else if (!p->why.name) {
		daemon_link_arm(p->ps, &p->kill, CLOSED_US, handle_kill, p);
	}
}

pid_t daemon_process_pid(const struct daemon_process *p)
{
	return p->link.pid;
}

void daemon_process_kill(struct daemon_process *p)
{
	struct trn_error why = { 0 };

	if (p->link.pidfd >= 0) {
		daemon_link_kill(&p->link);
		return;
	}
	trn_error_set(&why, -ECANCELED, "Killed", "%s was ended", p->what);
	daemon_process_end(p, &why);
}

const char *daemon_process_socket(const struct daemon_process *p)
{
	return p->face;
}
