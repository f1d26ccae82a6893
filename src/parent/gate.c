/* SPDX-License-Identifier: MIT */
/*
 * The gates of executors (include/tranche/wire/gate.h), opened and closed as share.c says.
 *
 *  - Best effort: all are open, nothing is looked at.
 *  - Nobody is held back, under the other policies, while at most one device wants the host device (equal share): its gates are
 *    open without an end, those of the others are closed, so that they tell when they want it.
 *  - Turns: one executor has the token for a slice.  The next turn begins at once, while what the last one has handed over
 *    still runs: nothing is idle meanwhile.  A turn is charged its time less what others used meanwhile, and they are charged
 *    that: so all charges together are the time that has passed, less what others than devices used of it.
 *
 * Who uses the host device without a turn is stopped when that was more than three slices, and more than its part; a little
 * is anybody's (programs are read and checked without a turn).  One that was stopped goes on with its next turn.  Executors
 * that never say that they want the host device, and use it, are found by the watch.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/futex.h"
#include "base/log.h"
#include "parent/census.h"
#include "parent/gate_priv.h"

#define SLICE_US 5000u /* at first */
#define WATCH_US 250000u
#define BELIEVED_NS 1000000000u
#define MAX_MESSAGES 64 /* of one executor between two looks of our own */
#define LOOK_US 5000u	/* until a look of our own, when there are more */

/* ------------------------------------------------------------------- look */

bool gate_look(struct parent_gate *g, uint64_t now)
{
	struct parent_member *d;
	struct parent_runner *r;
	bool has_changed = false;

	base_list_for_each(d, &g->hub->members, node) {
		bool wants = false;

		base_list_for_each(r, &g->hub->runners, node) {
			if (r->member != d)
				continue;
			r->wants = gate_page_wants(r) || r->is_stopped || r->believed_until > now;
			wants |= r->wants;
		}
		has_changed |= wants != d->share.wants;
		parent_share_set_wants(&g->schedule, &d->share, wants);
	}
	return has_changed;
}

/* ------------------------------------------------------------------ modes */

static void leave_turns(struct parent_gate *g)
{
	struct parent_runner *r;

	g->holder = NULL;
	gate_arm(g, UINT64_MAX);
	base_list_for_each(r, &g->hub->runners, node)
		gate_go_on(r);
}

/* @d: NULL: of all */
static void open_without_end(struct parent_gate *g, const struct parent_member *d)
{
	struct parent_runner *r;

	base_list_for_each(r, &g->hub->runners, node) {
		if (!r->member)
			continue;
		if (d && r->member != d)
			gate_close(r, false);
		else if (!gate_is_open(r) || r->is_bounded)
			gate_open(r, false, 0, 0);
	}
}

static unsigned int count_with_runners(const struct parent_gate *g)
{
	const struct parent_member *d;
	const struct parent_runner *r;
	unsigned int nr = 0;

	base_list_for_each(d, &g->hub->members, node)
		base_list_for_each(r, &g->hub->runners, node)
			if (r->member == d) {
				nr++;
				break;
			}
	return nr;
}

static void close_all(struct parent_gate *g)
{
	struct parent_runner *r;

	g->open = NULL;
	base_list_for_each(r, &g->hub->runners, node)
		if (r->member)
			gate_close(r, false);
}

static void open_one(struct parent_gate *g)
{
	struct parent_member *d;
	struct parent_runner *r;

	base_list_for_each(d, &g->hub->members, node)
		if (d->share.wants)
			g->open = d;
	/* Nobody wants it and nobody had it: the first that there is, so that one alone never asks. */
	if (!g->open && count_with_runners(g) == 1)
		base_list_for_each(r, &g->hub->runners, node)
			if (r->member)
				g->open = r->member;
	if (g->open)
		open_without_end(g, g->open);
	else
		close_all(g); /* whoever begins tells */
}

static enum gate_mode mode_now(const struct parent_gate *g)
{
	unsigned int nr = parent_share_count_wanting(&g->schedule);

	if (g->schedule.policy == TRNC_POLICY_BEST_EFFORT)
		return GATE_ALL_OPEN;
	if (g->schedule.policy == TRNC_POLICY_EQUAL)
		return nr > 1 ? GATE_TURNS : GATE_ONE_OPEN;
	return GATE_TURNS;
}

/* Those who wait tell when they do not any more, and whose gate was open has to be told that it is not the only one. */
static void enter_turns(struct parent_gate *g)
{
	struct parent_runner *r;

	g->open = NULL;
	base_list_for_each(r, &g->hub->runners, node)
		if (r->member) {
			r->overrun_ns = 0;
			gate_close(r, true);
		}
}

