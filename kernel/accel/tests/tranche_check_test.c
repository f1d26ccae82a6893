// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of tranche_check.h: the arithmetic of rings, and what is believed of a
 * host and of user space. In the kernel by KUnit; in user space by the same
 * words (tests/user).
 */
#include <kunit/test.h>
#include <linux/module.h>

#include "../tranche_check.h"

static void test_ranges(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, tranche_range_ok(0, 0, 0));
	KUNIT_EXPECT_TRUE(test, tranche_range_ok(0, 10, 10));
	KUNIT_EXPECT_TRUE(test, tranche_range_ok(10, 0, 10));
	KUNIT_EXPECT_FALSE(test, tranche_range_ok(10, 1, 10));
	KUNIT_EXPECT_FALSE(test, tranche_range_ok(11, 0, 10));
	/* sums that wrap */
	KUNIT_EXPECT_FALSE(test, tranche_range_ok(1, U64_MAX, 10));
	KUNIT_EXPECT_FALSE(test, tranche_range_ok(U64_MAX, 1, 10));
	KUNIT_EXPECT_FALSE(test, tranche_range_ok(U64_MAX, U64_MAX, U64_MAX));
	KUNIT_EXPECT_TRUE(test, tranche_range_ok(0, U64_MAX, U64_MAX));
}

static void test_sizes(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, tranche_size_ok(4096, 4096));
	KUNIT_EXPECT_FALSE(test, tranche_size_ok(0, 4096));
	KUNIT_EXPECT_FALSE(test, tranche_size_ok(4095, 8192));
	KUNIT_EXPECT_FALSE(test, tranche_size_ok(8192, 4096));
	KUNIT_EXPECT_FALSE(test, tranche_size_ok(U64_MAX, U64_MAX));
	KUNIT_EXPECT_TRUE(test, tranche_size_ok(U64_MAX & ~4095ull, U64_MAX));
}

static const struct tranche_layout good = {
	.version = 1,
	.nonce = 7,
	.nr_sessions = 64,
	.control_size = 2 << 20,
	.probe_offset = 1 << 20,
	.shared_offset = 2 << 20,
	.shared_size = 16 << 20,
	.windows_offset = 18 << 20,
	.window_size = 64 << 20,
	.window_align = 2 << 20,
};

#define APERTURE BIT_ULL(30)

/* The good layout with one field changed: is it still believed? */
#define WITH(field, value) ({				\
	struct tranche_layout l = good;			\
							\
	l.field = (value);				\
	tranche_layout_ok(&l, APERTURE); })

static void test_layout(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, tranche_layout_ok(&good, APERTURE));
	/* a device that is gone, or has no name */
	KUNIT_EXPECT_FALSE(test, WITH(nonce, 0));
	KUNIT_EXPECT_FALSE(test, WITH(nonce, U64_MAX));
	KUNIT_EXPECT_TRUE(test, WITH(nr_sessions, 1));
	KUNIT_EXPECT_FALSE(test, WITH(nr_sessions, 0));
	KUNIT_EXPECT_FALSE(test, WITH(nr_sessions, 65));
	KUNIT_EXPECT_FALSE(test, WITH(nr_sessions, U32_MAX));
	KUNIT_EXPECT_FALSE(test, WITH(control_size, 0));
	KUNIT_EXPECT_FALSE(test, WITH(control_size, TRNC_CONTROL_MIN - 1));
	KUNIT_EXPECT_FALSE(test, WITH(control_size, U32_MAX));
	KUNIT_EXPECT_FALSE(test, WITH(probe_offset, U32_MAX));
	/* the shared window: over the control area, unaligned, outside */
	KUNIT_EXPECT_FALSE(test, WITH(shared_offset, 4096));
	KUNIT_EXPECT_FALSE(test, WITH(shared_offset, (2 << 20) + 1));
	KUNIT_EXPECT_FALSE(test, WITH(shared_size, 4095));
	KUNIT_EXPECT_FALSE(test, WITH(shared_offset, U64_MAX & ~4095ull));
	KUNIT_EXPECT_FALSE(test, WITH(shared_size, U64_MAX & ~4095ull));
	KUNIT_EXPECT_TRUE(test, WITH(shared_size, 0));
	/* windows: over the others, unaligned, outside */
	KUNIT_EXPECT_FALSE(test, WITH(windows_offset, 0));
	KUNIT_EXPECT_FALSE(test, WITH(windows_offset, 16 << 20));
	KUNIT_EXPECT_FALSE(test, WITH(windows_offset, (18 << 20) + 4096));
	KUNIT_EXPECT_FALSE(test, WITH(windows_offset, APERTURE));
	KUNIT_EXPECT_FALSE(test, WITH(window_size, 0));
	KUNIT_EXPECT_FALSE(test, WITH(window_size, 4096));
	KUNIT_EXPECT_FALSE(test, WITH(window_size, 2 * APERTURE));
	KUNIT_EXPECT_FALSE(test, WITH(window_align, 0));
	KUNIT_EXPECT_FALSE(test, WITH(window_align, 3 << 20));
	KUNIT_EXPECT_FALSE(test, WITH(window_align, 2048));
	KUNIT_EXPECT_TRUE(test, WITH(window_align, 4096));
}

