/* SPDX-License-Identifier: MIT */
/*
 * The table of a session's segments, and what is charged for them.  A segment is charged in full from its grant until
 * its memory is given back: on request, at the session's end, or, when somebody keeps it, whenever he lets go.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/futex.h"
#include "base/range.h"
#include "base/size.h"
#include "parents/compute/memory.h"
#include "parents/compute/priv.h"

/* All sessions together; sessions of ordinary programs take a few MiB each. */
#define MAX_SERVICE_OF_DEVICE (64 * COMPUTE_SERVICE_ALLOWANCE)

/*
 * A request waits for frees that are under way, but not for ever: they may wait for a command that waits for something
 * that the program does only when it has this answer.  Those of other sessions may be under way for as long as they like.
 */
#define MAX_WAIT_NS 5000000000ull
#define MAX_WAIT_FOR_OTHERS_NS 2000000000ull
#define MAX_WAITING 64u

#define CHECKS_A_TICK 1024u

struct waiting {
	struct base_list node;
	struct trnc_msg head;
	struct trnc_segment_create create;
	uint64_t since_ns;
};

void compute_segments_init(struct compute_segments *t)
{
	base_list_init(&t->held);
	base_list_init(&t->waiting);
}

/* ---------------------------------------------------------------- table */

/* The request that ends it. */
static uint32_t destroy_type(const struct compute_segment *seg)
{
	return seg->shared ? TRNC_MSG_SHARED_DETACH : TRNC_MSG_SEGMENT_DESTROY;
}

