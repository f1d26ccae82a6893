/* SPDX-License-Identifier: MIT */
/* For the helper threads of those who stand on the client: to be woken, and to know that they are not in this process. */
#include "client/transport.h"

void client_wake(struct client_context *c)
{
	if (!client_session_is_foreign(c->session))
		c->session->transport->wake(c);
}

bool client_context_is_forked(const struct client_context *c)
{
	return client_session_is_foreign(c->session);
}
