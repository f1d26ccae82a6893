/* SPDX-License-Identifier: MIT */
/* libFuzzer target: any bytes as a ring's contents, decoded record by record as the executor does. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "executor/decode.h"

#define CHECK(cond)              \
	do {                     \
		if (!(cond))     \
			abort(); \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Touches all that a checked record points at. */
static void read_all(const struct exec_record *r, const uint8_t *begin, const uint8_t *end)
{
	volatile uint64_t sum = 0;
	size_t pos = 0;

	CHECK(r->nr_waits <= TRNC_MAX_WAITS);
	for (uint32_t i = 0; i < r->nr_waits; i++) {
		CHECK((const uint8_t *)&r->waits[i] >= begin && (const uint8_t *)(&r->waits[i] + 1) <= end);
		sum += r->waits[i];
	}
	for (uint32_t i = 0; i < r->nr_args; i++) {
		struct exec_arg a;

		exec_decode_arg(r, &pos, &a);
		CHECK(a.size != 0);
		CHECK(r->args + pos <= end);
		if (a.kind != TRNC_ARG_LOCAL) {
			CHECK((const uint8_t *)a.data >= begin && (const uint8_t *)a.data + a.size <= end);
			for (uint64_t j = 0; j < a.size; j++)
				sum += ((const uint8_t *)a.data)[j];
		}
	}
	if (r->nr_args)
		CHECK(r->args + pos == end);
}

static void check_record(const struct exec_record *r, uint32_t len)
{
	uint64_t end;

	CHECK(r->rec->flags == 0);
	switch (r->type) {
	case TRNC_REC_BUFFER_CREATE:
		CHECK(r->buffer_create->size && r->buffer_create->offset + r->buffer_create->size > r->buffer_create->offset);
		break;
	case TRNC_REC_IMAGE_CREATE:
		CHECK(exec_decode_image_end(r->image_create, &end));
		CHECK(end >= r->image_create->width && end >= r->image_create->row_pitch);
		break;
	case TRNC_REC_COPY_RECT:
		CHECK(exec_decode_rect_end(r->copy_rect->src_origin, r->copy_rect->region, r->copy_rect->src_row_pitch,
					   r->copy_rect->src_slice_pitch, &end));
		CHECK(end >= r->copy_rect->region[0]);
		break;
	case TRNC_REC_FILL:
		CHECK(r->fill->pattern_size && r->fill->pattern_size <= 128);
		CHECK(r->fill->size % r->fill->pattern_size == 0);
		break;
	case TRNC_REC_KERNEL_EXEC_INFO: {
		const uint8_t *value = (const uint8_t *)(r->kernel_exec_info + 1);
		volatile uint64_t sum = 0;

		CHECK(sizeof(*r->kernel_exec_info) + r->kernel_exec_info->len <= len);
		for (uint32_t i = 0; i < r->kernel_exec_info->len; i++)
			sum += value[i];
		break;
	}
	case TRNC_REC_IMAGE_FETCH:
	case TRNC_REC_IMAGE_STORE:
		CHECK(r->image->region[0] && r->image->region[1] && r->image->region[2]);
		break;
	case TRNC_REC_NDRANGE:
		CHECK(r->ndrange->dims >= 1 && r->ndrange->dims <= 3);
		break;
	default:
		break;
	}
	CHECK(r->len == len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t at = 0;

	while (size - at >= sizeof(struct exec_rec_start)) {
		struct exec_rec_start start;
		struct exec_record r;
		uint8_t *copy;

		memcpy(&start, data + at, sizeof(start));
		if (!exec_decode_start(&start, size - at, size - at))
			return 0;
		if (start.type == TRNC_REC_PAD) {
			at += start.len;
			continue;
		}
		/* A block of the exact size: one byte too far is found. */
		copy = malloc(start.len);
		CHECK(copy);
		memcpy(copy, data + at, start.len);
		if (exec_decode(copy, start.len, &r) == 0) {
			check_record(&r, start.len);
			if (r.is_command)
				read_all(&r, copy, copy + start.len);
		}
		free(copy);
		at += start.len;
	}
	return 0;
}
