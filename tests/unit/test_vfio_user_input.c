/* SPDX-License-Identifier: MIT */
/* Messages out of a socket: in pieces, many at once, too large; and whose the descriptors are. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit.h"
#include "vfio-user/connection.h"
#include "vfio-user/input.h"

#define MAX_MESSAGE 4096
#define MAX_FDS 16

static int peer, sock;
static struct vfu_input *in;
static struct vfu_request req;

static int setup(void **state)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	peer = fds[0];
	sock = fds[1];
	in = vfu_input_new(MAX_MESSAGE, MAX_FDS);
	assert_non_null(in);
	return 0;
}

static int teardown(void **state)
{
	vfu_input_free(in);
	close(peer);
	close(sock);
	return 0;
}

struct message {
	struct vfu_header header;
	uint8_t payload[MAX_MESSAGE * 4];
};

static struct message make(uint16_t id, uint16_t command, size_t len)
{
	struct message m = { .header = { .id = id, .command = command, .size = (uint32_t)(sizeof(m.header) + len) } };

	for (size_t i = 0; i < len; i++)
		m.payload[i] = (uint8_t)(id + i);
	return m;
}

static struct message make_set_irqs(uint16_t id, uint32_t flags, uint32_t count)
{
	struct vfu_irq_set set = { .argsz = sizeof(set), .flags = flags | VFU_IRQ_SET_ACTION_TRIGGER, .count = count };
	struct message m = make(id, VFU_DEVICE_SET_IRQS, sizeof(set));

	memcpy(m.payload, &set, sizeof(set));
	return m;
}

static void send_bytes(const void *data, size_t len, size_t nr_fds)
{
	union {
		char buf[CMSG_SPACE(253 * sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)data, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (nr_fds) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(nr_fds * sizeof(int));
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(nr_fds * sizeof(int));
		for (size_t i = 0; i < nr_fds; i++)
			memcpy(CMSG_DATA(&control.align) + i * sizeof(int), &fd, sizeof(int));
	}
	assert_int_equal(sendmsg(peer, &msg, MSG_NOSIGNAL), len);
	close(fd);
}

static void send_message(const struct message *m, size_t nr_fds)
{
	send_bytes(m, m->header.size, nr_fds);
}

/* The next one is this message, with so many descriptors; they are closed. */
static void expect_message(const struct message *m, size_t nr_fds)
{
	assert_int_equal(vfu_input_next(in, &req), 1);
	assert_int_equal(req.header.id, m->header.id);
	assert_int_equal(req.len, m->header.size - sizeof(m->header));
	assert_memory_equal(req.payload, m->payload, req.len);
	assert_int_equal(req.nr_fds, nr_fds);
	for (size_t i = 0; i < nr_fds; i++)
		assert_true(fcntl(req.fds[i], F_GETFD) & FD_CLOEXEC);
	vfu_input_release(in);
}

static void expect_nothing(void)
{
	assert_int_equal(vfu_input_next(in, &req), 0);
}

static void receive(size_t len)
{
	assert_int_equal(vfu_input_receive(in, sock), len);
}

static void test_many_messages_in_one_read(void **state)
{
	struct message m[16];
	size_t len = 0;

	for (uint16_t i = 0; i < 16; i++) {
		m[i] = make(i, VFU_REGION_READ, i * 3u);
		send_message(&m[i], 0);
		len += m[i].header.size;
	}
	receive(len);
	for (size_t i = 0; i < 16; i++)
		expect_message(&m[i], 0);
	expect_nothing();
	assert_false(vfu_input_is_partial(in));
}

static void test_one_byte_at_a_time(void **state)
{
	for (uint16_t id = 0; id < 3; id++) {
		struct message m = make(id, VFU_DMA_MAP, 32);

		for (size_t i = 0; i < m.header.size; i++) {
			expect_nothing();
			assert_int_equal(vfu_input_is_partial(in), i > 0);
			send_bytes((uint8_t *)&m + i, 1, i == 0);
			receive(1);
		}
		expect_message(&m, 1);
	}
}

