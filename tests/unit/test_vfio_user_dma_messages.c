/* SPDX-License-Identifier: MIT */
/* DMA_READ and DMA_WRITE: what is sent and when, which replies are believed, and how requests end that get none. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/memfd.h"
#include "vfio-user/dma_priv.h"
#include "vfio_user.h"

#define RW (VFU_DMA_MAP_READ | VFU_DMA_MAP_WRITE)
#define PAGE 4096ull
#define AT 0x100000ull
#define LEN (64 * PAGE)

static struct link l;
static struct got got;
static uint8_t buf[LEN];

static int setup(void **state)
{
	memset(buf, 0, sizeof(buf));
	link_open(&l, MIB, false);
	assert_int_equal(link_map(&l, AT, LEN, RW, -1, 0), 0);
	return 0;
}

static int setup_small(void **state)
{
	memset(buf, 0, sizeof(buf));
	link_open(&l, 1000, false);
	assert_int_equal(link_map(&l, AT, LEN, RW, -1, 0), 0);
	return 0;
}

static int setup_twin(void **state)
{
	memset(buf, 0, sizeof(buf));
	link_open(&l, MIB, true);
	assert_int_equal(link_map(&l, AT, LEN, RW, -1, 0), 0);
	return 0;
}

static int teardown(void **state)
{
	link_close(&l);
	return 0;
}

/* Asks in a batch, so that nobody but the test sends. */
static void ask(struct asked *a, uint64_t iova, void *p, size_t len, bool is_write)
{
	vfu_dma_batch_begin(&l.conn);
	assert_int_equal(link_ask(&l, a, iova, p, len, is_write), 1);
	vfu_dma_batch_end(&l.conn);
}

static void assert_command(uint16_t command, uint64_t address, uint64_t count)
{
	assert_true(got_receive(&got, l.peer, 10000));
	assert_int_equal(got.header.command, command);
	assert_int_equal(got.access.address, address);
	assert_int_equal(got.access.count, count);
	assert_int_equal(got.header.size, 32 + (command == VFU_DMA_WRITE ? count : 0));
}

static void test_a_read_ends_with_its_reply(void **state)
{
	struct asked a;

	vfu_dma_batch_begin(&l.conn);
	assert_int_equal(link_ask(&l, &a, AT + 5, buf, 100, false), 1);
	assert_false(got_receive(&got, l.peer, 20)); /* not before the end of the batch */
	vfu_dma_batch_end(&l.conn);
	assert_command(VFU_DMA_READ, AT + 5, 100);
	assert_int_equal(a.nr_done, 0);
	assert_int_equal(link_answer(&l, &got, 0x77), 0);
	assert_int_equal(a.nr_done, 1);
	assert_int_equal(a.result, 0);
	assert_int_equal(buf[0], 0x77);
	assert_int_equal(buf[99], 0x77);
	assert_int_equal(buf[100], 0);
	/* Once is enough. */
	assert_int_equal(link_answer(&l, &got, 0x78), -EINVAL);
	assert_int_equal(buf[0], 0x77);
	assert_int_equal(a.nr_done, 1);
}

static void test_a_write_carries_data(void **state)
{
	struct asked a;

	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)(i * 7);
	ask(&a, AT, buf, 3000, true);
	assert_command(VFU_DMA_WRITE, AT, 3000);
	assert_memory_equal(got.data, buf, 3000);
	assert_int_equal(link_answer(&l, &got, 0), 0);
	assert_int_equal(a.nr_done, 1);
	assert_int_equal(a.result, 0);
}

static void test_the_client_bounds_each_message(void **state)
{
	struct vfu_header headers[3];
	struct vfu_dma_access accesses[3];
	struct asked a;

	ask(&a, AT, buf, 2500, false);
	for (int i = 0; i < 3; i++) {
		assert_command(VFU_DMA_READ, AT + 1000ull * (unsigned int)i, i < 2 ? 1000 : 500);
		headers[i] = got.header;
		accesses[i] = got.access;
	}
	/* In any order. */
	for (int i = 2; i >= 0; i--) {
		assert_int_equal(a.nr_done, 0);
		got.header = headers[i];
		got.access = accesses[i];
		assert_int_equal(link_answer(&l, &got, (uint8_t)(i + 1)), 0);
	}
	assert_int_equal(a.nr_done, 1);
	assert_int_equal(a.result, 0);
	assert_int_equal(buf[0], 1);
	assert_int_equal(buf[1999], 2);
	assert_int_equal(buf[2499], 3);
	assert_int_equal(buf[2500], 0);
}

