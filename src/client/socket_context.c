/* SPDX-License-Identifier: MIT */
/* Contexts over a socket: this side makes the channel, chooses the numbers and tells the device. */
#include <errno.h>

#include "client/refuse.h"
#include "client/rpc.h"
#include "client/socket.h"

#define CHANNEL_LEN (TRNC_CHANNEL_RING + CLIENT_RING_LEN + CLIENT_BLOCK_BYTES)

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

/* With its pages present: the ring takes no faults later. */
static int open_channel(struct client_context *c, struct trnc_event_slot **ret_block, struct trn_error *err)
{
	uint8_t *base;
	int r = client_segment_create(c->session, TRNC_SEGMENT_SERVICE, CHANNEL_LEN, true, &c->channel, err);

	if (r < 0)
		return r;
	base = c->channel->ptr;
	c->user = (struct trnc_user_page *)(void *)(base + TRNC_CHANNEL_USER);
	c->host = (struct trnc_host_page *)(void *)(base + TRNC_CHANNEL_HOST);
	c->ring = base + TRNC_CHANNEL_RING;
	c->ring_len = CLIENT_RING_LEN;
	*ret_block = (struct trnc_event_slot *)(void *)(c->ring + CLIENT_RING_LEN);
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

int client_socket_context_create(struct client_context *c, struct trnc_event_slot **ret_block, struct trn_error *err)
{
	int r = take_id(c, err);

	if (r < 0)
		return r;
	r = open_channel(c, ret_block, err);
	if (r < 0)
		goto give_id;
	r = announce_context(c, err);
	if (r < 0)
		goto close_channel;
	return 0;

close_channel:
	client_segment_destroy(c->channel, 0, 0);
give_id:
	release_id(c);
	return r;
}

void client_socket_context_end(struct client_context *c)
{
	struct trnc_context_destroy destroy = { .context = c->id };
	struct client_request req = { .type = TRNC_MSG_CONTEXT_DESTROY, .body = &destroy, .len = sizeof(destroy) };

	client_rpc(c->session, &req, NULL);
	release_id(c);
}

void client_socket_context_free(struct client_context *c)
{
	for (uint32_t i = 1; i < c->nr_event_blocks; i++)
		client_segment_destroy(c->event_segments[i], 0, 0);
	client_segment_destroy(c->channel, 0, 0);
}

static int announce_block(struct client_context *c, struct client_segment *seg, struct trn_error *err)
{
	struct trnc_event_block_add add = {
		.context = c->id,
		.block = c->nr_event_blocks,
		.offset = seg->offset,
		.control_seq = atomic_load(&c->session->control_seq),
	};
	struct client_request req = { .type = TRNC_MSG_EVENT_BLOCK_ADD, .body = &add, .len = sizeof(add) };

	return client_rpc(c->session, &req, err);
}

int client_socket_block_add(struct client_context *c, struct trnc_event_slot **ret_block, struct trn_error *err)
{
	struct client_segment *seg;
	int r = client_segment_create(c->session, TRNC_SEGMENT_SERVICE, CLIENT_BLOCK_BYTES, false, &seg, err);

	if (r < 0)
		return r;
	r = announce_block(c, seg, err);
	if (r < 0) {
		client_segment_destroy(seg, 0, 0);
		return r;
	}
	c->event_segments[c->nr_event_blocks] = seg;
	*ret_block = (struct trnc_event_slot *)(void *)seg->ptr;
	return 0;
}
