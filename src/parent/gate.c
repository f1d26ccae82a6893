/* SPDX-License-Identifier: MIT */
/*
 * The gates of executors (include/tranche/wire/gate.h), opened and closed as share.c says.
 *
 *  - Best effort: all are open, nothing is looked at.
 *  - Nobody is held back, under the other policies, while at most one device wants the host device (equal share): its gates are
 *    open without an end, those of the others are closed, so that they tell when they want it.
 *  - Turns: one executor has the token for a slice.  The next turn begins at once, while what the last one has handed over
 *    still runs: waiting for that costs more than it brings (docs/performance.md).  A turn is charged its time less what
 *    others used meanwhile, and they are charged that: so all charges together are the time that has passed.
 *
 * Who uses the host device without a turn is stopped when that was more than a slice; a little is anybody's (programs are
 * read and checked without a turn).  One that was stopped goes on with its next turn.  Executors that never say that they
 * want the host device, and use it, are found by the watch.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/futex.h"
#include "base/log.h"
#include "base/memfd.h"
#include "parent/census.h"
#include "parent/shared.h"

#define SLICE_US 5000u /* at first */
#define WATCH_US 250000u
#define BELIEVED_NS 1000000000u
#define FREE_PART 16 /* of the time: so much of the host device may be used without a turn */
#define MAX_LIMIT_NS 5000000u
#define SUSPECT_TURNS 8
#define SUSPECT_NS 500000u /* of overrun */
#define MAX_MESSAGES 64 /* of one executor between two looks of our own */
#define QUIET_PART 20 /* of the processors' time: less is nothing */

enum mode { ALL_OPEN, ONE_OPEN, TURNS };

struct parent_gate {
	struct parent_hub *hub;
	struct parent_schedule schedule;
	enum mode mode;
	struct parent_member *open;   /* ONE_OPEN: whose gates are open; or NULL */
	struct parent_runner *holder; /* TURNS: who has the token; or NULL */
	uint64_t turn_begun, turn_end, holder_ns /* its CPU time when the turn began */;
	uint64_t measured; /* when all clocks were read last */
	uint64_t nr_processors;
	sd_event_source *timer, *watch;
	uint64_t watched;
	bool is_watching;
};

/* ------------------------------------------------------------- the page */

static _Atomic uint32_t *word(uint32_t *p)
{
	return (_Atomic uint32_t *)(void *)p;
}

static void set_grant(struct parent_runner *r, uint32_t grant)
{
	r->grant = grant;
	atomic_store(word(&r->page->grant), grant);
	base_futex_wake(word(&r->page->grant));
}

/* Without an end, or until end_ns. Who waits for the end of an earlier turn is woken, too. */
static void open_gate(struct parent_runner *r, bool is_contended, uint64_t limit_ns, uint64_t end_ns)
{
	r->is_bounded = is_contended || end_ns;
	__atomic_store_n(&r->page->limit_ns, limit_ns, __ATOMIC_SEQ_CST);
	__atomic_store_n(&r->page->slice_end_ns, end_ns, __ATOMIC_SEQ_CST);
	__atomic_store_n(&r->page->flags, is_contended ? TRNC_GATE_CONTENDED : 0, __ATOMIC_SEQ_CST);
	set_grant(r, r->grant + (r->grant & 1 ? 2 : 1));
}

static void close_gate(struct parent_runner *r, bool is_contended)
{
	r->is_bounded = true; /* it may have an end, from before */
	__atomic_store_n(&r->page->flags, is_contended ? TRNC_GATE_CONTENDED : 0, __ATOMIC_SEQ_CST);
	if (r->grant & 1)
		set_grant(r, r->grant + 1);
}

static bool is_open(const struct parent_runner *r)
{
	return r->grant & 1;
}

int parent_gate_make_page(struct parent_gate *g, struct parent_runner *r)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	_cleanup_close_ int fd = base_memfd_create("tranche-gate", size);
	void *at;

	if (fd < 0)
		return fd;
	at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		return -errno;
	r->page = at;
	return TAKE_FD(fd);
}

