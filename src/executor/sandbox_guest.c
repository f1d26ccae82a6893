/* SPDX-License-Identifier: MIT */
/*
 * A guest's programs are a stranger's: of the host's files they may read those alone that the host's OpenCL reads, and run
 * what it runs.  Landlock does not look at what is changed about a file without opening it, nor at other processes of
 * the same user; the system call filter does.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <link.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "executor/config.h"
#include "executor/sandbox_priv.h"

#if HAVE_SECCOMP
#include <seccomp.h>
#endif

#define RUN (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_EXECUTE)
#define MAX_ICD 64
#define LAST_CAPABILITY 63

/* ------------------------------------------------------------------ files */

static const char *const readable[] = {
	/* libraries, among them LLVM's with its headers, and what is linked to a kernel */
	"/lib", "/lib32", "/lib64", "/libx32", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libx32", "/usr/local/lib",
	"/etc/ld.so.cache",
	/* the drivers' own */
	"/etc/OpenCL", "/usr/share/pocl", "/usr/share/clc", "/usr/share/libdrm", "/usr/share/drirc.d", "/usr/share/nvidia",
	/* what the machine is like */
	"/proc/cpuinfo", "/proc/meminfo", "/proc/sys/vm/overcommit_memory", "/sys/devices/system/cpu",
	"/sys/devices/system/node", "/proc/driver/nvidia", "/sys/devices/virtual/kfd", "/sys/bus/pci/devices/0000:00:00.0/vendor",
	/* of ourselves, but for what lists the machine's connections and mounts */
	"/proc/self/maps", "/proc/self/status", "/proc/self/stat", "/proc/self/statm", "/proc/self/fd",
	"/dev/null", "/dev/zero", "/dev/urandom", "/dev/random",
};

/* PoCL has each kernel linked; which of these is used is its compiler's business. */
static const char *const linkers[] = { "ld", "ld.bfd", "ld.gold", "ld.lld", "ld.mold" };

static int allow_object(struct dl_phdr_info *info, size_t size, void *arg)
{
	int ruleset = *(int *)arg;

	if (info->dlpi_name[0] != '/')
		return 0;
	/* The loader runs all programs. */
	exec_sandbox_allow(ruleset, info->dlpi_name,
			   info->dlpi_addr == getauxval(AT_BASE) ? RUN : LANDLOCK_ACCESS_FS_READ_FILE);
	return 0;
}

/* Folders of a list such as PATH. */
static void for_each_folder(const char *list, void (*do_one)(int ruleset, const char *folder), int ruleset)
{
	char folder[PATH_MAX];

	while (list && *list) {
		size_t len = strcspn(list, ":");

		if (len && len < sizeof(folder) && list[0] == '/') {
			memcpy(folder, list, len);
			folder[len] = '\0';
			do_one(ruleset, folder);
		}
		list += len + (list[len] == ':');
	}
}

static void allow_libraries(int ruleset, const char *folder)
{
	exec_sandbox_allow(ruleset, folder, EXEC_FS_READ);
}

static void allow_linkers(int ruleset, const char *folder)
{
	char path[PATH_MAX];

	for (size_t i = 0; i < sizeof(linkers) / sizeof(linkers[0]); i++)
		if (snprintf(path, sizeof(path), "%s/%s", folder, linkers[i]) < (int)sizeof(path))
			exec_sandbox_allow(ruleset, path, RUN);
}

/* Where the loader of OpenCL is told to look for drivers. */
static void allow_vendors(int ruleset)
{
	exec_sandbox_allow(ruleset, getenv("OCL_ICD_VENDORS"), EXEC_FS_READ);
	exec_sandbox_allow(ruleset, getenv("OPENCL_VENDOR_PATH"), EXEC_FS_READ);
	for_each_folder(getenv("OCL_ICD_FILENAMES"), allow_libraries, ruleset);
}

/* Of a graphics device, what its drivers ask the kernel about it. */
static void allow_gpu_facts(int ruleset)
{
	char path[64];

	for (int minor = 128; minor < 128 + MAX_ICD; minor++) {
		snprintf(path, sizeof(path), "/sys/dev/char/226:%d/device", minor);
		exec_sandbox_allow(ruleset, path, EXEC_FS_READ);
	}
}

