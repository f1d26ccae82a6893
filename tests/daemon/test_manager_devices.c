/* SPDX-License-Identifier: MIT */
/* The life of a device and its races: C2, C3, C4, C6, C7, C8 and the errors of C9. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "manager_world.h"

#define T(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)

static void test_c03_visible_only_when_confirmed(void **state)
{
	struct trn_error err = { 0 };
	json_t *json = NULL;
	struct world_call *c;

	w.late_ready = true;
	c = world_begin(world_post_device, NULL, WORLD_ONE);
	world_run();
	assert_false(c->is_done);
	assert_int_equal(world_nr_devices(), 0);
	assert_int_equal(world_left("cpu0", "memory"), WORLD_FULL - WORLD_GIB);
	assert_refused(daemon_get_devices(w.d, &world_admin, world_uuid(1), &json, &err), err, -EAGAIN, "NotReady");
	world_ask(world_delete_device, world_uuid(1), NULL, &err);
	assert_refused(err.code, err, -EAGAIN, "NotReady");
	assert_int_equal(world_nr_events("device-added"), 0);
	w.late_ready = false;
	world_run();
	assert_answered(c);
	assert_string_equal(json_string_value(json_object_get(c->result, "state")), "running");
	assert_int_equal(world_nr_events("device-added"), 1);
	world_call_free(c);
}

static void test_c03_failed_start_leaves_nothing(void **state)
{
	struct trn_error err = { 0 };

	w.fail_start = true;
	world_ask(world_post_device, NULL, WORLD_ONE, &err);
	assert_refused(err.code, err, -EIO, "StartFailed");
	world_assert_empty();
	w.fail_start = false;
	w.fail_confirm = true;
	world_ask(world_post_device, NULL, WORLD_ONE, &err);
	assert_refused(err.code, err, -EIO, "Failed");
	world_assert_empty();
	assert_int_equal(w.nr_killed, 1);
	assert_int_equal(world_nr_events("device-added"), 0);
	assert_int_equal(world_nr_events("device-removed"), 0);
	w.fail_confirm = false;
	world_add_one();
}

static void test_c03_ends_while_it_is_confirmed(void **state)
{
	struct world_call *c;

	w.late_ready = true;
	c = world_begin(world_post_device, NULL, WORLD_ONE);
	world_end(world_uuid(1));
	world_run();
	assert_answer_refused(c, -EIO, "Crashed");
	world_assert_empty();
	world_call_free(c);
}

static void test_a_start_goes_on_when_its_client_goes(void **state)
{
	struct world_call *c;

	w.late_ready = true;
	c = world_begin(world_post_device, NULL, WORLD_ONE);
	world_cancel(c);
	world_call_free(c);
	w.late_ready = false;
	world_run();
	assert_int_equal(world_nr_devices(), 1);
}

static void test_c02_uuid_is_unique_and_of_dying_ones_too(void **state)
{
	struct trn_error err = { 0 };
	struct world_call *c;

	world_add_one();
	world_ask(world_post_device, NULL, "{'type':'compute-256m','uuid':'10000000-2000-4000-8000-000000000001'}", &err);
	assert_refused(err.code, err, -EEXIST, "UuidInUse");
	w.late_end = true;
	c = world_begin(world_delete_device, world_uuid(1), NULL);
	world_run();
	assert_false(c->is_done);
	assert_int_equal(world_nr_devices(), 0);
	world_ask(world_post_device, NULL, WORLD_ONE, &err);
	assert_refused(err.code, err, -EEXIST, "UuidInUse");
	/* C4: not before its process is gone. */
	assert_int_equal(world_left("cpu0", "memory"), WORLD_FULL - WORLD_GIB);
	w.late_end = false;
	world_run();
	assert_answered(c);
	world_call_free(c);
	world_assert_empty();
	world_add_one();
}

static void test_c04_capacity_is_counted_and_returns(void **state)
{
	struct trn_error err = { 0 };

	for (unsigned int i = 0; i < 14; i++)
		json_decref(world_ask(world_post_device, NULL, "{'type':'compute-1g'}", NULL));
	world_ask(world_post_device, NULL, "{'type':'compute-256m'}", &err);
	assert_refused(err.code, err, -EUSERS, "NoCapacity");
	assert_int_equal(world_nr_devices(), 14);
	assert_int_equal(world_left("cpu0", "memory"), 0);
}

