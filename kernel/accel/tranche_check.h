/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Arithmetic of rings and checks of what comes from the host and from user
 * space. Nothing here touches shared memory: callers copy once, then ask.
 */
#ifndef TRANCHE_CHECK_H
#define TRANCHE_CHECK_H

#include <linux/ctype.h>
#include <linux/errno.h>
#include <linux/limits.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/overflow.h>
#include <linux/string.h>

#include "tranche/wire/compute_pci.h"
#include "drm/tranche_accel.h"

#define TRANCHE_MAX_SESSIONS 64
#define TRANCHE_EVENT_BLOCK_SIZE (TRNC_EVENT_BLOCK_SLOTS * sizeof(struct trnc_event_slot))

/* What the registers said, once at START. */
struct tranche_layout {
	u32 version;
	u32 generation;
	u64 nonce;
	u64 features;
	u32 nr_sessions;
	u8 uuid[16];
	u32 control_size;
	u32 probe_offset;
	u64 shared_offset;
	u64 shared_size;
	u64 windows_offset;
	u64 window_size;
	u32 window_align;
	u64 quota;
	u64 service;
};

/* No host has more to say; its word alone does not take the guest's memory. */
#define TRANCHE_PROBE_MAX (16u << 20)

/* Is [offset, offset + len) within size bytes? */
static inline bool tranche_range_ok(u64 offset, u64 len, u64 size)
{
	return offset <= size && len <= size - offset;
}

static inline bool tranche_size_ok(u64 size, u64 limit)
{
	return size && IS_ALIGNED(size, TRNC_PAGE) && size <= limit;
}

static inline bool tranche_layout_ok(const struct tranche_layout *l, u64 aperture)
{
	return l->nonce && l->nonce != U64_MAX &&
	       in_range(l->nr_sessions, 1, TRANCHE_MAX_SESSIONS) &&
	       is_power_of_2(l->window_align) && l->window_align >= TRNC_PAGE &&
	       l->control_size >= TRNC_CONTROL_MIN && l->control_size <= aperture &&
	       l->probe_offset <= l->control_size &&
	       tranche_range_ok(l->shared_offset, l->shared_size, aperture) &&
	       IS_ALIGNED(l->shared_offset | l->shared_size, TRNC_PAGE) &&
	       (!l->shared_size || l->shared_offset >= l->control_size) &&
	       l->windows_offset >= l->control_size &&
	       l->windows_offset >= l->shared_offset + l->shared_size &&
	       tranche_range_ok(l->windows_offset, l->window_align, aperture) &&
	       IS_ALIGNED(l->windows_offset, l->window_align) &&
	       tranche_size_ok(l->window_size, aperture) &&
	       IS_ALIGNED(l->window_size, l->window_align);
}

/* Versions: the newest that both speak, or 0. */
static inline u32 tranche_version(u32 newest, u32 oldest)
{
	u32 both = min(newest, TRNC_PCI_VERSION);

	return both >= oldest && both >= TRNC_PCI_VERSION_OLDEST ? both : 0;
}

/* How many slots the writer of a control ring may still fill. */
static inline unsigned int tranche_ring_room(u64 producer, u64 consumer)
{
	return TRNC_CONTROL_SLOTS - (producer - consumer);
}

/* May the host say that it has read requests up to here? */
static inline bool tranche_consumer_ok(u64 seen, u64 consumer, u64 producer)
{
	return consumer >= seen && consumer <= producer;
}

/* May the host say that it has written replies up to here? */
static inline bool tranche_producer_ok(u64 consumer, u64 producer)
{
	return producer - consumer <= TRNC_CONTROL_SLOTS;
}

static inline u32 tranche_slot_offset(u32 ring, u64 position)
{
	return ring + (u32)(position % TRNC_CONTROL_SLOTS) * TRNC_CONTROL_SLOT_SIZE;
}

/* Bytes of the bodies of a request and of its reply. */
struct tranche_sizes {
	u16 body;
	u16 reply;
	/* It waits for the program's own executor: no time limit, lest one stops the device. */
	bool unbounded;
};

