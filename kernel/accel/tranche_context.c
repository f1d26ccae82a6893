// SPDX-License-Identifier: GPL-2.0-only
/*
 * Contexts and their channels, and what else is asked of the host for them:
 * event blocks, the ring of text, programs. The channel is an object without a
 * handle, of which user space may map parts.
 */
#include <linux/nospec.h>
#include <linux/slab.h>

#include <drm/drm_vma_manager.h>

#include "tranche_drv.h"

struct tranche_context *tranche_context_get(struct tranche_session *session,
					    u32 id)
{
	struct tranche_context *ctx;

	if (!id || id > TRNC_MAX_CONTEXTS)
		return NULL;
	id = array_index_nospec(id - 1, TRNC_MAX_CONTEXTS);
	rcu_read_lock();
	ctx = rcu_dereference(session->contexts[id]);
	if (ctx && !kref_get_unless_zero(&ctx->ref))
		ctx = NULL;
	rcu_read_unlock();
	return ctx;
}

/* One that records may go to. */
struct tranche_context *tranche_context_get_live(struct drm_file *file, u32 id)
{
	struct tranche_session *session = tranche_session_of(file);
	struct tranche_context *ctx;

	if (IS_ERR(session))
		return ERR_CAST(session);
	ctx = tranche_context_get(session, id);
	if (ctx && READ_ONCE(ctx->is_live))
		return ctx;
	tranche_context_put(ctx);
	return ERR_PTR(-ENOENT);
}

static void context_release(struct kref *ref)
{
	struct tranche_context *ctx =
		container_of(ref, struct tranche_context, ref);

	tranche_context_forget(ctx);
	tranche_request_put(ctx->destroy);
	/* An interrupt handler may still look at it. */
	kfree_rcu(ctx, rcu);
}

void tranche_context_put(struct tranche_context *ctx)
{
	if (ctx)
		kref_put(&ctx->ref, context_release);
}

/* Adds an object to it that the file may map. */
static int context_take_object(struct tranche_context *ctx,
			       struct tranche_object *obj)
{
	int ret = drm_vma_node_allow(&obj->base.vma_node, ctx->session->file);

	if (ret)
		return ret;
	tranche_object_get(obj);
	list_add_tail(&obj->link, &ctx->blocks);
	return 0;
}

static bool context_is_entered(struct tranche_context *ctx)
{
	struct tranche_session *session = ctx->session;

	lockdep_assert_held(&session->lock);
	return rcu_access_pointer(session->contexts[ctx->id - 1]) == ctx;
}

/* Takes it out of the table, once. Its number is free, its memory goes. */
void tranche_context_drop(struct tranche_context *ctx)
{
	struct tranche_session *session = ctx->session;
	struct tranche_object *obj, *next;
	LIST_HEAD(blocks);

	mutex_lock(&session->lock);
	if (!context_is_entered(ctx)) {
		mutex_unlock(&session->lock);
		return;
	}
	RCU_INIT_POINTER(session->contexts[ctx->id - 1], NULL);
	WRITE_ONCE(ctx->is_live, false);
	if (!session->lost)
		session->commands +=
			le64_to_cpu(READ_ONCE(ctx->host->commands));
	list_splice_init(&ctx->blocks, &blocks);
	mutex_unlock(&session->lock);
	tranche_context_wake(ctx);
	list_for_each_entry_safe(obj, next, &blocks, link) {
		list_del_init(&obj->link);
		drm_vma_node_revoke(&obj->base.vma_node, session->file);
		tranche_object_put(obj);
	}
	tranche_context_put(ctx);
}

static void context_destroyed(struct tranche_request *req)
{
	tranche_context_drop(req->context);
}

/* Once: who comes later gets ENOENT. */
static int context_end(struct tranche_context *ctx)
{
	struct tranche_session *session = ctx->session;
	struct tranche_request *req = ctx->destroy;
	bool live;

	mutex_lock(&session->lock);
	live = ctx->is_live;
	WRITE_ONCE(ctx->is_live, false);
	mutex_unlock(&session->lock);
	if (!live)
		return -ENOENT;
	tranche_context_wake(ctx);
	req->body.context_destroy.context = cpu_to_le32(ctx->id);
	kref_get(&ctx->ref);
	req->context = ctx;
	req->done = context_destroyed;
	tranche_request_submit(req, session);
	return 0;
}

