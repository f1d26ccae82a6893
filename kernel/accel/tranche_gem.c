// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of the device as GEM objects: ranges of a session's window, or of the
 * shared window for those that may be exported. The host grants and charges
 * them; a free has two phases, so a range is used again only when the host has
 * answered SEGMENT_DESTROY. A lost or closing session sends none: its whole
 * window comes back with SESSION_CLOSE.
 */
#include <linux/slab.h>

#include <drm/drm_vma_manager.h>

#include "tranche_drv.h"

/**
 * struct tranche_attach - an object of the shared window in a session
 * @ref: of the session's table, and of each request under way
 * @obj: counted
 * @state: under the session's lock
 * @control_seq: the host's answer
 * @hint: as in &struct tranche_object
 * @hint_pos: likewise
 * @detach: ready so that it cannot fail
 */
struct tranche_attach {
	struct kref ref;
	struct tranche_object *obj;
	enum { ATTACH_PENDING, ATTACH_DONE, ATTACH_GOING } state;
	u64 control_seq;
	u32 hint;
	u64 hint_pos;
	struct tranche_request *detach;
};

static struct tranche_device *object_device(struct tranche_object *obj)
{
	return to_tranche(obj->base.dev);
}

void tranche_object_get(struct tranche_object *obj)
{
	drm_gem_object_get(&obj->base);
}

void tranche_object_put(struct tranche_object *obj)
{
	if (obj)
		drm_gem_object_put(&obj->base);
}

bool tranche_object_is_lost(struct tranche_object *obj)
{
	return obj->session ? READ_ONCE(obj->session->lost) :
			      obj->epoch != READ_ONCE(object_device(obj)->epoch);
}

/* As records and messages name it. */
u64 tranche_object_offset(struct tranche_object *obj)
{
	return obj->session ? obj->node.start :
			      TRNC_SHARED_WINDOW + obj->node.start;
}

static void object_release(struct tranche_object *obj)
{
	struct tranche_session *session = obj->session;
	struct tranche_device *tdev = object_device(obj);
	struct mutex *lock = session ? &session->lock : &tdev->lock;
	int i;

	mutex_lock(lock);
	if (drm_mm_node_allocated(&obj->node)) {
		drm_mm_remove_node(&obj->node);
		if (session)
			session->nr_objects--;
	}
	if (session && obj->is_granted)
		session->bytes[obj->kind] -= obj->base.size;
	mutex_unlock(lock);
	for (i = 0; i < ARRAY_SIZE(obj->dummy); i++)
		if (obj->dummy[i])
			__free_page(obj->dummy[i]);
	tranche_request_put(obj->destroy);
	tranche_session_put(session);
	kfree(obj);
}

static void object_destroyed(struct tranche_request *req)
{
	object_release(req->owner);
}

/* No handle, mapping, dma-buf or request has it any more. */
static void object_free(struct drm_gem_object *gem)
{
	struct tranche_object *obj = to_object(gem);
	struct tranche_request *req = obj->destroy;

	drm_gem_object_release(gem);
	if (!obj->is_granted) {
		object_release(obj);
		return;
	}
	if (obj->session) {
		req->body.segment_destroy = (struct trnc_segment_destroy){
			.offset = cpu_to_le64(tranche_object_offset(obj)),
			.context = cpu_to_le32(obj->hint),
			.after_pos = cpu_to_le64(obj->hint_pos),
		};
	} else {
		req->body.shared = (struct trnc_shared_range){
			.offset = cpu_to_le64(obj->node.start),
			.size = cpu_to_le64(gem->size),
		};
		req->epoch = obj->epoch;
	}
	req->owner = obj;
	req->done = object_destroyed;
	tranche_request_submit(req, obj->session);
}

static int object_place(struct tranche_object *obj,
			struct tranche_session *session)
{
	struct tranche_device *tdev = object_device(obj);
	u64 size = obj->base.size;
	/* So that large ones can be mapped by large pages. */
	u64 align = size >= SZ_2M ? SZ_2M : TRNC_PAGE;
	int ret = -ENOMEM;

