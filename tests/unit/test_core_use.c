/* SPDX-License-Identifier: MIT */
/* Uses: open and close, and the checks between holders and drivers; with the null driver, so it is tested too. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "fake.h"
#include "parents/null/null.h"

static struct trn_core *core;
static struct trn_parent *parent;
static struct trn_device *dev;
static struct trn_use *use;

static int setup(void **state)
{
	core = trn_core_create();
	assert_int_equal(null_parent_register(core, "null", 16, &parent, NULL), 0);
	dev = fake_device(trn_type_find(parent, "null-big"), 1);
	use = fake_open(dev, "the test");
	return 0;
}

static int teardown(void **state)
{
	trn_use_close(use);
	trn_device_unref(dev);
	assert_int_equal(trn_parent_unregister(parent, NULL, NULL), 0);
	trn_parent_unref(parent);
	trn_core_destroy(core);
	return 0;
}

#define SIZE (4 * 4096)

static void test_use_knows_who_and_what(void **state)
{
	struct trn_use *other = NULL;
	int session;

	assert_int_equal(trn_device_open(dev, "process 4711", &session, &other, NULL), 0);
	assert_ptr_equal(trn_use_device(other), dev);
	assert_string_equal(trn_use_holder(other), "process 4711");
	assert_ptr_equal(trn_use_priv(other), &session);
	trn_use_set_priv(other, dev);
	assert_ptr_equal(trn_use_priv(other), dev);
	assert_int_equal(trn_device_nr_uses(dev), 2);
	trn_use_close(other);
	assert_int_equal(trn_device_nr_uses(dev), 1);
}

static void test_holder_text_is_bounded(void **state)
{
	struct trn_use *other = NULL;
	struct trn_error err = { 0 };
	char text[257];

	memset(text, 'x', sizeof(text));
	text[256] = '\0';
	assert_refused(trn_device_open(dev, text, NULL, &other, &err), err, -EINVAL, "TooLong");
	assert_null(other);
}

static void test_region_info(void **state)
{
	struct trn_region_info info = { 0 };

	assert_int_equal(trn_use_region_info(use, 0, &info), 0);
	assert_int_equal(info.size, SIZE);
	assert_int_equal(info.flags, TRN_REGION_READ | TRN_REGION_WRITE | TRN_REGION_MMAP);
	assert_int_equal(trn_use_region_info(use, 1, &info), 0);
	assert_int_equal(info.size, 0);
	info.size = 5;
	assert_int_equal(trn_use_region_info(use, UINT32_MAX, &info), 0);
	assert_int_equal(info.size, 0);
}

static void test_region_access_is_checked(void **state)
{
	uint8_t buf[SIZE + 1] = { 1, 2, 3 };

	assert_int_equal(trn_use_region_write(use, 0, 5, buf, 3), 0);
	assert_int_equal(trn_use_region_read(use, 0, 4, buf, 5), 0);
	assert_memory_equal(buf, ((uint8_t[]){ 0, 1, 2, 3, 0 }), 5);
	assert_int_equal(trn_use_region_read(use, 0, 0, buf, SIZE), 0);
	assert_int_equal(trn_use_region_read(use, 0, SIZE, buf, 0), 0);
	assert_int_equal(trn_use_region_read(use, 0, 0, buf, SIZE + 1), -EINVAL);
	assert_int_equal(trn_use_region_read(use, 0, SIZE, buf, 1), -EINVAL);
	assert_int_equal(trn_use_region_write(use, 0, SIZE - 1, buf, 2), -EINVAL);
	assert_int_equal(trn_use_region_write(use, 0, UINT64_MAX, buf, 2), -EINVAL);
	assert_int_equal(trn_use_region_write(use, 0, UINT64_MAX - 7, buf, 8), -EINVAL);
	assert_int_equal(trn_use_region_write(use, 1, 0, buf, 1), -EINVAL);
	assert_int_equal(trn_use_region_read(use, UINT32_MAX, 0, buf, 0), -EINVAL);
}

static void test_region_fd_is_the_same_memory(void **state)
{
	uint64_t offset = 77;
	uint8_t byte = 42, *p;
	int fd = trn_use_region_fd(use, 0, &offset);

	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(offset, 0);
	p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);
	assert_ptr_not_equal(p, MAP_FAILED);
	assert_int_equal(trn_use_region_write(use, 0, 9, &byte, 1), 0);
	assert_int_equal(p[9], 42);
	munmap(p, SIZE);
	base_close(fd);
	offset = 77;
	assert_int_equal(trn_use_region_fd(use, 1, &offset), -EINVAL);
	assert_int_equal(offset, 77);
}

static void test_reset_zeroes(void **state)
{
	uint8_t byte = 42;

	assert_int_equal(trn_use_region_write(use, 0, 9, &byte, 1), 0);
	assert_int_equal(trn_use_reset(use), 0);
	assert_int_equal(trn_use_region_read(use, 0, 9, &byte, 1), 0);
	assert_int_equal(byte, 0);
}

static eventfd_t drain(int fd)
{
	eventfd_t value = 0;

	return eventfd_read(fd, &value) == 0 ? value : 0;
}

static int set_eventfd(struct trn_use *who, uint32_t index, int fd)
{
	struct trn_irq_set set = {
		.index = index,
		.count = 1,
		.action = TRN_IRQ_TRIGGER,
		.data = TRN_IRQ_DATA_EVENTFD,
		.fds = &fd,
	};

	return trn_use_set_irqs(who, &set);
}

static void test_irqs_fire(void **state)
{
	struct trn_irq_set set = { .count = 1, .action = TRN_IRQ_TRIGGER };
	struct trn_remove_params how = { .policy = TRN_REMOVE_ASK };
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct trn_irq_info info = { 0 };
	uint8_t byte = 0;

	assert_int_equal(trn_use_irq_info(use, 0, &info), 0);
	assert_int_equal(info.count, 1);
	assert_int_equal(trn_use_irq_info(use, 2, &info), 0);
	assert_int_equal(info.count, 0);
	assert_int_equal(trn_use_set_irqs(use, &set), 0); /* nothing wired: nothing happens */

	assert_int_equal(set_eventfd(use, 0, fd), 0);
	assert_int_equal(trn_use_region_write(use, 0, 0, &byte, 1), 0);
	assert_int_equal(drain(fd), 1);
	assert_int_equal(trn_use_set_irqs(use, &set), 0);
	assert_int_equal(drain(fd), 1);
	set.data = TRN_IRQ_DATA_BOOL;
	set.bools = (const uint8_t[]){ 1 };
	assert_int_equal(trn_use_set_irqs(use, &set), 0);
	assert_int_equal(drain(fd), 1);
	set.bools = (const uint8_t[]){ 0 };
	assert_int_equal(trn_use_set_irqs(use, &set), 0);
	assert_int_equal(drain(fd), 0);

	assert_int_equal(set_eventfd(use, 0, -1), 0);
	assert_int_equal(trn_use_region_write(use, 0, 0, &byte, 1), 0);
	assert_int_equal(drain(fd), 0);
	assert_int_equal(set_eventfd(use, 0, 9999), -EBADF);

	/* The request interrupt tells that somebody wants to remove the device. */
	assert_int_equal(set_eventfd(use, 1, fd), 0);
	assert_int_equal(trn_device_remove(dev, &how, NULL), -ETIMEDOUT);
	assert_int_equal(drain(fd), 1);
	set = (struct trn_irq_set){ .index = 1, .action = TRN_IRQ_TRIGGER }; /* unwires the kind */
	assert_int_equal(trn_use_set_irqs(use, &set), 0);
	assert_int_equal(trn_device_remove(dev, &how, NULL), -ETIMEDOUT);
	assert_int_equal(drain(fd), 0);
	base_close(fd);
}