static void context_created(struct tranche_request *req)
{
	struct tranche_context *ctx = req->context;

	if (req->status) {
		tranche_context_drop(ctx);
		return;
	}
	mutex_lock(&ctx->session->lock);
	WRITE_ONCE(ctx->is_live, true);
	mutex_unlock(&ctx->session->lock);
	if (req->abandoned)
		context_end(ctx);
}

static struct tranche_context *context_alloc(struct tranche_session *session,
					     struct tranche_object *channel)
{
	struct tranche_device *tdev = session->tdev;
	void *at = tdev->aperture + channel->aperture_offset;
	struct tranche_context *ctx;

	ctx = kzalloc(sizeof(*ctx), GFP_KERNEL_ACCOUNT);
	if (!ctx)
		return NULL;
	kref_init(&ctx->ref);
	ctx->session = session;
	ctx->channel = channel;
	ctx->user = at + TRNC_CHANNEL_USER;
	ctx->host = at + TRNC_CHANNEL_HOST;
	ctx->kernel = at + TRNC_CHANNEL_KERNEL;
	ctx->nr_blocks = 1;
	INIT_LIST_HEAD(&ctx->blocks);
	spin_lock_init(&ctx->lock);
	INIT_LIST_HEAD(&ctx->waiters);
	init_waitqueue_head(&ctx->queue);
	ctx->destroy = tranche_request_new(tdev, TRNC_MSG_CONTEXT_DESTROY);
	if (!ctx->destroy || context_take_object(ctx, channel)) {
		tranche_context_put(ctx);
		return NULL;
	}
	return ctx;
}

/* Gives it a number; its reference becomes the table's. */
static int context_enter(struct tranche_context *ctx)
{
	struct tranche_session *session = ctx->session;
	int i;

	mutex_lock(&session->lock);
	for (i = 0; i < TRNC_MAX_CONTEXTS; i++)
		if (!rcu_access_pointer(session->contexts[i]))
			break;
	if (i < TRNC_MAX_CONTEXTS) {
		ctx->id = i + 1;
		rcu_assign_pointer(session->contexts[i], ctx);
	}
	mutex_unlock(&session->lock);
	return i < TRNC_MAX_CONTEXTS ? 0 : -EUSERS;
}

static int context_call(struct tranche_context *ctx)
{
	struct tranche_object *channel = ctx->channel;
	struct tranche_request *req;
	int ret;

	req = tranche_request_new(ctx->session->tdev, TRNC_MSG_CONTEXT_CREATE);
	if (!req) {
		tranche_context_drop(ctx);
		return -ENOMEM;
	}
	req->body.context_create = (struct trnc_context_create){
		.context = cpu_to_le32(ctx->id),
		.channel = cpu_to_le64(tranche_object_offset(channel)),
		.ring_len = cpu_to_le32(channel->ring_len),
		.control_seq = cpu_to_le64(channel->control_seq),
	};
	kref_get(&ctx->ref);
	req->context = ctx;
	req->done = context_created;
	ret = tranche_request_call(req, ctx->session);
	tranche_request_put(req);
	return ret;
}

/* With a channel that was granted. */
static int context_create(struct tranche_session *session,
			  struct tranche_object *channel, u32 *ret_id)
{
	struct tranche_context *ctx = context_alloc(session, channel);
	int ret;

	if (!ctx)
		return -ENOMEM;
	ret = context_enter(ctx);
	if (ret) {
		list_del_init(&channel->link);
		drm_vma_node_revoke(&channel->base.vma_node, session->file);
		tranche_object_put(channel);
		tranche_context_put(ctx);
		return ret;
	}
	*ret_id = ctx->id;
	return context_call(ctx);
}

int tranche_context_create(struct drm_device *drm, void *data,
			   struct drm_file *file)
{
	struct tranche_session *session = tranche_session_of(file);
	struct drm_tranche_context_create *args = data;
	struct tranche_object *channel;
	int ret;

	if (IS_ERR(session))
		return PTR_ERR(session);
	if (!tranche_ring_len_ok(args->ring_len))
		return -EINVAL;
	channel = tranche_object_new(to_tranche(drm), session,
				     tranche_channel_size(args->ring_len),
				     DRM_TRANCHE_GEM_SERVICE, TRANCHE_CHANNEL);
	if (IS_ERR(channel))
		return PTR_ERR(channel);
	channel->ring_len = args->ring_len;
	ret = tranche_object_grant(channel);
	if (!ret) {
		args->mmap_offset =
			drm_vma_node_offset_addr(&channel->base.vma_node);
		args->control_seq = channel->control_seq;
		ret = context_create(session, channel, &args->context);
	}
	tranche_object_put(channel);
	return ret;
}

