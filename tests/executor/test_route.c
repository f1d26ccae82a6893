/* SPDX-License-Identifier: MIT */
/* What is believed of launches, and the local size that the host chooses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "executor/pocl.h"
#include "executor/route.h"

static struct exec_routes routes;

static struct exec_route *fresh(uint64_t global)
{
	const struct exec_route_key key = { .dims = 1, .global = { global, 1, 1 } };

	return exec_routes_get(&routes, &key);
}

static void report(struct exec_route *r, uint64_t values, bool is_short, int times)
{
	for (int i = 0; i < times; i++)
		exec_route_report(r, values, is_short);
}

static void test_short_after_some(void **state)
{
	struct exec_route *r = fresh(1);

	(void)state;
	assert_false(exec_route_is_short(r, 7));
	assert_true(exec_route_wants_measure(r, 7));
	report(r, 7, true, 1);
	assert_false(exec_route_is_short(r, 7));
	report(r, 7, true, 1);
	assert_true(exec_route_is_short(r, 7));
	assert_false(exec_route_is_short(r, 8));
}

static void test_overrun_ends_it(void **state)
{
	struct exec_route *r = fresh(2);

	(void)state;
	report(r, 7, true, 5);
	report(r, 7, false, 1);
	assert_false(exec_route_is_short(r, 7));
	/* Harder to get than at first, and easy again after many that were right. */
	report(r, 7, true, 3);
	assert_false(exec_route_is_short(r, 7));
	report(r, 7, true, 1000);
	assert_true(exec_route_is_short(r, 7));
	report(r, 7, false, 1);
	report(r, 7, true, 4);
	assert_true(exec_route_is_short(r, 7));
}

/* Workers that were kept waiting do not end what many runs have shown; those of a kernel that is long do. */
static void test_doubts(void **state)
{
	struct exec_route *r = fresh(5);

	(void)state;
	report(r, 7, true, 100);
	exec_route_doubt(r, 7);
	assert_true(exec_route_is_short(r, 7));
	for (int i = 0; i < 6; i++)
		exec_route_doubt(r, 7);
	assert_false(exec_route_is_short(r, 7));
	for (int i = 0; i < 100; i++) {
		exec_route_doubt(r, 9);
		assert_false(exec_route_is_short(r, 9));
	}
}

/* A step counter: no value comes twice. */
static void test_values_that_change(void **state)
{
	struct exec_route *r = fresh(3);

	(void)state;
	for (uint64_t v = 0; v < 4; v++) {
		assert_false(exec_route_is_short(r, v));
		report(r, v, true, 1);
	}
	assert_true(exec_route_is_short(r, 1000));
	/* One that is long is known to be; the others must convince again. */
	report(r, 1001, false, 1);
	assert_false(exec_route_is_short(r, 1001));
	assert_false(exec_route_is_short(r, 1002));
	for (uint64_t v = 2000; v < 2008; v++)
		report(r, v, true, 1);
	assert_true(exec_route_is_short(r, 3000));
	assert_false(exec_route_is_short(r, 1001));
}

static void test_long_is_not_measured_always(void **state)
{
	struct exec_route *r = fresh(4);
	int measured = 0;

	(void)state;
	for (int i = 0; i < 1000; i++)
		measured += exec_route_wants_measure(r, 7);
	assert_in_range(measured, 8, 100);
}

static void test_places_are_given_away(void **state)
{
	struct exec_route *r = fresh(1000);
	uint64_t serial = r->serial;

	(void)state;
	assert_ptr_equal(fresh(1000), r);
	for (uint64_t i = 0; i < EXEC_MAX_ROUTES; i++)
		fresh(2000 + i);
	assert_int_not_equal(r->serial, serial);
}

/* Seen natively: PoCL 3.1 with two units and a preferred multiple of 8. */
static void test_local_size(void **state)
{
	static const struct {
		uint64_t global[3], local[3];
	} seen[] = {
		{ { 64, 1, 1 }, { 32, 1, 1 } },
		{ { 1, 1, 1 }, { 1, 1, 1 } },
		{ { 7, 1, 1 }, { 7, 1, 1 } },
		{ { 100, 1, 1 }, { 100, 1, 1 } },
		{ { 1024, 1, 1 }, { 512, 1, 1 } },
		{ { 4099, 1, 1 }, { 1, 1, 1 } },
		{ { 8192, 1, 1 }, { 4096, 1, 1 } },
		{ { 16, 16, 1 }, { 16, 8, 1 } },
		{ { 12, 30, 1 }, { 12, 30, 1 } },
		{ { 128, 64, 1 }, { 128, 32, 1 } },
		{ { 5, 7, 9 }, { 1, 7, 9 } },
		{ { 16, 16, 16 }, { 16, 16, 8 } },
		{ { 32, 32, 32 }, { 32, 16, 8 } },
		{ { 96, 2, 3 }, { 48, 2, 3 } },
	};
	const struct exec_pocl_limits limits = {
		.group = 4096, .items = { 4096, 4096, 4096 }, .multiple = 8, .units = 2,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(seen) / sizeof(seen[0]); i++) {
		uint64_t local[3];

		exec_pocl_local_size(&limits, seen[i].global, local);
		for (int d = 0; d < 3; d++)
			assert_int_equal(local[d], seen[i].local[d]);
	}
}

static void test_names(void **state)
{
	struct exec_route_key key = { .dims = 2, .global = { 64, 32, 1 } };
	const uint64_t local[3] = { 16, 2, 1 };
	char name[64];

	(void)state;
	assert_true(exec_pocl_function(name, sizeof(name), "k", local, &key));
	assert_string_equal(name, "k/16-2-1-goffs0-smallgrid/k.so");
	key.has_offset = 1;
	key.global[0] = 1 << 20;
	assert_true(exec_pocl_function(name, sizeof(name), "k", local, &key));
	assert_string_equal(name, "k/16-2-1/k.so");
	assert_false(exec_pocl_function(name, 10, "k", local, &key));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_short_after_some),
		cmocka_unit_test(test_overrun_ends_it),
		cmocka_unit_test(test_doubts),
		cmocka_unit_test(test_values_that_change),
		cmocka_unit_test(test_long_is_not_measured_always),
		cmocka_unit_test(test_places_are_given_away),
		cmocka_unit_test(test_local_size),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
