/* SPDX-License-Identifier: MIT */
/*
 * Messages that the executor answers.  They are checked against the session's own tables, noted, and passed on with
 * their ids; a reply must belong to a note and have the shape that its type has, else its executor is ended.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/range.h"
#include "parents/compute/priv.h"

bool compute_relay(struct compute_session *s, const struct trnc_msg *m, const void *body, size_t len,
		   uint32_t exec_type, const struct compute_pending *pending)
{
	_Alignas(8) uint8_t packet[256];
	struct trnc_msg head = { .type = exec_type, .len = (uint32_t)(sizeof(head) + len), .id = m->id };
	int r = compute_pendings_add(&s->pendings, pending);

	if (r == -EEXIST) {
		compute_refuse(s, m, r, "IdInUse", "request %llu is not answered yet", (unsigned long long)m->id);
		return false;
	}
	if (r == -EBUSY) {
		compute_refuse(s, m, r, "TooManyRequests", "%u requests are not answered yet", COMPUTE_PENDING_MAX);
		return false;
	}
	if (r < 0) {
		compute_refuse(s, m, r, "NoMemory", "no memory for a request");
		return false;
	}
	memcpy(packet, &head, sizeof(head));
	memcpy(packet + sizeof(head), body, len);
	compute_link_send(&s->executor->link, packet, head.len, -1);
	/* The client is read on when the executor has taken its messages. */
	if (compute_link_is_busy(&s->executor->link))
		s->client->pause(s, true);
	return true;
}

/* --------------------------------------------------------------- checks */

static bool check_common(struct compute_session *s, const struct trnc_msg *m, uint32_t context, uint64_t control_seq)
{
	if (!compute_context_is_live(s, context)) {
		compute_refuse(s, m, -ENOENT, "NoContext", "there is no context %u", context);
		return false;
	}
	if (control_seq > s->control_seq) {
		compute_refuse(s, m, -EINVAL, "BadMessage", "control number %llu was not given yet",
			       (unsigned long long)control_seq);
		return false;
	}
	return true;
}

static bool check_range(struct compute_session *s, const struct trnc_msg *m, uint64_t offset, uint64_t len,
			const char *what)
{
	if (compute_segment_find(s, TRNC_SEGMENT_SERVICE, offset, len))
		return true;
	compute_refuse(s, m, -EINVAL, "BadRange", "the %s, %llu bytes at 0x%llx, lies in no service segment", what,
		       (unsigned long long)len, (unsigned long long)offset);
	return false;
}

static bool check_blob(struct compute_session *s, const struct trnc_msg *m, uint64_t offset, uint64_t len,
		       const char *what)
{
	if (len <= TRNC_MAX_BLOB)
		return check_range(s, m, offset, len, what);
	compute_refuse(s, m, -E2BIG, "BadRange", "the %s has %llu bytes, %u are allowed", what,
		       (unsigned long long)len, TRNC_MAX_BLOB);
	return false;
}

void compute_relay_event_block(struct compute_session *s, const struct trnc_msg *m, const void *body)
{
	const struct trnc_event_block_add *b = body;
	struct compute_pending pending = { .id = m->id, .type = m->type, .context = b->context };

	if (!check_common(s, m, b->context, b->control_seq))
		return;
	if (b->block == 0 || b->block >= TRNC_MAX_EVENT_BLOCKS || !base_is_page_aligned(b->offset)) {
		compute_refuse(s, m, -EINVAL, "BadEventBlock", "event block %u at 0x%llx cannot be", b->block,
			       (unsigned long long)b->offset);
		return;
	}
	if (check_range(s, m, b->offset, sizeof(struct trnc_event_slot) * TRNC_EVENT_BLOCK_SLOTS, "event block"))
		compute_relay(s, m, body, sizeof(*b), m->type, &pending);
}

void compute_relay_output(struct compute_session *s, const struct trnc_msg *m, const void *body)
{
	const struct trnc_output_set *o = body;
	struct compute_pending pending = { .id = m->id, .type = m->type, .offset = o->offset };

	if (o->reserved || o->control_seq > s->control_seq || !base_is_page_aligned(o->offset) ||
	    o->data_len < TRNC_PAGE || (o->data_len & (o->data_len - 1))) {
		compute_refuse(s, m, -EINVAL, "BadOutput", "an output ring of %u bytes at 0x%llx cannot be",
			       o->data_len, (unsigned long long)o->offset);
		return;
	}
	if (check_range(s, m, o->offset, sizeof(struct trnc_output) + (uint64_t)o->data_len, "output ring"))
		compute_relay(s, m, body, sizeof(*o), m->type, &pending);
}