static void test_close_unwires_only_its_own(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct trn_use *other = fake_open(dev, "other");
	uint8_t byte = 0;

	assert_int_equal(set_eventfd(use, 0, fd), 0);
	trn_use_close(other);
	assert_int_equal(trn_use_region_write(use, 0, 0, &byte, 1), 0);
	assert_int_equal(drain(fd), 1);
	other = fake_open(dev, "other");
	assert_int_equal(set_eventfd(other, 0, fd), 0);
	trn_use_close(other);
	assert_int_equal(trn_use_region_write(use, 0, 0, &byte, 1), 0);
	assert_int_equal(drain(fd), 0);
	base_close(fd);
}

static void test_irq_sets_are_checked(void **state)
{
	static const uint8_t bools[1] = { 1 };
	const int fds[1] = { -1 };
	const struct trn_irq_set bad[] = {
		{ .index = 2, .count = 1, .action = TRN_IRQ_TRIGGER },
		{ .index = UINT32_MAX, .count = 1, .action = TRN_IRQ_TRIGGER },
		{ .count = 2, .action = TRN_IRQ_TRIGGER },
		{ .start = 1, .count = 1, .action = TRN_IRQ_TRIGGER },
		{ .start = UINT32_MAX, .count = 2, .action = TRN_IRQ_TRIGGER },
		{ .start = 1, .action = TRN_IRQ_TRIGGER },
		{ .action = TRN_IRQ_MASK },
		{ .start = 1, .count = 1, .action = TRN_IRQ_UNMASK },
		{ .count = 1, .action = (enum trn_irq_action)3 },
		{ .count = 1, .action = TRN_IRQ_TRIGGER, .data = (enum trn_irq_data)3 },
		{ .count = 1, .action = TRN_IRQ_TRIGGER, .data = TRN_IRQ_DATA_BOOL },
		{ .count = 0, .action = TRN_IRQ_TRIGGER, .data = TRN_IRQ_DATA_BOOL, .bools = bools },
		{ .count = 1, .action = TRN_IRQ_TRIGGER, .data = TRN_IRQ_DATA_EVENTFD },
		{ .count = 0, .action = TRN_IRQ_TRIGGER, .data = TRN_IRQ_DATA_EVENTFD, .fds = fds },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (trn_use_set_irqs(use, &bad[i]) != -EINVAL)
			fail_msg("irq set %zu is accepted", i);
	/* Well said, but the kind is not maskable. */
	assert_int_equal(trn_use_set_irqs(use, &(struct trn_irq_set){ .count = 1, .action = TRN_IRQ_MASK }), -ENOTTY);
	assert_int_equal(trn_use_set_irqs(use, &(struct trn_irq_set){ .count = 1, .action = TRN_IRQ_UNMASK }), -ENOTTY);
}

static void test_dma_ranges_are_checked(void **state)
{
	struct trn_dma_map map = { .len = 4096, .fd = -1, .flags = TRN_DMA_READ | TRN_DMA_WRITE };

	assert_int_equal(trn_use_dma_map(use, &map), 0); /* a driver without DMA takes all */
	assert_false(trn_use_never_dma(use));		 /* and may still do it by trn_use_dma() */
	map.flags = 4;
	assert_int_equal(trn_use_dma_map(use, &map), -EINVAL);
	map.flags = 0;
	map.len = 0;
	assert_int_equal(trn_use_dma_map(use, &map), -EINVAL);
	map.len = 4096;
	map.iova = UINT64_MAX - 4094;
	assert_int_equal(trn_use_dma_map(use, &map), -EINVAL);
	map.iova = 0;
	map.offset = UINT64_MAX - 10;
	assert_int_equal(trn_use_dma_map(use, &map), -EINVAL);
	assert_int_equal(trn_use_dma_unmap(use, 0, 4096), 0);
	assert_int_equal(trn_use_dma_unmap(use, 0, 0), -EINVAL);
	assert_int_equal(trn_use_dma_unmap(use, UINT64_MAX, 2), -EINVAL);
}

static void test_device_without_anything(void **state)
{
	struct trn_irq_set set = { .count = 1, .action = TRN_IRQ_TRIGGER };
	struct trn_region_info region = { .size = 1 };
	struct trn_irq_info irq = { .count = 1 };
	struct trn_device *plain;
	struct trn_use *other;
	uint64_t offset;
	char byte = 0;
	struct fake f;

	fake_init(&f, core, "p0");
	plain = fake_device(f.small, 2);
	other = fake_open(plain, "x");
	assert_int_equal(trn_use_region_info(other, 0, &region), 0);
	assert_int_equal(region.size, 0);
	assert_int_equal(trn_use_irq_info(other, 0, &irq), 0);
	assert_int_equal(irq.count, 0);
	assert_int_equal(trn_use_region_read(other, 0, 0, &byte, 1), -EINVAL);
	assert_int_equal(trn_use_region_write(other, 0, 0, &byte, 1), -EINVAL);
	assert_int_equal(trn_use_region_fd(other, 0, &offset), -EINVAL);
	assert_int_equal(trn_use_set_irqs(other, &set), -EINVAL);
	assert_int_equal(trn_use_reset(other), -EOPNOTSUPP);
	trn_use_close(other);
	trn_device_unref(plain);
	fake_finish(&f);
}

static void test_open_that_the_driver_refuses(void **state)
{
	struct trn_use *other = NULL;
	struct trn_error err = { 0 };
	struct trn_device *plain;
	struct fake f;

	fake_init(&f, core, "p0");
	plain = fake_device(f.small, 2);
	f.open_result = -EIO;
	assert_refused(trn_device_open(plain, "x", NULL, &other, &err), err, -EIO, "DriverFailed");
	assert_null(other);
	assert_int_equal(trn_device_nr_uses(plain), 0);
	assert_int_equal(f.nr_closes, 0);
	assert_int_equal(trn_device_remove(plain, NULL, NULL), 0);
	trn_device_unref(plain);
	fake_finish(&f);
}

static void test_sessions_limit_uses(void **state)
{
	struct trn_use *uses[2], *third = NULL;
	struct trn_error err = { 0 };
	struct trn_device *mem;
	struct fake f;

	fake_init(&f, core, "p0");
	mem = fake_device(f.mem, 2);
	uses[0] = fake_open(mem, "a");
	uses[1] = fake_open(mem, "b");
	assert_refused(trn_device_open(mem, "c", NULL, &third, &err), err, -EUSERS, "NoSession");
	trn_use_close(uses[0]);
	uses[0] = fake_open(mem, "c");
	trn_use_close(uses[0]);
	trn_use_close(uses[1]);
	trn_device_unref(mem);
	fake_finish(&f);
}

/* A region whose parts differ: readable, writable, not mappable. */
static int odd_region_info(struct trn_use *who, uint32_t index, struct trn_region_info *ret)
{
	if (index == 9)
		return -EIO;
	ret->size = 16;
	ret->flags = index == 0 ? TRN_REGION_READ : index == 1 ? TRN_REGION_WRITE : TRN_REGION_MMAP;
	return 0;
}

static int odd_region_rw(struct trn_use *who, uint32_t index, uint64_t offset, void *buf, size_t len, int is_write)
{
	assert_int_equal(is_write, index == 1);
	return 0;
}

static int odd_init(struct trn_device *odd, struct trn_error *err)
{
	return 0;
}

static void odd_release(struct trn_device *odd)
{
}

static void test_direction_and_driver_errors(void **state)
{
	static const struct trn_device_ops ops = {
		.name = "odd",
		.device_api = "none",
		.init = odd_init,
		.release = odd_release,
		.region_info = odd_region_info,
		.region_rw = odd_region_rw,
	};
	struct trn_parent_desc desc = {
		.name = "odd",
		.ops = &ops,
		.types = fake_types,
		.nr_types = 1,
		.capacity = fake_capacity,
	};
	struct trn_region_info info = { .size = 77 };
	struct trn_parent *odd_parent = NULL;
	struct trn_device *odd;
	struct trn_use *other;
	uint64_t offset;
	char byte = 0;

	assert_int_equal(trn_parent_register(core, &desc, &odd_parent, NULL), 0);
	odd = fake_device(trn_type_at(odd_parent, 0), 3);
	other = fake_open(odd, "x");
	assert_int_equal(trn_use_region_read(other, 0, 0, &byte, 1), 0);
	assert_int_equal(trn_use_region_write(other, 0, 0, &byte, 1), -EACCES);
	assert_int_equal(trn_use_region_write(other, 1, 0, &byte, 1), 0);
	assert_int_equal(trn_use_region_read(other, 1, 0, &byte, 1), -EACCES);
	assert_int_equal(trn_use_region_fd(other, 0, &offset), -EOPNOTSUPP);
	assert_int_equal(trn_use_region_fd(other, 2, &offset), -EOPNOTSUPP); /* no region_fd */
	assert_int_equal(trn_use_region_info(other, 9, &info), -EIO);
	assert_int_equal(info.size, 77);
	assert_int_equal(trn_use_region_read(other, 9, 0, &byte, 1), -EIO);
	trn_use_close(other);
	trn_device_unref(odd);
	assert_int_equal(trn_parent_unregister(odd_parent, NULL, NULL), 0);
	trn_parent_unref(odd_parent);
}

static void test_null_sizes(void **state)
{
	struct trn_create_params params = { .uuid = fake_uuid(5), .override = 1u << TRN_RESOURCE_UNITS };
	struct trn_type *big = trn_type_find(parent, "null-big");
	struct trn_region_info info = { 0 };
	struct trn_device *other = NULL;
	struct trn_parent *huge = NULL;
	struct trn_error err = { 0 };
	struct trn_use *other_use;

	params.resources.amount[TRN_RESOURCE_UNITS] = 7;
	assert_int_equal(trn_device_create(big, &params, &other, &err), 0);
	other_use = fake_open(other, "x");
	assert_int_equal(trn_use_region_info(other_use, 0, &info), 0);
	assert_int_equal(info.size, 7 * 4096);
	trn_use_close(other_use);
	trn_device_unref(other);

	assert_int_equal(null_parent_register(core, "huge", UINT64_MAX, &huge, NULL), 0);
	params.uuid = fake_uuid(6);
	params.resources.amount[TRN_RESOURCE_UNITS] = UINT64_MAX / 4096 + 2;
	assert_refused(trn_device_create(trn_type_find(huge, "null-big"), &params, &other, &err), err, -EINVAL,
		       "TooBig");
	assert_int_equal(trn_parent_unregister(huge, NULL, NULL), 0);
	trn_parent_unref(huge);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_use_knows_who_and_what),
		T(test_holder_text_is_bounded),
		T(test_region_info),
		T(test_region_access_is_checked),
		T(test_region_fd_is_the_same_memory),
		T(test_reset_zeroes),
		T(test_irqs_fire),
		T(test_close_unwires_only_its_own),
		T(test_irq_sets_are_checked),
		T(test_dma_ranges_are_checked),
		T(test_device_without_anything),
		T(test_open_that_the_driver_refuses),
		T(test_sessions_limit_uses),
		T(test_direction_and_driver_errors),
		T(test_null_sizes),
	};

	return unit_run(tests);
}
