/* SPDX-License-Identifier: MIT */
/* What is told of devices: their states and figures, what is left of their parent, and C33. */
#include <stdio.h>
#include <stdlib.h>

#include "manager_world.h"

#define T(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)

static void assert_state(const char *state, size_t nr_problems)
{
	json_t *json = NULL;

	assert_int_equal(daemon_get_devices(w.d, &world_admin, world_uuid(1), &json, NULL), 0);
	assert_string_equal(json_string_value(json_object_get(json, "state")), state);
	json_decref(json);
	assert_int_equal(daemon_get_about(w.d, &world_admin, &json, NULL), 0);
	assert_int_equal(json_array_size(json_object_get(json, "problems")), nr_problems);
	json_decref(json);
}

static json_t *device_json(unsigned int n)
{
	json_t *json = NULL;

	assert_int_equal(daemon_get_devices(w.d, &world_admin, world_uuid(n), &json, NULL), 0);
	return json;
}

static void assert_is_for_a_guest(unsigned int n, bool is)
{
	static const char *const names[] = { "traps", "doorbells", "interrupts" };
	json_t *json = device_json(n);

	assert_string_equal(json_string_value(json_object_get(json, "device_api")), is ? "vfio-pci" : "compute");
	for (size_t i = 0; i < 3; i++) {
		const json_t *figure = json_object_get(json_object_get(json, "stats"), names[i]);

		assert_int_equal(json_is_integer(figure), is);
		assert_true(!is || json_integer_value(figure) == 9 - (int)i);
	}
	json_decref(json);
}

/* Another kind of device, and of the same memory and time; also over a restart of tranched. */
static void test_c04_a_device_of_a_virtual_machine(void **state)
{
	char body[160];

	snprintf(body, sizeof(body), "{'type':'compute-pci','parent':'cpu0','memory':3221225472,'time':40,'uuid':'%s'}", world_uuid(1));
	json_decref(world_ask(world_post_device, NULL, body, NULL));
	assert_string_equal(w.last_type, "compute-pci");
	assert_int_equal(world_left("cpu0", "memory"), WORLD_FULL - 3 * WORLD_GIB);
	assert_int_equal(world_left("cpu0", "time"), 600);
	snprintf(body, sizeof(body), "{'type':'compute-2g','parent':'cpu0','uuid':'%s'}", world_uuid(2));
	json_decref(world_ask(world_post_device, NULL, body, NULL));
	assert_string_equal(w.last_type, "compute-memory");
	assert_int_equal(world_left("cpu0", "memory"), WORLD_FULL - 5 * WORLD_GIB);
	world_use(world_uuid(1), true);
	world_use(world_uuid(2), true);
	assert_is_for_a_guest(1, true);
	assert_is_for_a_guest(2, false);

	json_decref(world_ask(world_patch_device, world_uuid(1), "{'memory':1073741824}", NULL));
	assert_int_equal(world_left("cpu0", "memory"), WORLD_FULL - 3 * WORLD_GIB);
	world_stop();
	world_start();
	assert_int_equal(world_left("cpu0", "memory"), WORLD_FULL - 3 * WORLD_GIB);
	world_run();
	assert_is_for_a_guest(1, true);
	json_decref(world_ask(world_delete_device, world_uuid(1), "{'policy':'force'}", NULL));
	assert_int_equal(world_left("cpu0", "memory"), WORLD_FULL - 2 * WORLD_GIB);
}

static void test_unresponsive_while_it_runs(void **state)
{
	struct trn_error err = { 0 };
	unsigned int before;

	world_add_one();
	before = world_nr_events("device-changed");
	world_silence(world_uuid(1), true);
	assert_state("unresponsive", 1);
	assert_int_equal(world_nr_events("device-changed"), before + 1);
	world_ask(world_delete_device, world_uuid(1), NULL, &err);
	assert_refused(err.code, err, -EBUSY, "Unresponsive");
	world_silence(world_uuid(1), false);
	assert_state("running", 0);
	assert_int_equal(world_nr_events("device-changed"), before + 2);
	world_silence(world_uuid(1), true);
	json_decref(world_ask(world_delete_device, world_uuid(1), "{'policy':'force'}", NULL));
	world_assert_empty();
}

