/* SPDX-License-Identifier: MIT */
/* What the core checks between holders and drivers of devices that move, log, map and do DMA. */
#include <errno.h>
#include <string.h>

#include "fake.h"

static struct trn_core *core;
static struct fake fake;
static struct trn_device *dev;
static struct trn_use *use;

/* What reached the driver, and what it answers. */
static struct {
	unsigned int nr;
	int result;
	uint32_t flags;
	enum trn_mig_state state;
} driver;

static int answer(void)
{
	driver.nr++;
	return driver.result;
}

static uint32_t mig_flags_of(struct trn_use *u)
{
	return driver.flags;
}

static int mig_get_state(struct trn_use *u, enum trn_mig_state *ret)
{
	if (driver.result >= 0)
		*ret = driver.state;
	return answer();
}

static int mig_set_state(struct trn_use *u, enum trn_mig_state to, struct trn_error *err)
{
	driver.state = to;
	return answer();
}

static ssize_t mig_read(struct trn_use *u, void *buf, size_t len)
{
	memset(buf, 0x5c, len);
	return answer();
}

static int mig_write(struct trn_use *u, const void *buf, size_t len, struct trn_error *err)
{
	return answer();
}

static int mig_sizes(struct trn_use *u, struct trn_mig_sizes *ret)
{
	if (driver.result >= 0)
		*ret = (struct trn_mig_sizes){ 1, 2, 3 };
	return answer();
}

static const struct trn_migration_ops migration = {
	.flags = TRN_MIG_CAN_STOP_COPY | TRN_MIG_CAN_P2P | TRN_MIG_CAN_PRE_COPY,
	.flags_of = mig_flags_of,
	.get_state = mig_get_state,
	.set_state = mig_set_state,
	.read = mig_read,
	.write = mig_write,
	.sizes = mig_sizes,
};

static int log_start(struct trn_use *u, uint64_t page_size, const struct trn_span *ranges, size_t nr, struct trn_error *err)
{
	return answer();
}

static void log_stop(struct trn_use *u)
{
	driver.nr++;
}

static int log_report(struct trn_use *u, uint64_t iova, uint64_t len, uint64_t page_size, uint8_t *bitmap)
{
	*bitmap |= 1;
	return answer();
}

static const struct trn_dma_log_ops dma_log = { .start = log_start, .stop = log_stop, .report = log_report };

static void info(struct trn_use *u, struct trn_device_info *ret)
{
	*ret = (struct trn_device_info){ TRN_DEVICE_PCI | TRN_DEVICE_RESET, 3, 2 };
}

static int caps_of(struct trn_use *u, uint32_t index, struct trn_caps *caps)
{
	if (driver.result < 0)
		return driver.result;
	return index == TRN_CAPS_OF_DEVICE ? trn_caps_add(caps, 7, 1, NULL, 0) : 1;
}

/* Region 0 can be mapped, 1 cannot, 2 is not there. */
static int region_info(struct trn_use *u, uint32_t index, struct trn_region_info *ret)
{
	ret->size = index < 2 ? 0x4000 : 0;
	ret->flags = TRN_REGION_READ | (index ? 0 : TRN_REGION_MMAP);
	return driver.result;
}

static int region_rw(struct trn_use *u, uint32_t index, uint64_t offset, void *buf, size_t len, int is_write)
{
	return answer();
}

static int region_fd(struct trn_use *u, uint32_t index, uint64_t *ret_offset)
{
	return -EMFILE;
}

static ssize_t region_areas(struct trn_use *u, uint32_t index, struct trn_span *ret, size_t max)
{
	for (size_t i = 0; i < 2 && i < max; i++)
		ret[i] = (struct trn_span){ i * 0x2000, 0x1000 };
	return 2;
}

static ssize_t region_ioeventfds(struct trn_use *u, uint32_t index, struct trn_ioeventfd *ret, size_t max)
{
	return 4;
}

/* Filled from the fake's own by setup. */
static struct trn_device_ops full_ops;

static int start(const struct trn_device_ops *ops)
{
	core = trn_core_create();
	fake_init_with(&fake, core, "mover", ops);
	dev = fake_device(fake.small, 1);
	use = fake_open(dev, "the test");
	return 0;
}

static int setup(void **state)
{
	memset(&driver, 0, sizeof(driver));
	driver.flags = UINT32_MAX;
	full_ops = fake_ops;
	full_ops.migration = &migration;
	full_ops.dma_log = &dma_log;
	full_ops.info = info;
	full_ops.caps = caps_of;
	full_ops.region_info = region_info;
	full_ops.region_rw = region_rw;
	full_ops.region_fd = region_fd;
	full_ops.region_areas = region_areas;
	full_ops.region_ioeventfds = region_ioeventfds;
	return start(&full_ops);
}

