/* SPDX-License-Identifier: MIT */
/*
 * tranched: one event loop, no threads, no OpenCL.  Devices and what they share are processes of their own, which outlive it:
 * it may end, crash and be upgraded while they run.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "daemon/http.h"
#include "daemon/manager.h"

#define WANTED_DESCRIPTORS 65536u
#define LOCK_PAUSE_US 10000u
#define LOCK_TRIES 200

/* What the command line says stands above the configuration, also after a reload. */
struct arguments {
	bool is_user;
	const char *config, *runtime_dir, *definitions_dir, *socket, *listen;
};

struct program {
	struct arguments arguments;
	struct daemon_config config;
	sd_event *event;
	int lock;
	struct daemon *manager;
	struct daemon_http *http;
};

static void print_help(void)
{
	puts("Usage: tranched [OPTION...]\n"
	     "Slices the host's compute devices and hands out the slices: see man tranched.\n"
	     "\n"
	     "  --user                  everything is this user's: $XDG_RUNTIME_DIR, $XDG_CONFIG_HOME\n"
	     "  --config FILE           instead of /etc/tranche/tranched.conf\n"
	     "  --runtime-dir DIR       sockets and running devices\n"
	     "  --definitions-dir DIR   a file for each definition\n"
	     "  --socket PATH           where the API listens\n"
	     "  --listen ADDRESS:PORT   a loopback address where it can be read, too\n"
	     "  --foreground            the only way it runs: accepted and ignored\n"
	     "  --help, --version");
}

static int set_path(const char **to, const char *name, const char *value, struct trn_error *err)
{
	if (value[0] != '/') {
		trn_error_set(err, -EINVAL, "BadOption", "--%s wants a whole path, not \"%.80s\"", name, value);
		return trn_error_hint(err, "begin it with /");
	}
	*to = value;
	return 0;
}

/* Return: 0; 1: there is nothing more to do; -EINVAL. */
static int parse_arguments(int argc, char **argv, struct arguments *a, struct trn_error *err)
{
	static const struct option options[] = {
		{ "user", no_argument, NULL, 'u' },	       { "config", required_argument, NULL, 'c' },
		{ "runtime-dir", required_argument, NULL, 'r' }, { "definitions-dir", required_argument, NULL, 'd' },
		{ "socket", required_argument, NULL, 's' },	 { "listen", required_argument, NULL, 'l' },
		{ "foreground", no_argument, NULL, 'f' },	 { "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },		 { 0 },
	};
	int c, r = 0;

	while (r >= 0 && (c = getopt_long(argc, argv, "+", options, NULL)) != -1) { /* NOLINT(concurrency-mt-unsafe): one thread */
		if (c == 'u')
			a->is_user = true;
		else if (c == 'c')
			a->config = optarg;
		else if (c == 'r')
			r = set_path(&a->runtime_dir, "runtime-dir", optarg, err);
		else if (c == 'd')
			r = set_path(&a->definitions_dir, "definitions-dir", optarg, err);
		else if (c == 's')
			r = set_path(&a->socket, "socket", optarg, err);
		else if (c == 'l')
			a->listen = optarg;
		else if (c == 'h' || c == 'V') {
			if (c == 'h')
				print_help();
			else
				puts("tranched " TRANCHE_VERSION);
			return 1;
		} else if (c != 'f')
			return trn_error_set(err, -EINVAL, "BadOption", "tranched --help lists the options");
	}
	if (r >= 0 && optind < argc)
		r = trn_error_set(err, -EINVAL, "BadOption", "\"%.80s\" is no option", argv[optind]);
	return r;
}

static int override(char **to, const char *value)
{
	char *copy;

	if (!value)
		return 0;
	copy = strdup(value);
	if (!copy)
		return -ENOMEM;
	free(*to);
	*to = copy;
	return 0;
}

static int load_config(const struct arguments *a, struct daemon_config *ret, struct trn_error *err)
{
	struct daemon_config c;
	char *socket = NULL;
	int r;

	if (a->listen && daemon_http_check_listen(a->listen, err) < 0)
		return -EINVAL;
	r = daemon_config_load(a->config, a->is_user, &c, err);
	if (r < 0)
		return r;
	/* The socket lies in the runtime directory unless somebody said otherwise. */
	if (a->runtime_dir && !a->socket) {
		size_t len = strlen(c.runtime_dir);

		if (!strncmp(c.socket, c.runtime_dir, len) && !strcmp(c.socket + len, "/api.sock") &&
		    asprintf(&socket, "%s/api.sock", a->runtime_dir) < 0)
			socket = NULL;
	}
	if (override(&c.runtime_dir, a->runtime_dir) < 0 || override(&c.definitions_dir, a->definitions_dir) < 0 ||
	    override(&c.socket, a->socket ? a->socket : socket) < 0 || override(&c.listen, a->listen) < 0)
		r = trn_error_set(err, -ENOMEM, "NoMemory", "no memory left");
	else if (strlen(c.runtime_dir) + 43 > 107 || strlen(c.socket) > 107)
		r = trn_error_set(err, -ENAMETOOLONG, "BadOption", "the path %.120s is too long for sockets: 64 characters are enough",
				  strlen(c.socket) > 107 ? c.socket : c.runtime_dir);
	free(socket);
	if (r < 0) {
		daemon_config_free(&c);
		return r;
	}
	*ret = c;
	return 0;
}

static int make_folders(const char *folder, mode_t mode)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s", folder) >= PATH_MAX)
		return -ENAMETOOLONG;
	for (char *s = strchr(path + 1, '/'); s; s = strchr(s + 1, '/')) {
		*s = '\0';
		if (mkdir(path, 0755) < 0 && errno != EEXIST && errno != EROFS)
			return -errno;
		*s = '/';
	}
	return mkdir(path, mode) < 0 && errno != EEXIST ? -errno : 0;
}