static void test_we_bound_what_a_reply_brings(void **state)
{
	struct asked a;

	l.conn.ours.max_data_xfer_size = 512;
	ask(&a, AT, buf, 600, false);
	assert_command(VFU_DMA_READ, AT, 512);
	assert_int_equal(link_answer(&l, &got, 1), 0);
	assert_command(VFU_DMA_READ, AT + 512, 88);
	assert_int_equal(link_answer(&l, &got, 1), 0);
	assert_int_equal(a.nr_done, 1);
}

static void test_wrong_replies(void **state)
{
	uint8_t payload[16 + 100] = { 0 };
	struct vfu_dma_access access;
	struct asked a;
	const struct {
		bool is_write;
		uint64_t address, count;
		size_t len;
		uint32_t flags, error;
		int result;
	} cases[] = {
		{ false, AT, 100, 116, VFU_FLAG_ERROR, EPERM, -EPERM },
		{ false, AT, 100, 0, VFU_FLAG_ERROR, EFAULT, -EFAULT },
		{ false, AT, 100, 0, VFU_FLAG_ERROR, 0, -EIO },
		{ false, AT, 100, 0, VFU_FLAG_ERROR, 0x80000001, -EIO },
		{ false, AT, 100, 115, 0, 0, -EIO },
		{ false, AT, 100, 0, 0, 0, -EIO },
		{ false, AT, 99, 116, 0, 0, -EIO },
		{ false, AT, UINT64_MAX, 116, 0, 0, -EIO },
		{ false, AT + 1, 100, 116, 0, 0, -EIO },
		{ true, AT, 0, 0, 0, 0, 0 }, /* as QEMU does */
		{ true, AT, 100, 12, 0, 0, 0 }, /* as a place of the specification says */
		{ true, AT, 100, 16, 0, 0, 0 },
		{ true, AT, 99, 16, 0, 0, -EIO },
		{ true, AT, 99, 12, 0, 0, -EIO },
		{ true, AT, 100, 17, 0, 0, -EIO },
		{ true, AT, 100, 8, 0, 0, -EIO },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memset(buf, 0x11, 100);
		ask(&a, AT, buf, 100, cases[i].is_write);
		assert_true(got_receive(&got, l.peer, 10000));
		access = (struct vfu_dma_access){ .address = cases[i].address, .count = cases[i].count };
		memcpy(payload, &access, sizeof(access));
		assert_int_equal(link_reply(&l, &got.header, payload, cases[i].len, cases[i].flags, cases[i].error), 0);
		assert_int_equal(a.nr_done, 1);
		assert_int_equal(a.result, cases[i].result);
		assert_int_equal(buf[0], 0x11);
	}
}

static void test_replies_to_nobody(void **state)
{
	struct vfu_header other;
	struct asked a;

	other = (struct vfu_header){ .id = 5, .command = VFU_DMA_READ };
	assert_int_equal(link_reply(&l, &other, NULL, 0, VFU_FLAG_ERROR, EIO), -EINVAL);
	ask(&a, AT, buf, 100, false);
	assert_true(got_receive(&got, l.peer, 10000));
	other = got.header;
	other.command = VFU_DMA_WRITE;
	assert_int_equal(link_reply(&l, &other, NULL, 0, 0, 0), -EINVAL);
	other = got.header;
	other.id ^= VFU_MAX_MESSAGES;
	assert_int_equal(link_reply(&l, &other, NULL, 0, VFU_FLAG_ERROR, EIO), -EINVAL);
	assert_int_equal(a.nr_done, 0);
	assert_int_equal(link_answer(&l, &got, 1), 0);
	assert_int_equal(a.nr_done, 1);
}