int tranche_context_destroy(struct drm_device *drm, void *data,
			    struct drm_file *file)
{
	struct drm_tranche_context_destroy *args = data;
	struct tranche_context *ctx;
	int ret;

	if (args->pad)
		return -EINVAL;
	ctx = tranche_context_get_live(file, args->context);
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	ret = context_end(ctx);
	if (!ret)
		ret = tranche_request_wait(ctx->destroy);
	tranche_context_put(ctx);
	return ret;
}

static void event_block_end(struct tranche_context *ctx,
			    struct tranche_object *obj)
{
	mutex_lock(&ctx->session->lock);
	ctx->adding = false;
	if (obj && context_is_entered(ctx) && !context_take_object(ctx, obj))
		ctx->nr_blocks++;
	mutex_unlock(&ctx->session->lock);
}

static void event_block_added(struct tranche_request *req)
{
	event_block_end(req->context, req->status ? NULL : req->object[0]);
}

/* Only one thread adds at a time. */
static int event_block_begin(struct tranche_context *ctx, u32 block)
{
	int ret = 0;

	mutex_lock(&ctx->session->lock);
	if (block != ctx->nr_blocks || block >= TRNC_MAX_EVENT_BLOCKS)
		ret = -EINVAL;
	else if (ctx->adding)
		ret = -EBUSY;
	else
		ctx->adding = true;
	mutex_unlock(&ctx->session->lock);
	return ret;
}

/* The request has the new block, granted, and the context. */
static int event_block_prepare(struct tranche_context *ctx,
			       struct tranche_request *req)
{
	struct tranche_session *session = ctx->session;
	struct tranche_object *obj;
	int ret;

	obj = tranche_object_new(session->tdev, session,
				 TRANCHE_EVENT_BLOCK_SIZE,
				 DRM_TRANCHE_GEM_SERVICE, TRANCHE_EVENTS);
	if (IS_ERR(obj))
		return PTR_ERR(obj);
	req->object[0] = obj;
	kref_get(&ctx->ref);
	req->context = ctx;
	req->done = event_block_added;
	ret = tranche_object_grant(obj);
	if (ret)
		return ret;
	req->body.event_block = (struct trnc_event_block_add){
		.context = cpu_to_le32(ctx->id),
		.block = cpu_to_le32(ctx->nr_blocks),
		.offset = cpu_to_le64(tranche_object_offset(obj)),
		.control_seq = cpu_to_le64(obj->control_seq),
	};
	return 0;
}

static int event_block_add(struct tranche_context *ctx, u64 *ret_mmap_offset)
{
	struct tranche_session *session = ctx->session;
	struct tranche_request *req =
		tranche_request_new(session->tdev, TRNC_MSG_EVENT_BLOCK_ADD);
	int ret = req ? event_block_prepare(ctx, req) : -ENOMEM;

	if (!ret) {
		*ret_mmap_offset = drm_vma_node_offset_addr(
			&req->object[0]->base.vma_node);
		ret = tranche_request_call(req, session);
	} else {
		event_block_end(ctx, NULL);
	}
	tranche_request_put(req);
	return ret;
}

int tranche_event_block_add(struct drm_device *drm, void *data,
			    struct drm_file *file)
{
	struct drm_tranche_event_block_add *args = data;
	struct tranche_context *ctx;
	int ret;

	ctx = tranche_context_get_live(file, args->context);
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	ret = event_block_begin(ctx, args->block);
	if (!ret)
		ret = event_block_add(ctx, &args->mmap_offset);
	tranche_context_put(ctx);
	return ret;
}

static void output_set(struct tranche_request *req)
{
	struct tranche_session *session = req->session;
	struct tranche_object *old = NULL;

	if (req->status)
		return;
	mutex_lock(&session->lock);
	if (!session->ended) {
		old = session->output;
		session->output = req->object[0];
		tranche_object_get(session->output);
	}
	mutex_unlock(&session->lock);
	tranche_object_put(old);
}

int tranche_output_set(struct drm_device *drm, void *data,
		       struct drm_file *file)
{
	struct tranche_session *session = tranche_session_of(file);
	struct drm_tranche_output_set *args = data;
	struct tranche_request *req;
	struct tranche_object *obj;
	int ret;

