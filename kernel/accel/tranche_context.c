// SPDX-License-Identifier: GPL-2.0-only
/*
 * Contexts and their channels, and what else is asked of the host for them: event blocks, the
 * ring of text, programs. The channel is an object without a handle, parts of which user
 * space may map.
 */
#include <linux/nospec.h>
#include <linux/slab.h>

#include <drm/drm_vma_manager.h>

#include "tranche_drv.h"

struct tranche_context *tranche_context_get(struct tranche_session *session, u32 id)
{
	struct tranche_context *ctx;

	if (!id || id > TRNC_MAX_CONTEXTS)
		return NULL;
	guard(rcu)();
	ctx = rcu_dereference(session->contexts[array_index_nospec(id - 1, TRNC_MAX_CONTEXTS)]);
	return ctx && kref_get_unless_zero(&ctx->ref) ? ctx : NULL;
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
	struct tranche_context *ctx = container_of(ref, struct tranche_context, ref);

	tranche_context_prune(ctx, true);
	tranche_request_put(ctx->destroy);
	kfree_rcu(ctx, rcu);
}

void tranche_context_put(struct tranche_context *ctx)
{
	if (!IS_ERR_OR_NULL(ctx))
		kref_put(&ctx->ref, context_release);
}

static bool context_is_listed(struct tranche_context *ctx)
{
	lockdep_assert_held(&ctx->session->lock);
	return rcu_access_pointer(ctx->session->contexts[ctx->id - 1]) == ctx;
}

/* Takes it out of the table, once. Its number is free, its memory goes. */
void tranche_context_drop(struct tranche_context *ctx)
{
	struct tranche_session *session = ctx->session;
	struct tranche_object *obj, *next;

	scoped_guard(mutex, &session->lock) {
		if (!context_is_listed(ctx))
			return;
		RCU_INIT_POINTER(session->contexts[ctx->id - 1], NULL);
		WRITE_ONCE(ctx->is_live, false);
		if (!session->lost)
			session->commands += le64_to_cpu(READ_ONCE(ctx->host->commands));
	}
	tranche_context_wake(ctx);
	/* Nobody adds to it any more. */
	list_for_each_entry_safe(obj, next, &ctx->blocks, link)
		tranche_object_put(obj);
	tranche_context_put(ctx);
}

/* Refused, it stays the host's, and keeps its number, until the file is closed. */
static void context_destroyed(struct tranche_request *req)
{
	if (!req->status)
		tranche_context_drop(req->context);
}

/* Once: who comes later gets ENOENT. */
static int context_end(struct tranche_context *ctx)
{
	struct tranche_request *req = ctx->destroy;

	scoped_guard(mutex, &ctx->session->lock) {
		if (!ctx->is_live)
			return -ENOENT;
		WRITE_ONCE(ctx->is_live, false);
	}
	tranche_context_wake(ctx);
	req->body.context_destroy.context = cpu_to_le32(ctx->id);
	kref_get(&ctx->ref);
	req->context = ctx;
	req->done = context_destroyed;
	tranche_request_submit(req, ctx->session);
	return 0;
}

static void context_created(struct tranche_request *req)
{
	struct tranche_context *ctx = req->context;

	if (req->status) {
		tranche_context_drop(ctx);
		return;
	}
	scoped_guard(mutex, &ctx->session->lock)
		WRITE_ONCE(ctx->is_live, context_is_listed(ctx));
	if (req->abandoned)
		context_end(ctx);
}

/* Gives it a number, if there is one; its reference becomes the table's. */
static bool context_list(struct tranche_context *ctx)
{
	struct tranche_session *session = ctx->session;
	int i;

	guard(mutex)(&session->lock);
	for (i = 0; i < TRNC_MAX_CONTEXTS; i++)
		if (!rcu_access_pointer(session->contexts[i]))
			break;
	if (i == TRNC_MAX_CONTEXTS)
		return false;
	ctx->id = i + 1;
	rcu_assign_pointer(session->contexts[i], ctx);
	return true;
}

/* With the request that tells the host of it. */
static struct tranche_context *context_new(struct tranche_session *session,
					   struct tranche_object *channel,
					   struct tranche_request *req)
{
	void *at = session->tdev->aperture + channel->aperture_offset;
	struct tranche_context *ctx = kzalloc(sizeof(*ctx), GFP_KERNEL_ACCOUNT);

