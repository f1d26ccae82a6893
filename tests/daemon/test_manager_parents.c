/* SPDX-License-Identifier: MIT */
/* Parents: leaving all or nothing (C5), types (C10, C32), schedules (C33), looking again, adoption and what starts by itself. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "manager_world.h"

#define T(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)

static void start(unsigned int n)
{
	char body[128];

	snprintf(body, sizeof(body), "{'type':'compute-256m','uuid':'%s'}", world_uuid(n));
	json_decref(world_ask(world_post_device, NULL, body, NULL));
}

static bool has_parent(const char *name)
{
	json_t *json = NULL;
	int r = daemon_get_parents(w.d, &world_admin, name, &json, NULL);

	json_decref(json);
	return r == 0;
}

static void test_c10_c32_types_of_mixed_size(void **state)
{
	static const char *const names[] = { "compute-256m", "compute-512m", "compute-1g", "compute-2g", "compute-4g", "compute-8g",
					     "compute-custom", "compute-pci" };
	json_t *json = NULL, *type, *list;
	size_t i;

	assert_int_equal(daemon_get_types(w.d, &world_admin, "cpu0", NULL, &json, NULL), 0);
	list = json_object_get(json, "types");
	assert_int_equal(json_array_size(list), 8);
	json_array_foreach(list, i, type) {
		assert_string_equal(json_string_value(json_object_get(type, "name")), names[i]);
		assert_string_equal(json_string_value(json_object_get(type, "device_api")), i == 7 ? "vfio-pci" : "compute");
	}
	assert_int_equal(json_integer_value(json_object_get(json_array_get(list, 0), "available_instances")), 56);
	json_decref(json);
	start(1);
	assert_int_equal(daemon_get_types(w.d, &world_admin, "cpu0", "compute-8g", &json, NULL), 0);
	assert_int_equal(json_integer_value(json_object_get(json, "available_instances")), 1);
	json_decref(json);
}

static void test_c05_unregister_takes_all_devices(void **state)
{
	for (unsigned int i = 0; i < 8; i++)
		start(i);
	json_decref(world_ask(world_delete_parent, "cpu0", NULL, NULL));
	assert_false(has_parent("cpu0"));
	assert_int_equal(world_nr_devices(), 0);
	assert_int_equal(world_nr_processes(), 0);
	assert_int_equal(world_nr_events("device-removed"), 8);
	assert_int_equal(world_nr_events("parent-removed"), 1);
	assert_int_equal(w.nr_quits, 1);
}

static void test_c05_unregister_takes_none_when_one_is_busy(void **state)
{
	struct trn_error err = { 0 };

	for (unsigned int i = 0; i < 4; i++)
		start(i);
	world_use(world_uuid(2), true);
	world_ask(world_delete_parent, "cpu0", NULL, &err);
	assert_refused(err.code, err, -EBUSY, "InUse");
	world_ask(world_delete_parent, "cpu0", "{'policy':'ask','timeout_ms':'0'}", &err);
	assert_refused(err.code, err, -ETIMEDOUT, "InUse");
	/* Whoever was held already is let go again. */
	assert_true(w.nr_released >= 2);
	assert_int_equal(world_nr_held(), 0);
	assert_int_equal(world_nr_devices(), 4);
	assert_int_equal(world_nr_processes(), 4);
	start(5);
	json_decref(world_ask(world_delete_parent, "cpu0", "{'policy':'force'}", NULL));
	assert_false(has_parent("cpu0"));
}

static void test_c05_create_and_remove_are_refused_meanwhile(void **state)
{
	struct world_call *leave, *late;
	struct trn_error err = { 0 };

	start(1);
	start(2);
	world_use(world_uuid(1), true);
	leave = world_begin(world_delete_parent, "cpu0", "{'policy':'ask'}");
	world_run();
	assert_false(leave->is_done);
	world_ask(world_post_device, NULL, "{'type':'compute-256m'}", &err);
	assert_refused(err.code, err, -ENODEV, "ParentLeaving");
	world_ask(world_delete_device, world_uuid(2), NULL, &err);
	assert_refused(err.code, err, -ENODEV, "ParentLeaving");
	world_ask(world_patch_device, world_uuid(2), "{'time':1}", &err);
	assert_refused(err.code, err, -ENODEV, "ParentLeaving");
	late = world_begin(world_delete_parent, "cpu0", NULL);
	world_cancel(leave);
	world_run();
	assert_false(late->is_done);
	world_cancel(late);
	world_run();
	/* Given up: all as before. */
	assert_int_equal(world_nr_devices(), 2);
	start(3);
	world_call_free(leave);
	world_call_free(late);
}