static int setup_plain(void **state)
{
	return start(&fake_ops);
}

static int teardown(void **state)
{
	trn_use_close(use);
	trn_device_unref(dev);
	fake_finish(&fake);
	trn_core_destroy(core);
	return 0;
}

static void test_states_are_checked(void **state)
{
	struct trn_error err = { 0 };
	enum trn_mig_state got = TRN_MIG_ERROR;

	assert_int_equal(trn_use_mig_flags(use), migration.flags);
	for (unsigned int to = TRN_MIG_STOP; to < TRN_NR_MIG_STATES; to++) {
		assert_int_equal(trn_use_mig_set_state(use, to, NULL), 0);
		assert_int_equal(trn_use_mig_get_state(use, &got), 0);
		assert_int_equal(got, to);
	}
	driver.nr = 0;
	assert_int_equal(trn_use_mig_set_state(use, TRN_MIG_ERROR, &err), -EINVAL);
	assert_string_equal(err.name, "NoSuchState");
	assert_int_equal(trn_use_mig_set_state(use, TRN_NR_MIG_STATES, NULL), -EINVAL);
	assert_int_equal(trn_use_mig_set_state(use, (enum trn_mig_state)UINT32_MAX, NULL), -EINVAL);
	assert_int_equal(driver.nr, 0);
	driver.result = -EIO;
	assert_int_equal(trn_use_mig_set_state(use, TRN_MIG_STOP, NULL), -EIO);
	assert_int_equal(trn_use_mig_get_state(use, &got), -EIO);
}

static void test_states_that_a_device_lacks(void **state)
{
	driver.flags = TRN_MIG_CAN_STOP_COPY;
	assert_int_equal(trn_use_mig_flags(use), TRN_MIG_CAN_STOP_COPY);
	assert_int_equal(trn_use_mig_set_state(use, TRN_MIG_RUNNING_P2P, NULL), -EINVAL);
	assert_int_equal(trn_use_mig_set_state(use, TRN_MIG_PRE_COPY, NULL), -EINVAL);
	assert_int_equal(trn_use_mig_set_state(use, TRN_MIG_STOP_COPY, NULL), 0);
	driver.flags = TRN_MIG_CAN_STOP_COPY | TRN_MIG_CAN_PRE_COPY;
	assert_int_equal(trn_use_mig_set_state(use, TRN_MIG_PRE_COPY, NULL), 0);
	assert_int_equal(trn_use_mig_set_state(use, TRN_MIG_PRE_COPY_P2P, NULL), -EINVAL);
	driver.flags = 0;
	assert_int_equal(trn_use_mig_set_state(use, TRN_MIG_STOP, NULL), -EOPNOTSUPP);
}

static void test_stream(void **state)
{
	struct trn_mig_sizes sizes = { 0 };
	uint8_t buf[4] = { 0 };

	driver.result = 3;
	assert_int_equal(trn_use_mig_read(use, buf, sizeof(buf)), 3);
	assert_int_equal(buf[3], 0x5c);
	assert_int_equal(trn_use_mig_read(use, buf, 0), -EINVAL);
	assert_int_equal(trn_use_mig_write(use, buf, 4, NULL), 0);
	driver.result = 0;
	assert_int_equal(trn_use_mig_sizes(use, &sizes), 0);
	assert_int_equal(sizes.stop_copy, 3);
	driver.result = -ENOMSG;
	assert_int_equal(trn_use_mig_read(use, buf, sizeof(buf)), -ENOMSG);
	assert_int_equal(trn_use_mig_write(use, buf, 4, NULL), -ENOMSG);
}

static void test_log_ranges_are_checked(void **state)
{
	const struct trn_span good = { 0x1000, 0x2000 }, odd = { 0x1001, 0x1000 }, empty = { 0x1000, 0 };
	const struct trn_span beyond = { UINT64_MAX - 0xfff, 0x2000 }, last = { UINT64_MAX - 0xfff, 0x1000 };

	assert_int_equal(trn_use_dma_log_start(use, 4096, &good, 1, NULL), 0);
	assert_int_equal(trn_use_dma_log_start(use, 4096, NULL, 0, NULL), 0);
	assert_int_equal(trn_use_dma_log_start(use, 4096, &last, 1, NULL), 0);
	assert_int_equal(driver.nr, 3);
	assert_int_equal(trn_use_dma_log_start(use, 0, &good, 1, NULL), -EINVAL);
	assert_int_equal(trn_use_dma_log_start(use, 4097, &good, 1, NULL), -EINVAL);
	assert_int_equal(trn_use_dma_log_start(use, 0x4000, &good, 1, NULL), -EINVAL);
	assert_int_equal(trn_use_dma_log_start(use, 4096, &odd, 1, NULL), -EINVAL);
	assert_int_equal(trn_use_dma_log_start(use, 4096, &empty, 1, NULL), -EINVAL);
	assert_int_equal(trn_use_dma_log_start(use, 4096, &beyond, 1, NULL), -EOVERFLOW);
	assert_int_equal(trn_use_dma_log_start(use, 4096, &good, 65537, NULL), -E2BIG);
	assert_int_equal(driver.nr, 3);
	driver.result = -ENOMEM;
	assert_int_equal(trn_use_dma_log_start(use, 4096, &good, 1, NULL), -ENOMEM);
	assert_int_equal(trn_use_dma_log_stop(use), 0);
	assert_int_equal(trn_use_dma_log_stop(use), 0);
	assert_int_equal(driver.nr, 6);
}

