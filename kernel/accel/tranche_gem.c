// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of the device as GEM objects: ranges of a session's window, or of the shared window
 * for those that may be exported. The host grants and charges them. A free has two phases:
 * a range is used again only when the host has answered SEGMENT_DESTROY. A lost or closing
 * session sends none: its whole window comes back with SESSION_CLOSE.
 */
#include <linux/slab.h>

#include <drm/drm_vma_manager.h>

#include "tranche_drv.h"

/* An object of the shared window in a session. */
struct tranche_attach {
	struct kref ref; /* of the session's table, and of requests */
	struct tranche_object *obj; /* counted */
	enum { ATTACH_PENDING, ATTACH_DONE, ATTACH_GOING } state; /* session's lock */
	u64 control_seq;
	bool closed; /* its handle went while it was PENDING; likewise */
	u32 hint; /* as in struct tranche_object, of this session; likewise */
	u64 hint_pos;
	struct tranche_request *detach; /* made early, so that it cannot fail */
};

void tranche_object_put(struct tranche_object *obj)
{
	if (!IS_ERR_OR_NULL(obj))
		drm_gem_object_put(&obj->base);
}

bool tranche_object_is_lost(struct tranche_object *obj)
{
	return obj->session ? READ_ONCE(obj->session->lost) :
			      obj->epoch != READ_ONCE(to_tranche(obj->base.dev)->epoch);
}

/* As records and messages name it. */
u64 tranche_object_offset(struct tranche_object *obj)
{
	return obj->node.start + (obj->session ? 0 : TRNC_SHARED_WINDOW);
}

static void object_release(struct tranche_object *obj)
{
	struct tranche_session *session = obj->session;

	scoped_guard(mutex, session ? &session->lock : &to_tranche(obj->base.dev)->lock) {
		if (drm_mm_node_allocated(&obj->node))
			drm_mm_remove_node(&obj->node);
		if (session) {
			session->nr_objects--;
			session->bytes[obj->kind] -= obj->is_granted ? obj->base.size : 0;
		}
	}
	if (obj->dummy[0])
		__free_page(obj->dummy[0]);
	if (obj->dummy[1])
		__free_page(obj->dummy[1]);
	tranche_request_put(obj->destroy);
	tranche_session_put(session);
	kfree(obj);
}

static void object_destroyed(struct tranche_request *req)
{
	object_release(req->owner);
}

static void request_name_shared(struct tranche_request *req, struct tranche_object *obj)
{
	req->epoch = obj->epoch;
	req->body.shared.offset = cpu_to_le64(obj->node.start);
	req->body.shared.size = cpu_to_le64(obj->base.size);
}

static void request_name_destroyed(struct tranche_request *req, struct tranche_object *obj,
				   u32 hint, u64 hint_pos)
{
	req->body.segment_destroy.offset = cpu_to_le64(tranche_object_offset(obj));
	req->body.segment_destroy.context = cpu_to_le32(hint);
	req->body.segment_destroy.after_pos = cpu_to_le64(hint_pos);
}

/* No handle, mapping, dma-buf or request has it any more. */
static void object_free(struct drm_gem_object *gem)
{
	struct tranche_object *obj = to_object(gem);

	drm_gem_object_release(gem);
	if (!obj->is_granted) {
		object_release(obj);
		return;
	}
	if (obj->session)
		request_name_destroyed(obj->destroy, obj, obj->hint, obj->hint_pos);
	else
		request_name_shared(obj->destroy, obj);
	obj->destroy->owner = obj;
	obj->destroy->done = object_destroyed;
	tranche_request_submit(obj->destroy, obj->session);
}

static int object_place_in(struct tranche_object *obj, struct drm_mm *mm)
{
	u64 size = obj->base.size;

	/* Large ones so that large pages can map them. */
	if (!drm_mm_initialized(mm) ||
	    drm_mm_insert_node_generic(mm, &obj->node, size, size < SZ_2M ? TRNC_PAGE : SZ_2M, 0,
				       DRM_MM_INSERT_BEST))
		return -ENOMEM;
	return 0;
}

