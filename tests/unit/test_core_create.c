/* SPDX-License-Identifier: MIT */
/* Creating devices: UUIDs (C2), capacity (C4), all or nothing (C3), each refusal with its errno (C9). */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fake.h"

static struct trn_core *core;
static struct fake f;

static int setup(void **state)
{
	core = trn_core_create();
	fake_init(&f, core, "p0");
	return 0;
}

static int teardown(void **state)
{
	fake_finish(&f);
	trn_core_destroy(core);
	return 0;
}

static void remove_and_unref(struct trn_device *dev)
{
	assert_int_equal(trn_device_remove(dev, NULL, NULL), 0);
	assert_null(trn_device_unref(dev));
}

static void test_uuid_forms(void **state)
{
	static const char *const bad[] = {
		"", "x", "6A4AE4B6-58A9-4C92-A2B2-6EB9A6D9A1A", "6A4AE4B6-58A9-4C92-A2B2-6EB9A6D9A1ADD",
		"6A4AE4B6-58A9-4C92-A2B2-6EB9A6D9A1AD ", "6A4AE4B6-58A9-4C92-A2B2-6EB9A6D9A1AD\n\n",
		"6A4AE4B6058A904C920A2B206EB9A6D9A1AD", "6A4AE4B-658A9-4C92-A2B2-6EB9A6D9A1AD",
		"6G4AE4B6-58A9-4C92-A2B2-6EB9A6D9A1AD", "{A4AE4B6-58A9-4C92-A2B2-6EB9A6D9A1A}",
	};
	char uuid[TRN_UUID_SIZE] = "untouched";
	struct trn_error err = { 0 };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct trn_create_params params = { .uuid = bad[i] };
		struct trn_device *dev = NULL;

		assert_refused(trn_uuid_parse(bad[i], strlen(bad[i]), uuid, &err), err, -EINVAL, "BadUuid");
		assert_string_equal(uuid, "untouched");
		assert_refused(trn_device_create(f.small, &params, NULL, &err), err, -EINVAL, "BadUuid");
		assert_refused(trn_device_find(core, bad[i], &dev, &err), err, -EINVAL, "BadUuid");
	}
	assert_int_equal(trn_uuid_parse("6A4AE4B6-58A9-4C92-A2B2-6EB9A6D9A1AD", 36, uuid, NULL), 0);
	assert_string_equal(uuid, "6a4ae4b6-58a9-4c92-a2b2-6eb9a6d9a1ad");
	assert_int_equal(trn_uuid_parse("6A4AE4B6-58A9-4C92-A2B2-6EB9A6D9A1AD\n", 37, uuid, NULL), 0);
	assert_int_equal(trn_uuid_parse("6A4AE4B6-58A9-4C92-A2B2-6EB9A6D9A1AD\0", 37, uuid, NULL), -EINVAL);
	assert_int_equal(trn_device_create(f.small, &(struct trn_create_params){ 0 }, NULL, NULL), -EINVAL);
}

static void test_created_device_knows_its_parameters(void **state)
{
	struct trn_create_params params = {
		.uuid = "6A4AE4B6-58A9-4C92-A2B2-6EB9A6D9A1AD\n",
		.owner = "alice",
		.vm = "web1",
	};
	struct trn_device *dev = NULL, *found = NULL;
	struct trn_resources resources;

	assert_int_equal(trn_device_create(f.small, &params, &dev, NULL), 0);
	assert_string_equal(trn_device_uuid(dev), "6a4ae4b6-58a9-4c92-a2b2-6eb9a6d9a1ad");
	assert_string_equal(trn_device_owner(dev), "alice");
	assert_string_equal(trn_device_vm(dev), "web1");
	assert_ptr_equal(trn_device_type(dev), f.small);
	assert_ptr_equal(trn_device_get_ops(dev), &fake_ops);
	assert_ptr_equal(trn_device_priv(dev), &f);
	assert_int_equal(trn_device_nr_uses(dev), 0);
	trn_device_get_resources(dev, &resources);
	assert_int_equal(resources.amount[TRN_RESOURCE_UNITS], 1);
	assert_int_equal(trn_device_find(core, "6a4ae4b6-58A9-4c92-a2b2-6eb9a6d9a1ad", &found, NULL), 0);
	assert_ptr_equal(found, dev);
	trn_device_unref(found);
	remove_and_unref(dev);

	params.owner = params.vm = NULL;
	assert_int_equal(trn_device_create(f.small, &params, &dev, NULL), 0);
	assert_string_equal(trn_device_owner(dev), "");
	assert_string_equal(trn_device_vm(dev), "");
	remove_and_unref(dev);
}

