/* SPDX-License-Identifier: MIT */
#include "parent/share.h"

#include "tranche/wire/parent.h"

#define ALL 1000		/* thousandths */
#define MAX_SLICES_WAITING 32 /* of credit */
#define MOMENT_SLICES 8	      /* a shorter rest is none */

void parent_schedule_init(struct parent_schedule *s, uint32_t policy, uint64_t slice_ns, uint64_t now_ns)
{
	*s = (struct parent_schedule){ .policy = policy, .slice_ns = slice_ns, .now_ns = now_ns, .refilled_ns = now_ns };
	base_list_init(&s->shares);
}

void parent_schedule_set(struct parent_schedule *s, uint32_t policy, uint64_t slice_ns, uint64_t now_ns)
{
	struct parent_share *d;

	parent_share_earn(s, now_ns);
	s->slice_ns = slice_ns;
	if (policy == s->policy)
		return;
	s->policy = policy;
	s->floor_ns = 0;
	s->forgone_ns = 0;
	s->refilled_ns = now_ns;
	base_list_for_each(d, &s->shares, node) {
		d->virtual_ns = 0;
		d->credit_ns = 0;
	}
}

void parent_share_add(struct parent_schedule *s, struct parent_share *d, uint32_t time)
{
	*d = (struct parent_share){ .time = time };
	base_list_append(&s->shares, &d->node);
}

void parent_share_remove(struct parent_schedule *s, struct parent_share *d)
{
	base_list_remove(&d->node);
}

unsigned int parent_share_count_wanting(const struct parent_schedule *s)
{
	const struct parent_share *d;
	unsigned int nr = 0;

	base_list_for_each(d, &s->shares, node)
		nr += d->wants;
	return nr;
}

static bool has_rested(const struct parent_schedule *s, const struct parent_share *d)
{
	return s->now_ns - d->rests_since > s->slice_ns * MOMENT_SLICES;
}

/* --------------------------------------------------------- equal share */

/* Where the one is that was charged least; floor_ns if nobody wants. */
static void raise_floor(struct parent_schedule *s)
{
	const struct parent_share *d;
	uint64_t least = UINT64_MAX;

	base_list_for_each(d, &s->shares, node)
		if (d->wants && d->virtual_ns < least)
			least = d->virtual_ns;
	if (least != UINT64_MAX && least > s->floor_ns)
		s->floor_ns = least;
}

void parent_share_set_wants(struct parent_schedule *s, struct parent_share *d, bool wants)
{
	uint64_t most = s->slice_ns * (has_rested(s, d) ? 1 : MAX_SLICES_WAITING);

	if (wants == d->wants)
		return;
	raise_floor(s);
	d->wants = wants;
	if (!wants)
		d->rests_since = s->now_ns;
	else if (d->virtual_ns + most < s->floor_ns)
		d->virtual_ns = s->floor_ns - most;
}

static struct parent_share *pick_equal(const struct parent_schedule *s)
{
	struct parent_share *d, *best = NULL;

	base_list_for_each(d, &s->shares, node)
		if (d->wants && (!best || d->virtual_ns < best->virtual_ns ||
				 (d->virtual_ns == best->virtual_ns && d->served < best->served)))
			best = d;
	return best;
}

/* --------------------------------------------------------- fixed share */

/* What nobody was promised goes to those who want and have no promise: in thousandths of a thousandth. */
static uint64_t free_rate(const struct parent_schedule *s)
{
	const struct parent_share *d;
	uint64_t promised = 0, nr = 0;

	base_list_for_each(d, &s->shares, node) {
		promised += d->time;
		nr += !d->time && d->wants;
	}
	return promised < ALL && nr ? (ALL - promised) * ALL / nr : 0;
}

static uint64_t rate_of(const struct parent_share *d, uint64_t of_free)
{
	if (d->time)
		return (uint64_t)d->time * ALL;
	return d->wants ? of_free : 0;
}

