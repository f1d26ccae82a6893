/* SPDX-License-Identifier: MIT */
/*
 * Compute devices: each connection is a session of the parent driver's.  New connections end with the stop; the loop ends
 * when the last session is gone.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/rmtree.h"
#include "base/size.h"
#include "base/socket.h"
#include "device/config.h"
#include "device/control.h"
#include "device/process.h"
#include "base/store_place.h"
#include "parents/compute/compute.h"
#include "tranche/wire/executor.h"

#define IN_BUILD_TREE "/src/device/tranche-device"

struct service {
	struct device_process *process;
	struct compute_config config;
	struct device_control control;
	sd_event_source *listen_io;
	bool is_ending; /* no new connections; the loop ends when the device is idle */
	bool has_forker;
	char executor_path[PATH_MAX];
	char forker_path[PATH_MAX];
	char runtime_dir[PATH_MAX];
};

/* Beside us in a build tree, in that folder of it, else where it is installed. */
static void find_program(const char *folder, const char *name, char ret[PATH_MAX])
{
	size_t tail = strlen(IN_BUILD_TREE);
	char self[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (len > (ssize_t)tail) {
		self[len] = '\0';
		if (!strcmp(self + len - tail, IN_BUILD_TREE)) {
			self[(size_t)len - tail] = '\0';
			if (snprintf(ret, PATH_MAX, "%s/src/%s/%s", self, folder, name) < PATH_MAX)
				return;
		}
	}
	snprintf(ret, PATH_MAX, "%s/%s", TRANCHE_LIBEXECDIR, name);
}

/* An executor that is not ours is a program to start, not one that our fork server could be. */
static void find_programs(struct service *s, const struct device_options *o)
{
	if (o->executor)
		snprintf(s->executor_path, sizeof(s->executor_path), "%s", o->executor);
	else
		find_program("executor", "tranche-executor", s->executor_path);
	s->has_forker = !o->executor || o->fork_server;
	if (o->fork_server)
		snprintf(s->forker_path, sizeof(s->forker_path), "%s", o->fork_server);
	else
		find_program("parent", "tranche-parent", s->forker_path);
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

static void accept_all(struct service *s)
{
	for (;;) {
		int sock = accept4(s->process->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (sock >= 0) {
			compute_device_connect(s->process->dev, sock);
		} else if (errno == EMFILE || errno == ENFILE) {
			device_process_turn_one_away(s->process, s->process->listener);
			return;
		} else if (errno != EINTR && errno != ECONNABORTED) {
			return;
		}
	}
}

static int handle_connection(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	accept_all(data);
	return 0;
}

/* Those who knocked before are let in: their programs were started when the device still was there. */
static void stop_listening(struct service *s)
{
	s->is_ending = true;
	if (s->listen_io)
		accept_all(s);
	s->listen_io = sd_event_source_disable_unref(s->listen_io);
	s->process->listener = base_close(s->process->listener);
}

/* The command was killed: its program may go on, nobody new may come. */
static void handle_orphan(void *data)
{
	struct service *s = data;

	stop_listening(s);
	compute_device_retire(s->process->dev);
	if (compute_device_is_idle(s->process->dev))
		sd_event_exit(s->process->event, 0);
}

static void handle_stop(void *data)
{
	struct service *s = data;

	stop_listening(s);
	compute_device_stop(s->process->dev);
}

static void handle_idle(void *data)
{
	struct service *s = data;

	device_control_idle(&s->control);
	if (s->is_ending)
		sd_event_exit(s->process->event, 0);
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

int device_compute_register(struct device_process *p, struct trn_error *err)
{
	struct service *s = p->service_data;
	int r = check_memory(p->options.memory, err);

	if (r)
		return r;
	if (!s) /* only to be listed */
		return compute_parent_register(p->core, p->driver->name, NULL, &p->parent, err);
	s->config = (struct compute_config){
		.event = p->event,
		.executor_path = s->executor_path,
		.forker_path = s->has_forker ? s->forker_path : NULL,
		.forker_execs = p->options.executor || p->options.no_fork_server,
		.parent_socket = p->options.parent_socket,
		/* An idle device of many costs next to nothing; the one of a program that waits begins at once. */
		.keeps_spare = p->options.spare < 0 ? !p->options.executor && !p->options.parent_socket : p->options.spare > 0,
		.owner = p->options.has_owner ? p->options.owner : geteuid(),
		.has_behind = p->options.has_behind,
		.behind = p->options.behind,
		.runtime_dir = s->runtime_dir,
		.host_device = p->options.host_device,
		.no_quick = p->options.no_quick,
		.takes_all = !p->options.memory,
		.idle = handle_idle,
		.data = s,
	};
	return compute_parent_register(p->core, p->driver->name, &s->config, &p->parent, err);
}

static int check(const struct device_options *o, struct trn_error *err)
{
	if (!o->uuid)
		return trn_error_set(err, -EINVAL, "BadOption", "--uuid is missing");
	if ((o->fd < 0) == !o->socket_path)
		return trn_error_set(err, -EINVAL, "BadOption", "one of --fd and --socket-path is needed");
	if (!o->runtime_dir && !o->socket_path && !o->control_socket)
		return trn_error_set(err, -EINVAL, "BadOption", "--fd needs --runtime-dir, too");
	return 0;
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
static int hide_neighbours(const struct service *s, const struct device_options *o, struct trn_error *err)
{
	const char *slash = strrchr(s->runtime_dir, '/');
	char above[PATH_MAX];

	if (!o->parent_socket || !slash || slash == s->runtime_dir)
		return 0;
	snprintf(above, sizeof(above), "%.*s", (int)(slash - s->runtime_dir), s->runtime_dir);
	if (setenv(TRNC_EXEC_HIDDEN, above, 1) < 0)
		return trn_error_set(err, -errno, "NoMemory", "no memory left");
	return 0;
}

static int prepare(struct device_process *p, struct trn_error *err)
{
	struct service *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory left");
	p->service_data = s;
	s->process = p;
	s->control.fd = -1;
	find_programs(s, &p->options);
	find_runtime_dir(&p->options, s->runtime_dir);
	/* What executors leave behind becomes ours to end (parents/compute/strays.c). */
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	/* Executors run as the same user: without this they could trace us and open our descriptors. */
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	/* Nobody else can be this device: these are of one that was killed. */
	if (is_folder_of(s->runtime_dir, p->options.lock))
		remove_old_sessions(s->runtime_dir);
	r = hide_neighbours(s, &p->options, err);
	return r < 0 ? r : choose_store(p->options.store, err);
}

static int start(struct device_process *p, struct trn_error *err)
{
	struct service *s = p->service_data;
	int r;

	if (fcntl(p->listener, F_SETFL, O_NONBLOCK) < 0)
		return trn_error_set(err, -errno, "BadSocket", "descriptor %d: %s", p->listener, strerror(errno));
	r = sd_event_add_io(p->event, &s->listen_io, p->listener, EPOLLIN, handle_connection, s);
	if (r >= 0 && p->options.control_fd >= 0) {
		s->control = (struct device_control){
			.dev = p->dev, .stop = handle_stop, .orphan = handle_orphan, .data = s
		};
		r = device_control_open(&s->control, p->event, p->options.control_fd);
	}
	return r < 0 ? trn_error_set(err, r, "NoEventLoop", "cannot watch the sockets: %s", strerror(-r)) : 0;
}

static void stop(struct device_process *p)
{
	handle_stop(p->service_data);
}

static void force(struct device_process *p)
{
	struct trn_error err = { 0 };

	trn_error_set(&err, -ESHUTDOWN, "DeviceTaken", "the device was taken away by its operator");
	trn_error_hint(&err, "start the program again when there is a device for it");
	compute_device_lose_sessions(p->dev, &err);
}

static void set(struct device_process *p, const struct trn_resources *want, device_set_done done, void *data)
{
	compute_device_set(p->dev, want, done, data);
}

static void get_stats(const struct device_process *p, struct trnc_control_stats *ret)
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
}

static void end(struct device_process *p)
{
	stop_listening(p->service_data);
}

/* Of several devices of one run each but the first has a numbered folder in the run's own; the last to end removes that. */
static void remove_folder_above(const char *path)
{
	const char *name = strrchr(path, '/');
	char above[PATH_MAX];

	if (!name || name == path || !name[1] || name[1 + strspn(name + 1, "0123456789")])
		return;
	snprintf(above, sizeof(above), "%.*s", (int)(name - path), path);
	(void)rmdir(above);
}

/*
 * "tranche run" removes its folder itself, unless it was killed.  Only what it puts there is removed, by name: whatever
 * else a folder on the command line holds is not ours to touch.
 */
static void remove_run_folder(const char *path)
{
	static const char *const files[] = { "device.sock", "vendors/tranche.icd" };
	_cleanup_close_ int dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		(void)unlinkat(dir, files[i], 0);
	(void)unlinkat(dir, "vendors", AT_REMOVEDIR);
	(void)rmdir(path);
	remove_folder_above(path);
}

static void finish(struct device_process *p)
{
	struct service *s = p->service_data;

	if (p->options.control_fd >= 0)
		remove_run_folder(s->runtime_dir);
	/* Last: who waits for the control socket's end finds everything gone. */
	device_control_close(&s->control);
	free(s);
	/* Sanitizers find leaks by tracing us. */
	(void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

const struct device_service device_service_compute = {
	.check = check,
	.listen = base_socket_listen_anew,
	.prepare = prepare,
	.start = start,
	.stop = stop,
	.force = force,
	.set = set,
	.get_stats = get_stats,
	.end = end,
	.finish = finish,
};
