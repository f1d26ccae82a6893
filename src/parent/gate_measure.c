/* SPDX-License-Identifier: MIT */
/* What executors have used, and who is charged for it. */
#include <stdlib.h>

#include "parent/census.h"
#include "parent/gate_priv.h"

#define FREE_PART 16 /* of the time: so much of the host device may be used without a turn */

void gate_take_census(struct parent_runner *r)
{
	struct parent_census c;

	parent_census_look(r->pid, false, &c);
	/* Those that ended without being waited for are missing now: what was charged stays. */
	if (c.cpu_ns > r->children_ns)
		r->children_ns = c.cpu_ns;
	r->has_children = c.nr > 0;
}

/* What it used since it was looked at last. */
static uint64_t used_by(struct parent_runner *r)
{
	uint64_t now, used;

	if (r->has_children)
		gate_take_census(r);
	now = parent_census_cpu_ns(r->pid) + r->children_ns;
	used = now > r->seen_ns ? now - r->seen_ns : 0;
	r->seen_ns += used;
	return used;
}

/* Part of the host device's time, without a turn. */
static void note_overrun(struct parent_runner *r, uint64_t used, uint64_t passed)
{
	uint64_t allowed = passed / FREE_PART;

	r->is_busy = used > allowed;
	r->overrun_ns += used;
	r->overrun_ns -= r->overrun_ns < allowed ? r->overrun_ns : allowed;
}

/*
 * Work from outside of all devices makes everything last longer: what was used without a turn has then taken more of the
 * holder's time than its CPU time says.  A device that is no CPU, or a program on one thread, shows little CPU time, too:
 * so no more than four times.
 */
static uint64_t stretch(uint64_t ns, uint64_t all, uint64_t passed)
{
	if (all >= passed)
		return ns;
	return all * 4 > passed ? ns * passed / all : ns * 4;
}

static void charge(struct parent_gate *g, const struct parent_runner *r, uint64_t ns)
{
	parent_share_charge(&g->schedule, &r->member->share, ns);
}

void gate_measure(struct parent_gate *g, uint64_t now)
{
	uint64_t passed = now - g->measured, all = 0, others = 0;
	struct parent_runner *r, *h = g->mode == GATE_TURNS ? g->holder : NULL;

	g->measured = now;
	parent_share_earn(&g->schedule, now);
	base_list_for_each(r, &g->hub->runners, node) {
		r->used_ns = r->member ? used_by(r) / g->nr_processors : 0;
		all += r->used_ns;
	}
	base_list_for_each(r, &g->hub->runners, node) {
		if (!r->member || r == h)
			continue;
		note_overrun(r, r->used_ns, passed);
		if (h)
			r->used_ns = stretch(r->used_ns, all, passed);
		others += r->used_ns;
		charge(g, r, r->used_ns);
	}
	if (h)
		charge(g, h, passed > others + h->used_ns ? passed - others : h->used_ns);
}

/* ------------------------------------------------------------------ waits */

uint64_t gate_waiting(const struct parent_member *d, uint64_t now)
{
	return d->waits_since && now > d->waits_since ? now - d->waits_since : 0;
}

static void end_wait(struct parent_member *d, uint64_t now)
{
	uint64_t ns = gate_waiting(d, now);

	d->waits_since = 0;
	d->wait_ns += ns;
	if (ns > d->longest_wait_ns)
		d->longest_wait_ns = ns;
}

void gate_note_waits(struct parent_gate *g, uint64_t now)
{
	struct parent_member *d;

	base_list_for_each(d, &g->hub->members, node) {
		bool waits = g->mode == GATE_TURNS && d->share.wants && !(g->holder && g->holder->member == d);

		if (!waits)
			end_wait(d, now);
		else if (!d->waits_since)
			d->waits_since = now;
	}
}
