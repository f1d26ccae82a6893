/* SPDX-License-Identifier: MIT */
/*
 * Sleeping over a socket: on the flag word itself.  A sleeper wakes twice a second to see whether anybody is left to wake
 * it.
 */
#include <errno.h>

#include "base/futex.h"
#include "client/rpc.h"
#include "client/socket.h"

#define LIFE_CHECK_NS 500000000ll

/* How long to sleep, or -1 when the deadline has passed. */
static int64_t sleep_limit(int64_t deadline_ns)
{
	int64_t left;

	if (deadline_ns < 0)
		return LIFE_CHECK_NS;
	left = deadline_ns - (int64_t)base_clock_ns();
	if (left <= 0)
		return -1;
	return left < LIFE_CHECK_NS ? left : LIFE_CHECK_NS;
}

/*
 * One thread at a time, the leader, sleeps on the flag; the others sleep on a number that the leader changes.  With two
 * on the flag a wake-up can be lost: one sets it, looks, and before it sleeps the host clears it and the other sets it
 * again.
 */
static void tell_followers(struct client_context *c)
{
	atomic_fetch_add(&c->sleep_round, 1);
	if (atomic_load(&c->nr_followers))
		base_futex_wake(&c->sleep_round);
}

#define LOOK_AGAIN 1

static int lead(struct client_context *c, const struct client_condition *cond, int64_t limit_ns)
{
	_Atomic uint32_t *flag = client_word32(&c->user->user_asleep);

	/* An exchange, so that it stands before the looks that follow; see base/futex.h. */
	atomic_exchange(flag, 1);
	tell_followers(c); /* whoever looked before the flag was set has to look again */
	if (cond->done(cond->data))
		return 0;
	if (client_context_check_lost(c))
		return -ESHUTDOWN;
	if (limit_ns < 0)
		return -ETIMEDOUT;
	if (base_futex_wait(flag, 1, limit_ns) == -ETIMEDOUT)
		client_rpc_drain(c->session, 0);
	return LOOK_AGAIN;
}

static int follow(struct client_context *c, const struct client_condition *cond, int64_t limit_ns)
{
	uint32_t round;
	int r = LOOK_AGAIN;

	atomic_fetch_add(&c->nr_followers, 1);
	round = atomic_load(&c->sleep_round);
	if (cond->done(cond->data))
		r = 0;
	else if (limit_ns < 0)
		r = -ETIMEDOUT;
	else if (atomic_load(&c->has_leader)) /* it will change the number, at the latest when it leaves */
		base_futex_wait(&c->sleep_round, round, limit_ns);
	atomic_fetch_sub(&c->nr_followers, 1);
	return r;
}

int client_socket_sleep(struct client_context *c, const struct client_condition *cond, int64_t deadline_ns)
{
	int r;

	do {
		int64_t limit_ns = sleep_limit(deadline_ns);
		bool nobody = false;

		if (atomic_compare_exchange_strong(&c->has_leader, &nobody, true)) {
			r = lead(c, cond, limit_ns);
			if (r != LOOK_AGAIN)
				atomic_store(client_word32(&c->user->user_asleep), 0); /* spares the host a call */
			atomic_store(&c->has_leader, false);
			tell_followers(c);
		} else {
			r = follow(c, cond, limit_ns);
		}
	} while (r == LOOK_AGAIN);
	return r;
}

void client_socket_wake(struct client_context *c)
{
	base_futex_signal(client_word32(&c->user->user_asleep));
}

void client_socket_wake_lost(struct client_context *c)
{
	atomic_store(client_word32(&c->user->user_asleep), 0);
	base_futex_wake(client_word32(&c->user->user_asleep));
}

void client_socket_ring(struct client_session *s, uint32_t context, _Atomic uint32_t *flag)
{
	base_futex_wake(flag);
}

void client_socket_output_sleep(struct client_session *s, const struct client_text *text)
{
	_Atomic uint32_t *flag = client_word32(&text->head->user_asleep);

	atomic_exchange(flag, 1);
	if (!text->has_news(text->data))
		base_futex_wait(flag, 1, -1);
}

void client_socket_output_wake(struct client_session *s, struct trnc_output *head)
{
	atomic_store(client_word32(&head->user_asleep), 0);
	base_futex_wake(client_word32(&head->user_asleep));
}
