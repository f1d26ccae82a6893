/* SPDX-License-Identifier: MIT */
/* What the driver asks for.  A request that breaks the rules is refused with EINVAL, so that a driver's mistake shows. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/range.h"
#include "fake.h"

/* Blobs that are as whole as their readers can ask for: one item each. */
static const struct {
	uint32_t tag, len, param, zero;
	char value[24];
} probe = { TRNC_TAG_PLATFORM_INFO, 32, 0x0902 /* CL_PLATFORM_NAME */, 0, "Tranche fake host" };
static const uint32_t result[] = { TRNC_TAG_STATUS, 4, 0, 0, TRNC_TAG_BUILD_STATUS, 4, 0, 0 };

struct call {
	struct fake *f;
	struct fake_session *s; /* NULL: session 0 */
	uint32_t session;
	const struct trnc_msg *msg;
	const void *body;
};

static void answer(const struct call *c, const void *body, uint32_t len)
{
	fake_reply(c->f, c->session, c->msg, body, len);
}

static void refuse(const struct call *c, int error, const char *text)
{
	fprintf(stderr, "fake: request %u of session %u: %s\n", c->msg->type, c->session, text);
	fake_refuse(c->f, c->session, c->msg, error, text);
}

/* ------------------------------------------------------------- segments */

static struct fake_segment *find_segment(struct fake_segment *all, uint32_t nr, uint64_t offset)
{
	for (uint32_t i = 0; i < nr; i++)
		if (all[i].size && all[i].offset == offset)
			return &all[i];
	return NULL;
}

static bool overlaps(const struct fake_segment *all, uint32_t nr, uint64_t offset, uint64_t size)
{
	for (uint32_t i = 0; i < nr; i++)
		if (base_range_overlaps(all[i].offset, all[i].size, offset, size))
			return true;
	return false;
}

static struct fake_segment *new_segment(struct fake_segment **all, uint32_t *nr, uint32_t *cap)
{
	for (uint32_t i = 0; i < *nr; i++)
		if (!(*all)[i].size)
			return &(*all)[i];
	if (*nr == *cap) {
		uint32_t more = *cap ? *cap * 2 : 64;
		struct fake_segment *bigger = reallocarray(*all, more, sizeof(**all));

		if (!bigger)
			return NULL;
		*all = bigger;
		*cap = more;
	}
	return &(*all)[(*nr)++];
}

static void punch(struct fake *f, uint64_t offset, uint64_t size)
{
	(void)fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)size);
}

static uint8_t *in_service(const struct call *c, uint64_t offset, uint64_t len)
{
	for (uint32_t i = 0; i < c->s->nr_segments; i++) {
		const struct fake_segment *g = &c->s->segments[i];

		if (g->kind == TRNC_SEGMENT_SERVICE && offset >= g->offset &&
		    base_range_is_within(offset - g->offset, len, g->size))
			return c->f->aperture + c->s->window + offset;
	}
	return NULL;
}

static bool has_room(const struct call *c, uint32_t kind, uint64_t size)
{
	uint64_t used = kind == TRNC_SEGMENT_BUFFER ? c->f->used[0] : c->s->used[1];
	uint64_t limit = kind == TRNC_SEGMENT_BUFFER ? c->f->quota : FAKE_SERVICE;

	return size <= limit - used;
}

static void charge(const struct call *c, uint32_t kind, int64_t size)
{
	c->s->used[kind - 1] += (uint64_t)size;
	c->f->used[kind - 1] += (uint64_t)size;
}

static struct trnc_segment_reply segment_reply(const struct call *c, uint32_t kind)
{
	return (struct trnc_segment_reply){
		.control_seq = c->s->control_seq,
		.used = kind == TRNC_SEGMENT_BUFFER ? c->f->used[0] : c->s->used[1],
	};
}

