/* SPDX-License-Identifier: MIT */
#include "base/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "unit.h"

static char folder[] = "/tmp/test_socket.XXXXXX";

static const char *path_in(const char *name)
{
	static char path[64];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void make_pair(int fds[2])
{
	assert_int_equal(base_socket_pair(fds), 0);
	assert_true(fcntl(fds[0], F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(fds[1], F_GETFD) & FD_CLOEXEC);
}

static void close_pair(int fds[2])
{
	base_close(fds[0]);
	base_close(fds[1]);
}

static void test_listen_and_connect(void **state)
{
	struct trn_error err = { 0 };
	char buf[8];
	size_t nr = 0;
	struct stat st;
	int listener = base_socket_listen(path_in("a"), &err);
	int client, server;

	assert_true(listener >= 0);
	assert_int_equal(stat(path_in("a"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	client = base_socket_connect(path_in("a"), &err);
	assert_true(client >= 0);
	server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(server >= 0);
	assert_int_equal(base_send(client, "hello", 5, NULL, 0), 0);
	assert_int_equal(base_recv(server, buf, sizeof(buf), NULL, &nr), 5);
	assert_memory_equal(buf, "hello", 5);

	assert_refused(base_socket_listen(path_in("a"), &err), err, -EADDRINUSE, "SocketFailed");
	base_close(listener);
	assert_refused(base_socket_connect(path_in("a"), &err), err, -ECONNREFUSED, "ConnectFailed");
	unlink(path_in("a"));
	base_close(client);
	base_close(server);
}

static void test_stream(void **state)
{
	struct trn_error err = { 0 };
	const char *path = path_in("stream");
	int listener = base_socket_listen_stream(path, &err);
	int client, file, packets;

	assert_true(listener >= 0);
	assert_refused(base_socket_check_free(path, &err), err, -EADDRINUSE, "SocketInUse");
	client = base_socket_connect_stream(path, &err);
	assert_true(client >= 0);
	/* Not even its owner takes it from itself, and its queue is of no matter. */
	assert_refused(base_socket_listen_stream(path, &err), err, -EADDRINUSE, "SocketInUse");
	base_close(listener);
	assert_refused(base_socket_connect_stream(path, &err), err, -ECONNREFUSED, "ConnectFailed");
	assert_int_equal(base_socket_check_free(path, &err), 0);
	listener = base_socket_listen_stream(path, &err);
	assert_true(listener >= 0);
	base_close(client);
	client = base_socket_connect_stream(path, &err);
	assert_true(client >= 0);
	base_close(client);
	base_close(listener);
	unlink(path);

	/* Sockets of another type that live, and files, stay. */
	packets = base_socket_listen(path, &err);
	assert_true(packets >= 0);
	assert_refused(base_socket_listen_stream(path, &err), err, -EADDRINUSE, "SocketInUse");
	base_close(packets);
	unlink(path);
	file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(file >= 0);
	base_close(file);
	assert_refused(base_socket_listen_stream(path, &err), err, -EADDRINUSE, "SocketInUse");
	assert_int_equal(unlink(path), 0);
	assert_refused(base_socket_listen_stream(path_in("no/such"), &err), err, -ENOENT, "SocketFailed");
}

static void *listen_late(void *arg)
{
	const struct timespec pause = { .tv_nsec = 30 * 1000 * 1000 };

	nanosleep(&pause, NULL);
	assert_int_equal(listen(*(int *)arg, 1), 0);
	return NULL;
}

/* The file is there before its owner listens. */
static void test_one_that_is_about_to_listen(void **state)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int types[] = { SOCK_STREAM, SOCK_SEQPACKET };

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path_in("late"));
	for (size_t i = 0; i < 2; i++) {
		int fd = socket(AF_UNIX, types[i] | SOCK_CLOEXEC, 0), client;
		pthread_t thread;

		assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
		assert_int_equal(base_socket_connect(addr.sun_path, NULL), i ? -ECONNREFUSED : -EPROTOTYPE);
		assert_int_equal(pthread_create(&thread, NULL, listen_late, &fd), 0);
		client = i ? base_socket_connect_patiently(addr.sun_path, NULL) : base_socket_connect_stream(addr.sun_path, NULL);
		assert_true(client >= 0);
		pthread_join(thread, NULL);
		base_close(client);
		base_close(fd);
		unlink(addr.sun_path);
	}
}

static void test_lock_that_somebody_keeps(void **state)
{
	struct trn_error err = { 0 };
	const char *path = path_in("locked");
	int keeper = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), listener;

	assert_int_equal(flock(keeper, LOCK_EX), 0);
	listener = base_socket_listen_stream(path, &err);
	assert_true(listener >= 0);
	base_close(listener);
	base_close(keeper);
	unlink(path);
}

static void test_bad_paths(void **state)
{
	struct trn_error err = { 0 };
	char path[300];

	assert_refused(base_socket_connect(path_in("none"), &err), err, -ENOENT, "ConnectFailed");
	assert_refused(base_socket_listen(path_in("no/such"), &err), err, -ENOENT, "SocketFailed");
	assert_refused(base_socket_listen("", &err), err, -EINVAL, "BadSocketPath");
	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	assert_refused(base_socket_listen(path, &err), err, -ENAMETOOLONG, "BadSocketPath");
	assert_refused(base_socket_connect(path, &err), err, -ENAMETOOLONG, "BadSocketPath");
	path[107] = '\0'; /* the longest that fits */
	assert_int_equal(base_socket_connect(path, NULL), -ENOENT);
}

static void test_descriptors_arrive(void **state)
{
	int pair[2], pipes[2], got[BASE_MAX_FDS];
	size_t nr = BASE_MAX_FDS;
	char buf[8];

	make_pair(pair);
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	assert_int_equal(base_send(pair[0], "x", 1, pipes, 2), 0);
	assert_int_equal(base_recv(pair[1], buf, sizeof(buf), got, &nr), 1);
	assert_int_equal(nr, 2);
	for (int i = 0; i < 2; i++)
		assert_true(fcntl(got[i], F_GETFD) & FD_CLOEXEC);
	assert_int_equal(write(got[1], "y", 1), 1);
	assert_int_equal(read(pipes[0], buf, 1), 1);
	close_pair(got);
	close_pair(pipes);
	close_pair(pair);
}

static void test_surplus_descriptors_are_closed(void **state)
{
	int pair[2], got[BASE_MAX_FDS];
	int fds[BASE_MAX_FDS] = { 0, 0, 0, 0 };
	int before;
	char buf[8];
	size_t nr;

	make_pair(pair);
	before = unit_count_fds();

	assert_int_equal(base_send(pair[0], "x", 1, fds, BASE_MAX_FDS), 0);
	nr = 1;
	assert_int_equal(base_recv(pair[1], buf, sizeof(buf), got, &nr), 1);
	assert_int_equal(nr, 1);
	base_close(got[0]);
	assert_int_equal(unit_count_fds(), before);

	assert_int_equal(base_send(pair[0], "x", 1, fds, BASE_MAX_FDS), 0);
	assert_int_equal(base_recv(pair[1], buf, sizeof(buf), NULL, NULL), 1);
	assert_int_equal(unit_count_fds(), before);

	assert_int_equal(base_send(pair[0], "x", 1, fds, BASE_MAX_FDS + 1), -EINVAL);
	close_pair(pair);
}

/* A peer that does not use base_send() may send more descriptors than a message can have. */
static void test_peer_sends_many_descriptors(void **state)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(64 * sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = (char[]){ "x" }, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	int pair[2], got[BASE_MAX_FDS], before;
	size_t nr = BASE_MAX_FDS;
	char buf[8];

	make_pair(pair);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(64 * sizeof(int));
	for (int i = 0; i < 64; i++)
		memcpy(CMSG_DATA(cmsg) + (size_t)i * sizeof(int), &pair[0], sizeof(int));
	before = unit_count_fds();
	assert_int_equal(sendmsg(pair[0], &msg, 0), 1);
	assert_int_equal(base_recv(pair[1], buf, sizeof(buf), got, &nr), 1);
	assert_int_equal(nr, BASE_MAX_FDS);
	for (size_t i = 0; i < nr; i++)
		base_close(got[i]);
	assert_int_equal(unit_count_fds(), before);
	close_pair(pair);
}

static void test_long_packet_is_refused_whole(void **state)
{
	int pair[2], got[BASE_MAX_FDS], before;
	size_t nr = BASE_MAX_FDS;
	char buf[8];

	make_pair(pair);
	before = unit_count_fds();
	assert_int_equal(base_send(pair[0], "too long a packet", 17, (int[]){ 0 }, 1), 0);
	assert_int_equal(base_send(pair[0], "next", 4, NULL, 0), 0);
	assert_int_equal(base_recv(pair[1], buf, sizeof(buf), got, &nr), -EMSGSIZE);
	assert_int_equal(nr, 0);
	assert_int_equal(unit_count_fds(), before);
	nr = BASE_MAX_FDS;
	assert_int_equal(base_recv(pair[1], buf, sizeof(buf), got, &nr), 4);
	assert_int_equal(nr, 0);
	close_pair(pair);
}

static void test_end_and_empty_packets(void **state)
{
	int pair[2];
	char buf[8];

	make_pair(pair);
	assert_int_equal(base_send(pair[0], "", 0, NULL, 0), -EINVAL);
	assert_int_equal(base_recv(pair[1], buf, 0, NULL, NULL), -EINVAL);
	assert_int_equal(send(pair[0], "", 0, 0), 0); /* a peer that does it counts as gone */
	assert_int_equal(base_recv(pair[1], buf, sizeof(buf), NULL, NULL), 0);
	pair[0] = base_close(pair[0]);
	assert_int_equal(base_recv(pair[1], buf, sizeof(buf), NULL, NULL), 0);
	assert_int_equal(base_send(pair[1], "x", 1, NULL, 0), -EPIPE); /* and no SIGPIPE */
	base_close(pair[1]);
}

static void test_non_blocking(void **state)
{
	static char big[4096];
	int pair[2], r;
	char buf[8];

	make_pair(pair);
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	assert_int_equal(base_recv(pair[0], buf, sizeof(buf), NULL, NULL), -EAGAIN);
	do {
		r = base_send(pair[0], big, sizeof(big), NULL, 0);
	} while (r == 0);
	assert_int_equal(r, -EAGAIN);
	close_pair(pair);
	assert_int_equal(base_recv(-1, buf, sizeof(buf), NULL, NULL), -EBADF);
	assert_int_equal(base_send(-1, buf, sizeof(buf), NULL, 0), -EBADF);
}

static void test_close_keeps_errno(void **state)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	errno = EXDEV;
	assert_int_equal(base_close(fd), -1);
	assert_int_equal(base_close(-1), -1);
	assert_int_equal(errno, EXDEV);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_listen_and_connect),
		cmocka_unit_test(test_stream),
		cmocka_unit_test(test_one_that_is_about_to_listen), cmocka_unit_test(test_lock_that_somebody_keeps),
		cmocka_unit_test(test_bad_paths),
		cmocka_unit_test(test_descriptors_arrive),
		cmocka_unit_test(test_surplus_descriptors_are_closed),
		cmocka_unit_test(test_peer_sends_many_descriptors),
		cmocka_unit_test(test_long_packet_is_refused_whole),
		cmocka_unit_test(test_end_and_empty_packets),
		cmocka_unit_test(test_non_blocking),
		cmocka_unit_test(test_close_keeps_errno),
	};
	int r;

	if (!mkdtemp(folder))
		return 1;
	r = unit_run(tests);
	rmdir(folder);
	return r;
}
