/* SPDX-License-Identifier: MIT */
/* The reply to a build comes from the executor, which may have been taken over by a kernel: nothing in it is trusted. */
#include <errno.h>

#include "parts.h"

static void refuse(struct base_blob *b)
{
	struct build_reply reply;

	assert_false(b->failed);
	assert_int_equal(parse_copy(b->data, b->len, &reply), -EPROTO);
	base_blob_finish(b);
}

static void accept(struct base_blob *b)
{
	struct build_reply reply;

	assert_false(b->failed);
	assert_int_equal(parse_copy(b->data, b->len, &reply), 0);
	build_reply_finish(&reply);
	base_blob_finish(b);
}

static void test_everything_is_taken_over(void **state)
{
	struct base_blob b = { 0 };
	struct build_reply reply;
	struct kernel_info *k;

	put_reply(&b);
	assert_int_equal(parse_copy(b.data, b.len, &reply), 0);
	assert_int_equal(reply.status, CL_SUCCESS);
	assert_int_equal(reply.build_status, CL_BUILD_SUCCESS);
	assert_string_equal(reply.log, "1 warning");
	assert_int_equal(reply.binary_type, CL_PROGRAM_BINARY_TYPE_EXECUTABLE);
	assert_int_equal(reply.globals_size, 12);
	assert_true(reply.may_print);
	assert_int_equal(reply.table->nr_kernels, 2);
	k = &reply.table->kernels[0];
	assert_string_equal(k->name, "vadd");
	assert_int_equal(k->work_group_size, 4096);
	assert_int_equal(k->compile_group_size[0], 4);
	assert_int_equal(k->nr_args, 3);
	assert_int_equal(k->args[2].kind, TRNC_ARG_BUFFER);
	assert_true(k->args[2].has_info);
	assert_string_equal(k->args[2].type_name, "float*");
	assert_string_equal(reply.table->kernels[1].name, "scale");
	assert_int_equal(reply.table->kernels[1].args[0].size, 4);
	build_reply_finish(&reply);
	base_blob_finish(&b);
}

static void test_empty_reply_is_a_program_never_built(void **state)
{
	struct build_reply reply;

	assert_int_equal(parse_copy(NULL, 0, &reply), 0);
	assert_int_equal(reply.build_status, CL_BUILD_NONE);
	assert_int_equal(reply.table->nr_kernels, 0);
	build_reply_finish(&reply);
}

static void test_unknown_items_are_skipped(void **state)
{
	struct base_blob b = { 0 };

	base_blob_put_u32(&b, 9999, 1);
	put_reply(&b);
	accept(&b);
}

static void test_positive_statuses_are_refused(void **state)
{
	static const uint32_t tags[] = { TRNC_TAG_STATUS, TRNC_TAG_BUILD_STATUS, TRNC_TAG_BINARY_STATUS };

	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
		struct base_blob b = { 0 };

		base_blob_put_u32(&b, tags[i], 1);
		refuse(&b);
	}
}

static void test_in_progress_is_refused(void **state)
{
	struct base_blob b = { 0 };

	base_blob_put_u32(&b, TRNC_TAG_BUILD_STATUS, (uint32_t)CL_BUILD_IN_PROGRESS);
	refuse(&b);
}

static void test_log_without_end_is_refused(void **state)
{
	struct base_blob b = { 0 };

	base_blob_put(&b, TRNC_TAG_LOG, "abcdefgh", 8);
	refuse(&b);
}

static void test_second_log_is_refused(void **state)
{
	struct base_blob b = { 0 };

	base_blob_put_str(&b, TRNC_TAG_LOG, "one");
	base_blob_put_str(&b, TRNC_TAG_LOG, "two");
	refuse(&b);
}

static void test_kernel_without_name_is_refused(void **state)
{
	struct base_blob b = { 0 };
	size_t kernel = base_blob_begin(&b, TRNC_TAG_KERNEL);

	base_blob_put_u64(&b, TRNC_TAG_WORK_GROUP_SIZE, 1);
	base_blob_end(&b, kernel);
	refuse(&b);

	put_kernel(&b, "", NULL, 0);
	refuse(&b);
}

static void test_short_numbers_are_refused(void **state)
{
	static const uint32_t tags[] = { TRNC_TAG_WORK_GROUP_SIZE, TRNC_TAG_COMPILE_GROUP_SIZE, TRNC_TAG_LOCAL_MEM };

	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
		struct base_blob b = { 0 };
		size_t kernel = base_blob_begin(&b, TRNC_TAG_KERNEL);

		base_blob_put_str(&b, TRNC_TAG_KERNEL_NAME, "k");
		base_blob_put_u32(&b, tags[i], 1);
		base_blob_end(&b, kernel);
		refuse(&b);
	}
}

