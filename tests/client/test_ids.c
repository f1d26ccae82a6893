/* SPDX-License-Identifier: MIT */
#include "client/ids.h"

#include "unit.h"

static void test_generations(void **state)
{
	struct client_ids ids;
	uint64_t a, b, c;

	client_ids_init(&ids, 2);
	a = client_ids_new(&ids);
	b = client_ids_new(&ids);
	assert_true(a && b && (uint32_t)a != (uint32_t)b);
	assert_true(client_ids_is_full(&ids));
	assert_int_equal(client_ids_new(&ids), 0);
	assert_true(client_ids_free(&ids, a));
	assert_false(client_ids_free(&ids, a));
	assert_false(client_ids_is_live(&ids, a));
	c = client_ids_new(&ids);
	assert_int_equal((uint32_t)c, (uint32_t)a);
	assert_true(c >> 32 != a >> 32 && c >> 32);
	assert_false(client_ids_free(&ids, a)); /* late, must not hit the successor */
	assert_true(client_ids_is_live(&ids, c));
	assert_false(client_ids_free(&ids, 0));
	assert_false(client_ids_free(&ids, UINT64_MAX));
	client_ids_finish(&ids);
}

static void test_many(void **state)
{
	enum { NR = 100000 };
	struct client_ids ids;

	client_ids_init(&ids, NR);
	for (uint32_t i = 0; i < NR; i++)
		assert_int_equal((uint32_t)client_ids_new(&ids), i);
	assert_int_equal(client_ids_new(&ids), 0);
	ids.limit++;
	assert_int_equal((uint32_t)client_ids_new(&ids), NR);
	client_ids_finish(&ids);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_generations),
		cmocka_unit_test(test_many),
	};

	return unit_run(tests);
}
