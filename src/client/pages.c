/* SPDX-License-Identifier: MIT */
#include "client/pages.h"

#include <errno.h>
#include <stdlib.h>

#define WORD_BITS 64u

struct client_split {
	struct base_list node; /* in the splits' list of its room, or alone when full */
	void *owner;
	uint32_t page;
	uint32_t used; /* a bit a unit */
};

/* Mask of bits [first, first + nr) of one word; nr 1 to 64. */
static uint64_t mask64(uint32_t first, uint32_t nr)
{
	return (~0ull >> (WORD_BITS - nr)) << first;
}

static uint32_t mask32(uint32_t first, uint32_t nr)
{
	return (uint32_t)mask64(first, nr);
}

int client_pages_init(struct client_pages *p, uint32_t nr_pages)
{
	*p = (struct client_pages){ .nr_pages = nr_pages, .nr_free = nr_pages, .longest_free = nr_pages };
	p->used = calloc((nr_pages + WORD_BITS - 1) / WORD_BITS, sizeof(*p->used));
	return p->used ? 0 : -ENOMEM;
}

void client_pages_finish(struct client_pages *p)
{
	for (uint32_t i = 0; p->splits && i < p->nr_pages; i++) {
		if (!p->splits[i])
			continue;
		base_list_remove(&p->splits[i]->node);
		free(p->splits[i]);
	}
	free(p->splits);
	free(p->used);
	*p = (struct client_pages){ 0 };
}

/* The first page at or after from whose bit is (or is not) set; nr_pages when there is none. */
static uint32_t next_page(const struct client_pages *p, uint32_t from, bool is_used)
{
	while (from < p->nr_pages) {
		uint64_t word = p->used[from / WORD_BITS];

		if (!is_used)
			word = ~word;
		word &= ~0ull << (from % WORD_BITS);
		if (word) {
			uint32_t found = from - from % WORD_BITS + (uint32_t)__builtin_ctzll(word);

			return found < p->nr_pages ? found : p->nr_pages;
		}
		from += WORD_BITS - from % WORD_BITS;
	}
	return p->nr_pages;
}

static void mark(struct client_pages *p, uint32_t first, uint32_t nr, bool is_used)
{
	while (nr) {
		uint32_t bit = first % WORD_BITS;
		uint32_t n = nr < WORD_BITS - bit ? nr : WORD_BITS - bit;

		if (is_used)
			p->used[first / WORD_BITS] |= mask64(bit, n);
		else
			p->used[first / WORD_BITS] &= ~mask64(bit, n);
		first += n;
		nr -= n;
	}
}

int64_t client_pages_take(struct client_pages *p, uint32_t nr)
{
	uint32_t longest = 0;

	if (nr == 0 || nr > p->longest_free || nr > p->nr_free)
		return -ENOSPC;
	for (uint32_t start = next_page(p, 0, false); start < p->nr_pages;) {
		uint32_t end = next_page(p, start, true);

		if (end - start >= nr) {
			mark(p, start, nr, true);
			p->nr_free -= nr;
			return start;
		}
		if (end - start > longest)
			longest = end - start;
		start = next_page(p, end, false);
	}
	p->longest_free = longest;
	return -ENOSPC;
}

void client_pages_give(struct client_pages *p, uint32_t first, uint32_t nr)
{
	mark(p, first, nr, false);
	p->nr_free += nr;
	p->longest_free = p->nr_free; /* found out by the next take that fails */
}

/* --------------------------------------------------------------- units */

void client_splits_init(struct client_splits *s)
{
	for (unsigned int i = 0; i < CLIENT_UNITS_A_PAGE; i++)
		base_list_init(&s->by_room[i]);
}

/* Longest run of zero bits. */
static uint32_t longest_room(uint32_t used)
{
	uint32_t n = 0;

	/* Each step shortens all runs by one. */
	for (uint32_t room = ~used; room; room &= room << 1)
		n++;
	return n;
}

static void file_by_room(struct client_splits *s, struct client_split *split)
{
	uint32_t room = longest_room(split->used);

	base_list_remove(&split->node);
	if (room)
		base_list_append(&s->by_room[room], &split->node);
}

static uint32_t take_units(struct client_splits *s, struct client_split *split, uint32_t nr)
{
	uint32_t first = 0;

	while (split->used & mask32(first, nr))
		first++;
	split->used |= mask32(first, nr);
	file_by_room(s, split);
	return split->page * CLIENT_UNITS_A_PAGE + first;
}

bool client_units_take(struct client_splits *s, uint32_t nr, void **ret_owner, uint32_t *ret_unit)
{
	for (uint32_t room = nr; room < CLIENT_UNITS_A_PAGE; room++) {
		struct client_split *split;

		if (base_list_is_empty(&s->by_room[room]))
			continue;
		split = base_container_of(s->by_room[room].next, struct client_split, node);
		*ret_owner = split->owner;
		*ret_unit = take_units(s, split, nr);
		return true;
	}
	return false;
}

int64_t client_pages_split(struct client_pages *p, struct client_splits *s, void *owner, uint32_t nr)
{
	struct client_split *split;
	int64_t page;

	if (!p->splits) {
		p->splits = calloc(p->nr_pages, sizeof(*p->splits));
		if (!p->splits)
			return -ENOMEM;
	}
	split = calloc(1, sizeof(*split));
	if (!split)
		return -ENOMEM;
	page = client_pages_take(p, 1);
	if (page < 0) {
		free(split);
		return page;
	}
	base_list_init(&split->node);
	split->owner = owner;
	split->page = (uint32_t)page;
	p->splits[page] = split;
	return take_units(s, split, nr);
}

void client_units_give(struct client_pages *p, struct client_splits *s, uint32_t unit, uint32_t nr)
{
	uint32_t page = unit / CLIENT_UNITS_A_PAGE;
	struct client_split *split = p->splits[page];

	split->used &= ~mask32(unit % CLIENT_UNITS_A_PAGE, nr);
	if (split->used) {
		file_by_room(s, split);
		return;
	}
	base_list_remove(&split->node);
	p->splits[page] = NULL;
	free(split);
	client_pages_give(p, page, 1);
}
