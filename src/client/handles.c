/* SPDX-License-Identifier: MIT */
#include "client/context.h"

uint64_t client_handle_new(struct client_context *c, enum client_handle_kind kind)
{
	uint64_t handle;

	if (client_session_is_foreign(c->session))
		return 0;
	pthread_mutex_lock(&c->handles_lock);
	handle = client_ids_new(&c->handles[kind]);
	pthread_mutex_unlock(&c->handles_lock);
	return handle;
}

void client_handle_free(struct client_context *c, enum client_handle_kind kind, uint64_t handle)
{
	if (!handle || client_session_is_foreign(c->session))
		return;
	pthread_mutex_lock(&c->handles_lock);
	client_ids_free(&c->handles[kind], handle);
	pthread_mutex_unlock(&c->handles_lock);
}
