/* SPDX-License-Identifier: MIT */
/* Events (C8): when, in which order, and what a listener may do. */
#include <string.h>
#include <unistd.h>

#include "fake.h"

static struct trn_core *core;
static struct journal journal;

static int setup(void **state)
{
	core = trn_core_create();
	memset(&journal, 0, sizeof(journal));
	pthread_mutex_init(&journal.lock, NULL);
	return 0;
}

static int teardown(void **state)
{
	pthread_mutex_destroy(&journal.lock);
	trn_core_destroy(core);
	return 0;
}

static void assert_event(unsigned int i, enum trn_event_kind kind, const char *name)
{
	assert_true(i < journal.nr);
	assert_int_equal(journal.events[i].kind, kind);
	assert_string_equal(journal.events[i].name, name);
}

static void test_order_of_a_life(void **state)
{
	struct trn_listener *l = trn_listener_add(core, journal_listen, &journal);
	struct trn_device *dev;
	struct fake f;

	fake_init(&f, core, "p0");
	dev = fake_device(f.small, 1);
	fake_create(f.small, 1, NULL, NULL); /* refusals make no event */
	f.init_result = -5;
	fake_create(f.small, 2, NULL, NULL);
	assert_int_equal(trn_device_remove(dev, NULL, NULL), 0);
	trn_device_unref(dev);
	fake_finish(&f);
	assert_int_equal(journal.nr, 4);
	assert_event(0, TRN_EVENT_PARENT_REGISTERED, "p0");
	assert_event(1, TRN_EVENT_DEVICE_ADDED, fake_uuid(1));
	assert_event(2, TRN_EVENT_DEVICE_REMOVED, fake_uuid(1));
	assert_event(3, TRN_EVENT_PARENT_UNREGISTERED, "p0");
	trn_listener_remove(l);
	trn_listener_remove(NULL);
}

static void test_children_leave_before_their_parent(void **state)
{
	struct trn_listener *l = trn_listener_add(core, journal_listen, &journal);
	struct fake f;

	fake_init(&f, core, "p0");
	fake_create(f.small, 1, NULL, NULL);
	fake_create(f.small, 2, NULL, NULL);
	fake_finish(&f);
	assert_int_equal(journal.nr, 6);
	assert_event(3, TRN_EVENT_DEVICE_REMOVED, fake_uuid(1));
	assert_event(4, TRN_EVENT_DEVICE_REMOVED, fake_uuid(2));
	assert_event(5, TRN_EVENT_PARENT_UNREGISTERED, "p0");
	trn_listener_remove(l);
}

static void check_completeness(const struct trn_event *event, void *data)
{
	struct trn_device *found = NULL;
	struct trn_parent *parent;
	unsigned int *nr = data;

	(*nr)++;
	switch (event->kind) {
	case TRN_EVENT_PARENT_REGISTERED:
		parent = trn_parent_find(core, trn_parent_name(event->parent));
		assert_ptr_equal(parent, event->parent);
		trn_parent_unref(parent);
		break;
	case TRN_EVENT_PARENT_UNREGISTERED:
		assert_null(trn_parent_find(core, trn_parent_name(event->parent)));
		break;
	case TRN_EVENT_DEVICE_ADDED:
		assert_ptr_equal(trn_type_parent(trn_device_type(event->dev)), event->parent);
		assert_int_equal(trn_device_find(core, trn_device_uuid(event->dev), &found, NULL), 0);
		trn_use_close(fake_open(found, "listener"));
		trn_device_unref(found);
		break;
	case TRN_EVENT_DEVICE_REMOVED:
		assert_true(trn_device_find(core, trn_device_uuid(event->dev), &found, NULL) < 0);
		break;
	}
}

static void test_c8_objects_are_complete_when_told(void **state)
{
	unsigned int nr = 0;
	struct trn_listener *l = trn_listener_add(core, check_completeness, &nr);
	struct fake f;

	fake_init(&f, core, "p0");
	fake_create(f.small, 1, NULL, NULL);
	fake_finish(&f);
	assert_int_equal(nr, 4);
	trn_listener_remove(l);
}

/* Makes a second device when it hears of the first, and removes the first. */
static void react(const struct trn_event *event, void *data)
{
	struct fake *f = data;

	if (event->kind != TRN_EVENT_DEVICE_ADDED || strcmp(trn_device_uuid(event->dev), fake_uuid(1)))
		return;
	assert_int_equal(fake_create(f->small, 2, NULL, NULL), 0);
	assert_int_equal(trn_device_remove(event->dev, NULL, NULL), 0);
}

