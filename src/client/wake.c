/* SPDX-License-Identifier: MIT */
/* For the helper threads of those who stand on the client: to be woken, and to know that they are not in this process. */
#include "base/futex.h"
#include "client/context.h"

void client_wake(struct client_context *c)
{
	base_futex_signal(client_word32(&c->user->user_asleep));
}

bool client_context_is_forked(const struct client_context *c)
{
	return client_session_is_foreign(c->session);
}
