/* SPDX-License-Identifier: MIT */
/*
 * Ranges of the shared window, which sessions with TRNC_FEATURE_SHARING may have as segments.  The range is charged, once,
 * to the device; a session's segment over it is a note that its records may use it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/range.h"
#include "base/size.h"
#include "parents/compute/face.h"

#define MAX_RANGES TRNC_MAX_SEGMENTS

struct compute_shared {
	struct compute_job job; /* empties it */
	struct base_list node;
	struct compute_face *face;
	uint64_t offset, size;
	unsigned int nr_attached;
	bool is_leaving;
	struct trnc_msg request; /* to be answered when it is gone */
};

static struct compute_shared *find(const struct compute_face *f, uint64_t offset, uint64_t size)
{
	struct compute_shared *range;

	base_list_for_each(range, &f->shared, node)
		if (base_range_overlaps(offset, size, range->offset, range->size))
			return range;
	return NULL;
}

/* The range that is exactly this one. */
static struct compute_shared *find_exactly(const struct compute_face *f, const struct trnc_shared_range *wanted, struct trn_error *err)
{
	struct compute_shared *range = NULL;

	if (base_range_is_within(wanted->offset, wanted->size, f->shared_size))
		range = find(f, wanted->offset, wanted->size);
	if (range && !range->is_leaving && range->offset == wanted->offset && range->size == wanted->size)
		return range;
	trn_error_set(err, -ENOENT, "NoRange", "there is no shared range of 0x%llx bytes at 0x%llx",
		      (unsigned long long)wanted->size, (unsigned long long)wanted->offset);
	return NULL;
}

static void reply_created(struct compute_face *f, const struct trnc_msg *m)
{
	struct {
		struct trnc_msg head;
		struct trnc_segment_reply body;
	} packet = {
		.head = { .type = m->type | TRNC_MSG_REPLY, .len = sizeof(packet), .id = m->id },
		.body = { .used = f->device->stats.used },
	};

	compute_ring_send(f, 0, &packet, sizeof(packet));
}

/* --------------------------------------------------------------- create */

static int check_create(const struct compute_face *f, const struct trnc_shared_range *r, struct trn_error *err)
{
	const struct compute_stats *stats = &f->device->stats;
	char asked[BASE_SIZE_TEXT], used[BASE_SIZE_TEXT], quota[BASE_SIZE_TEXT];

	if (!(compute_face_driver_features(f) & TRNC_FEATURE_SHARING))
		return trn_error_set(err, -EOPNOTSUPP, "NoSharing", "the driver has not picked the feature SHARING");
	if (!base_is_page_aligned(r->offset) || !base_is_page_aligned(r->size) || !r->size ||
	    !base_range_is_within(r->offset, r->size, f->shared_size))
		return trn_error_set(err, -EINVAL, "BadRange", "0x%llx bytes cannot be at 0x%llx of the shared window",
				     (unsigned long long)r->size, (unsigned long long)r->offset);
	if (find(f, r->offset, r->size))
		return trn_error_set(err, -EEXIST, "RangeOverlaps", "0x%llx bytes at 0x%llx overlap another shared range",
				     (unsigned long long)r->size, (unsigned long long)r->offset);
	if (stats->used > stats->quota || r->size > stats->quota - stats->used)
		return trn_error_set(err, -ENOSPC, "QuotaExceeded", "%s asked for, %s of the device's quota of %s are in use",
				     base_size_format(r->size, asked), base_size_format(stats->used, used),
				     base_size_format(stats->quota, quota));
	if (f->nr_shared >= MAX_RANGES)
		return trn_error_set(err, -EUSERS, "TooManyRanges", "a device has at most %u shared ranges", MAX_RANGES);
	return 0;
}

static int create(struct compute_face *f, const struct trnc_shared_range *r, struct trn_error *err)
{
	struct compute_stats *stats = &f->device->stats;
	struct compute_shared *range;
	int code = check_create(f, r, err);

	if (code < 0) {
		stats->refused += code == -ENOSPC;
		return code;
	}
	range = calloc(1, sizeof(*range));
	if (!range)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory for a shared range");
	range->face = f;
	range->offset = r->offset;
	range->size = r->size;
	base_list_append(&f->shared, &range->node);
	f->nr_shared++;
	stats->used += r->size;
	stats->granted += r->size;
	if (stats->used > stats->peak)
		stats->peak = stats->used;
	return 0;
}