static void test_layout_without_shared_window(struct kunit *test)
{
	struct tranche_layout l = good;

	l.shared_offset = 0;
	l.shared_size = 0;
	KUNIT_EXPECT_TRUE(test, tranche_layout_ok(&l, APERTURE));
	l.windows_offset = 0;
	KUNIT_EXPECT_FALSE(test, tranche_layout_ok(&l, APERTURE));
}

static void test_versions(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, tranche_version(TRNC_PCI_VERSION, 1),
			TRNC_PCI_VERSION);
	/* a newer host that still speaks ours, and one that does not */
	KUNIT_EXPECT_EQ(test, tranche_version(99, 1), TRNC_PCI_VERSION);
	KUNIT_EXPECT_EQ(test, tranche_version(99, 99), 0);
	/* one from before */
	KUNIT_EXPECT_EQ(test, tranche_version(0, 0), 0);
	/* oldest is newer than newest */
	KUNIT_EXPECT_EQ(test, tranche_version(1, 2), 0);
}

static void test_ring(struct kunit *test)
{
	u64 high = U64_MAX - 100;

	KUNIT_EXPECT_EQ(test, tranche_ring_room(0, 0), 32);
	KUNIT_EXPECT_EQ(test, tranche_ring_room(32, 0), 0);
	KUNIT_EXPECT_EQ(test, tranche_ring_room(high + 31, high), 1);

	/* what the host says that it has read: not less than before, ... */
	KUNIT_EXPECT_TRUE(test, tranche_consumer_ok(5, 5, 5));
	KUNIT_EXPECT_TRUE(test, tranche_consumer_ok(5, 7, 9));
	KUNIT_EXPECT_FALSE(test, tranche_consumer_ok(5, 4, 9));
	/* ... and not more than there is */
	KUNIT_EXPECT_FALSE(test, tranche_consumer_ok(5, 10, 9));
	KUNIT_EXPECT_FALSE(test, tranche_consumer_ok(5, U64_MAX, 9));
	KUNIT_EXPECT_FALSE(test, tranche_consumer_ok(5, 0, 9));

	/* what it has written: at most the ring's slots, never backwards */
	KUNIT_EXPECT_TRUE(test, tranche_producer_ok(7, 7));
	KUNIT_EXPECT_TRUE(test, tranche_producer_ok(7, 39));
	KUNIT_EXPECT_FALSE(test, tranche_producer_ok(7, 40));
	KUNIT_EXPECT_FALSE(test, tranche_producer_ok(7, 6));
	KUNIT_EXPECT_FALSE(test, tranche_producer_ok(7, U64_MAX));
}

static void test_slots(struct kunit *test)
{
	u64 at;

	KUNIT_EXPECT_EQ(test, tranche_slot_offset(TRNC_CONTROL_REQUESTS, 0),
			0x10000);
	KUNIT_EXPECT_EQ(test, tranche_slot_offset(TRNC_CONTROL_REQUESTS, 31),
			0x1f800);
	KUNIT_EXPECT_EQ(test, tranche_slot_offset(TRNC_CONTROL_REPLIES, 32),
			0x20000);
	/* no position leads out of a ring */
	for (at = U64_MAX - 64; at; at++) {
		u32 offset = tranche_slot_offset(TRNC_CONTROL_REPLIES, at);

		KUNIT_EXPECT_GE(test, offset, TRNC_CONTROL_REPLIES);
		KUNIT_EXPECT_LE(test, offset,
				TRNC_CONTROL_MIN - TRNC_CONTROL_SLOT_SIZE);
	}
}

