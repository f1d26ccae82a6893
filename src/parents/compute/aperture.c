/* SPDX-License-Identifier: MIT */
#include "parents/compute/aperture.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/size.h"
#include "base/socket.h"

/* What the child has made, or how far it came. */
struct answer {
	int error; /* errno */
	enum { AT_NOTHING, AT_NAMESPACE, AT_MOUNT, AT_FILE } step;
};

/* --- In the child: system calls alone, as the process may have threads --- */

static int write_file(const char *path, const char *text)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd < 0 || write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

/* We are the only user there, by our own number. */
static int enter_user_namespace(int *ret_ns)
{
	unsigned int uid = geteuid(), gid = getegid();
	char users[40], groups[40];
	int r;

	snprintf(users, sizeof(users), "%u %u 1", uid, uid);
	snprintf(groups, sizeof(groups), "%u %u 1", gid, gid);
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return -errno;
	/* The files below are root's in a process that cannot be traced, as the device's is. */
	(void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	r = write_file("/proc/self/setgroups", "deny");
	if (r == 0)
		r = write_file("/proc/self/gid_map", groups);
	if (r == 0)
		r = write_file("/proc/self/uid_map", users);
	if (r < 0)
		return r;
	*ret_ns = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
	return *ret_ns < 0 ? -errno : 0;
}

/* Return: fd or -errno. */
static int set_size(int fs, uint64_t room)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)room);
	return fsconfig(fs, FSCONFIG_SET_STRING, "size", text, 0) < 0 ? -errno : 0;
}

static int mount_tmpfs(int fs, uint64_t room)
{
	int r = set_size(fs, room), mount;

	if (r < 0)
		return r;
	if (fsconfig(fs, FSCONFIG_SET_STRING, "mode", "0700", 0) < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	mount = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	return mount < 0 ? -errno : mount;
}

static int make_file(int mount, uint64_t size)
{
	_cleanup_close_ int fd = openat(mount, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
		return -errno;
	return TAKE_FD(fd);
}

/* fds: file, mount, and the namespace if there had to be one. */
static int make(uint64_t size, uint64_t room, int fds[3], struct answer *answer)
{
	int fs = fsopen("tmpfs", FSOPEN_CLOEXEC), r;

	answer->step = AT_NAMESPACE;
	if (fs < 0 && errno == EPERM) {
		r = enter_user_namespace(&fds[2]);
		if (r < 0)
			return r;
		fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
	}
	answer->step = AT_MOUNT;
	if (fs < 0)
		return -errno;
	r = fds[1] = mount_tmpfs(fs, room);
	if (r < 0)
		return r;
	answer->step = AT_FILE;
	r = fds[0] = make_file(fds[1], size);
	return r < 0 ? r : 0;
}

static int resize(const struct compute_aperture *a, uint64_t room)
{
	int fs, r;

	if (a->user_ns >= 0 && (setns(a->user_ns, CLONE_NEWUSER) < 0 || unshare(CLONE_NEWNS) < 0))
		return -errno;
	fs = fspick(a->mount, "", FSPICK_CLOEXEC | FSPICK_EMPTY_PATH);
	if (fs < 0)
		return -errno;
	r = set_size(fs, room);
	if (r < 0)
		return r;
	return fsconfig(fs, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) < 0 ? -errno : 0;
}

/* --- In the device's process --- */

static void reap(pid_t pid)
{
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/* Return: 0 or -errno. The number of descriptors tells whether there is a namespace. */
static int ask_child(uint64_t size, uint64_t room, int fds[3], struct answer *answer)
{
	_cleanup_close_ int ours = -1, theirs = -1;
	size_t nr = 3;
	int ends[2], r = base_socket_pair(ends);
	pid_t pid;

	if (r < 0)
		return r;
	ours = ends[0];
	theirs = ends[1];
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		r = make(size, room, fds, answer);
		answer->error = -r;
		(void)base_send(theirs, answer, sizeof(*answer), fds, r < 0 ? 0 : fds[2] >= 0 ? 3 : 2);
		_exit(0);
	}
	theirs = base_close(theirs);
	r = base_recv(ours, answer, sizeof(*answer), fds, &nr) == sizeof(*answer) ? -answer->error : -EPIPE;
	reap(pid);
	return r == 0 && nr < 2 ? -EMFILE : r;
}

static const char *remedy_of(const struct answer *answer)
{
	if (answer->step == AT_NAMESPACE)
		return "allow this user to make user namespaces (sysctl user.max_user_namespaces, "
		       "kernel.apparmor_restrict_unprivileged_userns), or run the device as root";
	if (answer->step == AT_MOUNT)
		return "let the device's process mount a tmpfs in a user namespace of its own, or run it as root";
	return "free memory on this machine, or choose a smaller aperture";
}

int compute_aperture_create(uint64_t size, uint64_t room, struct compute_aperture *ret, struct trn_error *err)
{
	int fds[3] = { -1, -1, -1 };
	struct answer answer = { 0 };
	char text[BASE_SIZE_TEXT];
	int r = ask_child(size, room, fds, &answer);

	*ret = (struct compute_aperture){ .fd = fds[0], .mount = fds[1], .user_ns = fds[2], .size = size, .room = room };
	if (r == 0)
		return 0;
	compute_aperture_close(ret);
	trn_error_set(err, r, "NoAperture", "cannot make a tmpfs of %s for a guest's memory: %s", base_size_format(room, text),
		      strerror(-r));
	return trn_error_hint(err, "%s", remedy_of(&answer));
}

void compute_aperture_close(struct compute_aperture *a)
{
	a->fd = base_close(a->fd);
	a->mount = base_close(a->mount);
	a->user_ns = base_close(a->user_ns);
}

int compute_aperture_resize(struct compute_aperture *a, uint64_t room, struct trn_error *err)
{
	char text[BASE_SIZE_TEXT];
	int status = 0;
	pid_t pid;

	if (room == a->room)
		return 0;
	pid = fork();
	if (pid == 0)
		_exit(-resize(a, room));
	if (pid > 0)
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
	if (pid < 0 || !WIFEXITED(status) || WEXITSTATUS(status)) {
		int code = pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : EIO;

		trn_error_set(err, -code, "NoAperture", "the tmpfs of the guest's memory cannot become %s: %s",
			      base_size_format(room, text), strerror(code));
		return trn_error_hint(err, "choose another size, or stop the device and start it with that");
	}
	a->room = room;
	return 0;
}

int compute_aperture_fill(const struct compute_aperture *a, uint64_t offset, uint64_t size)
{
	int r;

	do
		r = fallocate(a->fd, 0, (off_t)offset, (off_t)size);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

int compute_aperture_punch(const struct compute_aperture *a, uint64_t offset, uint64_t size)
{
	int r;

	do
		r = fallocate(a->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)size);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}
