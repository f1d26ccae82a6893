/* SPDX-License-Identifier: MIT */
/* The stream of a saved device, and changes of it. */
#ifndef FUZZ_STREAM_H
#define FUZZ_STREAM_H

#include "input.h"

#define STREAM_MAX (128u << 10)
#define STREAM_MAX_PARTS 64u

struct stream {
	uint8_t bytes[STREAM_MAX];
	size_t len;
	size_t parts[STREAM_MAX_PARTS + 1]; /* where each begins: start, head, sections; and the end */
	unsigned int nr_parts;
};

/* Finds the parts of a stream that is as it should be. */
void stream_find_parts(struct stream *s);

/*
 * Changes follow each other, { u8 what, u8 part, u16 at, u8 nr } each, "at" from the beginning of the part:
 *   0 write nr bytes, which follow    1 exclusive or with them     2 add the 4-byte number that follows, nr is its length (1 to 8)
 *   3 insert nr bytes, which follow   4 remove nr bytes            5 a copy of the part in front of part nr
 *   6 remove the part                 7 end here                   8 insert 16 * nr zeros
 *   9 in front of the part a page of region nr, at page "at", filled with the byte that follows
 */
void stream_change(struct stream *ret, const struct stream *from, struct input *in);
void stream_repair_lengths(struct stream *s); /* of sections and of the head */
void stream_repair_sum(struct stream *s);
/* What a device saves that has taken this stream: of each page what came last, in order, if it is not all zero; else the same. */
void stream_settle(struct stream *ret, const struct stream *taken);

#endif
