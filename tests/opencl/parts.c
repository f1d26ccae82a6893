/* SPDX-License-Identifier: MIT */
#include "parts.h"

/* The parts that are tested refer to the table, but never call through it. */
const cl_icd_dispatch trncl_dispatch;

/* The host of these tests knows every buffer. */
cl_int buffer_announce_now(cl_mem mem)
{
	(void)mem;
	return CL_SUCCESS;
}

void put_kernel(struct base_blob *b, const char *name, const struct part_arg *args, size_t nr_args)
{
	const uint64_t group[3] = { 4, 1, 1 };
	size_t kernel = base_blob_begin(b, TRNC_TAG_KERNEL);

	base_blob_put_str(b, TRNC_TAG_KERNEL_NAME, name);
	base_blob_put_str(b, TRNC_TAG_KERNEL_ATTRIBUTES, "reqd_work_group_size(4,1,1)");
	base_blob_put_u64(b, TRNC_TAG_WORK_GROUP_SIZE, 4096);
	base_blob_put(b, TRNC_TAG_COMPILE_GROUP_SIZE, group, sizeof(group));
	base_blob_put_u64(b, TRNC_TAG_LOCAL_MEM, 64);
	base_blob_put_u64(b, TRNC_TAG_PRIVATE_MEM, 32);
	base_blob_put_u64(b, TRNC_TAG_PREFERRED_MULTIPLE, 8);
	for (size_t i = 0; i < nr_args; i++) {
		size_t arg = base_blob_begin(b, TRNC_TAG_ARG);

		base_blob_put_u32(b, TRNC_TAG_ARG_KIND, args[i].kind);
		base_blob_put_u32(b, TRNC_TAG_ARG_SIZE, args[i].size);
		base_blob_put_u32(b, TRNC_TAG_ARG_ADDRESS, CL_KERNEL_ARG_ADDRESS_GLOBAL);
		base_blob_put_u32(b, TRNC_TAG_ARG_ACCESS, CL_KERNEL_ARG_ACCESS_NONE);
		base_blob_put_u64(b, TRNC_TAG_ARG_QUALIFIER, CL_KERNEL_ARG_TYPE_CONST);
		base_blob_put_str(b, TRNC_TAG_ARG_TYPE_NAME, "float*");
		base_blob_put_str(b, TRNC_TAG_ARG_NAME, "a");
		base_blob_end(b, arg);
	}
	base_blob_end(b, kernel);
}

void put_reply(struct base_blob *b)
{
	static const struct part_arg vadd[] = { { TRNC_ARG_BUFFER, 8 }, { TRNC_ARG_BUFFER, 8 }, { TRNC_ARG_BUFFER, 8 } };
	static const struct part_arg scale[] = { { TRNC_ARG_VALUE, 4 }, { TRNC_ARG_LOCAL, 0 } };

	base_blob_put_u32(b, TRNC_TAG_STATUS, CL_SUCCESS);
	base_blob_put_u32(b, TRNC_TAG_BUILD_STATUS, CL_BUILD_SUCCESS);
	base_blob_put_str(b, TRNC_TAG_LOG, "1 warning");
	base_blob_put_u32(b, TRNC_TAG_BINARY_TYPE, CL_PROGRAM_BINARY_TYPE_EXECUTABLE);
	base_blob_put_u64(b, TRNC_TAG_GLOBALS_SIZE, 12);
	base_blob_put_u32(b, TRNC_TAG_PRINTF, 1);
	put_kernel(b, "vadd", vadd, 3);
	put_kernel(b, "scale", scale, 2);
}

int parse_copy(const uint8_t *data, size_t len, struct build_reply *ret)
{
	uint8_t *copy = malloc(len ? len : 1);
	int r;

	assert_non_null(copy);
	if (len)
		memcpy(copy, data, len);
	r = build_reply_parse(copy, len, ret);
	free(copy);
	return r;
}
