/* SPDX-License-Identifier: MIT */
#include "stream.h"

#include <endian.h>
#include <stdlib.h>

#include "base/crc32.h"
#include "pci/stream.h"

enum { START, HEAD, FIRST_SECTION };

static void add_part(struct stream *s, size_t end)
{
	must(s->nr_parts < STREAM_MAX_PARTS && end <= s->len);
	s->parts[++s->nr_parts] = end;
}

void stream_find_parts(struct stream *s)
{
	struct stream_start start;

	s->nr_parts = 0;
	s->parts[0] = 0;
	memcpy(&start, s->bytes, sizeof(start));
	add_part(s, sizeof(start));
	add_part(s, sizeof(start) + le32toh(start.head_len));
	while (s->parts[s->nr_parts] < s->len) {
		struct stream_section section;

		memcpy(&section, s->bytes + s->parts[s->nr_parts], sizeof(section));
		add_part(s, s->parts[s->nr_parts] + sizeof(section) + le64toh(section.len));
	}
}

/* Room for len bytes, which hold anything; false: there is none. The parts behind move up. */
static bool insert(struct stream *s, size_t at, size_t len)
{
	if (len > STREAM_MAX - s->len)
		return false;
	memmove(s->bytes + at + len, s->bytes + at, s->len - at);
	s->len += len;
	for (unsigned int i = 0; i <= s->nr_parts; i++)
		if (s->parts[i] > at || i == s->nr_parts)
			s->parts[i] += len;
	return true;
}

static void take_away(struct stream *s, size_t at, size_t len)
{
	if (len > s->len - at)
		len = s->len - at;
	memmove(s->bytes + at, s->bytes + at + len, s->len - at - len);
	s->len -= len;
	for (unsigned int i = 0; i <= s->nr_parts; i++)
		if (s->parts[i] > at)
			s->parts[i] = s->parts[i] - at > len ? s->parts[i] - len : at;
}

/* A new part in front of another; len of it is to be filled in. */
static uint8_t *insert_part(struct stream *s, unsigned int part, size_t len)
{
	size_t at = s->parts[part];

	if (s->nr_parts == STREAM_MAX_PARTS || !insert(s, at, len))
		return NULL;
	memmove(&s->parts[part + 1], &s->parts[part], (s->nr_parts + 1 - part) * sizeof(s->parts[0]));
	s->nr_parts++;
	s->parts[part] = at;
	/* Empty ones, at the same place, lie behind it now. */
	for (unsigned int i = part + 1; i <= s->nr_parts; i++)
		if (s->parts[i] < at + len)
			s->parts[i] = at + len;
	return s->bytes + at;
}

static void copy_part(struct stream *s, unsigned int part, unsigned int to)
{
	static uint8_t copy[STREAM_MAX];
	size_t len = s->parts[part + 1] - s->parts[part];
	uint8_t *room;

	memcpy(copy, s->bytes + s->parts[part], len);
	room = insert_part(s, to, len);
	if (room)
		memcpy(room, copy, len);
}

static void insert_page(struct stream *s, unsigned int part, uint32_t region, uint16_t number, uint8_t fill)
{
	const struct stream_section section = {
		.tag = htole32(STREAM_PAGE),
		.len = htole64(sizeof(struct stream_page) + STREAM_PAGE_SIZE),
	};
	const struct stream_page page = { .region = htole32(region), .offset = htole64((uint64_t)number * STREAM_PAGE_SIZE) };
	uint8_t *room = insert_part(s, part, sizeof(section) + sizeof(page) + STREAM_PAGE_SIZE);

	if (!room)
		return;
	memcpy(room, &section, sizeof(section));
	memcpy(room + sizeof(section), &page, sizeof(page));
	memset(room + sizeof(section) + sizeof(page), fill, STREAM_PAGE_SIZE);
}

static void add(struct stream *s, size_t at, size_t len, uint32_t what)
{
	uint64_t v = 0;

	len = len < 8 ? len : 8;
	if (len > s->len - at)
		len = s->len - at;
	memcpy(&v, s->bytes + at, len);
	v += (uint64_t)(int64_t)(int32_t)what;
	memcpy(s->bytes + at, &v, len);
}

static void write_bytes(struct stream *s, size_t at, const uint8_t *bytes, size_t len, bool is_xor)
{
	for (size_t i = 0; i < len && at + i < s->len; i++)
		s->bytes[at + i] = is_xor ? s->bytes[at + i] ^ bytes[i] : bytes[i];
}