void exec_sandbox_allow_guest(int ruleset, uint64_t all)
{
	/* Devices, sockets and programs are not made there. */
	uint64_t write = all & ~(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
				 LANDLOCK_ACCESS_FS_MAKE_SOCK | EXEC_FS_IOCTL_DEV);

	for (size_t i = 0; i < sizeof(readable) / sizeof(readable[0]); i++)
		exec_sandbox_allow(ruleset, readable[i], EXEC_FS_READ);
	dl_iterate_phdr(allow_object, &ruleset);
	for_each_folder(getenv("LD_LIBRARY_PATH"), allow_libraries, ruleset);
	allow_vendors(ruleset);
	/* The helper that compiles is this program again. */
	exec_sandbox_allow(ruleset, "/proc/self/exe", RUN);
	allow_linkers(ruleset, "/usr/bin");
	for_each_folder(getenv("PATH"), allow_linkers, ruleset);
	exec_sandbox_allow(ruleset, getenv("POCL_CACHE_DIR"), write);
	exec_sandbox_allow(ruleset, getenv("TMPDIR"), write);
	exec_sandbox_allow(ruleset, "/dev/null", EXEC_FS_READ | LANDLOCK_ACCESS_FS_WRITE_FILE);
	exec_sandbox_allow_devices(ruleset, all & ~LANDLOCK_ACCESS_FS_EXECUTE);
	allow_gpu_facts(ruleset);
}

/* A process of root could open what is mapped again, by /proc/self/map_files, and much more. */
void exec_sandbox_drop_capabilities(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };

	for (int cap = 0; cap <= LAST_CAPABILITY; cap++)
		prctl(PR_CAPBSET_DROP, cap, 0, 0, 0); /* who may not drop them has none */
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capset, &head, none) < 0)
		log_debug("capabilities: %m");
}

/* ---------------------------------------------------------------- seccomp */

#if HAVE_SECCOMP

/* Newer than the headers may be; the same on all architectures. */
#define NR_FCHMODAT2 452
#define NR_SETXATTRAT 463
#define NR_REMOVEXATTRAT 466
#define NR_FILE_SETATTR 469

static const struct {
	int nr;
	int error;
} denied[] = {
	/* What is said about a file, not in it: Landlock does not ask. */
	{ SCMP_SYS(chmod), EPERM },
	{ SCMP_SYS(fchmodat), EPERM },
	{ NR_FCHMODAT2, EPERM },
	{ SCMP_SYS(chown), EPERM },
	{ SCMP_SYS(lchown), EPERM },
	{ SCMP_SYS(fchownat), EPERM },
	{ SCMP_SYS(utime), EPERM },
	{ SCMP_SYS(utimes), EPERM },
	{ SCMP_SYS(futimesat), EPERM },
	{ SCMP_SYS(setxattr), EPERM },
	{ SCMP_SYS(lsetxattr), EPERM },
	{ SCMP_SYS(removexattr), EPERM },
	{ SCMP_SYS(lremovexattr), EPERM },
	{ NR_SETXATTRAT, EPERM },
	{ NR_REMOVEXATTRAT, EPERM },
	{ NR_FILE_SETATTR, EPERM },
	/* Landlock asks since its third version. */
	{ SCMP_SYS(truncate), EACCES },
	{ SCMP_SYS(fanotify_init), EPERM },
	{ SCMP_SYS(name_to_handle_at), EPERM },
	/* Pages and priorities of others. */
	{ SCMP_SYS(migrate_pages), EPERM },
	{ SCMP_SYS(move_pages), EPERM },
	{ SCMP_SYS(ioprio_set), EPERM },
	/* Not even a pair among ourselves. */
	{ SCMP_SYS(socketpair), EACCES },
	/* Its flags cannot be looked at; libraries go on with clone. */
	{ SCMP_SYS(clone3), ENOSYS },
	/* What others of the same user share by number or name. */
	{ SCMP_SYS(shmctl), EPERM },
	{ SCMP_SYS(semctl), EPERM },
	{ SCMP_SYS(semop), EPERM },
	{ SCMP_SYS(semtimedop), EPERM },
	{ SCMP_SYS(msgctl), EPERM },
	{ SCMP_SYS(msgsnd), EPERM },
	{ SCMP_SYS(msgrcv), EPERM },
	{ SCMP_SYS(mq_unlink), EPERM },
	{ SCMP_SYS(syslog), EPERM },
	{ SCMP_SYS(personality), EPERM },
};

