/* SPDX-License-Identifier: MIT */
#include "executor/gate.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/futex.h"
#include "base/log.h"
#include "base/memfd.h"
#include "base/range.h"
#include "executor/broker.h"
#include "executor/commands.h"
#include "executor/context.h"
#include "executor/dispatch.h"
#include "executor/graph.h"
#include "executor/queue.h"

#define IDLE_NS (TRNC_GATE_IDLE_US * 1000ll)
/* A command that took longer did not run all the time. */
#define SAMPLE_MAX_NS 1000000000u
/* So many that wait for the gate are enough. */
#define HELD_ENOUGH 16384u
/* After the end of a slice the gate is about to change; one that was only given more time does not. */
#define RETRY_NS 1000000u

/* ------------------------------------------------------------- the page */

/* Memory that cannot vanish under us: then a page of it is a gate. */
static struct trnc_gate *map_gate(int fd)
{
	const int seals = F_SEAL_GROW | F_SEAL_SHRINK;
	void *page;

	if ((fcntl(fd, F_GET_SEALS) & seals) != seals || !base_memfd_is_safe(fd, sizeof(struct trnc_gate)))
		return NULL;
	page = mmap(NULL, BASE_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return page == MAP_FAILED ? NULL : page;
}

void exec_gate_take(struct exec_gate *g)
{
	pthread_mutex_init(&g->lock, NULL);
	if (fcntl(TRNC_EXEC_GATE_FD, F_GETFD) < 0)
		return;
	g->page = map_gate(TRNC_EXEC_GATE_FD);
	if (!g->page)
		log_debug("descriptor %d is no gate", TRNC_EXEC_GATE_FD);
	close(TRNC_EXEC_GATE_FD);
}

void exec_gate_side_init(struct exec_gate_side *s)
{
	base_list_init(&s->parked);
}

/* ------------------------------------------------------------- wanting */

/* Both sides change first and look then: who changes last sees the other's change. */
static void set_wants(struct exec_context *c, bool wants)
{
	struct exec_gate *g = &c->ex->gate;
	bool tell = false;

	if (atomic_load(&c->gate.wants) == wants)
		return;
	pthread_mutex_lock(&g->lock);
	if (atomic_exchange(&c->gate.wants, wants) != wants) {
		uint32_t before = g->nr_wanting;

		g->nr_wanting += wants ? 1 : -1u;
		atomic_store((_Atomic uint32_t *)&g->page->wants, g->nr_wanting > 0);
		if (wants)
			tell = before == 0 && exec_gate_grant(g) % 2 == 0;
		else
			tell = before == 1 && exec_gate_is_contended(g);
	}
	pthread_mutex_unlock(&g->lock);
	if (tell)
		exec_broker_tell_gate(c->ex->broker);
}

/* Nothing is with the host, and nothing that could go there. */
static bool is_idle_locked(const struct exec_context *c)
{
	return c->gate.nr_commands == c->gate.nr_held && base_list_is_empty(&c->ready) &&
	       base_list_is_empty(&c->gate.parked);
}

static bool is_idle(struct exec_context *c)
{
	bool idle;

	pthread_mutex_lock(&c->lock);
	idle = is_idle_locked(c);
	pthread_mutex_unlock(&c->lock);
	return idle;
}

void exec_gate_count_ends_locked(struct exec_context *c, uint64_t nr)
{
	c->gate.nr_commands -= nr;
	if (!c->ex->gate.page || !atomic_load_explicit(&c->gate.wants, memory_order_relaxed) || !is_idle_locked(c))
		return;
	/* The ring's thread waits a little for what may follow; nobody does where nobody asks. */
	if (exec_gate_is_contended(&c->ex->gate))
		exec_context_poke(c);
	else
		set_wants(c, false);
}

/* ------------------------------------------------------------ predicting */

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15u;
	return h ^ h >> 29;
}

static uint64_t bytes_of(const struct exec_record *r)
{
	switch (r->type) {
	case TRNC_REC_COPY:
		return r->copy->size;
	case TRNC_REC_FILL:
		return r->fill->size;
	case TRNC_REC_WRITE:
		return r->write->size;
	case TRNC_REC_COPY_RECT:
		return r->copy_rect->region[0] * r->copy_rect->region[1] * r->copy_rect->region[2];
	default:
		return 0;
	}
}