	if (session) {
		mutex_lock(&session->lock);
		if (session->nr_objects >= TRNC_MAX_SEGMENTS)
			ret = -EUSERS;
		else if (!drm_mm_insert_node_generic(&session->mm, &obj->node,
						     size, align, 0,
						     DRM_MM_INSERT_BEST))
			ret = 0;
		if (!ret) {
			session->nr_objects++;
			kref_get(&session->ref);
			obj->session = session;
			obj->aperture_offset =
				session->window_start + obj->node.start;
		}
		mutex_unlock(&session->lock);
		return ret;
	}
	mutex_lock(&tdev->lock);
	if (drm_mm_initialized(&tdev->shared) && !tdev->control.error)
		ret = drm_mm_insert_node_generic(&tdev->shared, &obj->node,
						 size, align, 0,
						 DRM_MM_INSERT_BEST);
	obj->epoch = tdev->epoch;
	obj->aperture_offset = tdev->layout.shared_offset + obj->node.start;
	mutex_unlock(&tdev->lock);
	return ret ? -ENOMEM : 0;
}

/* Without a session: in the shared window. The host knows nothing of it yet. */
struct tranche_object *tranche_object_new(struct tranche_device *tdev,
					  struct tranche_session *session,
					  u64 size, u32 kind,
					  enum tranche_shape shape)
{
	struct tranche_object *obj;
	int ret;

	obj = kzalloc(sizeof(*obj), GFP_KERNEL_ACCOUNT);
	if (!obj)
		return ERR_PTR(-ENOMEM);
	INIT_LIST_HEAD(&obj->link);
	obj->kind = kind;
	obj->shape = shape;
	obj->base.funcs = &tranche_gem_funcs;
	drm_gem_private_object_init(&tdev->drm, &obj->base, size);
	obj->destroy = tranche_request_new(tdev, session ?
					   TRNC_MSG_SEGMENT_DESTROY :
					   TRNC_MSG_SHARED_DESTROY);
	ret = obj->destroy ? object_place(obj, session) : -ENOMEM;
	if (!ret)
		ret = drm_gem_create_mmap_offset(&obj->base);
	if (ret) {
		tranche_object_put(obj);
		return ERR_PTR(ret);
	}
	return obj;
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
	mutex_lock(&obj->session->lock);
	obj->session->bytes[obj->kind] += obj->base.size;
	mutex_unlock(&obj->session->lock);
}

/* Killed: the request keeps the object until the host has answered. */
int tranche_object_grant(struct tranche_object *obj)
{
	struct tranche_request *req;
	int ret;

	req = tranche_request_new(object_device(obj), obj->session ?
				  TRNC_MSG_SEGMENT_CREATE :
				  TRNC_MSG_SHARED_CREATE);
	if (!req)
		return -ENOMEM;
	if (obj->session) {
		req->body.segment_create = (struct trnc_segment_create){
			.offset = cpu_to_le64(obj->node.start),
			.size = cpu_to_le64(obj->base.size),
			.kind = cpu_to_le32(obj->kind),
		};
	} else {
		req->body.shared = (struct trnc_shared_range){
			.offset = cpu_to_le64(obj->node.start),
			.size = cpu_to_le64(obj->base.size),
		};
		req->epoch = obj->epoch;
	}
	tranche_object_get(obj);
	req->object[0] = obj;
	req->done = object_granted;
	ret = tranche_request_call(req, obj->session);
	tranche_request_put(req);
	return ret;
}

/* An object of the session's own window, with a range of it that is used. */
int tranche_object_lookup(struct drm_file *file, u32 handle, u64 offset,
			  u64 len, struct tranche_object **ret_obj)
{
	struct drm_gem_object *gem = drm_gem_object_lookup(file, handle);

	if (!gem)
		return -ENOENT;
	if (to_object(gem)->session != file->driver_priv ||
	    to_object(gem)->kind != DRM_TRANCHE_GEM_SERVICE ||
	    !tranche_range_ok(offset, len, gem->size)) {
		drm_gem_object_put(gem);
		return -EINVAL;
	}
	*ret_obj = to_object(gem);
	return 0;
}

