/* SPDX-License-Identifier: MIT */
#include "client/context.h"

#include <errno.h>
#include <stdlib.h>

#include "client/refuse.h"
#include "client/rpc.h"
#include "client/segments.h"


/* Room for a burst of some 13,000 launches: the program's thread writes them at 0.1 us each and need not share the
 * processors with the host's threads while they are worked off. */
#define RING_LEN (2u << 20)
#define EVENT_BLOCK_BYTES (TRNC_EVENT_BLOCK_SLOTS * (uint32_t)sizeof(struct trnc_event_slot))
#define CHANNEL_LEN (TRNC_CHANNEL_RING + RING_LEN + EVENT_BLOCK_BYTES)

#define SPIN_FIRST_NS 20000u

/* -------------------------------------------------------------- numbers */

static int take_id(struct client_context *c, struct trn_error *err)
{
	struct client_session *s = c->session;
	int bit;

	pthread_mutex_lock(&s->lock);
	bit = __builtin_ffsll((long long)~s->contexts_used);
	if (bit > 0)
		s->contexts_used |= 1ull << (bit - 1);
	pthread_mutex_unlock(&s->lock);
	if (bit == 0)
		return client_refuse(err, -ENOBUFS, "TooManyContexts", "release a context first",
				     "a session has at most %u contexts", TRNC_MAX_CONTEXTS);
	c->id = (uint32_t)bit;
	return 0;
}

static void release_id(struct client_context *c)
{
	pthread_mutex_lock(&c->session->lock);
	c->session->contexts_used &= ~(1ull << (c->id - 1));
	pthread_mutex_unlock(&c->session->lock);
}

_Static_assert(TRNC_MAX_CONTEXTS == 64, "the ids of a session's contexts are the bits of one word");

/* -------------------------------------------------------------- channel */

/* With its pages present: the ring takes no faults later. */
static int open_channel(struct client_context *c, struct trn_error *err)
{
	uint8_t *base;
	int r = client_segment_create(c->session, TRNC_SEGMENT_SERVICE, CHANNEL_LEN, true, &c->channel, err);

	if (r < 0)
		return r;
	base = c->channel->ptr;
	c->user = (struct trnc_user_page *)(void *)(base + TRNC_CHANNEL_USER);
	c->host = (struct trnc_host_page *)(void *)(base + TRNC_CHANNEL_HOST);
	c->ring = base + TRNC_CHANNEL_RING;
	c->ring_len = RING_LEN;
	client_events_init(c, (struct trnc_event_slot *)(void *)(c->ring + RING_LEN));
	return 0;
}

static int announce_context(struct client_context *c, struct trn_error *err)
{
	struct trnc_context_create create = {
		.context = c->id,
		.channel = c->channel->offset,
		.ring_len = c->ring_len,
		.control_seq = atomic_load(&c->session->control_seq),
	};
	struct client_request req = { .type = TRNC_MSG_CONTEXT_CREATE, .body = &create, .len = sizeof(create) };

	return client_rpc(c->session, &req, err);
}

static void withdraw_context(struct client_context *c)
{
	struct trnc_context_destroy destroy = { .context = c->id };
	struct client_request req = { .type = TRNC_MSG_CONTEXT_DESTROY, .body = &destroy, .len = sizeof(destroy) };

	client_rpc(c->session, &req, NULL);
}

/* ----------------------------------------------------------------- life */

static struct client_context *new_context(struct client_session *s)
{
	struct client_context *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->session = s;
	c->published_cpu = UINT32_MAX;
	atomic_store(&c->spin_ns, SPIN_FIRST_NS);
	base_list_init(&c->node);
	base_list_init(&c->exact);
	pthread_mutex_init(&c->ring_lock, NULL);
	pthread_mutex_init(&c->handles_lock, NULL);
	for (int i = 0; i < CLIENT_NR_KINDS; i++)
		client_ids_init(&c->handles[i], TRNC_MAX_OBJECTS);
	/* A build goes another way than the ring and may overtake the PROGRAM_DESTROY of the index's last owner. */
	c->handles[CLIENT_PROGRAM].is_fresh_first = true;
	client_pool_init(&c->buffers, s, TRNC_SEGMENT_BUFFER);
	client_pool_init(&c->staging, s, TRNC_SEGMENT_SERVICE);
	return c;
}

/* What new_context() and open_channel() made. */
static void free_context(struct client_context *c)
{
	client_memory_finish(c);
	if (c->channel) {
		client_events_finish(c);
		client_segment_destroy(c->channel, 0, 0);
	}
	for (int i = 0; i < CLIENT_NR_KINDS; i++)
		client_ids_finish(&c->handles[i]);
	pthread_mutex_destroy(&c->handles_lock);
	pthread_mutex_destroy(&c->ring_lock);
	free(c);
}

int client_context_create(struct client_session *s, struct client_context **ret, struct trn_error *err)
{
	struct client_context *c;
	int r;

	if (client_session_is_lost(s))
		return client_session_refuse_lost(s, err);
	c = new_context(s);
	if (!c)
		return client_refuse_memory(err);
	r = take_id(c, err);
	if (r < 0)
		goto free_it;
	r = open_channel(c, err);
	if (r < 0)
		goto give_id;
	r = announce_context(c, err);
	if (r < 0)
		goto give_id;

	client_session_ref(s);
	pthread_mutex_lock(&s->lock);
	base_list_append(&s->contexts, &c->node);
	pthread_mutex_unlock(&s->lock);
	*ret = c;
	return 0;

give_id:
	release_id(c);
free_it:
	free_context(c);
	return r;
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

	withdraw_context(c);
	release_id(c);
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