static int object_place(struct tranche_object *obj, struct tranche_session *session)
{
	struct tranche_device *tdev = to_tranche(obj->base.dev);
	int ret;

	if (!session) {
		guard(mutex)(&tdev->lock);
		/* Stopped, it has no node in the window: see tranche_device_stop(). */
		if (READ_ONCE(tdev->control.error))
			return -ESHUTDOWN;
		obj->epoch = tdev->epoch;
		ret = object_place_in(obj, &tdev->shared);
		obj->aperture_offset = tdev->layout.shared_offset + obj->node.start;
		return ret;
	}
	guard(mutex)(&session->lock);
	if (session->nr_objects >= TRNC_MAX_SEGMENTS)
		return -EUSERS;
	ret = object_place_in(obj, &session->mm);
	if (ret)
		return ret;
	session->nr_objects++;
	kref_get(&session->ref);
	obj->session = session;
	obj->aperture_offset = session->window_start + obj->node.start;
	return 0;
}

static void object_granted(struct tranche_request *req)
{
	struct tranche_object *obj = req->object[0];

	if (req->status)
		return;
	obj->control_seq = le64_to_cpu(req->reply.segment.control_seq);
	obj->used = le64_to_cpu(req->reply.segment.used);
	obj->is_granted = true;
	if (!obj->session)
		return;
	guard(mutex)(&obj->session->lock);
	obj->session->bytes[obj->kind] += obj->base.size;
}

/* Killed: the request keeps the object until the host has answered. */
static int object_grant(struct tranche_object *obj)
{
	struct tranche_request *req __free(tranche_request) =
		tranche_request_new(to_tranche(obj->base.dev),
				    obj->session ? TRNC_MSG_SEGMENT_CREATE :
						   TRNC_MSG_SHARED_CREATE);

	if (!req)
		return -ENOMEM;
	if (obj->session) {
		req->body.segment_create.offset = cpu_to_le64(obj->node.start);
		req->body.segment_create.size = cpu_to_le64(obj->base.size);
		req->body.segment_create.kind = cpu_to_le32(obj->kind);
	} else {
		request_name_shared(req, obj);
	}
	drm_gem_object_get(&obj->base);
	req->object[0] = obj;
	req->done = object_granted;
	return tranche_request_call(req, obj->session);
}

/* Granted, and without a handle. Without a session: in the shared window. */
struct tranche_object *tranche_object_new(struct tranche_device *tdev,
					  struct tranche_session *session, u64 size, u32 kind,
					  enum tranche_shape shape)
{
	u32 type = session ? TRNC_MSG_SEGMENT_DESTROY : TRNC_MSG_SHARED_DESTROY;
	struct tranche_object *obj;
	int ret;

	/* No window is larger; so no size is cut when it becomes a size_t. */
	if (size > tdev->aperture_size)
		return ERR_PTR(-ENOMEM);
	obj = kzalloc(sizeof(*obj), GFP_KERNEL_ACCOUNT);
	if (!obj)
		return ERR_PTR(-ENOMEM);
	obj->kind = kind;
	obj->shape = shape;
	obj->base.funcs = &tranche_gem_funcs;
	drm_gem_private_object_init(&tdev->drm, &obj->base, size);
	obj->destroy = tranche_request_new(tdev, type);
	ret = obj->destroy ? object_place(obj, session) : -ENOMEM;
	ret = ret ?: drm_gem_create_mmap_offset(&obj->base) ?: object_grant(obj);
	if (ret) {
		tranche_object_put(obj);
		return ERR_PTR(ret);
	}
	return obj;
}

/* A service object of the session's own, and a range of it that is used. */
int tranche_object_lookup(struct drm_file *file, u32 handle, u64 offset, u64 len,
			  struct tranche_object **ret_obj)
{
	struct drm_gem_object *gem = drm_gem_object_lookup(file, handle);
	struct tranche_object *obj __free(tranche_object) = gem ? to_object(gem) : NULL;

	if (!obj)
		return -ENOENT;
	if (obj->session != file->driver_priv || obj->kind != DRM_TRANCHE_GEM_SERVICE ||
	    !tranche_range_ok(offset, len, gem->size))
		return -EINVAL;
	*ret_obj = no_free_ptr(obj);
	return 0;
}

/* ------------------------------------------------------------------ the shared window */

static void attach_release(struct kref *ref)
{
	struct tranche_attach *attach = container_of(ref, struct tranche_attach, ref);

	tranche_object_put(attach->obj);
	tranche_request_put(attach->detach);
	kfree(attach);
}

static unsigned long attach_key(struct tranche_object *obj)
{
	return obj->node.start >> PAGE_SHIFT;
}