static void earn(const struct parent_schedule *s, struct parent_share *d, int64_t ns)
{
	int64_t most = (int64_t)(s->slice_ns * (d->wants ? MAX_SLICES_WAITING : 1));

	/* What it had is still there after a moment, but no more than that. */
	if (!d->wants && !has_rested(s, d) && d->credit_ns > most)
		return;
	d->credit_ns = d->credit_ns + ns < most ? d->credit_ns + ns : most;
}

void parent_share_earn(struct parent_schedule *s, uint64_t now_ns)
{
	uint64_t passed = now_ns > s->refilled_ns ? now_ns - s->refilled_ns : 0, of_free = free_rate(s);
	struct parent_share *d;

	if (s->forgone_ns > 0 && (uint64_t)s->forgone_ns > passed) {
		/* The rest of it comes out of what passes next. */
		s->forgone_ns -= (int64_t)passed;
		passed = 0;
	} else {
		passed -= (uint64_t)s->forgone_ns;
		s->forgone_ns = 0;
	}
	/* After a long rest all bounds are reached: no need to count beyond them. */
	if (passed > 1000000000000u)
		passed = 1000000000000u;
	s->now_ns = s->refilled_ns = now_ns;
	base_list_for_each(d, &s->shares, node)
		earn(s, d, (int64_t)(passed * rate_of(d, of_free) / (ALL * ALL)));
}

void parent_share_forgo(struct parent_schedule *s, int64_t ns)
{
	if (s->policy == TRNC_POLICY_FIXED)
		s->forgone_ns += ns;
}

/* Nanoseconds for which it could have run and did not. */
static uint64_t lag_of(const struct parent_share *d, uint64_t rate)
{
	return (uint64_t)d->credit_ns * (ALL * ALL) / rate;
}

static struct parent_share *pick_fixed(const struct parent_schedule *s, uint64_t now_ns, uint64_t *ret_until_ns)
{
	uint64_t of_free = free_rate(s);
	struct parent_share *d, *best = NULL;

	base_list_for_each(d, &s->shares, node) {
		uint64_t rate = rate_of(d, of_free), until;

		if (!d->wants || !rate)
			continue;
		if (d->credit_ns > 0) {
			if (!best || lag_of(d, rate) > lag_of(best, rate_of(best, of_free)))
				best = d;
			continue;
		}
		until = now_ns + (uint64_t)-d->credit_ns * (ALL * ALL) / rate + ALL * ALL / rate + 1;
		if (until < *ret_until_ns)
			*ret_until_ns = until;
	}
	return best;
}

/* ----------------------------------------------------------------- both */

void parent_share_charge(struct parent_schedule *s, struct parent_share *d, int64_t ns)
{
	if (s->policy == TRNC_POLICY_EQUAL)
		d->virtual_ns = ns < 0 && d->virtual_ns < (uint64_t)-ns ? 0 : d->virtual_ns + (uint64_t)ns;
	else if (s->policy == TRNC_POLICY_FIXED)
		d->credit_ns -= ns;
}

bool parent_share_is_ahead(const struct parent_schedule *s, const struct parent_share *d)
{
	if (s->policy == TRNC_POLICY_EQUAL)
		return d->virtual_ns > s->floor_ns + s->slice_ns;
	return s->policy == TRNC_POLICY_FIXED && d->credit_ns < -(int64_t)s->slice_ns;
}

struct parent_share *parent_share_pick(struct parent_schedule *s, uint64_t now_ns, uint64_t *ret_until_ns)
{
	struct parent_share *d = NULL;

	*ret_until_ns = UINT64_MAX;
	raise_floor(s);
	if (s->policy == TRNC_POLICY_EQUAL)
		d = pick_equal(s);
	else if (s->policy == TRNC_POLICY_FIXED)
		d = pick_fixed(s, now_ns, ret_until_ns);
	if (d)
		d->served = ++s->turns;
	return d;
}
