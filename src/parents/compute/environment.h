/* SPDX-License-Identifier: MIT */
/* The environment of an executor: the device's own, which is the host's, with private folders for all caches. */
#ifndef PARENTS_COMPUTE_ENVIRONMENT_H
#define PARENTS_COMPUTE_ENVIRONMENT_H

/* A copy of environ with changes. Opposite: free. Return: 0 or -ENOMEM. */
int compute_environment_make(const char *folder, char ***ret);
void compute_environment_free(char **env); /* NULL is accepted */

#endif
