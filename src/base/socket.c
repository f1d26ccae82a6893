/* SPDX-License-Identifier: MIT */
#include "base/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#include "base/cleanup.h"

#define LOCK_TRIES 200	 /* 10 ms each */
#define CONNECT_TRIES 20 /* 5 ms each */

/* Control space for BASE_MAX_FDS; the kernel closes what a peer sends beyond it. */
union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(BASE_MAX_FDS * sizeof(int))];
};

static int make_address(const char *path, struct sockaddr_un *ret, struct trn_error *err)
{
	size_t len = strlen(path);

	if (len == 0) {
		trn_error_set(err, -EINVAL, "BadSocketPath", "the path of the socket is empty");
		trn_error_hint(err, "give the path of a file");
		return -EINVAL;
	}
	if (len >= sizeof(ret->sun_path)) {
		trn_error_set(err, -ENAMETOOLONG, "BadSocketPath",
			      "socket path %.80s... has %zu bytes, a socket's path can have %zu", path, len,
			      sizeof(ret->sun_path) - 1);
		trn_error_hint(err, "choose a shorter folder, for example below /run");
		return -ENAMETOOLONG;
	}
	memset(ret, 0, sizeof(*ret));
	ret->sun_family = AF_UNIX;
	memcpy(ret->sun_path, path, len + 1);
	return 0;
}

static int new_socket(int type, struct trn_error *err)
{
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return trn_error_set(err, -errno, "SocketFailed", "cannot make a socket: %s", strerror(errno));
	return fd;
}

