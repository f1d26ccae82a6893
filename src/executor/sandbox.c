/* SPDX-License-Identifier: MIT */
#include "executor/sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "executor/config.h"
#include "executor/sandbox_priv.h"
#include "tranche/wire/executor.h"

#if HAVE_SECCOMP
#include <seccomp.h>
#endif

/* Left open on purpose, by tranche-parent? */
static bool is_broker(int fd)
{
	int domain = 0, type = 0;
	socklen_t len = sizeof(int);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain == AF_UNIX &&
	       getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM;
}

void exec_sandbox_begin(void)
{
	const struct rlimit none = { 0, 0 };
	int null;

	/* A device process that is killed must leave nobody behind, and may be gone already. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* The device process kills the group: compilers that we have started go, too. */
	setpgid(0, 0);
	/* A dump would hold the program's data. */
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	/* Nothing that was left open by mistake is a kernel's to use; standard input is not ours. (Writable: see drop_stderr().) */
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		base_close(null);
	}
	syscall(SYS_close_range, is_broker(TRNC_EXEC_BROKER_FD) ? TRNC_EXEC_BROKER_FD + 1 : TRNC_EXEC_FD + 1, ~0u, 0);
	fcntl(TRNC_EXEC_FD, F_SETFD, FD_CLOEXEC);
	fcntl(TRNC_EXEC_BROKER_FD, F_SETFD, FD_CLOEXEC);
}

void exec_sandbox_limit_heap(uint64_t bytes)
{
	struct rlimit limit;

#ifdef __SANITIZE_THREAD__
	bytes = 0; /* what it notes of all memory would count */
#endif
	if (bytes == 0 || getrlimit(RLIMIT_DATA, &limit) < 0)
		return;
	/* Allocations fail beyond, before the machine runs out; shared segments do not count here. */
	if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur > bytes)
		limit.rlim_cur = bytes;
	if (limit.rlim_max == RLIM_INFINITY || limit.rlim_max > bytes)
		limit.rlim_max = bytes;
	if (setrlimit(RLIMIT_DATA, &limit) < 0)
		log_debug("heap limit: %m");
}

/* --------------------------------------------------------------- Landlock */

#define ACCESS_NET_TCP 3ull	/* bind, connect */
#define SCOPE_ALL 3ull		/* abstract Unix sockets, signals */

#define FS_READ (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FS_WRITE                                                                                          \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | \
	 LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |       \
	 LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |    \
	 LANDLOCK_ACCESS_FS_MAKE_SYM)
/* What makes sense for something that is no folder. */
#define FS_FILE                                                                                        \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |   \
	 LANDLOCK_ACCESS_FS_TRUNCATE | EXEC_FS_IOCTL_DEV)

/* The kernel's struct as of version 6; a kernel that knows less takes a shorter one. */
struct ruleset_attr {
	uint64_t handled_access_fs;
	uint64_t handled_access_net;
	uint64_t scoped;
};

void exec_sandbox_allow(int ruleset, const char *path, uint64_t access)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = access };
	_cleanup_close_ int fd = path ? open(path, O_PATH | O_CLOEXEC) : -1;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return;
	if (!S_ISDIR(st.st_mode))
		rule.allowed_access &= FS_FILE;
	rule.parent_fd = fd;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
		log_debug("landlock %s: %m", path);
}

/* Everything in the folder but one name. */
static void allow_all_but(int ruleset, const char *folder, const char *name)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	char path[PATH_MAX];

	while (dir && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..") && strcmp(entry->d_name, name) &&
		    snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name) < PATH_MAX)
			exec_sandbox_allow(ruleset, path, FS_READ);
	if (dir)
		closedir(dir);
}

/*
 * Landlock can only allow.  What other devices' programs have left below the hidden folder is kept from this one by allowing
 * all that lies beside the way to it; entries that are made there later stay hidden, too.
 */
static void allow_reading(int ruleset, const char *hidden)
{
	char folder[PATH_MAX], real[PATH_MAX];
	char *slash = real;

	if (!hidden || !realpath(hidden, real)) {
		exec_sandbox_allow(ruleset, "/", FS_READ);
		return;
	}
	while (slash) {
		char *next = strchr(slash + 1, '/');

		snprintf(folder, sizeof(folder), "%.*s", (int)(slash - real), real);
		if (next)
			*next = '\0';
		allow_all_but(ruleset, *folder ? folder : "/", slash + 1);
		if (next)
			*next = '/';
		slash = next;
	}
}

