/* SPDX-License-Identifier: MIT */
#include "device/compute.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/program.h"
#include "base/rmtree.h"
#include "base/size.h"
#include "base/store_place.h"
#include "device/config.h"
#include "tranche/wire/executor.h"

#define OWN_NAME "device/tranche-device"

/* An executor that is not ours is a program to start, not one that our fork server could be. */
static void find_programs(struct device_compute *c, const struct device_options *o)
{
	if (o->executor)
		snprintf(c->executor_path, sizeof(c->executor_path), "%s", o->executor);
	else
		base_program_find(OWN_NAME, "executor/tranche-executor", TRANCHE_LIBEXECDIR, c->executor_path);
	c->has_forker = !o->executor || o->fork_server;
	if (o->fork_server)
		snprintf(c->forker_path, sizeof(c->forker_path), "%s", o->fork_server);
	else
		base_program_find(OWN_NAME, "parent/tranche-parent", TRANCHE_LIBEXECDIR, c->forker_path);
}

/* tranche-parent has our environment. A store that was asked for is there, or the device does not start. */
static int choose_store(const char *text, struct trn_error *err)
{
	_cleanup_free_ char *place = NULL;
	int r = text ? base_store_choose(text, &place, err) : 0;

	if (r < 0 || !text)
		return r;
	if (setenv("TRANCHE_STORE", place, 1) < 0)
		return trn_error_set(err, -errno, "NoMemory", "no memory left");
	return 0;
}

static void find_runtime_dir(const struct device_options *o, char ret[PATH_MAX])
{
	const char *path = o->control_socket ? o->control_socket : o->socket_path, *slash = path ? strrchr(path, '/') : NULL;

	if (o->runtime_dir)
		snprintf(ret, PATH_MAX, "%s", o->runtime_dir);
	else if (slash)
		snprintf(ret, PATH_MAX, "%.*s", (int)(slash - path), path);
	else
		snprintf(ret, PATH_MAX, ".");
}

/* The core would refuse it, too, as one that does not fit beside others. */
static int check_memory(uint64_t memory, struct trn_error *err)
{
	char asked[BASE_SIZE_TEXT], host[BASE_SIZE_TEXT];
	uint64_t total = compute_host_memory();

	if (memory <= total)
		return 0;
	trn_error_set(err, -ERANGE, "MoreThanHost", "the device's memory is to be %s, this machine has %s",
		      base_size_format(memory, asked), base_size_format(total, host));
	return trn_error_hint(err, "choose a smaller size with --memory");
}

static void handle_idle(void *data)
{
	struct device_compute *c = data;

	c->idle(c);
}

int device_compute_register(struct device_process *p, struct trn_error *err)
{
	struct device_compute *c = p->service_data;
	int r = check_memory(p->options.memory, err);

	if (r)
		return r;
	if (!c) /* only to be listed */
		return compute_parent_register(p->core, p->driver->name, NULL, &p->parent, err);
	c->config = (struct compute_config){
		.event = p->event,
		.executor_path = c->executor_path,
		.forker_path = c->has_forker ? c->forker_path : NULL,
		.forker_execs = p->options.executor || p->options.no_fork_server,
		.parent_socket = p->options.parent_socket,
		/* An idle device of many costs next to nothing; the one of a program that waits begins at once. */
		.keeps_spare = p->options.spare < 0 ? !p->options.executor && !p->options.parent_socket : p->options.spare > 0,
		.owner = p->options.has_owner ? p->options.owner : geteuid(),
		.has_behind = p->options.has_behind,
		.behind = p->options.behind,
		.aperture = p->options.aperture,
		.runtime_dir = c->runtime_dir,
		.host_device = p->options.host_device,
		.no_quick = p->options.no_quick,
		.takes_all = !p->options.memory,
		.idle = handle_idle,
		.data = c,
	};
	return compute_parent_register(p->core, p->driver->name, &c->config, &p->parent, err);
}

/* Is it there that the lock lies, which we hold? */
static bool is_folder_of(const char *folder, const char *lock)
{
	const char *slash = lock ? strrchr(lock, '/') : NULL;

	return slash && (size_t)(slash - lock) == strlen(folder) && !strncmp(lock, folder, strlen(folder));
}

