/* SPDX-License-Identifier: MIT */
/*
 * Who gets the host device next: arithmetic alone, without clocks, processes or memory of its own.
 *
 * Equal share: of those who want, the one that was charged least.  What is compared is a virtual time: who begins to want
 * is lifted to where the others are, less a slice, so that nobody saves up while it wants nothing, and one that wants
 * seldom is served soon.  A rest that is no more than a moment between two commands changes nothing.
 *
 * Fixed share: everybody earns its part of all time that passes, and pays what it used; whoever has credit may run, first
 * the one that could have had it for longest.  Credit is bounded: a slice for those who want nothing, so that what is
 * promised holds over some slices, more for those who wait, whom others' long kernels must not rob, and who are
 * between two commands.
 */
#ifndef PARENT_SHARE_H
#define PARENT_SHARE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

struct parent_share {
	struct base_list node;
	uint32_t time; /* thousandths promised; 0: none */
	bool wants;
	uint64_t virtual_ns; /* equal share */
	int64_t credit_ns;   /* fixed share */
	uint64_t rests_since; /* while it does not want; 0: it never did */
	uint64_t served;     /* number of its last turn: ties go to who waits for longest */
};

struct parent_schedule {
	uint32_t policy; /* TRNC_POLICY_* */
	uint64_t slice_ns;
	struct base_list shares;
	uint64_t floor_ns;    /* virtual time of those who want; never goes back */
	uint64_t now_ns;      /* when time was last said to have passed */
	uint64_t refilled_ns; /* fixed share: until when credit was earned */
	int64_t forgone_ns;   /* since then, of what nobody earns anything */
	uint64_t turns;
};

void parent_schedule_init(struct parent_schedule *s, uint32_t policy, uint64_t slice_ns, uint64_t now_ns);
/* Another policy forgets what was charged under the old one. */
void parent_schedule_set(struct parent_schedule *s, uint32_t policy, uint64_t slice_ns, uint64_t now_ns);

void parent_share_add(struct parent_schedule *s, struct parent_share *d, uint32_t time);
void parent_share_remove(struct parent_schedule *s, struct parent_share *d);
void parent_share_set_wants(struct parent_schedule *s, struct parent_share *d, bool wants);
unsigned int parent_share_count_wanting(const struct parent_schedule *s);

/* It used so much of the host device's time, with a turn or without; less than nothing: it was charged too much. */
void parent_share_charge(struct parent_schedule *s, struct parent_share *d, int64_t ns);

/*
 * So much of the time until the next parent_share_earn() was not the devices': what they earn together is what they are charged
 * together, or promises would drift apart.  Less than nothing: they were charged more than has passed.
 */
void parent_share_forgo(struct parent_schedule *s, int64_t ns);

/* Has it had more than its part, by more than a slice? */
bool parent_share_is_ahead(const struct parent_schedule *s, const struct parent_share *d);

/* Time has passed. Before pick, and before wants, promises or members change. */
void parent_share_earn(struct parent_schedule *s, uint64_t now_ns);

/*
 * Who gets the next turn; NULL: nobody, before *ret_until_ns (UINT64_MAX: before something changes).
 */
struct parent_share *parent_share_pick(struct parent_schedule *s, uint64_t now_ns, uint64_t *ret_until_ns);

#endif