static void test_an_error_ends_the_whole_request(void **state)
{
	struct vfu_header first;
	struct asked a;

	ask(&a, AT, buf, 2500, false);
	assert_true(got_receive(&got, l.peer, 10000));
	first = got.header;
	assert_true(got_receive(&got, l.peer, 10000));
	assert_int_equal(link_reply(&l, &first, NULL, 0, VFU_FLAG_ERROR, EPERM), 0);
	assert_int_equal(a.nr_done, 1);
	assert_int_equal(a.result, -EPERM);
	/* The others' replies come to nobody any more, but are known. */
	assert_int_equal(link_answer(&l, &got, 0x99), 0);
	assert_int_equal(buf[1000], 0);
	assert_int_equal(link_answer(&l, &got, 0x99), -EINVAL);
}

static void test_a_request_may_span_maps_and_ways(void **state)
{
	_cleanup_close_ int fd = base_memfd_create("test", PAGE);
	struct asked a;
	struct got *second = malloc(sizeof(*second));

	assert_non_null(second);
	assert_int_equal(pwrite(fd, "x", 1, 7), 1);
	assert_int_equal(link_map(&l, AT + LEN, PAGE, RW, fd, 0), 0);
	assert_int_equal(link_map(&l, AT + LEN + PAGE, PAGE, RW, -1, 0), 0);
	ask(&a, AT + LEN - 10, buf, 10 + PAGE + 20, false);
	assert_int_equal(buf[10 + 7], 'x'); /* done at once */
	assert_command(VFU_DMA_READ, AT + LEN - 10, 10);
	assert_true(got_receive(second, l.peer, 10000));
	assert_int_equal(second->access.address, AT + LEN + PAGE);
	assert_int_equal(second->access.count, 20);
	assert_int_equal(link_answer(&l, &got, 3), 0);
	assert_int_equal(a.nr_done, 0);
	assert_int_equal(link_answer(&l, second, 4), 0);
	assert_int_equal(a.nr_done, 1);
	assert_int_equal(a.result, 0);
	assert_int_equal(buf[9], 3);
	assert_int_equal(buf[10 + 7], 'x');
	assert_int_equal(buf[10 + PAGE], 4);
	free(second);
}

static void test_requests_under_way_are_bounded(void **state)
{
	struct asked *a = calloc(VFU_MAX_JOBS + 1, sizeof(*a));
	unsigned int nr_sent = 0;

	assert_non_null(a);
	vfu_dma_batch_begin(&l.conn);
	for (unsigned int i = 0; i < VFU_MAX_JOBS; i++)
		assert_int_equal(link_ask(&l, &a[i], AT + i, &buf[i], 1, false), 1);
	assert_int_equal(link_ask(&l, &a[VFU_MAX_JOBS], AT, buf, 1, false), -EBUSY);
	vfu_dma_batch_end(&l.conn);
	/* More messages follow only as replies come. */
	while (got_receive(&got, l.peer, 20))
		nr_sent++;
	assert_int_equal(nr_sent, VFU_MAX_MESSAGES);
	vfu_dma_batch_begin(&l.conn);
	assert_int_equal(link_answer(&l, &got, 1), 0);
	vfu_dma_batch_end(&l.conn);
	assert_true(got_receive(&got, l.peer, 10000));
	assert_int_equal(got.access.address, AT + VFU_MAX_MESSAGES);
	assert_int_equal(link_ask(&l, &a[VFU_MAX_JOBS], AT, buf, 1, false), 1);
	/* All of them end with the connection. */
	vfu_dma_close(&l.conn);
	for (unsigned int i = 0; i <= VFU_MAX_JOBS; i++) {
		assert_int_equal(a[i].nr_done, 1);
		assert_int_equal(a[i].result, i == VFU_MAX_MESSAGES - 1 ? 0 : -ECANCELED);
	}
	assert_int_equal(link_ask(&l, &a[0], AT, buf, 1, false), -EFAULT);
	free(a);
}