static void set_mode(struct parent_gate *g, enum gate_mode mode)
{
	if (mode == GATE_TURNS && g->mode != GATE_TURNS)
		enter_turns(g);
	if (mode != GATE_TURNS && g->mode == GATE_TURNS)
		leave_turns(g);
	g->mode = mode;
}

/* ------------------------------------------------------------------ watch */

static void set_watch(struct parent_gate *g)
{
	bool wanted = g->mode == GATE_TURNS ? parent_share_count_wanting(&g->schedule) > 0 :
					 g->mode == GATE_ONE_OPEN && g->open && count_with_runners(g) > 1;

	if (wanted == g->is_watching)
		return;
	g->is_watching = wanted;
	if (!wanted) {
		sd_event_source_set_enabled(g->watch, SD_EVENT_OFF);
		return;
	}
	g->watched = base_clock_ns();
	gate_begin_window(g);
	sd_event_source_set_time(g->watch, g->watched / 1000 + WATCH_US);
	sd_event_source_set_enabled(g->watch, SD_EVENT_ONESHOT);
}

static void settle(struct parent_gate *g, uint64_t now)
{
	gate_measure(g, now);
	if (g->schedule.policy == TRNC_POLICY_BEST_EFFORT) {
		set_mode(g, GATE_ALL_OPEN);
		open_without_end(g, NULL);
	} else {
		(void)gate_look(g, now);
		/* Who began to want it while its gate was being closed has not told. */
		for (int i = 0; i < 3; i++) {
			set_mode(g, mode_now(g));
			if (g->mode == GATE_TURNS)
				gate_take_turns(g, now);
			else
				open_one(g);
			if (!gate_look(g, now))
				break;
		}
	}
	gate_note_waits(g, now);
	set_watch(g);
}

void parent_gate_settle(struct parent_gate *g)
{
	settle(g, base_clock_ns());
}

static int on_timer(sd_event_source *source, uint64_t usec, void *data)
{
	struct parent_gate *g = data;
	struct parent_runner *r;

	base_list_for_each(r, &g->hub->runners, node)
		r->messages = 0;
	parent_gate_settle(g);
	return 0;
}

/* Return: does anybody use the host device? */
static bool find_silent(struct parent_gate *g, uint64_t now)
{
	uint64_t passed = now - g->watched;
	struct parent_runner *r;
	bool is_used = false;

	base_list_for_each(r, &g->hub->runners, node) {
		bool uses;

		if (!r->member)
			continue;
		uses = r->seen_ns - r->watched_ns > passed * g->nr_processors / GATE_QUIET_PART;
		r->watched_ns = r->seen_ns;
		r->messages = 0;
		is_used |= uses;
		/* Whose gate is open has no need to lie. */
		if (uses && !(g->mode == GATE_ONE_OPEN && r->member == g->open))
			r->believed_until = now + BELIEVED_NS;
	}
	return is_used;
}

static int on_watch(sd_event_source *source, uint64_t usec, void *data)
{
	struct parent_gate *g = data;
	struct parent_runner *r;
	uint64_t now = base_clock_ns();
	bool is_used;

	parent_runner_sweep(g->hub);
	base_list_for_each(r, &g->hub->runners, node)
		if (r->member)
			gate_take_census(r);
	gate_measure(g, now);
	gate_end_window(g);
	is_used = find_silent(g, now);
	g->watched = now;
	(void)gate_look(g, now);
	/* All rest: from now on whoever begins tells, and until then nobody looks. */
	if (g->mode == GATE_ONE_OPEN && !is_used && !parent_share_count_wanting(&g->schedule))
		close_all(g);
	g->is_watching = false;
	settle(g, now);
	return 0;
}

/* ------------------------------------------------------------------- life */

void parent_gate_set(struct parent_gate *g, uint32_t policy, uint32_t slice_us)
{
	struct parent_runner *r;
	uint64_t now = base_clock_ns();

	gate_measure(g, now);
	if (policy != g->schedule.policy) {
		set_mode(g, GATE_ALL_OPEN);
		g->open = NULL;
		base_list_for_each(r, &g->hub->runners, node) {
			r->believed_until = r->overrun_ns = r->suspect = r->relapses = 0;
			r->watched_ns = r->seen_ns;
		}
	}
	parent_schedule_set(&g->schedule, policy, slice_us ? slice_us * 1000ull : g->schedule.slice_ns, now);
	if (g->mode == GATE_TURNS && g->turn_end > now + g->schedule.slice_ns)
		g->turn_end = now;
	settle(g, now);
}

struct parent_schedule *parent_gate_schedule(struct parent_gate *g)
{
	return &g->schedule;
}

