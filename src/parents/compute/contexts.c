/* SPDX-License-Identifier: MIT */
/*
 * Contexts, as far as the device process knows them: where their channel is, so that it can tell their sleepers when
 * the executor that serves them is gone.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/futex.h"
#include "base/range.h"
#include "parents/compute/priv.h"

/* The user page and the host page. */
#define MAPPED (TRNC_CHANNEL_KERNEL - TRNC_CHANNEL_USER)

static int check_create(const struct compute_session *s, const struct trnc_context_create *c, struct trn_error *err)
{
	if (c->context == 0 || c->context > TRNC_MAX_CONTEXTS)
		return trn_error_set(err, -EINVAL, "BadContext", "context %u is not in 1 to %u", c->context,
				     TRNC_MAX_CONTEXTS);
	if (c->flags || c->reserved)
		return trn_error_set(err, -EINVAL, "BadContext", "unknown flags of a context");
	if (s->contexts[c->context])
		return trn_error_set(err, -EEXIST, "ContextExists", "context %u exists", c->context);
	if (c->ring_len < TRNC_RING_MIN || c->ring_len > TRNC_RING_MAX || (c->ring_len & (c->ring_len - 1)))
		return trn_error_set(err, -EINVAL, "BadContext", "a ring cannot have %u bytes", c->ring_len);
	if (!base_is_page_aligned(c->channel))
		return trn_error_set(err, -EINVAL, "BadContext", "the channel is not page-aligned");
	if (c->control_seq > s->control_seq)
		return trn_error_set(err, -EINVAL, "BadContext", "control number %llu was not given yet",
				     (unsigned long long)c->control_seq);
	return 0;
}

static int map_channel(struct compute_context *context, uint64_t channel)
{
	const struct compute_segment *seg = context->segment;
	uint8_t *p;

	if (seg->slot) {
		p = compute_slot_channel(seg->slot, channel);
		context->user = (struct trnc_user_page *)(void *)p;
		context->host = (struct trnc_host_page *)(void *)(p + TRNC_CHANNEL_HOST);
		context->kernel = (struct trnc_kernel_page *)(void *)(p + TRNC_CHANNEL_KERNEL);
		return 0;
	}
	p = mmap(NULL, MAPPED, PROT_READ | PROT_WRITE, MAP_SHARED, seg->fd, (off_t)(channel - seg->offset));

	if (p == MAP_FAILED)
		return -errno;
	context->user = (struct trnc_user_page *)(void *)p;
	context->host = (struct trnc_host_page *)(void *)(p + TRNC_CHANNEL_HOST);
	return 0;
}

static int add_context(struct compute_session *s, const struct trnc_context_create *c, struct trn_error *err)
{
	uint64_t len = TRNC_CHANNEL_RING + c->ring_len + sizeof(struct trnc_event_slot) * TRNC_EVENT_BLOCK_SLOTS;
	struct compute_segment *seg = compute_segment_find(s, TRNC_SEGMENT_SERVICE, c->channel, len);
	struct compute_context *context;
	int r;

	if (!seg)
		return trn_error_set(err, -EINVAL, "BadContext",
				     "the channel, %llu bytes at 0x%llx, lies in no service segment",
				     (unsigned long long)len, (unsigned long long)c->channel);
	context = calloc(1, sizeof(*context));
	if (!context)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory for a context");
	context->segment = seg;
	r = map_channel(context, c->channel);
	if (r < 0) {
		free(context);
		return trn_error_set(err, -ENOMEM, "NoMemory", "cannot map a channel: %s", strerror(-r));
	}
	seg->pins++;
	s->contexts[c->context] = context;
	return 0;
}

/* Counted by the executor in shared memory: only a figure for people. */
static uint64_t commands_of(const struct compute_context *context)
{
	return atomic_load((_Atomic uint64_t *)&context->host->commands);
}

uint64_t compute_contexts_count_commands(const struct compute_session *s)
{
	uint64_t sum = 0;

	for (uint32_t i = 1; i <= TRNC_MAX_CONTEXTS; i++)
		sum += s->contexts[i] ? commands_of(s->contexts[i]) : 0;
	return sum;
}

static void remove_context(struct compute_session *s, uint32_t number)
{
	struct compute_context *context = s->contexts[number];

	if (!context)
		return;
	s->contexts[number] = NULL;
	s->device->stats.commands += commands_of(context);
	if (s->slot)
		compute_slot_set_bell(s->slot, number, NULL);
	else
		munmap(context->user, MAPPED);
	context->segment->pins--;
	free(context);
}

void compute_context_handle_create(struct compute_session *s, const struct trnc_msg *m, const void *body)
{
	const struct trnc_context_create *c = body;
	struct compute_pending pending = { .id = m->id, .type = m->type, .context = c->context };
	struct trn_error err = { 0 };

	if (check_create(s, c, &err) < 0 || add_context(s, c, &err) < 0)
		compute_reply_error(s, m->type, m->id, &err);
	else if (!compute_relay(s, m, body, sizeof(*c), m->type, &pending))
		remove_context(s, c->context);
}

bool compute_context_is_live(const struct compute_session *s, uint32_t number)
{
	return number && number <= TRNC_MAX_CONTEXTS && s->contexts[number] &&
	       s->contexts[number]->state == CONTEXT_LIVE;
}

void compute_context_handle_destroy(struct compute_session *s, const struct trnc_msg *m, const void *body)
{
	const struct trnc_context_destroy *c = body;
	struct compute_pending pending = { .id = m->id, .type = m->type, .context = c->context };

	if (c->reserved)
		compute_refuse(s, m, -EINVAL, "BadMessage", "unknown flags of CONTEXT_DESTROY");
	else if (!compute_context_is_live(s, c->context))
		compute_refuse(s, m, -ENOENT, "NoContext", "there is no context %u", c->context);
	else if (compute_relay(s, m, body, sizeof(*c), m->type, &pending))
		s->contexts[c->context]->state = CONTEXT_DESTROYING;
}

void compute_context_answered(struct compute_session *s, const struct compute_pending *p, bool is_refused)
{
	bool is_create = p->type == TRNC_MSG_CONTEXT_CREATE;

	if (is_create == is_refused) {
		remove_context(s, p->context);
		return;
	}
	s->contexts[p->context]->state = CONTEXT_LIVE;
	if (s->slot)
		compute_slot_set_bell(s->slot, p->context, s->contexts[p->context]->user);
}

void compute_contexts_lose(struct compute_session *s, enum trnc_lost why)
{
	for (uint32_t i = 1; i <= TRNC_MAX_CONTEXTS; i++) {
		const struct compute_context *context = s->contexts[i];
		_Atomic uint32_t *asleep;

		if (!context)
			continue;
		/* Whoever was told of a loss already keeps that reason. */
		if (!atomic_load((_Atomic uint32_t *)&context->host->lost))
			atomic_store((_Atomic uint32_t *)&context->host->lost, why);
		/* Woken in any case: the flag may have been cleared by an executor that died before it woke anybody. */
		if (s->slot) {
			atomic_fetch_add((_Atomic uint64_t *)&context->host->attention, 1);
			continue;
		}
		asleep = (_Atomic uint32_t *)&context->user->user_asleep;
		atomic_store(asleep, 0);
		base_futex_wake(asleep);
	}
	if (s->slot)
		compute_slot_wake(s->slot);
}

void compute_contexts_end(struct compute_session *s)
{
	for (uint32_t i = 1; i <= TRNC_MAX_CONTEXTS; i++)
		remove_context(s, i);
}