	if (!ctx)
		return ERR_PTR(-ENOMEM);
	kref_init(&ctx->ref);
	ctx->session = session;
	ctx->user = at + TRNC_CHANNEL_USER;
	ctx->host = at + TRNC_CHANNEL_HOST;
	ctx->kernel = at + TRNC_CHANNEL_KERNEL;
	ctx->nr_blocks = 1;
	INIT_LIST_HEAD(&ctx->blocks);
	spin_lock_init(&ctx->lock);
	INIT_LIST_HEAD(&ctx->waiters);
	init_waitqueue_head(&ctx->queue);
	kref_get(&ctx->ref);
	req->context = ctx;
	req->done = context_created;
	ctx->destroy = tranche_request_new(session->tdev, TRNC_MSG_CONTEXT_DESTROY);
	if (!ctx->destroy || !context_list(ctx)) {
		int ret = ctx->destroy ? -EUSERS : -ENOMEM;

		tranche_context_put(ctx);
		return ERR_PTR(ret);
	}
	drm_gem_object_get(&channel->base);
	list_add_tail(&channel->link, &ctx->blocks);
	return ctx;
}

int tranche_context_create(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct tranche_request *req __free(tranche_request) = NULL;
	struct tranche_object *channel __free(tranche_object) = NULL;
	struct tranche_session *session = tranche_session_of(file);
	struct drm_tranche_context_create *args = data;
	struct tranche_context *ctx;

	if (IS_ERR(session))
		return PTR_ERR(session);
	if (!tranche_ring_len_ok(args->ring_len))
		return -EINVAL;
	req = tranche_request_new(session->tdev, TRNC_MSG_CONTEXT_CREATE);
	if (!req)
		return -ENOMEM;
	channel = tranche_object_new(session->tdev, session, tranche_channel_size(args->ring_len),
				     DRM_TRANCHE_GEM_SERVICE, TRANCHE_CHANNEL);
	if (IS_ERR(channel))
		return PTR_ERR(channel);
	args->mmap_offset = drm_vma_node_offset_addr(&channel->base.vma_node);
	args->control_seq = channel->control_seq;
	ctx = context_new(session, channel, req);
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	args->context = ctx->id;
	req->body.context_create.context = cpu_to_le32(ctx->id);
	req->body.context_create.channel = cpu_to_le64(channel->node.start);
	req->body.context_create.ring_len = cpu_to_le32(args->ring_len);
	req->body.context_create.control_seq = cpu_to_le64(channel->control_seq);
	return tranche_request_call(req, session);
}

int tranche_context_destroy(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_tranche_context_destroy *args = data;
	struct tranche_context *ctx __free(tranche_context) =
		tranche_context_get_live(file, args->context);

	if (args->pad)
		return -EINVAL;
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	return context_end(ctx) ?: tranche_request_wait(ctx->destroy);
}

/* With the new block if the host has it. */
static void event_block_end(struct tranche_context *ctx, struct tranche_object *obj)
{
	guard(mutex)(&ctx->session->lock);
	ctx->adding = false;
	if (!obj || !context_is_listed(ctx))
		return;
	drm_gem_object_get(&obj->base);
	list_add_tail(&obj->link, &ctx->blocks);
	ctx->nr_blocks++;
}

static void event_block_added(struct tranche_request *req)
{
	event_block_end(req->context, req->status ? NULL : req->object[0]);
}

/* Only one thread adds at a time. */
static int event_block_begin(struct tranche_context *ctx, u32 block)
{
	guard(mutex)(&ctx->session->lock);
	if (block != ctx->nr_blocks || block >= TRNC_MAX_EVENT_BLOCKS)
		return -EINVAL;
	if (ctx->adding)
		return -EBUSY;
	ctx->adding = true;
	return 0;
}

static int event_block_call(struct tranche_context *ctx,
			    struct drm_tranche_event_block_add *args)
{
	struct tranche_session *session = ctx->session;
	struct tranche_request *req __free(tranche_request) =
		tranche_request_new(session->tdev, TRNC_MSG_EVENT_BLOCK_ADD);
	struct tranche_object *obj =
		tranche_object_new(session->tdev, session, TRANCHE_EVENT_BLOCK_SIZE,
				   DRM_TRANCHE_GEM_SERVICE, TRANCHE_EVENTS);

	if (!req || IS_ERR(obj)) {
		event_block_end(ctx, NULL);
		tranche_object_put(obj);
		return req ? PTR_ERR(obj) : -ENOMEM;
	}
	args->mmap_offset = drm_vma_node_offset_addr(&obj->base.vma_node);
	req->body.event_block.context = cpu_to_le32(ctx->id);
	req->body.event_block.block = cpu_to_le32(args->block);
	req->body.event_block.offset = cpu_to_le64(obj->node.start);
	req->body.event_block.control_seq = cpu_to_le64(obj->control_seq);
	kref_get(&ctx->ref);
	req->context = ctx;
	req->object[0] = obj;
	req->done = event_block_added;
	return tranche_request_call(req, session);
}

