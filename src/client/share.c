/* SPDX-License-Identifier: MIT */
/* Memory that several programs have. */
#include <errno.h>

#include "base/range.h"
#include "client/refuse.h"
#include "client/transport.h"

static void take_segment(struct client_context *c, struct client_segment *seg, uint64_t size, struct client_mem *ret)
{
	pthread_mutex_lock(&c->buffers.lock);
	base_list_append(&c->exact, &seg->node);
	pthread_mutex_unlock(&c->buffers.lock);
	*ret = (struct client_mem){ .offset = seg->offset, .size = size, .ptr = seg->ptr, .segment = seg };
}

static int refuse_transport(const struct client_session *s, struct trn_error *err)
{
	return client_refuse(err, -EOPNOTSUPP, "NotSharing", "run the programs in a virtual machine",
			     "%s: devices of process mode do not share memory between programs", s->device->path);
}

int client_mem_alloc_exportable(struct client_context *c, uint64_t size, struct client_mem *ret, struct trn_error *err)
{
	struct client_segment *seg;
	uint64_t rounded;
	int r;

	if (!c->session->transport->segment_export)
		return refuse_transport(c->session, err);
	if (!size || !base_round_up(size, BASE_PAGE_SIZE, &rounded))
		return client_refuse(err, -EINVAL, "BadSize", "ask for one byte at least, and less than the quota",
				     "memory cannot have %llu bytes", (unsigned long long)size);
	r = client_segment_create_exportable(c->session, rounded, &seg, err);
	if (r == 0)
		take_segment(c, seg, size, ret);
	return r;
}

int client_mem_export(const struct client_mem *mem, struct trn_error *err)
{
	struct client_session *s = mem->segment->session;

	if (client_session_is_lost(s))
		return client_session_refuse_lost(s, err);
	return s->transport->segment_export ? s->transport->segment_export(mem->segment, err) :
					      refuse_transport(s, err);
}

int client_mem_import(struct client_context *c, int fd, struct client_mem *ret, struct trn_error *err)
{
	struct client_session *s = c->session;
	struct client_segment *seg;
	int r;

	if (client_session_is_lost(s))
		return client_session_refuse_lost(s, err);
	if (!s->transport->segment_import)
		return refuse_transport(s, err);
	r = s->transport->segment_import(s, fd, &seg, err);
	if (r == 0)
		take_segment(c, seg, seg->size, ret);
	return r;
}
