/* SPDX-License-Identifier: MIT */
/* Accesses to regions: the device reads into the reply and writes from the message, without a copy between. */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "base/log.h"
#include "vfio-user/connection.h"
#include "vfio-user/output.h"

static int load_access(const struct vfu_conn *c, const struct vfu_request *req, struct vfu_region_access *ret)
{
	if (req->len < sizeof(*ret)) {
		log_debug("an access to a region has %zu bytes at least: %zu came", sizeof(*ret), req->len);
		return -EINVAL;
	}
	memcpy(ret, req->payload, sizeof(*ret));
	if (ret->count > c->ours.max_data_xfer_size) {
		log_debug("a message moves at most %u bytes: count is %u", c->ours.max_data_xfer_size, ret->count);
		return -E2BIG;
	}
	return 0;
}

static int refuse_access(const struct vfu_region_access *a, const char *what, int r)
{
	log_debug("%s of %u bytes at 0x%llx of region %u failed: %s", what, a->count, (unsigned long long)a->offset,
		  a->region, strerror(-r));
	return r;
}

/* One writer: an addition that others can read costs no locked instruction. */
static void count_access(struct vfu_conn *c)
{
	atomic_store_explicit(&c->nr_accesses, atomic_load_explicit(&c->nr_accesses, memory_order_relaxed) + 1,
			      memory_order_relaxed);
}

int vfu_handle_region_read(struct vfu_conn *c, struct vfu_request *req)
{
	struct vfu_region_access a;
	uint8_t *reply;
	int r;

	r = load_access(c, req, &a);
	if (r < 0)
		return r;
	if (req->len != sizeof(a)) {
		log_debug("REGION_READ has %zu bytes: %zu came", sizeof(a), req->len);
		return -EINVAL;
	}
	if (a.count > c->theirs.max_data_xfer_size) {
		log_debug("the client takes at most %u bytes: count is %u", c->theirs.max_data_xfer_size, a.count);
		return -E2BIG;
	}
	reply = vfu_output_begin(c, req, sizeof(a) + a.count);
	if (!reply)
		return -E2BIG;
	memcpy(reply, &a, sizeof(a));
	count_access(c);
	r = trn_use_region_read(c->use, a.region, a.offset, reply + sizeof(a), a.count);
	return r < 0 ? refuse_access(&a, "a read", r) : 0;
}

int vfu_handle_region_write(struct vfu_conn *c, struct vfu_request *req)
{
	struct vfu_region_access a;
	uint8_t *reply;
	int r;

	r = load_access(c, req, &a);
	if (r < 0)
		return r;
	if (req->len != sizeof(a) + a.count) {
		log_debug("REGION_WRITE of %u bytes has %zu: %zu came", a.count, sizeof(a) + a.count, req->len);
		return -EINVAL;
	}
	reply = vfu_output_begin(c, req, sizeof(a));
	if (!reply)
		return -E2BIG;
	memcpy(reply, &a, sizeof(a));
	count_access(c);
	r = trn_use_region_write(c->use, a.region, a.offset, req->payload + sizeof(a), a.count);
	return r < 0 ? refuse_access(&a, "a write", r) : 0;
}

static int load_multi(const struct vfu_conn *c, const struct vfu_request *req, struct vfu_write_multi *ret)
{
	size_t room;

	if (!c->theirs.write_multiple) {
		log_debug("REGION_WRITE_MULTI was not agreed on in VERSION");
		return -EOPNOTSUPP;
	}
	if (req->len < sizeof(*ret)) {
		log_debug("REGION_WRITE_MULTI has %zu bytes at least: %zu came", sizeof(*ret), req->len);
		return -EINVAL;
	}
	memcpy(ret, req->payload, sizeof(*ret));
	room = req->len - sizeof(*ret);
	if (room % sizeof(struct vfu_write_multi_entry) || ret->count != room / sizeof(struct vfu_write_multi_entry)) {
		log_debug("REGION_WRITE_MULTI has %zu bytes a write: %llu writes have %zu",
			  sizeof(struct vfu_write_multi_entry), (unsigned long long)ret->count, room);
		return -EINVAL;
	}
	return 0;
}

static struct vfu_write_multi_entry load_entry(const struct vfu_request *req, size_t i)
{
	struct vfu_write_multi_entry e;

	memcpy(&e, req->payload + sizeof(struct vfu_write_multi) + i * sizeof(e), sizeof(e));
	return e;
}

/* No write is done when one of them cannot be one. */
static int check_entries(const struct vfu_request *req, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		uint32_t count = load_entry(req, i).count;

		if (count > sizeof(load_entry(req, i).data)) {
			log_debug("REGION_WRITE_MULTI has writes of at most 8 bytes: count of number %zu is %u", i, count);
			return -EINVAL;
		}
	}
	return 0;
}

/* As if each write had come in a message of its own: one that fails does not keep the others back. */
int vfu_handle_write_multi(struct vfu_conn *c, struct vfu_request *req)
{
	struct vfu_write_multi multi, *reply;
	size_t nr_done = 0;
	int r, first = 0;

	r = load_multi(c, req, &multi);
	if (r < 0)
		return r;
	r = check_entries(req, multi.count);
	if (r < 0)
		return r;
	count_access(c);
	for (size_t i = 0; i < multi.count; i++) {
		struct vfu_write_multi_entry e = load_entry(req, i);

		r = trn_use_region_write(c->use, e.region, e.offset, e.data, e.count);
		if (r < 0) {
			log_debug("write %zu of REGION_WRITE_MULTI failed: %s", i, strerror(-r));
			first = first ? first : r;
		}
		nr_done += r >= 0;
	}
	if (first && !nr_done)
		return first;
	multi.count = nr_done;
	reply = vfu_reply(c, req, sizeof(multi));
	if (!reply)
		return -E2BIG;
	memcpy(reply, &multi, sizeof(multi));
	return 0;
}

int vfu_handle_reset(struct vfu_conn *c, struct vfu_request *req)
{
	int r;

	if (req->len) {
		log_debug("DEVICE_RESET has no payload: %zu bytes came", req->len);
		return -EINVAL;
	}
	if (!vfu_reply(c, req, 0))
		return -E2BIG;
	r = trn_use_reset(c->use);
	if (r < 0)
		log_debug("reset failed: %s", strerror(-r));
	return r;
}
