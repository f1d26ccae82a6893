/* SPDX-License-Identifier: MIT */
/* Types of one parent with calls of their own: one capacity, another device_api (C9, C10). */
#include <errno.h>
#include <string.h>

#include "fake.h"

/* A parent whose type "face" has a table of its own; "plain" has its parent's. */
struct world {
	struct trn_core *core;
	struct trn_parent *parent;
	struct trn_type *plain, *face;
	unsigned int inits, releases, opens, closes, requests;
	struct trn_use *leaving; /* closed by the face when it is asked */
	int init_result;
};

static struct world w;

static int face_init(struct trn_device *dev, struct trn_error *err)
{
	if (w.init_result < 0)
		return w.init_result;
	w.inits++;
	return 0;
}

static void face_release(struct trn_device *dev)
{
	w.releases++;
}

static int face_open(struct trn_use *use, struct trn_error *err)
{
	w.opens++;
	return 0;
}

static void face_close(struct trn_use *use)
{
	w.closes++;
}

static void face_request(struct trn_device *dev, unsigned int nr_asked)
{
	w.requests++;
	trn_use_close(w.leaving);
	w.leaving = NULL;
}

static int face_region_info(struct trn_use *use, uint32_t index, struct trn_region_info *ret)
{
	*ret = (struct trn_region_info){ .size = index == 0 ? 16 : 0, .flags = TRN_REGION_READ };
	return 0;
}

static int face_region_rw(struct trn_use *use, uint32_t index, uint64_t offset, void *buf, size_t len, int is_write)
{
	memset(buf, 0xfa, len);
	return 0;
}

static const struct trn_device_ops face_ops = {
	.name = "two",
	.device_api = "face-api",
	.init = face_init,
	.release = face_release,
	.open = face_open,
	.close = face_close,
	.request = face_request,
	.region_info = face_region_info,
	.region_rw = face_region_rw,
};

static int plain_init(struct trn_device *dev, struct trn_error *err)
{
	return 0;
}

static void plain_release(struct trn_device *dev)
{
}

static const struct trn_device_ops plain_ops = {
	.name = "two",
	.device_api = "plain-api",
	.init = plain_init,
	.release = plain_release,
};

#define ONE_UNIT .cost.amount[TRN_RESOURCE_UNITS] = 1

static const struct trn_type_desc types[2] = {
	{ .name = "plain", ONE_UNIT },
	{ .name = "face", ONE_UNIT, .ops = &face_ops },
};

static const struct trn_parent_desc desc = {
	.name = "p0",
	.ops = &plain_ops,
	.types = types,
	.nr_types = 2,
	.capacity.amount[TRN_RESOURCE_UNITS] = 2,
};

static int setup(void **state)
{
	struct trn_error err = { 0 };

	memset(&w, 0, sizeof(w));
	w.core = trn_core_create();
	assert_int_equal(trn_parent_register(w.core, &desc, &w.parent, &err), 0);
	w.plain = trn_type_find(w.parent, "two-plain");
	w.face = trn_type_find(w.parent, "two-face");
	assert_true(w.plain && w.face);
	return 0;
}

static int teardown(void **state)
{
	trn_parent_unregister(w.parent, NULL, NULL);
	trn_parent_unref(w.parent);
	trn_core_destroy(w.core);
	assert_int_equal(w.inits, w.releases);
	assert_int_equal(w.opens, w.closes);
	return 0;
}