static int listen_at(int type, const char *path, const struct sockaddr_un *addr, struct trn_error *err)
{
	_cleanup_close_ int fd = new_socket(type, err);
	int r;

	if (fd < 0)
		return fd;

	/* The file inherits the mode that the socket has at bind: there is no moment at which others can connect. */
	if (fchmod(fd, 0600) < 0)
		return trn_error_set(err, -errno, "SocketFailed", "cannot set the mode of socket %s: %s", path,
				     strerror(errno));
	if (bind(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0) {
		r = trn_error_set(err, -errno, "SocketFailed", "cannot listen at %s: %s", path, strerror(errno));
		trn_error_hint(err, "%s", r == -EADDRINUSE ? "remove the file if no process listens there any more" :
							     "choose a folder that exists and that you may write to");
		return r;
	}
	if (listen(fd, SOMAXCONN) < 0) {
		r = trn_error_set(err, -errno, "SocketFailed", "cannot listen at %s: %s", path, strerror(errno));
		unlink(path); /* bind has just made it */
		return r;
	}
	return TAKE_FD(fd);
}

int base_socket_listen(const char *path, struct trn_error *err)
{
	struct sockaddr_un addr;
	int r = make_address(path, &addr, err);

	return r < 0 ? r : listen_at(SOCK_SEQPACKET, path, &addr, err);
}

/* Is the file at path a socket at which nobody listens? */
static bool is_stale(const char *path, const struct sockaddr_un *addr)
{
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (lstat(path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return false;
	/* Non-blocking: a listener with a full queue is one, too. One for packets refuses a stream, with another reason. */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return fd >= 0 && connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0 && errno == ECONNREFUSED;
}

/*
 * Between bind() and listen() a socket looks stale, and two processes that both find a stale one would remove each other's:
 * so all this happens under a lock on the folder, which goes with the descriptor.  Anybody who can read the folder, as
 * /tmp, can have that lock: one that is kept is not waited for for ever.
 */
static int lock_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char folder[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	const struct timespec pause = { .tv_nsec = 10 * 1000 * 1000 };
	int fd;

	snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; fd >= 0 && i < LOCK_TRIES && flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK; i++)
		nanosleep(&pause, NULL);
	return fd; /* without a lock it is still tried: who cannot read the folder may be able to write to it */
}

static int check_free(const char *path, const struct sockaddr_un *addr, bool *ret_stale, struct trn_error *err)
{
	struct stat st;

	*ret_stale = is_stale(path, addr);
	if (*ret_stale || lstat(path, &st) < 0)
		return 0;
	if (S_ISSOCK(st.st_mode)) {
		trn_error_set(err, -EADDRINUSE, "SocketInUse", "%s is the socket of another process, which listens there", path);
		return trn_error_hint(err, "choose another path, or end that process first");
	}
	trn_error_set(err, -EADDRINUSE, "SocketInUse", "%s is there already, and is no socket", path);
	return trn_error_hint(err, "choose another path, or remove the file");
}

int base_socket_check_free(const char *path, struct trn_error *err)
{
	struct sockaddr_un addr;
	bool is_old;
	int r = make_address(path, &addr, err);

	return r < 0 ? r : check_free(path, &addr, &is_old, err);
}

static int listen_anew(int type, const char *path, struct trn_error *err)
{
	_cleanup_close_ int folder = -1;
	struct sockaddr_un addr;
	bool is_old;
	int r = make_address(path, &addr, err);

	if (r < 0)
		return r;
	folder = lock_folder(path);
	r = check_free(path, &addr, &is_old, err);
	if (r < 0)
		return r;
	if (is_old && unlink(path) < 0)
		return trn_error_set(err, -errno, "SocketFailed", "cannot remove the old socket %s: %s", path, strerror(errno));
	return listen_at(type, path, &addr, err);
}

int base_socket_listen_stream(const char *path, struct trn_error *err)
{
	return listen_anew(SOCK_STREAM, path, err);
}

int base_socket_listen_anew(const char *path, struct trn_error *err)
{
	return listen_anew(SOCK_SEQPACKET, path, err);
}

/* Whoever looks for the file sees it from bind() on, and is refused until listen(). */
static bool may_listen_soon(int tries_left)
{
	const struct timespec pause = { .tv_nsec = 5 * 1000 * 1000 };

	if (errno != ECONNREFUSED || tries_left <= 0)
		return false;
	nanosleep(&pause, NULL); /* a signal makes it shorter, and is not what is told */
	return true;
}

static int connect_to(int type, const char *path, int tries, struct trn_error *err)
{
	_cleanup_close_ int fd = -1;
	struct sockaddr_un addr;
	int r;

	r = make_address(path, &addr, err);
	if (r < 0)
		return r;
	fd = new_socket(type, err);
	if (fd < 0)
		return fd;

	do {
		r = connect(fd, (const struct sockaddr *)&addr, sizeof(addr));
	} while (r < 0 && (errno == EINTR || may_listen_soon(--tries)));
	if (r < 0) {
		r = trn_error_set(err, -errno, "ConnectFailed", "cannot connect to %s: %s", path, strerror(errno));
		if (r == -ENOENT || r == -ECONNREFUSED)
			trn_error_hint(err, "nobody listens there: start the device first (tranche-device --socket-path), or correct "
					    "the path");
		else if (r == -EACCES)
			trn_error_hint(err, "the socket belongs to another user");
		return r;
	}
	return TAKE_FD(fd);
}

int base_socket_connect(const char *path, struct trn_error *err)
{
	return connect_to(SOCK_SEQPACKET, path, 1, err);
}

int base_socket_connect_patiently(const char *path, struct trn_error *err)
{
	return connect_to(SOCK_SEQPACKET, path, CONNECT_TRIES, err);
}

int base_socket_connect_stream(const char *path, struct trn_error *err)
{
	return connect_to(SOCK_STREAM, path, CONNECT_TRIES, err);
}

int base_socket_pair(int ret_fds[2])
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	ret_fds[0] = fds[0];
	ret_fds[1] = fds[1];
	return 0;
}

int base_send(int sock, const void *data, size_t len, const int *fds, size_t nr_fds)
{
	union control control = { 0 };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)data, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	/* A packet of no bytes would read as the end of the connection. */
	if (len == 0 || nr_fds > BASE_MAX_FDS)
		return -EINVAL;
	if (nr_fds) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(nr_fds * sizeof(int));

		struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(nr_fds * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, nr_fds * sizeof(int));
	}

	do {
		n = sendmsg(sock, &msg, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}

/* Moves the descriptors of msg to fds; closes those beyond cap. Return: how many were kept. */
static size_t take_fds(struct msghdr *msg, int *fds, size_t cap)
{
	size_t kept = 0;

	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		size_t nr;

		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		nr = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < nr; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(int));
			if (kept < cap)
				fds[kept++] = fd;
			else
				base_close(fd);
		}
	}
	return kept;
}

ssize_t base_recv(int sock, void *buf, size_t cap, int *fds, size_t *nr_fds)
{
	union control control;
	struct iovec iov = { .iov_base = buf, .iov_len = cap };
	struct msghdr msg;
	size_t fds_cap = nr_fds ? *nr_fds : 0;
	size_t kept;
	ssize_t n;

	if (cap == 0)
		return -EINVAL;
	do {
		msg = (struct msghdr){
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control.bytes,
			.msg_controllen = sizeof(control.bytes),
		};
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;

	/* An empty packet may carry descriptors too, although it counts as the end. */
	if (n == 0 || (msg.msg_flags & MSG_TRUNC)) {
		take_fds(&msg, NULL, 0);
		if (nr_fds)
			*nr_fds = 0;
		return n == 0 ? 0 : -EMSGSIZE;
	}
	kept = take_fds(&msg, fds, fds_cap);
	if (nr_fds)
		*nr_fds = kept;
	return n;
}