void compute_relay_build(struct compute_session *s, const struct trnc_msg *m, const void *body)
{
	const struct trnc_program_build *b = body;
	struct compute_pending pending = { .id = m->id, .type = m->type, .context = b->context };

	if (!check_common(s, m, b->context, b->control_seq))
		return;
	if (b->reserved) {
		compute_refuse(s, m, -EINVAL, "BadMessage", "unknown flags of PROGRAM_BUILD");
		return;
	}
	if (check_blob(s, m, b->request, b->request_len, "build request") &&
	    check_blob(s, m, b->reply, b->reply_cap, "room for the reply"))
		compute_relay(s, m, body, sizeof(*b), m->type, &pending);
}

void compute_relay_query(struct compute_session *s, const struct trnc_msg *m, const void *body)
{
	const struct trnc_program_query *q = body;
	struct compute_pending pending = { .id = m->id, .type = m->type, .context = q->context };

	if (!check_common(s, m, q->context, q->control_seq))
		return;
	if (q->what < TRNC_QUERY_RESULT || q->what > TRNC_QUERY_IL) {
		compute_refuse(s, m, -EINVAL, "BadMessage", "there is no query %u", q->what);
		return;
	}
	if (check_blob(s, m, q->reply, q->reply_cap, "room for the reply"))
		compute_relay(s, m, body, sizeof(*q), m->type, &pending);
}

/* -------------------------------------------------------------- replies */

static size_t body_len_of(uint32_t type)
{
	return type == TRNC_MSG_PROGRAM_BUILD || type == TRNC_MSG_PROGRAM_QUERY ? sizeof(struct trnc_blob_reply) : 0;
}

static uint32_t exec_type_of(uint32_t type)
{
	return type == TRNC_MSG_SEGMENT_DESTROY || type == TRNC_MSG_SHARED_DETACH ? (uint32_t)TRNC_EXEC_SEGMENT_UNMAP : type;
}

static bool has_right_shape(const struct trnc_msg *m, const struct compute_pending *p, const void *body)
{
	const struct trnc_blob_reply *blob = body;
	size_t len = m->len - sizeof(*m);

	if (m->type != (exec_type_of(p->type) | TRNC_MSG_REPLY) || m->flags)
		return false;
	if (m->status)
		return m->status < 4096 && len == sizeof(struct trnc_error_body);
	return len == body_len_of(p->type) && (len == 0 || blob->len <= TRNC_MAX_BLOB);
}

/* The executor's sentence, made safe to print. */
static void pass_refusal(struct compute_session *s, const struct compute_pending *p, const struct trnc_msg *m,
			 const void *body)
{
	struct trnc_error_body b;
	struct trn_error err = { 0 };

	memcpy(&b, body, sizeof(b));
	trn_error_set(&err, -(int)m->status, "ExecutorRefused", "%.*s", (int)sizeof(b.text) - 1, b.text);
	if (b.hint[0])
		trn_error_hint(&err, "%.*s", (int)sizeof(b.hint) - 1, b.hint);
	b.name[sizeof(b.name) - 1] = '\0';
	if (b.name[0])
		err.name = b.name;
	compute_reply_error(s, p->type, p->id, &err);
}

static void pass_reply(struct compute_session *s, const struct compute_pending *p, const struct trnc_msg *m,
		       const void *body)
{
	/* Whether the memory is free is found out, not believed: a refusal to let go changes nothing. */
	if (p->segment) {
		compute_segment_unmapped(p->segment);
		return;
	}
	if (p->type == TRNC_MSG_CONTEXT_CREATE || p->type == TRNC_MSG_CONTEXT_DESTROY)
		compute_context_answered(s, p, m->status != 0);
	if (p->type == TRNC_MSG_OUTPUT_SET && s->slot && !m->status)
		compute_slot_set_output(s->slot, p->offset);
	if (m->status)
		pass_refusal(s, p, m, body);
	else
		compute_reply(s, p->type, p->id, body, m->len - sizeof(*m), -1);
}

int compute_relay_reply(struct compute_session *s, const struct trnc_msg *m, const void *body, struct trn_error *err)
{
	struct compute_pending *p = compute_pendings_take(&s->pendings, m->id);
	bool is_right = p && has_right_shape(m, p, body);

	if (is_right)
		pass_reply(s, p, m, body);
	else if (p)
		compute_refuse(s, &(struct trnc_msg){ .type = p->type, .id = p->id }, -ESHUTDOWN, "ExecutorLost",
			       "the executor's answer makes no sense");
	free(p);
	return is_right ? 0 : trn_error_set(err, -EPROTO, "ExecutorLost", "sent a message that makes no sense and was ended");
}

void compute_relay_refuse_all(struct compute_session *s, const struct trn_error *err)
{
	struct compute_pending *p;

	while ((p = compute_pendings_take_any(&s->pendings))) {
		compute_reply_error(s, p->type, p->id, err);
		free(p);
	}
}
