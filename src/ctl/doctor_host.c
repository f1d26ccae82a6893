/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/size.h"
#include "ctl/doctor.h"

static void check_kernel(struct ctl_doctor *d)
{
	struct utsname u;
	int major = 0, minor = 0;

	uname(&u);
	sscanf(u.release, "%d.%d", &major, &minor);
	if (major > 5 || (major == 5 && minor >= 10))
		ctl_doctor_say(d, "kernel", CTL_OK, NULL, "Linux %s", u.release);
	else
		ctl_doctor_say(d, "kernel", CTL_WARN, "5.10 or later has all that Tranche uses", "Linux %s is old", u.release);
}

static void check_landlock(struct ctl_doctor *d)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	if (abi > 0)
		ctl_doctor_say(d, "landlock", CTL_OK, NULL, "Landlock, ABI %ld, keeps executors from files", abi);
	else
		ctl_doctor_say(d, "landlock", CTL_WARN,
			       "start the kernel with lsm=...,landlock; until then executors have no rules for files, guests none",
			       "no Landlock: %s", strerror(errno));
}

static void check_seccomp(struct ctl_doctor *d)
{
	/* A filter at NULL: EFAULT where filters are known. */
	if (prctl(PR_SET_SECCOMP, 2 /* SECCOMP_MODE_FILTER */, NULL) < 0 && errno == EFAULT)
		ctl_doctor_say(d, "seccomp", CTL_OK, NULL, "system call filters keep executors from what they do not need");
	else
		ctl_doctor_say(d, "seccomp", CTL_WARN, "use a kernel with CONFIG_SECCOMP_FILTER", "no system call filters");
}

static bool can_unshare_user(void)
{
	pid_t pid = fork();
	int status = 1;

	if (pid == 0)
		_exit(unshare(CLONE_NEWUSER) == 0 ? 0 : 1);
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void check_namespaces(struct ctl_doctor *d)
{
	if (can_unshare_user())
		ctl_doctor_say(d, "namespaces", CTL_OK, NULL, "this user may make user namespaces");
	else
		ctl_doctor_say(d, "namespaces", CTL_WARN,
			       "sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces above 0; needed by "
			       "\"tranche attach --sysfs\", and by compute devices of virtual machines",
			       "this user may make no user namespaces");
}

/* As a device of a virtual machine does for what the guest sees of its memory. */
static bool can_make_tmpfs(void)
{
	pid_t pid = fork();
	int status = 1, fs;

	if (pid == 0) {
		fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
		if (fs < 0 && errno == EPERM && unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0)
			fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
		_exit(fs >= 0 && fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0 && fsmount(fs, FSMOUNT_CLOEXEC, 0) >= 0 ? 0 : 1);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void check_tmpfs(struct ctl_doctor *d)
{
	if (can_make_tmpfs())
		ctl_doctor_say(d, "tmpfs", CTL_OK, NULL, "compute devices of virtual machines can have a tmpfs of their own");
	else
		ctl_doctor_say(d, "tmpfs", CTL_WARN, "allow user namespaces (see above), or let root run tranched",
			       "this user may make no tmpfs, which compute devices of virtual machines need");
}

/* The hierarchy that can limit memory and time: version 2 with these controllers. */
static void check_cgroups(struct ctl_doctor *d)
{
	_cleanup_close_ int fd = open("/sys/fs/cgroup/cgroup.controllers", O_RDONLY | O_CLOEXEC);
	char text[256] = "";

	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0) {
		ctl_doctor_say(d, "cgroups", CTL_WARN, "quotas hold without; for a second limit use the unified hierarchy "
			       "(systemd.unified_cgroup_hierarchy=1)", "no cgroup version 2 at /sys/fs/cgroup");
		return;
	}
	text[strcspn(text, "\n")] = '\0';
	if (strstr(text, "memory") && strstr(text, "cpu"))
		ctl_doctor_say(d, "cgroups", CTL_OK, NULL, "cgroup version 2 with %s", text);
	else
		ctl_doctor_say(d, "cgroups", CTL_WARN, "quotas hold without; a second limit needs the controllers memory and cpu",
			       "cgroup version 2 has only: %s", text);
}

static void check_limit(struct ctl_doctor *d, const char *name, __rlimit_resource_t resource, rlim_t wanted, const char *what,
			const char *remedy)
{
	struct rlimit l;
	char text[BASE_SIZE_TEXT];
	bool is_size = resource == RLIMIT_MEMLOCK;

	getrlimit(resource, &l);
	if (l.rlim_max == RLIM_INFINITY)
		ctl_doctor_say(d, name, CTL_OK, NULL, "%s: no limit", what);
	else if (is_size)
		ctl_doctor_say(d, name, l.rlim_max >= wanted ? CTL_OK : CTL_WARN, l.rlim_max >= wanted ? NULL : remedy, "%s: %s", what,
			       base_size_format(l.rlim_max, text));
	else
		ctl_doctor_say(d, name, l.rlim_max >= wanted ? CTL_OK : CTL_WARN, l.rlim_max >= wanted ? NULL : remedy, "%s: %llu", what,
			       (unsigned long long)l.rlim_max);
}

void ctl_doctor_host(struct ctl_doctor *d)
{
	check_kernel(d);
	check_landlock(d);
	check_seccomp(d);
	check_namespaces(d);
	check_tmpfs(d);
	check_cgroups(d);
	check_limit(d, "nofile", RLIMIT_NOFILE, 4096, "open files", "raise the hard limit: LimitNOFILE= of the service, or limits.conf(5)");
	check_limit(d, "memlock", RLIMIT_MEMLOCK, 64 << 10, "locked memory",
		    "raise the hard limit: LimitMEMLOCK= of the service, or limits.conf(5)");
}
