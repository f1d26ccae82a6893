/* SPDX-License-Identifier: MIT */
/* The environment of an executor: the device's own, which is the host's, with private folders for all caches. */
#ifndef PARENTS_COMPUTE_ENVIRONMENT_H
#define PARENTS_COMPUTE_ENVIRONMENT_H

#include <stdbool.h>

/* A copy of environ with changes. @is_guest: for an executor of guests. Opposite: free. Return: 0 or -ENOMEM. */
int compute_environment_make(const char *folder, bool is_guest, char ***ret);
/* The part of environ that a process may have of which executors of guests are forked: they have its memory. */
int compute_environment_for_guests(char ***ret);
void compute_environment_free(char **env); /* NULL is accepted */

#endif