static void test_c04_returns_when_a_device_ends_by_itself(void **state)
{
	world_add_one();
	world_end(world_uuid(1));
	world_assert_empty();
	assert_int_equal(world_nr_events("device-removed"), 1);
}

static void test_c06_busy_is_refused_with_the_holder(void **state)
{
	struct trn_error err = { 0 };

	world_add_one();
	world_use(world_uuid(1), true);
	world_ask(world_delete_device, world_uuid(1), NULL, &err);
	assert_non_null(strstr(err.text, "process 4711 (a.out)"));
	assert_refused(err.code, err, -EBUSY, "InUse");
	assert_int_equal(world_nr_devices(), 1);
	world_ask(world_delete_device, world_uuid(1), "{'policy':'ask','timeout_ms':'0'}", &err);
	assert_refused(err.code, err, -ETIMEDOUT, "InUse");
	json_decref(world_ask(world_delete_device, world_uuid(1), "{'policy':'force'}", NULL));
	world_assert_empty();
}

static void test_c06_ask_waits_and_is_interruptible(void **state)
{
	struct world_call *c;

	world_add_one();
	world_use(world_uuid(1), true);
	c = world_begin(world_delete_device, world_uuid(1), "{'policy':'ask'}");
	world_run();
	assert_false(c->is_done);
	world_cancel(c);
	world_run();
	assert_false(c->is_done);
	world_call_free(c);
	assert_int_equal(world_nr_devices(), 1);

	c = world_begin(world_delete_device, world_uuid(1), "{'policy':'ask'}");
	world_run();
	world_use(world_uuid(1), false);
	world_run();
	assert_answered(c);
	world_call_free(c);
	world_assert_empty();
}

static void test_c07_double_remove_shares_the_outcome(void **state)
{
	struct world_call *a, *b;
	struct trn_error err = { 0 };

	world_add_one();
	w.late_stop = true;
	a = world_begin(world_delete_device, world_uuid(1), NULL);
	b = world_begin(world_delete_device, world_uuid(1), NULL);
	world_run();
	assert_false(a->is_done || b->is_done);
	w.late_stop = false;
	w.late_end = true;
	world_run();
	assert_false(a->is_done || b->is_done);
	w.late_end = false;
	world_run();
	assert_answered(a);
	assert_answered(b);
	world_call_free(a);
	world_call_free(b);
	world_assert_empty();
	assert_int_equal(world_nr_events("device-removed"), 1);
	world_ask(world_delete_device, world_uuid(1), NULL, &err);
	assert_refused(err.code, err, -ENOENT, "NoSuchDevice");
}

static void test_c07_force_helps_who_asks(void **state)
{
	struct world_call *a, *b;

	world_add_one();
	world_use(world_uuid(1), true);
	a = world_begin(world_delete_device, world_uuid(1), "{'policy':'ask'}");
	world_run();
	b = world_begin(world_delete_device, world_uuid(1), "{'policy':'force'}");
	world_run();
	assert_answered(a);
	assert_answered(b);
	world_call_free(a);
	world_call_free(b);
	world_assert_empty();
}

static void test_c07_one_of_two_who_ask_goes(void **state)
{
	struct world_call *a, *b;

	world_add_one();
	world_use(world_uuid(1), true);
	a = world_begin(world_delete_device, world_uuid(1), "{'policy':'ask'}");
	b = world_begin(world_delete_device, world_uuid(1), "{'policy':'ask'}");
	world_run();
	world_cancel(a);
	world_run();
	assert_false(b->is_done);
	world_use(world_uuid(1), false);
	world_run();
	assert_answered(b);
	world_call_free(a);
	world_call_free(b);
}

static void test_ends_while_stopping(void **state)
{
	struct world_call *c;

	world_add_one();
	w.late_stop = true;
	c = world_begin(world_delete_device, world_uuid(1), NULL);
	world_run();
	world_end(world_uuid(1));
	assert_answered(c);
	world_call_free(c);
	world_assert_empty();
	assert_int_equal(world_nr_events("device-removed"), 1);
}

