/* SPDX-License-Identifier: MIT */
/* The life of a server: clients that come, go, and are in the way, its limits, its socket, its end. */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vfio_user_peer.h"

static void wait_for_one_client(void)
{
	for (int i = 0; i < 2000 && trn_server_nr_clients(peer.server) > 1; i++)
		poll(NULL, 0, 5);
	assert_int_equal(trn_server_nr_clients(peer.server), 1);
}

static void test_the_next_client_finds_the_device_as_it_was(void **state)
{
	uint8_t buf[64];
	struct peer_reply r;

	peer_hello(peer.sock);
	peer_send_with_fds(peer.sock, buf, peer_put_write(buf, 1, VFU_FLAG_NO_REPLY, 16, "kept", 4), NULL, 0);
	close(peer.sock); /* the server finds out later than the next client comes */
	peer.sock = peer_connect_client();
	peer_hello(peer.sock);
	wait_for_one_client(); /* what the former one has sent was done before it ended */
	peer_send_with_fds(peer.sock, buf, peer_put_read(buf, 2, 16, 4), NULL, 0);
	peer_expect_reply(peer.sock, 2, VFU_REGION_READ, &r);
	assert_memory_equal(r.payload + 16, "kept", 4);
	assert_int_equal(peer.device.nr_opens, 2);
}

static void test_a_device_with_one_place(void **state)
{
	int other;

	peer_hello(peer.sock);
	other = peer_connect_client();
	peer_send_version(other, 1, 0, 1, PEER_CAPS, sizeof(PEER_CAPS));
	peer_expect_error(other, 1, EUSERS);
	peer.device.close_ms = 100;
	close(peer.sock);
	peer.sock = other;
	peer_hello(peer.sock);
}

/* At whatever point of its end the former connection is; the last times: it is gone when the refusal is there. */
static void test_one_client_after_the_other(void **state)
{
	for (int i = 0; i < 200; i++) {
		if (i == 195) {
			peer.device.close_ms = 20;
			peer.device.busy_ms = 60;
		}
		peer_hello(peer.sock);
		close(peer.sock);
		peer.sock = peer_connect_client();
	}
}

static void test_two_clients_at_once(void **state)
{
	int other = peer_connect_client();
	uint8_t buf[64];
	struct peer_reply r;

	peer_hello(peer.sock);
	peer_hello(other);
	assert_int_equal(trn_server_nr_clients(peer.server), 2);
	/* One stops in the midst of a message and holds up nobody. */
	peer_send_with_fds(peer.sock, buf, peer_put_write(buf, 1, 0, 0, "abcd", 4) - 1, NULL, 0);
	peer_send_with_fds(other, buf, peer_put_read(buf, 2, 0, 4), NULL, 0);
	peer_expect_reply(other, 2, VFU_REGION_READ, &r);
	close(other);
}

static void test_max_clients(void **state)
{
	struct trn_error err = { 0 };
	int fds[2];

	trn_server_destroy(peer.server);
	close(peer.sock);
	peer_make_server((struct trn_server_params){ .max_clients = 1 });
	peer.sock = peer_connect_client();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(trn_server_connect(peer.server, fds[1], &err), -EUSERS);
	assert_true(peer_is_gone(fds[0]));
	close(fds[0]);
	peer_hello(peer.sock);
	peer.device.close_ms = 100;
	close(peer.sock);
	peer.sock = peer_connect_client(); /* the former one is on its way out */
	peer_hello(peer.sock);
}

static void test_the_rest_of_a_message_has_its_time(void **state)
{
	uint8_t buf[64];
	struct peer_reply r;

	trn_server_destroy(peer.server);
	close(peer.sock);
	peer_make_server((struct trn_server_params){ .wait_ms = 50 });
	peer.sock = peer_connect_client();
	peer_hello(peer.sock);
	poll(NULL, 0, 120); /* silence is no message */
	peer_send_with_fds(peer.sock, buf, peer_put_read(buf, 2, 0, 4), NULL, 0);
	peer_expect_reply(peer.sock, 2, VFU_REGION_READ, &r);
	peer_send_with_fds(peer.sock, buf, 20, NULL, 0);
	assert_true(peer_is_gone(peer.sock));
}

static void test_listening(void **state)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(sa_family_t);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), client;

	assert_int_equal(bind(fd, (struct sockaddr *)&addr, len), 0); /* a name of the kernel's choice */
	assert_int_equal(listen(fd, 4), 0);
	len = sizeof(addr);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	assert_int_equal(trn_server_listen(peer.server, fd, NULL), 0);
	assert_int_equal(trn_server_listen(peer.server, dup(fd), NULL), -EBUSY);
	for (int i = 0; i < 3; i++) {
		client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(connect(client, (struct sockaddr *)&addr, len), 0);
		peer_hello(client);
		close(client);
	}
}

