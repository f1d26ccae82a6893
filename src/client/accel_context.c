/* SPDX-License-Identifier: MIT */
/* Contexts through a guest's driver, which makes the channel: we map its parts, each with the access that is ours. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "client/accel.h"
#include "client/refuse.h"

#define CHANNEL_LEN (TRNC_CHANNEL_RING + CLIENT_RING_LEN + CLIENT_BLOCK_BYTES)

static int refuse_context(struct client_session *s, int r, struct trn_error *err)
{
	if (r == -EUSERS)
		return client_refuse(err, -ENOBUFS, "TooManyContexts", "release a context first",
				     "a session has at most %u contexts", TRNC_MAX_CONTEXTS);
	if (r == -ENOSPC)
		return client_refuse(err, r, "OverQuota", "release contexts or end programs that use the device",
				     "%s: a context is over the device's service memory", s->device->path);
	return client_accel_refuse(s, r, "CONTEXT_CREATE", err);
}

/* The pages of one part, at the same place as in the channel. */
static int map_part(struct client_session *s, uint8_t *base, uint64_t mmap_offset, uint64_t start, uint64_t len, int prot)
{
	void *p = mmap(base + start, len, prot, MAP_SHARED | MAP_FIXED, s->fd, (off_t)(mmap_offset + start));

	return p == MAP_FAILED ? -errno : 0;
}

/* The page between the host's and the ring is the kernel's: it stays a hole. */
static int map_parts(struct client_session *s, uint8_t *base, uint64_t mmap_offset)
{
	int r;

	r = map_part(s, base, mmap_offset, TRNC_CHANNEL_USER, TRNC_PAGE, PROT_READ | PROT_WRITE);
	if (r == 0)
		r = map_part(s, base, mmap_offset, TRNC_CHANNEL_HOST, TRNC_PAGE, PROT_READ);
	if (r == 0)
		r = map_part(s, base, mmap_offset, TRNC_CHANNEL_RING, CLIENT_RING_LEN, PROT_READ | PROT_WRITE);
	if (r == 0)
		r = map_part(s, base, mmap_offset, TRNC_CHANNEL_RING + CLIENT_RING_LEN, CLIENT_BLOCK_BYTES, PROT_READ);
	return r;
}

static int map_channel(struct client_context *c, uint64_t mmap_offset, struct trn_error *err)
{
	uint8_t *base = mmap(NULL, CHANNEL_LEN, PROT_NONE, CLIENT_RESERVE_FLAGS, -1, 0);
	int r;

	if (base == MAP_FAILED)
		return client_refuse_memory(err);
	r = map_parts(c->session, base, mmap_offset);
	if (r < 0) {
		munmap(base, CHANNEL_LEN);
		return client_refuse(err, -ENOMEM, "MapFailed",
				     "raise the limit of the address space or vm.max_map_count",
				     "cannot map a channel of the device: %s", strerror(-r));
	}
	c->user = (struct trnc_user_page *)(void *)(base + TRNC_CHANNEL_USER);
	c->host = (struct trnc_host_page *)(void *)(base + TRNC_CHANNEL_HOST);
	c->ring = base + TRNC_CHANNEL_RING;
	c->ring_len = CLIENT_RING_LEN;
	return 0;
}

static void list_context(struct client_context *c)
{
	struct client_session *s = c->session;

	pthread_mutex_lock(&s->lock);
	atomic_store(&s->accel->contexts[c->id], c);
	s->accel->round++;
	pthread_cond_broadcast(&s->accel->changed);
	pthread_mutex_unlock(&s->lock);
}

/* When it returns the thread of the output sleeps on another one. */
static void unlist_context(struct client_context *c)
{
	struct client_session *s = c->session;

	pthread_mutex_lock(&s->lock);
	atomic_store(&s->accel->contexts[c->id], NULL);
	while (s->accel->pinned == c) {
		client_accel_wake(c);
		pthread_cond_wait(&s->accel->changed, &s->lock);
	}
	pthread_mutex_unlock(&s->lock);
}

static void destroy_number(struct client_session *s, uint32_t id)
{
	struct drm_tranche_context_destroy destroy = { .context = id };

	client_accel_ioctl(s, DRM_IOCTL_TRANCHE_CONTEXT_DESTROY, &destroy);
}

int client_accel_context_create(struct client_context *c, struct trnc_event_slot **ret_block, struct trn_error *err)
{
	struct client_session *s = c->session;
	struct drm_tranche_context_create create = { .ring_len = CLIENT_RING_LEN };
	int r = client_accel_ioctl(s, DRM_IOCTL_TRANCHE_CONTEXT_CREATE, &create);

	if (r < 0)
		return refuse_context(s, r, err);
	if (create.context < 1 || create.context > TRNC_MAX_CONTEXTS)
		return client_refuse(err, -EPROTO, "BadReply", CLIENT_HINT_RESTART,
				     "%s: the driver gave a context an impossible number", s->device->path);
	r = map_channel(c, create.mmap_offset, err);
	if (r < 0) {
		destroy_number(s, create.context);
		return r;
	}
	c->id = create.context;
	client_segment_note_control(s, create.control_seq);
	client_accel_note_live(s, TRNC_SEGMENT_SERVICE, CHANNEL_LEN);
	*ret_block = (struct trnc_event_slot *)(void *)(c->ring + CLIENT_RING_LEN);
	list_context(c);
	return 0;
}

void client_accel_context_end(struct client_context *c)
{
	unlist_context(c);
	destroy_number(c->session, c->id);
}

void client_accel_context_free(struct client_context *c)
{
	for (uint32_t i = 1; i < c->nr_event_blocks; i++)
		munmap(atomic_load(&c->event_blocks[i]), CLIENT_BLOCK_BYTES);
	munmap(c->user, CHANNEL_LEN);
	client_accel_note_dying(c->session, TRNC_SEGMENT_SERVICE,
				CHANNEL_LEN + (uint64_t)(c->nr_event_blocks - 1) * CLIENT_BLOCK_BYTES);
}

int client_accel_block_add(struct client_context *c, struct trnc_event_slot **ret_block, struct trn_error *err)
{
	struct client_session *s = c->session;
	struct drm_tranche_event_block_add add = { .context = c->id, .block = c->nr_event_blocks };
	int r = client_accel_ioctl(s, DRM_IOCTL_TRANCHE_EVENT_BLOCK_ADD, &add);
	void *p;

	if (r < 0)
		return client_accel_refuse(s, r, "EVENT_BLOCK_ADD", err);
	p = mmap(NULL, CLIENT_BLOCK_BYTES, PROT_READ, MAP_SHARED, s->fd, (off_t)add.mmap_offset);
	/* The device has the block now, so that a second try would not be the next one: the context has no more events. */
	if (p == MAP_FAILED)
		return client_refuse_memory(err);
	client_accel_note_live(s, TRNC_SEGMENT_SERVICE, CLIENT_BLOCK_BYTES);
	*ret_block = p;
	return 0;
}