/* -------------------------------------------------------------- destroy */

static void drop(struct compute_shared *range)
{
	base_list_remove(&range->node);
	range->face->nr_shared--;
	range->face->device->stats.used -= range->size;
	free(range);
}

static void empty_in_thread(struct compute_job *job)
{
	const struct compute_shared *range = base_container_of(job, struct compute_shared, job);
	const struct compute_face *f = range->face;
	int r = compute_aperture_punch(&f->aperture, f->shared_offset + range->offset, range->size);

	if (r < 0)
		log_warning("shared memory cannot be given back: %s", strerror(-r));
}

static void on_emptied(struct compute_job *job)
{
	struct compute_shared *range = base_container_of(job, struct compute_shared, job);
	struct compute_face *f = range->face;
	struct trnc_msg reply = { .type = range->request.type | TRNC_MSG_REPLY, .len = sizeof(reply), .id = range->request.id };

	drop(range);
	compute_ring_send(f, 0, &reply, sizeof(reply));
	compute_device_start_tick(f->device); /* who waits for memory is looked at again */
	compute_device_job_done(f->device);
}

static int destroy(struct compute_face *f, const struct trnc_msg *m, const struct trnc_shared_range *r, struct trn_error *err)
{
	struct compute_shared *range = find_exactly(f, r, err);

	if (!range)
		return err->code;
	if (range->nr_attached)
		return trn_error_set(err, -EBUSY, "RangeInUse", "%u sessions have the shared range at 0x%llx", range->nr_attached,
				     (unsigned long long)r->offset);
	range->is_leaving = true;
	range->request = *m;
	range->job = (struct compute_job){ .run = empty_in_thread, .done = on_emptied };
	compute_device_add_job(f->device, &range->job);
	return 0;
}

void compute_shared_handle(struct compute_face *f, const struct trnc_msg *m, const void *body)
{
	struct trn_error err = { 0 };

	if (m->type != TRNC_MSG_SHARED_CREATE && m->type != TRNC_MSG_SHARED_DESTROY)
		trn_error_set(&err, -EOPNOTSUPP, "UnknownMessage", "there is no message type %u of the device", m->type);
	else if (m->id == 0 || m->status || m->flags)
		trn_error_set(&err, -EINVAL, "BadMessage", "the id must not be 0, status and flags must");
	else if (m->len != sizeof(*m) + sizeof(struct trnc_shared_range))
		trn_error_set(&err, -EINVAL, "BadLength", "the body has %zu bytes, not %zu", sizeof(struct trnc_shared_range),
			      m->len - sizeof(*m));
	else if (m->type == TRNC_MSG_SHARED_DESTROY)
		(void)destroy(f, m, body, &err);
	else if (create(f, body, &err) == 0)
		reply_created(f, m);
	if (err.code)
		compute_ring_refuse(f, 0, m, &err);
}

/* The aperture is empty already; no job is left with the worker. */
void compute_shared_clear(struct compute_face *f)
{
	struct compute_shared *range, *next;

	base_list_for_each_safe(range, next, &f->shared, node)
		drop(range);
}

/* --------------------------------------------------------------- sessions */

void compute_shared_handle_attach(struct compute_session *s, const struct trnc_msg *m, const void *body)
{
	const struct trnc_shared_range *r = body;
	struct trn_error err = { 0 };
	struct compute_shared *range = NULL;

	if (!(s->slot->features & TRNC_FEATURE_SHARING))
		trn_error_set(&err, -EPERM, "NoSharing", "session %llu is without the feature SHARING",
			      (unsigned long long)s->number);
	else
		range = find_exactly(s->slot->face, r, &err);
	if (range && compute_segment_attach(s, m, TRNC_SHARED_WINDOW + r->offset, r->size, range, &err) == 0)
		range->nr_attached++;
	if (err.code)
		compute_reply_error(s, m->type, m->id, &err);
}

void compute_shared_handle_detach(struct compute_session *s, const struct trnc_msg *m, const void *body)
{
	const struct trnc_segment_destroy *d = body;

	if (d->offset < TRNC_SHARED_WINDOW)
		compute_refuse(s, m, -EINVAL, "BadRange", "0x%llx is not in the shared window", (unsigned long long)d->offset);
	else
		compute_segment_handle_destroy(s, m, body);
}

void compute_shared_detached(struct compute_shared *range)
{
	range->nr_attached--;
}
