/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "opencl/device.h"
#include "opencl/host_answers.h"
#include "parts.h"

static void put_answer(struct base_blob *b, uint32_t tag, uint32_t param, int32_t error, const void *value, size_t len)
{
	uint8_t bytes[256];
	uint32_t prefix[2] = { param, (uint32_t)error };

	assert_true(len <= sizeof(bytes) - sizeof(prefix));
	memcpy(bytes, prefix, sizeof(prefix));
	if (len)
		memcpy(bytes + sizeof(prefix), value, len);
	base_blob_put(b, tag, bytes, sizeof(prefix) + len);
}

static void test_answers_are_found(void **state)
{
	const uint32_t units = 2;
	struct host_answers *a;
	struct base_blob b = { 0 };
	const void *value;
	size_t size = 99;

	put_answer(&b, TRNC_TAG_DEVICE_INFO, CL_DEVICE_NAME, 0, "cpu", 4);
	put_answer(&b, TRNC_TAG_DEVICE_INFO, CL_DEVICE_MAX_COMPUTE_UNITS, 0, &units, sizeof(units));
	put_answer(&b, TRNC_TAG_DEVICE_ERROR, 0x4242, CL_INVALID_OPERATION, NULL, 0);
	put_answer(&b, TRNC_TAG_PLATFORM_INFO, CL_PLATFORM_NAME, 0, "p", 2);
	put_answer(&b, TRNC_TAG_DEVICE_INFO, CL_DEVICE_ILS_WITH_VERSION, 0, NULL, 0);
	assert_int_equal(host_answers_new(b.data, b.len, &a), 0);

	value = host_answers_find(a, TRNC_TAG_DEVICE_INFO, CL_DEVICE_MAX_COMPUTE_UNITS, &size);
	assert_non_null(value);
	assert_int_equal(size, sizeof(units));
	assert_memory_equal(value, &units, sizeof(units));
	assert_string_equal(host_answers_find(a, TRNC_TAG_DEVICE_INFO, CL_DEVICE_NAME, &size), "cpu");
	assert_string_equal(host_answers_find(a, TRNC_TAG_PLATFORM_INFO, CL_PLATFORM_NAME, &size), "p");
	assert_non_null(host_answers_find(a, TRNC_TAG_DEVICE_INFO, CL_DEVICE_ILS_WITH_VERSION, &size));
	assert_int_equal(size, 0);
	assert_null(host_answers_find(a, TRNC_TAG_DEVICE_INFO, 0x4242, &size));
	assert_int_equal(host_answers_error(a, 0x4242), CL_INVALID_OPERATION);
	assert_int_equal(host_answers_error(a, 0x4243), CL_INVALID_VALUE);
	host_answers_free(a);
	base_blob_finish(&b);
}

static void test_malformed_answers_are_refused(void **state)
{
	struct host_answers *a;
	struct base_blob b = { 0 };

	base_blob_put_u32(&b, TRNC_TAG_DEVICE_INFO, 7); /* no room for the prefix */
	assert_int_equal(host_answers_new(b.data, b.len, &a), -EPROTO);
	base_blob_finish(&b);

	put_answer(&b, TRNC_TAG_DEVICE_ERROR, 1, 5, NULL, 0); /* not an error */
	assert_int_equal(host_answers_new(b.data, b.len, &a), -EPROTO);
	base_blob_finish(&b);

	put_answer(&b, TRNC_TAG_DEVICE_INFO, 1, 5, NULL, 0); /* reserved word not 0 */
	assert_int_equal(host_answers_new(b.data, b.len, &a), -EPROTO);
	base_blob_finish(&b);

	put_answer(&b, TRNC_TAG_DEVICE_INFO, 1, 0, "x", 1);
	assert_int_equal(host_answers_new(b.data, b.len - 1, &a), -EPROTO);
	base_blob_finish(&b);
}

static void test_extensions_are_filtered(void **state)
{
	static const char whole[] = " cl_khr_fp64   cl_khr_spir ";
	char *text = extensions_filter("cl_khr_fp64  cl_khr_gl_sharing   cl_khr_spir cl_khr_fp6 ");
	cl_name_version list[3] = { { 1, "cl_khr_gl_sharing" }, { 2, "__opencl_c_fp64" }, { 3, "__opencl_c_pipes" } };

	assert_string_equal(text, "cl_khr_fp64   cl_khr_spir");
	free(text);
	text = extensions_filter(" cl_khr_gl_sharing cl_khr_fp64");
	assert_string_equal(text, "cl_khr_fp64");
	free(text);
	text = extensions_filter(whole);
	assert_string_equal(text, whole);
	free(text);
	text = extensions_filter("");
	assert_string_equal(text, "");
	free(text);
	assert_int_equal(extensions_filter_versions(list, 3), 1);
	assert_string_equal(list[0].name, "__opencl_c_fp64");
	memset(list[0].name, 'x', sizeof(list[0].name)); /* a name without end */
	assert_int_equal(extensions_filter_versions(list, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers_are_found),
		cmocka_unit_test(test_malformed_answers_are_refused),
		cmocka_unit_test(test_extensions_are_filtered),
	};

	return cmocka_run_group_tests_name("host_answers", tests, NULL, NULL);
}
