/* SPDX-License-Identifier: MIT */
/* The folders of processes in the runtime directory.  They belong to the processes' user: what is in them is not believed. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "daemon/process_priv.h"

int daemon_folder_make(struct daemon_processes *ps, int parent_fd, const char *name, struct trn_error *err)
{
	_cleanup_close_ int fd = -1;

	if (mkdirat(parent_fd, name, 0700) < 0 && errno != EEXIST)
		goto failed;
	fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		goto failed;
	if (ps->gives_away && fchown(fd, ps->device_uid, ps->device_gid) < 0)
		goto failed;
	return TAKE_FD(fd);

failed:
	trn_error_set(err, -errno, "NoFolder", "cannot make the folder %s of a process in %s: %s", name, ps->runtime_dir, strerror(errno));
	return trn_error_hint(err, "see that the runtime directory can be written to, and has space left");
}

static int write_all(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

static int write_new(struct daemon_processes *ps, int fd, const char *name, const char *text, size_t len)
{
	_cleanup_close_ int file = -1;

	/* Of a daemon that was killed here. */
	(void)unlinkat(fd, name, 0);
	file = openat(fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (file < 0)
		return -errno;
	if (ps->gives_away && fchown(file, ps->device_uid, ps->device_gid) < 0)
		return -errno;
	return write_all(file, text, len);
}

int daemon_folder_write(struct daemon_processes *ps, int fd, const char *name, const char *text, size_t len, struct trn_error *err)
{
	char other[64];
	int r;

	snprintf(other, sizeof(other), "%s.new", name);
	r = write_new(ps, fd, other, text, len);
	if (r >= 0 && renameat(fd, other, fd, name) < 0)
		r = -errno;
	if (r >= 0)
		return 0;
	(void)unlinkat(fd, other, 0);
	trn_error_set(err, r, "CannotWrite", "cannot write %s of a process in %s: %s", name, ps->runtime_dir, strerror(-r));
	return trn_error_hint(err, "see that the runtime directory can be written to, and has space left");
}

char *daemon_folder_read(int fd, const char *name, size_t max, size_t *ret_len)
{
	/* Whoever owns the folder may have put a pipe there. */
	_cleanup_close_ int file = openat(fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	_cleanup_free_ char *text = NULL;
	struct stat st;
	ssize_t n;

	if (file < 0 || fstat(file, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size < 0 || (uint64_t)st.st_size > max)
		return NULL;
	text = malloc((size_t)st.st_size + 1);
	if (!text)
		return NULL;
	n = read(file, text, (size_t)st.st_size);
	if (n < 0)
		return NULL;
	text[n] = '\0';
	if (ret_len)
		*ret_len = (size_t)n;
	return TAKE_PTR(text);
}

bool daemon_folder_is_locked(int fd, const char *name)
{
	_cleanup_close_ int file = openat(fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	return file >= 0 && flock(file, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

/* A line of /proc/locks: "1: FLOCK  ADVISORY  WRITE 4711 fd:01:1234 0 EOF". */
static pid_t holder_in_line(const char *line, const struct stat *st)
{
	unsigned int major_nr, minor_nr;
	unsigned long inode;
	int pid;

	if (sscanf(line, "%*s FLOCK ADVISORY WRITE %d %x:%x:%lu", &pid, &major_nr, &minor_nr, &inode) != 4)
		return 0;
	return pid > 0 && inode == st->st_ino && makedev(major_nr, minor_nr) == st->st_dev ? pid : 0;
}

static pid_t find_holder(const struct stat *st)
{
	FILE *locks = fopen("/proc/locks", "re");
	char line[256];
	pid_t pid = 0;

	while (locks && !pid && fgets(line, sizeof(line), locks))
		pid = holder_in_line(line, st);
	if (locks)
		fclose(locks);
	return pid;
}

int daemon_folder_find_holder(int fd, const char *name, pid_t *ret_pid)
{
	_cleanup_close_ int pidfd = -1;
	struct stat st;
	pid_t pid;

	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return -ESRCH;
	pid = find_holder(&st);
	if (!pid)
		return -ESRCH;
	pidfd = pidfd_open(pid, 0);
	/* The number may have gone to another one meanwhile: the holder is still listed now, and the descriptor stays its. */
	if (pidfd < 0 || find_holder(&st) != pid)
		return -ESRCH;
	*ret_pid = pid;
	return TAKE_FD(pidfd);
}

bool daemon_folder_is_dead_socket(const char *path)
{
	/* Of a kind that nobody there has: it is told that, and nobody is disturbed. */
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	if (fd < 0 || strlen(path) >= sizeof(addr.sun_path))
		return false;
	memcpy(addr.sun_path, path, strlen(path));
	return connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) < 0 && errno == ECONNREFUSED;
}

void daemon_arguments_add(struct daemon_arguments *a, const char *fmt, ...)
{
	_cleanup_free_ char *line = NULL;
	va_list ap;
	char *more;
	int n;

	if (a->r)
		return;
	va_start(ap, fmt);
	n = vasprintf(&line, fmt, ap);
	va_end(ap);
	if (n < 0) {
		line = NULL;
		a->r = -ENOMEM;
		return;
	}
	if (strchr(line, '\n')) { /* it would be another argument */
		a->r = -EINVAL;
		return;
	}
	more = realloc(a->text, a->len + (size_t)n + 2);
	if (!more) {
		a->r = -ENOMEM;
		return;
	}
	a->text = more;
	memcpy(a->text + a->len, line, (size_t)n);
	a->len += (size_t)n;
	a->text[a->len++] = '\n';
	a->text[a->len] = '\0';
}
