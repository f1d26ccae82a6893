/* SPDX-License-Identifier: MIT */
/* Who gets the next turn: the policies of tranche-parent, on a clock of our own. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parent/share.h"
#include "tranche/wire/parent.h"
#include "unit.h"

#define MS 1000000ull
#define SLICE (5 * MS)

struct sim {
	struct parent_schedule s;
	struct parent_share d[4];
	uint64_t now, got[4], idle, longest[4], since[4];
};

static void begin(struct sim *sim, uint32_t policy, int nr, const uint32_t *times)
{
	memset(sim, 0, sizeof(*sim));
	sim->now = 7 * MS;
	parent_schedule_init(&sim->s, policy, SLICE, sim->now);
	for (int i = 0; i < nr; i++) {
		parent_share_add(&sim->s, &sim->d[i], times ? times[i] : 0);
		sim->since[i] = sim->now;
	}
}

static void want(struct sim *sim, int i, bool wants)
{
	parent_share_earn(&sim->s, sim->now);
	parent_share_set_wants(&sim->s, &sim->d[i], wants);
	sim->since[i] = sim->now;
}

static void note_turn(struct sim *sim, int i, uint64_t ns)
{
	if (sim->now - sim->since[i] > sim->longest[i])
		sim->longest[i] = sim->now - sim->since[i];
	sim->now += ns;
	sim->since[i] = sim->now;
	sim->got[i] += ns;
	parent_share_earn(&sim->s, sim->now);
	parent_share_charge(&sim->s, &sim->d[i], ns);
}

/* Turns, one after the other; overrun[i]: how much longer than a slice i always takes. */
static void run(struct sim *sim, uint64_t ns, const uint64_t *overrun)
{
	uint64_t end = sim->now + ns, until;

	while (sim->now < end) {
		struct parent_share *d = parent_share_pick(&sim->s, sim->now, &until);

		if (d) {
			note_turn(sim, (int)(d - sim->d), SLICE + (overrun ? overrun[d - sim->d] : 0));
			continue;
		}
		if (until > end)
			until = end;
		assert_true(until > sim->now);
		sim->idle += until - sim->now;
		sim->now = until;
		parent_share_earn(&sim->s, sim->now);
	}
}

static void expect_near(uint64_t got, uint64_t wanted, uint64_t within)
{
	if (got + within < wanted || got > wanted + within)
		fail_msg("%llu ms, not %llu", (unsigned long long)(got / MS), (unsigned long long)(wanted / MS));
}

static void test_equal(void **state)
{
	struct sim sim;

	(void)state;
	begin(&sim, TRNC_POLICY_EQUAL, 3, NULL);
	for (int i = 0; i < 3; i++)
		want(&sim, i, true);
	run(&sim, 3000 * MS, NULL);
	for (int i = 0; i < 3; i++) {
		expect_near(sim.got[i], 1000 * MS, SLICE);
		assert_true(sim.longest[i] <= 3 * SLICE);
	}
	assert_int_equal(sim.idle, 0);
}

static void test_equal_by_time_not_by_turns(void **state)
{
	const uint64_t overrun[4] = { 0, 45 * MS };
	struct sim sim;

	(void)state;
	begin(&sim, TRNC_POLICY_EQUAL, 2, NULL);
	want(&sim, 0, true);
	want(&sim, 1, true);
	run(&sim, 10000 * MS, overrun);
	expect_near(sim.got[0], 5000 * MS, 50 * MS);
	expect_near(sim.got[1], 5000 * MS, 50 * MS);
}

static void test_equal_gives_what_others_leave(void **state)
{
	struct sim sim;

	(void)state;
	begin(&sim, TRNC_POLICY_EQUAL, 2, NULL);
	want(&sim, 0, true);
	run(&sim, 1000 * MS, NULL);
	expect_near(sim.got[0], 1000 * MS, SLICE);
	assert_int_equal(sim.idle, 0);
}

