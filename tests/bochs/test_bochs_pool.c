/* SPDX-License-Identifier: MIT */
/* Displays of three sizes out of one pool of 256 MiB. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>

#include "parents/bochs/bochs.h"

struct pool {
	struct trn_core *core;
	struct trn_parent *parent;
	struct trn_device *devs[80];
	unsigned int nr;
};

static void pool_init(struct pool *p)
{
	*p = (struct pool){ .core = trn_core_create() };
	assert_int_equal(bochs_parent_register(p->core, "bochs", NULL, &p->parent, NULL), 0);
}

static void pool_finish(struct pool *p)
{
	trn_parent_unregister(p->parent, NULL, NULL);
	while (p->nr > 0)
		trn_device_unref(p->devs[--p->nr]);
	trn_parent_unref(p->parent);
	trn_core_destroy(p->core);
}

static int add(struct pool *p, const char *type, struct trn_error *err)
{
	struct trn_create_params params = { 0 };
	char uuid[TRN_UUID_SIZE];
	int r;

	snprintf(uuid, sizeof(uuid), "00000000-0000-0000-0000-%012u", p->nr);
	params.uuid = uuid;
	r = trn_device_create(trn_type_find(p->parent, type), &params, &p->devs[p->nr], err);
	if (r == 0)
		p->nr++;
	return r;
}

static int left(struct pool *p, const char *type)
{
	return trn_type_get_available(trn_type_find(p->parent, type));
}

static void test_mixed_sizes(void **state)
{
	struct trn_error err = { 0 };
	struct pool p;

	pool_init(&p);
	assert_int_equal(left(&p, "bochs-small"), 64);
	assert_int_equal(left(&p, "bochs-medium"), 16);
	assert_int_equal(left(&p, "bochs-large"), 4);
	for (int i = 0; i < 3; i++)
		assert_int_equal(add(&p, "bochs-large", &err), 0);
	assert_int_equal(add(&p, "bochs-small", &err), 0);
	assert_int_equal(left(&p, "bochs-large"), 0);
	assert_int_equal(left(&p, "bochs-medium"), 3);
	assert_int_equal(left(&p, "bochs-small"), 15);
	assert_int_equal(add(&p, "bochs-large", &err), -EUSERS);
	assert_true(err.text[0]);
	for (int i = 0; i < 3; i++)
		assert_int_equal(add(&p, "bochs-medium", NULL), 0);
	assert_int_equal(add(&p, "bochs-medium", NULL), -EUSERS);
	for (int i = 0; i < 3; i++)
		assert_int_equal(add(&p, "bochs-small", NULL), 0);
	assert_int_equal(add(&p, "bochs-small", NULL), -EUSERS);
	/* a large one's share becomes small ones */
	assert_int_equal(trn_device_remove(p.devs[0], NULL, NULL), 0);
	trn_device_unref(p.devs[0]);
	p.devs[0] = trn_device_ref(p.devs[1]);
	assert_int_equal(left(&p, "bochs-small"), 16);
	pool_finish(&p);
}

static void test_amounts_cannot_be_chosen(void **state)
{
	struct trn_create_params params = {
		.uuid = "00000000-0000-0000-0000-000000000001",
		.override = 1u << TRN_RESOURCE_MEMORY,
		.resources.amount[TRN_RESOURCE_MEMORY] = 5u << 20,
	};
	struct pool p;

	pool_init(&p);
	assert_int_equal(trn_device_create(trn_type_find(p.parent, "bochs-small"), &params, NULL, NULL), -EINVAL);
	pool_finish(&p);
}

static void test_name_in_use(void **state)
{
	const struct bochs_config config = { .screen_path = "/nowhere" };
	struct trn_parent *parent;
	struct trn_error err = { 0 };
	struct pool p;

	pool_init(&p);
	assert_refused(bochs_parent_register(p.core, "bochs", &config, &parent, &err), err, -EEXIST, err.name);
	pool_finish(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mixed_sizes),
		cmocka_unit_test(test_amounts_cannot_be_chosen),
		cmocka_unit_test(test_name_in_use),
	};

	return unit_run(tests);
}