static void test_c08_events_after_the_change(void **state)
{
	json_t *event;

	world_add_one();
	json_decref(world_ask(world_delete_device, world_uuid(1), NULL, NULL));
	event = json_array_get(w.events, json_array_size(w.events) - 1);
	assert_string_equal(json_string_value(json_array_get(event, 0)), "device-removed");
	assert_string_equal(json_string_value(json_object_get(json_array_get(event, 1), "uuid")), world_uuid(1));
}

static void test_change_of_memory_and_time(void **state)
{
	struct trn_error err = { 0 };
	json_t *json;

	json_decref(world_ask(world_post_device, NULL,
			      "{'type':'compute','memory':1073741824,'uuid':'10000000-2000-4000-8000-000000000001'}", NULL));
	assert_string_equal(w.last_type, "compute-memory");
	json = world_ask(world_patch_device, world_uuid(1), "{'memory':2147483648,'time':12.5}", NULL);
	assert_int_equal(json_integer_value(json_object_get(json, "memory")), 2 * WORLD_GIB);
	assert_float_equal(json_number_value(json_object_get(json, "time")), 12.5, 1e-9);
	json_decref(json);
	assert_int_equal(world_left("cpu0", "memory"), WORLD_FULL - 2 * WORLD_GIB);
	assert_int_equal(world_left("cpu0", "time"), 875);
	assert_int_equal(w.last_set.time, 125);

	world_ask(world_patch_device, world_uuid(1), "{'memory':1099511627776}", &err);
	assert_refused(err.code, err, -EUSERS, "NoCapacity");
	w.fail_set = true;
	world_ask(world_patch_device, world_uuid(1), "{'memory':3221225472}", &err);
	assert_refused(err.code, err, -EBUSY, "InUse");
	world_ask(world_patch_device, world_uuid(1), "{'memory':1048576,'time':null}", &err);
	assert_refused(err.code, err, -EBUSY, "InUse");
	assert_int_equal(world_left("cpu0", "memory"), WORLD_FULL - 2 * WORLD_GIB);
	assert_int_equal(world_left("cpu0", "time"), 875);
	w.fail_set = false;
	json_decref(world_ask(world_patch_device, world_uuid(1), "{'attrs':[{'memory':'1M'},{'time':'50%'},{'vm':'web1'}]}", NULL));
	assert_int_equal(world_left("cpu0", "memory"), WORLD_FULL - (1 << 20));
	assert_int_equal(world_left("cpu0", "time"), 500);
	json_decref(world_ask(world_patch_device, world_uuid(1), "{'time':null}", NULL));
	assert_int_equal(world_left("cpu0", "time"), 1000);
}

static void test_ends_while_it_is_changed(void **state)
{
	struct world_call *c;

	world_add_one();
	c = world_begin(world_patch_device, world_uuid(1), "{'time':10}");
	world_end(world_uuid(1));
	assert_answer_refused(c, -ENODEV, "Ended");
	world_call_free(c);
	world_assert_empty();
}

static void test_c09_refusals(void **state)
{
	static const struct { const char *body; int code; const char *name; } bad[] = {
		{ "{'type':'compute-3g'}", -ENOENT, "NoSuchType" },
		{ "{}", -EINVAL, "MissingField" },
		{ "{'type':'compute-1g','parent':'gpu0'}", -ENOENT, "NoSuchParent" },
		{ "{'type':'compute-1g','uuid':'1'}", -EINVAL, "BadField" },
		{ "{'type':'compute-1g','memory':5}", -EINVAL, "BadResource" },
		{ "{'type':'compute-1g','lifetime':'process'}", -EINVAL, "NoProcess" },
		{ "{'type':'compute-custom','time':100.1}", -EINVAL, "BadField" },
		{ "{'type':'compute-custom','memory':1099511627776}", -EUSERS, "NoCapacity" },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct trn_error err = { 0 };

		world_ask(world_post_device, NULL, bad[i].body, &err);
		assert_refused(err.code, err, bad[i].code, bad[i].name);
		world_assert_empty();
	}
}

