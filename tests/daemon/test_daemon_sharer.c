/* SPDX-License-Identifier: MIT */
/* The tranche-parent of a parent; tests/daemon/fake_parent.py stands in. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "process_world.h"

struct seen {
	unsigned int ups, downs, dones, accounts;
	struct trnc_parent_info info;
	struct trn_error why, done;
	uint64_t busy_ns;
	uint32_t nr;
	struct daemon_sharer *sharer;
};

static void handle_up(void *data, const struct trnc_parent_info *info)
{
	struct seen *s = data;

	s->ups++;
	s->info = *info;
}

static void handle_down(void *data, const struct trn_error *why)
{
	struct seen *s = data;

	s->downs++;
	s->why = *why;
}

static const struct daemon_sharer_events events = { .up = handle_up, .down = handle_down };

static void open_sharer(struct world *w, uint64_t memory, struct seen *s)
{
	struct trn_error err = { 0 };

	memset(s, 0, sizeof(*s));
	if (daemon_sharer_open(w->ps, "cpu0", 0, memory, &events, s, &s->sharer, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(s->ups + s->downs, 0);
}

static void wait_gone(struct world *w)
{
	for (int i = 0; i < 2000 && world_has(w, "parents/cpu0"); i++)
		world_run(w, 10);
	assert_false(world_has(w, "parents/cpu0"));
}

static void quit(struct world *w, struct seen *s)
{
	daemon_sharer_close(s->sharer, true);
	wait_gone(w);
}

static void test_start_and_quit(void **state)
{
	struct world w = { 0 };
	struct seen s;

	world_create(&w);
	open_sharer(&w, 4096, &s);
	world_wait(&w, &s.ups, 1);
	assert_int_equal(s.info.memory, 4096);
	assert_int_equal(s.downs, 0);
	quit(&w, &s);
	world_destroy(&w);
}

static void handle_info(void *data, const struct trnc_parent_info *info, const struct trn_error *err)
{
	struct seen *s = data;

	s->dones++;
	memset(&s->done, 0, sizeof(s->done));
	if (err)
		s->done = *err;
	else
		s->info = *info;
}

static void handle_accounts(void *data, const struct trnc_parent_accounts *head, const struct trnc_parent_account *accounts,
			    const struct trn_error *err)
{
	struct seen *s = data;

	s->accounts++;
	memset(&s->done, 0, sizeof(s->done));
	if (err) {
		s->done = *err;
		return;
	}
	s->nr = head->nr;
	s->busy_ns = accounts[1].busy_ns;
}

static void test_requests(void **state)
{
	const struct trnc_parent_schedule right = { .policy = TRNC_POLICY_EQUAL, .slice_us = 7000 }, wrong = { .policy = 9 };
	struct world w = { 0 };
	struct seen s;

	world_create(&w);
	open_sharer(&w, 4096, &s);
	assert_int_equal(daemon_sharer_schedule(s.sharer, &right, handle_info, &s), -ENOTCONN);
	world_wait(&w, &s.ups, 1);
	assert_int_equal(daemon_sharer_schedule(s.sharer, &right, handle_info, &s), 0);
	world_wait(&w, &s.dones, 1);
	assert_int_equal(s.info.policy, TRNC_POLICY_EQUAL);
	assert_int_equal(s.info.slice_us, 7000);
	assert_int_equal(daemon_sharer_schedule(s.sharer, &wrong, handle_info, &s), 0);
	world_wait(&w, &s.dones, 2);
	assert_int_equal(s.done.code, -EINVAL);
	assert_string_equal(s.done.name, "BadPolicy");
	assert_int_equal(daemon_sharer_accounts(s.sharer, handle_accounts, &s), 0);
	world_wait(&w, &s.accounts, 1);
	assert_int_equal(s.nr, 2);
	assert_int_equal(s.busy_ns, 1001);
	quit(&w, &s);
	world_destroy(&w);
}

static void test_accounts_that_cannot_be(void **state)
{
	struct world w = { .store = "noise" };
	struct seen s;

	world_create(&w);
	open_sharer(&w, 4096, &s);
	world_wait(&w, &s.ups, 1);
	assert_int_equal(daemon_sharer_accounts(s.sharer, handle_accounts, &s), 0);
	world_wait(&w, &s.accounts, 1);
	assert_int_equal(s.done.code, -EPROTO);
	quit(&w, &s);
	world_destroy(&w);
}

static void test_takes_over(void **state)
{
	struct world w = { 0 };
	struct seen s;
	int pid;

	world_create(&w);
	open_sharer(&w, 4096, &s);
	world_wait(&w, &s.ups, 1);
	pid = s.info.pid;
	world_reopen(&w);
	open_sharer(&w, 4096, &s);
	world_wait(&w, &s.ups, 1);
	assert_int_equal(s.info.pid, pid);
	/* Other settings: nobody has joined, so a new one takes its place. */
	world_reopen(&w);
	open_sharer(&w, 8192, &s);
	world_wait(&w, &s.ups, 1);
	assert_int_not_equal(s.info.pid, pid);
	assert_int_equal(s.info.memory, 8192);
	assert_int_equal(s.downs, 0);
	quit(&w, &s);
	world_destroy(&w);
}