/* One from before a reset may have another object's place. */
static struct tranche_attach *attach_find(struct tranche_session *session,
					  struct tranche_object *obj)
{
	struct tranche_attach *attach = xa_load(&session->attached, attach_key(obj));

	lockdep_assert_held(&session->lock);
	return attach && attach->obj == obj ? attach : NULL;
}

/* The answer to a request about it; @gone: it leaves the session's table. */
static void attach_answered(struct tranche_request *req, bool gone)
{
	struct tranche_session *session = req->session;
	struct tranche_attach *attach = req->owner;
	unsigned long key = attach_key(attach->obj);

	scoped_guard(mutex, &session->lock) {
		gone = gone && xa_load(&session->attached, key) == attach;
		if (gone) {
			xa_erase(&session->attached, key);
			session->bytes[0] -= attach->obj->base.size;
		}
	}
	if (gone)
		kref_put(&attach->ref, attach_release);
	kref_put(&attach->ref, attach_release);
}

/* Refused, it stays until the session is closed. */
static void attach_detached(struct tranche_request *req)
{
	attach_answered(req, !req->status);
}

/* The session's last handle to the object has gone. Those of its own window are not attached. */
static void session_detach(struct tranche_session *session, struct tranche_object *obj)
{
	struct tranche_attach *attach;

	scoped_guard(mutex, &session->lock) {
		attach = attach_find(session, obj);
		if (!attach || session->lost || session->closing)
			return;
		attach->closed = true;
		if (attach->state != ATTACH_DONE)
			return;
		attach->state = ATTACH_GOING;
		kref_get(&attach->ref);
	}
	request_name_destroyed(attach->detach, obj, attach->hint, attach->hint_pos);
	attach->detach->owner = attach;
	attach->detach->done = attach_detached;
	tranche_request_submit(attach->detach, session);
}

static void attach_attached(struct tranche_request *req)
{
	struct tranche_attach *attach = req->owner;

	if (!req->status) {
		guard(mutex)(&req->session->lock);
		attach->control_seq = le64_to_cpu(req->reply.segment.control_seq);
		attach->state = ATTACH_DONE;
	}
	if (!req->status && (req->abandoned || READ_ONCE(attach->closed)))
		session_detach(req->session, attach->obj);
	attach_answered(req, req->status);
}

static int session_attach_new(struct tranche_session *session, struct tranche_object *obj)
{
	struct tranche_request *req __free(tranche_request) =
		tranche_request_new(session->tdev, TRNC_MSG_SHARED_ATTACH);
	struct tranche_attach *attach = kzalloc(sizeof(*attach), GFP_KERNEL_ACCOUNT);
	int ret = -ENOMEM;

	if (!attach || !req) {
		kfree(attach);
		return -ENOMEM;
	}
	kref_init(&attach->ref);
	drm_gem_object_get(&obj->base);
	attach->obj = obj;
	attach->detach = tranche_request_new(session->tdev, TRNC_MSG_SHARED_DETACH);
	scoped_guard(mutex, &session->lock) {
		if (attach->detach)
			ret = xa_insert(&session->attached, attach_key(obj), attach, GFP_KERNEL);
		if (!ret)
			session->bytes[0] += obj->base.size;
	}
	if (ret) {
		kref_put(&attach->ref, attach_release);
		return ret;
	}
	request_name_shared(req, obj);
	kref_get(&attach->ref);
	req->owner = attach;
	req->done = attach_attached;
	return tranche_request_call(req, session);
}

/* Makes the object one of the session's, if it is not yet. */
static int session_attach(struct tranche_session *session, struct tranche_object *obj,
			  u64 *ret_seq)
{
	struct tranche_attach *attach;
	int ret = 0;

	if (tranche_object_is_lost(obj))
		return -ESHUTDOWN;
	scoped_cond_guard(mutex_intr, return -ERESTARTSYS, &session->attach_lock) {
		struct tranche_request *going __free(tranche_request) = NULL;

		scoped_guard(mutex, &session->lock) {
			attach = attach_find(session, obj);
			if (attach && attach->state == ATTACH_GOING) {
				going = attach->detach;
				kref_get(&going->ref);
			}
		}
		if (going)
			ret = tranche_request_wait(going);
		if (!ret && (!attach || going))
			ret = session_attach_new(session, obj);
	}
	guard(mutex)(&session->lock);
	attach = attach_find(session, obj);
	if (!ret && (!attach || attach->state == ATTACH_PENDING))
		return -EBUSY;
	*ret_seq = attach ? attach->control_seq : 0;
	return ret;
}