static void test_rights_and_owners(void **state)
{
	static const char other[] = "{'type':'compute-1g','owner':1001}";
	struct { enum daemon_right right; uid_t uid; const char *body; int code; } tries[] = {
		{ DAEMON_NONE, 1000, WORLD_ONE, -EACCES }, { DAEMON_READ, 1000, WORLD_ONE, -EACCES }, { DAEMON_USE, 1000, other, -EACCES },
		{ DAEMON_USE, 1000, "{'type':'compute-1g','attrs':[{'owner':'1001'}]}", -EACCES }, { DAEMON_USE, 1000, WORLD_ONE, 0 },
	};
	struct world_call *c;
	json_t *body, *json = NULL;

	for (size_t i = 0; i < sizeof(tries) / sizeof(*tries); i++) {
		c = world_call_new(tries[i].right, tries[i].uid);
		body = world_json(tries[i].body);
		world_post_device(c, NULL, body);
		json_decref(body);
		world_run();
		assert_true(c->is_done);
		assert_int_equal(c->err.code, tries[i].code);
		world_call_free(c);
	}
	/* Somebody else may neither stop nor change it. */
	c = world_call_new(DAEMON_USE, 1001);
	world_delete_device(c, world_uuid(1), NULL);
	assert_answer_refused(c, -EACCES, "NotOwner");
	world_call_free(c);
	c = world_call_new(DAEMON_USE, 1001);
	body = world_json("{'time':1}");
	world_patch_device(c, world_uuid(1), body);
	json_decref(body);
	assert_answer_refused(c, -EACCES, "NotOwner");
	world_call_free(c);
	c = world_call_new(DAEMON_USE, 1000);
	assert_int_equal(daemon_get_devices(w.d, &(struct daemon_peer){ .right = DAEMON_NONE }, NULL, &json, NULL), -EACCES);
	world_delete_device(c, world_uuid(1), NULL);
	world_run();
	assert_answered(c);
	world_call_free(c);
	world_assert_empty();
}

static void test_lifetime_process(void **state)
{
	struct world_call *c = world_call_new(DAEMON_ADMIN, 0);
	json_t *body = world_json("{'type':'compute-1g','lifetime':'process'}");
	pid_t child = fork();

	if (child == 0) {
		pause();
		_exit(0);
	}
	c->peer.pid = child;
	c->call.peer_pidfd = (int)syscall(SYS_pidfd_open, child, 0);
	assert_true(c->call.peer_pidfd >= 0);
	world_post_device(c, NULL, body);
	close(c->call.peer_pidfd);
	world_run();
	assert_answered(c);
	world_wait(20);
	assert_int_equal(world_nr_devices(), 1);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	world_wait(50);
	world_assert_empty();
	json_decref(body);
	world_call_free(c);
}

static uint64_t memory_of(unsigned int n)
{
	json_t *json = NULL;
	uint64_t memory;

	assert_int_equal(daemon_get_devices(w.d, &world_admin, world_uuid(n), &json, NULL), 0);
	assert_string_equal(json_string_value(json_object_get(json, "type")), "compute-custom");
	memory = (uint64_t)json_integer_value(json_object_get(json, "memory"));
	json_decref(json);
	return memory;
}

/* A quarter, and of what is left of it no more than that. */
static void test_memory_that_nobody_chose(void **state)
{
	char body[128];
	struct trn_error err = { 0 };

	for (unsigned int i = 1; i <= 4; i++) {
		snprintf(body, sizeof(body), "{'type':'compute','parent':'cpu0','uuid':'%s'}", world_uuid(i));
		json_decref(world_ask(world_post_device, NULL, body, NULL));
		assert_int_equal(memory_of(i), WORLD_FULL / 4);
	}
	world_ask(world_post_device, NULL, "{'type':'compute','parent':'cpu0'}", &err);
	assert_int_equal(err.code, -EUSERS);
	json_decref(world_ask(world_delete_device, world_uuid(1), NULL, NULL));
	json_decref(world_ask(world_post_device, NULL, "{'type':'compute-1g','parent':'cpu0'}", NULL));
	snprintf(body, sizeof(body), "{'type':'compute','parent':'cpu0','uuid':'%s'}", world_uuid(1));
	json_decref(world_ask(world_post_device, NULL, body, NULL));
	assert_int_equal(memory_of(1), WORLD_FULL / 4 - WORLD_GIB);
	/* It keeps what it has. */
	world_stop();
	world_start();
	world_run();
	assert_int_equal(world_nr_devices(), 5);
	assert_int_equal(memory_of(1), WORLD_FULL / 4 - WORLD_GIB);
	assert_int_equal(world_left("cpu0", "memory"), 0);
}

