/* SPDX-License-Identifier: MIT */
/* DEVICE_FEATURE: the features of VFIO that a device behind a socket can have, which are migration and DMA logging. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/range.h"
#include "vfio-user/connection.h"

#define METHODS (VFU_FEATURE_GET | VFU_FEATURE_SET)
#define HEAD sizeof(struct vfu_feature)

struct feature {
	uint32_t number;
	uint32_t methods;
	bool is_of_log; /* else of migration */
	size_t get_len; /* of the data that a request brings, at least */
	size_t set_len;
	int (*get)(struct vfu_conn *c, struct vfu_request *req);
	int (*set)(struct vfu_conn *c, const uint8_t *data, size_t len);
};

static uint32_t argsz_of(const struct vfu_request *req)
{
	struct vfu_feature head;

	memcpy(&head, req->payload, sizeof(head));
	return head.argsz;
}

static int refuse_argsz(uint32_t argsz, uint64_t need)
{
	log_debug("DEVICE_FEATURE: an argsz of %u has no room for %llu bytes", argsz, (unsigned long long)need);
	return -EINVAL;
}

/* Begins the reply to a GET: head, then len bytes of zeros, which are returned in *ret. */
static int begin_get(struct vfu_conn *c, struct vfu_request *req, uint64_t len, uint8_t **ret)
{
	struct vfu_feature head;
	uint8_t *p;

	memcpy(&head, req->payload, sizeof(head));
	if (len > UINT32_MAX - HEAD)
		return -E2BIG;
	if (head.argsz < HEAD + len)
		return refuse_argsz(head.argsz, HEAD + len);
	p = vfu_reply(c, req, HEAD + len);
	if (!p)
		return -E2BIG;
	head.argsz = (uint32_t)(HEAD + len);
	memcpy(p, &head, sizeof(head));
	*ret = p + HEAD;
	return 0;
}

static int reply_data(struct vfu_conn *c, struct vfu_request *req, const void *data, size_t len)
{
	uint8_t *p;
	int r = begin_get(c, req, len, &p);

	if (r >= 0)
		memcpy(p, data, len);
	return r;
}

static int get_migration(struct vfu_conn *c, struct vfu_request *req)
{
	struct vfu_feature_migration mig = { .flags = trn_use_mig_flags(c->use) };

	return reply_data(c, req, &mig, sizeof(mig));
}

static int get_state(struct vfu_conn *c, struct vfu_request *req)
{
	struct vfu_feature_mig_state wire = { .data_fd = -1 };
	enum trn_mig_state state;
	int r = trn_use_mig_get_state(c->use, &state);

	if (r < 0)
		return r;
	wire.device_state = state;
	return reply_data(c, req, &wire, sizeof(wire));
}

static int set_state(struct vfu_conn *c, const uint8_t *data, size_t len)
{
	struct vfu_feature_mig_state wire;
	struct trn_error err = { 0 };
	int r;

	memcpy(&wire, data, sizeof(wire));
	r = trn_use_mig_set_state(c->use, (enum trn_mig_state)wire.device_state, &err);
	if (r < 0)
		log_debug("DEVICE_FEATURE: migration state %u: %s", wire.device_state, err.code ? err.text : strerror(-r));
	return r;
}

static int get_data_size(struct vfu_conn *c, struct vfu_request *req)
{
	struct trn_mig_sizes sizes;
	struct vfu_feature_mig_data_size wire;
	int r = trn_use_mig_sizes(c->use, &sizes);

	if (r < 0)
		return r;
	wire.stop_copy_length = sizes.stop_copy;
	return reply_data(c, req, &wire, sizeof(wire));
}

static int start_log(struct vfu_conn *c, const uint8_t *data, size_t len)
{
	_cleanup_free_ struct trn_span *ranges = NULL;
	struct vfu_feature_log_start wire;
	struct trn_error err = { 0 };
	int r;

	memcpy(&wire, data, sizeof(wire));
	if (wire.reserved || len - sizeof(wire) != (uint64_t)wire.num_ranges * sizeof(struct vfu_log_range)) {
		log_debug("DEVICE_FEATURE: %zu bytes do not hold %u ranges", len - sizeof(wire), wire.num_ranges);
		return -EINVAL;
	}
	static_assert(sizeof(struct trn_span) == sizeof(struct vfu_log_range), "the same two numbers");
	if (wire.num_ranges) {
		ranges = malloc(len - sizeof(wire));
		if (!ranges)
			return -ENOMEM;
		memcpy(ranges, data + sizeof(wire), len - sizeof(wire));
	}
	r = trn_use_dma_log_start(c->use, wire.page_size, ranges, wire.num_ranges, &err);
	if (r < 0)
		log_debug("DEVICE_FEATURE: no logging: %s", err.code ? err.text : strerror(-r));
	return r;
}

static int stop_log(struct vfu_conn *c, const uint8_t *data, size_t len)
{
	return trn_use_dma_log_stop(c->use);
}

