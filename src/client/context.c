/* SPDX-License-Identifier: MIT */
#include "client/context.h"

#include <stdlib.h>

#include "client/refuse.h"
#include "client/transport.h"

#define SPIN_FIRST_NS 20000u

/* ----------------------------------------------------------------- life */

static struct client_context *new_context(struct client_session *s)
{
	struct client_context *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->session = s;
	c->is_guest = !s->transport->is_same_machine;
	c->published_cpu = UINT32_MAX;
	atomic_store(&c->spin_ns, SPIN_FIRST_NS);
	base_list_init(&c->node);
	base_list_init(&c->exact);
	pthread_mutex_init(&c->ring_lock, NULL);
	pthread_mutex_init(&c->handles_lock, NULL);
	pthread_mutex_init(&c->clock.lock, NULL);
	for (int i = 0; i < CLIENT_NR_KINDS; i++)
		client_ids_init(&c->handles[i], TRNC_MAX_OBJECTS);
	/* A build goes another way than the ring and may overtake the PROGRAM_DESTROY of the index's last owner. */
	c->handles[CLIENT_PROGRAM].is_fresh_first = true;
	client_pool_init(&c->buffers, s, TRNC_SEGMENT_BUFFER);
	client_pool_init(&c->staging, s, TRNC_SEGMENT_SERVICE);
	return c;
}

/* What new_context() made. */
static void free_context(struct client_context *c)
{
	client_memory_finish(c);
	for (int i = 0; i < CLIENT_NR_KINDS; i++)
		client_ids_finish(&c->handles[i]);
	pthread_mutex_destroy(&c->clock.lock);
	pthread_mutex_destroy(&c->handles_lock);
	pthread_mutex_destroy(&c->ring_lock);
	free(c);
}

int client_context_create(struct client_session *s, struct client_context **ret, struct trn_error *err)
{
	struct trnc_event_slot *block0;
	struct client_context *c;
	int r;

	if (client_session_is_lost(s))
		return client_session_refuse_lost(s, err);
	c = new_context(s);
	if (!c)
		return client_refuse_memory(err);
	r = s->transport->context_create(c, &block0, err);
	if (r < 0) {
		free_context(c);
		return r;
	}
	client_events_init(c, block0);

	client_session_ref(s);
	pthread_mutex_lock(&s->lock);
	base_list_append(&s->contexts, &c->node);
	pthread_mutex_unlock(&s->lock);
	*ret = c;
	return 0;
}

void client_context_destroy(struct client_context *c)
{
	struct client_session *s;

	/* A forked child leaves what it inherited alone. */
	if (!c || client_session_is_foreign(c->session))
		return;
	s = c->session;
	pthread_mutex_lock(&s->reap_lock);
	pthread_mutex_lock(&s->lock);
	base_list_remove(&c->node);
	pthread_mutex_unlock(&s->lock);
	pthread_mutex_unlock(&s->reap_lock);

	s->transport->context_end(c);
	s->transport->context_free(c);
	client_events_finish(c);
	free_context(c);
	client_session_put(s);
}

struct client_session *client_context_session(struct client_context *c)
{
	return c->session;
}

uint64_t client_context_memory_seq(const struct client_context *c)
{
	return atomic_load(&c->session->control_seq);
}

bool client_context_has_address(const struct client_context *c, const void *p)
{
	const struct client_session *s = c->session;

	return s->window && (uintptr_t)p - (uintptr_t)s->window < s->window_size;
}