/* Commands with the same key take about as long as each other. */
static uint64_t key_of(const struct exec_record *r, const struct exec_operands *ops)
{
	uint64_t h = mix(1, r->type), bytes = bytes_of(r);

	if (r->type == TRNC_REC_NDRANGE && ops->kernel) {
		h = mix(h, (uintptr_t)ops->kernel->table);
		h = mix(h, ops->kernel->index);
		for (int i = 0; i < 3; i++)
			h = mix(mix(h, r->ndrange->global[i]), r->ndrange->local[i]);
	} else {
		h = mix(h, bytes ? 64 - (uint64_t)__builtin_clzll(bytes) : 0);
	}
	return h ? h : 1;
}

static struct exec_gate_time *time_of(struct exec_context *c, uint64_t key)
{
	return &c->gate.times[key % EXEC_GATE_TIMES];
}

/* 0: nobody knows. */
static uint64_t predict_locked(struct exec_context *c, uint64_t key)
{
	const struct exec_gate_time *t = time_of(c, key);

	return t->key == key ? t->ns : 0;
}

static void learn_locked(struct exec_context *c, uint64_t key, uint64_t ns)
{
	struct exec_gate_time *t = time_of(c, key);

	if (ns == 0)
		ns = 1;
	if (t->key == key)
		t->ns = (3 * t->ns + ns) / 4 + 1;
	else
		*t = (struct exec_gate_time){ .key = key, .ns = ns };
}

/* --------------------------------------------------------------- asking */

static uint64_t load_limit(const struct exec_gate *g)
{
	return atomic_load_explicit((_Atomic uint64_t *)&g->page->limit_ns, memory_order_relaxed);
}

static uint64_t load_slice_end(const struct exec_gate *g)
{
	return atomic_load_explicit((_Atomic uint64_t *)&g->page->slice_end_ns, memory_order_relaxed);
}

/*
 * Is there room for one more?  One that begins within the slice, right behind the only one that is there, may go in any case:
 * waiting would leave the host idle in between and end nothing sooner.
 */
static bool fits(struct exec_context *c, const struct exec_gate *g, const struct exec_record *r,
		 const struct exec_operands *ops)
{
	uint64_t end = load_slice_end(g), now = base_clock_ns(), running, ns;
	uint32_t nr = atomic_load(&g->nr_running);

	running = nr ? atomic_load(&g->running_ns) : 0;
	if (end && (now >= end || running >= end - now)) {
		c->gate.retry_ns = (now > end ? now : end) + RETRY_NS;
		return false;
	}
	if (nr == 0)
		return true;
	pthread_mutex_lock(&c->lock);
	ns = predict_locked(c, key_of(r, ops));
	pthread_mutex_unlock(&c->lock);
	return ns && ((end && nr == 1) || (running + ns >= ns && running + ns <= load_limit(g)));
}

bool exec_gate_lets_slowly(struct exec_context *c, const struct exec_gate *g, const struct exec_record *r,
			   const struct exec_operands *ops)
{
	struct exec_gate_side *s = &c->gate;
	uint32_t ended, grant;

	if (exec_command_is_order_only(c, r) || r->type == TRNC_REC_CLIENT)
		return true;
	set_wants(c, true);
	s->retry_ns = 0;
	ended = atomic_load(&g->nr_ended);
	grant = exec_gate_grant(g);
	if (grant % 2 && (!exec_gate_is_contended(g) || fits(c, g, r, ops)))
		return true;
	s->seen_grant = grant;
	s->seen_ended = ended;
	return false;
}

/* -------------------------------------------------------------- parking */

void exec_gate_park(struct exec_context *c, struct exec_command *cmd)
{
	exec_dispatch_split(c, cmd);
	pthread_mutex_lock(&c->lock);
	base_list_append(&c->gate.parked, &cmd->ready);
	pthread_mutex_unlock(&c->lock);
	c->gate.has_parked = true;
}

bool exec_gate_has_moved(const struct exec_context *c)
{
	const struct exec_gate_side *s = &c->gate;
	const struct exec_gate *g = &c->ex->gate;

	if (!s->has_parked)
		return false;
	return exec_gate_grant(g) != s->seen_grant || atomic_load(&g->nr_ended) != s->seen_ended ||
	       (s->retry_ns && base_clock_ns() >= s->retry_ns);
}

void exec_gate_unpark(struct exec_context *c)
{
	struct exec_gate_side *s = &c->gate;

	pthread_mutex_lock(&c->lock);
	while (!base_list_is_empty(&s->parked)) {
		struct base_list *node = s->parked.next;

		base_list_remove(node);
		base_list_append(&c->ready, node);
		atomic_store(&c->has_ready, true);
	}
	pthread_mutex_unlock(&c->lock);
	s->has_parked = false;
}

bool exec_gate_is_full(const struct exec_context *c)
{
	return c->gate.has_parked && c->gate.nr_held >= HELD_ENOUGH;
}

