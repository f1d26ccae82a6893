/* SPDX-License-Identifier: MIT */
/*
 * After the device process: what programs have just compiled is still written down, and work-group functions that they
 * used are made, or a program that ends soon would never leave any.  Nobody waits for that, and nothing of anybody's
 * is held meanwhile: no socket, no terminal or pipe, no folder but the store's.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "parent/broker_priv.h"

#define LIMIT_US 10000000u /* in all */
#define LOW_PRIORITY 19
/* Of executors that are gone there may be something to read: which functions they used. */
#define MAX_LAST_WORDS 256

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

static bool is_worth_it(const struct parent_broker *b)
{
	const struct broker_job *j;

	if (b->chore_pid || !base_list_is_empty(&b->chores))
		return true;
	base_list_for_each(j, &b->jobs, node)
		if (j->is_answered)
			return true;
	return false;
}

void parent_broker_settle(struct parent_broker *b)
{
	bool outlives = is_worth_it(b);

	/* The signal is for a process that is stopped, or busy; one that has something to do sees the socket's end. */
	if (outlives != b->outlives)
		prctl(PR_SET_PDEATHSIG, outlives ? 0 : SIGKILL);
	b->outlives = outlives;
}

/* Numbers 0 to 3 stay in use, so that nobody takes a file for our socket. */
static void let_go(const struct parent_broker *b)
{
	int null;

	base_close(b->process->mould); /* that process ends with it */
	null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; null >= 0 && fd <= TRNC_PARENT_FD; fd++)
		if (dup3(null, fd, O_CLOEXEC) < 0)
			break;
	if (null > TRNC_PARENT_FD)
		base_close(null);
	if (chdir("/") < 0)
		exit(EXIT_FAILURE);
	setpriority(PRIO_PROCESS, 0, LOW_PRIORITY);
}

void parent_broker_linger(struct parent_broker *b)
{
	sd_event *event = b->process->event;
	uint64_t now = now_us(), end = now + LIMIT_US;

	for (int i = 0; i < MAX_LAST_WORDS && sd_event_run(event, 0) > 0; i++) {
	}
	let_go(b);
	b->is_ending = true;
	broker_close_peers(b);
	broker_go_on(b);
	while (is_worth_it(b) && now < end && sd_event_run(event, end - now) >= 0)
		now = now_us();
}