static void test_argument_sizes_must_suit_their_kinds(void **state)
{
	static const struct {
		struct part_arg arg;
		int want;
	} table[] = {
		{ { TRNC_ARG_VALUE, 0 }, 0 }, /* the host takes any size */
		{ { TRNC_ARG_VALUE, 1 }, 0 },
		{ { TRNC_ARG_VALUE, KERNEL_ARGS_BYTES + 1 }, -EPROTO },
		{ { TRNC_ARG_VALUE, UINT32_MAX }, -EPROTO },
		{ { TRNC_ARG_BUFFER, 8 }, 0 },
		{ { TRNC_ARG_BUFFER, 4 }, -EPROTO },
		{ { TRNC_ARG_LOCAL, 0 }, 0 },
		{ { TRNC_ARG_LOCAL, 8 }, -EPROTO },
		{ { TRNC_ARG_IMAGE, 8 }, 0 },
		{ { 0, 8 }, -EPROTO },
		{ { 77, 8 }, -EPROTO },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct base_blob b = { 0 };

		put_kernel(&b, "k", &table[i].arg, 1);
		if (table[i].want)
			refuse(&b);
		else
			accept(&b);
	}
}

static void test_arguments_must_fit_into_a_record(void **state)
{
	struct part_arg args[3] = { { TRNC_ARG_VALUE, 10000 }, { TRNC_ARG_VALUE, 10000 }, { TRNC_ARG_VALUE, 10000 } };
	struct base_blob b = { 0 };

	put_kernel(&b, "k", args, 3);
	accept(&b);
	args[2].size = 20000;
	put_kernel(&b, "k", args, 3);
	refuse(&b);
}

static void test_too_many_arguments_are_refused(void **state)
{
	struct base_blob b = { 0 };
	size_t kernel = base_blob_begin(&b, TRNC_TAG_KERNEL);

	base_blob_put_str(&b, TRNC_TAG_KERNEL_NAME, "k");
	for (size_t i = 0; i <= KERNEL_ARGS_MAX; i++)
		base_blob_put(&b, TRNC_TAG_ARG, NULL, 0);
	base_blob_end(&b, kernel);
	refuse(&b);
}

static void test_too_many_kernels_are_refused(void **state)
{
	struct base_blob b = { 0 };

	for (size_t i = 0; i <= KERNEL_TABLE_MAX; i++)
		base_blob_put(&b, TRNC_TAG_KERNEL, NULL, 0);
	refuse(&b);
}

/* Whatever comes of it, nothing is read or freed that should not be: for the sanitizers. */
static void test_every_cut_and_every_changed_byte(void **state)
{
	static const uint8_t values[] = { 0x00, 0x01, 0x7f, 0x80, 0xff };
	struct base_blob b = { 0 };
	struct build_reply reply;

	put_reply(&b);
	for (size_t len = 0; len < b.len; len++)
		if (parse_copy(b.data, len, &reply) == 0)
			build_reply_finish(&reply);
	for (size_t i = 0; i < b.len; i++) {
		uint8_t kept = b.data[i];

		for (size_t v = 0; v < sizeof(values); v++) {
			b.data[i] = values[v];
			if (parse_copy(b.data, b.len, &reply) == 0)
				build_reply_finish(&reply);
		}
		b.data[i] = kept;
	}
	base_blob_finish(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everything_is_taken_over),
		cmocka_unit_test(test_empty_reply_is_a_program_never_built),
		cmocka_unit_test(test_unknown_items_are_skipped),
		cmocka_unit_test(test_positive_statuses_are_refused),
		cmocka_unit_test(test_in_progress_is_refused),
		cmocka_unit_test(test_log_without_end_is_refused),
		cmocka_unit_test(test_second_log_is_refused),
		cmocka_unit_test(test_kernel_without_name_is_refused),
		cmocka_unit_test(test_short_numbers_are_refused),
		cmocka_unit_test(test_argument_sizes_must_suit_their_kinds),
		cmocka_unit_test(test_arguments_must_fit_into_a_record),
		cmocka_unit_test(test_too_many_arguments_are_refused),
		cmocka_unit_test(test_too_many_kernels_are_refused),
		cmocka_unit_test(test_every_cut_and_every_changed_byte),
	};

	return cmocka_run_group_tests_name("build_reply", tests, NULL, NULL);
}