void exec_sandbox_allow_devices(int ruleset, uint64_t access)
{
	static const char *const devices[] = { "/dev/dri", "/dev/kfd", "/dev/nvidiactl", "/dev/nvidia0", "/dev/nvidia-uvm" };

	for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++)
		exec_sandbox_allow(ruleset, devices[i], access);
}

static void allow_host(int ruleset, uint64_t write)
{
	/* Compilers read headers and libraries from anywhere, with the program's -I; ld is executed. */
	allow_reading(ruleset, getenv(TRNC_EXEC_HIDDEN));
	/* The session's own folder, made for it by the device process. */
	exec_sandbox_allow(ruleset, getenv("POCL_CACHE_DIR"), write);
	exec_sandbox_allow(ruleset, getenv("TMPDIR"), write);
	/* Standard error of compilers. */
	exec_sandbox_allow(ruleset, "/dev/null", write);
	exec_sandbox_allow_devices(ruleset, write);
}

/* Return: 0 or -errno. */
static int enter_landlock(bool is_guest)
{
	struct ruleset_attr attr = { .handled_access_fs = FS_READ | FS_WRITE };
	size_t size = sizeof(attr.handled_access_fs);
	_cleanup_close_ int ruleset = -1;
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	if (abi < 1) {
		log_debug("this kernel has no Landlock");
		return -ENOSYS;
	}
	if (abi >= 2)
		attr.handled_access_fs |= LANDLOCK_ACCESS_FS_REFER;
	if (abi >= 3)
		attr.handled_access_fs |= LANDLOCK_ACCESS_FS_TRUNCATE;
	if (abi >= 4) {
		attr.handled_access_net = ACCESS_NET_TCP;
		size = sizeof(attr.handled_access_fs) + sizeof(attr.handled_access_net);
	}
	if (abi >= 5)
		attr.handled_access_fs |= EXEC_FS_IOCTL_DEV;
	if (abi >= 6) {
		attr.scoped = SCOPE_ALL;
		size = sizeof(attr);
	}
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (ruleset < 0)
		return -errno;
	if (is_guest)
		exec_sandbox_allow_guest(ruleset, attr.handled_access_fs);
	else
		allow_host(ruleset, attr.handled_access_fs);
	return syscall(SYS_landlock_restrict_self, ruleset, 0) < 0 ? -errno : 0;
}

/* ---------------------------------------------------------------- seccomp */

#if HAVE_SECCOMP

/* Refused with an error, so that a library that tries goes on without. */
static const struct {
	int nr;
	int error;
} denied[] = {
	/* Reaching pages of a mapped file beyond the range that was granted; malloc copes without mremap. */
	{ SCMP_SYS(mremap), ENOSYS },
	{ SCMP_SYS(remap_file_pages), ENOSYS },
	/* Other processes' memory and descriptors: those of the device process, of the program, of neighbours. */
	{ SCMP_SYS(ptrace), EPERM },
	{ SCMP_SYS(process_vm_readv), EPERM },
	{ SCMP_SYS(process_vm_writev), EPERM },
	{ SCMP_SYS(process_madvise), EPERM },
	{ SCMP_SYS(process_mrelease), EPERM },
	{ SCMP_SYS(pidfd_open), EPERM },
	{ SCMP_SYS(pidfd_getfd), EPERM },
	{ SCMP_SYS(kcmp), EPERM },
	/* Signals to others. The group and the end with the device process are how we are cleaned up. */
	{ SCMP_SYS(kill), EPERM },
	{ SCMP_SYS(tkill), EPERM },
	{ SCMP_SYS(rt_sigqueueinfo), EPERM },
	{ SCMP_SYS(rt_tgsigqueueinfo), EPERM },
	{ SCMP_SYS(pidfd_send_signal), EPERM },
	{ SCMP_SYS(setsid), EPERM },
	{ SCMP_SYS(setpgid), EPERM },
	/* Memory that is charged to nobody. */
	{ SCMP_SYS(memfd_create), EPERM },
	{ SCMP_SYS(memfd_secret), EPERM },
	{ SCMP_SYS(shmget), EPERM },
	{ SCMP_SYS(shmat), EPERM },
	{ SCMP_SYS(msgget), EPERM },
	{ SCMP_SYS(semget), EPERM },
	{ SCMP_SYS(mq_open), EPERM },
	/* The network, and other processes' sockets. Drivers of the NVIDIA kind talk to daemons when there are any. */
	{ SCMP_SYS(socket), EACCES },
	{ SCMP_SYS(connect), EACCES },
	{ SCMP_SYS(bind), EACCES },
	/* Parts of the kernel that a compiler and a kernel have no use for. */
	{ SCMP_SYS(bpf), EPERM },
	{ SCMP_SYS(userfaultfd), EPERM },
	{ SCMP_SYS(perf_event_open), EPERM },
	{ SCMP_SYS(io_uring_setup), ENOSYS },
	{ SCMP_SYS(add_key), EPERM },
	{ SCMP_SYS(request_key), EPERM },
	{ SCMP_SYS(keyctl), EPERM },
	{ SCMP_SYS(mount), EPERM },
	{ SCMP_SYS(umount2), EPERM },
	{ SCMP_SYS(fsopen), EPERM },
	{ SCMP_SYS(open_tree), EPERM },
	{ SCMP_SYS(move_mount), EPERM },
	{ SCMP_SYS(pivot_root), EPERM },
	{ SCMP_SYS(chroot), EPERM },
	{ SCMP_SYS(setns), EPERM },
	{ SCMP_SYS(init_module), EPERM },
	{ SCMP_SYS(finit_module), EPERM },
	{ SCMP_SYS(kexec_load), EPERM },
	{ SCMP_SYS(reboot), EPERM },
	{ SCMP_SYS(swapon), EPERM },
	{ SCMP_SYS(open_by_handle_at), EPERM },
	{ SCMP_SYS(acct), EPERM },
	{ SCMP_SYS(quotactl), EPERM },
	{ SCMP_SYS(settimeofday), EPERM },
	{ SCMP_SYS(clock_settime), EPERM },
};