/* Devices have joined the running one: it stays, with what it was started with. */
static void test_takes_over_a_busy_one(void **state)
{
	struct world w = { .store = "busy" };
	struct seen s;
	int pid;

	world_create(&w);
	open_sharer(&w, 4096, &s);
	world_wait(&w, &s.ups, 1);
	pid = s.info.pid;
	world_reopen(&w);
	open_sharer(&w, 8192, &s);
	world_wait(&w, &s.ups, 1);
	assert_int_equal(s.info.pid, pid);
	assert_int_equal(s.info.memory, 4096);
	daemon_sharer_close(s.sharer, false);
	assert_int_equal(kill(pid, 0), 0);
	kill(pid, SIGKILL);
	world_destroy(&w);
}

static void test_is_started_again(void **state)
{
	struct world w = { 0 };
	struct seen s;

	world_create(&w);
	open_sharer(&w, 4096, &s);
	world_wait(&w, &s.ups, 1);
	kill(s.info.pid, SIGKILL);
	world_wait(&w, &s.downs, 1);
	assert_int_equal(daemon_sharer_accounts(s.sharer, handle_accounts, &s), -ENOTCONN);
	world_wait(&w, &s.ups, 2);
	quit(&w, &s);
	world_destroy(&w);
}

static void test_cannot_be_started(void **state)
{
	struct world w = { 0 };
	char path[PATH_MAX];
	struct seen s;

	world_create(&w);
	snprintf(path, sizeof(path), "%s", w.ps->parent_path);
	snprintf(w.ps->parent_path, sizeof(w.ps->parent_path), "/nowhere/tranche-parent");
	open_sharer(&w, 4096, &s);
	world_wait(&w, &s.downs, 1);
	assert_string_equal(s.why.name, "CannotStart");
	world_run(&w, 500);
	assert_int_equal(s.downs, 1); /* once is enough */
	snprintf(w.ps->parent_path, sizeof(w.ps->parent_path), "%s", path);
	world_wait(&w, &s.ups, 1);
	quit(&w, &s);
	world_destroy(&w);
}

static void test_names(void **state)
{
	static const char *const bad[] = { "", ".", "..", "a/b", "-x", "a b", "a\nb" };
	struct trn_error err = { 0 };
	struct world w = { 0 };
	struct seen s = { 0 };

	world_create(&w);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_refused(daemon_sharer_open(w.ps, bad[i], 0, 0, &events, &s, &s.sharer, &err), err, -EINVAL, "BadName");
	world_destroy(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_start_and_quit),	      cmocka_unit_test(test_requests),
		cmocka_unit_test(test_accounts_that_cannot_be), cmocka_unit_test(test_takes_over),
		cmocka_unit_test(test_takes_over_a_busy_one), cmocka_unit_test(test_is_started_again),
		cmocka_unit_test(test_cannot_be_started),     cmocka_unit_test(test_names),
	};

	return unit_run(tests);
}