/* The session is closed: nobody can reach anything by it. */
void tranche_session_detach_all(struct tranche_session *session)
{
	struct tranche_attach *attach;
	unsigned long key;

	/* The file is gone: nobody else adds any, and answers look for theirs. */
	xa_for_each(&session->attached, key, attach) {
		scoped_guard(mutex, &session->lock)
			attach = xa_erase(&session->attached, key);
		if (attach)
			kref_put(&attach->ref, attach_release);
	}
}

/* ------------------------------------------------------------------------ GEM's calls */

static void object_close(struct drm_gem_object *gem, struct drm_file *file)
{
	session_detach(file->driver_priv, to_object(gem));
}

static struct dma_buf *object_export(struct drm_gem_object *gem, int flags)
{
	return to_object(gem)->session ? ERR_PTR(-EPERM) : drm_gem_prime_export(gem, flags);
}

/*
 * No get_sg_table: other drivers cannot attach to its dma-bufs, and theirs are not taken,
 * since the device reaches no memory but its own.
 */
const struct drm_gem_object_funcs tranche_gem_funcs = {
	.free = object_free,
	.close = object_close,
	.export = object_export,
	.mmap = tranche_object_mmap,
};

int tranche_gem_create(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct tranche_object *obj __free(tranche_object) = NULL;
	struct tranche_session *session = tranche_session_of(file);
	struct drm_tranche_gem_create *args = data;
	bool shared = args->flags & DRM_TRANCHE_GEM_EXPORTABLE;
	int ret = 0;

	if (IS_ERR(session))
		return PTR_ERR(session);
	if (!tranche_size_ok(args->size, U64_MAX) || args->pad ||
	    args->flags & ~DRM_TRANCHE_GEM_EXPORTABLE ||
	    (args->kind != DRM_TRANCHE_GEM_BUFFER &&
	     (shared || args->kind != DRM_TRANCHE_GEM_SERVICE)))
		return -EINVAL;
	if (shared && !session->sharing)
		return -EPERM;
	obj = tranche_object_new(session->tdev, shared ? NULL : session, args->size, args->kind,
				 TRANCHE_PLAIN);
	if (IS_ERR(obj))
		return PTR_ERR(obj);
	args->control_seq = obj->control_seq;
	if (shared)
		ret = session_attach(session, obj, &args->control_seq);
	if (ret)
		return ret;
	args->offset = tranche_object_offset(obj);
	args->mmap_offset = drm_vma_node_offset_addr(&obj->base.vma_node);
	args->used = obj->used;
	ret = drm_gem_handle_create(file, &obj->base, &args->handle);
	if (ret && shared)
		session_detach(session, obj);
	return ret;
}

/* Of an object that others have, too, each session may say something else. */
static void object_hint(struct tranche_session *session, struct tranche_object *obj, u32 context,
			u64 pos)
{
	struct tranche_attach *attach;

	guard(mutex)(&session->lock);
	attach = obj->session ? NULL : attach_find(session, obj);
	*(attach ? &attach->hint : &obj->hint) = context;
	*(attach ? &attach->hint_pos : &obj->hint_pos) = pos;
}

int tranche_gem_destroy(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_tranche_gem_destroy *args = data;
	struct drm_gem_object *gem;

	if (args->context > TRNC_MAX_CONTEXTS)
		return -EINVAL;
	gem = drm_gem_object_lookup(file, args->handle);
	if (!gem)
		return -ENOENT;
	object_hint(file->driver_priv, to_object(gem), args->context, args->after_pos);
	drm_gem_object_put(gem);
	return drm_gem_handle_delete(file, args->handle);
}

int tranche_gem_info(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct tranche_session *session = tranche_session_of(file);
	struct drm_tranche_gem_info *args = data;
	struct drm_gem_object *gem = drm_gem_object_lookup(file, args->handle);
	struct tranche_object *obj __free(tranche_object) = gem ? to_object(gem) : NULL;

	if (IS_ERR(session))
		return PTR_ERR(session);
	if (!obj)
		return -ENOENT;
	args->kind = obj->kind;
	args->size = gem->size;
	args->offset = tranche_object_offset(obj);
	args->mmap_offset = drm_vma_node_offset_addr(&gem->vma_node);
	args->control_seq = obj->control_seq;
	if (obj->session)
		return 0;
	return session->sharing ? session_attach(session, obj, &args->control_seq) : -EPERM;
}