/* ------------------------------------------------------------- counting */

void exec_gate_claim_locked(struct exec_context *c, struct exec_gate_claim *claim, const struct exec_record *r,
			    const struct exec_operands *ops)
{
	struct exec_gate *g = &c->ex->gate;
	uint64_t limit;

	*claim = (struct exec_gate_claim){ 0 };
	if (!exec_gate_is_contended(g) || exec_command_is_order_only(c, r))
		return;
	limit = load_limit(g);
	claim->key = key_of(r, ops);
	claim->ns = predict_locked(c, claim->key);
	/* Until it is known how long it takes, it goes alone. */
	if (!claim->ns)
		claim->ns = limit && limit < SAMPLE_MAX_NS ? limit : SAMPLE_MAX_NS;
	claim->since_ns = base_clock_ns();
	claim->grant = exec_gate_grant(g);
	atomic_fetch_add(&g->running_ns, claim->ns);
	atomic_fetch_add(&g->nr_running, 1);
}

void exec_gate_release_locked(struct exec_context *c, struct exec_gate_claim *claim, bool alone)
{
	struct exec_gate *g = &c->ex->gate;
	uint64_t now, before;

	if (!claim->ns)
		return;
	now = base_clock_ns();
	before = atomic_exchange(&g->last_end_ns, now);
	if (before < claim->since_ns)
		before = claim->since_ns;
	/* Others had the host meanwhile, or we were stopped: that is no measure. */
	if (alone && claim->grant == exec_gate_grant(g) && now - before < SAMPLE_MAX_NS)
		learn_locked(c, claim->key, now - before);
	atomic_fetch_sub(&g->running_ns, claim->ns);
	atomic_fetch_sub(&g->nr_running, 1);
	claim->ns = 0;
	atomic_fetch_add(&g->nr_ended, 1);
	base_futex_wake(&g->nr_ended);
}

/* ------------------------------------------------------------- sleeping */

/* For people: not worth an atomic addition for each command. */
static void tell_begun(struct exec_context *c)
{
	uint64_t nr = c->gate.begun - c->gate.told;

	c->gate.told = c->gate.begun;
	if (nr)
		atomic_fetch_add_explicit((_Atomic uint64_t *)&c->ex->gate.page->begun, nr, memory_order_relaxed);
}

/* Sleeps while all words are as given. */
static void wait_for_any(struct exec_context *c, _Atomic uint32_t *asleep)
{
	const struct exec_gate_side *s = &c->gate;
	struct exec_gate *g = &c->ex->gate;
	struct futex_waitv words[] = {
		{ .uaddr = (uintptr_t)&g->page->grant, .val = s->seen_grant, .flags = FUTEX_32 },
		{ .uaddr = (uintptr_t)&g->nr_ended, .val = s->seen_ended, .flags = FUTEX_32 },
		{ .uaddr = (uintptr_t)asleep, .val = 1, .flags = FUTEX_32 },
	};
	const struct timespec until = {
		.tv_sec = (time_t)(s->retry_ns / 1000000000u), .tv_nsec = (long)(s->retry_ns % 1000000000u),
	};

	if (syscall(SYS_futex_waitv, words, asleep ? 3 : 2, 0, s->retry_ns ? &until : NULL, CLOCK_MONOTONIC) >= 0 ||
	    errno != ENOSYS)
		return;
	/* Before Linux 5.16 nobody sleeps on several words; turns are some ms long. */
	base_futex_wait(asleep ? asleep : (_Atomic uint32_t *)&g->page->grant, asleep ? 1 : s->seen_grant, RETRY_NS);
}

void exec_gate_sleep(struct exec_context *c, _Atomic uint32_t *asleep)
{
	struct exec_gate *g = &c->ex->gate;
	bool wants = g->page && atomic_load(&c->gate.wants);

	if (g->page)
		tell_begun(c);
	if (c->gate.has_parked) {
		wait_for_any(c, asleep);
	} else if (!wants || !is_idle(c)) {
		base_futex_wait(asleep, 1, -1);
	} else if (!exec_gate_is_contended(g) || (base_futex_wait(asleep, 1, IDLE_NS) == -ETIMEDOUT && is_idle(c))) {
		set_wants(c, false);
	}
}

void exec_gate_drain(struct exec_context *c)
{
	if (!c->ex->gate.page)
		return;
	while (c->gate.has_parked || atomic_load(&c->has_ready)) {
		exec_gate_unpark(c);
		exec_graph_run(c);
		exec_graph_settle(c);
		tell_begun(c);
		if (c->gate.has_parked)
			wait_for_any(c, NULL);
	}
}