static void test_nobody_saves_up(void **state)
{
	struct sim sim;

	(void)state;
	begin(&sim, TRNC_POLICY_EQUAL, 2, NULL);
	want(&sim, 0, true);
	run(&sim, 60000 * MS, NULL);
	/* Who comes late has its half from now on, and no more; also if the other rests just then. */
	want(&sim, 0, false);
	want(&sim, 1, true);
	want(&sim, 0, true);
	memset(sim.got, 0, sizeof(sim.got));
	run(&sim, 1000 * MS, NULL);
	expect_near(sim.got[0], 500 * MS, 2 * SLICE);
	expect_near(sim.got[1], 500 * MS, 2 * SLICE);
}

static void test_resting_often_gains_nothing(void **state)
{
	struct sim sim;

	(void)state;
	begin(&sim, TRNC_POLICY_EQUAL, 2, NULL);
	want(&sim, 0, true);
	want(&sim, 1, true);
	for (int i = 0; i < 1000; i++) {
		run(&sim, SLICE, NULL);
		want(&sim, 1, false);
		want(&sim, 1, true);
	}
	expect_near(sim.got[0], sim.got[1], 2 * SLICE);
}

/* One that often wants nothing for a moment and is owed its half: others' long kernels must not rob it of that. */
static void test_a_moment_costs_nothing(void **state)
{
	const uint64_t overrun[4] = { 0, 35 * MS };
	struct sim sim;

	(void)state;
	begin(&sim, TRNC_POLICY_EQUAL, 2, NULL);
	want(&sim, 0, true);
	want(&sim, 1, true);
	for (int i = 0; i < 1000; i++) {
		run(&sim, SLICE, overrun);
		want(&sim, 0, false);
		sim.now += MS / 2;
		want(&sim, 0, true);
	}
	expect_near(sim.got[0], sim.got[1], 50 * MS);
}

/* Half of each turn is somebody else's: promises are parts of what is left. */
static void test_fixed_of_what_is_left(void **state)
{
	const uint32_t times[] = { 700, 200, 100 };
	struct sim sim;
	uint64_t until;

	(void)state;
	begin(&sim, TRNC_POLICY_FIXED, 3, times);
	for (int i = 0; i < 3; i++)
		want(&sim, i, true);
	for (int i = 0; i < 10000; i++) {
		struct parent_share *d = parent_share_pick(&sim.s, sim.now, &until);

		sim.now += SLICE;
		if (d) {
			sim.got[d - sim.d] += SLICE / 2;
			parent_share_charge(&sim.s, d, SLICE / 2);
			parent_share_forgo(&sim.s, SLICE / 2);
		}
		parent_share_earn(&sim.s, sim.now);
	}
	expect_near(sim.got[0], 17500 * MS, 50 * MS);
	expect_near(sim.got[1], 5000 * MS, 50 * MS);
	expect_near(sim.got[2], 2500 * MS, 50 * MS);
}

/* More than has passed, by a clock that was ahead, and back: nothing is lost. */
static void test_forgone_goes_both_ways(void **state)
{
	const uint32_t times[] = { 500, 500 };
	struct sim sim;

	(void)state;
	begin(&sim, TRNC_POLICY_FIXED, 2, times);
	want(&sim, 0, true);
	parent_share_forgo(&sim.s, 10 * (int64_t)MS);
	for (int i = 0; i < 5; i++)
		parent_share_earn(&sim.s, sim.now += MS);
	parent_share_forgo(&sim.s, -5 * (int64_t)MS);
	parent_share_earn(&sim.s, sim.now);
	assert_int_equal(sim.d[0].credit_ns, 0);
	parent_share_charge(&sim.s, &sim.d[0], -2 * (int64_t)MS);
	assert_int_equal(sim.d[0].credit_ns, 2 * MS);
	parent_share_forgo(&sim.s, -2 * (int64_t)MS);
	parent_share_earn(&sim.s, sim.now);
	assert_int_equal(sim.d[0].credit_ns, 3 * MS);
}

static void test_charged_without_a_turn(void **state)
{
	struct sim sim;

	(void)state;
	begin(&sim, TRNC_POLICY_EQUAL, 2, NULL);
	want(&sim, 0, true);
	want(&sim, 1, true);
	for (int i = 0; i < 1000; i++) {
		run(&sim, SLICE, NULL);
		parent_share_charge(&sim.s, &sim.d[1], 2 * MS);
	}
	expect_near(sim.got[1] + 2000 * MS, sim.got[0], 2 * SLICE);
}

