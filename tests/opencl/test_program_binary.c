/* SPDX-License-Identifier: MIT */
#include "opencl/program_binary.h"
#include "parts.h"

/* Unwraps a copy that is exactly len bytes long. */
static cl_int unwrap_copy(const void *bytes, size_t len, size_t *ret_len)
{
	uint8_t *copy = malloc(len ? len : 1);
	const void *host;
	cl_int error;

	assert_non_null(copy);
	if (len)
		memcpy(copy, bytes, len);
	error = program_binary_unwrap(copy, len, &host, ret_len);
	free(copy);
	return error;
}

static void test_round_trip(void **state)
{
	const void *host;
	void *all;
	size_t len, host_len;

	assert_int_equal(program_binary_wrap("poclbin..", 9, &all, &len), CL_SUCCESS);
	assert_int_equal(len, sizeof(struct binary_head) + 9);
	assert_int_equal(program_binary_unwrap(all, len, &host, &host_len), CL_SUCCESS);
	assert_int_equal(host_len, 9);
	assert_memory_equal(host, "poclbin..", 9);
	free(all);
}

static void test_the_hosts_own_kind_passes(void **state)
{
	const char bytes[] = "poclbin and more";
	const void *host;
	size_t len;

	assert_int_equal(program_binary_unwrap(bytes, sizeof(bytes), &host, &len), CL_SUCCESS);
	assert_ptr_equal(host, bytes);
	assert_int_equal(len, sizeof(bytes));
}

static void test_cut_and_damaged_ones_are_found_out(void **state)
{
	size_t len, host_len;
	void *all;
	uint8_t *bytes;

	assert_int_equal(program_binary_wrap("0123456789", 10, &all, &len), CL_SUCCESS);
	bytes = all;
	for (size_t cut = 1; cut < len; cut++)
		assert_int_equal(unwrap_copy(bytes, cut, &host_len), CL_INVALID_BINARY);
	for (size_t i = sizeof(((struct binary_head *)all)->magic); i < len; i++) {
		bytes[i] ^= 0x10;
		assert_int_equal(unwrap_copy(bytes, len, &host_len), CL_INVALID_BINARY);
		bytes[i] ^= 0x10;
	}
	assert_int_equal(unwrap_copy(bytes, len, &host_len), CL_SUCCESS);
	free(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_the_hosts_own_kind_passes),
		cmocka_unit_test(test_cut_and_damaged_ones_are_found_out),
	};

	return cmocka_run_group_tests_name("program_binary", tests, NULL, NULL);
}
