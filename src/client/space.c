/* SPDX-License-Identifier: MIT */
#include "client/space.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/range.h"

int client_space_init(struct client_space *s, uint64_t size)
{
	*s = (struct client_space){ .cap = 8 };
	s->free = calloc(s->cap, sizeof(*s->free));
	if (!s->free)
		return -ENOMEM;
	if (size)
		s->free[s->nr_free++] = (struct client_interval){ .start = 0, .len = size };
	return 0;
}

void client_space_finish(struct client_space *s)
{
	free(s->free);
	*s = (struct client_space){ 0 };
}

static int insert_at(struct client_space *s, size_t i, struct client_interval v)
{
	if (s->nr_free == s->cap) {
		struct client_interval *bigger = reallocarray(s->free, s->cap * 2, sizeof(*bigger));

		if (!bigger)
			return -ENOMEM;
		s->free = bigger;
		s->cap *= 2;
	}
	memmove(&s->free[i + 1], &s->free[i], (s->nr_free - i) * sizeof(*s->free));
	s->free[i] = v;
	s->nr_free++;
	return 0;
}

static void remove_at(struct client_space *s, size_t i)
{
	s->nr_free--;
	memmove(&s->free[i], &s->free[i + 1], (s->nr_free - i) * sizeof(*s->free));
}

int client_space_take(struct client_space *s, uint64_t len, uint64_t align, uint64_t *ret_start)
{
	if (len == 0)
		return -EINVAL;
	for (size_t i = 0; i < s->nr_free; i++) {
		struct client_interval *f = &s->free[i];
		uint64_t start, before, after;
		int r;

		if (!base_round_up(f->start, align, &start))
			continue;
		before = start - f->start;
		if (before >= f->len || f->len - before < len)
			continue;
		after = f->len - before - len;

		if (before && after) {
			r = insert_at(s, i + 1, (struct client_interval){ .start = start + len, .len = after });
			if (r < 0)
				return r;
			s->free[i].len = before;
		} else if (before) {
			f->len = before;
		} else if (after) {
			f->start += len;
			f->len = after;
		} else {
			remove_at(s, i);
		}
		*ret_start = start;
		return 0;
	}
	return -ENOSPC;
}

/* Index of the first interval that starts at or after start. */
static size_t find_after(const struct client_space *s, uint64_t start)
{
	size_t lo = 0, hi = s->nr_free;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (s->free[mid].start < start)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int client_space_give(struct client_space *s, uint64_t start, uint64_t len)
{
	size_t i = find_after(s, start);
	struct client_interval *before = i > 0 ? &s->free[i - 1] : NULL;
	struct client_interval *after = i < s->nr_free ? &s->free[i] : NULL;
	uint64_t end;

	if (len == 0 || __builtin_add_overflow(start, len, &end))
		return -EINVAL;
	if ((before && before->start + before->len > start) || (after && after->start < end))
		return -EINVAL;

	if (before && before->start + before->len == start) {
		before->len += len;
		if (after && after->start == end) {
			before->len += after->len;
			remove_at(s, i);
		}
		return 0;
	}
	if (after && after->start == end) {
		after->start = start;
		after->len += len;
		return 0;
	}
	return insert_at(s, i, (struct client_interval){ .start = start, .len = len });
}
