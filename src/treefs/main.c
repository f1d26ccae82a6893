/* SPDX-License-Identifier: MIT */
/* tranche-treefs: mounts the tree, answers the kernel on this thread until it is told to end. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "api/api.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "treefs/ops.h"
#include "treefs/options.h"

/* How long somebody who waits for the tree is kept waiting for tranched. */
#define FIRST_LOOK_MS 5000

/* A new session, with the arguments that fuse_session_new() wants. Return: NULL: it has said why. */
static struct fuse_session *new_session(const struct treefs_options *o, struct treefs *fs)
{
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	struct fuse_session *se = NULL;

	/* With default_permissions the kernel checks the modes: nobody else does. */
	if (fuse_opt_add_arg(&args, "tranche-treefs") == 0 &&
		fuse_opt_add_arg(&args, "-ofsname=tranche,subtype=treefs,default_permissions") == 0 &&
		(!o->mount_options ||
			(fuse_opt_add_arg(&args, "-o") == 0 && fuse_opt_add_arg(&args, o->mount_options) == 0)))
		se = fuse_session_new(&args, &treefs_ops, sizeof(treefs_ops), fs);
	fuse_opt_free_args(&args);
	return se;
}

/* Signals that end it come by a descriptor; threads that are started later have them blocked, too. Return: fd or -1. */
static int catch_signals(void)
{
	static const int ends[] = {SIGTERM, SIGINT, SIGHUP};
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		sigaddset(&set, ends[i]);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC);
}

/* Answers the kernel until end is readable, or nobody asks any more. */
static void loop(struct fuse_session *se, int end)
{
	struct pollfd p[] = {{.fd = fuse_session_fd(se), .events = POLLIN}, {.fd = end, .events = POLLIN}};
	struct fuse_buf buf = {0};

	while (!fuse_session_exited(se)) {
		int r;

		if (poll(p, 2, -1) < 0) {
			if (errno == EINTR)
				continue;
			break;
		}
		if (p[1].revents)
			break;
		if (!p[0].revents)
			continue;
		r = fuse_session_receive_buf(se, &buf);
		if (r == -EINTR || r == -EAGAIN)
			continue;
		if (r <= 0) /* unmounted */
			break;
		fuse_session_process_buf(se, &buf);
	}
	free(buf.mem);
}

/* The socket of --user is this user's, and no other. */
static int find_socket(const struct treefs_options *o, char ret[PATH_MAX], struct trn_error *err)
{
	const char *folder = getenv("XDG_RUNTIME_DIR");
	char own[PATH_MAX];

	if (!o->is_user)
		return api_find_socket(o->socket, ret, err);
	if (!folder || snprintf(own, sizeof(own), "%s/tranche/api.sock", folder) >= PATH_MAX) {
		trn_error_set(
			err, -ENOENT, "NoRuntimeDir", "XDG_RUNTIME_DIR is not set, so that --user knows no folder");
		return trn_error_hint(err, "name the socket with --socket");
	}
	return api_find_socket(own, ret, err);
}

static void tell_ready(const struct treefs_options *o, struct treefs_watch *watch, const char *socket)
{
	treefs_watch_wait_first(watch, FIRST_LOOK_MS);
	if (o->ready_fd >= 0 && write(o->ready_fd, "1", 1) < 0)
		log_debug("who started this does not wait for it: %s", strerror(errno));
	sd_notifyf(0, "READY=1\nSTATUS=The tree of %s is at %s", socket, o->mountpoint);
}

/* Everything but the loop. */
struct rest {
	struct treefs_commands *commands;
	struct treefs_watch *watch;
	int done; /* eventfd */
};

static void *end_rest(void *data)
{
	struct rest *rest = data;

	treefs_commands_end(rest->commands);
	treefs_watch_destroy(rest->watch);
	eventfd_write(rest->done, 1);
	return NULL;
}

/*
 * The other threads may be telling the kernel something that waits for a process, which waits for an answer of ours:
 * they are ended while the loop goes on.
 */
static void end(struct fuse_session *se, struct rest *rest)
{
	pthread_t thread;

	rest->done = eventfd(0, EFD_CLOEXEC);
	if (rest->done < 0 || pthread_create(&thread, NULL, end_rest, rest) != 0)
		_exit(EXIT_FAILURE); /* the kernel ends the tree */
	loop(se, rest->done);
	pthread_join(thread, NULL);
	treefs_commands_destroy(rest->commands);
	close(rest->done);
}

/* Mounted; nothing else has begun. Return: exit status. */
static int serve(
	const struct treefs_options *o, struct treefs *fs, struct fuse_session *se, int signals, const char *socket)
{
	struct rest rest = {.done = -1};
	struct trn_error err = {0};
	int r = treefs_watch_create(&fs->tree, socket, treefs_tell_changed, se, &rest.watch, &err);

	if (r == 0)
		r = treefs_commands_create(rest.watch, socket, o->will_wait, &rest.commands, &err);
	if (r == 0) {
		fs->commands = rest.commands;
		tell_ready(o, rest.watch, socket);
		loop(se, signals);
		sd_notify(0, "STOPPING=1");
	} else {
		base_log_error(BASE_LOG_ERROR, &err);
	}
	end(se, &rest);
	return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Return: exit status. */
static int run(const struct treefs_options *o, struct treefs *fs, const char *socket)
{
	_cleanup_close_ int signals = catch_signals();
	struct fuse_session *se = new_session(o, fs);
	int status = EXIT_FAILURE;

	if (!se || signals < 0)
		return EXIT_FAILURE;
	if (fuse_session_mount(se, o->mountpoint) == 0) {
		/* Threads would not survive it. */
		if (fuse_daemonize(o->is_foreground) == 0)
			status = serve(o, fs, se, signals, socket);
		fuse_session_unmount(se);
	} else {
		log_error("cannot mount at %.100s; it needs a folder, /dev/fuse, and unless it is root fusermount3",
			o->mountpoint);
	}
	fuse_session_destroy(se);
	return status;
}

int main(int argc, char **argv)
{
	struct treefs fs = {.uid = geteuid(), .gid = getegid()};
	struct treefs_options o;
	struct trn_error err = {0};
	char socket[PATH_MAX];
	int status;

	base_log_init("tranche-treefs");
	status = treefs_options_parse(argc, argv, &o);
	if (status < 0 && o.dies_with_parent && (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || getppid() == 1))
		status = EXIT_FAILURE;
	if (status < 0 && find_socket(&o, socket, &err) < 0) {
		base_log_error(BASE_LOG_ERROR, &err);
		status = EXIT_FAILURE;
	}
	if (status < 0 && treefs_tree_init(&fs.tree) == 0) {
		fs.allows_users = o.allows_users;
		clock_gettime(CLOCK_REALTIME, &fs.start);
		status = run(&o, &fs, socket);
		treefs_tree_finish(&fs.tree);
	}
	treefs_options_finish(&o);
	return status < 0 ? EXIT_FAILURE : status;
}