static void test_a_message_larger_than_the_buffer_at_first(void **state)
{
	struct message m = make(7, VFU_REGION_WRITE, 300);
	static uint8_t big[200000];
	struct vfu_header h = { .command = VFU_REGION_WRITE, .size = sizeof(big) };
	size_t done = 0;

	vfu_input_free(in);
	in = vfu_input_new(sizeof(big), MAX_FDS);
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (uint8_t)(i * 7);
	memcpy(big, &h, sizeof(h));
	send_message(&m, 0);
	while (done < sizeof(big)) {
		size_t piece = sizeof(big) - done < 50000 ? sizeof(big) - done : 50000;

		send_bytes(big + done, piece, 0);
		done += piece;
		assert_true(vfu_input_receive(in, sock) > 0);
		if (m.header.id) {
			expect_message(&m, 0);
			m.header.id = 0;
		}
		if (done < sizeof(big))
			expect_nothing();
	}
	while (vfu_input_next(in, &req) == 0)
		assert_true(vfu_input_receive(in, sock) > 0);
	assert_int_equal(req.len, sizeof(big) - sizeof(h));
	assert_memory_equal(req.payload, big + sizeof(h), req.len);
	vfu_input_release(in);
	expect_nothing();
	/* and small ones again, until the large buffer is given back */
	for (uint16_t i = 0; i < 100; i++) {
		m = make(i, VFU_REGION_READ, 16);
		send_message(&m, 0);
		receive(m.header.size);
		expect_message(&m, 0);
		expect_nothing();
	}
}

static void test_a_message_over_the_limit_is_dropped(void **state)
{
	struct message big = make(1, VFU_REGION_WRITE, MAX_MESSAGE * 2), fits = make(2, VFU_REGION_WRITE, MAX_MESSAGE - 16);

	send_bytes(&big, 100, 1);
	receive(100);
	assert_int_equal(vfu_input_next(in, &req), -E2BIG);
	assert_int_equal(req.header.id, 1);
	assert_int_equal(req.nr_fds, 0);
	vfu_input_release(in);
	expect_nothing();
	assert_true(vfu_input_is_partial(in));
	send_bytes((uint8_t *)&big + 100, big.header.size - 100, 0);
	send_message(&fits, 1);
	receive(big.header.size - 100 + fits.header.size);
	expect_message(&fits, 1);
	expect_nothing();
	assert_false(vfu_input_is_partial(in));
}

static void test_headers_that_cannot_be_read(void **state)
{
	struct message m = make(1, VFU_REGION_READ, 16);

	m.header.size = 15;
	send_bytes(&m, 16, 0);
	receive(16);
	assert_int_equal(vfu_input_next(in, &req), -EBADMSG);
	teardown(NULL);
	setup(NULL);
	m.header.size = 32;
	m.header.flags = 2;
	send_bytes(&m, 32, 0);
	receive(32);
	assert_int_equal(vfu_input_next(in, &req), -EBADMSG);
}

static void test_fds_belong_to_what_they_came_with(void **state)
{
	struct message read = make(1, VFU_REGION_READ, 16), map = make(2, VFU_DMA_MAP, 32), plain = make(3, VFU_DMA_MAP, 32);

	/* The kernel glues the first two and stops behind the second. */
	send_message(&read, 0);
	send_message(&map, 1);
	send_message(&plain, 0);
	receive(read.header.size + map.header.size);
	expect_message(&read, 0);
	expect_message(&map, 1);
	expect_nothing();
	receive(plain.header.size);
	expect_message(&plain, 0);
	expect_nothing();
}

static void test_fds_of_the_last_that_takes_them(void **state)
{
	struct message plain = make(1, VFU_DMA_MAP, 32), map = make(2, VFU_DMA_MAP, 32);
	struct message none = make_set_irqs(3, VFU_IRQ_SET_DATA_NONE, 4), unwire = make_set_irqs(4, VFU_IRQ_SET_DATA_EVENTFD, 3);
	struct message wire = make_set_irqs(5, VFU_IRQ_SET_DATA_EVENTFD, 2), read = make(6, VFU_REGION_READ, 16);
	uint8_t both[256];

	send_message(&plain, 0);
	send_message(&map, 1);
	receive(plain.header.size + map.header.size);
	expect_message(&plain, 0);
	expect_message(&map, 1);
	expect_nothing();

	send_message(&none, 0);
	send_message(&unwire, 0);
	send_message(&wire, 2);
	receive(none.header.size + unwire.header.size + wire.header.size);
	expect_message(&none, 0);
	expect_message(&unwire, 0);
	expect_message(&wire, 2);
	expect_nothing();

	/* A client that sends two messages by one call, descriptors on the first. */
	memcpy(both, &wire, wire.header.size);
	memcpy(both + wire.header.size, &read, read.header.size);
	send_bytes(both, wire.header.size + read.header.size, 2);
	receive(wire.header.size + read.header.size);
	expect_message(&wire, 2);
	expect_message(&read, 0);
	expect_nothing();
}