/*
 * One that was killed in the middle of starting a process leaves a copy of the descriptor there for a moment, until that
 * process executes its program: then the number in the file is nobody's, and the lock is about to be free.
 */
static int lock_soon(int fd, char *number, size_t cap)
{
	for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; i++) {
		ssize_t n = pread(fd, number, cap - 1, 0);
		long pid;

		number[n > 0 ? n : 0] = '\0';
		number[strcspn(number, "\n")] = '\0';
		pid = strtol(number, NULL, 10);
		if (i == LOCK_TRIES || pid <= 0 || kill((pid_t)pid, 0) == 0 || errno != ESRCH)
			return -EEXIST;
		usleep(LOCK_PAUSE_US);
	}
	return 0;
}

/* One tranched a runtime directory. The lock goes with the process, however it ends. */
static int take_lock(struct program *p, struct trn_error *err)
{
	const char *folder = p->config.runtime_dir;
	char path[PATH_MAX], text[32] = "";
	int r = make_folders(folder, p->config.is_user ? 0700 : 0755);
	ssize_t n;

	if (r < 0) {
		trn_error_set(err, r, "NoRuntimeDir", "cannot make the folder %.150s: %s", folder, strerror(-r));
		return trn_error_hint(err, "make it, or choose another one with --runtime-dir; for your own devices use --user");
	}
	snprintf(path, sizeof(path), "%s/tranched.lock", folder);
	/* Whoever could read it could hold its lock, and keep us from starting. */
	p->lock = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (p->lock < 0) {
		r = -errno;
		trn_error_set(err, r, "NoLock", "cannot open %.150s: %s", path, strerror(errno));
		return trn_error_hint(err, "let this user write there, or choose another --runtime-dir");
	}
	if (lock_soon(p->lock, text, sizeof(text)) < 0) {
		trn_error_set(err, -EEXIST, "AlreadyRunning", "tranched runs already in %.150s (process %s)", folder,
			      text[0] ? text : "unknown");
		return trn_error_hint(err, "use that one, stop it, or choose another --runtime-dir");
	}
	n = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	if (ftruncate(p->lock, 0) < 0 || pwrite(p->lock, text, (size_t)n, 0) < 0)
		log_debug("the lock file has no number: %s", strerror(errno));
	return 0;
}

