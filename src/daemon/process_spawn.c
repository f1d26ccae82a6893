/* SPDX-License-Identifier: MIT */
/* Starting programs that outlive us. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/program.h"
#include "daemon/process_config.h"
#include "daemon/process_priv.h"

#define OWN_NAME "daemon/tranched"
#define FIRST_FREE_FD 3
#define LOWEST_SOURCE_FD 16 /* above the numbers that are given, so that one dup2() does not overwrite the source of the next */

void daemon_spawn_find(struct daemon_processes *ps)
{
	base_program_find(OWN_NAME, "device/tranche-device", TRANCHE_LIBEXECDIR, ps->device_path);
	base_program_find(OWN_NAME, "parent/tranche-parent", TRANCHE_LIBEXECDIR, ps->parent_path);
	base_program_find(OWN_NAME, "executor/tranche-executor", TRANCHE_LIBEXECDIR, ps->executor_path);
}

/* What systemd tells us alone: a device that said READY would say it in our name. */
static bool is_ours_alone(const char *variable)
{
	static const char *const names[] = { "NOTIFY_SOCKET=", "WATCHDOG_PID=",	 "WATCHDOG_USEC=", "LISTEN_PID=",
					     "LISTEN_FDS=",    "LISTEN_FDNAMES=", "LISTEN_PIDFDID=" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strncmp(variable, names[i], strlen(names[i])))
			return true;
	return false;
}

static char **make_environment(void)
{
	size_t n = 0, kept = 0;
	char **ret;

	while (environ[n])
		n++;
	ret = calloc(n + 1, sizeof(*ret));
	for (size_t i = 0; ret && i < n; i++)
		if (!is_ours_alone(environ[i]))
			ret[kept++] = environ[i];
	return ret;
}

static void init_attributes(posix_spawnattr_t *attr)
{
	sigset_t set;

	posix_spawnattr_init(attr);
	posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	sigemptyset(&set);
	posix_spawnattr_setsigmask(attr, &set);
	sigfillset(&set);
	posix_spawnattr_setsigdefault(attr, &set);
}

static void init_actions(posix_spawn_file_actions_t *actions, int input, int output)
{
	posix_spawn_file_actions_init(actions);
	if (input >= 0)
		posix_spawn_file_actions_adddup2(actions, input, STDIN_FILENO);
	else
		posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (output >= 0)
		posix_spawn_file_actions_adddup2(actions, output, STDOUT_FILENO);
	else
		posix_spawn_file_actions_addopen(actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addclosefrom_np(actions, FIRST_FREE_FD);
}

static int spawn(const char *program, char *const argv[], int input, int output, char **env, pid_t *ret)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int r;

	init_attributes(&attr);
	init_actions(&actions, input, output);
	r = posix_spawn(ret, program, &actions, &attr, argv, env);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	return -r;
}

/* Without a pidfd it cannot be watched: it goes again. */
static int take_back(pid_t pid, int r)
{
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return r;
}

int daemon_spawn(const char *program, char *const argv[], int input, int output, pid_t *ret_pid, struct trn_error *err)
{
	_cleanup_close_ int in = input >= 0 ? fcntl(input, F_DUPFD_CLOEXEC, LOWEST_SOURCE_FD) : -1;
	_cleanup_close_ int out = output >= 0 ? fcntl(output, F_DUPFD_CLOEXEC, LOWEST_SOURCE_FD) : -1;
	_cleanup_free_ char **env = make_environment();
	pid_t pid = 0;
	int pidfd, r;

	if ((input >= 0 && in < 0) || (output >= 0 && out < 0))
		return trn_error_set(err, -errno, "CannotStart", "no descriptor is left to start %s", program);
	r = env ? spawn(program, argv, in, out, env, &pid) : -ENOMEM;
	if (r >= 0) {
		pidfd = pidfd_open(pid, 0);
		if (pidfd >= 0) {
			*ret_pid = pid;
			return pidfd;
		}
		r = take_back(pid, -errno);
	}
	trn_error_set(err, r, "CannotStart", "cannot start %s: %s", program, strerror(-r));
	return r == -ENOENT || r == -EACCES ? trn_error_hint(err, "install Tranche completely, or build all of it") : r;
}

void daemon_spawn_kill(int pidfd)
{
	if (pidfd >= 0)
		(void)pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
}
