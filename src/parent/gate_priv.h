/* SPDX-License-Identifier: MIT */
/* Inside of the gates. */
#ifndef PARENT_GATE_PRIV_H
#define PARENT_GATE_PRIV_H

#include "parent/shared.h"

#define GATE_QUIET_PART 20 /* of the processors' time: less is nothing */

#define GATE_WHOLE 1024u

enum gate_mode { GATE_ALL_OPEN, GATE_ONE_OPEN, GATE_TURNS };

struct parent_gate {
	struct parent_hub *hub;
	struct parent_schedule schedule;
	enum gate_mode mode;
	struct parent_member *open;   /* GATE_ONE_OPEN: whose gates are open; or NULL */
	struct parent_runner *holder; /* GATE_TURNS: who has the token; or NULL */
	uint64_t turn_begun, turn_end, holder_ns /* its CPU time when the turn began */;
	uint64_t measured; /* when all clocks were read last */
	uint64_t nr_processors;
	sd_event_source *timer, *watch;
	uint64_t watched;
	bool is_watching;
	/* Of the window since the watch was there last: the machine's idle time at its begin, and all time that no device used. */
	uint64_t idle_seen, slack_ns;
	uint64_t idle_part; /* of the latter that the machine was idle; of GATE_WHOLE */
};

/* --- gate_page.c --- */

/* Without an end, or until end_ns. Who waits for the end of an earlier turn is woken, too. */
void gate_open(struct parent_runner *r, bool is_contended, uint64_t limit_ns, uint64_t end_ns);
void gate_close(struct parent_runner *r, bool is_contended);
bool gate_is_open(const struct parent_runner *r);
bool gate_page_wants(const struct parent_runner *r);
/* SIGSTOP for its group, until gate_go_on(). */
void gate_stop(struct parent_runner *r);
void gate_go_on(struct parent_runner *r);

/* --- gate_measure.c --- */

/* Reads all clocks, and charges what was used since. */
void gate_measure(struct parent_gate *g, uint64_t now);
/* How idle was the machine? Whoever had turns since gate_begin_window() is charged anew by that. */
void gate_begin_window(struct parent_gate *g);
void gate_end_window(struct parent_gate *g);
void gate_take_census(struct parent_runner *r);
/* Who waits from now on, and who does not any more? */
void gate_note_waits(struct parent_gate *g, uint64_t now);
uint64_t gate_waiting(const struct parent_member *d, uint64_t now);

/* --- gate_turns.c --- */

/* Goes on with the turn, or to the next one. After gate_measure() and gate_look(). */
void gate_take_turns(struct parent_gate *g, uint64_t now);
/* When to look again; UINT64_MAX: not by itself. */
void gate_arm(struct parent_gate *g, uint64_t at_ns);

/* --- gate.c --- */

/* Who wants the host device? Return: has anything changed? */
bool gate_look(struct parent_gate *g, uint64_t now);

#endif