static void test_c05_waits_for_those_inside(void **state)
{
	struct world_call *create, *leave;

	w.late_ready = true;
	create = world_begin(world_post_device, NULL, "{'type':'compute-256m'}");
	leave = world_begin(world_delete_parent, "cpu0", NULL);
	world_run();
	assert_false(leave->is_done);
	w.late_ready = false;
	world_run();
	assert_answered(create);
	assert_answered(leave);
	assert_int_equal(world_nr_processes(), 0);
	assert_int_equal(world_nr_events("device-added"), 1);
	assert_int_equal(world_nr_events("device-removed"), 1);
	world_call_free(create);
	world_call_free(leave);
}

static void test_c05_ends_a_remove_that_waits(void **state)
{
	struct world_call *removal, *leave;

	start(1);
	world_use(world_uuid(1), true);
	removal = world_begin(world_delete_device, world_uuid(1), "{'policy':'ask'}");
	world_run();
	leave = world_begin(world_delete_parent, "cpu0", "{'policy':'ask'}");
	world_run();
	assert_answer_refused(removal, -ENODEV, "ParentLeaving");
	assert_false(leave->is_done);
	world_use(world_uuid(1), false);
	world_run();
	assert_answered(leave);
	assert_int_equal(world_nr_events("device-removed"), 1);
	world_call_free(removal);
	world_call_free(leave);
}

static void test_c05_a_device_ends_while_its_parent_leaves(void **state)
{
	struct world_call *leave;

	start(1);
	start(2);
	world_use(world_uuid(1), true);
	leave = world_begin(world_delete_parent, "cpu0", "{'policy':'ask'}");
	world_run();
	world_end(world_uuid(1));
	world_run();
	assert_answered(leave);
	assert_false(has_parent("cpu0"));
	world_call_free(leave);
}

static void test_c33_schedule_is_kept(void **state)
{
	struct trn_error err = { 0 };
	json_t *json = NULL;

	json_decref(world_ask(world_patch_schedule, "cpu0", "{'policy':'equal','slice_ms':2.5}", NULL));
	assert_int_equal(w.schedule.policy, TRNC_POLICY_EQUAL);
	assert_int_equal(w.schedule.slice_us, 2500);
	world_ask(world_patch_schedule, "cpu0", "{'policy':'nice'}", &err);
	assert_refused(err.code, err, -EINVAL, "BadField");
	world_ask(world_patch_schedule, "cpu0", "{'slice_ms':0.1}", &err);
	assert_refused(err.code, err, -EINVAL, "BadField");
	world_stop();
	w.schedule = (struct trnc_parent_schedule){ 0 };
	world_start();
	assert_int_equal(w.schedule.policy, TRNC_POLICY_EQUAL);
	assert_int_equal(daemon_get_schedule(w.d, &world_admin, "cpu0", &json, NULL), 0);
	assert_string_equal(json_string_value(json_object_get(json, "policy")), "equal");
	json_decref(json);
}