	if (IS_ERR(session))
		return PTR_ERR(session);
	ret = tranche_object_lookup(file, args->handle, 0, 0, &obj);
	if (ret)
		return ret;
	req = tranche_request_new(session->tdev, TRNC_MSG_OUTPUT_SET);
	if (!req || !tranche_output_ok(args->data_len, obj->base.size)) {
		tranche_request_put(req);
		tranche_object_put(obj);
		return req ? -EINVAL : -ENOMEM;
	}
	req->body.output = (struct trnc_output_set){
		.offset = cpu_to_le64(tranche_object_offset(obj)),
		.data_len = cpu_to_le32(args->data_len),
		.control_seq = cpu_to_le64(obj->control_seq),
	};
	req->object[0] = obj;
	req->done = output_set;
	ret = tranche_request_call(req, session);
	tranche_request_put(req);
	return ret;
}

/* A request about a program of a live context; objects are put with it. */
static struct tranche_request *program_request(struct drm_file *file, u32 type,
					       u32 context, u32 handle,
					       u64 offset, u64 cap)
{
	struct tranche_context *ctx = tranche_context_get_live(file, context);
	struct tranche_request *req;
	int ret = -EINVAL;

	if (IS_ERR(ctx))
		return ERR_CAST(ctx);
	req = tranche_request_new(ctx->session->tdev, type);
	if (!req) {
		tranche_context_put(ctx);
		return ERR_PTR(-ENOMEM);
	}
	req->context = ctx;
	if (cap <= TRNC_MAX_BLOB)
		ret = tranche_object_lookup(file, handle, offset, cap,
					    &req->object[0]);
	if (ret) {
		tranche_request_put(req);
		return ERR_PTR(ret);
	}
	return req;
}

static int program_call(struct drm_file *file, struct tranche_request *req,
			u64 *ret_len)
{
	int ret = tranche_request_call(req, file->driver_priv);

	*ret_len = le64_to_cpu(req->reply.blob.len);
	tranche_request_put(req);
	return ret;
}

int tranche_program_build(struct drm_device *drm, void *data,
			  struct drm_file *file)
{
	struct drm_tranche_program_build *args = data;
	struct tranche_object *in, *out;
	struct tranche_request *req;
	int ret = -EINVAL;

	if (args->pad)
		return -EINVAL;
	req = program_request(file, TRNC_MSG_PROGRAM_BUILD, args->context,
			      args->reply_handle, args->reply_offset,
			      args->reply_cap);
	if (IS_ERR(req))
		return PTR_ERR(req);
	if (args->request_len <= TRNC_MAX_BLOB)
		ret = tranche_object_lookup(file, args->request_handle,
					    args->request_offset,
					    args->request_len,
					    &req->object[1]);
	if (ret) {
		tranche_request_put(req);
		return ret;
	}
	out = req->object[0];
	in = req->object[1];
	req->body.build = (struct trnc_program_build){
		.context = cpu_to_le32(args->context),
		.program = cpu_to_le64(args->program),
		.request = cpu_to_le64(tranche_object_offset(in) +
				       args->request_offset),
		.request_len = cpu_to_le64(args->request_len),
		.reply = cpu_to_le64(tranche_object_offset(out) +
				     args->reply_offset),
		.reply_cap = cpu_to_le64(args->reply_cap),
		.control_seq = cpu_to_le64(max(in->control_seq,
					       out->control_seq)),
	};
	return program_call(file, req, &args->reply_len);
}

int tranche_program_query(struct drm_device *drm, void *data,
			  struct drm_file *file)
{
	struct drm_tranche_program_query *args = data;
	struct tranche_request *req;

	if (args->pad)
		return -EINVAL;
	req = program_request(file, TRNC_MSG_PROGRAM_QUERY, args->context,
			      args->reply_handle, args->reply_offset,
			      args->reply_cap);
	if (IS_ERR(req))
		return PTR_ERR(req);
	req->body.query = (struct trnc_program_query){
		.context = cpu_to_le32(args->context),
		.what = cpu_to_le32(args->what),
		.program = cpu_to_le64(args->program),
		.reply = cpu_to_le64(tranche_object_offset(req->object[0]) +
				     args->reply_offset),
		.reply_cap = cpu_to_le64(args->reply_cap),
		.control_seq = cpu_to_le64(req->object[0]->control_seq),
	};
	return program_call(file, req, &args->reply_len);
}
