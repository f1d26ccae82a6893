/* SPDX-License-Identifier: MIT */
/*
 * tranche-parent: holds what the devices of one host OpenCL driver share; loads the host's OpenCL, and forks executors.
 * Started by the device process with a socket as descriptor 3, or by tranched, to listen (listen.c).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/store_place.h"
#include "executor/entry.h"
#include "executor/precompile.h"
#include "parent/arguments.h"
#include "parent/parent.h"

#define USAGE 2

static unsigned int count_entries(const char *path)
{
	DIR *dir = opendir(path);
	unsigned int nr = 0;

	while (dir && readdir(dir))
		nr++;
	if (dir)
		closedir(dir);
	return nr;
}

/* A driver that has started a thread, or opened something, does not work in a process that is forked now. */
static bool can_fork(const struct parent_process *p)
{
	unsigned int fds = count_entries("/proc/self/fd");
	struct trn_error err = { 0 };

	if (!p->forks)
		return false;
	exec_tune_malloc();
	if (exec_preload(&err) < 0) {
		base_log_error(BASE_LOG_DEBUG, &err);
		return false;
	}
	if (count_entries("/proc/self/task") == 3 && count_entries("/proc/self/fd") == fds) /* ".", "..", one thread */
		return true;
	log_debug("the host's OpenCL has threads or descriptors as soon as it is loaded: executors are not forked");
	return false;
}

static void note_title(struct parent_process *p, int argc, char **argv)
{
	p->title = argv[0];
	p->title_len = (size_t)(argv[argc - 1] + strlen(argv[argc - 1]) - argv[0]);
}

static void begin(void)
{
	sigset_t child;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	/* Executors run as the same user: without this they could trace us and open our descriptors. */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		base_close(null);
	}
}

/* Started by the device process, for itself alone. */
static int serve_one(struct parent_process *p)
{
	struct ucred peer = { 0 };
	socklen_t len = sizeof(peer);
	int r;

	/* The end of the socket is what we go by; this is for a process that is busy, or stopped. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	syscall(SYS_close_range, TRNC_PARENT_FD + 1, ~0u, 0);
	fcntl(TRNC_PARENT_FD, F_SETFD, FD_CLOEXEC);
	/* Who made the socket, rather than getppid(): it may be gone already. */
	(void)getsockopt(TRNC_PARENT_FD, SOL_SOCKET, SO_PEERCRED, &peer, &len);
	p->reaper = peer.pid;
	p->forks = can_fork(p);
	r = parent_mould_start(p);
	if (r == 0)
		r = parent_serve(p);
	if (r < 0)
		log_debug("%s", strerror(-r));
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* In place of a mould that has died. */
static int __attribute__((noreturn)) serve_as_mould(struct parent_process *p)
{
	p->reaper = getppid();
	p->forks = can_fork(p);
	parent_mould_run(p);
}

static int choose_store(const char *text, struct trn_error *err)
{
	_cleanup_free_ char *place = NULL;
	int r = text ? base_store_choose(text, &place, err) : 0;

	if (r == 0 && place && setenv("TRANCHE_STORE", place, 1) < 0)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory left");
	return r;
}

/* Started by tranched, for all devices of a parent. */
static int serve_all(struct parent_process *p, const struct parent_arguments *a)
{
	struct trn_error err = { 0 };
	sigset_t end;
	int r;

	/* Who connects before all is loaded may also end us before: that is heard when the loop begins. */
	sigemptyset(&end);
	sigaddset(&end, SIGTERM);
	sigprocmask(SIG_BLOCK, &end, NULL);
	syscall(SYS_close_range, STDERR_FILENO + 1, ~0u, 0);
	p->reaper = getpid();
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	if (a->hidden && setenv(TRNC_EXEC_HIDDEN, a->hidden, 1) < 0)
		r = trn_error_set(&err, -ENOMEM, "NoMemory", "no memory left");
	else
		r = choose_store(a->store, &err);
	if (r == 0)
		r = parent_hub_open(p, &a->listen, &p->hub, &err);
	if (r < 0) {
		base_log_error(BASE_LOG_ERROR, &err);
		return EXIT_FAILURE;
	}
	p->forks = can_fork(p);
	r = parent_mould_start(p);
	if (r == 0)
		r = parent_hub_run(p->hub);
	if (r < 0)
		log_error("%s: %s", a->listen.name, strerror(-r));
	parent_hub_close(p->hub);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static bool is_complete(const struct parent_arguments *a)
{
	if (!a->executor)
		return false;
	if (a->is_mould)
		return !a->listen.listen && exec_has_socket();
	if (a->listen.listen)
		return a->listen.name && a->listen.lock;
	return !a->listen.name && !a->listen.lock && !a->listen.linger_s && !a->store && exec_has_socket();
}

int main(int argc, char **argv)
{
	struct parent_arguments a = { 0 };
	struct parent_process p = { .mould = -1 };
	struct trn_error err = { 0 };

	base_log_init("tranche-parent");
	/* Executors that were forked know this program as theirs. */
	if (argc > 1 && !strcmp(argv[1], "--compile")) {
		exec_tune_malloc();
		return exec_precompile_main(argc, argv);
	}
	if (parent_arguments_parse(&a, argc, argv, &err) < 0 || !is_complete(&a)) {
		if (err.code)
			base_log_error(BASE_LOG_ERROR, &err);
		fprintf(stderr,
			"usage: %s --executor PATH [--no-fork], started by tranche-device with its socket as descriptor %d;\n"
			"   or: %s --listen PATH --name NAME --host-device N --memory BYTES --lock PATH --executor PATH\n"
			"       [--store DIR|none] [--no-fork] [--linger SECONDS] [--hide DIR]\n"
			"       or --start-file FILE, which has these, one a line;\n"
			"see tranche-parent(8)\n", argv[0], TRNC_PARENT_FD, argv[0]);
		return USAGE;
	}
	p.executor_path = a.executor;
	p.forks = !a.no_fork;
	begin();
	note_title(&p, argc, argv);
	if (a.is_mould)
		serve_as_mould(&p);
	return a.listen.listen ? serve_all(&p, &a) : serve_one(&p);
}