/* ------------------------------------------------------ the shared window */

static void attach_release(struct kref *ref)
{
	struct tranche_attach *attach =
		container_of(ref, struct tranche_attach, ref);

	tranche_object_put(attach->obj);
	tranche_request_put(attach->detach);
	kfree(attach);
}

static unsigned long attach_key(struct tranche_object *obj)
{
	return obj->aperture_offset >> PAGE_SHIFT;
}

/* Takes it out of the session's table; the caller has a reference. */
static void attach_forget(struct tranche_session *session,
			  struct tranche_attach *attach)
{
	unsigned long key = attach_key(attach->obj);
	bool mine;

	mutex_lock(&session->lock);
	mine = xa_load(&session->attached, key) == attach;
	if (mine) {
		xa_erase(&session->attached, key);
		session->bytes[0] -= attach->obj->base.size;
	}
	mutex_unlock(&session->lock);
	if (mine)
		kref_put(&attach->ref, attach_release);
}

static void attach_detached(struct tranche_request *req)
{
	struct tranche_attach *attach = req->owner;

	/* Refused, it stays until the session is closed. */
	if (!req->status)
		attach_forget(req->session, attach);
	kref_put(&attach->ref, attach_release);
}

static void attach_detach(struct tranche_session *session,
			  struct tranche_attach *attach)
{
	struct tranche_request *req = attach->detach;
	bool first;

	mutex_lock(&session->lock);
	first = attach->state == ATTACH_DONE && !session->lost &&
		!session->closing;
	if (first)
		attach->state = ATTACH_GOING;
	mutex_unlock(&session->lock);
	if (!first)
		return;
	req->body.segment_destroy = (struct trnc_segment_destroy){
		.offset = cpu_to_le64(tranche_object_offset(attach->obj)),
		.context = cpu_to_le32(attach->hint),
		.after_pos = cpu_to_le64(attach->hint_pos),
	};
	kref_get(&attach->ref);
	req->owner = attach;
	req->done = attach_detached;
	tranche_request_submit(req, session);
}

static void attach_attached(struct tranche_request *req)
{
	struct tranche_attach *attach = req->owner;

	if (req->status) {
		attach_forget(req->session, attach);
	} else {
		attach->control_seq =
			le64_to_cpu(req->reply.segment.control_seq);
		mutex_lock(&req->session->lock);
		attach->state = ATTACH_DONE;
		mutex_unlock(&req->session->lock);
		if (req->abandoned)
			attach_detach(req->session, attach);
	}
	kref_put(&attach->ref, attach_release);
}

static struct tranche_attach *attach_new(struct tranche_session *session,
					 struct tranche_object *obj)
{
	struct tranche_attach *attach;
	int ret;

	attach = kzalloc(sizeof(*attach), GFP_KERNEL_ACCOUNT);
	if (!attach)
		return ERR_PTR(-ENOMEM);
	kref_init(&attach->ref);
	tranche_object_get(obj);
	attach->obj = obj;
	attach->detach = tranche_request_new(session->tdev,
					     TRNC_MSG_SHARED_DETACH);
	mutex_lock(&session->lock);
	ret = attach->detach ? xa_insert(&session->attached, attach_key(obj),
					 attach, GFP_KERNEL) : -ENOMEM;
	if (!ret)
		session->bytes[0] += obj->base.size;
	mutex_unlock(&session->lock);
	if (ret) {
		kref_put(&attach->ref, attach_release);
		return ERR_PTR(ret);
	}
	return attach;
}

static int attach_call(struct tranche_session *session,
		       struct tranche_object *obj, u64 *ret_seq)
{
	struct tranche_request *req =
		tranche_request_new(session->tdev, TRNC_MSG_SHARED_ATTACH);
	struct tranche_attach *attach;
	int ret;

