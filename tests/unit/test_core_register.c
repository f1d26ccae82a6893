/* SPDX-License-Identifier: MIT */
/* Registering parents: what is refused (C9), names (C10), types, look-ups. */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "fake.h"

static struct trn_core *core;

static int setup(void **state)
{
	core = trn_core_create();
	return core ? 0 : -1;
}

static int teardown(void **state)
{
	trn_core_destroy(core);
	return 0;
}

static const struct trn_parent_desc good = {
	.name = "p0",
	.ops = &fake_ops,
	.types = fake_types,
	.nr_types = 3,
	.capacity = { .amount = { [TRN_RESOURCE_UNITS] = 8 } },
};

static void assert_register_refused(const struct trn_parent_desc *desc, const char *name)
{
	struct trn_parent *parent = NULL;
	struct trn_error err = { 0 };

	assert_refused(trn_parent_register(core, desc, &parent, &err), err, -EINVAL, name);
	assert_null(parent);
	assert_int_equal(trn_parent_register(core, desc, &parent, NULL), -EINVAL);
}

static int op_region_info(struct trn_use *use, uint32_t index, struct trn_region_info *ret)
{
	return 0;
}

static int op_region_rw(struct trn_use *use, uint32_t index, uint64_t offset, void *buf, size_t len, int is_write)
{
	return 0;
}

static int op_region_fd(struct trn_use *use, uint32_t index, uint64_t *ret_offset)
{
	return -EIO;
}

static int op_irq_info(struct trn_use *use, uint32_t index, struct trn_irq_info *ret)
{
	return 0;
}

static int op_set_irqs(struct trn_use *use, const struct trn_irq_set *set)
{
	return 0;
}

static int op_dma_map(struct trn_use *use, const struct trn_dma_map *map)
{
	return 0;
}

static int op_dma_unmap(struct trn_use *use, uint64_t iova, uint64_t len)
{
	return 0;
}

/* Refused with one change, which the caller makes in a copy. */
#define assert_ops_refused(change)                             \
	do {                                                   \
		struct trn_device_ops ops = fake_ops;          \
		struct trn_parent_desc with_ops = good;        \
		change;                                        \
		with_ops.ops = &ops;                           \
		assert_register_refused(&with_ops, "BadDriver"); \
	} while (0)

static void test_driver_lacks_a_mandatory_call(void **state)
{
	struct trn_parent_desc desc = good;

	assert_ops_refused(ops.init = NULL);
	assert_ops_refused(ops.release = NULL);
	desc.ops = NULL;
	assert_register_refused(&desc, "BadDriver");
}

static void test_driver_has_half_a_pair(void **state)
{
	assert_ops_refused(ops.open = NULL);
	assert_ops_refused(ops.close = NULL);
	assert_ops_refused(ops.region_info = op_region_info);
	assert_ops_refused(ops.region_rw = op_region_rw);
	assert_ops_refused(ops.region_fd = op_region_fd);
	assert_ops_refused(ops.irq_info = op_irq_info);
	assert_ops_refused(ops.set_irqs = op_set_irqs);
	assert_ops_refused(ops.dma_map = op_dma_map);
	assert_ops_refused(ops.dma_unmap = op_dma_unmap);
}

static void test_driver_needs_names(void **state)
{
	static const char *const bad[] = { NULL, "", "a b", "a/b", "a-b" };
	struct trn_parent_desc desc = good;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct trn_device_ops ops = fake_ops;

		ops.name = bad[i];
		desc.ops = &ops;
		assert_register_refused(&desc, "BadName");
	}
	for (size_t i = 0; i < 4; i++) {
		struct trn_device_ops ops = fake_ops;

		ops.device_api = bad[i];
		desc.ops = &ops;
		assert_register_refused(&desc, "BadName");
	}
}

static void test_parent_names(void **state)
{
	static const char *const bad[] = { NULL, "", ".", "..", ".hidden", "a/b", "a b", "a\n", "\xc3\xa4" };
	static const char *const ok[] = { "mtty", "0000:00:02.0", "pocl-cpu_0+x" };
	struct trn_parent_desc desc = good;
	char name[80];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		desc.name = bad[i];
		assert_register_refused(&desc, "BadName");
	}
	memset(name, 'a', sizeof(name));
	name[64] = '\0';
	desc.name = name;
	assert_register_refused(&desc, "BadName");
	for (size_t i = 0; i < sizeof(ok) / sizeof(ok[0]); i++) {
		struct trn_parent *parent = NULL;

		desc.name = ok[i];
		assert_int_equal(trn_parent_register(core, &desc, &parent, NULL), 0);
		assert_string_equal(trn_parent_name(parent), ok[i]);
		assert_int_equal(trn_parent_unregister(parent, NULL, NULL), 0);
		assert_null(trn_parent_unref(parent));
	}
}

