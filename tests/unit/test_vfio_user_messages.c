/* SPDX-License-Identifier: MIT */
/* Messages by themselves and in batches: accesses of regions, large ones, those that are refused, and a reset. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "vfio_user_peer.h"

static void eventually(bool (*check)(void))
{
	for (int i = 0; i < 1000 && !check(); i++)
		poll(NULL, 0, 5);
	assert_true(check());
}

static bool has_no_clients(void)
{
	return trn_server_nr_clients(peer.server) == 0;
}

static void test_a_batch_in_order(void **state)
{
	uint8_t buf[8192];
	uint32_t value;
	struct peer_reply r;
	size_t len = 0;

	peer_hello(peer.sock);
	/* write with reply, posted write, read of both, 16 times: one send */
	for (uint16_t i = 0; i < 16; i++) {
		value = 0x1000u + i;
		len += peer_put_write(buf + len, (uint16_t)(i * 3), 0, i * 8u, &value, 4);
		value = 0x2000u + i;
		len += peer_put_write(buf + len, 999, VFU_FLAG_NO_REPLY, i * 8u + 4, &value, 4);
		len += peer_put_read(buf + len, (uint16_t)(i * 3 + 1), i * 8u, 8);
	}
	peer_send_with_fds(peer.sock, buf, len, NULL, 0);
	for (uint16_t i = 0; i < 16; i++) {
		const uint32_t want[2] = { 0x1000u + i, 0x2000u + i };

		peer_expect_reply(peer.sock, (uint16_t)(i * 3), VFU_REGION_WRITE, &r);
		assert_int_equal(r.len, 16);
		peer_expect_reply(peer.sock, (uint16_t)(i * 3 + 1), VFU_REGION_READ, &r);
		assert_int_equal(r.len, 16 + 8);
		assert_memory_equal(r.payload + 16, want, 8);
	}
}

static void test_accesses_that_are_refused(void **state)
{
	const struct {
		struct vfu_region_access a;
		int error;
	} wrong[] = {
		{ { .region = 9, .count = 4 }, EINVAL },
		{ { .region = 1, .count = 4 }, EINVAL },
		{ { .region = 0, .offset = PEER_RAM_SIZE - 3, .count = 4 }, EINVAL },
		{ { .region = 0, .offset = UINT64_MAX - 1, .count = 4 }, EINVAL },
		{ { .region = 0, .count = (1u << 20) + 1 }, E2BIG },
		{ { .region = 2, .count = 4 }, EIO },
	};
	struct vfu_region_access a = { .count = 4 };
	uint8_t buf[64] = { 0 };

	peer_hello(peer.sock);
	for (uint16_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		peer_send_command(peer.sock, i, VFU_REGION_READ, &wrong[i].a, sizeof(a));
		peer_expect_error(peer.sock, i, wrong[i].error);
	}
	peer_send_command(peer.sock, 20, VFU_REGION_READ, &a, sizeof(a) - 1);
	peer_expect_error(peer.sock, 20, EINVAL);
	memcpy(buf, &a, sizeof(a));
	peer_send_command(peer.sock, 21, VFU_REGION_READ, buf, sizeof(a) + 4);
	peer_expect_error(peer.sock, 21, EINVAL);
	peer_send_command(peer.sock, 22, VFU_REGION_WRITE, buf, sizeof(a) + 3);
	peer_expect_error(peer.sock, 22, EINVAL);
	peer_send_command(peer.sock, 23, VFU_REGION_WRITE, buf, sizeof(a) + 5);
	peer_expect_error(peer.sock, 23, EINVAL);
	peer_send_command(peer.sock, 24, VFU_REGION_WRITE, buf, 3);
	peer_expect_error(peer.sock, 24, EINVAL);
	a.region = 2;
	memcpy(buf, &a, sizeof(a));
	peer_send_command(peer.sock, 25, VFU_REGION_WRITE, buf, sizeof(a) + 4);
	peer_expect_error(peer.sock, 25, EACCES);
	/* No reply means no error either. */
	peer_send_fds(peer.sock, 26, VFU_REGION_WRITE, VFU_FLAG_NO_REPLY, buf, 3, NULL, 0);
	peer_send_command(peer.sock, 27, 77, NULL, 0);
	peer_expect_error(peer.sock, 27, ENOSYS);
	peer_send_command(peer.sock, 28, VFU_DMA_READ, NULL, 0);
	peer_expect_error(peer.sock, 28, ENOSYS);
	peer_send_command(peer.sock, 29, 14, NULL, 0);
	peer_expect_error(peer.sock, 29, ENOSYS);
	peer_send_fds(peer.sock, 30, VFU_REGION_READ, 1u << 6, &a, sizeof(a), NULL, 0);
	peer_expect_error(peer.sock, 30, EINVAL);
}

static void test_megabytes(void **state)
{
	static uint8_t data[(1u << 20) + 32], back[1u << 20];
	struct vfu_header h = { .id = 5, .command = VFU_REGION_WRITE, .size = sizeof(data) };
	struct vfu_region_access a = { .offset = 4096, .count = 1u << 20 };
	struct peer_reply r;

	peer_hello(peer.sock);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 11 >> 3);
	memcpy(data, &h, sizeof(h));
	memcpy(data + sizeof(h), &a, sizeof(a));
	for (size_t i = 0; i < 2; i++) {
		peer_send_with_fds(peer.sock, data, sizeof(data), NULL, 0);
		peer_expect_reply(peer.sock, 5, VFU_REGION_WRITE, &r);
	}
	/* Many large replies to a few small requests of one read. */
	for (uint16_t i = 0; i < 4; i++)
		peer_send_command(peer.sock, i, VFU_REGION_READ, &a, sizeof(a));
	for (uint16_t i = 0; i < 4; i++) {
		assert_int_equal(recv(peer.sock, &h, sizeof(h), MSG_WAITALL), sizeof(h));
		assert_int_equal(h.id, i);
		assert_int_equal(h.size, sizeof(h) + sizeof(a) + sizeof(back));
		assert_int_equal(recv(peer.sock, &a, sizeof(a), MSG_WAITALL), sizeof(a));
		assert_int_equal(recv(peer.sock, back, sizeof(back), MSG_WAITALL), sizeof(back));
		assert_memory_equal(back, data + 32, sizeof(back));
	}
}

