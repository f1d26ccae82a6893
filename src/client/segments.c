/* SPDX-License-Identifier: MIT */
#include "client/segments.h"

#include <errno.h>
#include <stdlib.h>

#include "base/size.h"
#include "client/refuse.h"
#include "client/transport.h"
#include "tranche/wire/compute_pci.h"

void client_segment_show(struct client_segment *seg)
{
	if (seg->kind == TRNC_SEGMENT_BUFFER && !atomic_exchange(&seg->is_shown, true))
		seg->session->transport->segment_show(seg);
}

static void note_control_locked(struct client_session *s, uint64_t control_seq)
{
	/* Replies may be handled out of order: a lower number is an older one. */
	if (control_seq > atomic_load(&s->control_seq))
		atomic_store(&s->control_seq, control_seq);
}

void client_segment_note_control(struct client_session *s, uint64_t control_seq)
{
	pthread_mutex_lock(&s->lock);
	note_control_locked(s, control_seq);
	pthread_mutex_unlock(&s->lock);
}

void client_segment_note_grant(struct client_session *s, enum trnc_segment_kind kind,
			       const struct trnc_segment_reply *reply)
{
	pthread_mutex_lock(&s->lock);
	note_control_locked(s, reply->control_seq);
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

static int create(struct client_session *s, struct client_segment *seg, bool populate, struct client_segment **ret,
		  struct trn_error *err)
{
	uint64_t limit;
	int r;

	if (!seg)
		return client_refuse_memory(err);
	limit = client_session_account(s, seg->kind)->limit;
	if (seg->size > limit) {
		r = refuse_size(seg, limit, err);
		free(seg);
		return r;
	}
	r = s->transport->segment_create(seg, populate, err);
	if (r == 0)
		*ret = seg;
	return r;
}

int client_segment_create(struct client_session *s, enum trnc_segment_kind kind, uint64_t size, bool populate,
			  struct client_segment **ret, struct trn_error *err)
{
	if (client_session_is_lost(s))
		return client_session_refuse_lost(s, err);
	return create(s, client_segment_new(s, kind, size), populate, ret, err);
}

int client_segment_create_exportable(struct client_session *s, uint64_t size, struct client_segment **ret,
				     struct trn_error *err)
{
	struct client_segment *seg;

	if (client_session_is_lost(s))
		return client_session_refuse_lost(s, err);
	if (!(s->features & TRNC_FEATURE_SHARING))
		return client_refuse(err, -EOPNOTSUPP, "NotSharing", CLIENT_HINT_SHARING,
				     "%s: this program's session shares no memory", s->device->path);
	seg = client_segment_new(s, TRNC_SEGMENT_BUFFER, size);
	if (seg)
		seg->is_exportable = true;
	return create(s, seg, false, ret, err);
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
