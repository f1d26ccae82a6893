/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/child.h"

/* Descriptors of the device: 0 to 2, the listener, the control socket. */
#define NR_DEVICE_FDS 5

/* Above the numbers that the device gets, so that one dup2() does not overwrite the source of the next. */
#define LOWEST_SOURCE_FD 16

pid_t child_start_device(char *const argv[], int listener, int control, struct trn_error *err)
{
	_cleanup_close_ int high_listener = fcntl(listener, F_DUPFD_CLOEXEC, LOWEST_SOURCE_FD);
	_cleanup_close_ int high_control = fcntl(control, F_DUPFD_CLOEXEC, LOWEST_SOURCE_FD);
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, all;
	pid_t pid;
	int r;

	if (high_listener < 0 || high_control < 0)
		return trn_error_set(err, -errno, "DeviceStart", "no descriptor left: %s", strerror(errno));
	sigemptyset(&none);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attr, &none);
	sigfillset(&all);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawn_file_actions_init(&actions);
	/* It must not keep a pipe open that the program's readers wait for; its sentences go to our stderr. */
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, high_listener, 3);
	posix_spawn_file_actions_adddup2(&actions, high_control, 4);
	posix_spawn_file_actions_addclosefrom_np(&actions, NR_DEVICE_FDS);
	r = posix_spawn(&pid, argv[0], &actions, &attr, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	if (r)
		return trn_error_set(err, -r, "DeviceStart", "cannot start %s: %s", argv[0], strerror(r));
	return pid;
}

/* A script without a first line that names its shell: run as execvp() would. */
static int start_script(pid_t *ret, char *const argv[], const posix_spawnattr_t *attr)
{
	char **with_shell;
	int n = 0, r;

	while (argv[n])
		n++;
	with_shell = calloc((size_t)n + 2, sizeof(char *));
	if (!with_shell)
		return ENOMEM;
	with_shell[0] = argv[0];
	memcpy(&with_shell[1], argv, (size_t)n * sizeof(char *));
	r = posix_spawn(ret, "/bin/sh", NULL, attr, with_shell, environ);
	free(with_shell);
	return r;
}

pid_t child_start_program(char *const argv[], const sigset_t *mask)
{
	posix_spawnattr_t attr;
	pid_t pid;
	int r;

	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setsigmask(&attr, mask);
	r = posix_spawnp(&pid, argv[0], NULL, &attr, argv, environ);
	if (r == ENOEXEC)
		r = start_script(&pid, argv, &attr);
	posix_spawnattr_destroy(&attr);
	return r ? -r : pid;
}

static void waited_signals(sigset_t *ret)
{
	static const int signals[] = { SIGCHLD, SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2 };

	sigemptyset(ret);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaddset(ret, signals[i]);
}

void child_block_signals(sigset_t *ret_old)
{
	sigset_t set;

	waited_signals(&set);
	sigprocmask(SIG_BLOCK, &set, ret_old);
}

int child_wait(pid_t program)
{
	siginfo_t info;
	sigset_t set;
	int status;

	waited_signals(&set);
	for (;;) {
		if (waitpid(program, &status, WNOHANG) == program)
			return status;
		if (sigwaitinfo(&set, &info) < 0 || info.si_signo == SIGCHLD)
			continue;
		/* SI_KERNEL: the terminal sent it to the whole foreground group, the program has it already. */
		if (info.si_code != SI_KERNEL)
			kill(program, info.si_signo);
	}
}

void child_reap_device(pid_t device, int timeout_ms)
{
	_cleanup_close_ int pidfd = (int)syscall(SYS_pidfd_open, device, 0);
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	int r;

	do {
		r = poll(&p, 1, timeout_ms);
	} while (r < 0 && errno == EINTR);
	if (r == 0)
		kill(device, SIGKILL);
	waitpid(device, NULL, 0);
}

_Noreturn void child_exit_like(int status)
{
	static const struct rlimit no_core;
	sigset_t set;

	if (WIFSIGNALED(status)) {
		setrlimit(RLIMIT_CORE, &no_core); /* the program has left one, if anybody wanted one */
		signal(WTERMSIG(status), SIG_DFL);
		sigemptyset(&set);
		sigaddset(&set, WTERMSIG(status));
		raise(WTERMSIG(status));
		sigprocmask(SIG_UNBLOCK, &set, NULL);
		exit(128 + WTERMSIG(status)); /* a signal that does not end a process by default */
	}
	exit(WEXITSTATUS(status));
}