static void segment_create(const struct call *c)
{
	const struct trnc_segment_create *r = c->body;
	struct trnc_segment_reply reply;
	struct fake_segment *g;

	if (r->kind < 1 || r->kind > 2 || r->flags || !r->size || !base_is_page_aligned(r->size | r->offset) ||
	    !base_range_is_within(r->offset, r->size, c->s->window_size) ||
	    overlaps(c->s->segments, c->s->nr_segments, r->offset, r->size)) {
		refuse(c, EINVAL, "a bad segment");
		return;
	}
	g = has_room(c, r->kind, r->size) ? new_segment(&c->s->segments, &c->s->nr_segments, &c->s->segments_cap) : NULL;
	if (!g) {
		refuse(c, ENOSPC, "the quota is used up");
		return;
	}
	*g = (struct fake_segment){ .offset = r->offset, .size = r->size, .kind = r->kind };
	charge(c, r->kind, (int64_t)r->size);
	c->s->control_seq++;
	reply = segment_reply(c, r->kind);
	answer(c, &reply, sizeof(reply));
}

static void finish_destroy(const struct call *c, struct fake_segment *g)
{
	uint32_t kind = g->kind;
	struct trnc_segment_reply reply;

	punch(c->f, c->s->window + g->offset, g->size);
	charge(c, kind, -(int64_t)g->size);
	g->size = 0;
	reply = segment_reply(c, kind);
	answer(c, &reply, sizeof(reply));
}

static bool may_go(const struct fake_session *s, const struct fake_segment *g)
{
	const struct fake_channel *channel = s->channels[g->context];

	return !channel || s->is_lost || atomic_load(&channel->consumer) >= g->after_pos;
}

static void segment_destroy(const struct call *c)
{
	const struct trnc_segment_destroy *r = c->body;
	struct fake_segment *g = find_segment(c->s->segments, c->s->nr_segments, r->offset);

	if (!g || !g->kind || g->destroy_id || r->reserved || r->context > TRNC_MAX_CONTEXTS) {
		refuse(c, EINVAL, "no such segment");
		return;
	}
	g->context = r->context;
	g->after_pos = r->after_pos;
	if (may_go(c->s, g)) {
		finish_destroy(c, g);
		return;
	}
	g->destroy_id = c->msg->id;
	c->f->nr_deferred++;
}

static void settle_session(struct fake *f, struct fake_session *s, bool is_end)
{
	for (uint32_t i = 0; i < s->nr_segments && f->nr_deferred; i++) {
		struct fake_segment *g = &s->segments[i];
		const struct trnc_msg msg = { .type = TRNC_MSG_SEGMENT_DESTROY, .id = g->destroy_id };
		const struct call c = { f, s, s->number, &msg, NULL };

		if (!g->size || !g->destroy_id || !(is_end || may_go(s, g)))
			continue;
		g->destroy_id = 0;
		f->nr_deferred--;
		if (is_end)
			fake_refuse(f, s->number, &msg, ESHUTDOWN, "the session is lost");
		else
			finish_destroy(&c, g);
	}
}

void fake_settle(struct fake *f)
{
	for (uint32_t n = 1; n <= FAKE_SESSIONS && f->nr_deferred; n++)
		if (f->sessions[n].number)
			settle_session(f, &f->sessions[n], false);
}

/* --------------------------------------------------------- shared window */

static void shared_create(const struct call *c)
{
	const struct trnc_shared_range *r = c->body;
	uint64_t size = c->f->windows_offset - c->f->shared_offset;
	struct trnc_segment_reply reply = { 0 };
	struct fake_segment *g;

	if (!r->size || !base_is_page_aligned(r->size | r->offset) || !base_range_is_within(r->offset, r->size, size) ||
	    overlaps(c->f->shared, c->f->nr_shared, r->offset, r->size)) {
		refuse(c, EINVAL, "a bad range of the shared window");
		return;
	}
	g = r->size <= c->f->quota - c->f->used[0] ? new_segment(&c->f->shared, &c->f->nr_shared, &c->f->shared_cap) : NULL;
	if (!g) {
		refuse(c, ENOSPC, "the quota is used up");
		return;
	}
	*g = (struct fake_segment){ .offset = r->offset, .size = r->size, .kind = TRNC_SEGMENT_BUFFER };
	c->f->used[0] += r->size;
	reply.used = c->f->used[0];
	answer(c, &reply, sizeof(reply));
}

static void shared_destroy(const struct call *c)
{
	const struct trnc_shared_range *r = c->body;
	struct fake_segment *g = find_segment(c->f->shared, c->f->nr_shared, r->offset);

	if (!g || g->size != r->size) {
		refuse(c, EINVAL, "no such range of the shared window");
		return;
	}
	punch(c->f, c->f->shared_offset + g->offset, g->size);
	c->f->used[0] -= g->size;
	g->size = 0;
	answer(c, NULL, 0);
}