void parent_gate_add(struct parent_gate *g, struct parent_runner *r)
{
	r->seen_ns = r->watched_ns = parent_census_cpu_ns(r->pid);
	base_list_append(&g->hub->runners, &r->node);
	if (g->mode == GATE_TURNS)
		gate_close(r, true);
	parent_gate_settle(g);
}

void parent_gate_remove(struct parent_gate *g, struct parent_runner *r)
{
	if (g->holder == r)
		g->holder = NULL;
	gate_go_on(r);
}

void parent_gate_leave(struct parent_gate *g, struct parent_member *d)
{
	struct parent_runner *r;

	if (g->open == d)
		g->open = NULL;
	base_list_for_each(r, &g->hub->runners, node)
		if (r->member == d)
			parent_gate_remove(g, r);
}

static void look_soon(struct parent_gate *g)
{
	uint64_t at = base_clock_ns() / 1000 + LOOK_US, due = 0;
	int state = SD_EVENT_OFF;

	if (sd_event_source_get_enabled(g->timer, &state) >= 0 && state != SD_EVENT_OFF &&
	    sd_event_source_get_time(g->timer, &due) >= 0 && due <= at)
		return;
	sd_event_source_set_time(g->timer, at);
	sd_event_source_set_enabled(g->timer, SD_EVENT_ONESHOT);
}

void parent_hub_gate(struct parent_hub *h, uint64_t tag)
{
	struct parent_gate *g = h->gate;
	struct parent_runner *r = g->schedule.policy == TRNC_POLICY_BEST_EFFORT ? NULL : parent_runner_find(h, tag);

	if (!r || !r->member)
		return;
	/* Who says it again and again is heard a little later, with all that it has said until then. */
	if (r->messages++ < MAX_MESSAGES)
		parent_gate_settle(g);
	else
		look_soon(g);
}

void parent_gate_account(struct parent_gate *g, const struct parent_member *d, struct trnc_parent_account *ret)
{
	uint64_t now = base_clock_ns(), waits = gate_waiting(d, now);
	const struct parent_runner *r;
	bool wants = false, stopped = false;

	base_list_for_each(r, &g->hub->runners, node) {
		if (r->member != d)
			continue;
		wants |= gate_page_wants(r) || r->is_stopped || r->believed_until > now;
		stopped |= r->is_stopped;
	}
	ret->busy_ns = ret->cpu_ns / g->nr_processors;
	ret->wait_ns = d->wait_ns + waits;
	ret->longest_wait_ns = d->longest_wait_ns > waits ? d->longest_wait_ns : waits;
	ret->slices = d->slices;
	ret->stops = d->stops;
	ret->flags = (wants ? TRNC_ACCOUNT_WANTS : 0) | (stopped ? TRNC_ACCOUNT_STOPPED : 0);
	if (g->mode == GATE_ALL_OPEN || (g->mode == GATE_ONE_OPEN && g->open == d) ||
	    (g->mode == GATE_TURNS && g->holder && g->holder->member == d))
		ret->flags |= TRNC_ACCOUNT_RUNS;
}

static uint64_t count_processors(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0)
		return (uint64_t)CPU_COUNT(&set);
	return sysconf(_SC_NPROCESSORS_ONLN) > 0 ? (uint64_t)sysconf(_SC_NPROCESSORS_ONLN) : 1;
}

int parent_gate_create(struct parent_hub *h, struct parent_gate **ret)
{
	sd_event *event = h->process->event;
	struct parent_gate *g = calloc(1, sizeof(*g));
	int r;

	if (!g)
		return -ENOMEM;
	g->hub = h;
	g->nr_processors = count_processors();
	g->idle_part = GATE_WHOLE;
	g->measured = base_clock_ns();
	parent_schedule_init(&g->schedule, TRNC_POLICY_BEST_EFFORT, SLICE_US * 1000ull, g->measured);
	r = sd_event_add_time(event, &g->timer, CLOCK_MONOTONIC, 0, 1, on_timer, g);
	if (r >= 0)
		r = sd_event_source_set_enabled(g->timer, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_source_set_priority(g->timer, SD_EVENT_PRIORITY_IMPORTANT);
	if (r >= 0)
		r = sd_event_add_time(event, &g->watch, CLOCK_MONOTONIC, 0, 1000, on_watch, g);
	if (r >= 0)
		r = sd_event_source_set_enabled(g->watch, SD_EVENT_OFF);
	if (r < 0)
		parent_gate_destroy(g);
	else
		*ret = g;
	return r < 0 ? r : 0;
}

void parent_gate_destroy(struct parent_gate *g)
{
	if (!g)
		return;
	sd_event_source_disable_unref(g->timer);
	sd_event_source_disable_unref(g->watch);
	free(g);
}