static void test_message_sizes(struct kunit *test)
{
	const u32 room = sizeof_field(struct trnc_control_slot, body);
	u32 type;

	KUNIT_EXPECT_EQ(test, tranche_sizes(TRNC_MSG_SESSION_OPEN).body, 1064);
	KUNIT_EXPECT_EQ(test, tranche_sizes(TRNC_MSG_MEMORY_QUERY).reply, 32);
	KUNIT_EXPECT_EQ(test, tranche_sizes(TRNC_MSG_SESSION_CLOSE).body, 0);
	KUNIT_EXPECT_EQ(test, tranche_sizes(U32_MAX).body, 0);
	KUNIT_EXPECT_EQ(test, tranche_sizes(TRNC_MSG_REPLY).reply, 0);
	for (type = TRNC_MSG_SHARED_DETACH + 1; type < 100; type++)
		KUNIT_EXPECT_EQ(test, tranche_sizes(type).body, 0);
	/* all fit into a slot, and are multiples of 8 as the wire wants it */
	for (type = 0; type < 64; type++) {
		KUNIT_EXPECT_LE(test, tranche_sizes(type).body, room);
		KUNIT_EXPECT_LE(test, tranche_sizes(type).reply, room);
		KUNIT_EXPECT_EQ(test, tranche_sizes(type).body % 8, 0);
		KUNIT_EXPECT_EQ(test, tranche_sizes(type).reply % 8, 0);
	}
}

/* Slots have 2 KiB: not on a kernel's stack. */
static struct trnc_control_slot *new_slot(struct kunit *test, u32 session,
					  u32 type, u32 body)
{
	struct trnc_control_slot *slot;

	slot = kunit_kzalloc(test, sizeof(*slot), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, slot);
	slot->session = cpu_to_le32(session);
	slot->msg.type = cpu_to_le32(type);
	slot->msg.len = cpu_to_le32(sizeof(slot->msg) + body);
	slot->msg.id = cpu_to_le64(9);
	return slot;
}

static void test_replies(struct kunit *test)
{
	const u32 type = TRNC_MSG_SEGMENT_CREATE;
	struct trnc_control_slot *slot =
		new_slot(test, 3, type | TRNC_MSG_REPLY, 16);

	KUNIT_EXPECT_TRUE(test, tranche_reply_ok(slot, 3, type));
	/* of another session, another type */
	KUNIT_EXPECT_FALSE(test, tranche_reply_ok(slot, 4, type));
	KUNIT_EXPECT_FALSE(test, tranche_reply_ok(slot, 3,
						  TRNC_MSG_MEMORY_QUERY));

	slot->msg.len = cpu_to_le32(sizeof(slot->msg) + 8);
	KUNIT_EXPECT_FALSE(test, tranche_reply_ok(slot, 3, type));
	slot->msg.len = cpu_to_le32(U32_MAX);
	KUNIT_EXPECT_FALSE(test, tranche_reply_ok(slot, 3, type));
	slot->msg.len = 0;
	KUNIT_EXPECT_FALSE(test, tranche_reply_ok(slot, 3, type));

	/* a refusal has an error's body, and nothing else has */
	slot->msg.len = cpu_to_le32(sizeof(slot->msg) + 528);
	KUNIT_EXPECT_FALSE(test, tranche_reply_ok(slot, 3, type));
	slot->msg.status = cpu_to_le32(ENOSPC);
	KUNIT_EXPECT_TRUE(test, tranche_reply_ok(slot, 3, type));
	slot->msg.len = cpu_to_le32(sizeof(slot->msg) + 16);
	KUNIT_EXPECT_FALSE(test, tranche_reply_ok(slot, 3, type));

	/* what is reserved is zero */
	slot->msg.len = cpu_to_le32(sizeof(slot->msg) + 528);
	slot->msg.flags = cpu_to_le32(1);
	KUNIT_EXPECT_FALSE(test, tranche_reply_ok(slot, 3, type));
	slot->msg.flags = 0;
	slot->reserved = cpu_to_le32(1);
	KUNIT_EXPECT_FALSE(test, tranche_reply_ok(slot, 3, type));
	slot->reserved = 0;
	/* a request is no reply */
	slot->msg.type = cpu_to_le32(type);
	KUNIT_EXPECT_FALSE(test, tranche_reply_ok(slot, 3, type));
}

