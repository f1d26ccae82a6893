/* SPDX-License-Identifier: MIT */
/* tranche attach --sysfs: a program that sees the mdev files where a kernel has them. */
#ifndef CLI_SYSFS_H
#define CLI_SYSFS_H

#include <stdbool.h>

/* Is --sysfs among the options of "tranche attach"? */
bool sysfs_is_asked(int argc, char **argv);
/* Return: an exit status, unless it ends as the program did. */
int sysfs_attach(int argc, char **argv);

#endif