/* Calls that are refused if one argument is not as it should be. */
static const struct {
	int nr;
	struct scmp_arg_cmp arg;
} limited[] = {
	/* Of other processes than this one, or this thread. */
	{ SCMP_SYS(prlimit64), { 0, SCMP_CMP_NE, 0, 0 } },
	{ SCMP_SYS(setpriority), { 0, SCMP_CMP_NE, PRIO_PROCESS, 0 } },
	{ SCMP_SYS(setpriority), { 1, SCMP_CMP_NE, 0, 0 } },
	{ SCMP_SYS(sched_setscheduler), { 0, SCMP_CMP_NE, 0, 0 } },
	{ SCMP_SYS(sched_setparam), { 0, SCMP_CMP_NE, 0, 0 } },
	{ SCMP_SYS(sched_setattr), { 0, SCMP_CMP_NE, 0, 0 } },
	{ SCMP_SYS(sched_setaffinity), { 0, SCMP_CMP_NE, 0, 0 } },
	/* Of a file that is not open. */
	{ SCMP_SYS(utimensat), { 1, SCMP_CMP_NE, 0, 0 } },
	/* Signals through a file. */
	{ SCMP_SYS(fcntl), { 1, SCMP_CMP_MASKED_EQ, 0xffffffff, F_SETOWN } },
	{ SCMP_SYS(fcntl), { 1, SCMP_CMP_MASKED_EQ, 0xffffffff, F_SETOWN_EX } },
	{ SCMP_SYS(fcntl), { 1, SCMP_CMP_MASKED_EQ, 0xffffffff, F_SETSIG } },
	{ SCMP_SYS(ioctl), { 1, SCMP_CMP_MASKED_EQ, 0xffffffff, 0x8901 } }, /* FIOSETOWN */
	{ SCMP_SYS(ioctl), { 1, SCMP_CMP_MASKED_EQ, 0xffffffff, 0x8902 } }, /* SIOCSPGRP */
	/* Standard error may be a terminal: nobody types for its user. */
	{ SCMP_SYS(ioctl), { 1, SCMP_CMP_MASKED_EQ, 0xffffffff, TIOCSTI } },
	{ SCMP_SYS(ioctl), { 1, SCMP_CMP_MASKED_EQ, 0xffffffff, TIOCLINUX } },
	/* Pages behind a grant stay: the device process reads some of them. */
	{ SCMP_SYS(madvise), { 2, SCMP_CMP_MASKED_EQ, 0xffffffff, MADV_REMOVE } },
	/* A child of the device process. */
	{ SCMP_SYS(clone), { 0, SCMP_CMP_MASKED_EQ, CLONE_PARENT, CLONE_PARENT } },
	/* New namespaces open more of the kernel. */
	{ SCMP_SYS(clone), { 0, SCMP_CMP_MASKED_EQ, CLONE_NEWUSER, CLONE_NEWUSER } },
	{ SCMP_SYS(clone), { 0, SCMP_CMP_MASKED_EQ, CLONE_NEWNS, CLONE_NEWNS } },
	{ SCMP_SYS(clone), { 0, SCMP_CMP_MASKED_EQ, CLONE_NEWPID, CLONE_NEWPID } },
	{ SCMP_SYS(clone), { 0, SCMP_CMP_MASKED_EQ, CLONE_NEWNET, CLONE_NEWNET } },
	{ SCMP_SYS(clone), { 0, SCMP_CMP_MASKED_EQ, CLONE_NEWIPC, CLONE_NEWIPC } },
};

int exec_sandbox_fill_guest(void *filter)
{
	int r = 0;

	for (size_t i = 0; i < sizeof(denied) / sizeof(denied[0]) && r == 0; i++) {
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO((uint32_t)denied[i].error), denied[i].nr, 0);
		/* Calls that this architecture does not have need no rule. */
		if (r == -EDOM || r == -EINVAL)
			r = 0;
	}
	for (size_t i = 0; i < sizeof(limited) / sizeof(limited[0]) && r == 0; i++)
		r = seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EPERM), limited[i].nr, 1, &limited[i].arg);
	return r;
}

#endif
