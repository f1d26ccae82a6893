/* SPDX-License-Identifier: MIT */
#include "parents/compute/launch.h"

#include <signal.h>
#include <spawn.h>

#include "tranche/wire/parent.h"

_Static_assert(TRNC_EXEC_FD == TRNC_PARENT_FD, "both kinds of programs find their socket at one place");

static int set_attributes(posix_spawnattr_t *a)
{
	sigset_t none, all;
	int r = posix_spawnattr_init(a);

	if (r)
		return -r;
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_setflags(a, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setpgroup(a, 0);
	posix_spawnattr_setsigmask(a, &none);
	posix_spawnattr_setsigdefault(a, &all);
	return 0;
}

int compute_launch(const char *path, char *const argv[], char *const env[], int sock, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int r = -posix_spawn_file_actions_init(&actions);

	if (r < 0)
		return r;
	r = set_attributes(&attributes);
	if (r < 0)
		goto destroy_actions;
	r = -posix_spawn_file_actions_adddup2(&actions, sock, TRNC_EXEC_FD);
	if (r == 0)
		r = -posix_spawn_file_actions_addclosefrom_np(&actions, TRNC_EXEC_FD + 1);
	if (r == 0)
		r = -posix_spawn(ret_pid, path, &actions, &attributes, argv, env);
	posix_spawnattr_destroy(&attributes);
destroy_actions:
	posix_spawn_file_actions_destroy(&actions);
	return r;
}