static void test_lost_news(struct kunit *test)
{
	struct trnc_control_slot *slot =
		new_slot(test, 64, TRNC_MSG_SESSION_LOST, 528);

	slot->msg.id = 0;
	KUNIT_EXPECT_TRUE(test, tranche_lost_ok(slot));
	slot->msg.id = cpu_to_le64(1);
	KUNIT_EXPECT_FALSE(test, tranche_lost_ok(slot));
	slot->msg.id = 0;
	slot->session = cpu_to_le32(65);
	KUNIT_EXPECT_FALSE(test, tranche_lost_ok(slot));
	slot->session = 0;
	KUNIT_EXPECT_FALSE(test, tranche_lost_ok(slot));
	slot->session = cpu_to_le32(1);
	slot->msg.len = cpu_to_le32(sizeof(slot->msg));
	KUNIT_EXPECT_FALSE(test, tranche_lost_ok(slot));
	slot->msg.len = cpu_to_le32(sizeof(slot->msg) + 528);
	slot->msg.type = cpu_to_le32(TRNC_MSG_SESSION_LOST | TRNC_MSG_REPLY);
	KUNIT_EXPECT_FALSE(test, tranche_lost_ok(slot));
	slot->msg.type = cpu_to_le32(TRNC_MSG_SESSION_LOST);
	KUNIT_EXPECT_TRUE(test, tranche_lost_ok(slot));
}

static void test_errnos(struct kunit *test)
{
	u32 status;

	KUNIT_EXPECT_EQ(test, tranche_errno(0), 0);
	KUNIT_EXPECT_EQ(test, tranche_errno(ENOSPC), -ENOSPC);
	KUNIT_EXPECT_EQ(test, tranche_errno(EHWPOISON), -EHWPOISON);
	/* orders to call again, and the kernel's own numbers */
	KUNIT_EXPECT_EQ(test, tranche_errno(EINTR), -EIO);
	KUNIT_EXPECT_EQ(test, tranche_errno(EAGAIN), -EIO);
	KUNIT_EXPECT_EQ(test, tranche_errno(512), -EIO);
	KUNIT_EXPECT_EQ(test, tranche_errno(U32_MAX), -EIO);
	KUNIT_EXPECT_EQ(test, tranche_errno(0x80000000), -EIO);
	/* never what would be taken for success */
	for (status = 1; status < 5000; status++)
		KUNIT_EXPECT_LT(test, tranche_errno(status), 0);
}

static void test_text(struct kunit *test)
{
	static const char from[8] = "a\n\033[b\177c";
	static const char full[8] = "12345678";
	u8 to[8];

	memset(to, 'x', sizeof(to));
	tranche_text(to, from, sizeof(to));
	KUNIT_EXPECT_STREQ(test, (char *)to, "a??[b?c");
	/* without an end: the last byte is one */
	tranche_text(to, full, sizeof(to));
	KUNIT_EXPECT_STREQ(test, (char *)to, "1234567");
	/* what follows the end is not copied */
	tranche_text(to, "ab\0secret", sizeof(to));
	KUNIT_EXPECT_EQ(test, memcmp(to, "ab\0\0\0\0\0\0", sizeof(to)), 0);
}

static void test_lost(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, tranche_lost(TRNC_LOST_LIMIT), TRNC_LOST_LIMIT);
	KUNIT_EXPECT_EQ(test, tranche_lost(TRNC_LOST_EXECUTOR),
			TRNC_LOST_EXECUTOR);
	KUNIT_EXPECT_EQ(test, tranche_lost(5), TRNC_LOST_EXECUTOR);
	KUNIT_EXPECT_EQ(test, tranche_lost(U32_MAX), TRNC_LOST_EXECUTOR);
}