int tranche_event_block_add(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_tranche_event_block_add *args = data;
	struct tranche_context *ctx __free(tranche_context) =
		tranche_context_get_live(file, args->context);

	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	return event_block_begin(ctx, args->block) ?: event_block_call(ctx, args);
}

static void output_set(struct tranche_request *req)
{
	struct tranche_session *session = req->session;

	if (req->status)
		return;
	/* The one that was set before is put with the request. */
	guard(mutex)(&session->lock);
	if (!session->ended)
		swap(session->output, req->object[0]);
}

int tranche_output_set(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct tranche_session *session = tranche_session_of(file);
	struct drm_tranche_output_set *args = data;
	struct tranche_request *req __free(tranche_request) = NULL;
	struct tranche_object *obj;
	int ret;

	if (IS_ERR(session))
		return PTR_ERR(session);
	req = tranche_request_new(session->tdev, TRNC_MSG_OUTPUT_SET);
	if (!req)
		return -ENOMEM;
	ret = tranche_object_lookup(file, args->handle, 0, 0, &req->object[0]);
	if (ret)
		return ret;
	obj = req->object[0];
	if (!tranche_output_ok(args->data_len, obj->base.size))
		return -EINVAL;
	req->body.output.offset = cpu_to_le64(obj->node.start);
	req->body.output.data_len = cpu_to_le32(args->data_len);
	req->body.output.control_seq = cpu_to_le64(obj->control_seq);
	req->done = output_set;
	return tranche_request_call(req, session);
}

/* A request about a program of a live context, which has the objects while it lasts. */
static struct tranche_request *program_request(struct drm_file *file, u32 type, u32 context)
{
	struct tranche_context *ctx __free(tranche_context) =
		tranche_context_get_live(file, context);
	struct tranche_request *req;

	if (IS_ERR(ctx))
		return ERR_CAST(ctx);
	req = tranche_request_new(ctx->session->tdev, type);
	if (!req)
		return ERR_PTR(-ENOMEM);
	req->context = no_free_ptr(ctx);
	return req;
}

/* Where a blob lies: its object joins the request. */
static int program_blob(struct drm_file *file, struct tranche_request *req, int i, u32 handle,
			u64 offset, u64 len, __le64 *ret_at)
{
	int ret = len > TRNC_MAX_BLOB ? -EINVAL :
		  tranche_object_lookup(file, handle, offset, len, &req->object[i]);

	if (!ret)
		*ret_at = cpu_to_le64(req->object[i]->node.start + offset);
	return ret;
}

int tranche_program_build(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_tranche_program_build *args = data;
	struct tranche_request *req __free(tranche_request) =
		program_request(file, TRNC_MSG_PROGRAM_BUILD, args->context);
	struct trnc_program_build *body;
	int ret;

	if (args->pad)
		return -EINVAL;
	if (IS_ERR(req))
		return PTR_ERR(req);
	body = &req->body.build;
	ret = program_blob(file, req, 0, args->reply_handle, args->reply_offset, args->reply_cap,
			   &body->reply) ?:
	      program_blob(file, req, 1, args->request_handle, args->request_offset,
			   args->request_len, &body->request);
	if (ret)
		return ret;
	body->context = cpu_to_le32(args->context);
	body->program = cpu_to_le64(args->program);
	body->request_len = cpu_to_le64(args->request_len);
	body->reply_cap = cpu_to_le64(args->reply_cap);
	body->control_seq = cpu_to_le64(max(req->object[0]->control_seq,
					    req->object[1]->control_seq));
	ret = tranche_request_call(req, file->driver_priv);
	args->reply_len = ret ? 0 : le64_to_cpu(req->reply.blob.len);
	return ret;
}

int tranche_program_query(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_tranche_program_query *args = data;
	struct tranche_request *req __free(tranche_request) =
		program_request(file, TRNC_MSG_PROGRAM_QUERY, args->context);
	struct trnc_program_query *body;
	int ret;

	if (args->pad)
		return -EINVAL;
	if (IS_ERR(req))
		return PTR_ERR(req);
	body = &req->body.query;
	ret = program_blob(file, req, 0, args->reply_handle, args->reply_offset, args->reply_cap,
			   &body->reply);
	if (ret)
		return ret;
	body->context = cpu_to_le32(args->context);
	body->what = cpu_to_le32(args->what);
	body->program = cpu_to_le64(args->program);
	body->reply_cap = cpu_to_le64(args->reply_cap);
	body->control_seq = cpu_to_le64(req->object[0]->control_seq);
	ret = tranche_request_call(req, file->driver_priv);
	args->reply_len = ret ? 0 : le64_to_cpu(req->reply.blob.len);
	return ret;
}