static void test_unmap_ends_what_is_under_way(void **state)
{
	struct asked sent, unsent, other;

	assert_int_equal(link_map(&l, AT + 2 * LEN, PAGE, RW, -1, 0), 0);
	ask(&sent, AT, buf, 8, false);
	assert_command(VFU_DMA_READ, AT, 8);
	vfu_dma_batch_begin(&l.conn);
	assert_int_equal(link_ask(&l, &unsent, AT + LEN - 8, buf + 8, 8, true), 1);
	assert_int_equal(link_ask(&l, &other, AT + 2 * LEN, buf + 16, 8, false), 1);
	assert_int_equal(link_unmap(&l, AT, LEN), 0);
	assert_int_equal(sent.nr_done, 1);
	assert_int_equal(sent.result, -ECANCELED);
	assert_int_equal(unsent.nr_done, 1);
	assert_int_equal(unsent.result, -ECANCELED);
	assert_int_equal(other.nr_done, 0);
	/* The late reply is taken, and touches nothing. */
	assert_int_equal(link_answer(&l, &got, 0x99), 0);
	assert_int_equal(buf[0], 0);
	vfu_dma_batch_end(&l.conn);
	assert_command(VFU_DMA_READ, AT + 2 * LEN, 8);
	assert_int_equal(link_answer(&l, &got, 0x98), 0);
	assert_int_equal(other.nr_done, 1);
	assert_false(got_receive(&got, l.peer, 20));
	assert_int_equal(link_ask(&l, &sent, AT, buf, 8, false), -EFAULT);
}

static void test_a_connection_that_cannot_send(void **state)
{
	struct asked a;

	l.send_result = -EPIPE;
	ask(&a, AT, buf, 8, false);
	assert_int_equal(a.nr_done, 1);
	assert_int_equal(a.result, -ECANCELED);
	assert_int_equal(link_ask(&l, &a, AT, buf, 8, false), -ENOTCONN);
}

static void test_a_thread_sends_while_the_connection_sleeps(void **state)
{
	struct asked a;

	for (int i = 0; i < 100; i++) {
		assert_int_equal(link_ask(&l, &a, AT, buf, 8, false), 1);
		assert_command(VFU_DMA_READ, AT, 8);
		vfu_dma_batch_begin(&l.conn);
		assert_int_equal(link_answer(&l, &got, 1), 0);
		vfu_dma_batch_end(&l.conn);
		assert_int_equal(a.nr_done, 1);
	}
}

/* Leaves the other thread in the middle of sending. */
static void hold_a_send(struct asked *a)
{
	l.hold_send = true;
	assert_int_equal(link_ask(&l, a, AT, buf, 8, true), 1);
	for (int i = 0; i < 10000 && !l.is_held; i++)
		usleep(1000);
	assert_true(l.is_held);
}

static void test_nothing_is_sent_within_a_batch(void **state)
{
	struct asked a, b;

	hold_a_send(&a);
	vfu_dma_batch_begin(&l.conn);
	assert_int_equal(link_ask(&l, &b, AT + 8, buf, 8, false), 1);
	l.hold_send = false;
	assert_command(VFU_DMA_WRITE, AT, 8); /* had begun before */
	assert_int_equal(link_answer(&l, &got, 0), 0);
	assert_false(got_receive(&got, l.peer, 50));
	vfu_dma_batch_end(&l.conn);
	assert_command(VFU_DMA_READ, AT + 8, 8);
	assert_int_equal(link_answer(&l, &got, 0), 0);
	assert_int_equal(a.nr_done + b.nr_done, 2);
}

static void *unmap_it(void *done)
{
	assert_int_equal(link_unmap(&l, AT, LEN), 0);
	*(_Atomic bool *)done = true;
	return NULL;
}

static void test_unmap_waits_for_what_is_being_sent(void **state)
{
	_Atomic bool is_done = false;
	pthread_t connection;
	bool was_early;
	struct asked a;

	hold_a_send(&a);
	assert_int_equal(pthread_create(&connection, NULL, unmap_it, &is_done), 0);
	usleep(50000);
	was_early = is_done;
	l.hold_send = false;
	pthread_join(connection, NULL);
	assert_false(was_early);
	assert_true(got_receive(&got, l.peer, 0)); /* is before the reply */
	assert_int_equal(a.nr_done, 1);
	assert_int_equal(a.result, -ECANCELED);
}

