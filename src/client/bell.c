/* SPDX-License-Identifier: MIT */
/*
 * When a guest wakes its host for new commands.  A bell is a trap of the virtual machine, thousands of times as dear as the
 * command; a host that works off commands faster than a guest writes them would fall asleep after each of them.  So after
 * one bell the next ones wait: for more commands, for some ms, or for a flush, a wait or a question, as OpenCL lets them.
 */
#include "base/futex.h"
#include "client/transport.h"

#define ENOUGH_COMMANDS 32u
#define REST_NS 10000000u

void client_bell_ring(struct client_context *c)
{
	if (!client_ring_host(c->session, c->id, &c->user->host_asleep))
		return;
	atomic_store_explicit(&c->nr_unrung, 0, memory_order_relaxed);
	if (!c->session->has_dear_clock)
		atomic_store_explicit(&c->rung_ns, base_clock_ns(), memory_order_relaxed);
}

static bool is_due(const struct client_context *c, uint32_t nr_unrung)
{
	if (nr_unrung >= ENOUGH_COMMANDS)
		return true;
	/* The clock is read only when it matters. */
	return !c->session->has_dear_clock && atomic_load(client_word32(&c->user->host_asleep)) &&
	       base_clock_ns() - atomic_load_explicit(&c->rung_ns, memory_order_relaxed) > REST_NS;
}

void client_bell_note_command(struct client_context *c)
{
	/* Several threads may count at the same time: it is a hint. */
	uint32_t nr = atomic_load_explicit(&c->nr_unrung, memory_order_relaxed) + 1;

	atomic_store_explicit(&c->nr_unrung, nr, memory_order_relaxed);
	if (is_due(c, nr))
		client_bell_ring(c);
}

void client_flush(struct client_context *c)
{
	if (c->is_guest && !client_session_is_foreign(c->session))
		client_bell_ring(c);
}
