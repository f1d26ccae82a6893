/* SPDX-License-Identifier: MIT */
#include "base/handles.h"

#include <errno.h>

#include "unit.h"

static uint64_t handle(uint32_t generation, uint32_t index)
{
	return (uint64_t)generation << 32 | index;
}

static void test_add_get_remove(void **state)
{
	struct base_handles h;
	int a, b;

	base_handles_init(&h, 100);
	assert_null(base_handles_get(&h, handle(1, 0)));
	assert_int_equal(base_handles_add(&h, handle(1, 0), &a), 0);
	assert_int_equal(base_handles_add(&h, handle(7, 99), &b), 0);
	assert_ptr_equal(base_handles_get(&h, handle(1, 0)), &a);
	assert_ptr_equal(base_handles_get(&h, handle(7, 99)), &b);
	assert_ptr_equal(base_handles_remove(&h, handle(1, 0)), &a);
	assert_null(base_handles_remove(&h, handle(1, 0)));
	assert_null(base_handles_get(&h, handle(1, 0)));
	base_handles_finish(&h);
}

static void test_generation_must_match(void **state)
{
	struct base_handles h;
	int a, b;

	base_handles_init(&h, 100);
	assert_int_equal(base_handles_add(&h, handle(1, 5), &a), 0);
	assert_int_equal(base_handles_add(&h, handle(2, 5), &b), -EEXIST);
	assert_null(base_handles_get(&h, handle(2, 5)));
	assert_null(base_handles_remove(&h, handle(2, 5)));
	assert_ptr_equal(base_handles_remove(&h, handle(1, 5)), &a);
	assert_int_equal(base_handles_add(&h, handle(2, 5), &b), 0);
	assert_null(base_handles_get(&h, handle(1, 5)));
	assert_ptr_equal(base_handles_get(&h, handle(2, 5)), &b);
	base_handles_finish(&h);
}

static void test_limits(void **state)
{
	struct base_handles h;
	int a;

	base_handles_init(&h, 20);
	assert_int_equal(base_handles_add(&h, handle(1, 20), &a), -EINVAL);
	assert_int_equal(base_handles_add(&h, handle(1, UINT32_MAX), &a), -EINVAL);
	assert_int_equal(base_handles_add(&h, handle(0, 3), &a), -EINVAL);
	assert_int_equal(base_handles_add(&h, handle(UINT32_MAX, 19), &a), 0);
	assert_true(h.nr_slots <= 20);
	assert_null(base_handles_get(&h, handle(0, 3))); /* an empty slot has generation 0 */
	assert_null(base_handles_get(&h, handle(1, UINT32_MAX)));
	base_handles_finish(&h);

	base_handles_init(&h, 0);
	assert_int_equal(base_handles_add(&h, handle(1, 0), &a), -EINVAL);
	base_handles_finish(&h);
}

static void test_next_walks_all(void **state)
{
	struct base_handles h;
	int objects[3], seen = 0;
	uint32_t pos = 0;
	int *obj;

	base_handles_init(&h, 1000);
	assert_null(base_handles_next(&h, &pos));
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(base_handles_add(&h, handle(1, i * 450), &objects[i]), 0);
	while ((obj = base_handles_next(&h, &pos)))
		seen |= 1 << (obj - objects);
	assert_int_equal(seen, 7);
	base_handles_finish(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_add_get_remove),
		cmocka_unit_test(test_generation_must_match),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_next_walks_all),
	};

	return unit_run(tests);
}
