/* SPDX-License-Identifier: MIT */
#ifndef PARENTS_COMPUTE_LAUNCH_H
#define PARENTS_COMPUTE_LAUNCH_H

#include <sys/types.h>

/*
 * Starts a program in a process group of its own, with no signal blocked or ignored, the socket as descriptor 3 and
 * nothing behind it. Return: 0 or -errno.
 */
int compute_launch(const char *path, char *const argv[], char *const env[], int sock, pid_t *ret_pid);

#endif
