/* SPDX-License-Identifier: MIT */
/* The reply to a build, decoded.  It comes from the executor, which is not trusted: everything in it is checked here. */
#ifndef OPENCL_KERNEL_TABLE_H
#define OPENCL_KERNEL_TABLE_H

#include "base/blob.h"
#include "opencl/objects.h"

#define KERNEL_TABLE_MAX 65536u	  /* kernels of a program */
#define KERNEL_ARGS_MAX 4096u	  /* arguments of a kernel */
#define KERNEL_ARGS_BYTES 32000u /* of all arguments in one record, beside a full wait list */

struct build_reply {
	cl_int status; /* of the call as a whole */
	cl_build_status build_status;
	char *log; /* malloc'ed; may be NULL */
	cl_program_binary_type binary_type;
	uint64_t globals_size;
	bool may_print;
	cl_int binary_status; /* of a load */
	struct kernel_table *table; /* one reference */
};

/* Return: 0, -EPROTO or -ENOMEM (then there is nothing to finish). */
int build_reply_parse(const void *blob, size_t len, struct build_reply *ret);
void build_reply_finish(struct build_reply *r);

/* One TRNC_TAG_KERNEL's items. 0, -EPROTO, -ENOMEM; the caller frees what is in *ret with kernel_info_finish() always. */
int kernel_info_parse(const struct base_blob_item *it, struct kernel_info *ret);
void kernel_info_finish(struct kernel_info *k);

#endif