static void test_log_reports_are_checked(void **state)
{
	uint8_t bits = 0;

	assert_int_equal(trn_use_dma_log_report(use, 0, 4096, 4096, &bits), 0);
	assert_int_equal(bits, 1);
	driver.nr = 0;
	assert_int_equal(trn_use_dma_log_report(use, 0, 4096, 2048, &bits), -EINVAL);
	assert_int_equal(trn_use_dma_log_report(use, 0, 4096, 0, &bits), -EINVAL);
	assert_int_equal(trn_use_dma_log_report(use, 0, 12288, 12288, &bits), -EINVAL);
	assert_int_equal(trn_use_dma_log_report(use, 0, 0, 4096, &bits), -EINVAL);
	assert_int_equal(trn_use_dma_log_report(use, 1, 4096, 4096, &bits), -EINVAL);
	assert_int_equal(trn_use_dma_log_report(use, 0, 4097, 4096, &bits), -EINVAL);
	assert_int_equal(trn_use_dma_log_report(use, UINT64_MAX - 4095, 8192, 4096, &bits), -EOVERFLOW);
	assert_int_equal(driver.nr, 0);
}

static void test_info_and_capabilities(void **state)
{
	struct trn_device_info got = { 0 };
	struct trn_caps *caps = trn_caps_new();

	trn_use_info(use, &got);
	/* The driver has no reset, whatever it says. */
	assert_int_equal(got.flags, TRN_DEVICE_PCI);
	assert_int_equal(got.nr_regions, 3);
	assert_int_equal(got.nr_irqs, 2);
	assert_int_equal(trn_use_caps(use, 0, caps), 0);
	assert_int_equal(trn_caps_len(caps), 0);
	assert_int_equal(trn_use_caps(use, TRN_CAPS_OF_DEVICE, caps), 0);
	assert_int_equal(trn_caps_len(caps), 8);
	driver.result = -ENOMEM;
	assert_int_equal(trn_use_caps(use, TRN_CAPS_OF_DEVICE, caps), -ENOMEM);
	trn_caps_free(caps);
}

/* C13: what may be mapped is asked for only where something may be. */
static void test_areas_and_ioeventfds(void **state)
{
	struct trn_ioeventfd event;
	struct trn_span spans[2];

	assert_int_equal(trn_use_region_areas(use, 0, spans, 2), 2);
	assert_int_equal(spans[1].start, 0x2000);
	assert_int_equal(trn_use_region_areas(use, 0, spans, 0), 2);
	assert_int_equal(trn_use_region_areas(use, 1, spans, 2), -EOPNOTSUPP);
	assert_int_equal(trn_use_region_areas(use, 2, spans, 2), -EINVAL);
	assert_int_equal(trn_use_region_areas(use, UINT32_MAX, spans, 2), -EINVAL);
	assert_int_equal(trn_use_region_ioeventfds(use, 1, &event, 1), 4);
	assert_int_equal(trn_use_region_ioeventfds(use, 2, &event, 1), -EINVAL);
	full_ops.region_areas = NULL;
	full_ops.region_ioeventfds = NULL;
	assert_int_equal(trn_use_region_areas(use, 0, spans, 2), 1);
	assert_int_equal(spans[0].len, 0x4000);
	assert_int_equal(trn_use_region_areas(use, 0, NULL, 0), 1);
	assert_int_equal(trn_use_region_ioeventfds(use, 0, &event, 1), 0);
	driver.result = -EIO;
	assert_int_equal(trn_use_region_areas(use, 0, spans, 2), -EIO);
	assert_int_equal(trn_use_region_ioeventfds(use, 0, &event, 1), -EIO);
}

static int access_memory(struct trn_use *u, struct trn_dma_request *req)
{
	assert_ptr_equal(u, use);
	memset(req->buf, 0x77, req->len);
	return answer();
}