static void test_a_message_over_the_limit(void **state)
{
	static uint8_t data[3u << 20];
	struct vfu_header h = { .id = 5, .command = VFU_REGION_WRITE, .size = sizeof(data) };
	uint8_t buf[64];
	struct peer_reply r;

	peer_hello(peer.sock);
	memcpy(data, &h, sizeof(h));
	peer_send_with_fds(peer.sock, data, sizeof(data), NULL, 0);
	peer_expect_error(peer.sock, 5, E2BIG);
	peer_send_with_fds(peer.sock, buf, peer_put_read(buf, 6, 0, 4), NULL, 0);
	peer_expect_reply(peer.sock, 6, VFU_REGION_READ, &r);
}

static void test_an_unreadable_header_ends_the_connection(void **state)
{
	struct vfu_header h = { .size = 15 };

	peer_hello(peer.sock);
	peer_send_with_fds(peer.sock, &h, sizeof(h), NULL, 0);
	assert_true(peer_is_gone(peer.sock));
	eventually(has_no_clients);
}

static void test_write_multi(void **state)
{
	struct {
		struct vfu_write_multi head;
		struct vfu_write_multi_entry e[3];
	} m = { .head.count = 3 };
	uint64_t count;
	struct peer_reply r;

	peer_hello(peer.sock);
	for (uint32_t i = 0; i < 3; i++)
		m.e[i] = (struct vfu_write_multi_entry){ .offset = i * 16, .count = 8, .data = { 1, 2, 3, 4, 5, 6, 7, (uint8_t)i } };
	peer_send_command(peer.sock, 1, VFU_REGION_WRITE_MULTI, &m, sizeof(m));
	peer_expect_reply(peer.sock, 1, VFU_REGION_WRITE_MULTI, &r);
	memcpy(&count, r.payload, sizeof(count));
	assert_int_equal(count, 3);
	assert_memory_equal(peer.device.ram + 32, m.e[2].data, 8);
	/* One fails: the others are done. */
	m.e[1].region = 8;
	m.e[2].data[7] = 99;
	peer_send_command(peer.sock, 2, VFU_REGION_WRITE_MULTI, &m, sizeof(m));
	peer_expect_reply(peer.sock, 2, VFU_REGION_WRITE_MULTI, &r);
	memcpy(&count, r.payload, sizeof(count));
	assert_int_equal(count, 2);
	assert_int_equal(peer.device.ram[39], 99);
	/* One is none: nothing is done. */
	m.e[2].data[7] = 100;
	m.e[0].count = 9;
	peer_send_command(peer.sock, 3, VFU_REGION_WRITE_MULTI, &m, sizeof(m));
	peer_expect_error(peer.sock, 3, EINVAL);
	m.e[0].count = 8;
	m.head.count = UINT64_MAX / 24 + 2;
	peer_send_command(peer.sock, 4, VFU_REGION_WRITE_MULTI, &m, sizeof(m));
	peer_expect_error(peer.sock, 4, EINVAL);
	m.head.count = 2;
	peer_send_command(peer.sock, 5, VFU_REGION_WRITE_MULTI, &m, sizeof(m));
	peer_expect_error(peer.sock, 5, EINVAL);
	peer_send_command(peer.sock, 6, VFU_REGION_WRITE_MULTI, &m, 7);
	peer_expect_error(peer.sock, 6, EINVAL);
	assert_int_equal(peer.device.ram[39], 99);
}

static void test_write_multi_must_be_agreed_on(void **state)
{
	struct vfu_write_multi m = { 0 };
	struct peer_reply r;

	peer_send_version(peer.sock, 1, 0, 1, "{}", 3);
	peer_expect_reply(peer.sock, 1, VFU_VERSION, &r);
	peer_send_command(peer.sock, 2, VFU_REGION_WRITE_MULTI, &m, sizeof(m));
	peer_expect_error(peer.sock, 2, EOPNOTSUPP);
}

static void test_reset(void **state)
{
	struct peer_reply r;

	peer_hello(peer.sock);
	peer_send_command(peer.sock, 1, VFU_DEVICE_RESET, NULL, 0);
	peer_expect_reply(peer.sock, 1, VFU_DEVICE_RESET, &r);
	assert_int_equal(peer.device.nr_resets, 1);
	peer_send_command(peer.sock, 2, VFU_DEVICE_RESET, "x", 1);
	peer_expect_error(peer.sock, 2, EINVAL);
	assert_int_equal(peer.device.nr_resets, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PEER_TEST(test_a_batch_in_order),
		PEER_TEST(test_accesses_that_are_refused),
		PEER_TEST(test_megabytes),
		PEER_TEST(test_a_message_over_the_limit),
		PEER_TEST(test_an_unreadable_header_ends_the_connection),
		PEER_TEST(test_write_multi),
		PEER_TEST(test_write_multi_must_be_agreed_on),
		PEER_TEST(test_reset),
	};

	return unit_run(tests);
}