static void test_looking_asks_whether_it_answers(void **state)
{
	json_t *json = NULL;

	w.nr_stats = 0;
	world_add_one();
	for (int i = 0; i < 5; i++) {
		assert_int_equal(daemon_get_devices(w.d, &world_admin, NULL, &json, NULL), 0);
		json_decref(json);
		world_run();
	}
	assert_int_equal(w.nr_stats, 1); /* not each time */
}

static uint64_t told_left(void)
{
	json_t *event;
	uint64_t left = 0;
	size_t i;

	json_array_foreach(w.events, i, event)
		if (!strcmp(json_string_value(json_array_get(event, 0)), "parent-changed") &&
		    !strcmp(json_string_value(json_object_get(json_array_get(event, 1), "name")), "cpu0"))
			left = (uint64_t)json_integer_value(json_object_get(json_object_get(json_array_get(event, 1), "left"), "memory"));
	return left;
}

static void test_what_is_left_is_told(void **state)
{
	unsigned int before;

	world_add_one();
	world_wait(200);
	assert_int_equal(told_left(), WORLD_FULL - WORLD_GIB);
	before = world_nr_events("parent-changed");
	for (int i = 0; i < 20; i++) {
		json_decref(world_ask(world_delete_device, world_uuid(1), NULL, NULL));
		world_add_one();
	}
	json_decref(world_ask(world_delete_device, world_uuid(1), NULL, NULL));
	world_wait(200);
	assert_int_equal(told_left(), WORLD_FULL);
	assert_true(world_nr_events("parent-changed") <= before + 5);
	before = world_nr_events("parent-changed");
	world_wait(200);
	assert_int_equal(world_nr_events("parent-changed"), before);
}

/* C33, and no wake-ups: nobody is asked for figures that cannot change. */
static void test_c33_samples_only_while_used(void **state)
{
	json_t *json = NULL, *device;

	world_add_one();
	w.nr_stats = 0;
	world_wait(150);
	assert_int_equal(w.nr_stats, 0);
	world_use(world_uuid(1), true);
	w.busy_ns = 1000;
	world_wait(100);
	/* All the time, so that it does not matter how late a busy machine asks. */
	for (int i = 0; i < 16; i++) {
		w.busy_ns += 50000000;
		world_wait(75);
	}
	assert_true(w.nr_stats >= 1);
	assert_int_equal(daemon_get_history(w.d, &world_admin, NULL, &json, NULL), 0);
	device = json_object_get(json_object_get(json, "devices"), world_uuid(1));
	assert_true(json_array_size(json_object_get(device, "share")) >= 1);
	json_decref(json);
	assert_int_equal(daemon_get_devices(w.d, &world_admin, world_uuid(1), &json, NULL), 0);
	assert_true(json_number_value(json_object_get(json_object_get(json, "stats"), "share")) > 0.1);
	assert_true(json_is_true(json_object_get(json, "in_use")));
	json_decref(json);
	assert_int_equal(daemon_get_parents(w.d, &world_admin, "cpu0", &json, NULL), 0);
	assert_in_range(json_integer_value(json_object_get(json, "busy_ns")), 1000 + 5, w.busy_ns + 5); /* as read last */
	assert_string_equal(json_string_value(json_object_get(json, "state")), "up");
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_c04_a_device_of_a_virtual_machine),
		T(test_unresponsive_while_it_runs),
		T(test_looking_asks_whether_it_answers),
		T(test_what_is_left_is_told),
		T(test_c33_samples_only_while_used),
	};

	return unit_run(tests);
}