/* Index of the first segment that ends after offset. */
static size_t lower_bound(const struct compute_segments *t, uint64_t offset)
{
	size_t low = 0, high = t->nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct compute_segment *seg = t->sorted[middle];

		if (seg->offset + seg->size <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_taken(const struct compute_segments *t, uint64_t offset, uint64_t size)
{
	size_t i = lower_bound(t, offset);

	return i < t->nr && base_range_overlaps(offset, size, t->sorted[i]->offset, t->sorted[i]->size);
}

static int make_room(struct compute_segments *t)
{
	struct compute_segment **grown;
	size_t cap = t->cap ? 2 * t->cap : 64;

	if (t->nr < t->cap)
		return 0;
	grown = reallocarray(t->sorted, cap, sizeof(struct compute_segment *));
	if (!grown)
		return -ENOMEM;
	t->sorted = grown;
	t->cap = cap;
	return 0;
}

static void insert(struct compute_segments *t, struct compute_segment *seg)
{
	size_t i = lower_bound(t, seg->offset);

	memmove(&t->sorted[i + 1], &t->sorted[i], (t->nr - i) * sizeof(t->sorted[0]));
	t->sorted[i] = seg;
	t->nr++;
}

static void take_out(struct compute_segments *t, const struct compute_segment *seg)
{
	size_t i = lower_bound(t, seg->offset);

	t->nr--;
	memmove(&t->sorted[i], &t->sorted[i + 1], (t->nr - i) * sizeof(t->sorted[0]));
}

struct compute_segment *compute_segment_find(struct compute_session *s, uint32_t kind, uint64_t offset, uint64_t len)
{
	const struct compute_segments *t = &s->segments;
	size_t i = lower_bound(t, offset);
	struct compute_segment *seg;

	if (i == t->nr || len == 0)
		return NULL;
	seg = t->sorted[i];
	if (seg->state != SEGMENT_LIVE || seg->kind != kind || offset < seg->offset ||
	    !base_range_is_within(offset - seg->offset, len, seg->size))
		return NULL;
	return seg;
}

/* -------------------------------------------------------------- charges */

/* What the kind's allowance has left for a session. */
static uint64_t left_of(const struct compute_session *s, uint32_t kind)
{
	const struct compute_device *d = s->device;
	uint64_t mine = s->segments.used[kind - 1];
	uint64_t of_device = s->slot ? COMPUTE_SERVICE_OF_GUEST : MAX_SERVICE_OF_DEVICE;

	if (kind == TRNC_SEGMENT_BUFFER)
		return d->stats.quota > d->stats.used ? d->stats.quota - d->stats.used : 0;
	if (d->service_used >= of_device || mine >= COMPUTE_SERVICE_ALLOWANCE)
		return 0;
	mine = COMPUTE_SERVICE_ALLOWANCE - mine;
	return s->slot && of_device - d->service_used < mine ? of_device - d->service_used : mine;
}

static void charge(struct compute_segment *seg)
{
	struct compute_device *d = seg->device;

	if (seg->shared) /* charged by itself */
		return;
	seg->session->segments.used[seg->kind - 1] += seg->size;
	if (seg->kind == TRNC_SEGMENT_SERVICE) {
		d->service_used += seg->size;
		return;
	}
	d->stats.used += seg->size;
	d->stats.granted += seg->size;
	if (d->stats.used > d->stats.peak)
		d->stats.peak = d->stats.used;
}

static void uncharge(const struct compute_segment *seg)
{
	struct compute_device *d = seg->device;

	if (seg->shared) {
		compute_shared_detached(seg->shared);
		return;
	}
	if (seg->kind == TRNC_SEGMENT_SERVICE) {
		d->service_used -= seg->size;
	} else {
		d->stats.used -= seg->size;
		d->leaving -= seg->size; /* nothing is given back that was not on its way before */
	}
	if (seg->session) {
		seg->session->segments.used[seg->kind - 1] -= seg->size;
		seg->session->segments.leaving[seg->kind - 1] -= seg->size;
	}
}

/* The bytes that replies tell: a client keeps its own account by them. */
static uint64_t used_of(const struct compute_session *s, uint32_t kind)
{
	return kind == TRNC_SEGMENT_BUFFER ? s->device->stats.used : s->segments.used[kind - 1];
}

static void refuse_quota(struct compute_session *s, const struct trnc_msg *m, const struct trnc_segment_create *c)
{
	char asked[BASE_SIZE_TEXT], used[BASE_SIZE_TEXT], total[BASE_SIZE_TEXT];

	s->device->stats.refused++;
	base_size_format(c->size, asked);
	base_size_format(used_of(s, c->kind), used);
	if (c->kind == TRNC_SEGMENT_BUFFER)
		compute_refuse(s, m, -ENOSPC, "QuotaExceeded", "%s asked for, %s of the device's quota of %s are in use",
			       asked, used, base_size_format(s->device->stats.quota, total));
	else if (COMPUTE_SERVICE_ALLOWANCE - used_of(s, c->kind) >= c->size)
		compute_refuse(s, m, -ENOSPC, "QuotaExceeded",
			       "%s of service memory asked for, the device's other sessions leave no more than %s", asked,
			       base_size_format(left_of(s, c->kind), total));
	else
		compute_refuse(s, m, -ENOSPC, "QuotaExceeded",
			       "%s of service memory asked for, %s of the session's %s are in use", asked, used,
			       base_size_format(COMPUTE_SERVICE_ALLOWANCE, total));
}

/* --------------------------------------------------------------- grants */

static void tell_executor(struct compute_session *s, const struct compute_segment *seg, int grant)
{
	struct {
		struct trnc_msg head;
		struct trnc_exec_segment_map map;
	} packet = {
		.head = { .type = TRNC_EXEC_SEGMENT_MAP, .len = sizeof(packet) },
		.map = {
			.offset = seg->offset,
			.size = seg->size,
			.control_seq = s->control_seq,
			.kind = seg->kind,
		},
	};

	if (s->executor)
		compute_link_send(&s->executor->link, &packet, sizeof(packet), grant);
}

/* Takes over seg. */
static void add(struct compute_session *s, const struct trnc_msg *m, struct compute_segment *seg, int granted)
{
	struct trnc_segment_reply reply;

	base_list_init(&seg->node);
	insert(&s->segments, seg);
	charge(seg);
	s->control_seq++;
	tell_executor(s, seg, granted);
	reply = (struct trnc_segment_reply){ .control_seq = s->control_seq, .used = used_of(s, seg->kind) };
	compute_reply(s, m->type, m->id, &reply, sizeof(reply), granted);
}

static int get_memory(struct compute_session *s, const struct trnc_segment_create *c, struct compute_segment *seg, int *granted)
{
	seg->fd = -1;
	seg->slot = s->slot;
	return s->slot ? compute_slot_grant(s->slot, c) : compute_memory_create(c->size, &seg->fd, granted);
}

static void grant(struct compute_session *s, const struct trnc_msg *m, const struct trnc_segment_create *c)
{
	struct compute_segment *seg = calloc(1, sizeof(*seg));
	_cleanup_close_ int granted = -1;
	int r = seg ? make_room(&s->segments) : -ENOMEM;

	if (r == 0)
		r = get_memory(s, c, seg, &granted);
	if (r < 0) {
		free(seg);
		compute_refuse(s, m, r == -EMFILE || r == -ENFILE ? -ENOMEM : r, "NoMemory",
			       "the device cannot make a segment: %s", strerror(-r));
		return;
	}
	seg->device = s->device;
	seg->session = s;
	seg->offset = c->offset;
	seg->size = c->size;
	seg->kind = c->kind;
	add(s, m, seg, granted);
}

int compute_segment_attach(struct compute_session *s, const struct trnc_msg *m, uint64_t offset, uint64_t size,
			   struct compute_shared *shared, struct trn_error *err)
{
	struct compute_segment *seg;

	if (is_taken(&s->segments, offset, size))
		return trn_error_set(err, -EEXIST, "SegmentOverlaps", "the session has the shared range at 0x%llx already",
				     (unsigned long long)offset);
	if (s->segments.nr >= TRNC_MAX_SEGMENTS)
		return trn_error_set(err, -EUSERS, "TooManySegments", "a session has at most %u segments",
				     TRNC_MAX_SEGMENTS);
	seg = make_room(&s->segments) == 0 ? calloc(1, sizeof(*seg)) : NULL;
	if (!seg)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory for a segment");
	*seg = (struct compute_segment){
		.device = s->device, .session = s, .offset = offset, .size = size, .kind = TRNC_SEGMENT_BUFFER,
		.fd = -1, .slot = s->slot, .shared = shared,
	};
	add(s, m, seg, -1);
	return 0;
}

static int check_create(const struct compute_session *s, const struct trnc_segment_create *c, struct trn_error *err)
{
	if (c->kind != TRNC_SEGMENT_BUFFER && c->kind != TRNC_SEGMENT_SERVICE)
		return trn_error_set(err, -EINVAL, "BadSegment", "there is no segment kind %u", c->kind);
	if (c->flags)
		return trn_error_set(err, -EINVAL, "BadSegment", "unknown segment flags 0x%x", c->flags);
	if (!base_is_page_aligned(c->offset) || !base_is_page_aligned(c->size) || c->size == 0)
		return trn_error_set(err, -EINVAL, "BadSegment",
				     "offset 0x%llx and size 0x%llx must be multiples of the page size, and the size not 0",
				     (unsigned long long)c->offset, (unsigned long long)c->size);
	if (!base_range_is_within(c->offset, c->size, s->window_size))
		return trn_error_set(err, -ERANGE, "BadSegment", "0x%llx bytes at 0x%llx do not lie in the window",
				     (unsigned long long)c->size, (unsigned long long)c->offset);
	if (is_taken(&s->segments, c->offset, c->size))
		return trn_error_set(err, -EEXIST, "SegmentOverlaps",
				     "0x%llx bytes at 0x%llx overlap another segment", (unsigned long long)c->size,
				     (unsigned long long)c->offset);
	if (s->segments.nr >= TRNC_MAX_SEGMENTS)
		return trn_error_set(err, -EUSERS, "TooManySegments", "a session has at most %u segments",
				     TRNC_MAX_SEGMENTS);
	return 0;
}

static void wait_for_room(struct compute_session *s, const struct trnc_msg *m, const struct trnc_segment_create *c)
{
	struct waiting *w = s->segments.nr_waiting < MAX_WAITING ? malloc(sizeof(*w)) : NULL;

	if (!w) {
		refuse_quota(s, m, c);
		return;
	}
	*w = (struct waiting){ .head = *m, .create = *c, .since_ns = base_clock_ns() };
	base_list_append(&s->segments.waiting, &w->node);
	s->segments.nr_waiting++;
	compute_device_start_tick(s->device);
}

/* How long a request that lacks so many bytes waits for frees that would be enough; 0: there are none. */
static uint64_t patience_ns(const struct compute_session *s, uint32_t kind, uint64_t lacking)
{
	if (lacking <= s->segments.leaving[kind - 1])
		return MAX_WAIT_NS;
	return kind == TRNC_SEGMENT_BUFFER && lacking <= s->device->leaving ? MAX_WAIT_FOR_OTHERS_NS : 0;
}

/* Return: was it decided? */
static bool decide(struct compute_session *s, const struct trnc_msg *m, const struct trnc_segment_create *c,
		   uint64_t waited_ns)
{
	uint64_t left = left_of(s, c->kind);

	if (c->size <= left) {
		grant(s, m, c);
		return true;
	}
	if (waited_ns < patience_ns(s, c->kind, c->size - left))
		return false;
	refuse_quota(s, m, c);
	return true;
}

void compute_segment_handle_create(struct compute_session *s, const struct trnc_msg *m, const void *body)
{
	const struct trnc_segment_create *c = body;
	struct trn_error err = { 0 };

	if (check_create(s, c, &err) < 0)
		compute_reply_error(s, m->type, m->id, &err);
	else if (!decide(s, m, c, 0))
		wait_for_room(s, m, c);
}

static void drop_waiting(struct compute_session *s, struct waiting *w)
{
	base_list_remove(&w->node);
	s->segments.nr_waiting--;
	free(w);
}

static void decide_waiting_of(struct compute_session *s)
{
	struct waiting *w, *next;
	uint64_t now = base_clock_ns();

	base_list_for_each_safe(w, next, &s->segments.waiting, node) {
		struct trn_error err = { 0 };

		/* Another segment may have taken the place meanwhile. */
		if (check_create(s, &w->create, &err) < 0)
			compute_reply_error(s, w->head.type, w->head.id, &err);
		else if (!decide(s, &w->head, &w->create, now - w->since_ns))
			continue;
		drop_waiting(s, w);
	}
}

static void decide_waiting(struct compute_device *d)
{
	struct compute_session *s;

	base_list_for_each(s, &d->sessions, node)
		if (s->state == SESSION_UP && s->segments.nr_waiting)
			decide_waiting_of(s);
}

void compute_segments_refuse_waiting(struct compute_session *s, const struct trn_error *err)
{
	const struct compute_segments *t = &s->segments;
	struct waiting *w, *next;

	for (size_t i = 0; i < t->nr; i++)
		if (t->sorted[i]->state == SEGMENT_HELD || t->sorted[i]->state == SEGMENT_CLOSING)
			compute_reply_error(s, destroy_type(t->sorted[i]), t->sorted[i]->destroy_id, err);

	base_list_for_each_safe(w, next, &s->segments.waiting, node) {
		compute_reply_error(s, w->head.type, w->head.id, err);
		drop_waiting(s, w);
	}
}

/* ---------------------------------------------------------------- frees */

/* Its memory is free: it ends. */
static void finish(struct compute_segment *seg)
{
	struct compute_device *d = seg->device;
	struct compute_session *s = seg->session;

	uncharge(seg);
	if (s) {
		struct trnc_segment_reply reply = { .control_seq = s->control_seq, .used = used_of(s, seg->kind) };

		take_out(&s->segments, seg);
		/* A session that is lost has had the answer already. */
		if (s->state == SESSION_UP)
			compute_reply(s, destroy_type(seg), seg->destroy_id, &reply, sizeof(reply), -1);
	}
	free(seg);
	decide_waiting(d);
}

static void drop_memory(struct compute_segment *seg)
{
	if (seg->slot && !seg->shared)
		compute_slot_take_back(seg->slot, seg->offset, seg->size);
	seg->fd = base_close(seg->fd);
}

static void close_in_thread(struct compute_job *job)
{
	drop_memory(base_container_of(job, struct compute_segment, job));
}

static void on_closed(struct compute_job *job)
{
	struct compute_segment *seg = base_container_of(job, struct compute_segment, job);
	struct compute_device *d = seg->device;

	finish(seg);
	compute_device_job_done(d);
}

/* Return: false when somebody still has the memory. */
static bool give_back(struct compute_segment *seg)
{
	/* What a guest has mapped is the guest's own affair. */
	if (!seg->slot && !compute_memory_is_free(seg->fd, seg->size))
		return false;
	base_list_remove(&seg->node);
	if (seg->size < COMPUTE_MEMORY_BIG || seg->shared) {
		drop_memory(seg);
		finish(seg);
		return true;
	}
	seg->state = SEGMENT_CLOSING;
	seg->job = (struct compute_job){ .run = close_in_thread, .done = on_closed };
	compute_device_add_job(seg->device, &seg->job);
	return true;
}

static void give_back_or_hold(struct compute_segment *seg)
{
	struct compute_device *d = seg->device;
	struct base_list *held = seg->session ? &seg->session->segments.held : &d->held;

	if (give_back(seg))
		return;
	seg->state = SEGMENT_HELD;
	base_list_append(held, &seg->node);
	compute_device_start_tick(d);
}

void compute_segment_unmapped(struct compute_segment *seg)
{
	give_back_or_hold(seg);
}

void compute_segment_handle_destroy(struct compute_session *s, const struct trnc_msg *m, const void *body)
{
	const struct trnc_segment_destroy *d = body;
	struct trnc_segment_destroy passed = *d;
	struct compute_pending pending = { .id = m->id, .type = m->type };
	size_t i = lower_bound(&s->segments, d->offset);
	struct compute_segment *seg = i < s->segments.nr ? s->segments.sorted[i] : NULL;

	if (d->reserved || d->context > TRNC_MAX_CONTEXTS) {
		compute_refuse(s, m, -EINVAL, "BadMessage", "SEGMENT_DESTROY names context %u", d->context);
		return;
	}
	if (!seg || seg->offset != d->offset) {
		compute_refuse(s, m, -ENOENT, "NoSegment", "there is no segment at 0x%llx",
			       (unsigned long long)d->offset);
		return;
	}
	if (seg->state != SEGMENT_LIVE) {
		compute_refuse(s, m, -EALREADY, "SegmentLeaving", "the segment at 0x%llx is being destroyed",
			       (unsigned long long)d->offset);
		return;
	}
	if (seg->pins) {
		compute_refuse(s, m, -EBUSY, "SegmentInUse", "the channel of a context lies in the segment at 0x%llx",
			       (unsigned long long)d->offset);
		return;
	}
	if (!!seg->shared != (m->type == TRNC_MSG_SHARED_DETACH)) {
		compute_refuse(s, m, -EINVAL, "BadRange", "a shared range is let go of by SHARED_DETACH, and nothing else");
		return;
	}
	/* The ring of a context that is gone has been read. */
	if (d->context && !s->contexts[d->context]) {
		passed.context = 0;
		passed.after_pos = 0;
	}
	pending.segment = seg;
	if (!compute_relay(s, m, &passed, sizeof(passed), TRNC_EXEC_SEGMENT_UNMAP, &pending))
		return;
	seg->state = SEGMENT_UNMAPPING;
	seg->destroy_id = m->id;
	if (seg->shared)
		return;
	s->segments.leaving[seg->kind - 1] += seg->size;
	if (seg->kind == TRNC_SEGMENT_BUFFER)
		s->device->leaving += seg->size;
}

/* ------------------------------------------------------------------ end */

void compute_segments_leave(struct compute_session *s)
{
	const uint64_t *used = s->segments.used;
	uint64_t *leaving = s->segments.leaving;

	s->device->leaving += used[TRNC_SEGMENT_BUFFER - 1] - leaving[TRNC_SEGMENT_BUFFER - 1];
	leaving[TRNC_SEGMENT_BUFFER - 1] = used[TRNC_SEGMENT_BUFFER - 1];
	leaving[TRNC_SEGMENT_SERVICE - 1] = used[TRNC_SEGMENT_SERVICE - 1];
}

void compute_segments_end(struct compute_session *s)
{
	struct compute_segments *t = &s->segments;
	struct compute_segment **sorted = t->sorted;
	size_t nr = t->nr;

	t->sorted = NULL;
	t->nr = t->cap = 0;
	for (size_t i = 0; i < nr; i++)
		sorted[i]->session = NULL;
	for (size_t i = 0; i < nr; i++) {
		base_list_remove(&sorted[i]->node);
		if (sorted[i]->slot) /* the window as a whole is empty already */
			finish(sorted[i]);
		else if (sorted[i]->state != SEGMENT_CLOSING)
			give_back_or_hold(sorted[i]);
	}
	free(sorted);
}

static void check_held(struct base_list *held)
{
	/* Those that are still held go to the end: all get their turn. */
	for (unsigned int i = 0; i < CHECKS_A_TICK && !base_list_is_empty(held); i++) {
		struct compute_segment *seg = base_container_of(held->next, struct compute_segment, node);

		base_list_remove(&seg->node);
		give_back_or_hold(seg);
	}
}

bool compute_segments_tick(struct compute_device *d)
{
	struct compute_session *s;
	bool again;

	base_list_for_each(s, &d->sessions, node)
		check_held(&s->segments.held);
	check_held(&d->held);
	decide_waiting(d);

	again = !base_list_is_empty(&d->held);
	base_list_for_each(s, &d->sessions, node)
		again = again || s->segments.nr_waiting || !base_list_is_empty(&s->segments.held);
	return again;
}

void compute_segments_drop_held(struct compute_device *d)
{
	struct compute_segment *seg, *next;

	base_list_for_each_safe(seg, next, &d->held, node) {
		base_list_remove(&seg->node);
		base_close(seg->fd);
		uncharge(seg);
		free(seg);
	}
}