static void remove_old_sessions(const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *e;

	while (dir && (e = readdir(dir)))
		if (!strncmp(e->d_name, "session-", 8) && e->d_name[8] && !e->d_name[8 + strspn(e->d_name + 8, "0123456789")])
			(void)base_rmtree(dirfd(dir), e->d_name);
	if (dir)
		closedir(dir);
}

/*
 * Executors of one tranche-parent have one user: what those of other devices keep in folders beside ours is none of
 * theirs.  They have our environment.
 */
static int hide_neighbours(const struct device_compute *c, const struct device_options *o, struct trn_error *err)
{
	const char *slash = strrchr(c->runtime_dir, '/');
	char above[PATH_MAX];

	if (!o->parent_socket || !slash || slash == c->runtime_dir)
		return 0;
	snprintf(above, sizeof(above), "%.*s", (int)(slash - c->runtime_dir), c->runtime_dir);
	if (setenv(TRNC_EXEC_HIDDEN, above, 1) < 0)
		return trn_error_set(err, -errno, "NoMemory", "no memory left");
	return 0;
}

static int make_folder(struct device_compute *c, struct trn_error *err)
{
	const struct device_options *o = &c->process->options;
	size_t len = strlen(c->runtime_dir);

	if (o->runtime_dir || o->control_socket)
		return 0;
	if (snprintf(c->runtime_dir + len, sizeof(c->runtime_dir) - len, "/%s", o->uuid) >= (int)(sizeof(c->runtime_dir) - len)) {
		trn_error_set(err, -ENAMETOOLONG, "PathTooLong", "the folder of the socket %.80s... has too long a name", o->socket_path);
		return trn_error_hint(err, "choose a shorter one, for example below /run");
	}
	if (mkdir(c->runtime_dir, 0700) < 0 && errno != EEXIST) {
		trn_error_set(err, -errno, "NoFolder", "cannot make the folder %.150s for sessions: %s", c->runtime_dir, strerror(errno));
		return trn_error_hint(err, "choose another one with --runtime-dir");
	}
	c->has_own_folder = true;
	remove_old_sessions(c->runtime_dir);
	return 0;
}

int device_compute_prepare(struct device_compute *c, struct device_process *p, struct trn_error *err)
{
	int r;

	c->process = p;
	find_programs(c, &p->options);
	find_runtime_dir(&p->options, c->runtime_dir);
	r = c->wants_folder ? make_folder(c, err) : 0;
	if (r < 0)
		return r;
	/* What executors leave behind becomes ours to end (parents/compute/strays.c). */
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	/* Executors run as the same user: without this they could trace us and open our descriptors. */
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	/* Nobody else can be this device: these are of one that was killed. */
	if (is_folder_of(c->runtime_dir, p->options.lock))
		remove_old_sessions(c->runtime_dir);
	r = hide_neighbours(c, &p->options, err);
	return r < 0 ? r : choose_store(p->options.store, err);
}

void device_compute_finish(struct device_compute *c)
{
	if (c->has_own_folder)
		(void)rmdir(c->runtime_dir);
	/* Sanitizers find leaks by tracing us. */
	(void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

void device_compute_set(struct device_process *p, const struct trn_resources *want, device_set_done done, void *data)
{
	compute_device_set(p->dev, want, done, data);
}

void device_compute_get_stats(const struct device_process *p, struct trnc_control_stats *ret)
{
	struct compute_stats s;

	compute_device_get_stats(p->dev, &s);
	ret->sessions = s.sessions;
	ret->quota = s.quota;
	ret->used = s.used;
	ret->peak = s.peak;
	ret->granted = s.granted;
	ret->refused = s.refused;
	ret->behind = s.behind;
	ret->executors_now = s.executors_now;
	ret->executors_lost = s.executors_lost;
	ret->commands = s.commands;
	ret->compiled = s.compiled;
	ret->stored = s.stored;
	ret->cpu_ns = s.cpu_ns;
	ret->traps = s.traps;
	ret->doorbells = s.doorbells;
	ret->interrupts = s.interrupts;
}