	if (!req)
		return -ENOMEM;
	attach = attach_new(session, obj);
	if (IS_ERR(attach)) {
		tranche_request_put(req);
		return PTR_ERR(attach);
	}
	req->body.shared = (struct trnc_shared_range){
		.offset = cpu_to_le64(obj->node.start),
		.size = cpu_to_le64(obj->base.size),
	};
	req->epoch = obj->epoch;
	kref_get(&attach->ref);
	req->owner = attach;
	req->done = attach_attached;
	ret = tranche_request_call(req, session);
	*ret_seq = le64_to_cpu(req->reply.segment.control_seq);
	tranche_request_put(req);
	return ret;
}

/* Found as it is, or NULL; if it is going, so is *ret_detach, counted. */
static struct tranche_attach *attach_find(struct tranche_session *session,
					  struct tranche_object *obj,
					  struct tranche_request **ret_detach,
					  u64 *ret_seq)
{
	struct tranche_attach *attach;

	mutex_lock(&session->lock);
	attach = xa_load(&session->attached, attach_key(obj));
	if (attach && attach->state == ATTACH_GOING) {
		*ret_detach = attach->detach;
		kref_get(&attach->detach->ref);
	} else if (attach) {
		*ret_seq = attach->control_seq;
	}
	mutex_unlock(&session->lock);
	return attach;
}

/* Makes the object one of the session's, if it is not yet. */
static int attach_object(struct tranche_session *session,
			 struct tranche_object *obj, u64 *ret_seq)
{
	struct tranche_request *detach = NULL;
	int ret;

	ret = mutex_lock_killable(&session->attach_lock);
	if (ret)
		return ret;
	if (attach_find(session, obj, &detach, ret_seq)) {
		ret = detach ? tranche_request_wait(detach) : 0;
		tranche_request_put(detach);
		if (!detach || ret)
			goto unlock;
	}
	ret = attach_call(session, obj, ret_seq);
unlock:
	mutex_unlock(&session->attach_lock);
	return ret;
}

/* The session is closed: nobody can reach anything by it. */
void tranche_session_detach_all(struct tranche_session *session)
{
	struct tranche_attach *attach;
	unsigned long key;

	mutex_lock(&session->lock);
	session->bytes[0] = 0;
	xa_for_each(&session->attached, key, attach) {
		xa_erase(&session->attached, key);
		mutex_unlock(&session->lock);
		kref_put(&attach->ref, attach_release);
		mutex_lock(&session->lock);
	}
	mutex_unlock(&session->lock);
}

static struct tranche_attach *attach_of(struct tranche_session *session,
					struct tranche_object *obj)
{
	struct tranche_attach *attach;

	mutex_lock(&session->lock);
	attach = xa_load(&session->attached, attach_key(obj));
	if (attach)
		kref_get(&attach->ref);
	mutex_unlock(&session->lock);
	return attach;
}

static void object_detach(struct tranche_session *session,
			  struct tranche_object *obj)
{
	struct tranche_attach *attach = attach_of(session, obj);

	if (!attach)
		return;
	attach_detach(session, attach);
	kref_put(&attach->ref, attach_release);
}

/* ------------------------------------------------------------ GEM's calls */

/* A name of GEM's old kind must not give the window to another file. */
static int object_open(struct drm_gem_object *gem, struct drm_file *file)
{
	struct tranche_object *obj = to_object(gem);

	return obj->session && obj->session != file->driver_priv ? -EPERM : 0;
}

static void object_close(struct drm_gem_object *gem, struct drm_file *file)
{
	if (!to_object(gem)->session)
		object_detach(file->driver_priv, to_object(gem));
}

static struct dma_buf *object_export(struct drm_gem_object *gem, int flags)
{
	if (to_object(gem)->session)
		return ERR_PTR(-EPERM);
	return drm_gem_prime_export(gem, flags);
}

/*
 * No get_sg_table: other drivers cannot attach to its dma-bufs, and theirs
 * are not taken, since the device reaches no memory but its own.
 */
const struct drm_gem_object_funcs tranche_gem_funcs = {
	.free = object_free,
	.open = object_open,
	.close = object_close,
	.export = object_export,
	.mmap = tranche_object_mmap,
};