static void test_dma(void **state)
{
	static const struct trn_dma_ops ops = { .access = access_memory };
	uint8_t buf[8] = { 0 };
	struct trn_dma_request req = { .iova = 0x1000, .len = sizeof(buf), .buf = buf };

	assert_int_equal(trn_use_dma(use, &req), -EOPNOTSUPP);
	trn_use_set_dma_ops(use, &ops);
	assert_int_equal(trn_use_dma(use, &req), 0);
	assert_int_equal(buf[7], 0x77);
	driver.result = 1;
	assert_int_equal(trn_use_dma(use, &req), 1);
	driver.result = -EFAULT;
	assert_int_equal(trn_use_dma(use, &req), -EFAULT);
	driver.nr = 0;
	req.len = 0;
	assert_int_equal(trn_use_dma(use, &req), -EINVAL);
	req.len = 8;
	req.iova = UINT64_MAX - 6;
	assert_int_equal(trn_use_dma(use, &req), -EINVAL);
	assert_int_equal(driver.nr, 0);
	trn_use_set_dma_ops(use, NULL);
	req.iova = 0;
	assert_int_equal(trn_use_dma(use, &req), -EOPNOTSUPP);
}

static void test_driver_without_any_of_it(void **state)
{
	struct trn_device_info got = { .flags = 9 };
	struct trn_mig_sizes sizes;
	enum trn_mig_state mig_state = TRN_MIG_STOP;
	struct trn_error err = { 0 };
	struct trn_caps *caps = trn_caps_new();
	uint8_t buf[8];

	assert_int_equal(trn_use_mig_flags(use), 0);
	assert_int_equal(trn_use_mig_get_state(use, &mig_state), -EOPNOTSUPP);
	assert_int_equal(trn_use_mig_set_state(use, TRN_MIG_STOP, &err), -EOPNOTSUPP);
	assert_string_equal(err.name, "NoMigration");
	assert_int_equal(trn_use_mig_read(use, buf, 8), -EOPNOTSUPP);
	assert_int_equal(trn_use_mig_write(use, buf, 8, NULL), -EOPNOTSUPP);
	assert_int_equal(trn_use_mig_sizes(use, &sizes), -EOPNOTSUPP);
	assert_int_equal(trn_use_dma_log_start(use, 4096, NULL, 0, NULL), -EOPNOTSUPP);
	assert_int_equal(trn_use_dma_log_stop(use), -EOPNOTSUPP);
	assert_int_equal(trn_use_dma_log_report(use, 0, 4096, 4096, buf), -EOPNOTSUPP);
	trn_use_info(use, &got);
	assert_int_equal(got.flags | got.nr_regions | got.nr_irqs, 0);
	assert_int_equal(trn_use_caps(use, 0, caps), 0);
	assert_int_equal(trn_caps_len(caps), 0);
	assert_int_equal(trn_use_region_ioeventfds(use, 0, NULL, 0), -EINVAL);
	trn_caps_free(caps);
}

static int try_ops(const struct trn_device_ops *ops)
{
	const struct trn_parent_desc desc = {
		.name = "bad",
		.ops = ops,
		.types = fake_types,
		.nr_types = 1,
		.capacity = fake_capacity,
	};
	struct trn_parent *parent = NULL;
	int r = trn_parent_register(core, &desc, &parent, NULL);

	assert_null(parent);
	return r;
}

static void test_incomplete_tables_are_refused(void **state)
{
	struct trn_migration_ops mig = migration;
	struct trn_dma_log_ops dirty = dma_log;
	struct trn_device_ops ops = full_ops;

	ops.migration = &mig;
	ops.dma_log = &dirty;
	mig.flags = TRN_MIG_CAN_P2P;
	assert_int_equal(try_ops(&ops), -EINVAL);
	mig = migration;
	mig.sizes = NULL;
	assert_int_equal(try_ops(&ops), -EINVAL);
	mig = migration;
	dirty.report = NULL;
	assert_int_equal(try_ops(&ops), -EINVAL);
	dirty = dma_log;
	ops.region_info = NULL;
	ops.region_rw = NULL;
	ops.region_fd = NULL;
	assert_int_equal(try_ops(&ops), -EINVAL);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_states_are_checked),
		T(test_states_that_a_device_lacks),
		T(test_stream),
		T(test_log_ranges_are_checked),
		T(test_log_reports_are_checked),
		T(test_info_and_capabilities),
		T(test_areas_and_ioeventfds),
		T(test_dma),
		T(test_incomplete_tables_are_refused),
		cmocka_unit_test_setup_teardown(test_driver_without_any_of_it, setup_plain, teardown),
	};

	return unit_run(tests);
}
