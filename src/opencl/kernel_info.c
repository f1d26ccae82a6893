/* SPDX-License-Identifier: MIT */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "opencl/kernel_table.h"

static int take_str(const struct base_blob_item *it, char **ret)
{
	const char *text = base_blob_str(it);

	if (!text || *ret)
		return -EPROTO;
	*ret = strdup(text);
	return *ret ? 0 : -ENOMEM;
}

static int take_u64(const struct base_blob_item *it, uint64_t *ret)
{
	return base_blob_u64(it, ret) ? 0 : -EPROTO;
}

static int take_u32(const struct base_blob_item *it, uint32_t *ret)
{
	return base_blob_u32(it, ret) ? 0 : -EPROTO;
}

static int take_sizes(const struct base_blob_item *it, uint64_t ret[3])
{
	if (it->len != 3 * sizeof(uint64_t))
		return -EPROTO;
	memcpy(ret, it->data, it->len);
	for (int i = 0; i < 3; i++)
		ret[i] = le64toh(ret[i]);
	return 0;
}

static int arg_item(const struct base_blob_item *it, struct arg_info *a)
{
	switch (it->tag) {
	case TRNC_TAG_ARG_KIND:
		return take_u32(it, &a->kind);
	case TRNC_TAG_ARG_SIZE:
		return take_u32(it, &a->size);
	case TRNC_TAG_ARG_ADDRESS:
		a->has_info = true;
		return take_u32(it, &a->address);
	case TRNC_TAG_ARG_ACCESS:
		a->has_info = true;
		return take_u32(it, &a->access);
	case TRNC_TAG_ARG_QUALIFIER:
		a->has_info = true;
		return take_u64(it, &a->qualifier);
	case TRNC_TAG_ARG_TYPE_NAME:
		return take_str(it, &a->type_name);
	case TRNC_TAG_ARG_NAME:
		return take_str(it, &a->name);
	default:
		return 0;
	}
}

/* A size that does not suit its kind would make a record that says something else than the program. */
static bool is_arg_sound(const struct arg_info *a)
{
	switch (a->kind) {
	case TRNC_ARG_VALUE:
		return a->size <= KERNEL_ARGS_BYTES;
	case TRNC_ARG_LOCAL:
		return a->size == 0;
	case TRNC_ARG_BUFFER:
	case TRNC_ARG_IMAGE:
	case TRNC_ARG_SAMPLER:
		return a->size == sizeof(cl_mem);
	default:
		return false;
	}
}

static int arg_parse(const struct base_blob_item *item, struct arg_info *ret)
{
	struct base_blob_reader r;
	struct base_blob_item it;
	int err = 0;

	base_blob_reader_init(&r, item->data, item->len);
	while (!err && base_blob_next(&r, &it))
		err = arg_item(&it, ret);
	if (err)
		return err;
	return !r.malformed && is_arg_sound(ret) ? 0 : -EPROTO;
}

static int kernel_item(const struct base_blob_item *it, struct kernel_info *k)
{
	switch (it->tag) {
	case TRNC_TAG_KERNEL_NAME:
		return take_str(it, &k->name);
	case TRNC_TAG_KERNEL_ATTRIBUTES:
		return take_str(it, &k->attributes);
	case TRNC_TAG_WORK_GROUP_SIZE:
		return take_u64(it, &k->work_group_size);
	case TRNC_TAG_COMPILE_GROUP_SIZE:
		return take_sizes(it, k->compile_group_size);
	case TRNC_TAG_LOCAL_MEM:
		return take_u64(it, &k->local_mem);
	case TRNC_TAG_PRIVATE_MEM:
		return take_u64(it, &k->private_mem);
	case TRNC_TAG_PREFERRED_MULTIPLE:
		return take_u64(it, &k->preferred_multiple);
	case TRNC_TAG_ARG:
		/* Room was made for every one of them. */
		return arg_parse(it, &k->args[k->nr_args++]);
	default:
		return 0;
	}
}

static bool fits_in_a_record(const struct kernel_info *k)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < k->nr_args; i++)
		bytes += sizeof(struct trnc_arg) + (((uint64_t)k->args[i].size + 7) & ~7ull);
	return bytes <= KERNEL_ARGS_BYTES;
}

int kernel_info_parse(const struct base_blob_item *item, struct kernel_info *ret)
{
	struct base_blob_reader r;
	struct base_blob_item it;
	size_t nr_args = 0;
	int err = 0;

	*ret = (struct kernel_info){ 0 };
	base_blob_reader_init(&r, item->data, item->len);
	while (base_blob_next(&r, &it))
		nr_args += it.tag == TRNC_TAG_ARG;
	if (r.malformed || nr_args > KERNEL_ARGS_MAX)
		return -EPROTO;
	ret->args = calloc(nr_args ? nr_args : 1, sizeof(ret->args[0]));
	if (!ret->args)
		return -ENOMEM;

	base_blob_reader_init(&r, item->data, item->len);
	while (!err && base_blob_next(&r, &it))
		err = kernel_item(&it, ret);
	if (err)
		return err;
	return ret->name && ret->name[0] && fits_in_a_record(ret) ? 0 : -EPROTO;
}

void kernel_info_finish(struct kernel_info *k)
{
	for (uint32_t i = 0; i < k->nr_args; i++) {
		free(k->args[i].type_name);
		free(k->args[i].name);
	}
	free(k->args);
	free(k->attributes);
	free(k->name);
	*k = (struct kernel_info){ 0 };
}