static int gem_check_args(struct tranche_session *session,
			  struct drm_tranche_gem_create *args)
{
	if (!tranche_size_ok(args->size, U64_MAX) || args->pad ||
	    args->flags & ~DRM_TRANCHE_GEM_EXPORTABLE ||
	    (args->kind != DRM_TRANCHE_GEM_BUFFER &&
	     args->kind != DRM_TRANCHE_GEM_SERVICE))
		return -EINVAL;
	if (args->flags & DRM_TRANCHE_GEM_EXPORTABLE) {
		if (args->kind != DRM_TRANCHE_GEM_BUFFER)
			return -EINVAL;
		if (!session->sharing)
			return -EPERM;
	}
	/* No window is larger; so no size is cut when it becomes a size_t. */
	return args->size <= session->tdev->aperture_size ? 0 : -ENOMEM;
}

int tranche_gem_create(struct drm_device *drm, void *data,
		       struct drm_file *file)
{
	struct tranche_session *session = tranche_session_of(file);
	struct drm_tranche_gem_create *args = data;
	struct tranche_object *obj;
	bool shared;
	int ret;

	if (IS_ERR(session))
		return PTR_ERR(session);
	ret = gem_check_args(session, args);
	if (ret)
		return ret;
	shared = args->flags & DRM_TRANCHE_GEM_EXPORTABLE;
	obj = tranche_object_new(to_tranche(drm), shared ? NULL : session,
				 args->size, args->kind, TRANCHE_PLAIN);
	if (IS_ERR(obj))
		return PTR_ERR(obj);
	ret = tranche_object_grant(obj);
	args->control_seq = obj->control_seq;
	if (!ret && shared)
		ret = attach_object(session, obj, &args->control_seq);
	if (!ret) {
		args->offset = tranche_object_offset(obj);
		args->mmap_offset =
			drm_vma_node_offset_addr(&obj->base.vma_node);
		args->used = obj->used;
		ret = drm_gem_handle_create(file, &obj->base, &args->handle);
		if (ret && shared)
			object_detach(session, obj);
	}
	tranche_object_put(obj);
	return ret;
}

int tranche_gem_destroy(struct drm_device *drm, void *data,
			struct drm_file *file)
{
	struct tranche_session *session = file->driver_priv;
	struct drm_tranche_gem_destroy *args = data;
	struct drm_gem_object *gem;
	struct tranche_attach *attach;
	struct tranche_object *obj;

	if (args->context > TRNC_MAX_CONTEXTS)
		return -EINVAL;
	gem = drm_gem_object_lookup(file, args->handle);
	if (!gem)
		return -ENOENT;
	obj = to_object(gem);
	attach = obj->session ? NULL : attach_of(session, obj);
	if (attach) {
		attach->hint = args->context;
		attach->hint_pos = args->after_pos;
		kref_put(&attach->ref, attach_release);
	} else {
		obj->hint = args->context;
		obj->hint_pos = args->after_pos;
	}
	drm_gem_object_put(gem);
	return drm_gem_handle_delete(file, args->handle);
}

static int gem_fill_info(struct tranche_session *session,
			 struct tranche_object *obj,
			 struct drm_tranche_gem_info *args)
{
	args->kind = obj->kind;
	args->size = obj->base.size;
	args->offset = tranche_object_offset(obj);
	args->mmap_offset = drm_vma_node_offset_addr(&obj->base.vma_node);
	args->control_seq = obj->control_seq;
	if (obj->session)
		return 0;
	return session->sharing ?
		       attach_object(session, obj, &args->control_seq) :
		       -EPERM;
}

int tranche_gem_info(struct drm_device *drm, void *data,
		     struct drm_file *file)
{
	struct tranche_session *session = tranche_session_of(file);
	struct drm_tranche_gem_info *args = data;
	struct drm_gem_object *gem;
	int ret;

	if (IS_ERR(session))
		return PTR_ERR(session);
	gem = drm_gem_object_lookup(file, args->handle);
	if (!gem)
		return -ENOENT;
	ret = gem_fill_info(session, to_object(gem), args);
	drm_gem_object_put(gem);
	return ret;
}