static void shared_attach(const struct call *c)
{
	const struct trnc_shared_range *r = c->body;
	const struct fake_segment *of = find_segment(c->f->shared, c->f->nr_shared, r->offset);
	uint64_t at = TRNC_SHARED_WINDOW + r->offset;
	struct trnc_segment_reply reply;
	struct fake_segment *g;

	if (!of || of->size != r->size || !(c->s->features & TRNC_FEATURE_SHARING) ||
	    find_segment(c->s->segments, c->s->nr_segments, at)) {
		refuse(c, EINVAL, "nothing to attach");
		return;
	}
	g = new_segment(&c->s->segments, &c->s->nr_segments, &c->s->segments_cap);
	if (!g) {
		refuse(c, ENOMEM, "no memory");
		return;
	}
	*g = (struct fake_segment){ .offset = at, .size = r->size };
	c->s->control_seq++;
	reply = segment_reply(c, TRNC_SEGMENT_BUFFER);
	answer(c, &reply, sizeof(reply));
}

static void shared_detach(const struct call *c)
{
	const struct trnc_segment_destroy *r = c->body;
	struct fake_segment *g = find_segment(c->s->segments, c->s->nr_segments, r->offset);
	struct trnc_segment_reply reply;

	if (!g || g->kind) {
		refuse(c, EINVAL, "not attached");
		return;
	}
	g->size = 0;
	reply = segment_reply(c, TRNC_SEGMENT_BUFFER);
	answer(c, &reply, sizeof(reply));
}

/* -------------------------------------------------------------- contexts */

static void context_create(const struct call *c)
{
	const struct trnc_context_create *r = c->body;
	uint64_t len = TRNC_CHANNEL_RING + (uint64_t)r->ring_len + TRNC_EVENT_BLOCK_SLOTS * sizeof(struct trnc_event_slot);
	uint8_t *memory = base_is_page_aligned(r->channel) ? in_service(c, r->channel, len) : NULL;
	struct fake_channel *channel;

	if (!memory || !r->context || r->context > TRNC_MAX_CONTEXTS || c->s->channels[r->context] || r->flags || r->reserved ||
	    r->ring_len < TRNC_RING_MIN || r->ring_len > TRNC_RING_MAX || r->ring_len & (r->ring_len - 1) ||
	    r->control_seq > c->s->control_seq) {
		refuse(c, EINVAL, "a bad context");
		return;
	}
	channel = calloc(1, sizeof(*channel));
	if (channel) {
		*channel = (struct fake_channel){ .fake = c->f, .session = c->s, .memory = memory, .ring_len = r->ring_len };
		channel->nr_blocks = 1;
		atomic_store(&channel->blocks[0], memory + TRNC_CHANNEL_RING + r->ring_len);
	}
	if (!channel || fake_channel_start(channel) < 0) {
		free(channel);
		refuse(c, ENOMEM, "no memory");
		return;
	}
	c->s->channels[r->context] = channel;
	atomic_store(&c->s->host_asleep[r->context],
		     &((struct trnc_user_page *)(void *)(memory + TRNC_CHANNEL_USER))->host_asleep);
	answer(c, NULL, 0);
}

static void end_context(struct fake_session *s, uint32_t context)
{
	atomic_store(&s->host_asleep[context], NULL);
	fake_channel_stop(s->channels[context]);
	free(s->channels[context]);
	s->channels[context] = NULL;
}

static void context_destroy(const struct call *c)
{
	const struct trnc_context_destroy *r = c->body;

	if (!r->context || r->context > TRNC_MAX_CONTEXTS || !c->s->channels[r->context] || r->reserved) {
		refuse(c, EINVAL, "no such context");
		return;
	}
	end_context(c->s, r->context);
	answer(c, NULL, 0);
}

static void event_block_add(const struct call *c)
{
	const struct trnc_event_block_add *r = c->body;
	struct fake_channel *channel = r->context <= TRNC_MAX_CONTEXTS ? c->s->channels[r->context] : NULL;
	uint8_t *memory = base_is_page_aligned(r->offset) ?
				  in_service(c, r->offset, TRNC_EVENT_BLOCK_SLOTS * sizeof(struct trnc_event_slot)) : NULL;

	if (!channel || !memory || r->block != channel->nr_blocks || r->block >= TRNC_MAX_EVENT_BLOCKS) {
		refuse(c, EINVAL, "a bad event block");
		return;
	}
	channel->nr_blocks++;
	atomic_store(&channel->blocks[r->block], memory);
	answer(c, NULL, 0);
}

