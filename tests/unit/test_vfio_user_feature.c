/* SPDX-License-Identifier: MIT */
/* DEVICE_FEATURE, MIG_DATA_READ and MIG_DATA_WRITE: rules of argsz, flags and lengths, and what reaches the driver. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "parents/null/null.h"
#include "vfio_user.h"

#define PAGE 4096ull
#define GET VFU_FEATURE_GET
#define SET VFU_FEATURE_SET
#define PROBE VFU_FEATURE_PROBE

static struct link l;

static int setup(void **state)
{
	link_open(&l, MIB, false);
	return 0;
}

static int teardown(void **state)
{
	link_close(&l);
	return 0;
}

static int call(uint32_t argsz, uint32_t flags, const void *data, size_t len)
{
	uint8_t payload[256];
	struct vfu_feature head = { .argsz = argsz, .flags = flags };

	memcpy(payload, &head, sizeof(head));
	if (len)
		memcpy(payload + sizeof(head), data, len);
	return link_call(&l, vfu_handle_feature, VFU_DEVICE_FEATURE, payload, sizeof(head) + len, NULL, 0);
}

static uint32_t reply_argsz(void)
{
	struct vfu_feature head;

	memcpy(&head, l.reply, sizeof(head));
	return head.argsz;
}

static void test_probe(void **state)
{
	static const struct {
		uint32_t number, methods;
	} known[] = { { 1, GET }, { 2, GET | SET }, { 6, SET }, { 7, SET }, { 8, GET }, { 9, GET } };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		for (uint32_t methods = 0; methods <= (GET | SET); methods += GET) {
			int r = call(8, PROBE | methods | known[i].number, NULL, 0);

			assert_int_equal(r, methods & ~known[i].methods ? -EINVAL : 0);
			if (r == 0)
				assert_int_equal(l.reply_len, 8);
		}
	}
	assert_int_equal(call(12, PROBE | 1, "abcd", 4), 0);
	assert_int_equal(l.reply_len, 12);
	assert_memory_equal(l.reply + 8, "abcd", 4);
	assert_int_equal(call(11, PROBE | 1, "abcd", 4), -EINVAL);
	assert_int_equal(l.nr_reports, 0);
}

static void test_unknown_features_and_flags(void **state)
{
	uint64_t data = 0;

	for (uint32_t number = 0; number < 20; number++)
		if (number != 1 && number != 2 && (number < 6 || number > 9)) {
			assert_int_equal(call(16, PROBE | number, NULL, 0), -ENOTTY);
			assert_int_equal(call(16, GET | number, NULL, 0), -ENOTTY);
		}
	assert_int_equal(call(16, GET | 0xffff, NULL, 0), -ENOTTY);
	assert_int_equal(call(16, 1, NULL, 0), -EINVAL);
	assert_int_equal(call(16, GET | SET | 2, &data, 8), -EINVAL);
	assert_int_equal(call(16, GET | 1u << 19 | 1, NULL, 0), -EINVAL);
	assert_int_equal(call(16, SET | 1, &data, 8), -EINVAL);
	assert_int_equal(call(16, GET | 7, NULL, 0), -EINVAL);
	assert_int_equal(call(7, PROBE | 1, NULL, 0), -EINVAL);
	assert_int_equal(link_call(&l, vfu_handle_feature, VFU_DEVICE_FEATURE, &data, 7, NULL, 0), -EINVAL);
}

static void test_get_migration_flags(void **state)
{
	struct vfu_feature_migration mig;

	assert_int_equal(call(15, GET | 1, NULL, 0), -EINVAL);
	assert_int_equal(call(UINT32_MAX, GET | 1, NULL, 0), 0);
	assert_int_equal(l.reply_len, 16);
	assert_int_equal(reply_argsz(), 16);
	memcpy(&mig, l.reply + 8, sizeof(mig));
	assert_int_equal(mig.flags, 5);
}

static void test_state(void **state)
{
	struct vfu_feature_mig_state wire = { .device_state = TRN_MIG_STOP, .data_fd = 77 };

	assert_int_equal(call(16, SET | 2, &wire, 7), -EINVAL);
	assert_int_equal(call(15, SET | 2, &wire, 8), -EINVAL);
	assert_int_equal(l.state, TRN_MIG_RUNNING);
	assert_int_equal(call(16, SET | 2, &wire, 8), 0);
	assert_int_equal(l.reply_len, 16);
	assert_memory_equal(l.reply + 8, &wire, 8);
	assert_int_equal(l.state, TRN_MIG_STOP);
	assert_int_equal(call(16, GET | 2, NULL, 0), 0);
	memcpy(&wire, l.reply + 8, sizeof(wire));
	assert_int_equal(wire.device_state, TRN_MIG_STOP);
	assert_int_equal(wire.data_fd, -1);
	for (uint32_t bad = 0; bad < 40; bad++) {
		wire.device_state = bad < 20 ? TRN_NR_MIG_STATES + bad : UINT32_MAX - bad;
		assert_int_equal(call(16, SET | 2, &wire, 8), -EINVAL);
	}
	wire.device_state = TRN_MIG_ERROR;
	assert_int_equal(call(16, SET | 2, &wire, 8), -EINVAL);
	wire.device_state = TRN_MIG_RUNNING_P2P; /* the device has no such state */
	assert_int_equal(call(16, SET | 2, &wire, 8), -EINVAL);
	assert_int_equal(l.state, TRN_MIG_STOP);
}

