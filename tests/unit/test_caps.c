/* SPDX-License-Identifier: MIT */
/* C12: capability chains: headers, offsets that count from where the chain lies, padding. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tranche/device.h"
#include "unit.h"

static struct trn_caps *caps;

static int setup(void **state)
{
	caps = trn_caps_new();
	return caps ? 0 : -1;
}

static int teardown(void **state)
{
	trn_caps_free(caps);
	trn_caps_free(NULL);
	return 0;
}

static void test_empty(void **state)
{
	assert_int_equal(trn_caps_len(caps), 0);
}

static void test_one(void **state)
{
	uint8_t buf[16];
	const uint8_t want[] = { 3, 0, 2, 0, 0, 0, 0, 0, 'a', 'b', 'c', 0, 0, 0, 0, 0 };

	assert_int_equal(trn_caps_add(caps, 3, 2, "abc", 3), 0);
	assert_int_equal(trn_caps_len(caps), sizeof(want));
	trn_caps_write(caps, buf, 32);
	assert_memory_equal(buf, want, sizeof(want));
}

static void test_chain_counts_from_its_base(void **state)
{
	uint8_t buf[8 + 16 + 24];
	uint32_t next;

	assert_int_equal(trn_caps_add(caps, 1, 1, NULL, 0), 0);
	assert_int_equal(trn_caps_add(caps, 2, 1, "12345678", 8), 0);
	assert_int_equal(trn_caps_add(caps, 3, 1, "123456789", 9), 0);
	assert_int_equal(trn_caps_len(caps), sizeof(buf));
	trn_caps_write(caps, buf, 48);
	memcpy(&next, buf + 4, 4);
	assert_int_equal(next, 48 + 8);
	memcpy(&next, buf + 8 + 4, 4);
	assert_int_equal(next, 48 + 24);
	memcpy(&next, buf + 24 + 4, 4);
	assert_int_equal(next, 0);
	assert_int_equal(buf[24], 3);
	assert_int_equal(buf[24 + 8 + 8], '9');
	/* Again elsewhere: writing changes nothing. */
	trn_caps_write(caps, buf, 0);
	memcpy(&next, buf + 4, 4);
	assert_int_equal(next, 8);
}

static void test_limits(void **state)
{
	uint8_t *data = calloc(1, (64 << 10) + 1);

	assert_int_equal(trn_caps_add(caps, 1, 1, data, (64 << 10) + 1), -EINVAL);
	assert_int_equal(trn_caps_len(caps), 0);
	assert_int_equal(trn_caps_add(caps, 1, 1, data, SIZE_MAX), -EINVAL);
	for (unsigned int i = 0; i < 15; i++)
		assert_int_equal(trn_caps_add(caps, 1, 1, data, 64 << 10), 0);
	/* The chain itself is bounded too, and stays as it was. */
	assert_int_equal(trn_caps_add(caps, 1, 1, data, 64 << 10), -EINVAL);
	assert_int_equal(trn_caps_len(caps), 15 * ((64 << 10) + 8));
	free(data);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_empty),
		T(test_one),
		T(test_chain_counts_from_its_base),
		T(test_limits),
	};

	return unit_run(tests);
}
