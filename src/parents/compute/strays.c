/* SPDX-License-Identifier: MIT */
/*
 * The device process is the reaper of its descendants (PR_SET_CHILD_SUBREAPER): whatever an executor's process leaves
 * behind, also in a process group or session of its own, becomes our child when its parent dies.  A child that is no
 * executor, and not tranche-parent, is therefore such a stray.  In a process that is no reaper there are none: its other
 * children are somebody else's (a fuzzer's symbolizer, a library's helper).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "parents/compute/priv.h"

/* Killing a stray may bring its children; this many generations at once, the rest next time. */
#define MAX_ROUNDS 16

static bool is_known(const struct compute_device *d, pid_t pid)
{
	const struct compute_executor *ex;

	if (pid == d->forker.pid)
		return true;
	base_list_for_each(ex, &d->executors, node)
		if (ex->pid == pid)
			return true;
	return false;
}

/* Return: how many were found. */
static int kill_children(struct compute_device *d)
{
	char path[64], text[4096];
	_cleanup_close_ int fd = -1;
	ssize_t len;
	int nr = 0;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0; /* a kernel without it: process groups have to do */
	len = read(fd, text, sizeof(text) - 1);
	if (len <= 0)
		return 0;
	text[len] = '\0';
	for (char *end, *p = text;; p = end) {
		long pid = strtol(p, &end, 10);

		/* A number at the very end of a full buffer may be cut. */
		if (end == p || (*end == '\0' && (size_t)len == sizeof(text) - 1))
			break;
		if (pid <= 0 || is_known(d, (pid_t)pid))
			continue;
		nr++;
		kill((pid_t)pid, SIGKILL);
		waitpid((pid_t)pid, NULL, 0);
	}
	return nr;
}

void compute_strays_kill(struct compute_device *d)
{
	int is_reaper = 0;

	/* An executor becomes our child before we are told its number. */
	if (d->forker.nr_asked)
		return;
	if (prctl(PR_GET_CHILD_SUBREAPER, &is_reaper, 0, 0, 0) < 0 || !is_reaper)
		return;
	for (int i = 0; i < MAX_ROUNDS; i++)
		if (kill_children(d) == 0)
			return;
}