static void test_types_are_checked(void **state)
{
	struct trn_type_desc types[2] = { fake_types[0], fake_types[1] };
	struct trn_parent_desc desc = good;

	desc.types = NULL;
	assert_register_refused(&desc, "BadType");
	desc.types = types;
	desc.nr_types = 0;
	assert_register_refused(&desc, "BadType");
	desc.nr_types = 2;
	types[1].name = "small";
	assert_register_refused(&desc, "BadType"); /* twice the same */
	types[1].name = "a/b";
	assert_register_refused(&desc, "BadName");
	types[1].name = "free";
	types[1].cost = (struct trn_resources){ 0 };
	assert_register_refused(&desc, "BadType");
	types[1] = fake_types[1];
	types[1].adjustable = 1u << TRN_NR_RESOURCES;
	assert_register_refused(&desc, "BadType");
}

static void test_c10_type_names_are_driver_and_type(void **state)
{
	struct trn_resources cost;
	struct fake f;

	fake_init(&f, core, "p0");
	assert_string_equal(trn_type_name(f.small), "fake-small");
	assert_string_equal(trn_type_pretty_name(f.small), "fake-small");
	assert_null(trn_type_description(f.small));
	assert_string_equal(trn_type_pretty_name(f.big), "Big one");
	assert_string_equal(trn_type_description(f.big), "four units");
	assert_string_equal(trn_type_device_api(f.big), "fake-api");
	assert_ptr_equal(trn_type_parent(f.big), f.parent);
	trn_type_get_cost(f.big, &cost);
	assert_int_equal(cost.amount[TRN_RESOURCE_UNITS], 4);
	assert_null(trn_type_find(f.parent, "small"));
	assert_null(trn_type_find(f.parent, "fake-"));
	assert_ptr_equal(trn_type_at(f.parent, 0), f.small);
	assert_ptr_equal(trn_type_at(f.parent, 2), f.mem);
	assert_null(trn_type_at(f.parent, 3));
	assert_null(trn_type_at(f.parent, SIZE_MAX));
	fake_finish(&f);
}

static void test_description_is_copied(void **state)
{
	char name[] = "p0", type_name[] = "tiny";
	struct trn_type_desc type = { .name = type_name, .cost.amount[TRN_RESOURCE_UNITS] = 1 };
	struct trn_parent_desc desc = good;
	struct trn_parent *parent = NULL;

	desc.name = name;
	desc.types = &type;
	desc.nr_types = 1;
	assert_int_equal(trn_parent_register(core, &desc, &parent, NULL), 0);
	name[0] = type_name[0] = 'X';
	type.cost.amount[TRN_RESOURCE_UNITS] = 100;
	assert_string_equal(trn_parent_name(parent), "p0");
	assert_non_null(trn_type_find(parent, "fake-tiny"));
	assert_int_equal(trn_type_get_available(trn_type_at(parent, 0)), 8);
	assert_int_equal(trn_parent_unregister(parent, NULL, NULL), 0);
	trn_parent_unref(parent);
}

static void test_name_in_use(void **state)
{
	struct trn_parent *parent = NULL;
	struct trn_error err = { 0 };
	struct fake f;

	fake_init(&f, core, "p0");
	assert_refused(trn_parent_register(core, &good, &parent, &err), err, -EEXIST, "NameInUse");
	assert_int_equal(trn_parent_unregister(f.parent, NULL, NULL), 0);
	/* The reference that is left does not keep the name. */
	assert_int_equal(trn_parent_register(core, &good, &parent, &err), 0);
	assert_int_equal(trn_parent_unregister(parent, NULL, NULL), 0);
	trn_parent_unref(parent);
	fake_finish(&f);
}

