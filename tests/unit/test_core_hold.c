/* SPDX-License-Identifier: MIT */
/* Holds: removing a device in steps, for who must not block (C6). */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "fake.h"

static struct trn_core *core;
static struct fake f;
static struct trn_device *dev;

static int setup(void **state)
{
	core = trn_core_create();
	fake_init(&f, core, "p0");
	dev = fake_device(f.small, 1);
	return 0;
}

static int teardown(void **state)
{
	trn_device_unref(dev);
	fake_finish(&f);
	trn_core_destroy(core);
	return 0;
}

static void assert_nobody_comes_in(void)
{
	struct trn_error err = { 0 };
	struct trn_use *use = NULL;

	assert_refused(trn_device_open(dev, "new", NULL, &use, &err), err, -ENODEV, "BeingHeld");
	assert_null(use);
}

static void test_c6_hold_refuses_a_device_in_use(void **state)
{
	struct trn_use *use = fake_open(dev, "VM web1");
	struct trn_error err = { 0 };

	assert_int_equal(trn_device_hold(dev, TRN_REMOVE_REFUSE, &err), -EBUSY);
	assert_non_null(strstr(err.text, "in use by VM web1"));
	err = (struct trn_error){ 0 };
	trn_use_close(fake_open(dev, "it is as before"));
	assert_refused(trn_device_hold(dev, (enum trn_remove_policy)7, &err), err, -EINVAL, "BadPolicy");
	trn_use_close(use);
	assert_int_equal(trn_device_hold(dev, TRN_REMOVE_REFUSE, &err), 0);
	assert_nobody_comes_in();
}

static void test_c6_users_stay_and_nobody_new_comes_in(void **state)
{
	struct trn_use *use = fake_open(dev, "VM web1");
	struct trn_error err = { 0 };

	assert_int_equal(trn_device_hold(dev, TRN_REMOVE_ASK, &err), 0);
	assert_nobody_comes_in();
	assert_refused(trn_device_hold(dev, TRN_REMOVE_ASK, &err), err, -EALREADY, "HeldAlready");
	assert_refused(trn_device_remove(dev, NULL, &err), err, -EBUSY, "InUse");
	assert_nobody_comes_in();
	trn_device_unhold(dev);
	trn_device_unhold(dev);
	trn_use_close(fake_open(dev, "somebody else"));
	assert_int_equal(trn_device_hold(dev, TRN_REMOVE_ASK, &err), 0);
	trn_use_close(use);
	assert_int_equal(trn_device_remove(dev, NULL, &err), 0);
	assert_refused(trn_device_hold(dev, TRN_REMOVE_ASK, &err), err, -ENODEV, "NoSuchDevice");
}

static void test_c6_holders_are_asked(void **state)
{
	f.leaving_use = fake_open(dev, "polite");
	f.leave_at = 1;
	assert_int_equal(trn_device_hold(dev, TRN_REMOVE_ASK, NULL), 0);
	assert_int_equal(trn_device_ask_holders(dev, 0), 1);
	assert_int_equal(trn_device_nr_uses(dev), 1);
	assert_int_equal(trn_device_ask_holders(dev, 1), 1);
	assert_int_equal(trn_device_nr_uses(dev), 0);
	assert_int_equal(f.nr_requests, 2);
}

static void test_c6_a_driver_that_cannot_ask(void **state)
{
	struct trn_device_ops ops = fake_ops;
	struct fake deaf = { 0 };
	struct trn_device *other;

	ops.request = NULL;
	fake_init_with(&deaf, core, "p1", &ops);
	other = fake_device(deaf.small, 2);
	assert_int_equal(trn_device_ask_holders(other, 0), 0);
	trn_device_unref(other);
	fake_finish(&deaf);
}

static void test_unregister_takes_a_held_device_along(void **state)
{
	struct trn_error err = { 0 };

	assert_int_equal(trn_device_hold(dev, TRN_REMOVE_ASK, NULL), 0);
	assert_int_equal(trn_parent_unregister(f.parent, NULL, &err), 0);
	assert_refused(trn_device_hold(dev, TRN_REMOVE_ASK, &err), err, -ENODEV, "NoSuchDevice");
}

static unsigned int changes(int fd)
{
	eventfd_t nr = 0;

	return eventfd_read(fd, &nr) == 0 ? (unsigned int)nr : 0;
}

static void test_uses_are_watched(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct trn_use *use;

	trn_device_watch_uses(dev, fd);
	assert_int_equal(changes(fd), 0);
	use = fake_open(dev, "a");
	assert_int_equal(changes(fd), 1);
	trn_use_close(use);
	assert_int_equal(changes(fd), 1);
	/* One that the driver does not let in was one for a moment. */
	f.open_result = -EIO;
	assert_int_equal(trn_device_open(dev, "b", NULL, &use, NULL), -EIO);
	assert_int_equal(changes(fd), 2);
	f.open_result = 0;
	trn_device_watch_uses(dev, -1);
	trn_use_close(fake_open(dev, "c"));
	assert_int_equal(changes(fd), 0);
	close(fd);
}

static void test_holders_are_named(void **state)
{
	struct trn_use *uses[] = { fake_open(dev, "one"), fake_open(dev, "two"), fake_open(dev, "three") };
	unsigned int nr = 77;
	char buf[8];

	memset(buf, 'x', sizeof(buf));
	assert_int_equal(trn_device_get_holders(dev, NULL, 0, NULL), 3);
	assert_int_equal(trn_device_get_holders(dev, buf, 7, &nr), 3);
	assert_int_equal(nr, 1);
	assert_memory_equal(buf, "one\0xxxx", 8);
	assert_int_equal(trn_device_get_holders(dev, buf, 8, &nr), 3);
	assert_int_equal(nr, 2);
	assert_memory_equal(buf, "one\0two", 8);
	for (unsigned int i = 0; i < 3; i++)
		trn_use_close(uses[i]);
	assert_int_equal(trn_device_get_holders(dev, buf, sizeof(buf), &nr), 0);
	assert_int_equal(nr, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_c6_hold_refuses_a_device_in_use),
		T(test_c6_users_stay_and_nobody_new_comes_in),
		T(test_c6_holders_are_asked),
		T(test_c6_a_driver_that_cannot_ask),
		T(test_unregister_takes_a_held_device_along),
		T(test_uses_are_watched),
		T(test_holders_are_named),
	};

	return unit_run(tests);
}
