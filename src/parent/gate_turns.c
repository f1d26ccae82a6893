/* SPDX-License-Identifier: MIT */
/* Who has the token, for how long, and who is stopped for using the host device without it. */
#include <stdlib.h>

#include "parent/gate_priv.h"

#define MAX_LIMIT_NS 5000000u
#define SUSPECT_NS 500000u /* of overrun */
#define CLEAN_TURNS 16u	   /* then it is as one that was never stopped */

static struct parent_member *member_of(struct parent_share *s)
{
	return base_container_of(s, struct parent_member, share);
}

static uint64_t limit_ns(const struct parent_gate *g)
{
	return g->schedule.slice_ns < MAX_LIMIT_NS ? g->schedule.slice_ns : MAX_LIMIT_NS;
}

/* The next one of a device's executors, after the one that had the last turn. */
static struct parent_runner *next_runner(const struct parent_gate *g, const struct parent_member *d)
{
	struct parent_runner *r, *first = NULL, *next = NULL;

	base_list_for_each(r, &g->hub->runners, node) {
		if (r->member != d || !r->wants)
			continue;
		if (!first)
			first = r;
		if (!next && r->tag > d->last_turn)
			next = r;
	}
	return next ? next : first;
}

static void begin_turn(struct parent_gate *g, struct parent_member *d, uint64_t now)
{
	struct parent_runner *r = next_runner(g, d);

	if (!r)
		return;
	g->holder = r;
	g->turn_begun = now;
	g->turn_end = now + g->schedule.slice_ns;
	g->holder_ns = r->seen_ns;
	d->last_turn = r->tag;
	d->slices++;
	if (r->suspect)
		r->suspect--;
	else if (++r->clean_turns >= CLEAN_TURNS)
		r->relapses = 0;
	gate_go_on(r);
	gate_open(r, true, limit_ns(g), g->turn_end);
}

static void end_turn(struct parent_gate *g)
{
	struct parent_runner *r = g->holder;

	g->holder = NULL;
	if (r)
		gate_close(r, true);
}

/* One that was believed to want the host device, and has a turn, and does nothing. */
static bool is_idle_believed(const struct parent_gate *g, const struct parent_runner *r, uint64_t now)
{
	uint64_t passed = now - g->turn_begun;

	return !gate_page_wants(r) && passed > g->schedule.slice_ns / 4 &&
	       r->seen_ns - g->holder_ns < passed * g->nr_processors / GATE_QUIET_PART;
}

/* Who keeps to its part may have it in whatever way, as one that compiles; one that was stopped has lost that for a while. */
static bool is_greedy(const struct parent_gate *g, const struct parent_runner *r)
{
	if (!r->member || r == g->holder || !r->is_busy)
		return false;
	if (r->suspect)
		return r->overrun_ns > SUSPECT_NS;
	/* An honest one may have handed over a slice, or two long kernels, just before its turn ended. */
	return r->overrun_ns > g->schedule.slice_ns * 3 + SUSPECT_NS && parent_share_is_ahead(&g->schedule, &r->member->share);
}

static void stop_greedy(struct parent_gate *g)
{
	struct parent_runner *r;

	base_list_for_each(r, &g->hub->runners, node)
		if (is_greedy(g, r))
			gate_stop(r);
}

static bool has_suspects(const struct parent_gate *g)
{
	const struct parent_runner *r;

	base_list_for_each(r, &g->hub->runners, node)
		if (r->member && r != g->holder && !r->is_stopped && r->is_busy)
			return true;
	return false;
}

void gate_arm(struct parent_gate *g, uint64_t at_ns)
{
	if (at_ns == UINT64_MAX) {
		sd_event_source_set_enabled(g->timer, SD_EVENT_OFF);
		return;
	}
	sd_event_source_set_time(g->timer, (at_ns + 999) / 1000);
	sd_event_source_set_enabled(g->timer, SD_EVENT_ONESHOT);
}

void gate_take_turns(struct parent_gate *g, uint64_t now)
{
	uint64_t until = UINT64_MAX, at;
	struct parent_runner *h = g->holder;
	struct parent_share *next;

	if (h && is_idle_believed(g, h, now)) {
		h->believed_until = 0;
		(void)gate_look(g, now);
	}
	if (!h || !h->wants || now + 20000 >= g->turn_end) {
		next = parent_share_pick(&g->schedule, now, &until);
		/* Its own gate is not closed between two turns that follow each other. */
		if (h && (!next || next_runner(g, member_of(next)) != h))
			end_turn(g);
		if (next)
			begin_turn(g, member_of(next), now);
	}
	stop_greedy(g);
	at = g->holder ? g->turn_end : until;
	if (g->holder && !gate_page_wants(g->holder) && now + g->schedule.slice_ns / 3 < at)
		at = now + g->schedule.slice_ns / 3;
	if (has_suspects(g) && now + g->schedule.slice_ns / 4 < at)
		at = now + g->schedule.slice_ns / 4;
	gate_arm(g, at);
}
