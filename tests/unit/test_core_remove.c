/* SPDX-License-Identifier: MIT */
/* Removing devices: both policies (C6), interruptions, and who comes second (C7). */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/futex.h"
#include "fake.h"

#define MS 1000000ull

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

static void assert_usable(void)
{
	struct trn_device *found = NULL;

	assert_int_equal(trn_device_find(core, fake_uuid(1), &found, NULL), 0);
	assert_ptr_equal(found, dev);
	trn_device_unref(found);
	trn_use_close(fake_open(dev, "somebody else"));
}

struct remover {
	struct trn_remove_params how;
	struct trn_error err;
	int result;
	pthread_t thread;
};

static void *run_remover(void *arg)
{
	struct remover *r = arg;

	r->result = trn_device_remove(dev, &r->how, &r->err);
	return NULL;
}

/* Starts a remove that asks and waits, and comes back when it does wait. */
static void start_remover(struct remover *r)
{
	unsigned int before = f.nr_requests;

	pthread_create(&r->thread, NULL, run_remover, r);
	while (f.nr_requests == before)
		usleep(100);
}

static void test_c6_refuse_is_the_default(void **state)
{
	struct trn_remove_params how = { 0 };
	struct trn_error err = { 0 };
	struct trn_use *a = fake_open(dev, "VM web1"), *b = fake_open(dev, NULL);

	assert_int_equal(trn_device_nr_uses(dev), 2);
	assert_string_equal(trn_use_holder(b), "somebody");
	assert_int_equal(trn_device_remove(dev, NULL, &err), -EBUSY);
	assert_string_equal(err.name, "InUse");
	assert_non_null(strstr(err.text, "in use by VM web1 and 1 more"));
	assert_true(err.hint[0]);
	err = (struct trn_error){ 0 };
	trn_use_close(a);
	assert_refused(trn_device_remove(dev, &how, &err), err, -EBUSY, "InUse");
	assert_int_equal(f.nr_requests, 0);
	trn_use_close(b);
	trn_use_close(NULL);
	assert_usable();
	assert_int_equal(trn_device_remove(dev, &how, &err), 0);
}

static void test_c6_ask_and_wait(void **state)
{
	struct remover r = { .how = { .policy = TRN_REMOVE_ASK, .timeout_ms = -1, .ask_every_ms = 1 } };
	struct trn_use *use = fake_open(dev, "VM web1"), *late = NULL;
	struct trn_error err = { 0 };

	f.leave_at = UINT32_MAX;
	start_remover(&r);
	while (f.nr_requests < 3)
		usleep(100);
	/* Meanwhile nobody comes in, but the device is there. */
	assert_refused(trn_device_open(dev, "late", NULL, &late, &err), err, -ENODEV, "BeingRemoved");
	assert_null(late);
	assert_int_equal(f.nr_releases, 0);
	trn_use_close(use);
	pthread_join(r.thread, NULL);
	assert_int_equal(r.result, 0);
	assert_refused(trn_device_open(dev, "late", NULL, &late, &err), err, -ENODEV, "BeingRemoved");
}

static void test_c6_holders_may_leave_when_asked(void **state)
{
	struct trn_remove_params how = { .policy = TRN_REMOVE_ASK, .timeout_ms = 0 };

	/* Even without waiting: asked once, inside of the call. */
	f.leaving_use = fake_open(dev, "polite");
	assert_int_equal(trn_device_remove(dev, &how, NULL), 0);
	assert_int_equal(f.nr_requests, 1);
}

static void test_c6_asked_again_until_they_leave(void **state)
{
	struct trn_remove_params how = { .policy = TRN_REMOVE_ASK, .timeout_ms = 10000, .ask_every_ms = 1 };

	f.leave_at = 4;
	f.leaving_use = fake_open(dev, "slow");
	assert_int_equal(trn_device_remove(dev, &how, NULL), 0);
	assert_int_equal(f.nr_requests, 5);
}

static void test_c6_time_limit(void **state)
{
	struct trn_remove_params how = { .policy = TRN_REMOVE_ASK, .timeout_ms = 30, .ask_every_ms = 7 };
	struct trn_use *use = fake_open(dev, "VM web1");
	struct trn_error err = { 0 };
	uint64_t start = base_clock_ns();

	f.leave_at = UINT32_MAX;
	assert_int_equal(trn_device_remove(dev, &how, &err), -ETIMEDOUT);
	assert_true(base_clock_ns() - start >= 30 * MS);
	assert_non_null(strstr(err.text, "still in use by VM web1"));
	assert_true(f.nr_requests >= 1 && f.nr_requests <= 6);
	how.timeout_ms = 0;
	assert_int_equal(trn_device_remove(dev, &how, NULL), -ETIMEDOUT);
	assert_usable();
	trn_use_close(use);
}

static void test_c6_interruptible(void **state)
{
	struct remover r = { .how = { .policy = TRN_REMOVE_ASK, .timeout_ms = -1 } };
	struct trn_use *use = fake_open(dev, "VM web1");
	struct trn_error err = { 0 };

	f.leave_at = UINT32_MAX;
	r.how.cancel_fd = eventfd(0, EFD_CLOEXEC);
	start_remover(&r);
	eventfd_write(r.how.cancel_fd, 1);
	pthread_join(r.thread, NULL);
	assert_refused(r.result, r.err, -ECANCELED, "Cancelled");
	assert_usable();

	/* Already given up: still asks once, then ends. */
	assert_refused(trn_device_remove(dev, &r.how, &err), err, -ECANCELED, "Cancelled");
	trn_use_close(use);
	/* Nothing to wait for: it is not looked at. */
	assert_int_equal(trn_device_remove(dev, &r.how, &err), 0);
	base_close(r.how.cancel_fd);
}