static void test_fixed(void **state)
{
	const uint32_t times[] = { 700, 200, 100 };
	const uint64_t overrun[4] = { 1 * MS, 0, 9 * MS };
	struct sim sim;

	(void)state;
	begin(&sim, TRNC_POLICY_FIXED, 3, times);
	for (int i = 0; i < 3; i++)
		want(&sim, i, true);
	run(&sim, 10000 * MS, overrun);
	expect_near(sim.got[0], 7000 * MS, 30 * MS);
	expect_near(sim.got[1], 2000 * MS, 30 * MS);
	expect_near(sim.got[2], 1000 * MS, 30 * MS);
	assert_true(sim.idle < 10 * MS);
}

static void test_fixed_is_no_more(void **state)
{
	const uint32_t times[] = { 250, 750 };
	struct sim sim;

	(void)state;
	begin(&sim, TRNC_POLICY_FIXED, 2, times);
	want(&sim, 0, true);
	run(&sim, 4000 * MS, NULL);
	expect_near(sim.got[0], 1000 * MS, 2 * SLICE);
	/* Who rested has no more than a slice in hand: the other is not robbed. */
	want(&sim, 1, true);
	memset(sim.got, 0, sizeof(sim.got));
	run(&sim, 200 * MS, NULL);
	expect_near(sim.got[0], 50 * MS, 2 * SLICE);
}

static void test_without_a_promise(void **state)
{
	const uint32_t times[] = { 600, 0, 0, 0 };
	struct sim sim;

	(void)state;
	begin(&sim, TRNC_POLICY_FIXED, 4, times);
	for (int i = 0; i < 3; i++)
		want(&sim, i, true);
	run(&sim, 5000 * MS, NULL);
	expect_near(sim.got[0], 3000 * MS, 30 * MS);
	expect_near(sim.got[1], 1000 * MS, 30 * MS);
	expect_near(sim.got[2], 1000 * MS, 30 * MS);
	assert_int_equal(sim.got[3], 0);
}

static void test_nothing_is_left_without_a_promise(void **state)
{
	const uint32_t times[] = { 1000, 0 };
	struct sim sim;

	(void)state;
	begin(&sim, TRNC_POLICY_FIXED, 2, times);
	want(&sim, 1, true);
	run(&sim, 1000 * MS, NULL);
	assert_int_equal(sim.got[1], 0);
	assert_int_equal(sim.idle, 1000 * MS);
}

static void test_another_policy(void **state)
{
	const uint32_t times[] = { 700, 300 };
	struct sim sim;

	(void)state;
	begin(&sim, TRNC_POLICY_EQUAL, 2, times);
	want(&sim, 0, true);
	want(&sim, 1, true);
	for (int i = 0; i < 3; i++) {
		parent_schedule_set(&sim.s, TRNC_POLICY_FIXED, SLICE, sim.now);
		memset(sim.got, 0, sizeof(sim.got));
		run(&sim, 2000 * MS, NULL);
		expect_near(sim.got[0], 1400 * MS, 3 * SLICE);
		parent_schedule_set(&sim.s, TRNC_POLICY_EQUAL, SLICE, sim.now);
		memset(sim.got, 0, sizeof(sim.got));
		run(&sim, 2000 * MS, NULL);
		expect_near(sim.got[0], 1000 * MS, 3 * SLICE);
	}
	parent_share_remove(&sim.s, &sim.d[1]);
	assert_int_equal(parent_share_count_wanting(&sim.s), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equal),
		cmocka_unit_test(test_equal_by_time_not_by_turns),
		cmocka_unit_test(test_equal_gives_what_others_leave),
		cmocka_unit_test(test_nobody_saves_up),
		cmocka_unit_test(test_resting_often_gains_nothing),
		cmocka_unit_test(test_a_moment_costs_nothing),
		cmocka_unit_test(test_charged_without_a_turn),
		cmocka_unit_test(test_fixed_of_what_is_left),
		cmocka_unit_test(test_forgone_goes_both_ways),
		cmocka_unit_test(test_fixed),
		cmocka_unit_test(test_fixed_is_no_more),
		cmocka_unit_test(test_without_a_promise),
		cmocka_unit_test(test_nothing_is_left_without_a_promise),
		cmocka_unit_test(test_another_policy),
	};

	return unit_run(tests);
}