static void test_post_parent(void **state)
{
	struct trn_error err = { 0 };

	json_decref(world_ask(world_post_parent, NULL, "{'name':'f0','driver':'fake','options':{'a':'b'}}", NULL));
	json_decref(world_ask(world_post_device, NULL, "{'type':'fake-1','options':{'c':'d'}}", NULL));
	assert_int_equal(json_object_size(w.last_options), 2);
	assert_int_equal(world_left("f0", "units"), 3);
	world_ask(world_post_parent, NULL, "{'name':'f0','driver':'fake'}", &err);
	assert_refused(err.code, err, -EEXIST, "NameInUse");
	world_ask(world_post_parent, NULL, "{'name':'f1','driver':'nothing'}", &err);
	assert_refused(err.code, err, -EINVAL, "NoSuchDriver");
	world_ask(world_post_parent, NULL, "{'name':'../f1','driver':'fake'}", &err);
	assert_refused(err.code, err, -EINVAL, "BadName");
	world_ask(world_post_parent, NULL, "{'name':'c1','driver':'compute','host_device':7}", &err);
	assert_refused(err.code, err, -ENOENT, "NoHostDevice");
	/* It stays when all look again. */
	daemon_manager_reload(w.d, &w.config);
	world_run();
	assert_true(has_parent("f0"));
	assert_int_equal(world_nr_events("reloaded"), 1);
}

static void test_reload_vanished_parents(void **state)
{
	struct daemon_config none = w.config;

	none.finds_opencl = false;
	start(1);
	daemon_manager_reload(w.d, &none);
	world_run();
	assert_true(has_parent("cpu0"));
	json_decref(world_ask(world_delete_device, world_uuid(1), NULL, NULL));
	daemon_manager_reload(w.d, &none);
	world_run();
	assert_false(has_parent("cpu0"));
	daemon_manager_reload(w.d, &w.config);
	world_run();
	assert_true(has_parent("cpu0"));
	/* A look that fails takes nothing. */
	w.no_hosts = true;
	daemon_manager_reload(w.d, &w.config);
	world_run();
	assert_true(has_parent("cpu0"));
}

static void test_adopts_what_was_running(void **state)
{
	struct trn_error err = { 0 };
	json_t *json = NULL;

	json_decref(world_ask(world_post_device, NULL, "{'type':'compute','memory':1000000,'time':12.5,'vm':'web',"
			      "'uuid':'10000000-2000-4000-8000-000000000001'}", NULL));
	start(2);
	world_stop();
	assert_int_equal(json_object_size(w.running), 2);
	w.hello_differs = true;
	world_start();
	assert_int_equal(world_nr_devices(), 2);
	assert_int_equal(w.nr_started, 2);
	assert_int_equal(world_left("cpu0", "memory"), WORLD_FULL - 1000000 - WORLD_GIB / 4);
	/* What the device says counts. */
	assert_int_equal(world_left("cpu0", "time"), 1000 - 2 * 123);
	assert_int_equal(daemon_get_devices(w.d, &world_admin, world_uuid(1), &json, NULL), 0);
	assert_string_equal(json_string_value(json_object_get(json, "vm")), "web");
	json_decref(json);
	world_ask(world_post_device, NULL, "{'type':'compute-256m','uuid':'10000000-2000-4000-8000-000000000002'}", &err);
	assert_refused(err.code, err, -EEXIST, "UuidInUse");
	json_decref(world_ask(world_delete_device, world_uuid(1), NULL, NULL));
}

static void test_adopts_without_its_parent(void **state)
{
	start(1);
	world_stop();
	w.no_hosts = true;
	world_start();
	assert_true(w.is_ready);
	assert_int_equal(world_nr_devices(), 1);
	assert_int_equal(world_left("cpu0", "memory"), WORLD_FULL - WORLD_GIB / 4);
}

/* Less was configured meanwhile: who runs keeps its place. */
static void test_adopts_with_less_memory_configured(void **state)
{
	struct daemon_parent_config less = { .name = (char[]){ "cpu0" }, .driver = (char[]){ "compute" }, .memory = WORLD_GIB };
	char path[128];

	json_decref(world_ask(world_post_device, NULL, "{'type':'compute-2g','uuid':'10000000-2000-4000-8000-000000000001'}", NULL));
	world_stop();
	snprintf(path, sizeof(path), "%s/devices", w.config.runtime_dir);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/devices/%s", w.config.runtime_dir, world_uuid(1));
	assert_int_equal(mkdir(path, 0700), 0);
	w.config.parents = &less;
	w.config.nr_parents = 1;
	world_start();
	assert_int_equal(world_nr_devices(), 1);
	assert_int_equal(world_left("cpu0", "memory"), WORLD_FULL - 2 * WORLD_GIB);
	json_decref(world_ask(world_delete_device, world_uuid(1), NULL, NULL));
	world_stop();
	assert_int_equal(rmdir(path), 0);
	world_start();
	assert_int_equal(world_left("cpu0", "memory"), WORLD_GIB);
}