static void test_each_type_has_its_own_api_and_calls(void **state)
{
	struct trn_device *plain = fake_device(w.plain, 1), *face = fake_device(w.face, 2);
	struct trn_use *use = fake_open(face, "VM web1");
	uint8_t byte = 0;

	assert_string_equal(trn_type_device_api(w.plain), "plain-api");
	assert_string_equal(trn_type_device_api(w.face), "face-api");
	assert_ptr_equal(trn_device_get_ops(plain), &plain_ops);
	assert_ptr_equal(trn_device_get_ops(face), &face_ops);
	assert_int_equal(w.inits, 1);
	assert_int_equal(trn_use_region_read(use, 0, 0, &byte, 1), 0);
	assert_int_equal(byte, 0xfa);
	trn_use_close(use);

	use = fake_open(plain, "program");
	assert_int_equal(trn_use_region_read(use, 0, 0, &byte, 1), -EINVAL);
	trn_use_close(use);
	assert_int_equal(w.opens, 1);
	assert_int_equal(trn_device_remove(plain, NULL, NULL), 0);
	trn_device_unref(plain);
	assert_int_equal(w.releases, 0);
	trn_device_unref(face);
}

static void test_types_share_the_capacity(void **state)
{
	struct trn_device *plain = fake_device(w.plain, 1), *face = fake_device(w.face, 2), *none = NULL;
	struct trn_error err = { 0 };

	assert_int_equal(trn_type_get_available(w.plain), 0);
	assert_int_equal(trn_type_get_available(w.face), 0);
	assert_int_equal(fake_create(w.face, 3, &none, &err), -EUSERS);
	trn_device_remove(plain, NULL, NULL);
	trn_device_unref(plain);
	assert_int_equal(trn_type_get_available(w.face), 1);
	trn_device_unref(face);
}

static void test_a_failed_init_is_that_of_the_type(void **state)
{
	struct trn_device *dev = NULL;
	struct trn_error err = { 0 };

	w.init_result = -EIO;
	assert_int_equal(fake_create(w.face, 1, &dev, &err), -EIO);
	assert_int_equal(w.releases, 0);
	assert_int_equal(fake_create(w.plain, 1, NULL, &err), 0);
}

/* Only those that can be asked are asked, and the others are waited for all the same. */
static void test_c7_holders_are_asked_by_type(void **state)
{
	struct trn_remove_params how = { .policy = TRN_REMOVE_ASK, .timeout_ms = 50, .ask_every_ms = 10 };
	struct trn_device *plain = fake_device(w.plain, 1), *face = fake_device(w.face, 2);
	struct trn_use *held = fake_open(plain, "program");
	struct trn_error err = { 0 };

	w.leaving = fake_open(face, "VM web1");
	assert_int_equal(trn_device_ask_holders(plain, 0), 0);
	assert_int_equal(w.requests, 0);
	assert_int_equal(trn_parent_unregister(w.parent, &how, &err), -ETIMEDOUT);
	assert_non_null(strstr(err.text, "still in use by program"));
	assert_int_equal(w.requests, 1);
	trn_use_close(held);
	trn_device_unref(plain);
	trn_device_unref(face);
}

static void assert_type_refused(const struct trn_device_ops *ops, const char *name)
{
	struct trn_type_desc bad[2] = { types[0], types[1] };
	struct trn_parent_desc with = desc;
	struct trn_parent *parent = NULL;
	struct trn_error err = { 0 };

	bad[1].ops = ops;
	with.name = "p1";
	with.types = bad;
	assert_refused(trn_parent_register(w.core, &with, &parent, &err), err, -EINVAL, name);
	assert_null(parent);
}

static void test_c9_calls_of_a_type_are_checked_as_a_parents(void **state)
{
	struct trn_device_ops ops = face_ops;

	ops.release = NULL;
	assert_type_refused(&ops, "BadDriver");
	ops = face_ops;
	ops.close = NULL;
	assert_type_refused(&ops, "BadDriver");
	ops = face_ops;
	ops.device_api = "a b";
	assert_type_refused(&ops, "BadName");
	ops = face_ops;
	ops.name = "three"; /* the type's name would not be the driver's */
	assert_type_refused(&ops, "BadType");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_each_type_has_its_own_api_and_calls),
		T(test_types_share_the_capacity),
		T(test_a_failed_init_is_that_of_the_type),
		T(test_c7_holders_are_asked_by_type),
		T(test_c9_calls_of_a_type_are_checked_as_a_parents),
	};

	return unit_run(tests);
}