static void test_long_texts_are_refused(void **state)
{
	struct trn_create_params params = { .uuid = fake_uuid(1) };
	struct trn_error err = { 0 };
	char text[257];

	memset(text, 'x', sizeof(text));
	text[256] = '\0';
	params.owner = text;
	assert_refused(trn_device_create(f.small, &params, NULL, &err), err, -EINVAL, "TooLong");
	params.owner = NULL;
	params.vm = text;
	assert_refused(trn_device_create(f.small, &params, NULL, &err), err, -EINVAL, "TooLong");
	text[255] = '\0';
	assert_int_equal(trn_device_create(f.small, &params, NULL, &err), 0);
}

static void test_c2_uuid_is_unique_over_all_parents(void **state)
{
	struct trn_create_params upper_case = { .uuid = "00000000-0000-4000-8000-000000000ABC" };
	struct trn_error err = { 0 };
	struct trn_device *dev;
	struct fake g;

	fake_init(&g, core, "p1");
	dev = fake_device(f.small, 0xabc);
	assert_refused(fake_create(f.small, 0xabc, NULL, &err), err, -EEXIST, "UuidInUse");
	assert_refused(fake_create(g.small, 0xabc, NULL, &err), err, -EEXIST, "UuidInUse");
	assert_int_equal(trn_device_create(g.small, &upper_case, NULL, NULL), -EEXIST);
	trn_device_unref(dev);
	fake_finish(&g);
}

static void test_c2_dying_devices_keep_their_uuid(void **state)
{
	struct trn_device *dev = fake_device(f.small, 1);
	struct trn_error err = { 0 };

	assert_int_equal(trn_device_remove(dev, NULL, NULL), 0);
	assert_refused(fake_create(f.small, 1, NULL, &err), err, -EEXIST, "UuidInUse");
	trn_device_unref(dev);
	trn_device_unref(fake_device(f.small, 1));
}

static void *create_in_thread(void *arg)
{
	struct trn_error *err = arg;

	fake_create(f.small, 1, NULL, err);
	return NULL;
}

static void *unref_in_thread(void *arg)
{
	trn_device_unref(arg);
	return NULL;
}

static void test_c2_uuid_is_taken_until_release_is_done(void **state)
{
	struct trn_device *dev = fake_device(f.big, 1);
	struct trn_error err = { 0 };
	pthread_t thread;

	assert_int_equal(trn_device_remove(dev, NULL, NULL), 0);
	gate_close(&f.release_gate);
	pthread_create(&thread, NULL, unref_in_thread, dev);
	gate_wait_for_one(&f.release_gate);
	assert_refused(fake_create(f.small, 1, NULL, &err), err, -EEXIST, "UuidInUse");
	assert_int_equal(trn_type_get_available(f.big), 1); /* C4: nor is its capacity back */
	gate_open(&f.release_gate);
	pthread_join(thread, NULL);
	assert_int_equal(trn_type_get_available(f.big), 2);
	trn_device_unref(fake_device(f.small, 1));
}

static void test_c3_unfinished_create_is_invisible(void **state)
{
	struct trn_device *found = NULL, **list;
	struct trn_error err = { 0 }, thread_err = { 0 };
	pthread_t thread;
	size_t nr = 77;

	gate_close(&f.init_gate);
	pthread_create(&thread, NULL, create_in_thread, &thread_err);
	gate_wait_for_one(&f.init_gate);
	assert_refused(trn_device_find(core, fake_uuid(1), &found, &err), err, -EAGAIN, "NotReady");
	assert_null(found);
	assert_int_equal(trn_device_list(core, NULL, &list, &nr), 0);
	assert_int_equal(nr, 0);
	trn_device_list_free(list);
	assert_refused(fake_create(f.small, 1, NULL, &err), err, -EEXIST, "UuidInUse");
	assert_int_equal(trn_type_get_available(f.small), 7);
	gate_open(&f.init_gate);
	pthread_join(thread, NULL);
	assert_int_equal(thread_err.code, 0);
	assert_int_equal(trn_device_find(core, fake_uuid(1), &found, &err), 0);
	trn_device_unref(found);
}

static void test_c3_failed_init_leaves_nothing(void **state)
{
	struct trn_device *dev = NULL;
	struct trn_error err = { 0 };

	f.init_result = -EIO;
	assert_int_equal(fake_create(f.big, 1, &dev, &err), -EIO);
	assert_null(dev);
	assert_string_equal(err.name, "FakeRefuses");
	assert_non_null(strstr(err.text, fake_uuid(1)));
	assert_non_null(strstr(err.text, ": the fake refuses"));
	assert_int_equal(f.nr_releases, 0);
	assert_int_equal(trn_device_find(core, fake_uuid(1), &dev, NULL), -ENODEV);
	assert_int_equal(trn_type_get_available(f.big), 2);
	f.init_result = 0;
	trn_device_unref(fake_device(f.big, 1));
}

