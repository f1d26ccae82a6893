/* SPDX-License-Identifier: MIT */
/* Unregistering a parent (C5), against create and remove that run at the same time. */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "fake.h"

static struct trn_core *core;
static struct fake f;
static struct journal journal;
static struct trn_listener *listener;

static int setup(void **state)
{
	core = trn_core_create();
	memset(&journal, 0, sizeof(journal));
	pthread_mutex_init(&journal.lock, NULL);
	listener = trn_listener_add(core, journal_listen, &journal);
	fake_init(&f, core, "p0");
	return 0;
}

static int teardown(void **state)
{
	fake_finish(&f);
	trn_listener_remove(listener);
	pthread_mutex_destroy(&journal.lock);
	trn_core_destroy(core);
	return 0;
}

struct call {
	struct trn_remove_params how;
	struct trn_device *dev; /* for removes */
	unsigned int n; /* for creates */
	struct trn_error err;
	int result;
	pthread_t thread;
};

static void *run_unregister(void *arg)
{
	struct call *c = arg;

	c->result = trn_parent_unregister(f.parent, &c->how, &c->err);
	return NULL;
}

static void *run_remove(void *arg)
{
	struct call *c = arg;

	c->result = trn_device_remove(c->dev, &c->how, &c->err);
	return NULL;
}

static void *run_create(void *arg)
{
	struct call *c = arg;

	c->result = fake_create(f.small, c->n, NULL, &c->err);
	return NULL;
}

static void wait_until_leaving(void)
{
	while (trn_type_get_available(f.small))
		usleep(100);
}

static void wait_until_asked(void)
{
	while (!f.nr_requests)
		usleep(100);
}

static void assert_as_before(void)
{
	assert_true(trn_type_get_available(f.small) > 0);
	trn_device_unref(fake_device(f.small, 0xfff));
}

static void test_removes_each_child_once(void **state)
{
	for (unsigned int i = 0; i < 5; i++)
		trn_device_unref(fake_device(f.small, i));
	assert_int_equal(trn_parent_unregister(f.parent, NULL, NULL), 0);
	assert_int_equal(f.nr_releases, 5);
	for (unsigned int i = 0; i < 5; i++)
		assert_int_equal(journal_count(&journal, TRN_EVENT_DEVICE_REMOVED, fake_uuid(i)), 1);
	assert_int_equal(journal_count(&journal, TRN_EVENT_PARENT_UNREGISTERED, "p0"), 1);
	assert_int_equal(trn_parent_unregister(f.parent, NULL, NULL), 1);
	assert_int_equal(journal_count(&journal, TRN_EVENT_PARENT_UNREGISTERED, "p0"), 1);
	assert_null(trn_parent_find(core, "p0"));
	assert_int_equal(fake_create(f.small, 1, NULL, NULL), -ENODEV);
}

static void test_refuses_when_a_device_is_in_use(void **state)
{
	struct trn_device *a = fake_device(f.small, 1), *b = fake_device(f.small, 2);
	struct trn_error err = { 0 };
	struct trn_use *use = fake_open(b, "VM web1");

	assert_refused(trn_parent_unregister(f.parent, NULL, &err), err, -EBUSY, "InUse");
	assert_int_equal(journal_count(&journal, TRN_EVENT_DEVICE_REMOVED, NULL), 0);
	trn_use_close(fake_open(a, "still works"));
	trn_use_close(use);
	assert_int_equal(trn_parent_unregister(f.parent, NULL, &err), 0);
	trn_device_unref(a);
	trn_device_unref(b);
}

static void test_c5_create_and_remove_get_enodev(void **state)
{
	struct call unreg = { .how = { .policy = TRN_REMOVE_ASK, .timeout_ms = -1 } };
	struct trn_device *dev = fake_device(f.small, 1);
	struct trn_use *use = fake_open(dev, "VM web1"), *late = NULL;
	struct trn_error err = { 0 };

	f.leave_at = UINT32_MAX;
	pthread_create(&unreg.thread, NULL, run_unregister, &unreg);
	wait_until_asked();
	assert_refused(fake_create(f.small, 2, NULL, &err), err, -ENODEV, "ParentLeaving");
	assert_refused(trn_device_remove(dev, NULL, &err), err, -ENODEV, "ParentLeaving");
	assert_refused(trn_device_open(dev, NULL, NULL, &late, &err), err, -ENODEV, "BeingRemoved");
	assert_int_equal(trn_parent_unregister(f.parent, NULL, &err), 1);
	trn_use_close(use);
	pthread_join(unreg.thread, NULL);
	assert_int_equal(unreg.result, 0);
	assert_int_equal(trn_device_remove(dev, NULL, &err), 1);
	trn_device_unref(dev);
	assert_int_equal(journal_count(&journal, TRN_EVENT_DEVICE_REMOVED, fake_uuid(1)), 1);
}

static void test_c5_a_running_create_is_waited_for(void **state)
{
	struct call unreg = { 0 }, create = { .n = 1 };
	struct trn_error err = { 0 };

	gate_close(&f.init_gate);
	pthread_create(&create.thread, NULL, run_create, &create);
	gate_wait_for_one(&f.init_gate);
	pthread_create(&unreg.thread, NULL, run_unregister, &unreg);
	wait_until_leaving();
	assert_refused(fake_create(f.small, 2, NULL, &err), err, -ENODEV, "ParentLeaving");
	assert_int_equal(journal_count(&journal, TRN_EVENT_PARENT_UNREGISTERED, NULL), 0);
	gate_open(&f.init_gate);
	pthread_join(create.thread, NULL);
	pthread_join(unreg.thread, NULL);
	assert_int_equal(create.result, 0);
	assert_int_equal(unreg.result, 0);
	assert_int_equal(f.nr_releases, 1);
	assert_int_equal(journal_count(&journal, TRN_EVENT_DEVICE_ADDED, fake_uuid(1)), 1);
	assert_int_equal(journal_count(&journal, TRN_EVENT_DEVICE_REMOVED, fake_uuid(1)), 1);
}