static void test_data_size(void **state)
{
	struct vfu_feature_mig_data_size size;

	assert_int_equal(call(16, GET | 9, NULL, 0), 0);
	memcpy(&size, l.reply + 8, sizeof(size));
	assert_int_equal(size.stop_copy_length, 12345);
}

struct log_start {
	struct vfu_feature_log_start head;
	struct vfu_log_range ranges[2];
};

static void test_log_start_and_stop(void **state)
{
	struct log_start wire = {
		.head = { .page_size = PAGE, .num_ranges = 2 },
		.ranges = { { PAGE, 2 * PAGE }, { 16 * PAGE, PAGE } },
	};

	assert_int_equal(call(256, SET | 6, &wire, sizeof(wire) - 1), -EINVAL);
	assert_int_equal(call(256, SET | 6, &wire, sizeof(wire.head)), -EINVAL);
	assert_int_equal(call(256, SET | 6, &wire, sizeof(wire.head) - 1), -EINVAL);
	wire.head.num_ranges = 0x10000002;
	assert_int_equal(call(256, SET | 6, &wire, sizeof(wire)), -EINVAL);
	wire.head.num_ranges = 2;
	wire.head.reserved = 1;
	assert_int_equal(call(256, SET | 6, &wire, sizeof(wire)), -EINVAL);
	wire.head.reserved = 0;
	wire.ranges[0].iova = 1;
	assert_int_equal(call(256, SET | 6, &wire, sizeof(wire)), -EINVAL);
	wire.ranges[0].iova = PAGE;
	assert_false(l.is_logging);
	assert_int_equal(call(8 + sizeof(wire), SET | 6, &wire, sizeof(wire)), 0);
	assert_true(l.is_logging);
	assert_int_equal(l.reply_len, 8 + sizeof(wire));
	assert_int_equal(l.log_page_size, PAGE);
	assert_int_equal(l.nr_ranges, 2);
	assert_int_equal(l.ranges[0].start, PAGE);
	assert_int_equal(l.ranges[0].len, 2 * PAGE);
	assert_int_equal(l.ranges[1].start, 16 * PAGE);
	assert_int_equal(call(256, SET | 6, &wire, sizeof(wire)), -EINVAL);
	assert_int_equal(call(8, SET | 7, NULL, 0), 0);
	assert_false(l.is_logging);
	assert_int_equal(call(8, SET | 7, NULL, 0), 0);
	wire.head.num_ranges = 0;
	assert_int_equal(call(256, SET | 6, &wire, sizeof(wire.head)), 0);
	assert_int_equal(l.nr_ranges, 0);
}

