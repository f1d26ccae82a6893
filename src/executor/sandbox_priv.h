/* SPDX-License-Identifier: MIT */
/* Inside the sandbox: what sandbox.c and sandbox_guest.c share. */
#ifndef EXECUTOR_SANDBOX_PRIV_H
#define EXECUTOR_SANDBOX_PRIV_H

#include <linux/landlock.h>
#include <stdint.h>

/* Older headers lack what newer kernels know. */
#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ull << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ull << 14)
#endif
#define EXEC_FS_IOCTL_DEV (1ull << 15)

#define EXEC_FS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)

/* Adds a rule, if there is such a file or folder. */
void exec_sandbox_allow(int ruleset, const char *path, uint64_t access);
/* Devices that other vendors' drivers work through; on a machine without them they do not exist. */
void exec_sandbox_allow_devices(int ruleset, uint64_t access);

/* What an executor of a guest may reach of the host's files. @all: every access that the rule set knows. */
void exec_sandbox_allow_guest(int ruleset, uint64_t all);
/* Gives up what a process of root has beyond its user. */
void exec_sandbox_drop_capabilities(void);

/* More that a guest's programs must not do.  Only with libseccomp. @filter: a scmp_filter_ctx. Return: 0 or -errno. */
int exec_sandbox_fill_guest(void *filter);

#endif