static void test_c5_waiting_for_a_create_can_end(void **state)
{
	struct call create = { .n = 1 };
	struct trn_remove_params how = { .policy = TRN_REMOVE_ASK, .timeout_ms = 20 };
	struct trn_error err = { 0 };
	int cancel = eventfd(1, EFD_CLOEXEC);

	gate_close(&f.init_gate);
	pthread_create(&create.thread, NULL, run_create, &create);
	gate_wait_for_one(&f.init_gate);
	assert_refused(trn_parent_unregister(f.parent, &how, &err), err, -ETIMEDOUT, "InUse");
	how = (struct trn_remove_params){ .cancel_fd = cancel };
	assert_refused(trn_parent_unregister(f.parent, &how, &err), err, -ECANCELED, "Cancelled");
	gate_open(&f.init_gate);
	pthread_join(create.thread, NULL);
	assert_int_equal(create.result, 0);
	assert_as_before();
	base_close(cancel);
}

static void test_c5_a_waiting_remove_is_overtaken(void **state)
{
	struct call unreg = { .how = { .policy = TRN_REMOVE_ASK, .timeout_ms = -1 } };
	struct call rem = { .how = { .policy = TRN_REMOVE_ASK, .timeout_ms = -1 } };
	struct trn_use *use;

	f.leave_at = UINT32_MAX;
	rem.dev = fake_device(f.small, 1);
	use = fake_open(rem.dev, "VM web1");
	pthread_create(&rem.thread, NULL, run_remove, &rem);
	wait_until_asked();
	/* The default refuses, and leaves the other remove alone. */
	assert_int_equal(trn_parent_unregister(f.parent, NULL, NULL), -EBUSY);
	pthread_create(&unreg.thread, NULL, run_unregister, &unreg);
	pthread_join(rem.thread, NULL);
	assert_refused(rem.result, rem.err, -ENODEV, "ParentLeaving");
	trn_use_close(use);
	pthread_join(unreg.thread, NULL);
	assert_int_equal(unreg.result, 0);
	assert_int_equal(journal_count(&journal, TRN_EVENT_DEVICE_REMOVED, fake_uuid(1)), 1);
	trn_device_unref(rem.dev);
}

static void test_time_limit_puts_everything_back(void **state)
{
	struct trn_remove_params how = { .policy = TRN_REMOVE_ASK, .timeout_ms = 20 };
	struct trn_device *a = fake_device(f.small, 1), *b = fake_device(f.small, 2);
	struct trn_use *use = fake_open(b, "VM web1");
	struct trn_error err = { 0 };

	f.leave_at = UINT32_MAX;
	assert_refused(trn_parent_unregister(f.parent, &how, &err), err, -ETIMEDOUT, "InUse");
	assert_as_before();
	trn_use_close(fake_open(a, "again"));
	trn_use_close(fake_open(b, "again"));
	assert_int_equal(journal_count(&journal, TRN_EVENT_DEVICE_REMOVED, NULL), 0);
	trn_use_close(use);
	trn_device_unref(a);
	trn_device_unref(b);
}

static void test_asks_the_holders_of_all_devices(void **state)
{
	struct trn_remove_params how = { .policy = TRN_REMOVE_ASK, .timeout_ms = 10000, .ask_every_ms = 1 };
	struct trn_device *devs[3];
	struct trn_use *uses[2];

	f.leave_at = UINT32_MAX;
	for (unsigned int i = 0; i < 3; i++)
		devs[i] = fake_device(f.small, i);
	uses[0] = fake_open(devs[0], "a");
	uses[1] = fake_open(devs[2], "b");
	how.timeout_ms = 0;
	assert_int_equal(trn_parent_unregister(f.parent, &how, NULL), -ETIMEDOUT);
	assert_int_equal(f.nr_requests, 2); /* the unused one is not asked */
	trn_use_close(uses[0]);
	f.leave_at = 0;
	f.leaving_use = uses[1];
	assert_int_equal(trn_parent_unregister(f.parent, &how, NULL), 0);
	for (unsigned int i = 0; i < 3; i++)
		trn_device_unref(devs[i]);
}

static void test_references_outlive_the_parent(void **state)
{
	struct trn_device *dev = fake_device(f.big, 1), *found = NULL;
	struct trn_error err = { 0 };

	assert_int_equal(trn_parent_unregister(f.parent, NULL, NULL), 0);
	trn_parent_ref(f.parent); /* for teardown */
	trn_parent_unref(f.parent);
	assert_int_equal(f.nr_releases, 0);
	assert_int_equal(f.nr_parent_releases, 0);
	assert_string_equal(trn_type_name(trn_device_type(dev)), "fake-big");
	assert_refused(trn_device_find(core, fake_uuid(1), &found, &err), err, -ENODEV, "NoSuchDevice");
	trn_device_unref(dev);
	assert_int_equal(f.nr_releases, 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_removes_each_child_once),
		T(test_refuses_when_a_device_is_in_use),
		T(test_c5_create_and_remove_get_enodev),
		T(test_c5_a_running_create_is_waited_for),
		T(test_c5_waiting_for_a_create_can_end),
		T(test_c5_a_waiting_remove_is_overtaken),
		T(test_time_limit_puts_everything_back),
		T(test_asks_the_holders_of_all_devices),
		T(test_references_outlive_the_parent),
	};

	return unit_run(tests);
}