static int report_log(struct vfu_conn *c, struct vfu_request *req)
{
	struct vfu_feature_log_report wire;
	uint64_t nr_pages;
	uint8_t *p;
	int r;

	memcpy(&wire, req->payload + HEAD, sizeof(wire));
	if (wire.page_size < BASE_PAGE_SIZE || wire.page_size & (wire.page_size - 1)) {
		log_debug("DEVICE_FEATURE: a page size of %llu is not possible", (unsigned long long)wire.page_size);
		return -EINVAL;
	}
	nr_pages = wire.length / wire.page_size;
	r = begin_get(c, req, sizeof(wire) + (nr_pages + 63) / 64 * 8, &p);
	if (r < 0)
		return r;
	memcpy(p, &wire, sizeof(wire));
	return trn_use_dma_log_report(c->use, wire.iova, wire.length, wire.page_size, p + sizeof(wire));
}

static const struct feature features[] = {
	{
		.number = VFU_FEATURE_MIGRATION,
		.methods = VFU_FEATURE_GET,
		.get = get_migration,
	},
	{
		.number = VFU_FEATURE_MIG_DEVICE_STATE,
		.methods = METHODS,
		.set_len = sizeof(struct vfu_feature_mig_state),
		.get = get_state,
		.set = set_state,
	},
	{
		.number = VFU_FEATURE_MIG_DATA_SIZE,
		.methods = VFU_FEATURE_GET,
		.get = get_data_size,
	},
	{
		.number = VFU_FEATURE_DMA_LOGGING_START,
		.methods = VFU_FEATURE_SET,
		.is_of_log = true,
		.set_len = sizeof(struct vfu_feature_log_start),
		.set = start_log,
	},
	{
		.number = VFU_FEATURE_DMA_LOGGING_STOP,
		.methods = VFU_FEATURE_SET,
		.is_of_log = true,
		.set = stop_log,
	},
	{
		.number = VFU_FEATURE_DMA_LOGGING_REPORT,
		.methods = VFU_FEATURE_GET,
		.is_of_log = true,
		.get_len = sizeof(struct vfu_feature_log_report),
		.get = report_log,
	},
};

static const struct feature *find_feature(struct vfu_conn *c, uint32_t number)
{
	bool has_migration = trn_use_mig_flags(c->use) != 0;
	/* A report of nothing is refused by a device that logs; one that does not says that first. */
	bool has_log = trn_use_dma_log_report(c->use, 0, 0, BASE_PAGE_SIZE, NULL) != -EOPNOTSUPP;

	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++)
		if (features[i].number == number)
			return (features[i].is_of_log ? has_log : has_migration) ? &features[i] : NULL;
	return NULL;
}

/* A reply to SET and PROBE is the request. */
static int echo(struct vfu_conn *c, struct vfu_request *req)
{
	void *p;

	if (argsz_of(req) < req->len)
		return refuse_argsz(argsz_of(req), req->len);
	p = vfu_reply(c, req, req->len);
	if (!p)
		return -E2BIG;
	memcpy(p, req->payload, req->len);
	return 0;
}

static int set_feature(struct vfu_conn *c, struct vfu_request *req, const struct feature *f)
{
	int r = echo(c, req);

	return r < 0 ? r : f->set(c, req->payload + HEAD, req->len - HEAD);
}

/* -EINVAL: flags that mean nothing. */
static int check_flags(uint32_t flags)
{
	uint32_t methods = flags & METHODS;

	if (flags & ~(VFU_FEATURE_MASK | METHODS | VFU_FEATURE_PROBE) ||
	    (flags & VFU_FEATURE_PROBE ? 0 : methods != VFU_FEATURE_GET && methods != VFU_FEATURE_SET)) {
		log_debug("DEVICE_FEATURE: flags %#x do not go together", flags);
		return -EINVAL;
	}
	return 0;
}

static int refuse_method(uint32_t flags)
{
	log_debug("DEVICE_FEATURE: feature %u cannot be used in that direction (flags %#x)", flags & VFU_FEATURE_MASK, flags);
	return -EINVAL;
}

int vfu_handle_feature(struct vfu_conn *c, struct vfu_request *req)
{
	const struct feature *f;
	struct vfu_feature head;

	if (req->len < HEAD || argsz_of(req) < HEAD || req->nr_fds) {
		log_debug("DEVICE_FEATURE: %zu bytes with %zu descriptors", req->len, req->nr_fds);
		return -EINVAL;
	}
	memcpy(&head, req->payload, sizeof(head));
	if (check_flags(head.flags) < 0)
		return -EINVAL;
	f = find_feature(c, head.flags & VFU_FEATURE_MASK);
	if (!f) {
		log_debug("DEVICE_FEATURE: the device has no feature %u", head.flags & VFU_FEATURE_MASK);
		return -ENOTTY;
	}
	if (head.flags & METHODS & ~f->methods)
		return refuse_method(head.flags);
	if (head.flags & VFU_FEATURE_PROBE)
		return echo(c, req);
	if (req->len - HEAD < (head.flags & VFU_FEATURE_SET ? f->set_len : f->get_len)) {
		log_debug("DEVICE_FEATURE: %zu bytes are not enough for feature %u", req->len, f->number);
		return -EINVAL;
	}
	return head.flags & VFU_FEATURE_SET ? set_feature(c, req, f) : f->get(c, req);
}