static struct world_call *bound(void)
{
	struct world_call *c = world_call_new(DAEMON_ADMIN, 0);
	json_t *body = world_json("{'type':'compute-1g','lifetime':'process'}");

	c->call.peer_pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	world_post_device(c, NULL, body);
	close(c->call.peer_pidfd);
	world_run();
	json_decref(body);
	assert_answered(c);
	return c;
}

static void test_lifetime_process_over_a_restart(void **state)
{
	struct world_call *c = bound();

	world_stop();
	world_start();
	world_run();
	assert_int_equal(world_nr_devices(), 1);
	/* The number is somebody else's. */
	world_stop();
	w.peer_start = 7;
	world_start();
	world_run();
	world_wait(20);
	world_assert_empty();
	world_call_free(c);
}

/* 2,000 starts, stops and ends in any order: counts are exact at every moment. */
static void test_c04_races(void **state)
{
	struct world_call *calls[64] = { 0 };
	unsigned int seed = 4711;

	for (unsigned int i = 0; i < 2000; i++) {
		unsigned int n = (unsigned int)rand_r(&seed) % 16, slot = i % 64;

		if (calls[slot]) {
			w.late_ready = w.late_stop = w.late_end = false;
			world_run();
			assert_true(calls[slot]->is_done);
			world_call_free(calls[slot]);
		}
		w.late_ready = rand_r(&seed) % 4 == 0;
		w.late_stop = rand_r(&seed) % 4 == 0;
		w.late_end = rand_r(&seed) % 4 == 0;
		w.fail_start = rand_r(&seed) % 8 == 0;
		if (rand_r(&seed) % 2) {
			char body[128];

			snprintf(body, sizeof(body), "{'type':'compute-256m','uuid':'%s'}", world_uuid(n));
			calls[slot] = world_begin(world_post_device, NULL, body);
		} else {
			calls[slot] = world_begin(world_delete_device, world_uuid(n), rand_r(&seed) % 2 ? "{'policy':'force'}" : NULL);
		}
		if (rand_r(&seed) % 3)
			world_run();
		assert_int_equal(world_left("cpu0", "memory"), WORLD_FULL - world_nr_processes() * (WORLD_GIB / 4));
	}
	w.late_ready = w.late_stop = w.late_end = false;
	world_run();
	for (unsigned int i = 0; i < 64; i++)
		world_call_free(calls[i]);
	for (unsigned int i = 0; i < 16; i++)
		json_decref(world_ask(world_delete_device, world_uuid(i), "{'policy':'force'}", &(struct trn_error){ 0 }));
	world_assert_empty();
	assert_int_equal(world_nr_events("device-added"), world_nr_events("device-removed"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_c03_visible_only_when_confirmed),
		T(test_c03_failed_start_leaves_nothing),
		T(test_c03_ends_while_it_is_confirmed),
		T(test_a_start_goes_on_when_its_client_goes),
		T(test_c02_uuid_is_unique_and_of_dying_ones_too),
		T(test_c04_capacity_is_counted_and_returns),
		T(test_c04_returns_when_a_device_ends_by_itself),
		T(test_c06_busy_is_refused_with_the_holder),
		T(test_c06_ask_waits_and_is_interruptible),
		T(test_c07_double_remove_shares_the_outcome),
		T(test_c07_force_helps_who_asks),
		T(test_c07_one_of_two_who_ask_goes),
		T(test_ends_while_stopping),
		T(test_c08_events_after_the_change),
		T(test_change_of_memory_and_time),
		T(test_ends_while_it_is_changed),
		T(test_c09_refusals),
		T(test_rights_and_owners),
		T(test_lifetime_process),
		T(test_lifetime_process_over_a_restart),
		T(test_memory_that_nobody_chose),
		T(test_c04_races),
	};

	return unit_run(tests);
}