/* ------------------------------------------------------------ stop, go on */

static void stop(struct parent_runner *r)
{
	if (r->is_stopped || r->pid <= 0)
		return;
	log_debug("executor %d is stopped: it runs without a turn", (int)r->pid);
	kill(-r->pid, SIGSTOP);
	r->is_stopped = true;
	r->suspect = SUSPECT_TURNS;
	r->member->stops++;
}

static void go_on(struct parent_runner *r)
{
	if (r->is_stopped && r->pid > 0)
		kill(-r->pid, SIGCONT);
	r->is_stopped = false;
	r->overrun_ns = 0;
}

/* ---------------------------------------------------------------- measure */

static void take_census(struct parent_runner *r)
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
		take_census(r);
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
 * so no more than twice.
 */
static uint64_t stretch(uint64_t ns, uint64_t all, uint64_t passed)
{
	if (all >= passed)
		return ns;
	return all * 2 > passed ? ns * passed / all : ns * 2;
}

static void charge(struct parent_gate *g, const struct parent_runner *r, uint64_t ns)
{
	parent_share_charge(&g->schedule, &r->member->share, ns);
}

static void measure(struct parent_gate *g, uint64_t now)
{
	uint64_t passed = now - g->measured, all = 0, others = 0;
	struct parent_runner *r, *h = g->mode == TURNS ? g->holder : NULL;

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

/* ------------------------------------------------------------------- look */

static bool page_wants(const struct parent_runner *r)
{
	return atomic_load(word(&r->page->wants)) != 0;
}

/* Who wants the host device? Return: has anything changed? */
static bool look(struct parent_gate *g, uint64_t now)
{
	struct parent_member *d;
	struct parent_runner *r;
	bool has_changed = false;

	base_list_for_each(d, &g->hub->members, node) {
		bool wants = false;

		base_list_for_each(r, &g->hub->runners, node) {
			if (r->member != d)
				continue;
			r->wants = page_wants(r) || r->is_stopped || r->believed_until > now;
			wants |= r->wants;
		}
		has_changed |= wants != d->share.wants;
		parent_share_set_wants(&g->schedule, &d->share, wants);
	}
	return has_changed;
}

static struct parent_member *member_of(struct parent_share *s)
{
	return base_container_of(s, struct parent_member, share);
}

/* ------------------------------------------------------------------ waits */

static uint64_t waiting(const struct parent_member *d, uint64_t now)
{
	return d->waits_since && now > d->waits_since ? now - d->waits_since : 0;
}

static void end_wait(struct parent_member *d, uint64_t now)
{
	uint64_t ns = waiting(d, now);

	d->waits_since = 0;
	d->wait_ns += ns;
	if (ns > d->longest_wait_ns)
		d->longest_wait_ns = ns;
}

static void note_waits(struct parent_gate *g, uint64_t now)
{
	struct parent_member *d;

	base_list_for_each(d, &g->hub->members, node) {
		bool waits = g->mode == TURNS && d->share.wants && !(g->holder && g->holder->member == d);

		if (!waits)
			end_wait(d, now);
		else if (!d->waits_since)
			d->waits_since = now;
	}
}

/* ------------------------------------------------------------------ turns */

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
	go_on(r);
	open_gate(r, true, limit_ns(g), g->turn_end);
}

static void end_turn(struct parent_gate *g)
{
	struct parent_runner *r = g->holder;

	g->holder = NULL;
	if (r)
		close_gate(r, true);
}

/* One that was believed to want the host device, and has a turn, and does nothing. */
static bool is_idle_believed(const struct parent_gate *g, const struct parent_runner *r, uint64_t now)
{
	uint64_t passed = now - g->turn_begun;

	return !page_wants(r) && passed > g->schedule.slice_ns / 4 &&
	       r->seen_ns - g->holder_ns < passed * g->nr_processors / QUIET_PART;
}

