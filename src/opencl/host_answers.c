/* SPDX-License-Identifier: MIT */
/* Looked up by every clGetDeviceInfo and by checks of enqueue calls: sorted once, then a binary search. */
#include "opencl/host_answers.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <CL/cl.h>

#include "base/blob.h"
#include "tranche/wire/compute.h"

#define PREFIX 8 /* u32 param, u32 0 or s32 error */

struct answer {
	uint32_t tag, param;
	const uint8_t *data;
	size_t len;
	int32_t error; /* DEVICE_ERROR */
};

struct host_answers {
	size_t nr;
	struct answer answers[];
};

static bool is_answer(uint32_t tag)
{
	return tag == TRNC_TAG_PLATFORM_INFO || tag == TRNC_TAG_DEVICE_INFO || tag == TRNC_TAG_DEVICE_ERROR;
}

static int compare(const void *x, const void *y)
{
	const struct answer *a = x, *b = y;

	if (a->tag != b->tag)
		return a->tag < b->tag ? -1 : 1;
	return (a->param > b->param) - (a->param < b->param);
}

static int decode(const struct base_blob_item *it, struct answer *ret)
{
	uint32_t prefix[2];

	if (it->len < PREFIX)
		return -EPROTO;
	memcpy(prefix, it->data, PREFIX);
	*ret = (struct answer){
		.tag = it->tag,
		.param = le32toh(prefix[0]),
		.data = it->data + PREFIX,
		.len = it->len - PREFIX,
		.error = (int32_t)le32toh(prefix[1]),
	};
	if (it->tag == TRNC_TAG_DEVICE_ERROR)
		return ret->len == 0 && ret->error < 0 ? 0 : -EPROTO;
	return ret->error == 0 ? 0 : -EPROTO;
}

int host_answers_new(const void *blob, size_t len, struct host_answers **ret)
{
	struct base_blob_reader r;
	struct base_blob_item it;
	struct host_answers *a;
	size_t nr = 0;
	int err;

	base_blob_reader_init(&r, blob, len);
	while (base_blob_next(&r, &it))
		nr += is_answer(it.tag);
	if (r.malformed)
		return -EPROTO;

	a = calloc(1, sizeof(*a) + nr * sizeof(a->answers[0]));
	if (!a)
		return -ENOMEM;
	base_blob_reader_init(&r, blob, len);
	while (a->nr < nr && base_blob_next(&r, &it)) {
		if (!is_answer(it.tag))
			continue;
		err = decode(&it, &a->answers[a->nr]);
		if (err) {
			free(a);
			return err;
		}
		a->nr++;
	}
	qsort(a->answers, a->nr, sizeof(a->answers[0]), compare);
	*ret = a;
	return 0;
}

void host_answers_free(struct host_answers *a)
{
	free(a);
}

static const struct answer *find(const struct host_answers *a, uint32_t tag, uint32_t param)
{
	struct answer key = { .tag = tag, .param = param };

	return bsearch(&key, a->answers, a->nr, sizeof(a->answers[0]), compare);
}

const void *host_answers_find(const struct host_answers *a, uint32_t tag, uint32_t param, size_t *ret_size)
{
	const struct answer *found = find(a, tag, param);

	if (!found)
		return NULL;
	*ret_size = found->len;
	return found->data;
}

int32_t host_answers_error(const struct host_answers *a, uint32_t param)
{
	const struct answer *found = find(a, TRNC_TAG_DEVICE_ERROR, param);

	return found ? found->error : CL_INVALID_VALUE;
}