static void test_listener_may_call_everything(void **state)
{
	struct trn_listener *l, *recorder;
	struct fake f;

	fake_init(&f, core, "p0");
	l = trn_listener_add(core, react, &f);
	recorder = trn_listener_add(core, journal_listen, &journal);
	fake_create(f.small, 1, NULL, NULL);
	assert_int_equal(journal.nr, 3);
	assert_event(0, TRN_EVENT_DEVICE_ADDED, fake_uuid(1));
	assert_event(1, TRN_EVENT_DEVICE_ADDED, fake_uuid(2));
	assert_event(2, TRN_EVENT_DEVICE_REMOVED, fake_uuid(1));
	trn_listener_remove(l);
	trn_listener_remove(recorder);
	fake_finish(&f);
}

struct once {
	struct trn_listener *self, *other;
	unsigned int nr;
};

static void remove_myself(const struct trn_event *event, void *data)
{
	struct once *once = data;

	once->nr++;
	trn_listener_remove(once->self);
	trn_listener_remove(once->other);
}

static void test_listener_may_remove_itself_and_others(void **state)
{
	struct once once = { 0 };
	struct trn_listener *last;
	struct fake f;

	once.self = trn_listener_add(core, remove_myself, &once);
	once.other = trn_listener_add(core, journal_listen, &journal);
	last = trn_listener_add(core, check_completeness, &once.nr);
	fake_init(&f, core, "p0");
	assert_int_equal(once.nr, 2); /* itself once, and the last one */
	assert_int_equal(journal.nr, 0);
	fake_finish(&f);
	assert_int_equal(once.nr, 3);
	trn_listener_remove(last);
}

static void test_hears_only_what_comes_later(void **state)
{
	struct trn_listener *l;
	struct fake f;

	fake_init(&f, core, "p0");
	l = trn_listener_add(core, journal_listen, &journal);
	assert_int_equal(journal.nr, 0);
	fake_create(f.small, 1, NULL, NULL);
	assert_int_equal(journal.nr, 1);
	trn_listener_remove(l);
	fake_finish(&f);
	assert_int_equal(journal.nr, 1);
}

static struct trn_listener *late_listener;

/* A second device is made, and only then is the late listener added: its event is still in the queue. */
static void add_listener_late(const struct trn_event *event, void *data)
{
	struct fake *f = data;

	if (late_listener || event->kind != TRN_EVENT_DEVICE_ADDED)
		return;
	assert_int_equal(fake_create(f->small, 2, NULL, NULL), 0);
	late_listener = trn_listener_add(core, journal_listen, &journal);
}

static void test_queued_events_are_not_for_late_listeners(void **state)
{
	struct trn_listener *l;
	struct fake f;

	fake_init(&f, core, "p0");
	l = trn_listener_add(core, add_listener_late, &f);
	fake_create(f.small, 1, NULL, NULL);
	assert_non_null(late_listener);
	assert_int_equal(journal.nr, 0);
	fake_create(f.small, 3, NULL, NULL);
	assert_int_equal(journal.nr, 1);
	trn_listener_remove(l);
	trn_listener_remove(late_listener);
	fake_finish(&f);
}

struct slow {
	_Atomic int inside, left;
};

static void be_slow(const struct trn_event *event, void *data)
{
	struct slow *slow = data;

	slow->inside = 1;
	usleep(20000);
	slow->left = 1;
}

static void *make_device(void *arg)
{
	struct fake *f = arg;

	fake_create(f->small, 1, NULL, NULL);
	return NULL;
}

static void test_remove_waits_for_a_running_listener(void **state)
{
	struct slow slow = { 0 };
	struct trn_listener *l;
	pthread_t thread;
	struct fake f;

	fake_init(&f, core, "p0");
	l = trn_listener_add(core, be_slow, &slow);
	pthread_create(&thread, NULL, make_device, &f);
	while (!slow.inside)
		usleep(100);
	/* Meanwhile events queue up behind the slow one, and nobody is held up. */
	assert_int_equal(fake_create(f.small, 2, NULL, NULL), 0);
	trn_listener_remove(l);
	assert_int_equal(slow.left, 1);
	slow.left = 0;
	pthread_join(thread, NULL);
	assert_int_equal(slow.left, 0); /* not called for the second device */
	fake_finish(&f);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_order_of_a_life),
		T(test_children_leave_before_their_parent),
		T(test_c8_objects_are_complete_when_told),
		T(test_listener_may_call_everything),
		T(test_listener_may_remove_itself_and_others),
		T(test_hears_only_what_comes_later),
		T(test_queued_events_are_not_for_late_listeners),
		T(test_remove_waits_for_a_running_listener),
	};

	return unit_run(tests);
}