static void stop_greedy(struct parent_gate *g)
{
	struct parent_runner *r;

	base_list_for_each(r, &g->hub->runners, node)
		if (r->member && r != g->holder && r->is_busy && r->overrun_ns > (r->suspect ? SUSPECT_NS : g->schedule.slice_ns * 5 / 4))
			stop(r);
}

static bool has_suspects(const struct parent_gate *g)
{
	const struct parent_runner *r;

	base_list_for_each(r, &g->hub->runners, node)
		if (r->member && r != g->holder && !r->is_stopped && r->is_busy)
			return true;
	return false;
}

static void arm(struct parent_gate *g, uint64_t at_ns)
{
	if (at_ns == UINT64_MAX) {
		sd_event_source_set_enabled(g->timer, SD_EVENT_OFF);
		return;
	}
	sd_event_source_set_time(g->timer, (at_ns + 999) / 1000);
	sd_event_source_set_enabled(g->timer, SD_EVENT_ONESHOT);
}

static void take_turns(struct parent_gate *g, uint64_t now)
{
	uint64_t until = UINT64_MAX, at;
	struct parent_runner *h = g->holder;
	struct parent_share *next;

	if (h && is_idle_believed(g, h, now)) {
		h->believed_until = 0;
		(void)look(g, now);
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
	if (g->holder && !page_wants(g->holder) && now + g->schedule.slice_ns / 3 < at)
		at = now + g->schedule.slice_ns / 3;
	if (has_suspects(g) && now + g->schedule.slice_ns / 4 < at)
		at = now + g->schedule.slice_ns / 4;
	arm(g, at);
}

/* ------------------------------------------------------------------ modes */

static void leave_turns(struct parent_gate *g)
{
	struct parent_runner *r;

	g->holder = NULL;
	arm(g, UINT64_MAX);
	base_list_for_each(r, &g->hub->runners, node) {
		go_on(r);
		r->suspect = 0;
	}
}

/* @d: NULL: of all */
static void open_without_end(struct parent_gate *g, const struct parent_member *d)
{
	struct parent_runner *r;

	base_list_for_each(r, &g->hub->runners, node) {
		if (!r->member)
			continue;
		if (d && r->member != d)
			close_gate(r, false);
		else if (!is_open(r) || r->is_bounded)
			open_gate(r, false, 0, 0);
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
}

static enum mode mode_now(const struct parent_gate *g)
{
	unsigned int nr = parent_share_count_wanting(&g->schedule);

	if (g->schedule.policy == TRNC_POLICY_BEST_EFFORT)
		return ALL_OPEN;
	if (g->schedule.policy == TRNC_POLICY_EQUAL)
		return nr > 1 ? TURNS : ONE_OPEN;
	return TURNS;
}

/* Those who wait tell when they do not any more, and whose gate was open has to be told that it is not the only one. */
static void enter_turns(struct parent_gate *g)
{
	struct parent_runner *r;

	g->open = NULL;
	base_list_for_each(r, &g->hub->runners, node)
		if (r->member) {
			r->overrun_ns = 0;
			close_gate(r, true);
		}
}

static void set_mode(struct parent_gate *g, enum mode mode)
{
	if (mode == TURNS && g->mode != TURNS)
		enter_turns(g);
	if (mode != TURNS && g->mode == TURNS)
		leave_turns(g);
	g->mode = mode;
}

/* ------------------------------------------------------------------ watch */

static void set_watch(struct parent_gate *g)
{
	bool wanted = g->mode == TURNS ? parent_share_count_wanting(&g->schedule) > 0 :
					 g->mode == ONE_OPEN && g->open && count_with_runners(g) > 1;

	if (wanted == g->is_watching)
		return;
	g->is_watching = wanted;
	if (!wanted) {
		sd_event_source_set_enabled(g->watch, SD_EVENT_OFF);
		return;
	}
	g->watched = base_clock_ns();
	sd_event_source_set_time(g->watch, g->watched / 1000 + WATCH_US);
	sd_event_source_set_enabled(g->watch, SD_EVENT_ONESHOT);
}

static void settle(struct parent_gate *g, uint64_t now)
{
	measure(g, now);
	if (g->schedule.policy == TRNC_POLICY_BEST_EFFORT) {
		set_mode(g, ALL_OPEN);
		open_without_end(g, NULL);
	} else {
		(void)look(g, now);
		/* Who began to want it while its gate was being closed has not told. */
		for (int i = 0; i < 3; i++) {
			set_mode(g, mode_now(g));
			if (g->mode == TURNS)
				take_turns(g, now);
			else
				open_one(g);
			if (!look(g, now))
				break;
		}
	}
	note_waits(g, now);
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
		uses = r->seen_ns - r->watched_ns > passed * g->nr_processors / QUIET_PART;
		r->watched_ns = r->seen_ns;
		r->messages = 0;
		is_used |= uses;
		/* Whose gate is open has no need to lie. */
		if (uses && !(g->mode == ONE_OPEN && r->member == g->open))
			r->believed_until = now + BELIEVED_NS;
	}
	return is_used;
}

static void close_all(struct parent_gate *g)
{
	struct parent_runner *r;

	g->open = NULL;
	base_list_for_each(r, &g->hub->runners, node)
		if (r->member)
			close_gate(r, false);
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
			take_census(r);
	measure(g, now);
	is_used = find_silent(g, now);
	g->watched = now;
	(void)look(g, now);
	/* All rest: from now on whoever begins tells, and until then nobody looks. */
	if (g->mode == ONE_OPEN && !is_used && !parent_share_count_wanting(&g->schedule))
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

	measure(g, now);
	if (policy != g->schedule.policy) {
		set_mode(g, ALL_OPEN);
		g->open = NULL;
		base_list_for_each(r, &g->hub->runners, node) {
			r->believed_until = r->overrun_ns = 0;
			r->watched_ns = r->seen_ns;
		}
	}
	parent_schedule_set(&g->schedule, policy, slice_us ? slice_us * 1000ull : g->schedule.slice_ns, now);
	if (g->mode == TURNS && g->turn_end > now + g->schedule.slice_ns)
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
	if (g->mode == TURNS)
		close_gate(r, true);
	parent_gate_settle(g);
}

void parent_gate_remove(struct parent_gate *g, struct parent_runner *r)
{
	if (g->holder == r)
		g->holder = NULL;
	go_on(r);
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

void parent_hub_gate(struct parent_hub *h, uint64_t tag)
{
	struct parent_gate *g = h->gate;
	struct parent_runner *r = g->schedule.policy == TRNC_POLICY_BEST_EFFORT ? NULL : parent_runner_find(h, tag);

	/* Who says it again and again is heard when somebody looks anyway. */
	if (r && r->member && r->messages++ < MAX_MESSAGES)
		parent_gate_settle(g);
}

void parent_gate_account(struct parent_gate *g, const struct parent_member *d, struct trnc_parent_account *ret)
{
	uint64_t now = base_clock_ns(), waits = waiting(d, now);
	const struct parent_runner *r;
	bool wants = false, stopped = false;

	base_list_for_each(r, &g->hub->runners, node) {
		if (r->member != d)
			continue;
		wants |= page_wants(r) || r->is_stopped || r->believed_until > now;
		stopped |= r->is_stopped;
	}
	ret->busy_ns = ret->cpu_ns / g->nr_processors;
	ret->wait_ns = d->wait_ns + waits;
	ret->longest_wait_ns = d->longest_wait_ns > waits ? d->longest_wait_ns : waits;
	ret->slices = d->slices;
	ret->stops = d->stops;
	ret->flags = (wants ? TRNC_ACCOUNT_WANTS : 0) | (stopped ? TRNC_ACCOUNT_STOPPED : 0);
	if (g->mode == ALL_OPEN || (g->mode == ONE_OPEN && g->open == d) ||
	    (g->mode == TURNS && g->holder && g->holder->member == d))
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
