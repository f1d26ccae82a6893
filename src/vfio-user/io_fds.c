/* SPDX-License-Identifier: MIT */
/*
 * GET_REGION_IO_FDS: writes that a client may turn into signals by itself.  They are offers, so those whose descriptors are
 * too many for one message are left out.
 */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "vfio-user/connection.h"

#define MAX_IOEVENTFDS 4096 /* of a region; a driver with more has lost count */

struct offers {
	struct trn_ioeventfd *list;
	size_t nr;
};

/* Those that were not sent. */
static void free_offers(struct offers *o)
{
	for (size_t i = 0; i < o->nr; i++) {
		base_close(o->list[i].fd);
		base_close(o->list[i].shadow_fd);
	}
	free(o->list);
}

static int load(const struct vfu_conn *c, const struct vfu_request *req, struct vfu_region_io_fds *ret)
{
	struct trn_device_info info;

	if (req->len < sizeof(*ret)) {
		log_debug("GET_REGION_IO_FDS has %zu bytes: %zu came", sizeof(*ret), req->len);
		return -EINVAL;
	}
	memcpy(ret, req->payload, sizeof(*ret));
	trn_use_info(c->use, &info);
	if (ret->argsz >= sizeof(*ret) && !ret->flags && !ret->count && ret->index < info.nr_regions)
		return 0;
	log_debug("GET_REGION_IO_FDS has room for %zu bytes, no flags, no count and one of %u regions: "
		  "argsz %u, flags 0x%x, count %u, region %u", sizeof(*ret), info.nr_regions, ret->argsz, ret->flags,
		  ret->count, ret->index);
	return -EINVAL;
}

static int get_offers(struct vfu_conn *c, uint32_t index, struct offers *ret)
{
	ssize_t n;

	for (;;) {
		n = trn_use_region_ioeventfds(c->use, index, ret->list, ret->nr);
		if (n < 0 || n > MAX_IOEVENTFDS)
			break;
		if ((size_t)n <= ret->nr) {
			ret->nr = (size_t)n;
			return 0;
		}
		free(ret->list);
		ret->list = calloc((size_t)n, sizeof(*ret->list));
		if (!ret->list) {
			n = -ENOMEM;
			break;
		}
		ret->nr = (size_t)n;
	}
	ret->nr = 0; /* none was given */
	if (n == -EINVAL)
		return 0; /* an absent region has none */
	return n < 0 ? (int)n : -E2BIG;
}

static size_t nr_fds_of(const struct trn_ioeventfd *e)
{
	return e->shadow_fd >= 0 ? 2 : 1;
}

static size_t count_sendable(const struct vfu_conn *c, const struct offers *o)
{
	size_t room = c->theirs.max_msg_fds < VFU_MAX_FDS ? c->theirs.max_msg_fds : VFU_MAX_FDS;
	size_t n;

	for (n = 0; n < o->nr && nr_fds_of(&o->list[n]) <= room; n++)
		room -= nr_fds_of(&o->list[n]);
	return n;
}

/* The number of a descriptor among the reply's. */
static int send_fd(struct vfu_conn *c, int *fd, uint32_t *next, uint32_t *ret_index)
{
	*ret_index = (*next)++;
	return vfu_reply_fd(c, TAKE_FD(*fd));
}

static int put_entry(struct vfu_conn *c, uint8_t *to, struct trn_ioeventfd *e, uint32_t *next)
{
	struct vfu_ioeventfd out = {
		.offset = e->offset,
		.size = e->size,
		.type = VFU_IO_FD_IOEVENTFD,
		.flags = (e->flags & TRN_IOEVENTFD_DATAMATCH ? VFU_IOEVENTFD_DATAMATCH : 0) |
			 (e->flags & TRN_IOEVENTFD_PIO ? VFU_IOEVENTFD_PIO : 0),
		.shadow_offset = e->datamatch, /* where the specification has it */
		.datamatch = e->datamatch,
	};
	int r;

	r = send_fd(c, &e->fd, next, &out.fd_index);
	if (r < 0)
		return r;
	if (e->shadow_fd >= 0) {
		out.type = VFU_IO_FD_IOEVENTFD_SHADOW;
		out.shadow_offset = e->shadow_offset;
		r = send_fd(c, &e->shadow_fd, next, &out.shadow_mem_fd_index);
		if (r < 0)
			return r;
	}
	memcpy(to, &out, sizeof(out));
	return 0;
}

int vfu_handle_io_fds(struct vfu_conn *c, struct vfu_request *req)
{
	_cleanup_(free_offers) struct offers offers = { 0 };
	struct vfu_region_io_fds io;
	uint32_t argsz, next = 0;
	size_t nr, len;
	uint8_t *reply;
	int r;

	r = load(c, req, &io);
	if (r < 0)
		return r;
	r = get_offers(c, io.index, &offers);
	if (r < 0)
		return r;
	nr = count_sendable(c, &offers);
	argsz = io.argsz;
	len = sizeof(io) + nr * sizeof(struct vfu_ioeventfd);
	io.argsz = (uint32_t)len;
	io.count = (uint32_t)nr;
	if (argsz < len) {
		len = sizeof(io);
		nr = 0;
	}
	reply = vfu_reply(c, req, len);
	if (!reply)
		return -E2BIG;
	memcpy(reply, &io, sizeof(io));
	for (size_t i = 0; i < nr && r == 0; i++)
		r = put_entry(c, reply + sizeof(io) + i * sizeof(struct vfu_ioeventfd), &offers.list[i], &next);
	return r;
}