static void test_find_and_list_return_counted_references(void **state)
{
	struct trn_parent **list, *found;
	struct fake f, g;
	size_t nr = 77;

	assert_int_equal(trn_parent_list(core, &list, &nr), 0);
	assert_int_equal(nr, 0);
	trn_parent_list_free(list);
	trn_parent_list_free(NULL);

	fake_init(&f, core, "p0");
	fake_init(&g, core, "p1");
	assert_null(trn_parent_find(core, "p2"));
	found = trn_parent_find(core, "p1");
	assert_ptr_equal(found, g.parent);
	assert_ptr_equal(trn_parent_ref(found), found);
	trn_parent_unref(found);
	assert_int_equal(trn_parent_list(core, &list, NULL), 0);
	assert_ptr_equal(list[0], f.parent);
	assert_ptr_equal(list[1], g.parent);
	assert_null(list[2]);

	assert_int_equal(trn_parent_unregister(g.parent, NULL, NULL), 0);
	assert_null(trn_parent_find(core, "p1"));
	trn_parent_unref(g.parent);
	assert_int_equal(g.nr_parent_releases, 0); /* found and list hold it */
	assert_string_equal(trn_parent_name(found), "p1");
	assert_ptr_equal(trn_parent_priv(found), &g);
	trn_parent_unref(found);
	assert_int_equal(g.nr_parent_releases, 0);
	trn_parent_list_free(list);
	assert_int_equal(g.nr_parent_releases, 1);
	fake_finish(&f);
	assert_null(trn_parent_unref(NULL));
}

static void test_nothing_is_global(void **state)
{
	struct trn_core *other = trn_core_create();
	struct trn_device *a, *b;
	struct fake f, g;

	assert_non_null(other);
	fake_init(&f, core, "p0");
	fake_init(&g, other, "p0");
	a = fake_device(f.small, 1);
	b = fake_device(g.small, 1);
	assert_ptr_not_equal(a, b);
	trn_device_unref(a);
	trn_device_unref(b);
	fake_finish(&f);
	fake_finish(&g);
	trn_core_destroy(other);
	trn_core_destroy(NULL);
}

static void test_core_outlives_its_owner(void **state)
{
	struct trn_core *other = trn_core_create();
	struct fake f;

	fake_init(&f, other, "p0");
	assert_int_equal(trn_parent_unregister(f.parent, NULL, NULL), 0);
	trn_core_destroy(other);
	fake_finish(&f);
}

static void test_capacity(void **state)
{
	struct trn_resources total, left;
	struct trn_device *dev;
	struct fake f;

	fake_init(&f, core, "p0");
	dev = fake_device(f.mem, 1);
	trn_parent_get_capacity(f.parent, &total, &left);
	assert_memory_equal(&total, &fake_capacity, sizeof(total));
	assert_int_equal(left.amount[TRN_RESOURCE_MEMORY], 3 * FAKE_GIB / 4);
	assert_int_equal(left.amount[TRN_RESOURCE_SESSIONS], 14);
	assert_int_equal(left.amount[TRN_RESOURCE_UNITS], 8);
	trn_parent_get_capacity(f.parent, NULL, NULL);
	trn_device_unref(dev);
	fake_finish(&f);
}

static void test_available_fits_a_signed_int(void **state)
{
	struct trn_parent_desc desc = good;
	struct trn_parent *parent = NULL;

	desc.capacity.amount[TRN_RESOURCE_UNITS] = UINT64_MAX;
	assert_int_equal(trn_parent_register(core, &desc, &parent, NULL), 0);
	assert_int_equal(trn_type_get_available(trn_type_at(parent, 0)), INT_MAX);
	assert_int_equal(trn_type_get_available(trn_type_at(parent, 2)), 0); /* memory: none */
	assert_int_equal(trn_parent_unregister(parent, NULL, NULL), 0);
	assert_int_equal(trn_type_get_available(trn_type_at(parent, 0)), 0);
	trn_parent_unref(parent);
}

static void test_resource_names(void **state)
{
	assert_string_equal(trn_resource_name(TRN_RESOURCE_MEMORY), "memory");
	assert_string_equal(trn_resource_name(TRN_RESOURCE_TIME), "time");
	assert_string_equal(trn_resource_name(TRN_RESOURCE_SESSIONS), "sessions");
	assert_string_equal(trn_resource_name(TRN_RESOURCE_UNITS), "units");
	assert_string_equal(trn_resource_name(TRN_NR_RESOURCES), "unknown");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_driver_lacks_a_mandatory_call),
		T(test_driver_has_half_a_pair),
		T(test_driver_needs_names),
		T(test_parent_names),
		T(test_types_are_checked),
		T(test_c10_type_names_are_driver_and_type),
		T(test_description_is_copied),
		T(test_name_in_use),
		T(test_find_and_list_return_counted_references),
		T(test_nothing_is_global),
		T(test_core_outlives_its_owner),
		T(test_capacity),
		T(test_available_fits_a_signed_int),
		T(test_resource_names),
	};

	return unit_run(tests);
}
