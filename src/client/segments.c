/* SPDX-License-Identifier: MIT */
#include "client/segments.h"

#include <errno.h>
#include <stdlib.h>

#include "base/size.h"
#include "client/refuse.h"
#include "client/transport.h"

void client_segment_show(struct client_segment *seg)
{
	if (seg->kind == TRNC_SEGMENT_BUFFER && !atomic_exchange(&seg->is_shown, true))
		seg->session->transport->segment_show(seg);
}

void client_segment_note_grant(struct client_session *s, enum trnc_segment_kind kind,
			       const struct trnc_segment_reply *reply)
{
	pthread_mutex_lock(&s->lock);
	/* Replies may be handled out of order: a lower number is an older one. */
	if (reply->control_seq > atomic_load(&s->control_seq))
		atomic_store(&s->control_seq, reply->control_seq);
	client_session_account(s, kind)->used = reply->used;
	pthread_mutex_unlock(&s->lock);
}

static int refuse_size(struct client_segment *seg, uint64_t limit, struct trn_error *err)
{
	char asked[BASE_SIZE_TEXT], allowed[BASE_SIZE_TEXT];

	return client_refuse(err, -ENOSPC, "OverQuota", CLIENT_HINT_QUOTA, "%s asked, the device's %s is %s",
			     base_size_format(seg->size, asked),
			     seg->kind == TRNC_SEGMENT_BUFFER ? "quota" : "service memory",
			     base_size_format(limit, allowed));
}

int client_segment_create(struct client_session *s, enum trnc_segment_kind kind, uint64_t size, bool populate,
			  struct client_segment **ret, struct trn_error *err)
{
	uint64_t limit = client_session_account(s, kind)->limit;
	struct client_segment *seg;
	int r;

	if (client_session_is_lost(s))
		return client_session_refuse_lost(s, err);
	seg = client_segment_new(s, kind, size);
	if (!seg)
		return client_refuse_memory(err);
	if (size > limit) {
		r = refuse_size(seg, limit, err);
		free(seg);
		return r;
	}
	r = s->transport->segment_create(seg, populate, err);
	if (r == 0)
		*ret = seg;
	return r;
}

struct client_segment *client_segment_new(struct client_session *s, enum trnc_segment_kind kind, uint64_t size)
{
	struct client_segment *seg = calloc(1, sizeof(*seg));

	if (!seg)
		return NULL;
	*seg = (struct client_segment){ .session = s, .kind = kind, .size = size };
	base_list_init(&seg->node);
	return seg;
}

void client_segment_destroy(struct client_segment *seg, uint32_t context, uint64_t after_pos)
{
	seg->session->transport->segment_destroy(seg, context, after_pos);
}
