/* SPDX-License-Identifier: MIT */
/*
 * tranche-device: serves one started device until it is told to stop.
 *
 * One event loop: the listening socket, the control socket of "tranche run", two signals, and what the parent driver
 * adds.  New connections end with the stop; the loop ends when the last session is gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/size.h"
#include "base/socket.h"
#include "device/config.h"
#include "device/control.h"
#include "device/options.h"
#include "device/parents.h"

#define IN_BUILD_TREE "/src/device/tranche-device"

struct server {
	struct device_options options;
	struct compute_config config;
	struct trn_core *core;
	struct trn_parent *parent;
	struct trn_device *dev;
	struct device_control control;
	sd_event *event;
	sd_event_source *listen_io;
	int listener;
	int reserve; /* a descriptor to give up when no other is left */
	bool owns_socket; /* the file at options.socket_path is ours: a failed start must not remove what was there */
	bool is_ending; /* no new connections; the loop ends when the device is idle */
	char executor_path[PATH_MAX];
	char runtime_dir[PATH_MAX];
};

/* Beside us in a build tree, else where it is installed. */
static void find_executor(char ret[PATH_MAX])
{
	size_t tail = strlen(IN_BUILD_TREE);
	char self[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (len > (ssize_t)tail) {
		self[len] = '\0';
		if (!strcmp(self + len - tail, IN_BUILD_TREE)) {
			self[(size_t)len - tail] = '\0';
			if (snprintf(ret, PATH_MAX, "%s/src/executor/tranche-executor", self) < PATH_MAX)
				return;
		}
	}
	snprintf(ret, PATH_MAX, "%s/tranche-executor", TRANCHE_LIBEXECDIR);
}

static void find_runtime_dir(const struct device_options *o, char ret[PATH_MAX])
{
	const char *slash = o->socket_path ? strrchr(o->socket_path, '/') : NULL;

	if (o->runtime_dir)
		snprintf(ret, PATH_MAX, "%s", o->runtime_dir);
	else if (slash)
		snprintf(ret, PATH_MAX, "%.*s", (int)(slash - o->socket_path), o->socket_path);
	else
		snprintf(ret, PATH_MAX, ".");
}

/*
 * Without a descriptor nobody can be let in, and a connection that stays in the queue keeps the loop awake: the reserve
 * is used to turn it away.
 */
static void turn_one_away(struct server *s)
{
	s->reserve = base_close(s->reserve);
	base_close(accept4(s->listener, NULL, NULL, SOCK_CLOEXEC));
	s->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
	log_warning("no descriptor is left for another session");
}

static void accept_all(struct server *s)
{
	for (;;) {
		int sock = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (sock >= 0) {
			compute_device_connect(s->dev, sock);
		} else if (errno == EMFILE || errno == ENFILE) {
			turn_one_away(s);
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
static void stop_listening(struct server *s)
{
	s->is_ending = true;
	if (s->listener >= 0 && s->dev)
		accept_all(s);
	s->listen_io = sd_event_source_disable_unref(s->listen_io);
	s->listener = base_close(s->listener);
	s->reserve = base_close(s->reserve);
}

/* The command was killed: its program may go on, nobody new may come. */
static void handle_orphan(void *data)
{
	struct server *s = data;

	stop_listening(s);
	if (compute_device_is_idle(s->dev))
		sd_event_exit(s->event, 0);
}

static void handle_stop(void *data)
{
	struct server *s = data;

	stop_listening(s);
	compute_device_stop(s->dev);
}

static void handle_idle(void *data)
{
	struct server *s = data;

	device_control_idle(&s->control);
	if (s->is_ending)
		sd_event_exit(s->event, 0);
}

static int handle_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *data)
{
	handle_stop(data);
	return 0;
}

static int open_listener(struct server *s, struct trn_error *err)
{
	int fd = s->options.fd;

	if (fd < 0)
		fd = base_socket_listen(s->options.socket_path, err);
	if (fd < 0)
		return fd;
	s->listener = fd;
	s->owns_socket = s->options.fd < 0;
	s->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return trn_error_set(err, -errno, "BadSocket", "descriptor %d: %s", fd, strerror(errno));
	return 0;
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

static int make_device(struct server *s, struct trn_error *err)
{
	const struct device_parent *driver = device_parent_find(s->options.parent, err);
	struct trn_create_params params = { .uuid = s->options.uuid };
	struct trn_type *type;
	int r;

	if (!driver)
		return -ENOENT;
	r = check_memory(s->options.memory, err);
	if (r)
		return r;
	s->core = trn_core_create();
	if (!s->core)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory left");
	r = driver->register_parent(s->core, driver->name, &s->config, &s->parent, err);
	if (r)
		return r;
	type = trn_type_find(s->parent, driver->type);
	if (!type)
		return trn_error_set(err, -ENOENT, "NoSuchType", "there is no type %s", driver->type);
	params.override = 1u << TRN_RESOURCE_MEMORY;
	params.resources.amount[TRN_RESOURCE_MEMORY] = s->options.memory ? s->options.memory : compute_host_memory();
	return trn_device_create(type, &params, &s->dev, err);
}

static int add_sources(struct server *s)
{
	sigset_t set;
	int r;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	r = sd_event_add_signal(s->event, NULL, SIGTERM, handle_signal, s);
	if (r >= 0)
		r = sd_event_add_signal(s->event, NULL, SIGINT, handle_signal, s);
	if (r >= 0)
		r = sd_event_add_io(s->event, &s->listen_io, s->listener, EPOLLIN, handle_connection, s);
	if (r >= 0 && s->options.control_fd >= 0) {
		s->control = (struct device_control){
			.dev = s->dev, .stop = handle_stop, .orphan = handle_orphan, .data = s
		};
		r = device_control_open(&s->control, s->event, s->options.control_fd);
	}
	return r;
}

static void prepare_process(void)
{
	struct rlimit limit;

	signal(SIGPIPE, SIG_IGN);
	/* What executors leave behind becomes ours to end (parents/compute/strays.c). */
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	/* Executors run as the same user: without this they could trace us and open our descriptors. */
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	/* Every segment and connection is a descriptor. */
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int serve(struct server *s, struct trn_error *err)
{
	int r = sd_event_new(&s->event);

	if (r < 0)
		return trn_error_set(err, r, "NoEventLoop", "cannot make an event loop: %s", strerror(-r));
	if (s->options.executor)
		snprintf(s->executor_path, sizeof(s->executor_path), "%s", s->options.executor);
	else
		find_executor(s->executor_path);
	find_runtime_dir(&s->options, s->runtime_dir);
	s->config = (struct compute_config){
		.event = s->event,
		.executor_path = s->executor_path,
		.runtime_dir = s->runtime_dir,
		.host_device = s->options.host_device,
		.takes_all = !s->options.memory,
		.idle = handle_idle,
		.data = s,
	};
	r = open_listener(s, err);
	if (!r)
		r = make_device(s, err);
	if (r)
		return r;
	r = add_sources(s);
	if (r < 0)
		return trn_error_set(err, r, "NoEventLoop", "cannot watch the sockets: %s", strerror(-r));
	sd_notify(0, "READY=1");
	r = sd_event_loop(s->event);
	return r < 0 ? trn_error_set(err, r, "EventLoop", "the event loop ended: %s", strerror(-r)) : 0;
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
}

static void finish(struct server *s)
{
	stop_listening(s);
	if (s->owns_socket)
		unlink(s->options.socket_path);
	if (s->dev)
		trn_device_remove(s->dev, NULL, NULL);
	trn_device_unref(s->dev);
	if (s->parent)
		trn_parent_unregister(s->parent, NULL, NULL);
	trn_parent_unref(s->parent);
	trn_core_destroy(s->core);
	if (s->options.control_fd >= 0)
		remove_run_folder(s->runtime_dir);
	/* Last: who waits for the control socket's end finds everything gone. */
	device_control_close(&s->control);
	sd_event_unref(s->event);
	/* Sanitizers find leaks by tracing us. */
	(void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

int main(int argc, char **argv)
{
	struct server s = { .listener = -1, .reserve = -1, .control.fd = -1 };
	struct trn_error err = { 0 };
	int r;

	base_log_init("tranche-device");
	r = device_options_parse(argc, argv, &s.options, &err);
	if (r > 0)
		return 0;
	if (r < 0) {
		base_log_error(BASE_LOG_ERROR, &err);
		return 2;
	}
	prepare_process();
	r = serve(&s, &err);
	if (r < 0)
		base_log_error(BASE_LOG_ERROR, &err);
	finish(&s);
	return r < 0 ? 1 : 0;
}
