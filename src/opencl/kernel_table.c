/* SPDX-License-Identifier: MIT */
#include "opencl/kernel_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct kernel_table *kernel_table_ref(struct kernel_table *t)
{
	atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
	return t;
}

struct kernel_table *kernel_table_unref(struct kernel_table *t)
{
	if (!t || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
		return NULL;
	for (uint32_t i = 0; i < t->nr_kernels; i++)
		kernel_info_finish(&t->kernels[i]);
	free(t->kernels);
	free(t);
	return NULL;
}

static struct kernel_table *table_new(size_t nr)
{
	struct kernel_table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	atomic_init(&t->refs, 1);
	t->kernels = calloc(nr ? nr : 1, sizeof(t->kernels[0]));
	if (!t->kernels) {
		free(t);
		return NULL;
	}
	return t;
}

/* 0 or a negative OpenCL error. */
static int take_error(const struct base_blob_item *it, cl_int *ret)
{
	uint32_t v;

	if (!base_blob_u32(it, &v) || (int32_t)v > 0)
		return -EPROTO;
	*ret = (cl_int)v;
	return 0;
}

static int take_log(const struct base_blob_item *it, struct build_reply *r)
{
	const char *text = base_blob_str(it);

	if (!text || r->log)
		return -EPROTO;
	r->log = strdup(text);
	return r->log ? 0 : -ENOMEM;
}

static int reply_item(const struct base_blob_item *it, struct build_reply *r)
{
	uint32_t v;
	int err;

	switch (it->tag) {
	case TRNC_TAG_STATUS:
		return take_error(it, &r->status);
	case TRNC_TAG_BUILD_STATUS:
		return take_error(it, &r->build_status);
	case TRNC_TAG_BINARY_STATUS:
		return take_error(it, &r->binary_status);
	case TRNC_TAG_LOG:
		return take_log(it, r);
	case TRNC_TAG_BINARY_TYPE:
		return base_blob_u32(it, &r->binary_type) ? 0 : -EPROTO;
	case TRNC_TAG_GLOBALS_SIZE:
		return base_blob_u64(it, &r->globals_size) ? 0 : -EPROTO;
	case TRNC_TAG_PRINTF:
		if (!base_blob_u32(it, &v))
			return -EPROTO;
		r->may_print = v != 0;
		return 0;
	case TRNC_TAG_KERNEL:
		err = kernel_info_parse(it, &r->table->kernels[r->table->nr_kernels]);
		r->table->nr_kernels++; /* a half-parsed one is freed with the table */
		return err;
	default:
		return 0;
	}
}

int build_reply_parse(const void *blob, size_t len, struct build_reply *ret)
{
	struct build_reply reply = { .build_status = CL_BUILD_NONE };
	struct base_blob_reader r;
	struct base_blob_item it;
	size_t nr_kernels = 0;
	int err = 0;

	base_blob_reader_init(&r, blob, len);
	while (base_blob_next(&r, &it))
		nr_kernels += it.tag == TRNC_TAG_KERNEL;
	if (r.malformed || nr_kernels > KERNEL_TABLE_MAX)
		return -EPROTO;
	reply.table = table_new(nr_kernels);
	if (!reply.table)
		return -ENOMEM;

	base_blob_reader_init(&r, blob, len);
	while (!err && base_blob_next(&r, &it))
		err = reply_item(&it, &reply);
	/* "In progress" is for us to say. */
	if (!err && reply.build_status < CL_BUILD_ERROR)
		err = -EPROTO;
	if (err) {
		build_reply_finish(&reply);
		return err;
	}
	*ret = reply;
	return 0;
}

void build_reply_finish(struct build_reply *r)
{
	r->table = kernel_table_unref(r->table);
	free(r->log);
	r->log = NULL;
}