static void test_ring_lens(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, tranche_ring_len_ok(TRNC_RING_MIN));
	KUNIT_EXPECT_TRUE(test, tranche_ring_len_ok(TRNC_RING_MAX));
	KUNIT_EXPECT_FALSE(test, tranche_ring_len_ok(0));
	KUNIT_EXPECT_FALSE(test, tranche_ring_len_ok(TRNC_RING_MIN / 2));
	KUNIT_EXPECT_FALSE(test, tranche_ring_len_ok(TRNC_RING_MAX * 2));
	KUNIT_EXPECT_FALSE(test, tranche_ring_len_ok(TRNC_RING_MIN + 4096));
	KUNIT_EXPECT_FALSE(test, tranche_ring_len_ok(U32_MAX));
}

#define RING TRNC_RING_MIN

static void test_rights(struct kunit *test)
{
	const u64 ring = TRNC_CHANNEL_RING, events = ring + RING;
	const u64 end = tranche_channel_size(RING);

#define RIGHTS(offset, len) tranche_channel_rights(RING, offset, len)
	KUNIT_EXPECT_EQ(test, end, events + 4096 * 64);
	KUNIT_EXPECT_EQ(test, RIGHTS(0, 4096), TRANCHE_WRITE);
	KUNIT_EXPECT_EQ(test, RIGHTS(4096, 4096), TRANCHE_READ);
	KUNIT_EXPECT_EQ(test, RIGHTS(8192, 4096), TRANCHE_NONE);
	KUNIT_EXPECT_EQ(test, RIGHTS(ring, RING), TRANCHE_WRITE);
	KUNIT_EXPECT_EQ(test, RIGHTS(events, 4096 * 64), TRANCHE_READ);
	/* from one part into the next */
	KUNIT_EXPECT_EQ(test, RIGHTS(0, 8192), TRANCHE_NONE);
	KUNIT_EXPECT_EQ(test, RIGHTS(4096, 8192), TRANCHE_NONE);
	KUNIT_EXPECT_EQ(test, RIGHTS(ring, RING + 4096), TRANCHE_NONE);
	KUNIT_EXPECT_EQ(test, RIGHTS(events, 4096 * 65), TRANCHE_NONE);
	/* behind the end, and sums that wrap */
	KUNIT_EXPECT_EQ(test, RIGHTS(end, 4096), TRANCHE_NONE);
	KUNIT_EXPECT_EQ(test, RIGHTS(0, U64_MAX), TRANCHE_NONE);
	KUNIT_EXPECT_EQ(test, RIGHTS(ring, U64_MAX), TRANCHE_NONE);
	KUNIT_EXPECT_EQ(test, RIGHTS(U64_MAX - 4095, 4096), TRANCHE_NONE);
#undef RIGHTS
}

static void test_output(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, tranche_output_ok(4096, 8192));
	KUNIT_EXPECT_FALSE(test, tranche_output_ok(4096, 8191));
	KUNIT_EXPECT_FALSE(test, tranche_output_ok(8192, 8192));
	KUNIT_EXPECT_FALSE(test, tranche_output_ok(0, 8192));
	KUNIT_EXPECT_FALSE(test, tranche_output_ok(2048, 8192));
	KUNIT_EXPECT_FALSE(test, tranche_output_ok(4097, 1 << 20));
	KUNIT_EXPECT_FALSE(test, tranche_output_ok(0x80000000, 8192));
	KUNIT_EXPECT_FALSE(test, tranche_output_ok(4096, 0));
}

static struct kunit_case tranche_check_cases[] = {
	KUNIT_CASE(test_ranges),
	KUNIT_CASE(test_sizes),
	KUNIT_CASE(test_layout),
	KUNIT_CASE(test_layout_without_shared_window),
	KUNIT_CASE(test_versions),
	KUNIT_CASE(test_ring),
	KUNIT_CASE(test_slots),
	KUNIT_CASE(test_message_sizes),
	KUNIT_CASE(test_replies),
	KUNIT_CASE(test_lost_news),
	KUNIT_CASE(test_errnos),
	KUNIT_CASE(test_text),
	KUNIT_CASE(test_lost),
	KUNIT_CASE(test_ring_lens),
	KUNIT_CASE(test_rights),
	KUNIT_CASE(test_output),
	{ }
};

static struct kunit_suite tranche_check_suite = {
	.name = "tranche_check",
	.test_cases = tranche_check_cases,
};

kunit_test_suite(tranche_check_suite);

MODULE_DESCRIPTION("Tests of the driver of Tranche's virtual compute device");
MODULE_LICENSE("GPL");