static void test_c6_closed_peer_interrupts(void **state)
{
	struct remover r = { .how = { .policy = TRN_REMOVE_ASK, .timeout_ms = -1 } };
	struct trn_use *use = fake_open(dev, "VM web1");
	int pipes[2];

	f.leave_at = UINT32_MAX;
	assert_int_equal(pipe(pipes), 0);
	r.how.cancel_fd = pipes[0];
	start_remover(&r);
	base_close(pipes[1]);
	pthread_join(r.thread, NULL);
	assert_int_equal(r.result, -ECANCELED);
	base_close(pipes[0]);
	trn_use_close(use);
}

static void test_c7_second_remove_is_harmless(void **state)
{
	struct remover r = { .how = { .policy = TRN_REMOVE_ASK, .timeout_ms = -1 } };
	struct trn_use *use = fake_open(dev, "VM web1");
	struct trn_error err = { 0 };

	f.leave_at = UINT32_MAX;
	start_remover(&r);
	assert_int_equal(trn_device_remove(dev, NULL, &err), 1);
	assert_int_equal(trn_device_remove(dev, &r.how, &err), 1); /* does not wait */
	trn_use_close(use);
	pthread_join(r.thread, NULL);
	assert_int_equal(r.result, 0);
	assert_int_equal(trn_device_remove(dev, NULL, &err), 1);
	assert_int_equal(err.code, 0);
	assert_int_equal(f.nr_releases, 0);
}

static void test_unknown_policy(void **state)
{
	struct trn_remove_params how = { .policy = (enum trn_remove_policy)7 };
	struct trn_error err = { 0 };

	assert_refused(trn_device_remove(dev, &how, &err), err, -EINVAL, "BadPolicy");
	assert_refused(trn_parent_unregister(f.parent, &how, &err), err, -EINVAL, "BadPolicy");
	assert_usable();
}

/* A driver's init has the device in hand before it is created. */
static int init_that_tries(struct trn_device *unborn, struct trn_error *err)
{
	struct trn_use *use = NULL;
	struct trn_error own = { 0 };

	assert_refused(trn_device_remove(unborn, NULL, &own), own, -EAGAIN, "NotReady");
	assert_refused(trn_device_open(unborn, NULL, NULL, &use, &own), own, -EAGAIN, "NotReady");
	return 0;
}

static void release_nothing(struct trn_device *gone)
{
}

static void test_unfinished_create_is_eagain(void **state)
{
	struct trn_device_ops ops = {
		.name = "eager",
		.device_api = "none",
		.init = init_that_tries,
		.release = release_nothing,
	};
	struct trn_parent_desc desc = {
		.name = "p1",
		.ops = &ops,
		.types = fake_types,
		.nr_types = 1,
		.capacity = fake_capacity,
	};
	struct trn_remove_params how = { .policy = TRN_REMOVE_ASK, .timeout_ms = 20 };
	struct trn_parent *parent = NULL;
	struct trn_device *other;
	struct trn_use *use;

	assert_int_equal(trn_parent_register(core, &desc, &parent, NULL), 0);
	other = fake_device(trn_type_at(parent, 0), 2);

	/* This driver cannot ask: then it is only waited.  Nor does it hear of opens. */
	use = fake_open(other, "deaf");
	assert_int_equal(trn_device_remove(other, &how, NULL), -ETIMEDOUT);
	trn_use_close(use);
	trn_device_unref(other);
	assert_int_equal(trn_parent_unregister(parent, NULL, NULL), 0);
	trn_parent_unref(parent);
}

static void test_removed_device_cannot_be_found(void **state)
{
	struct trn_device *found = NULL, **list;
	struct trn_error err = { 0 };
	size_t nr = 77;

	assert_int_equal(trn_device_remove(dev, NULL, NULL), 0);
	assert_refused(trn_device_find(core, fake_uuid(1), &found, &err), err, -ENODEV, "NoSuchDevice");
	assert_int_equal(trn_device_list(core, NULL, &list, &nr), 0);
	assert_int_equal(nr, 0);
	trn_device_list_free(list);
}

static void test_use_keeps_the_memory_of_the_device(void **state)
{
	struct trn_device *other = fake_device(f.small, 2);
	struct trn_use *use = fake_open(other, "x");

	trn_device_unref(other);
	assert_ptr_equal(trn_use_device(use), other);
	assert_string_equal(trn_device_uuid(trn_use_device(use)), fake_uuid(2));
	trn_use_close(use);
	assert_int_equal(f.nr_releases, 0); /* the core has it */
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_c6_refuse_is_the_default),
		T(test_c6_ask_and_wait),
		T(test_c6_holders_may_leave_when_asked),
		T(test_c6_asked_again_until_they_leave),
		T(test_c6_time_limit),
		T(test_c6_interruptible),
		T(test_c6_closed_peer_interrupts),
		T(test_c7_second_remove_is_harmless),
		T(test_unknown_policy),
		T(test_unfinished_create_is_eagain),
		T(test_removed_device_cannot_be_found),
		T(test_use_keeps_the_memory_of_the_device),
	};

	return unit_run(tests);
}