static void test_close_frees_a_thread_that_waits_for_room(void **state)
{
	struct asked a[8];

	for (int i = 0; i < 8; i++)
		assert_int_equal(link_ask(&l, &a[i], AT, buf, LEN, true), 1);
	usleep(20000); /* the socket is full by now */
	vfu_dma_close(&l.conn);
	for (int i = 0; i < 8; i++) {
		assert_int_equal(a[i].nr_done, 1);
		assert_int_equal(a[i].result, -ECANCELED);
	}
}

/* A device that asks all the time, on a thread of its own, and never for more than one piece at a time. */
struct device {
	pthread_t thread;
	_Atomic bool stop;
	_Atomic unsigned int nr_ok, nr_canceled;
};

static void *keep_asking(void *arg)
{
	struct device *d = arg;
	uint8_t mine[32];
	struct asked a;
	int r;

	while (!d->stop) {
		r = link_ask(&l, &a, AT, mine, sizeof(mine), false);
		if (r == 1)
			asked_wait(&a);
		else
			sched_yield();
		d->nr_ok += r == 1 && a.result == 0;
		d->nr_canceled += r == 1 && a.result == -ECANCELED;
	}
	return NULL;
}

/* The client as one thread: after the reply to an unmap no command for the range is in the socket. */
static void test_unmap_against_a_busy_device(void **state)
{
	struct device devices[2] = { 0 };

	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&devices[i].thread, NULL, keep_asking, &devices[i]), 0);
	for (int round = 0; round < 200; round++) {
		while (round % 2 && !got_receive(&got, l.peer, 1000))
			;
		vfu_dma_batch_begin(&l.conn);
		if (round % 2)
			assert_int_equal(link_answer(&l, &got, 1), 0);
		assert_int_equal(link_unmap(&l, AT, LEN), 0);
		vfu_dma_batch_end(&l.conn);
		while (got_receive(&got, l.peer, 0))
			assert_int_equal(link_answer(&l, &got, 2), 0); /* was sent before */
		assert_false(got_receive(&got, l.peer, 1));
		assert_int_equal(link_map(&l, AT, LEN, RW, -1, 0), 0);
	}
	for (int i = 0; i < 2; i++)
		devices[i].stop = true;
	assert_int_equal(link_unmap(&l, AT, LEN), 0);
	for (int i = 0; i < 2; i++)
		pthread_join(devices[i].thread, NULL);
	assert_true(devices[0].nr_ok + devices[1].nr_ok > 50);
}

static void send_twin_answer(const struct got *g, uint8_t value)
{
	struct vfu_header header = g->header;
	uint8_t *message = malloc(32 + MIB);
	size_t len = g->header.command == VFU_DMA_READ ? g->access.count : 0;

	assert_non_null(message);
	header.flags = VFU_FLAG_REPLY;
	header.size = (uint32_t)(32 + len);
	memcpy(message, &header, 16);
	memcpy(message + 16, &g->access, 16);
	memset(message + 32, value, len);
	/* In two pieces, as sockets do. */
	assert_int_equal(send(l.twin_peer, message, 20, 0), 20);
	assert_int_equal(send(l.twin_peer, message + 20, 12 + len, 0), 12 + len);
	free(message);
}

static void test_twin_socket(void **state)
{
	struct asked a[4];

	/* Also in a batch: it is what the second socket is for. */
	vfu_dma_batch_begin(&l.conn);
	assert_int_equal(link_ask(&l, &a[0], AT, buf, 100, false), 1);
	assert_true(got_receive(&got, l.twin_peer, 10000));
	send_twin_answer(&got, 0x42);
	asked_wait(&a[0]);
	assert_int_equal(a[0].result, 0);
	assert_int_equal(buf[99], 0x42);
	vfu_dma_batch_end(&l.conn);
	/* More than the socket holds, in both directions. */
	for (int i = 0; i < 4; i++)
		assert_int_equal(link_ask(&l, &a[i], AT, buf, LEN, i % 2), 1);
	for (int i = 0; i < 4; i++) {
		assert_true(got_receive(&got, l.twin_peer, 10000));
		send_twin_answer(&got, 0x43);
	}
	for (int i = 0; i < 4; i++) {
		asked_wait(&a[i]);
		assert_int_equal(a[i].result, 0);
	}
	assert_int_equal(buf[LEN - 1], 0x43);
	assert_false(got_receive(&got, l.peer, 0));
}

