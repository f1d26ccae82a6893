/* SPDX-License-Identifier: MIT */
/* MIG_DATA_READ and MIG_DATA_WRITE: what a kernel's data_fd carries. */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "vfio-user/connection.h"

#define HEAD sizeof(struct vfu_mig_data)

static int decode(const struct vfu_request *req, struct vfu_mig_data *ret)
{
	if (req->len < HEAD || req->nr_fds) {
		log_debug("MIG_DATA: %zu bytes with %zu descriptors", req->len, req->nr_fds);
		return -EINVAL;
	}
	memcpy(ret, req->payload, sizeof(*ret));
	return 0;
}

static int check_read(const struct vfu_conn *c, const struct vfu_request *req, const struct vfu_mig_data *head)
{
	uint32_t max = c->ours.max_data_xfer_size < c->theirs.max_data_xfer_size ? c->ours.max_data_xfer_size :
										   c->theirs.max_data_xfer_size;

	/* To give less than was asked for would mean the end of the data, so what cannot be given at once is refused. */
	if (req->len != HEAD || !head->size || head->size > max || head->argsz < HEAD || head->argsz - HEAD < head->size) {
		log_debug("MIG_DATA_READ: %u bytes with an argsz of %u, at most %u can be had", head->size, head->argsz, max);
		return -EINVAL;
	}
	return 0;
}

/* Reads until there is no more: drivers give pieces, but for the client a short reply is the end of the data. */
static ssize_t fill(struct trn_use *use, uint8_t *buf, size_t len)
{
	size_t have = 0;

	while (have < len) {
		ssize_t n = trn_use_mig_read(use, buf + have, len - have);

		if (n == -ENOMSG && have)
			break;
		if (n < 0)
			return n;
		if (n == 0)
			break;
		have += (size_t)n;
	}
	return (ssize_t)have;
}

int vfu_handle_mig_data_read(struct vfu_conn *c, struct vfu_request *req)
{
	struct vfu_mig_data head;
	uint8_t *p;
	ssize_t n;
	int r = decode(req, &head);

	if (r >= 0)
		r = check_read(c, req, &head);
	if (r < 0)
		return r;
	p = vfu_reply(c, req, HEAD + head.size);
	if (!p)
		return -E2BIG;
	n = fill(c->use, p + HEAD, head.size);
	if (n < 0) {
		log_debug("MIG_DATA_READ: %s", strerror((int)-n));
		return (int)n;
	}
	head.size = (uint32_t)n;
	head.argsz = (uint32_t)(HEAD + (size_t)n);
	memcpy(p, &head, sizeof(head));
	vfu_reply_trim(c, head.argsz);
	return 0;
}

int vfu_handle_mig_data_write(struct vfu_conn *c, struct vfu_request *req)
{
	struct trn_error err = { 0 };
	struct vfu_mig_data head;
	int r = decode(req, &head);

	if (r < 0)
		return r;
	if (head.size != req->len - HEAD || head.size > c->ours.max_data_xfer_size) {
		log_debug("MIG_DATA_WRITE: %u bytes in a payload of %zu, at most %u are taken", head.size, req->len,
			  c->ours.max_data_xfer_size);
		return -EINVAL;
	}
	if (!vfu_reply(c, req, 0))
		return -E2BIG;
	r = trn_use_mig_write(c->use, req->payload + HEAD, head.size, &err);
	if (r < 0)
		log_debug("MIG_DATA_WRITE: %s", err.code ? err.text : strerror(-r));
	return r;
}