static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= WANTED_DESCRIPTORS)
		return;
	limit.rlim_cur = limit.rlim_max < WANTED_DESCRIPTORS ? limit.rlim_max : WANTED_DESCRIPTORS;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		log_debug("the number of descriptors stays as it is: %s", strerror(errno));
}

static int stop(sd_event_source *source, const struct signalfd_siginfo *si, void *data)
{
	struct program *p = data;

	(void)sd_notify(0, "STOPPING=1\nSTATUS=Stopping; devices go on");
	return sd_event_exit(p->event, 0);
}

/* The configuration as it is now; where things lie cannot change while they are in use. */
static int load_new_config(struct program *p, struct daemon_config *ret, struct trn_error *err)
{
	int r = load_config(&p->arguments, ret, err);

	if (r < 0)
		return r;
	r = override(&ret->runtime_dir, p->config.runtime_dir);
	if (r == 0)
		r = override(&ret->socket, p->config.socket);
	if (r == 0)
		return 0;
	daemon_config_free(ret);
	return trn_error_set(err, r, "NoMemory", "%s", strerror(-r));
}

static int reload(sd_event_source *source, const struct signalfd_siginfo *si, void *data)
{
	struct program *p = data;
	struct daemon_config old = p->config, config;
	struct trn_error err = { 0 };
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=Reloading",
			 (unsigned long long)now.tv_sec * 1000000 + (unsigned long long)now.tv_nsec / 1000);
	if (load_new_config(p, &config, &err) < 0) {
		trn_error_prefix(&err, "the configuration stays as it is: ");
		base_log_error(BASE_LOG_ERROR, &err);
		daemon_manager_reload(p->manager, &p->config);
	} else {
		p->config = config;
		daemon_manager_reload(p->manager, &p->config);
		daemon_http_reload(p->http, &p->config);
		daemon_config_free(&old);
	}
	(void)sd_notify(0, "READY=1\nSTATUS=Ready");
	return 0;
}

static void ready(void *data)
{
	log_info("ready");
	(void)sd_notify(0, "READY=1\nSTATUS=Ready");
}

static int set_up_event(struct program *p)
{
	sigset_t signals;
	int r;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
		return -errno;
	signal(SIGPIPE, SIG_IGN);
	r = sd_event_default(&p->event);
	if (r >= 0)
		r = sd_event_add_signal(p->event, NULL, SIGTERM, stop, p);
	if (r >= 0)
		r = sd_event_add_signal(p->event, NULL, SIGINT, stop, p);
	if (r >= 0)
		r = sd_event_add_signal(p->event, NULL, SIGHUP, reload, p);
	if (r >= 0)
		r = sd_event_set_watchdog(p->event, true);
	return r;
}

static int run(struct program *p, struct trn_error *err)
{
	int r = load_config(&p->arguments, &p->config, err);

	if (r >= 0)
		r = take_lock(p, err);
	if (r < 0)
		return r;
	raise_descriptors();
	r = set_up_event(p);
	if (r < 0)
		return trn_error_set(err, r, "Failed", "there is no event loop: %s", strerror(-r));
	r = daemon_manager_create(p->event, &p->config, ready, p, &p->manager, err);
	if (r >= 0)
		r = daemon_http_create(p->event, p->manager, &p->config, &p->http, err);
	if (r < 0)
		return r;
	r = sd_event_loop(p->event);
	return r < 0 ? trn_error_set(err, r, "Failed", "the event loop failed: %s", strerror(-r)) : 0;
}

int main(int argc, char **argv)
{
	struct program p = { .lock = -1 };
	struct trn_error err = { 0 };
	int r;

	base_log_init("tranched");
	r = parse_arguments(argc, argv, &p.arguments, &err);
	if (r > 0)
		return 0;
	if (r < 0) {
		base_log_error(BASE_LOG_ERROR, &err);
		return 2;
	}
	r = run(&p, &err);
	if (r < 0)
		base_log_error(BASE_LOG_ERROR, &err);
	daemon_http_destroy(p.http);
	daemon_manager_destroy(p.manager);
	sd_event_unref(p.event);
	daemon_config_free(&p.config);
	base_close(p.lock);
	return r < 0 ? 1 : 0;
}
