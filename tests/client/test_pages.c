/* SPDX-License-Identifier: MIT */
#include "client/pages.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

static void test_runs(void **state)
{
	struct client_pages p;

	assert_int_equal(client_pages_init(&p, 200), 0);
	assert_int_equal(client_pages_take(&p, 0), -ENOSPC);
	assert_int_equal(client_pages_take(&p, 201), -ENOSPC);
	assert_int_equal(client_pages_take(&p, 63), 0);
	assert_int_equal(client_pages_take(&p, 2), 63); /* over the border of a word */
	assert_int_equal(client_pages_take(&p, 135), 65);
	assert_int_equal(p.nr_free, 0);
	assert_int_equal(client_pages_take(&p, 1), -ENOSPC);
	client_pages_give(&p, 63, 2);
	assert_int_equal(client_pages_take(&p, 3), -ENOSPC);
	assert_int_equal(client_pages_take(&p, 2), 63);
	client_pages_give(&p, 0, 200);
	assert_int_equal(client_pages_take(&p, 200), 0);
	client_pages_finish(&p);
}

static void test_units(void **state)
{
	struct client_splits splits;
	struct client_pages p;
	void *owner = NULL;
	uint32_t unit;

	client_splits_init(&splits);
	assert_int_equal(client_pages_init(&p, 2), 0);
	assert_false(client_units_take(&splits, 1, &owner, &unit));
	assert_int_equal(client_pages_split(&p, &splits, &p, 17), 0);
	assert_true(client_units_take(&splits, 15, &owner, &unit));
	assert_ptr_equal(owner, &p);
	assert_int_equal(unit, 17);
	assert_false(client_units_take(&splits, 1, &owner, &unit)); /* exactly full */
	client_units_give(&p, &splits, 0, 17);
	assert_false(client_units_take(&splits, 18, &owner, &unit));
	assert_true(client_units_take(&splits, 2, &owner, &unit));
	assert_int_equal(unit, 0);
	assert_int_equal(client_pages_split(&p, &splits, &p, 31), 32);
	assert_int_equal(client_pages_split(&p, &splits, &p, 1), -ENOSPC);
	client_units_give(&p, &splits, 0, 2);
	client_units_give(&p, &splits, 17, 15);
	assert_int_equal(p.nr_free, 1); /* the page is whole again */
	client_pages_finish(&p); /* with a split page in use */
	for (unsigned int i = 0; i < CLIENT_UNITS_A_PAGE; i++)
		assert_true(base_list_is_empty(&splits.by_room[i]));
}

/* No two pieces overlap, and everything comes back. */
static void test_random(void **state)
{
	enum { PAGES = 100, NR = 300 };
	static uint8_t map[PAGES * CLIENT_UNITS_A_PAGE];
	struct {
		uint32_t unit, nr;
	} piece[NR] = { 0 };
	struct client_splits splits;
	struct client_pages p;

	srand(2);
	client_splits_init(&splits);
	assert_int_equal(client_pages_init(&p, PAGES), 0);
	for (int n = 0; n < 50000; n++) {
		int i = rand() % NR;
		int64_t at;
		void *owner;

		if (piece[i].nr) {
			memset(map + piece[i].unit, 0, piece[i].nr);
			if (piece[i].nr < CLIENT_UNITS_A_PAGE)
				client_units_give(&p, &splits, piece[i].unit, piece[i].nr);
			else
				client_pages_give(&p, piece[i].unit / CLIENT_UNITS_A_PAGE,
						  piece[i].nr / CLIENT_UNITS_A_PAGE);
			piece[i].nr = 0;
			continue;
		}
		if (rand() % 2) {
			piece[i].nr = 1 + (uint32_t)rand() % 31;
			if (!client_units_take(&splits, piece[i].nr, &owner, &piece[i].unit)) {
				at = client_pages_split(&p, &splits, &p, piece[i].nr);
				piece[i].unit = (uint32_t)at;
				if (at < 0)
					piece[i].nr = 0;
			}
		} else {
			piece[i].nr = (1 + (uint32_t)rand() % 5) * CLIENT_UNITS_A_PAGE;
			at = client_pages_take(&p, piece[i].nr / CLIENT_UNITS_A_PAGE);
			piece[i].unit = (uint32_t)at * CLIENT_UNITS_A_PAGE;
			if (at < 0)
				piece[i].nr = 0;
		}
		for (uint32_t k = 0; k < piece[i].nr; k++) {
			assert_true(piece[i].unit + k < sizeof(map) && !map[piece[i].unit + k]);
			map[piece[i].unit + k] = 1;
		}
	}
	for (int i = 0; i < NR; i++) {
		if (piece[i].nr && piece[i].nr < CLIENT_UNITS_A_PAGE)
			client_units_give(&p, &splits, piece[i].unit, piece[i].nr);
		else if (piece[i].nr)
			client_pages_give(&p, piece[i].unit / CLIENT_UNITS_A_PAGE, piece[i].nr / CLIENT_UNITS_A_PAGE);
	}
	assert_int_equal(p.nr_free, PAGES);
	assert_int_equal(client_pages_take(&p, PAGES), 0);
	client_pages_finish(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_units),
		cmocka_unit_test(test_random),
	};

	return unit_run(tests);
}
