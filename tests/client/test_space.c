/* SPDX-License-Identifier: MIT */
#include "client/space.h"

#include <errno.h>
#include <stdlib.h>

#include "unit.h"

static void test_first_fit(void **state)
{
	struct client_space s;
	uint64_t a, b, c;

	assert_int_equal(client_space_init(&s, 100), 0);
	assert_int_equal(client_space_take(&s, 10, 1, &a), 0);
	assert_int_equal(client_space_take(&s, 20, 1, &b), 0);
	assert_int_equal(client_space_take(&s, 70, 1, &c), 0);
	assert_int_equal(a, 0);
	assert_int_equal(b, 10);
	assert_int_equal(c, 30);
	assert_int_equal(client_space_take(&s, 1, 1, &a), -ENOSPC);
	assert_int_equal(client_space_give(&s, 10, 20), 0);
	assert_int_equal(client_space_give(&s, 10, 20), -EINVAL);
	assert_int_equal(client_space_give(&s, 29, 5), -EINVAL);
	assert_int_equal(client_space_take(&s, 21, 1, &a), -ENOSPC);
	assert_int_equal(client_space_give(&s, 0, 10), 0);
	assert_int_equal(client_space_give(&s, 30, 70), 0);
	assert_int_equal(s.nr_free, 1);
	assert_int_equal(client_space_take(&s, 100, 1, &a), 0);
	assert_int_equal(client_space_take(&s, 0, 1, &a), -EINVAL);
	client_space_finish(&s);
}

static void test_alignment(void **state)
{
	struct client_space s;
	uint64_t a;

	assert_int_equal(client_space_init(&s, 64), 0);
	assert_int_equal(client_space_take(&s, 1, 1, &a), 0);
	assert_int_equal(client_space_take(&s, 8, 16, &a), 0);
	assert_int_equal(a, 16);
	assert_int_equal(s.nr_free, 2);
	assert_int_equal(client_space_take(&s, 15, 1, &a), 0);
	assert_int_equal(a, 1);
	assert_int_equal(client_space_take(&s, 33, 32, &a), -ENOSPC);
	assert_int_equal(client_space_take(&s, 32, 32, &a), 0);
	assert_int_equal(a, 32);
	client_space_finish(&s);
}

/* Against a map of bytes. */
static void test_random(void **state)
{
	enum { SIZE = 512, NR = 64 };
	struct client_space s;
	struct {
		uint64_t start, len;
	} taken[NR] = { 0 };
	uint8_t map[SIZE] = { 0 };
	uint64_t all;

	srand(1);
	assert_int_equal(client_space_init(&s, SIZE), 0);
	for (int n = 0; n < 20000; n++) {
		int i = rand() % NR;

		if (taken[i].len) {
			assert_int_equal(client_space_give(&s, taken[i].start, taken[i].len), 0);
			for (uint64_t k = 0; k < taken[i].len; k++)
				map[taken[i].start + k] = 0;
			taken[i].len = 0;
			continue;
		}
		taken[i].len = 1 + (uint64_t)(rand() % 20);
		if (client_space_take(&s, taken[i].len, 1ull << (rand() % 4), &taken[i].start) < 0) {
			taken[i].len = 0;
			continue;
		}
		for (uint64_t k = 0; k < taken[i].len; k++) {
			assert_true(taken[i].start + k < SIZE && !map[taken[i].start + k]);
			map[taken[i].start + k] = 1;
		}
	}
	for (int i = 0; i < NR; i++)
		if (taken[i].len)
			assert_int_equal(client_space_give(&s, taken[i].start, taken[i].len), 0);
	assert_int_equal(client_space_take(&s, SIZE, 1, &all), 0);
	client_space_finish(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_fit),
		cmocka_unit_test(test_alignment),
		cmocka_unit_test(test_random),
	};

	return unit_run(tests);
}
