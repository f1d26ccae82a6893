/* SPDX-License-Identifier: MIT */
/* The environment of an executor: the device's own, which is the host's, with private folders for all caches. */
#ifndef PARENTS_COMPUTE_ENVIRONMENT_H
#define PARENTS_COMPUTE_ENVIRONMENT_H

#include <stdbool.h>

/* A copy of environ with changes. @is_guest: for an executor of guests. Opposite: free. Return: 0 or -ENOMEM. */
int compute_environment_make(const char *folder, bool is_guest, char ***ret);
void compute_environment_free(char **env); /* NULL is accepted */

#endif
