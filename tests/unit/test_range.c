/* SPDX-License-Identifier: MIT */
/* Ranges, and the list beside them. */
#include "base/range.h"

#include "base/list.h"
#include "unit.h"

static void test_within(void **state)
{
	assert_true(base_range_is_within(0, 0, 0));
	assert_true(base_range_is_within(0, 10, 10));
	assert_true(base_range_is_within(10, 0, 10));
	assert_true(base_range_is_within(3, 7, 10));
	assert_false(base_range_is_within(3, 8, 10));
	assert_false(base_range_is_within(11, 0, 10));
	assert_true(base_range_is_within(0, UINT64_MAX, UINT64_MAX));
	assert_false(base_range_is_within(1, UINT64_MAX, UINT64_MAX));
	assert_false(base_range_is_within(UINT64_MAX, 1, UINT64_MAX));
	assert_false(base_range_is_within(UINT64_MAX - 4, 8, 100));
}

static void test_overlaps(void **state)
{
	assert_true(base_range_overlaps(0, 10, 9, 1));
	assert_false(base_range_overlaps(0, 10, 10, 1));
	assert_false(base_range_overlaps(10, 1, 0, 10));
	assert_false(base_range_overlaps(5, 0, 0, 10));
	assert_false(base_range_overlaps(0, 10, 5, 0));
	assert_true(base_range_overlaps(2, 3, 0, 10));
}

static void test_pages(void **state)
{
	uint64_t v = 77;

	assert_true(base_is_page_aligned(0));
	assert_true(base_is_page_aligned(8192));
	assert_false(base_is_page_aligned(4095));
	assert_true(base_round_up(0, 8, &v));
	assert_int_equal(v, 0);
	assert_true(base_round_up(1, 4096, &v));
	assert_int_equal(v, 4096);
	assert_true(base_round_up(UINT64_MAX - 7, 8, &v));
	assert_int_equal(v, UINT64_MAX - 7);
	assert_false(base_round_up(UINT64_MAX - 6, 8, &v));
	assert_false(base_round_up(UINT64_MAX, 4096, &v));
	assert_int_equal(v, UINT64_MAX - 7);
}

struct item {
	struct base_list node;
	int number;
};

static void test_list(void **state)
{
	struct item items[3] = { { .number = 1 }, { .number = 2 }, { .number = 3 } };
	struct base_list head;
	struct item *pos, *tmp;
	int seen = 0;

	base_list_init(&head);
	assert_true(base_list_is_empty(&head));
	for (int i = 0; i < 3; i++)
		base_list_append(&head, &items[i].node);
	base_list_for_each(pos, &head, node)
		seen = seen * 10 + pos->number;
	assert_int_equal(seen, 123);

	base_list_remove(&items[1].node);
	base_list_remove(&items[1].node); /* twice is harmless */
	assert_true(base_list_is_empty(&items[1].node));
	seen = 0;
	base_list_for_each_safe(pos, tmp, &head, node) {
		seen = seen * 10 + pos->number;
		base_list_remove(&pos->node);
	}
	assert_int_equal(seen, 13);
	assert_true(base_list_is_empty(&head));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_within),
		cmocka_unit_test(test_overlaps),
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_list),
	};

	return unit_run(tests);
}