static void change(struct stream *s, struct input *in)
{
	unsigned int what = input_u8(in) % 10, part = input_u8(in) % s->nr_parts, within = input_u16(in), nr = input_u8(in);
	size_t begin = s->parts[part], len = s->parts[part + 1] - begin, at = begin + (len ? within % len : 0);
	const uint8_t *bytes;

	switch (what) {
	case 0:
	case 1:
		nr = (unsigned int)input_take(in, nr, &bytes);
		write_bytes(s, at, bytes, nr, what == 1);
		break;
	case 2:
		add(s, at, nr, input_u32(in));
		break;
	case 3:
		nr = (unsigned int)input_take(in, nr, &bytes);
		if (insert(s, at, nr))
			write_bytes(s, at, bytes, nr, false);
		break;
	case 4:
		take_away(s, at, nr);
		break;
	case 5:
		copy_part(s, part, nr % (s->nr_parts + 1));
		break;
	case 6:
		take_away(s, begin, len);
		break;
	case 7:
		take_away(s, at, s->len - at);
		break;
	case 8:
		if (insert(s, at, 16 * (size_t)nr))
			memset(s->bytes + at, 0, 16 * (size_t)nr);
		break;
	default:
		insert_page(s, part, nr, (uint16_t)within, input_u8(in));
	}
}

void stream_change(struct stream *ret, const struct stream *from, struct input *in)
{
	memcpy(ret->bytes, from->bytes, from->len);
	ret->len = from->len;
	memcpy(ret->parts, from->parts, sizeof(ret->parts));
	ret->nr_parts = from->nr_parts;
	while (input_has(in))
		change(ret, in);
}

static void put(struct stream *s, size_t at, const void *bytes, size_t len)
{
	if (at <= s->len && len <= s->len - at)
		memcpy(s->bytes + at, bytes, len);
}

void stream_repair_lengths(struct stream *s)
{
	for (unsigned int i = HEAD; i < s->nr_parts; i++) {
		size_t len = s->parts[i + 1] - s->parts[i];
		uint32_t head_len = htole32((uint32_t)len), compat_len = htole32((uint32_t)(len - sizeof(struct stream_head)));
		uint64_t section_len = htole64(len - sizeof(struct stream_section));

		if (i == HEAD) {
			put(s, offsetof(struct stream_start, head_len), &head_len, sizeof(head_len));
			put(s, s->parts[i] + offsetof(struct stream_head, compat_len), &compat_len, sizeof(compat_len));
		} else if (len >= sizeof(struct stream_section)) {
			put(s, s->parts[i] + offsetof(struct stream_section, len), &section_len, sizeof(section_len));
		}
	}
}

void stream_repair_sum(struct stream *s)
{
	struct stream_end end = { 0 };

	if (s->len < sizeof(end))
		return;
	end.crc = htole32(base_crc32(0, s->bytes, s->len - sizeof(end)));
	put(s, s->len - sizeof(end), &end, sizeof(end));
}

#define PAGE_PART (sizeof(struct stream_section) + sizeof(struct stream_page) + STREAM_PAGE_SIZE)

struct found_page {
	uint64_t key; /* region and offset */
	const uint8_t *part;
};

static bool is_page(const uint8_t *part)
{
	struct stream_section section;

	memcpy(&section, part, sizeof(section));
	return le32toh(section.tag) == STREAM_PAGE;
}

static uint64_t key_of(const uint8_t *part)
{
	struct stream_page page;

	memcpy(&page, part + sizeof(struct stream_section), sizeof(page));
	return (uint64_t)le32toh(page.region) << 56 | le64toh(page.offset);
}

static int by_place(const void *a, const void *b)
{
	const struct found_page *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->part < y->part ? -1 : 1;
}

static bool is_zero(const uint8_t *part)
{
	static const uint8_t zeros[STREAM_PAGE_SIZE];

	return input_is_same(part + PAGE_PART - STREAM_PAGE_SIZE, zeros, STREAM_PAGE_SIZE);
}

static void append_bytes(struct stream *s, const uint8_t *bytes, size_t len)
{
	must(len <= STREAM_MAX - s->len);
	memcpy(s->bytes + s->len, bytes, len);
	s->len += len;
}

void stream_settle(struct stream *ret, const struct stream *taken)
{
	struct found_page pages[STREAM_MAX / PAGE_PART + 1];
	struct stream_start start;
	size_t at, nr = 0;

	memcpy(&start, taken->bytes, sizeof(start));
	at = sizeof(start) + le32toh(start.head_len);
	ret->len = 0;
	append_bytes(ret, taken->bytes, at);
	for (; is_page(taken->bytes + at); at += PAGE_PART)
		pages[nr++] = (struct found_page){ .key = key_of(taken->bytes + at), .part = taken->bytes + at };
	qsort(pages, nr, sizeof(pages[0]), by_place);
	for (size_t i = 0; i < nr; i++)
		if ((i + 1 == nr || pages[i + 1].key != pages[i].key) && !is_zero(pages[i].part))
			append_bytes(ret, pages[i].part, PAGE_PART);
	append_bytes(ret, taken->bytes + at, taken->len - at);
	stream_repair_sum(ret);
}
