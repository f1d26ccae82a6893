/* SPDX-License-Identifier: MIT */
/* Contexts that nothing will come from any more: how that is noticed, and what the program is told. */
#include <errno.h>

#include "base/futex.h"
#include "client/refuse.h"
#include "client/transport.h"

#define FAREWELL_MS 200 /* for the device's own sentence on a loss */

/*
 * TRNC_LOST_*, or 0.  A guest's driver takes the channel away when the session is lost, and what is read then is zero: no
 * host writes 0 for its generation.
 */
static uint32_t read_loss(const struct client_context *c)
{
	uint32_t reason = atomic_load_explicit(client_word32(&c->host->lost), memory_order_relaxed);

	if (!reason && c->is_guest && !atomic_load_explicit(client_word32(&c->host->generation), memory_order_relaxed))
		reason = TRNC_LOST_EXECUTOR;
	return reason;
}

bool client_context_is_lost(const struct client_context *c)
{
	return client_session_is_gone(c->session) || atomic_load_explicit(&c->lost, memory_order_acquire) ||
	       read_loss(c);
}

int client_context_refuse_lost(struct client_context *c, struct trn_error *err)
{
	if (client_session_is_lost(c->session))
		return client_session_refuse_lost(c->session, err);
	return client_refuse(err, -ESHUTDOWN, "ContextLost", "make a new context",
			     "%s: the device gave this context up", c->session->device->path);
}

int client_context_blame_host(struct client_context *c, const char *text)
{
	struct trn_error why = { 0 };

	/* What makes no sense may be what is left of a channel that was taken away. */
	if (client_context_check_lost(c))
		return -ESHUTDOWN;
	client_refuse(&why, -EPROTO, "BadHost", CLIENT_HINT_RESTART, "%s: %s", c->session->device->path, text);
	atomic_store(&c->lost, true);
	client_session_lose(c->session, &why);
	return -EPROTO;
}

bool client_context_check_lost(struct client_context *c)
{
	struct client_session *s = c->session;
	uint32_t reason;

	if (client_session_is_lost(s) || atomic_load(&c->lost))
		return true;
	reason = read_loss(c);
	if (!reason)
		return false;
	atomic_store(&c->lost, true);
	/* A bad record is this context's alone; for the rest the device says why and closes the connection. */
	if (reason != TRNC_LOST_RECORD) {
		struct trn_error why = { 0 };
		uint64_t start = base_clock_ns();

		while (!atomic_load(&s->lost) && base_clock_ns() - start < FAREWELL_MS * 1000000ull)
			s->transport->drain(s, FAREWELL_MS);
		client_refuse(&why, -ESHUTDOWN, "ExecutorLost",
			      "a kernel may have crashed: a new context starts another executor",
			      "%s: what ran the commands of this program ended",
			      s->device->path);
		client_session_lose(s, &why); /* does nothing when the device has spoken */
	}
	return true;
}
