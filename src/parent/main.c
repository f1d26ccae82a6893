/* SPDX-License-Identifier: MIT */
/*
 * tranche-parent: holds what the devices of one host OpenCL driver share.  Started by the device process with a socket
 * as descriptor 3; loads the host's OpenCL, and forks executors.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
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
#include "executor/entry.h"
#include "executor/precompile.h"
#include "parent/parent.h"

#define USAGE 2

static int parse(int argc, char **argv, struct parent_process *p)
{
	static const struct option options[] = {
		{ "executor", required_argument, NULL, 'x' },
		{ "no-fork", no_argument, NULL, 'n' },
		{ 0 },
	};
	int c;

	p->forks = true;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'x')
			p->executor_path = optarg;
		else if (c == 'n')
			p->forks = false;
		else
			return USAGE;
	}
	return optind == argc && p->executor_path && exec_has_socket() ? 0 : USAGE;
}

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

static void begin(struct parent_process *p)
{
	struct ucred peer = { 0 };
	socklen_t len = sizeof(peer);
	sigset_t child;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	/* The end of the socket is what we go by; this is for a process that is busy, or stopped. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
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
	syscall(SYS_close_range, TRNC_PARENT_FD + 1, ~0u, 0);
	fcntl(TRNC_PARENT_FD, F_SETFD, FD_CLOEXEC);
	/* Who made the socket, rather than getppid(): it may be gone already. */
	(void)getsockopt(TRNC_PARENT_FD, SOL_SOCKET, SO_PEERCRED, &peer, &len);
	p->device = peer.pid;
}

int main(int argc, char **argv)
{
	struct parent_process p = { 0 };
	int r;

	base_log_init("tranche-parent");
	/* Executors that were forked know this program as theirs. */
	if (argc > 1 && !strcmp(argv[1], "--compile")) {
		exec_tune_malloc();
		return exec_precompile_main(argc, argv);
	}
	if (parse(argc, argv, &p)) {
		fprintf(stderr, "usage: %s --executor PATH [--no-fork], started by tranche-device with its socket as descriptor %d; "
				"see tranche-parent(8)\n", argv[0], TRNC_PARENT_FD);
		return USAGE;
	}
	begin(&p);
	note_title(&p, argc, argv);
	p.forks = can_fork(&p);
	r = parent_mould_start(&p);
	if (r == 0)
		r = parent_serve(&p);
	if (r < 0)
		log_debug("%s", strerror(-r));
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