static void test_log_report(void **state)
{
	struct vfu_feature_log_report wire = { .iova = 16 * PAGE, .length = 65 * PAGE, .page_size = PAGE };

	assert_int_equal(call(256, GET | 8, &wire, sizeof(wire)), -EINVAL); /* does not log */
	l.is_logging = true;
	l.dirty_page = (16 + 64) * PAGE;
	assert_int_equal(call(8 + 24 + 15, GET | 8, &wire, sizeof(wire)), -EINVAL);
	assert_int_equal(call(256, GET | 8, &wire, sizeof(wire) - 1), -EINVAL);
	assert_int_equal(call(8 + 24 + 16, GET | 8, &wire, sizeof(wire)), 0);
	assert_int_equal(l.reply_len, 8 + 24 + 16);
	assert_int_equal(reply_argsz(), 8 + 24 + 16);
	assert_memory_equal(l.reply + 8, &wire, sizeof(wire));
	assert_memory_equal(l.reply + 32, ((uint8_t[16]){ [8] = 1 }), 16);
	for (uint64_t bad = 0; bad < PAGE; bad = bad ? 2 * bad : 1) {
		wire.page_size = bad;
		assert_int_equal(call(256, GET | 8, &wire, sizeof(wire)), -EINVAL);
	}
	wire.page_size = 3 * PAGE;
	assert_int_equal(call(256, GET | 8, &wire, sizeof(wire)), -EINVAL);
	wire.page_size = PAGE;
	wire.length = 0;
	assert_int_equal(call(256, GET | 8, &wire, sizeof(wire)), -EINVAL);
	wire.length = PAGE + 1;
	assert_int_equal(call(256, GET | 8, &wire, sizeof(wire)), -EINVAL);
	wire.length = UINT64_MAX & ~(PAGE - 1);
	assert_int_equal(call(UINT32_MAX, GET | 8, &wire, sizeof(wire)), -E2BIG);
	wire.length = PAGE;
	wire.iova = 0 - PAGE;
	assert_int_equal(call(256, GET | 8, &wire, sizeof(wire)), 0);
	wire.length = 2 * PAGE;
	assert_int_equal(call(256, GET | 8, &wire, sizeof(wire)), -EOVERFLOW);
}

static int call_read(uint32_t argsz, uint32_t size)
{
	struct vfu_mig_data head = { .argsz = argsz, .size = size };

	l.nr_reads = 0;
	return link_call(&l, vfu_handle_mig_data_read, VFU_MIG_DATA_READ, &head, sizeof(head), NULL, 0);
}

static void assert_read(uint32_t len)
{
	struct vfu_mig_data head;

	assert_int_equal(l.reply_len, sizeof(head) + len);
	memcpy(&head, l.reply, sizeof(head));
	assert_int_equal(head.size, len);
	assert_int_equal(head.argsz, sizeof(head) + len);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(l.reply[sizeof(head) + i], 0x5a);
}

static void test_mig_read(void **state)
{
	l.read_results[0] = 60;
	l.read_results[1] = 60;
	assert_int_equal(call_read(108, 100), 0);
	assert_int_equal(l.nr_reads, 2); /* pieces of the driver are no pieces of the client */
	assert_read(100);
	assert_int_equal(call_read(208, 200), 0); /* the end: less than asked for */
	assert_int_equal(l.nr_reads, 3);
	assert_read(120);
	l.read_results[0] = 0;
	assert_int_equal(call_read(208, 200), 0);
	assert_read(0);
	/* Nothing more for now: an error, but not for what is there. */
	l.read_results[0] = -ENOMSG;
	assert_int_equal(call_read(208, 200), -ENOMSG);
	l.read_results[0] = 60;
	l.read_results[1] = -ENOMSG;
	assert_int_equal(call_read(208, 200), 0);
	assert_read(60);
	l.read_results[1] = -EIO;
	assert_int_equal(call_read(208, 200), -EIO);
}