static int fill(scmp_filter_ctx filter, bool is_guest)
{
	int r = 0;

	/* Also the numbers of other architectures: a 32-bit call would pass all rules. */
	seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
	/* The host's OpenCL may have threads: all get the filter. */
	r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	for (size_t i = 0; i < sizeof(denied) / sizeof(denied[0]) && r == 0; i++) {
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO((uint32_t)denied[i].error), denied[i].nr, 0);
		/* Calls that this architecture does not have need no rule. */
		if (r == -EDOM || r == -EINVAL)
			r = 0;
	}
	/* Our end with the device process must stay as it is set. */
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(prctl), 1,
				     SCMP_A0(SCMP_CMP_MASKED_EQ, 0xffffffff, PR_SET_PDEATHSIG));
	/* Threads may signal within their process (abort does), not beyond. */
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(tgkill), 1,
				     SCMP_A0(SCMP_CMP_NE, (scmp_datum_t)getpid()));
	/* Builders take a working folder of their own; new namespaces open more of the kernel. */
	if (r == 0)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(unshare), 1,
				     SCMP_A0(SCMP_CMP_NE, CLONE_FS));
	return r == 0 && is_guest ? exec_sandbox_fill_guest(filter) : r;
}

static int enter_seccomp(bool is_guest, struct trn_error *err)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int r;

	if (!filter)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory for the system call filter");
	r = fill(filter, is_guest);
	if (r == 0)
		r = seccomp_load(filter);
	seccomp_release(filter);
	if (r < 0)
		return trn_error_set(err, r, "Seccomp", "the system call filter cannot be set: %s", strerror(-r));
	return 0;
}

#else

static int enter_seccomp(bool is_guest, struct trn_error *err)
{
	if (is_guest) {
		trn_error_set(err, -ENOSYS, "NoSandbox", "built without libseccomp: a guest's programs cannot be confined");
		return trn_error_hint(err, "build with -Dseccomp=enabled");
	}
	log_debug("built without libseccomp: no system call filter");
	return 0;
}

#endif

/*
 * What a stranger's code writes to standard error would be on the operator's terminal with all its sequences, or fill his
 * log, which it could cut off, too.  Who debugs has it as it is.
 */
static void drop_stderr(void)
{
	const char *level = getenv("TRANCHE_LOG");

	if (!level || strcmp(level, "debug") != 0)
		dup2(STDIN_FILENO, STDERR_FILENO); /* which exec_sandbox_begin() has made nobody's */
}

int exec_sandbox_enter(bool is_guest, struct trn_error *err)
{
	int r = enter_landlock(is_guest);

	if (r < 0 && is_guest) {
		trn_error_set(err, r, "NoSandbox", "a guest's programs cannot be kept from the host's files: Landlock: %s",
			      strerror(-r));
		return trn_error_hint(err, "use a kernel with Landlock (5.13), and have it in the lsm= list");
	}
	if (r < 0)
		log_debug("landlock: %s", strerror(-r));
	if (!is_guest)
		return enter_seccomp(is_guest, err);
	exec_sandbox_drop_capabilities();
	r = enter_seccomp(is_guest, err);
	if (r == 0)
		drop_stderr();
	return r;
}
