/* SPDX-License-Identifier: MIT */
#include "replies.h"

#include <stddef.h>

/* What the server of vfio_user.c takes: 64 KiB of payload, and what is in front of data. */
#define MAX_MESSAGE (sizeof(struct vfu_header) + 64 + (64u << 10))

void replies_begin(struct replies *r)
{
	r->have = 0;
	r->is_over = false;
	r->first = r->end = 0;
	r->first_command = r->end_command = 0;
}

void replies_end(const struct replies *r)
{
	must(r->first == r->end);
}

bool replies_next_is_version(const struct replies *r)
{
	return r->first < r->end && r->asked[r->first % REPLIES_MAX].header.command == VFU_VERSION;
}

/* --- Commands --- */

static bool wants_reply(const struct vfu_header *h)
{
	return (h->flags & VFU_FLAG_TYPE_MASK) == VFU_FLAG_COMMAND && !(h->flags & VFU_FLAG_NO_REPLY);
}

static void note(struct replies *r)
{
	if (!wants_reply(&r->now.header))
		return;
	must(r->end - r->first < REPLIES_MAX);
	r->asked[r->end++ % REPLIES_MAX] = r->now;
}

static size_t feed(void *to, size_t to_len, size_t at, const uint8_t *bytes, size_t len)
{
	if (at >= to_len)
		return 0;
	if (len > to_len - at)
		len = to_len - at;
	memcpy((uint8_t *)to + at, bytes, len);
	return len;
}

static size_t feed_header(struct replies *r, const uint8_t *bytes, size_t len)
{
	const struct vfu_header *h = &r->now.header;

	if (r->have == 0)
		memset(&r->now, 0, sizeof(r->now));
	len = feed(&r->now.header, sizeof(r->now.header), r->have, bytes, len);
	r->have += len;
	if (r->have < sizeof(*h))
		return len;
	if (h->size < sizeof(*h) || (h->flags & VFU_FLAG_TYPE_MASK) > VFU_FLAG_REPLY)
		r->is_over = true;
	else if (h->size > MAX_MESSAGE)
		note(r); /* before the rest has come */
	return len;
}

void replies_expect(struct replies *r, const uint8_t *bytes, size_t len)
{
	const struct vfu_header *h = &r->now.header;

	while (len && !r->is_over) {
		size_t n;

		if (r->have < sizeof(*h)) {
			n = feed_header(r, bytes, len);
		} else {
			n = h->size - r->have < len ? h->size - r->have : len;
			feed(r->now.head, sizeof(r->now.head), r->have - sizeof(*h), bytes, n);
			r->have += n;
		}
		bytes += n;
		len -= n;
		if (r->is_over || r->have < sizeof(*h) || r->have < h->size)
			continue;
		r->have = 0;
		if (h->size <= MAX_MESSAGE)
			note(r);
	}
}

/* --- Replies --- */

static void gather(const struct iovec *iov, size_t nr, size_t at, void *ret, size_t len)
{
	uint8_t *to = ret;

	for (size_t i = 0; i < nr && len; i++) {
		size_t n;

		if (at >= iov[i].iov_len) {
			at -= iov[i].iov_len;
			continue;
		}
		n = iov[i].iov_len - at < len ? iov[i].iov_len - at : len;
		memcpy(to, (const uint8_t *)iov[i].iov_base + at, n);
		to += n;
		len -= n;
		at = 0;
	}
	must(len == 0);
}

struct reply {
	struct vfu_header header;
	const struct asked *asked;
	size_t len; /* of the payload */
	uint8_t head[REPLIES_HEAD];
};

static uint32_t word(const uint8_t *from)
{
	uint32_t v;

	memcpy(&v, from, sizeof(v));
	return v;
}

/* argsz comes first in both: what there was room for, and what is there. */
static void check_argsz(const struct reply *p, size_t fixed)
{
	must(p->len >= fixed && p->len <= word(p->asked->head) && word(p->head) >= p->len);
}

static void check_echo(const struct reply *p, size_t len)
{
	must(p->len >= len && input_is_same(p->head, p->asked->head, len));
}