static void test_mig_read_limits(void **state)
{
	struct vfu_mig_data head = { .argsz = 108, .size = 100 };

	l.read_results[0] = INT32_MAX;
	assert_int_equal(call_read(107, 100), -EINVAL);
	assert_int_equal(call_read(0, 100), -EINVAL);
	assert_int_equal(call_read(108, 0), -EINVAL);
	assert_int_equal(call_read(UINT32_MAX, MIB + 1), -EINVAL);
	assert_int_equal(call_read(UINT32_MAX, UINT32_MAX), -EINVAL);
	assert_int_equal(call_read(UINT32_MAX, MIB), 0);
	assert_read(MIB);
	l.conn.theirs.max_data_xfer_size = 4096;
	assert_int_equal(call_read(UINT32_MAX, 4097), -EINVAL);
	assert_int_equal(call_read(UINT32_MAX, 4096), 0);
	assert_int_equal(link_call(&l, vfu_handle_mig_data_read, VFU_MIG_DATA_READ, &head, 7, NULL, 0), -EINVAL);
}

static void test_mig_write(void **state)
{
	uint8_t payload[100] = { 0 };
	struct vfu_mig_data head = { .argsz = 8, .size = 5 };

	memcpy(payload, &head, sizeof(head));
	memcpy(payload + sizeof(head), "state", 5);
	assert_int_equal(link_call(&l, vfu_handle_mig_data_write, VFU_MIG_DATA_WRITE, payload, 12, NULL, 0), -EINVAL);
	assert_int_equal(link_call(&l, vfu_handle_mig_data_write, VFU_MIG_DATA_WRITE, payload, 14, NULL, 0), -EINVAL);
	assert_int_equal(link_call(&l, vfu_handle_mig_data_write, VFU_MIG_DATA_WRITE, payload, 7, NULL, 0), -EINVAL);
	assert_int_equal(l.nr_written, 0);
	assert_int_equal(link_call(&l, vfu_handle_mig_data_write, VFU_MIG_DATA_WRITE, payload, 13, NULL, 0), 0);
	assert_int_equal(l.reply_len, 0);
	assert_int_equal(l.nr_written, 5);
	assert_memory_equal(l.written, "state", 5);
	head.size = 92;
	memcpy(payload, &head, sizeof(head));
	assert_int_equal(link_call(&l, vfu_handle_mig_data_write, VFU_MIG_DATA_WRITE, payload, 100, NULL, 0), -EFBIG);
	l.conn.ours.max_data_xfer_size = 91;
	assert_int_equal(link_call(&l, vfu_handle_mig_data_write, VFU_MIG_DATA_WRITE, payload, 100, NULL, 0), -EINVAL);
}

/* A device that can neither be moved nor logs. */
static void test_a_plain_device(void **state)
{
	static const uint32_t numbers[] = { 1, 2, 6, 7, 8, 9 };
	struct trn_use *use = l.conn.use, *plain = NULL;
	struct trn_parent *parent;
	struct trn_device *dev = NULL;
	struct trn_create_params params = { .uuid = "00000000-0000-4000-8000-000000000002" };

	assert_int_equal(null_parent_register(l.core, "null", 16, &parent, NULL), 0);
	assert_int_equal(trn_device_create(trn_type_find(parent, "null-big"), &params, &dev, NULL), 0);
	assert_int_equal(trn_device_open(dev, "the test", NULL, &plain, NULL), 0);
	l.conn.use = plain;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		assert_int_equal(call(256, PROBE | numbers[i], NULL, 0), -ENOTTY);
	assert_int_equal(call_read(108, 100), -EOPNOTSUPP);
	l.conn.use = use;
	trn_use_close(plain);
	trn_device_unref(dev);
	assert_int_equal(trn_parent_unregister(parent, NULL, NULL), 0);
	trn_parent_unref(parent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_probe, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unknown_features_and_flags, setup, teardown),
		cmocka_unit_test_setup_teardown(test_get_migration_flags, setup, teardown),
		cmocka_unit_test_setup_teardown(test_state, setup, teardown),
		cmocka_unit_test_setup_teardown(test_data_size, setup, teardown),
		cmocka_unit_test_setup_teardown(test_log_start_and_stop, setup, teardown),
		cmocka_unit_test_setup_teardown(test_log_report, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mig_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mig_read_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mig_write, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_plain_device, setup, teardown),
	};

	return unit_run(tests);
}
