/* SPDX-License-Identifier: MIT */
/* Signals, children, and ends of programs. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz.h"

static void ignore(int number)
{
	(void)number;
}

/* Some call soon ends with EINTR. */
static long signal_soon(struct worker *w)
{
	struct sigaction action = { .sa_handler = ignore };
	struct itimerval timer = { .it_value.tv_usec = 1 + fuzz_below(w, 3000) };

	sigaction(SIGALRM, &action, NULL);
	return setitimer(ITIMER_REAL, &timer, NULL) < 0 ? -errno : 0;
}

/* Waits for ever, as only a kill ends it. */
static void wait_for_ever(struct worker *w)
{
	struct file *f = fuzz_session(w);
	struct drm_tranche_wait args = { .context = fuzz_some_context(w, f), .sequence = UINT64_MAX, .attention = 0, .timeout_ns = -1 };

	for (int i = 0; i < 64; i++)
		(void)fuzz_ioctl(w, f->fd, DRM_IOCTL_TRANCHE_WAIT, &args, sizeof(args));
}

static void live_as_child(struct worker *w, uint32_t nr, bool is_waiting)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	w->is_child = true;
	for (uint32_t i = 0; i < nr; i++)
		fuzz_run_one(w);
	if (is_waiting)
		wait_for_ever(w);
	_exit(0);
}

/* The same files and mappings in two processes; the child ends by itself or is killed in the middle. */
static long fork_child(struct worker *w)
{
	uint32_t nr = fuzz_below(w, 60), delay = fuzz_below(w, 20000);
	bool is_waiting = fuzz_one_in(w, 3), is_killed = is_waiting || fuzz_one_in(w, 2);
	pid_t pid;

	if (w->is_child)
		return NOTHING;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		live_as_child(w, nr, is_waiting);
	if (is_killed) {
		usleep(delay);
		kill(pid, SIGKILL);
	}
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	(void)fuzz_random(w);
	return 0;
}

const struct op process_ops[] = {
	{ "signal", 15, signal_soon },
	{ "fork", 3, fork_child },
	{ 0 },
};
