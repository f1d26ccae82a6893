/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "executor/kernel_table.h"

static uint32_t count(const void *data, size_t len, uint32_t tag)
{
	struct base_blob_reader r;
	struct base_blob_item it;
	uint32_t nr = 0;

	base_blob_reader_init(&r, data, len);
	while (base_blob_next(&r, &it))
		nr += it.tag == tag;
	return nr;
}

static bool parse_arg(const struct base_blob_item *arg, uint8_t *ret)
{
	struct base_blob_reader r;
	struct base_blob_item it;
	uint32_t kind = 0;

	base_blob_reader_init(&r, arg->data, arg->len);
	while (base_blob_next(&r, &it))
		if (it.tag == TRNC_TAG_ARG_KIND && !base_blob_u32(&it, &kind))
			return false;
	*ret = (uint8_t)kind;
	return !r.malformed && kind <= UINT8_MAX;
}

static bool parse_kernel(const struct base_blob_item *kernel, struct exec_kernel_entry *entry)
{
	struct base_blob_reader r;
	struct base_blob_item it;
	uint32_t arg = 0;

	entry->nr_args = count(kernel->data, kernel->len, TRNC_TAG_ARG);
	entry->kinds = calloc(entry->nr_args + 1u, 1);
	if (!entry->kinds)
		return false;
	base_blob_reader_init(&r, kernel->data, kernel->len);
	while (base_blob_next(&r, &it)) {
		if (it.tag == TRNC_TAG_KERNEL_NAME && !entry->name && base_blob_str(&it))
			entry->name = strdup(base_blob_str(&it));
		else if (it.tag == TRNC_TAG_ARG && !parse_arg(&it, &entry->kinds[arg++]))
			return false;
	}
	return entry->name && !r.malformed;
}

struct exec_kernel_table *exec_kernel_table_parse(const void *blob, size_t len)
{
	uint32_t nr = count(blob, len, TRNC_TAG_KERNEL), print = 0;
	struct exec_kernel_table *t = calloc(1, sizeof(*t) + nr * sizeof(t->kernels[0]));
	struct base_blob_reader r;
	struct base_blob_item it;
	bool is_right = true;

	if (!t)
		return NULL;
	t->refs = 1;
	base_blob_reader_init(&r, blob, len);
	while (is_right && base_blob_next(&r, &it)) {
		if (it.tag == TRNC_TAG_KERNEL)
			is_right = parse_kernel(&it, &t->kernels[t->nr_kernels++]);
		else if (it.tag == TRNC_TAG_PRINTF)
			is_right = base_blob_u32(&it, &print);
	}
	t->may_print = print;
	if (is_right && !r.malformed)
		return t;
	exec_kernel_table_unref(t);
	return NULL;
}