static void test_order_duplicate_before_capacity_before_init(void **state)
{
	struct trn_error err = { 0 };
	struct trn_device *a = fake_device(f.big, 1), *b = fake_device(f.big, 2);

	assert_int_equal(f.nr_inits, 2);
	assert_refused(fake_create(f.big, 1, NULL, &err), err, -EEXIST, "UuidInUse");
	assert_refused(fake_create(f.big, 3, NULL, &err), err, -EUSERS, "NoCapacity");
	assert_int_equal(f.nr_inits, 2);
	trn_device_unref(a);
	trn_device_unref(b);
}

static void test_c4_capacity_returns_at_the_last_reference(void **state)
{
	struct trn_device *dev = fake_device(f.big, 1), *more = trn_device_ref(dev);

	assert_int_equal(trn_type_get_available(f.big), 1);
	assert_int_equal(trn_device_remove(dev, NULL, NULL), 0);
	assert_int_equal(trn_type_get_available(f.big), 1);
	trn_device_unref(dev);
	assert_int_equal(trn_type_get_available(f.big), 1);
	assert_int_equal(f.nr_releases, 0);
	assert_string_equal(trn_device_uuid(more), fake_uuid(1));
	assert_null(trn_device_unref(more));
	assert_int_equal(trn_type_get_available(f.big), 2);
	assert_int_equal(f.nr_releases, 1);
	assert_null(trn_device_unref(NULL));
}

static void test_types_of_different_size_mix(void **state)
{
	struct trn_device *devs[5];
	struct trn_error err = { 0 };

	assert_int_equal(trn_type_get_available(f.small), 8);
	assert_int_equal(trn_type_get_available(f.big), 2);
	assert_int_equal(trn_type_get_available(f.mem), 4);
	for (unsigned int i = 0; i < 3; i++)
		devs[i] = fake_device(f.small, i);
	assert_int_equal(trn_type_get_available(f.small), 5);
	assert_int_equal(trn_type_get_available(f.big), 1);
	devs[3] = fake_device(f.big, 3);
	assert_int_equal(trn_type_get_available(f.small), 1);
	assert_int_equal(trn_type_get_available(f.big), 0);
	assert_int_equal(trn_type_get_available(f.mem), 4); /* other resources */
	assert_refused(fake_create(f.big, 4, NULL, &err), err, -EUSERS, "NoCapacity");
	devs[4] = fake_device(f.small, 4);
	assert_refused(fake_create(f.small, 5, NULL, &err), err, -EUSERS, "NoCapacity");
	for (unsigned int i = 0; i < 5; i++)
		remove_and_unref(devs[i]);
	assert_int_equal(trn_type_get_available(f.big), 2);
}

static void test_the_last_instance_can_be_made(void **state)
{
	for (unsigned int i = 0; i < 8; i++)
		trn_device_unref(fake_device(f.small, i));
	assert_int_equal(trn_type_get_available(f.small), 0);
	assert_int_equal(fake_create(f.small, 9, NULL, NULL), -EUSERS);
}

static void test_memory_can_be_chosen(void **state)
{
	struct trn_create_params params = {
		.uuid = fake_uuid(1),
		.override = 1u << TRN_RESOURCE_MEMORY,
		.resources.amount = { [TRN_RESOURCE_MEMORY] = 3 * FAKE_GIB / 4, [TRN_RESOURCE_SESSIONS] = 99 },
	};
	struct trn_resources resources;
	struct trn_device *dev = NULL;
	struct trn_error err = { 0 };

	assert_int_equal(trn_device_create(f.mem, &params, &dev, &err), 0);
	trn_device_get_resources(dev, &resources);
	assert_int_equal(resources.amount[TRN_RESOURCE_MEMORY], 3 * FAKE_GIB / 4);
	assert_int_equal(resources.amount[TRN_RESOURCE_SESSIONS], 2); /* the type's */
	assert_int_equal(trn_type_get_available(f.mem), 1);

	params.uuid = fake_uuid(2);
	assert_int_equal(trn_device_create(f.mem, &params, NULL, &err), -EUSERS);
	assert_string_equal(err.text, "memory: 768 MiB needed, parent p0 has 256 MiB of 1 GiB left");
	assert_true(err.hint[0]);
	err = (struct trn_error){ 0 };
	params.resources.amount[TRN_RESOURCE_MEMORY] = UINT64_MAX;
	assert_refused(trn_device_create(f.mem, &params, NULL, &err), err, -EUSERS, "NoCapacity");
	params.resources.amount[TRN_RESOURCE_MEMORY] = 0;
	assert_refused(trn_device_create(f.mem, &params, NULL, &err), err, -EINVAL, "BadResource");
	params.override = 1u << TRN_NR_RESOURCES;
	assert_refused(trn_device_create(f.mem, &params, NULL, &err), err, -EINVAL, "BadResource");
	params.override = 1u << TRN_RESOURCE_UNITS;
	params.resources.amount[TRN_RESOURCE_UNITS] = 1;
	assert_refused(trn_device_create(f.small, &params, NULL, &err), err, -EINVAL, "BadResource");
	remove_and_unref(dev);
}

