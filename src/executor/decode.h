/* SPDX-License-Identifier: MIT */
/*
 * Checks records.  Pure: works on a private copy of a record's bytes, knows no OpenCL and no session, so that it can
 * be tried with any input.  What is checked here: lengths, reserved fields, flags, counts, number ranges, arithmetic.
 * What needs the session's objects (handles, sizes of buffers) is checked by those who hold them.
 */
#ifndef EXECUTOR_DECODE_H
#define EXECUTOR_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tranche/wire/compute.h"

/* The first 8 bytes of a record: all of a shortest PAD. */
struct exec_rec_start {
	uint16_t type;
	uint16_t flags;
	uint32_t len;
};

/**
 * exec_decode_start - can the reader get past this record?
 * @start: private copy of the record's first 8 bytes
 * @avail: bytes from the record's start to the producer
 * @room:  bytes from the record's start to the end of the ring
 *
 * Return: true if the whole record lies in both and a reader can go on after it.
 */
bool exec_decode_start(const struct exec_rec_start *start, uint64_t avail, uint64_t room);

/* A checked record: pointers into the private copy. */
struct exec_record {
	uint16_t type;
	bool is_command; /* cmd is readable, even if the rest was refused */
	uint32_t len;
	union {
		const struct trnc_rec *rec;
		const struct trnc_rec_queue_create *queue_create;
		const struct trnc_rec_object *object;
		const struct trnc_rec_buffer_create *buffer_create;
		const struct trnc_rec_sub_buffer_create *sub_buffer_create;
		const struct trnc_rec_buffer_destroy *buffer_destroy;
		const struct trnc_rec_kernel_create *kernel_create;
		const struct trnc_rec_kernel_clone *kernel_clone;
		const struct trnc_rec_user_event_set *user_event_set;
		const struct trnc_rec_kernel_exec_info *kernel_exec_info;
		const struct trnc_rec_image_create *image_create;
		const struct trnc_rec_sampler_create *sampler_create;
		const struct trnc_cmd *cmd;
		const struct trnc_cmd_ndrange *ndrange;
		const struct trnc_cmd_copy *copy;
		const struct trnc_cmd_copy_rect *copy_rect;
		const struct trnc_cmd_fill *fill;
		const struct trnc_cmd_write *write;
		const struct trnc_cmd_map *map;
		const struct trnc_cmd_image *image;
	};
	const uint64_t *waits; /* nr_waits handles */
	uint32_t nr_waits;
	uint32_t nr_args;
	const uint8_t *args; /* nr_args checked arguments; read them with exec_decode_arg() */
};

/**
 * exec_decode - check one record
 * @bytes: private copy of the whole record, 8-byte aligned, its header's len field equal to @len
 * @len:   passed exec_decode_start()
 * @ret:   out; on a refusal only type, len, is_command and cmd are of use
 *
 * Return: 0, or the cl error of the refusal.
 */
int32_t exec_decode(const void *bytes, uint32_t len, struct exec_record *ret);

struct exec_arg {
	uint32_t index;
	uint16_t kind;
	uint64_t size;
	const void *data; /* VALUE: size bytes; LOCAL: NULL; else 8 bytes */
};

/* Reads the argument at *pos and moves on: start with 0 and call nr_args times. */
void exec_decode_arg(const struct exec_record *r, size_t *pos, struct exec_arg *ret);

/* Bytes from an image's first to its end, as its pitches say. False when the numbers do not fit or contradict each
 * other. */
bool exec_decode_image_end(const struct trnc_rec_image_create *r, uint64_t *ret_end);

/* First byte after a rectangle in a buffer, for a region without zeros; pitches of 0 mean "close together".
 * False when the numbers do not fit or contradict each other. */
bool exec_decode_rect_end(const __u64 origin[3], const __u64 region[3], uint64_t row, uint64_t slice,
			  uint64_t *ret_end);

#endif