static void test_one_that_does_not_answer(void **state)
{
	struct trn_error err = { 0 };
	json_t *json = NULL;

	start(1);
	world_stop();
	w.deaf = true;
	world_start();
	assert_int_equal(daemon_get_devices(w.d, &world_admin, world_uuid(1), &json, NULL), 0);
	assert_string_equal(json_string_value(json_object_get(json, "state")), "unresponsive");
	json_decref(json);
	assert_int_equal(daemon_get_about(w.d, &world_admin, &json, NULL), 0);
	assert_int_equal(json_array_size(json_object_get(json, "problems")), 1);
	json_decref(json);
	world_ask(world_delete_device, world_uuid(1), NULL, &err);
	assert_refused(err.code, err, -EBUSY, "Unresponsive");
	world_ask(world_delete_parent, "cpu0", NULL, &err);
	assert_refused(err.code, err, -EBUSY, "Unresponsive");
	json_decref(world_ask(world_delete_device, world_uuid(1), "{'policy':'force'}", NULL));
	assert_int_equal(world_nr_devices(), 0);
}

static void test_autostart_once_a_boot(void **state)
{
	for (unsigned int i = 0; i < 20; i++)
		json_decref(world_ask(world_post_definition, NULL, "{'parent':'f0','type':'fake-1','start':'auto'}", NULL));
	assert_int_equal(world_nr_devices(), 0);
	json_decref(world_ask(world_post_parent, NULL, "{'name':'f0','driver':'fake'}", NULL));
	world_run();
	/* As many as there is room for; the others are named in the log. */
	assert_int_equal(world_nr_devices(), 4);
	json_decref(world_ask(world_delete_parent, "f0", "{'policy':'force'}", NULL));
	json_decref(world_ask(world_post_parent, NULL, "{'name':'f0','driver':'fake'}", NULL));
	world_run();
	assert_int_equal(world_nr_devices(), 0);
}

static void test_not_ready_says_so(void **state)
{
	struct trn_error err = { 0 };
	json_t *json = NULL;

	world_stop();
	assert_int_equal(daemon_manager_create(w.event, &w.config, NULL, NULL, &w.d, &err), 0);
	w.events = json_array();
	w.listener = NULL;
	assert_refused(daemon_get_parents(w.d, &world_admin, NULL, &json, &err), err, -EAGAIN, "NotReady");
	assert_refused(daemon_get_devices(w.d, &world_admin, NULL, &json, &err), err, -EAGAIN, "NotReady");
	assert_refused(daemon_get_types(w.d, &world_admin, NULL, NULL, &json, &err), err, -EAGAIN, "NotReady");
	assert_int_equal(daemon_get_about(w.d, &world_admin, &json, &err), 0);
	assert_true(json_is_false(json_object_get(json, "ready")));
	json_decref(json);
	world_run();
	assert_int_equal(daemon_get_parents(w.d, &world_admin, NULL, &json, &err), 0);
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_c10_c32_types_of_mixed_size),
		T(test_c05_unregister_takes_all_devices),
		T(test_c05_unregister_takes_none_when_one_is_busy),
		T(test_c05_create_and_remove_are_refused_meanwhile),
		T(test_c05_waits_for_those_inside),
		T(test_c05_ends_a_remove_that_waits),
		T(test_c05_a_device_ends_while_its_parent_leaves),
		T(test_c33_schedule_is_kept),
		T(test_post_parent),
		T(test_reload_vanished_parents),
		T(test_adopts_what_was_running),
		T(test_adopts_without_its_parent),
		T(test_adopts_with_less_memory_configured),
		T(test_one_that_does_not_answer),
		T(test_autostart_once_a_boot),
		T(test_not_ready_says_so),
	};

	return unit_run(tests);
}
