/* SPDX-License-Identifier: MIT */
/* What executors have used, and who is charged for it. */
#include <stdlib.h>

#include "parent/census.h"
#include "parent/gate_priv.h"

#define FREE_PART 16  /* of the time: so much of the host device may be used without a turn */
#define LEAST_PART 16 /* of the time: a turn costs at least so much, however busy others keep the machine */

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

/* Return: what it was charged. */
static int64_t charge(struct parent_gate *g, const struct parent_runner *r, int64_t ns)
{
	parent_share_charge(&g->schedule, &r->member->share, ns);
	return ns;
}

/*
 * The holder pays what it used, and what was left idle because of it, as by a kernel on one thread or on a device that is no
 * processor; what others than devices used meanwhile is nobody's.  How much of the time was idle is known a while later
 * (gate_end_window()); until then it is as it was.
 */
static int64_t cost_of_turn(struct parent_gate *g, struct parent_runner *h, uint64_t all, uint64_t others, uint64_t passed)
{
	uint64_t slack = passed > all ? passed - all : 0, least = passed > others ? (passed - others) / LEAST_PART : 0;
	uint64_t cost = h->used_ns + slack * g->idle_part / GATE_WHOLE;

	h->slack_ns += slack;
	return (int64_t)(cost > least ? cost : least);
}

void gate_measure(struct parent_gate *g, uint64_t now)
{
	uint64_t passed = now - g->measured, all = 0, others = 0;
	struct parent_runner *r, *h = g->mode == GATE_TURNS ? g->holder : NULL;

	g->measured = now;
	base_list_for_each(r, &g->hub->runners, node) {
		r->used_ns = r->member ? used_by(r) / g->nr_processors : 0;
		all += r->used_ns;
	}
	base_list_for_each(r, &g->hub->runners, node) {
		if (!r->member || r == h)
			continue;
		note_overrun(r, r->used_ns, passed);
		others += r->used_ns;
		charge(g, r, (int64_t)r->used_ns);
	}
	g->slack_ns += passed > all ? passed - all : 0;
	if (h)
		parent_share_forgo(&g->schedule, (int64_t)(passed - others) - charge(g, h, cost_of_turn(g, h, all, others, passed)));
	parent_share_earn(&g->schedule, now);
}

void gate_begin_window(struct parent_gate *g)
{
	struct parent_runner *r;

	g->idle_seen = parent_census_idle_ns();
	g->slack_ns = 0;
	base_list_for_each(r, &g->hub->runners, node)
		r->slack_ns = 0;
}

void gate_end_window(struct parent_gate *g)
{
	uint64_t idle = parent_census_idle_ns(), before = g->idle_part;
	struct parent_runner *r;

	if (!g->slack_ns || !g->idle_seen)
		return;
	/* Parts of it may go back a little. */
	idle = idle > g->idle_seen ? (idle - g->idle_seen) / g->nr_processors : 0;
	g->idle_part = idle < g->slack_ns ? idle * GATE_WHOLE / g->slack_ns : GATE_WHOLE;
	base_list_for_each(r, &g->hub->runners, node) {
		int64_t more = (int64_t)(r->slack_ns * g->idle_part / GATE_WHOLE) - (int64_t)(r->slack_ns * before / GATE_WHOLE);

		if (r->member)
			parent_share_forgo(&g->schedule, -charge(g, r, more));
	}
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