static void test_fds_with_half_a_message(void **state)
{
	struct message read = make(1, VFU_REGION_READ, 16), map = make(2, VFU_DMA_MAP, 32), next = make(3, VFU_DMA_MAP, 32);

	send_message(&read, 0);
	send_bytes(&map, 5, 1);
	receive(read.header.size + 5);
	expect_message(&read, 0);
	expect_nothing();
	/* The rest of it, and one with descriptors of its own, in one read. */
	send_bytes((uint8_t *)&map + 5, map.header.size - 5, 0);
	send_message(&next, 1);
	receive(map.header.size - 5 + next.header.size);
	expect_message(&map, 1);
	expect_message(&next, 1);
	expect_nothing();
}

static void test_fds_in_the_midst_are_closed(void **state)
{
	struct message m = make(1, VFU_DMA_MAP, 32);
	int before = unit_count_fds();

	send_bytes(&m, 20, 0);
	receive(20);
	expect_nothing();
	send_bytes((uint8_t *)&m + 20, m.header.size - 20, 1);
	receive(m.header.size - 20);
	assert_int_equal(unit_count_fds(), before);
	expect_message(&m, 0);
}

static void test_too_many_fds_are_closed(void **state)
{
	static const size_t numbers[] = { MAX_FDS + 1, VFU_MAX_FDS, VFU_MAX_FDS + 1, 253 };
	struct message m = make(1, VFU_DMA_MAP, 32), next = make(2, VFU_REGION_READ, 16);
	int before = unit_count_fds();

	for (size_t i = 0; i < 4; i++) {
		send_message(&m, numbers[i]);
		send_message(&next, 0);
		receive(m.header.size);
		assert_int_equal(vfu_input_next(in, &req), -E2BIG);
		assert_int_equal(req.header.id, 1);
		assert_int_equal(unit_count_fds(), before);
		vfu_input_release(in);
		expect_nothing();
		receive(next.header.size);
		expect_message(&next, 0);
		expect_nothing();
	}
}

static void test_fds_that_nobody_takes_are_closed(void **state)
{
	struct message m = make(1, VFU_DMA_MAP, 32);
	int before = unit_count_fds(), kept;

	send_message(&m, 3);
	receive(m.header.size);
	assert_int_equal(vfu_input_next(in, &req), 1);
	kept = req.fds[1];
	req.fds[1] = -1;
	vfu_input_release(in);
	assert_int_equal(unit_count_fds(), before + 1);
	close(kept);
	/* and those of a message that never became whole */
	send_bytes(&m, 10, 2);
	receive(10);
	expect_nothing();
	vfu_input_free(in);
	assert_int_equal(unit_count_fds(), before);
	in = vfu_input_new(MAX_MESSAGE, MAX_FDS);
}

static void test_the_end_of_the_peer(void **state)
{
	struct message m = make(1, VFU_REGION_READ, 16);

	send_bytes(&m, 20, 0);
	shutdown(peer, SHUT_WR);
	receive(20);
	expect_nothing();
	receive(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_many_messages_in_one_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_byte_at_a_time, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_message_larger_than_the_buffer_at_first, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_message_over_the_limit_is_dropped, setup, teardown),
		cmocka_unit_test_setup_teardown(test_headers_that_cannot_be_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fds_belong_to_what_they_came_with, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fds_of_the_last_that_takes_them, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fds_with_half_a_message, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fds_in_the_midst_are_closed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_many_fds_are_closed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fds_that_nobody_takes_are_closed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_end_of_the_peer, setup, teardown),
	};

	return unit_run(tests);
}