static void check_payload(const struct reply *p)
{
	struct vfu_region_access access;
	struct vfu_region_info info;

	switch ((enum vfu_command)p->header.command) {
	case VFU_VERSION:
		must(p->len > sizeof(struct vfu_version) && p->head[4] == '{');
		break;
	case VFU_DMA_UNMAP:
		check_echo(p, sizeof(struct vfu_dma_unmap));
		must(p->len <= word(p->asked->head));
		break;
	case VFU_DEVICE_GET_INFO:
		check_argsz(p, sizeof(struct vfu_device_info));
		break;
	case VFU_DEVICE_GET_REGION_INFO:
		check_argsz(p, sizeof(info));
		memcpy(&info, p->head, sizeof(info));
		must(info.index == word(p->asked->head + 8));
		must(info.cap_offset ? info.flags & VFU_REGION_FLAG_CAPS && p->len > sizeof(info) : p->len == sizeof(info));
		break;
	case VFU_DEVICE_GET_REGION_IO_FDS:
		check_argsz(p, sizeof(struct vfu_region_io_fds));
		must((p->len - sizeof(struct vfu_region_io_fds)) % sizeof(struct vfu_ioeventfd) == 0);
		break;
	case VFU_DEVICE_GET_IRQ_INFO:
		must(p->len == sizeof(struct vfu_irq_info) && word(p->head) == p->len);
		break;
	case VFU_REGION_READ:
	case VFU_REGION_WRITE:
		check_echo(p, sizeof(access));
		memcpy(&access, p->head, sizeof(access));
		must(p->len == sizeof(access) + (p->header.command == VFU_REGION_READ ? access.count : 0));
		break;
	case VFU_REGION_WRITE_MULTI:
		must(p->len == sizeof(struct vfu_write_multi) && word(p->head) <= word(p->asked->head) && !word(p->head + 4));
		break;
	case VFU_DEVICE_FEATURE:
		check_argsz(p, sizeof(struct vfu_feature));
		must(word(p->head + 4) == word(p->asked->head + 4));
		break;
	case VFU_MIG_DATA_READ:
		check_argsz(p, sizeof(struct vfu_mig_data));
		must(word(p->head + 4) == p->len - sizeof(struct vfu_mig_data) && word(p->head + 4) <= word(p->asked->head + 4));
		break;
	case VFU_DMA_MAP:
	case VFU_DEVICE_SET_IRQS:
	case VFU_DEVICE_RESET:
	case VFU_MIG_DATA_WRITE:
		must(p->len == 0);
		break;
	case VFU_DMA_READ:
	case VFU_DMA_WRITE:
	case VFU_NR_COMMANDS:
	default:
		abort(); /* no command of a client */
	}
}

static bool may_have_fds(const struct reply *p)
{
	return !(p->header.flags & VFU_FLAG_ERROR) &&
	       (p->header.command == VFU_VERSION || p->header.command == VFU_DEVICE_GET_REGION_INFO ||
		p->header.command == VFU_DEVICE_GET_REGION_IO_FDS);
}

static void take_reply(struct replies *r, struct reply *p, unsigned int nr_fds)
{
	must(r->first < r->end);
	p->asked = &r->asked[r->first++ % REPLIES_MAX];
	must(p->header.id == p->asked->header.id && p->header.command == p->asked->header.command);
	must(!nr_fds || may_have_fds(p));
	if (p->header.flags == (VFU_FLAG_REPLY | VFU_FLAG_ERROR)) {
		must(p->len == 0 && p->header.error > 0 && p->header.error < 4096);
		return;
	}
	must(p->header.flags == VFU_FLAG_REPLY && p->header.error == 0);
	check_payload(p);
}

static void take_command(struct replies *r, const struct reply *p)
{
	struct vfu_dma_access access;

	memcpy(&access, p->head, sizeof(access));
	must(p->header.flags == VFU_FLAG_COMMAND && p->header.error == 0);
	must(p->header.command == VFU_DMA_READ || p->header.command == VFU_DMA_WRITE);
	must(access.count > 0 && access.address + access.count > access.address);
	must(p->len == sizeof(access) + (p->header.command == VFU_DMA_WRITE ? access.count : 0));
	must(r->end_command - r->first_command < REPLIES_MAX_COMMANDS);
	r->commands[r->end_command % REPLIES_MAX_COMMANDS] = p->header;
	r->accesses[r->end_command++ % REPLIES_MAX_COMMANDS] = access;
}

void replies_take_command(struct replies *r, struct vfu_header *header, struct vfu_dma_access *access)
{
	if (r->first_command == r->end_command)
		return;
	header->id = r->commands[r->first_command % REPLIES_MAX_COMMANDS].id;
	header->command = r->commands[r->first_command % REPLIES_MAX_COMMANDS].command;
	*access = r->accesses[r->first_command++ % REPLIES_MAX_COMMANDS];
}

size_t replies_take(struct replies *r, const struct iovec *iov, size_t nr, unsigned int nr_fds)
{
	size_t at = 0, total = 0;

	for (size_t i = 0; i < nr; i++)
		total += iov[i].iov_len;
	must(total > 0);
	while (at < total) {
		struct reply p = { 0 };

		must(total - at >= sizeof(p.header));
		gather(iov, nr, at, &p.header, sizeof(p.header));
		must(p.header.size >= sizeof(p.header) && p.header.size <= total - at);
		p.len = p.header.size - sizeof(p.header);
		gather(iov, nr, at + sizeof(p.header), p.head, p.len < REPLIES_HEAD ? p.len : REPLIES_HEAD);
		if ((p.header.flags & VFU_FLAG_TYPE_MASK) == VFU_FLAG_REPLY)
			take_reply(r, &p, at ? 0 : nr_fds);
		else
			take_command(r, &p);
		at += p.header.size;
	}
	return total;
}
