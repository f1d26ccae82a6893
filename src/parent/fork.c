/* SPDX-License-Identifier: MIT */
/*
 * How an executor comes to be: the mould (mould.c) forks a middleman, which forks the executor and ends, so that the executor
 * becomes the child of the next ancestor that is a reaper: the device process, or tranche-parent if that listens.
 *
 * The executor gets its own process group, says its number on the broker's socket, and waits there to be let go; only
 * then does it read from the socket of the device process.  If tranche-parent dies before, the socket closes and the
 * executor ends, with nothing read: whoever starts one instead finds all messages.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "executor/entry.h"
#include "parent/parent.h"
#include "tranche/wire/gate.h"

#define EXECUTOR_NAME "tranche-executor"

/* --------------------------------------------------------- the executor */

/* Descriptors 3 to 5 and the standard ones are all that is left.  The numbers may be in use by each other. */
static void place_descriptors(int sock, int broker, int gate)
{
	unsigned int last = gate < 0 ? TRNC_EXEC_BROKER_FD : TRNC_EXEC_GATE_FD;
	int high_sock = fcntl(sock, F_DUPFD, TRNC_EXEC_GATE_FD + 1);
	int high_broker = fcntl(broker, F_DUPFD, TRNC_EXEC_GATE_FD + 1);
	int high_gate = gate < 0 ? -1 : fcntl(gate, F_DUPFD, TRNC_EXEC_GATE_FD + 1);

	if (high_sock < 0 || high_broker < 0 || dup2(high_sock, TRNC_EXEC_FD) < 0 ||
	    dup2(high_broker, TRNC_EXEC_BROKER_FD) < 0)
		_exit(EXIT_FAILURE);
	if (gate >= 0 && (high_gate < 0 || dup2(high_gate, TRNC_EXEC_GATE_FD) < 0))
		_exit(EXIT_FAILURE);
	if (syscall(SYS_close_range, last + 1, ~0u, 0) < 0)
		_exit(EXIT_FAILURE);
}

static void reset_signals(void)
{
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		(void)signal(sig, SIG_DFL); /* not all can be set */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void wait_to_go(void)
{
	pid_t self = getpid();
	char byte;
	ssize_t n;

	if (send(TRNC_EXEC_BROKER_FD, &self, sizeof(self), MSG_NOSIGNAL) != sizeof(self))
		_exit(EXIT_FAILURE);
	do {
		n = recv(TRNC_EXEC_BROKER_FD, &byte, 1, 0);
	} while (n < 0 && errno == EINTR);
	if (n != 1)
		_exit(EXIT_FAILURE);
}

/* As a process that was executed: by its name, and visible to its owner. */
static void take_name(const struct parent_process *p)
{
	base_log_init(EXECUTOR_NAME);
	prctl(PR_SET_NAME, EXECUTOR_NAME);
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	if (p->title_len > strlen(EXECUTOR_NAME)) {
		memset(p->title, 0, p->title_len);
		memcpy(p->title, EXECUTOR_NAME, strlen(EXECUTOR_NAME));
	}
}

static void __attribute__((noreturn)) be_executor(const struct parent_process *p, const struct parent_start *s,
						  int sock, int broker, int gate)
{
	char *argv[] = { (char[]){ EXECUTOR_NAME }, NULL };

	setpgid(0, 0);
	reset_signals();
	place_descriptors(sock, broker, gate);
	wait_to_go();
	/* Its parent is the reaper by now; one that has ended in between is somebody else. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != p->reaper)
		_exit(EXIT_FAILURE);
	if (!p->forks) {
		execve(p->executor_path, argv, s->env);
		log_error("cannot start %s: %m", p->executor_path);
		_exit(127);
	}
	environ = s->env;
	take_name(p);
	exec_run();
}

/* ---------------------------------------------------------- the mould */

int parent_fork_twice(const struct parent_process *p, const struct parent_start *s, int sock, int broker, int gate)
{
	pid_t middle = fork(), child;
	int status;

	if (middle < 0)
		return -errno;
	if (middle == 0) {
		child = fork();
		if (child == 0)
			be_executor(p, s, sock, broker, gate);
		_exit(child < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
	}
	while (waitpid(middle, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS ? 0 : -EAGAIN;
}