static void output_set(const struct call *c)
{
	const struct trnc_output_set *r = c->body;
	uint64_t len = sizeof(struct trnc_output) + (uint64_t)r->data_len;
	uint8_t *memory = base_is_page_aligned(r->offset) ? in_service(c, r->offset, len) : NULL;

	if (!memory || r->data_len < TRNC_PAGE || r->data_len & (r->data_len - 1) || r->reserved) {
		refuse(c, EINVAL, "a bad place for text");
		return;
	}
	atomic_store(&c->s->host_asleep[0], &((struct trnc_output *)(void *)memory)->host_asleep);
	answer(c, NULL, 0);
}

static void give_result(const struct call *c, uint64_t offset, uint64_t cap)
{
	const struct trnc_blob_reply reply = { .len = sizeof(result) };
	uint8_t *memory = in_service(c, offset, cap);

	if (!memory) {
		refuse(c, EINVAL, "no room for a reply");
		return;
	}
	if (sizeof(result) <= cap)
		memcpy(memory, result, sizeof(result));
	answer(c, &reply, sizeof(reply));
}

static void program_build(const struct call *c)
{
	const struct trnc_program_build *r = c->body;

	if (!r->context || r->context > TRNC_MAX_CONTEXTS || !c->s->channels[r->context] || !in_service(c, r->request, r->request_len))
		refuse(c, EINVAL, "a bad build");
	else
		give_result(c, r->reply, r->reply_cap);
}

static void program_query(const struct call *c)
{
	const struct trnc_program_query *r = c->body;

	if (!r->context || r->context > TRNC_MAX_CONTEXTS || !c->s->channels[r->context])
		refuse(c, EINVAL, "no such context");
	else
		give_result(c, r->reply, r->reply_cap);
}

static void memory_query(const struct call *c)
{
	const struct trnc_memory_reply reply = {
		.quota = c->f->quota, .used = c->f->used[0], .session_used = c->s->used[0], .service_used = c->s->used[1]
	};

	answer(c, &reply, sizeof(reply));
}

/* -------------------------------------------------------------- sessions */

static bool is_window_free(const struct fake *f, const struct trnc_session_open *r)
{
	for (uint32_t n = 1; n <= FAKE_SESSIONS; n++)
		if (f->sessions[n].number &&
		    base_range_overlaps(f->sessions[n].window, f->sessions[n].window_size, r->window, r->window_size))
			return false;
	return true;
}

static void session_open(const struct call *c)
{
	const struct trnc_session_open *r = c->body;
	struct fake *f = c->f;
	const struct trnc_session_reply reply = {
		.session = f->last_session + 1, .quota = f->quota, .service = FAKE_SERVICE, .flags = TRNC_SESSION_COHERENT,
		.probe_len = sizeof(probe),
	};

	if (c->s->number || r->features & ~atomic_load(&f->driver_features) || !r->window_size || r->reserved ||
	    (r->window | r->window_size) % FAKE_ALIGN || r->window < f->windows_offset ||
	    !base_range_is_within(r->window, r->window_size, f->size) || !is_window_free(f, r) || r->vector >= FAKE_VECTORS ||
	    !memchr(r->cwd, 0, sizeof(r->cwd)) || (r->window_base && !(r->features & TRNC_FEATURE_SVM))) {
		refuse(c, EINVAL, "a bad session");
		return;
	}
	c->s->vector = r->vector;
	c->s->features = r->features;
	c->s->window = r->window;
	c->s->window_size = r->window_size;
	c->s->number = c->session;
	f->last_session++;
	memcpy(f->aperture + FAKE_PROBE_OFFSET, &probe, sizeof(probe));
	atomic_store(&f->probe_len, sizeof(probe));
	answer(c, &reply, sizeof(reply));
}

static void end_contexts(struct fake_session *s)
{
	for (uint32_t i = 1; i <= TRNC_MAX_CONTEXTS; i++)
		if (s->channels[i])
			end_context(s, i);
	atomic_store(&s->host_asleep[0], NULL);
}