/* A socket that listens, for the server, and its address. Return: length of that. */
static socklen_t listen_somewhere(struct sockaddr_un *addr)
{
	socklen_t len = sizeof(sa_family_t);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	addr->sun_family = AF_UNIX;
	assert_int_equal(bind(fd, (struct sockaddr *)addr, len), 0);
	assert_int_equal(listen(fd, 4), 0);
	len = sizeof(*addr);
	assert_int_equal(getsockname(fd, (struct sockaddr *)addr, &len), 0);
	assert_int_equal(trn_server_listen(peer.server, fd, NULL), 0);
	return len;
}

/* Does a process of that user get in?  It takes its first connection's answer with it. */
static bool is_user_let_in(uid_t uid, const struct sockaddr_un *addr, socklen_t len)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		const struct { struct vfu_version v; char caps[sizeof(PEER_CAPS)]; } hello = { { .minor = 1 }, PEER_CAPS };
		uint8_t message[512], reply[256];
		int fd = setresuid(uid, uid, uid) == 0 ? socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;
		size_t size = peer_put(message, 1, VFU_VERSION, 0, &hello, sizeof(hello.v) + sizeof(hello.caps));

		if (fd < 0 || connect(fd, (const struct sockaddr *)addr, len) < 0)
			_exit(2);
		/* It may be turned away before; nothing is asserted here, the tests are the other process's. */
		(void)!send(fd, message, size, MSG_NOSIGNAL);
		_exit(recv(fd, reply, sizeof(reply), 0) > 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
	return WEXITSTATUS(status) == 0;
}

/* As root only, who can be several users. */
static void test_owner(void **state)
{
	struct sockaddr_un addr = { 0 };
	socklen_t len;

	if (geteuid() != 0)
		skip();
	trn_server_destroy(peer.server);
	close(peer.sock);
	peer_make_server((struct trn_server_params){ .checks_owner = 1, .owner = 65534 });
	peer.sock = peer_connect_client();
	len = listen_somewhere(&addr);
	assert_true(is_user_let_in(0, &addr, len));
	assert_true(is_user_let_in(65534, &addr, len));
	assert_false(is_user_let_in(65533, &addr, len));
	peer_hello(peer.sock);
}

/* trn_server_end_clients() and trn_server_get_stats() */
static void test_clients_are_ended_and_counted(void **state)
{
	struct trn_server_stats stats;
	int other = peer_connect_client();
	uint8_t buf[64];
	struct peer_reply r;

	peer_hello(peer.sock);
	peer_hello(other);
	peer_send_with_fds(other, buf, peer_put_read(buf, 2, 0, 4), NULL, 0);
	peer_expect_reply(other, 2, VFU_REGION_READ, &r);
	trn_server_get_stats(peer.server, &stats);
	assert_int_equal(stats.clients, 2);
	assert_int_equal(stats.accesses, 1);
	trn_server_end_clients(peer.server);
	assert_true(peer_is_gone(peer.sock));
	assert_true(peer_is_gone(other));
	close(other);
	close(peer.sock);
	peer.sock = peer_connect_client();
	peer_hello(peer.sock);
	trn_server_get_stats(peer.server, &stats);
	assert_int_equal(stats.clients, 3);
	for (int i = 0; i < 1000 && trn_server_nr_clients(peer.server) > 1; i++)
		poll(NULL, 0, 5);
	trn_server_get_stats(peer.server, &stats);
	assert_int_equal(stats.accesses, 1);
}

static void test_limits_that_are_refused(void **state)
{
	const struct trn_server_params wrong[] = {
		{ .dev = peer.dev, .max_msg_fds = 65 },
		{ .dev = peer.dev, .max_data_xfer_size = (16u << 20) + 1 },
		{ .dev = peer.dev, .wait_ms = -1 },
	};
	struct trn_server *none = NULL;
	struct trn_error err = { 0 };

	for (size_t i = 0; i < 3; i++) {
		int r = trn_server_create(&wrong[i], &none, &err);

		assert_refused(r, err, -EINVAL, "BadLimit");
		assert_null(none);
	}
}

/* A client that never reads: its thread sits in sendmsg() when the server goes. */
static void test_destroy_wakes_a_thread_that_sends(void **state)
{
	struct vfu_region_access a = { .count = 1u << 20 };

	peer_hello(peer.sock);
	for (uint16_t i = 0; i < 8; i++)
		peer_send_command(peer.sock, i, VFU_REGION_READ, &a, sizeof(a));
	poll(NULL, 0, 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PEER_TEST(test_the_next_client_finds_the_device_as_it_was),
		cmocka_unit_test_setup_teardown(test_a_device_with_one_place, peer_setup_one_session, peer_teardown),
		PEER_TEST(test_one_client_after_the_other),
		PEER_TEST(test_two_clients_at_once),
		PEER_TEST(test_max_clients),
		PEER_TEST(test_the_rest_of_a_message_has_its_time),
		PEER_TEST(test_listening),
		PEER_TEST(test_owner),
		PEER_TEST(test_clients_are_ended_and_counted),
		PEER_TEST(test_limits_that_are_refused),
		PEER_TEST(test_destroy_wakes_a_thread_that_sends),
	};

	return unit_run(tests);
}