static void test_reference_of_the_caller_is_optional(void **state)
{
	struct trn_device **list;
	size_t nr = 0;
	struct fake g;

	fake_init(&g, core, "p1");
	assert_int_equal(fake_create(f.small, 1, NULL, NULL), 0);
	assert_int_equal(fake_create(g.small, 2, NULL, NULL), 0);
	assert_int_equal(trn_device_list(core, NULL, &list, &nr), 0);
	assert_int_equal(nr, 2);
	assert_string_equal(trn_device_uuid(list[0]), fake_uuid(1));
	assert_null(list[2]);
	trn_device_list_free(list);
	assert_int_equal(trn_device_list(core, g.parent, &list, NULL), 0);
	assert_string_equal(trn_device_uuid(list[0]), fake_uuid(2));
	assert_null(list[1]);
	assert_int_equal(trn_device_remove(list[0], NULL, NULL), 0);
	assert_int_equal(g.nr_releases, 0); /* the list holds it */
	trn_device_list_free(list);
	assert_int_equal(g.nr_releases, 1);
	trn_device_list_free(NULL);
	fake_finish(&g);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* C4, C32: what a device has taken follows it, and nothing is taken or given twice. */
static void test_c4_taken_follows_adjust(void **state)
{
	struct trn_device *dev = fake_device(f.mem, 1), *other = fake_device(f.mem, 2);
	struct trn_resources want, left, total;
	struct trn_error err = { 0 };

	assert_int_equal(trn_type_adjustable(f.mem), 1u << TRN_RESOURCE_MEMORY | 1u << TRN_RESOURCE_SESSIONS);
	assert_int_equal(trn_type_adjustable(f.small), 0);
	trn_device_get_resources(dev, &want);
	want.amount[TRN_RESOURCE_MEMORY] = 768ull << 20;
	assert_int_equal(trn_device_adjust(dev, &want, &err), 0);
	trn_parent_get_capacity(f.parent, NULL, &left);
	assert_int_equal(left.amount[TRN_RESOURCE_MEMORY], 0);
	want.amount[TRN_RESOURCE_MEMORY]++;
	assert_refused(trn_device_adjust(dev, &want, &err), err, -EUSERS, "NoCapacity");
	want.amount[TRN_RESOURCE_MEMORY] = 0;
	assert_refused(trn_device_adjust(dev, &want, &err), err, -EINVAL, "BadResource");
	want.amount[TRN_RESOURCE_MEMORY] = 1;
	want.amount[TRN_RESOURCE_UNITS] = 1;
	assert_refused(trn_device_adjust(dev, &want, &err), err, -EINVAL, "BadResource");
	want.amount[TRN_RESOURCE_UNITS] = 0;
	assert_int_equal(trn_device_adjust(dev, &want, &err), 0);
	trn_parent_get_capacity(f.parent, NULL, &left);
	assert_int_equal(left.amount[TRN_RESOURCE_MEMORY], (768ull << 20) - 1);

	assert_int_equal(trn_device_remove(dev, NULL, NULL), 0);
	assert_refused(trn_device_adjust(dev, &want, &err), err, -ENODEV, "NoSuchDevice");
	trn_device_unref(dev);
	remove_and_unref(other);
	trn_parent_get_capacity(f.parent, &total, &left);
	assert_memory_equal(&total, &left, sizeof(left));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_uuid_forms),
		T(test_created_device_knows_its_parameters),
		T(test_long_texts_are_refused),
		T(test_c2_uuid_is_unique_over_all_parents),
		T(test_c2_dying_devices_keep_their_uuid),
		T(test_c2_uuid_is_taken_until_release_is_done),
		T(test_c3_unfinished_create_is_invisible),
		T(test_c3_failed_init_leaves_nothing),
		T(test_order_duplicate_before_capacity_before_init),
		T(test_c4_capacity_returns_at_the_last_reference),
		T(test_types_of_different_size_mix),
		T(test_the_last_instance_can_be_made),
		T(test_memory_can_be_chosen),
		T(test_reference_of_the_caller_is_optional),
		T(test_c4_taken_follows_adjust),
	};

	return unit_run(tests);
}