static void test_twin_socket_unmap(void **state)
{
	struct asked a[3];

	/* Nobody reads; the unmap does not wait for that. */
	for (int i = 0; i < 3; i++)
		assert_int_equal(link_ask(&l, &a[i], AT, buf, LEN, true), 1);
	assert_int_equal(poll(&(struct pollfd){ .fd = l.twin_peer, .events = POLLIN }, 1, 10000), 1); /* the first was begun */
	assert_int_equal(link_unmap(&l, AT, LEN), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(a[i].nr_done, 1);
		assert_int_equal(a[i].result, -ECANCELED);
	}
	/* What was begun is ended, and answered in vain. */
	assert_true(got_receive(&got, l.twin_peer, 10000));
	send_twin_answer(&got, 0);
	while (got_receive(&got, l.twin_peer, 20))
		;
	assert_int_equal(link_map(&l, AT, LEN, RW, -1, 0), 0);
	assert_int_equal(link_ask(&l, &a[0], AT, buf, 8, true), 1);
	assert_true(got_receive(&got, l.twin_peer, 10000));
	send_twin_answer(&got, 0);
	asked_wait(&a[0]);
	assert_int_equal(a[0].result, 0);
}

static void test_twin_socket_nonsense(void **state)
{
	const struct vfu_header bad[] = {
		{ .command = VFU_DMA_READ, .size = 15, .flags = VFU_FLAG_REPLY },
		{ .command = VFU_DMA_READ, .size = UINT32_MAX, .flags = VFU_FLAG_REPLY },
		{ .command = VFU_DMA_READ, .size = 16, .flags = VFU_FLAG_COMMAND },
		{ .size = 0 }, /* the end of the socket */
	};
	struct asked a;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (i) {
			link_close(&l);
			setup_twin(NULL);
		}
		assert_int_equal(link_ask(&l, &a, AT, buf, 8, false), 1);
		assert_true(got_receive(&got, l.twin_peer, 10000));
		if (bad[i].size)
			assert_int_equal(send(l.twin_peer, &bad[i], 16, 0), 16);
		else
			assert_int_equal(shutdown(l.twin_peer, SHUT_RDWR), 0);
		asked_wait(&a);
		assert_int_equal(a.result, -ECANCELED);
		assert_int_equal(link_ask(&l, &a, AT, buf, 8, false), -ENOTCONN);
	}
}

static void test_twin_socket_close(void **state)
{
	struct asked a;

	assert_int_equal(link_ask(&l, &a, AT, buf, LEN, true), 1);
	vfu_dma_close(&l.conn);
	assert_int_equal(a.nr_done, 1);
	assert_int_equal(a.result, -ECANCELED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_read_ends_with_its_reply, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_write_carries_data, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_client_bounds_each_message, setup_small, teardown),
		cmocka_unit_test_setup_teardown(test_we_bound_what_a_reply_brings, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wrong_replies, setup, teardown),
		cmocka_unit_test_setup_teardown(test_replies_to_nobody, setup, teardown),
		cmocka_unit_test_setup_teardown(test_an_error_ends_the_whole_request, setup_small, teardown),
		cmocka_unit_test_setup_teardown(test_a_request_may_span_maps_and_ways, setup, teardown),
		cmocka_unit_test_setup_teardown(test_requests_under_way_are_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unmap_ends_what_is_under_way, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_connection_that_cannot_send, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_thread_sends_while_the_connection_sleeps, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nothing_is_sent_within_a_batch, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unmap_waits_for_what_is_being_sent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_close_frees_a_thread_that_waits_for_room, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unmap_against_a_busy_device, setup, teardown),
		cmocka_unit_test_setup_teardown(test_twin_socket, setup_twin, teardown),
		cmocka_unit_test_setup_teardown(test_twin_socket_unmap, setup_twin, teardown),
		cmocka_unit_test_setup_teardown(test_twin_socket_nonsense, setup_twin, teardown),
		cmocka_unit_test_setup_teardown(test_twin_socket_close, setup_twin, teardown),
	};

	return unit_run(tests);
}