void fake_session_end(struct fake *f, struct fake_session *s)
{
	end_contexts(s);
	punch(f, s->window, s->window_size);
	f->used[0] -= s->used[0];
	f->used[1] -= s->used[1];
	free(s->segments);
	memset(s, 0, sizeof(*s));
}

void fake_session_lose(struct fake *f, struct fake_session *s, enum trnc_lost reason)
{
	if (s->is_lost)
		return;
	s->is_lost = true;
	settle_session(f, s, true);
	for (uint32_t i = 1; i <= TRNC_MAX_CONTEXTS; i++)
		if (s->channels[i])
			fake_channel_lose(s->channels[i], reason);
	end_contexts(s);
	fake_tell_lost(f, s->number, "the executor was ended by a test");
}

void fake_sessions_end_all(struct fake *f)
{
	f->nr_deferred = 0;
	for (uint32_t n = 1; n <= FAKE_SESSIONS; n++)
		if (f->sessions[n].number)
			fake_session_end(f, &f->sessions[n]);
	free(f->shared);
	f->shared = NULL;
	f->nr_shared = f->shared_cap = 0;
	f->used[0] = f->used[1] = 0;
}

static void session_close(const struct call *c)
{
	settle_session(c->f, c->s, true);
	fake_session_end(c->f, c->s);
	answer(c, NULL, 0);
}

/* -------------------------------------------------------------- requests */

static const struct {
	uint32_t type, len;
	bool is_of_device; /* session 0 */
	void (*handle)(const struct call *c);
} requests[] = {
	{ TRNC_MSG_SESSION_OPEN, sizeof(struct trnc_session_open), false, session_open },
	{ TRNC_MSG_SESSION_CLOSE, 0, false, session_close },
	{ TRNC_MSG_SEGMENT_CREATE, sizeof(struct trnc_segment_create), false, segment_create },
	{ TRNC_MSG_SEGMENT_DESTROY, sizeof(struct trnc_segment_destroy), false, segment_destroy },
	{ TRNC_MSG_CONTEXT_CREATE, sizeof(struct trnc_context_create), false, context_create },
	{ TRNC_MSG_CONTEXT_DESTROY, sizeof(struct trnc_context_destroy), false, context_destroy },
	{ TRNC_MSG_EVENT_BLOCK_ADD, sizeof(struct trnc_event_block_add), false, event_block_add },
	{ TRNC_MSG_OUTPUT_SET, sizeof(struct trnc_output_set), false, output_set },
	{ TRNC_MSG_PROGRAM_BUILD, sizeof(struct trnc_program_build), false, program_build },
	{ TRNC_MSG_PROGRAM_QUERY, sizeof(struct trnc_program_query), false, program_query },
	{ TRNC_MSG_MEMORY_QUERY, 0, false, memory_query },
	{ TRNC_MSG_SHARED_ATTACH, sizeof(struct trnc_shared_range), false, shared_attach },
	{ TRNC_MSG_SHARED_DETACH, sizeof(struct trnc_segment_destroy), false, shared_detach },
	{ TRNC_MSG_SHARED_CREATE, sizeof(struct trnc_shared_range), true, shared_create },
	{ TRNC_MSG_SHARED_DESTROY, sizeof(struct trnc_shared_range), true, shared_destroy },
};

void fake_handle(struct fake *f, const struct trnc_control_slot *slot)
{
	uint32_t n = slot->session;
	struct call c = { f, n && n <= FAKE_SESSIONS ? &f->sessions[n] : NULL, n, &slot->msg, slot->body };

	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		if (requests[i].type != slot->msg.type)
			continue;
		if (requests[i].len != slot->msg.len - sizeof(slot->msg) || requests[i].is_of_device != !n || (n && !c.s))
			refuse(&c, EINVAL, "a request of a wrong size or session");
		else if (c.s && !c.s->number && slot->msg.type != TRNC_MSG_SESSION_OPEN)
			refuse(&c, ENOTCONN, "the session is not open");
		else if (c.s && c.s->is_lost && slot->msg.type != TRNC_MSG_SESSION_CLOSE)
			refuse(&c, ESHUTDOWN, "the session is lost");
		else
			requests[i].handle(&c);
		return;
	}
	refuse(&c, EINVAL, "an unknown request");
}
