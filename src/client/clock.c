// SPDX-License-Identifier: MIT
/*
 * The host's clock, as far as a guest can know it: for the times of what the program does itself, which OpenCL compares with
 * those of the host.  The host page tells when the last command ended, on the host's clock.  That was before we see it: so
 * "then, and what has passed here since we looked" is never too late, and never before an end that the program has seen.
 */
#include <stdint.h>

#include "base/futex.h"
#include "client/client.h"
#include "client/context.h"

#define DRIFT_SHIFT 10 /* clocks differ by less than a part in 2^10; with old news we rather are too early */

static uint64_t guess_locked(struct client_clock *k, uint64_t host, uint64_t now)
{
	int64_t aged = k->offset - (int64_t)((now - k->looked_at) >> DRIFT_SHIFT), seen = (int64_t)(host - now);
	uint64_t guess;

	if (host && (!k->looked_at || seen > aged)) {
		k->offset = aged = seen;
		k->looked_at = now;
	}
	guess = now + (uint64_t)aged;
	if (guess > k->last)
		k->last = guess;
	return k->last;
}

uint64_t client_clock_ns(struct client_context *c)
{
	uint64_t host, ret;

	if (!c->is_guest)
		return base_clock_raw_ns();
	pthread_mutex_lock(&c->clock.lock);
	/* The host's first: what is read later is later. */
	host = atomic_load(client_word64(&c->host->clock_ns));
	ret = guess_locked(&c->clock, host, base_clock_raw_ns());
	pthread_mutex_unlock(&c->clock.lock);
	return ret;
}
