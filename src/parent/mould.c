/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/socket.h"
#include "parent/parent.h"

/* Nothing that a child does before it is let go takes time; one that is stopped by hand must not stop everybody. */
#define ANSWER_S 5

/* ------------------------------------------------------------ the mould */

/* @fds: the executor's socket, its broker's, and a gate if it has one */
static int make(const struct parent_process *p, char *packet, size_t len, const int *fds, size_t nr_fds)
{
	struct trn_error err = { 0 };
	struct parent_start s;
	int r = parent_start_parse(&s, packet, len, nr_fds == 3 ? 2 : nr_fds, &err);

	if (r == 0)
		r = parent_fork_twice(p, &s, fds[0], fds[1], nr_fds == 3 ? fds[2] : -1);
	parent_start_finish(&s);
	return r;
}

static void __attribute__((noreturn)) be_mould(const struct parent_process *p, int sock)
{
	if (dup2(sock, TRNC_PARENT_FD) < 0)
		_exit(EXIT_FAILURE);
	parent_mould_run(p);
}

void parent_mould_run(const struct parent_process *p)
{
	char *packet = malloc(PARENT_MAX_PACKET);

	/* The socket's end tells when to end; this is for a process that is stopped. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!packet)
		_exit(EXIT_FAILURE);
	syscall(SYS_close_range, TRNC_PARENT_FD + 1, ~0u, 0);
	fcntl(TRNC_PARENT_FD, F_SETFD, FD_CLOEXEC);
	for (;;) {
		int fds[BASE_MAX_FDS], r;
		size_t nr_fds = BASE_MAX_FDS;
		ssize_t len = base_recv(TRNC_PARENT_FD, packet, PARENT_MAX_PACKET, fds, &nr_fds);

		if (len == -EINTR)
			continue;
		if (len <= 0)
			_exit(EXIT_SUCCESS);
		r = make(p, packet, (size_t)len, fds, nr_fds);
		for (size_t i = 0; i < nr_fds; i++)
			base_close(fds[i]);
		if (base_send(TRNC_PARENT_FD, &r, sizeof(r), NULL, 0) < 0)
			_exit(EXIT_FAILURE);
	}
}

/* ----------------------------------------------------------- its parent */

static void limit_wait(int sock, long seconds)
{
	const struct timeval limit = { .tv_sec = seconds };

	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
}

static int start(struct parent_process *p, void (*be)(const struct parent_process *, int))
{
	int ends[2], r = base_socket_pair(ends);
	pid_t pid;

	if (r < 0)
		return r;
	pid = fork();
	r = -errno;
	if (pid == 0)
		be(p, ends[1]);
	base_close(ends[1]);
	if (pid < 0) {
		base_close(ends[0]);
		return r;
	}
	p->mould = ends[0];
	p->mould_pid = pid;
	limit_wait(p->mould, ANSWER_S);
	return 0;
}

int parent_mould_start(struct parent_process *p)
{
	return start(p, be_mould);
}

static void be_new_program(const struct parent_process *p, int sock)
{
	char *executor = (char *)(uintptr_t)p->executor_path;
	char *argv[] = { (char[]){ "tranche-parent" }, (char[]){ "--mould" }, (char[]){ "--executor" }, executor,
			 p->forks ? NULL : (char[]){ "--no-fork" }, NULL };
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* A number of its own first: the socket may have that one already, and would be closed by the program then. */
	sock = fcntl(sock, F_DUPFD, TRNC_PARENT_FD + 1);
	if (sock >= 0 && dup2(sock, TRNC_PARENT_FD) == TRNC_PARENT_FD) {
		syscall(SYS_close_range, TRNC_PARENT_FD + 1, ~0u, 0);
		execv("/proc/self/exe", argv);
	}
	_exit(127);
}

int parent_mould_replace(struct parent_process *p)
{
	p->mould = base_close(p->mould);
	if (p->mould_pid > 0) {
		kill(p->mould_pid, SIGKILL);
		while (waitpid(p->mould_pid, NULL, 0) < 0 && errno == EINTR) {
		}
	}
	p->mould_pid = 0;
	return start(p, be_new_program);
}

/* Its first word is the only one that is believed: nothing but our own code has run in it. */
static int receive_pid(int sock, pid_t *ret)
{
	ssize_t n;

	limit_wait(sock, ANSWER_S);
	n = recv(sock, ret, sizeof(*ret), MSG_WAITALL);
	limit_wait(sock, 0);
	if (n < 0)
		return -errno;
	return n == sizeof(*ret) && *ret > 0 ? 0 : -ECHILD;
}

static int ask(const struct parent_process *p, const struct parent_start *s, int sock, int broker, int gate)
{
	size_t nr_fds = 0;
	int answer = 0;

	if (base_send(p->mould, s->packet, s->len, (const int[]){ sock, broker, gate }, gate < 0 ? 2 : 3) < 0 ||
	    base_recv(p->mould, &answer, sizeof(answer), NULL, &nr_fds) != sizeof(answer))
		return -EPIPE;
	return answer;
}

int parent_mould_ask(const struct parent_process *p, const struct parent_start *s, int sock, int gate, struct parent_child *ret)
{
	_cleanup_close_ int ours = -1;
	int ends[2], r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	ours = ends[0];
	r = ask(p, s, sock, ends[1], gate);
	/* Now its end is the child's alone: when that dies, we are not left waiting. */
	base_close(ends[1]);
	if (r == 0)
		r = receive_pid(ours, &ret->pid);
	if (r < 0)
		return r;
	ret->pidfd = pidfd_open(ret->pid, 0);
	if (ret->pidfd < 0)
		return -errno;
	ret->broker = TAKE_FD(ours);
	return 0;
}

int parent_child_go(const struct parent_child *c)
{
	return send(c->broker, "", 1, MSG_NOSIGNAL) == 1 ? 0 : -errno;
}