static inline struct tranche_sizes tranche_sizes(u32 type)
{
#define B(name) sizeof(struct trnc_##name)
	static const struct tranche_sizes sizes[] = {
		[TRNC_MSG_SEGMENT_CREATE] = { B(segment_create), B(segment_reply) },
		[TRNC_MSG_SEGMENT_DESTROY] = { B(segment_destroy), B(segment_reply), true },
		[TRNC_MSG_CONTEXT_CREATE] = { B(context_create), 0, true },
		[TRNC_MSG_CONTEXT_DESTROY] = { B(context_destroy), 0, true },
		[TRNC_MSG_EVENT_BLOCK_ADD] = { B(event_block_add), 0, true },
		[TRNC_MSG_OUTPUT_SET] = { B(output_set), 0, true },
		[TRNC_MSG_PROGRAM_BUILD] = { B(program_build), B(blob_reply), true },
		[TRNC_MSG_PROGRAM_QUERY] = { B(program_query), B(blob_reply), true },
		[TRNC_MSG_MEMORY_QUERY] = { 0, B(memory_reply) },
		[TRNC_MSG_SESSION_OPEN] = { B(session_open), B(session_reply) },
		[TRNC_MSG_SESSION_CLOSE] = { 0 },
		[TRNC_MSG_SHARED_CREATE] = { B(shared_range), B(segment_reply) },
		[TRNC_MSG_SHARED_DESTROY] = { B(shared_range) },
		[TRNC_MSG_SHARED_ATTACH] = { B(shared_range), B(segment_reply) },
		[TRNC_MSG_SHARED_DETACH] = { B(segment_destroy), B(segment_reply), true },
	};
#undef B

	return type < ARRAY_SIZE(sizes) ? sizes[type] : (struct tranche_sizes){};
}

/* Is this (a copy of) a reply to a request of that type and session? */
static inline bool tranche_reply_ok(const struct trnc_control_slot *slot, u32 session, u32 type)
{
	u32 body = slot->msg.status ? sizeof(struct trnc_error_body) : tranche_sizes(type).reply;

	return le32_to_cpu(slot->session) == session && !slot->reserved &&
	       le32_to_cpu(slot->msg.type) == (type | TRNC_MSG_REPLY) &&
	       le32_to_cpu(slot->msg.len) == sizeof(slot->msg) + body && !slot->msg.flags;
}

/* Is it the news that a session is lost? */
static inline bool tranche_lost_ok(const struct trnc_control_slot *slot)
{
	return in_range(le32_to_cpu(slot->session), 1, TRANCHE_MAX_SESSIONS) &&
	       !slot->reserved && !slot->msg.id &&
	       le32_to_cpu(slot->msg.type) == TRNC_MSG_SESSION_LOST &&
	       le32_to_cpu(slot->msg.len) == sizeof(slot->msg) + sizeof(struct trnc_error_body);
}

/*
 * The host's errno as ours. What the kernel or libdrm would take as an order
 * to call again, and what is no errno, becomes EIO.
 */
static inline int tranche_errno(u32 status)
{
	if (!status)
		return 0;
	if (status > EHWPOISON || status == EINTR || status == EAGAIN)
		return -EIO;
	return -(int)status;
}

/* Copies the host's text: terminated, and no control characters. */
static inline void tranche_text(u8 *to, const char *from, size_t len)
{
	size_t i;

	for (i = 0; i < len - 1 && from[i]; i++)
		to[i] = iscntrl(from[i]) ? '?' : from[i];
	memset(to + i, 0, len - i);
}

/* The numbers of struct trnc_host_page's lost that are known. */
static inline u32 tranche_lost(u32 lost)
{
	return in_range(lost, TRNC_LOST_EXECUTOR, 4) ? lost : TRNC_LOST_EXECUTOR;
}

static inline bool tranche_ring_len_ok(u32 len)
{
	return is_power_of_2(len) && len >= TRNC_RING_MIN && len <= TRNC_RING_MAX;
}

static inline u64 tranche_channel_size(u32 ring_len)
{
	return TRNC_CHANNEL_RING + ring_len + TRANCHE_EVENT_BLOCK_SIZE;
}

enum tranche_rights { TRANCHE_NONE, TRANCHE_READ, TRANCHE_WRITE };

/*
 * What user space may do with [offset, offset + len) of a channel; a mapping
 * covers pages of one part only.
 */
static inline enum tranche_rights tranche_channel_rights(u32 ring_len, u64 offset, u64 len)
{
	u64 ring_end = TRNC_CHANNEL_RING + (u64)ring_len;
	u64 end = tranche_channel_size(ring_len);

	if (offset < TRNC_CHANNEL_HOST)
		end = TRNC_CHANNEL_HOST;
	else if (offset < TRNC_CHANNEL_KERNEL)
		end = TRNC_CHANNEL_KERNEL;
	else if (offset < ring_end)
		end = ring_end;
	if (in_range(offset, TRNC_CHANNEL_KERNEL, TRNC_PAGE) || !tranche_range_ok(offset, len, end))
		return TRANCHE_NONE;
	return end == TRNC_CHANNEL_HOST || end == ring_end ? TRANCHE_WRITE : TRANCHE_READ;
}

/* A range of text: its head, then a ring. */
static inline bool tranche_output_ok(u32 data_len, u64 size)
{
	return is_power_of_2(data_len) && data_len >= TRNC_PAGE &&
	       tranche_range_ok(sizeof(struct trnc_output), data_len, size);
}

#endif
