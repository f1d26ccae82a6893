/* SPDX-License-Identifier: MIT */
/*
 * The executor's end of the time gate (include/tranche/wire/gate.h).
 *
 * A command that would run asks before it goes to the host, or runs in the ring's thread.  One that may not is parked: it
 * stays held in its place in its queue, and the ring's thread, which goes on with the rest, looks at it again when
 * the gate's grant has changed or another command has ended.  The thread sleeps on these words itself, beside its own:
 * no thread in between that would cost a turn another wake-up.
 *
 * What only orders commands asks nobody.  With an open gate that nobody else wants, asking is three loads.
 */
#ifndef EXECUTOR_GATE_H
#define EXECUTOR_GATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "tranche/wire/gate.h"

struct exec_command;
struct exec_context;
struct exec_operands;
struct exec_record;

/* Of the process. */
struct exec_gate {
	struct trnc_gate *page; /* NULL: no gate, everything goes */
	/* of commands that were given to the host while others wanted it */
	_Atomic uint32_t nr_running;
	_Atomic uint64_t running_ns; /* predicted */
	_Atomic uint32_t nr_ended;   /* a futex in this process */
	_Atomic uint64_t last_end_ns;
	pthread_mutex_t lock;
	uint32_t nr_wanting; /* contexts; under lock, with page->wants */
};

/* How long a kind of command took of late. */
struct exec_gate_time {
	uint64_t key; /* 0: none */
	uint64_t ns;
};
#define EXEC_GATE_TIMES 64u

/* Of a context. */
struct exec_gate_side {
	_Atomic bool wants;
	/* ring's thread */
	bool has_parked;
	uint32_t seen_grant, seen_ended; /* when the latest one was parked */
	uint64_t retry_ns; /* look again then although nothing has changed; 0: no need to */
	uint64_t begun, told; /* commands, and what page->begun knows of them */
	/* under the context's lock */
	struct base_list parked; /* of exec_command.ready */
	uint64_t nr_commands; /* not complete */
	uint64_t nr_held;     /* of them; changed by the ring's thread alone */
	struct exec_gate_time times[EXEC_GATE_TIMES];
};

/* Of a command that is with the host, and counted. */
struct exec_gate_claim {
	uint64_t ns; /* 0: not counted */
	uint64_t key, since_ns;
	uint32_t grant;
};

/* Takes descriptor TRNC_EXEC_GATE_FD, if it is a gate, and closes it in any case.  Before the sandbox and the host's OpenCL. */
void exec_gate_take(struct exec_gate *g);

void exec_gate_side_init(struct exec_gate_side *s);

static inline uint32_t exec_gate_grant(const struct exec_gate *g)
{
	return atomic_load((_Atomic uint32_t *)&g->page->grant);
}

static inline bool exec_gate_is_contended(const struct exec_gate *g)
{
	return g->page && atomic_load((_Atomic uint32_t *)&g->page->flags) & TRNC_GATE_CONTENDED;
}

/* Has the gate changed since? What was measured then is no measure of a command.  Without a gate it is always 0. */
static inline uint32_t exec_gate_turn(const struct exec_gate *g)
{
	return g->page ? exec_gate_grant(g) : 0;
}

/* ---- ring's thread ---- */

/* May a command go now whose turn has come? If not, it is to be held and parked.  No lock is held. */
bool exec_gate_lets_slowly(struct exec_context *c, const struct exec_gate *g, const struct exec_record *r,
			   const struct exec_operands *ops);

static inline bool exec_gate_lets(struct exec_context *c, const struct exec_gate *g, struct exec_gate_side *s,
				  const struct exec_record *r, const struct exec_operands *ops)
{
	if (!g->page)
		return true;
	s->begun++;
	if (atomic_load_explicit(&s->wants, memory_order_relaxed) && exec_gate_grant(g) % 2 && !exec_gate_is_contended(g))
		return true;
	if (exec_gate_lets_slowly(c, g, r, ops))
		return true;
	s->begun--;
	return false;
}

/* Puts a held command aside that may not go. */
void exec_gate_park(struct exec_context *c, struct exec_command *cmd);

/* Is there reason to look at those again? */
bool exec_gate_has_moved(const struct exec_context *c);
/* Puts them back among the ready ones. */
void exec_gate_unpark(struct exec_context *c);

/* So much waits for the gate that the ring is not read for a while: the program's memory is used first. */
bool exec_gate_is_full(const struct exec_context *c);

/* Sleeps until somebody clears the flag, or there is reason to look again; takes back that the context wants the device. */
void exec_gate_sleep(struct exec_context *c, _Atomic uint32_t *asleep);

/* The ring is read no more, but what has been taken from it will run: waits for that. */
void exec_gate_drain(struct exec_context *c);

/* ---- under the context's lock ---- */

/* A command goes to the host: counts it if others want the host, too. */
void exec_gate_claim_locked(struct exec_context *c, struct exec_gate_claim *claim, const struct exec_record *r,
			    const struct exec_operands *ops);
/* It has ended. @alone: it stands for itself only. */
void exec_gate_release_locked(struct exec_context *c, struct exec_gate_claim *claim, bool alone);

/* So many commands have ended: perhaps nothing is left. */
void exec_gate_count_ends_locked(struct exec_context *c, uint64_t nr);

#endif
