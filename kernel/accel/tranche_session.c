// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sessions: what an open file has of the device. The file's close never waits:
 * SESSION_CLOSE goes out and its answer gives slot and window back. Objects,
 * contexts and requests that are still under way then end with it, without
 * messages of their own.
 */
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <drm/drm_print.h>

#include "tranche_drv.h"

/* Windows get smaller when the aperture is nearly full, down to this. */
#define WINDOW_MIN SZ_64M

int tranche_open(struct drm_device *drm, struct drm_file *file)
{
	struct tranche_session *session;

	session = kzalloc(sizeof(*session), GFP_KERNEL_ACCOUNT);
	if (!session)
		return -ENOMEM;
	session->tdev = to_tranche(drm);
	session->file = file;
	kref_init(&session->ref);
	mutex_init(&session->lock);
	mutex_init(&session->attach_lock);
	xa_init_flags(&session->attached, XA_FLAGS_ACCOUNT);
	file->driver_priv = session;
	return 0;
}

static void session_release(struct kref *ref)
{
	struct tranche_session *session =
		container_of(ref, struct tranche_session, ref);

	if (drm_mm_initialized(&session->mm))
		drm_mm_takedown(&session->mm);
	tranche_request_put(session->close);
	xa_destroy(&session->attached);
	mutex_destroy(&session->attach_lock);
	mutex_destroy(&session->lock);
	/* An interrupt handler may still look at it. */
	kfree_rcu(session, rcu);
}

void tranche_session_put(struct tranche_session *session)
{
	if (session)
		kref_put(&session->ref, session_release);
}

/* The file's session, if it can do anything. Lives as long as the file. */
struct tranche_session *tranche_session_of(struct drm_file *file)
{
	struct tranche_session *session = file->driver_priv;

	if (smp_load_acquire(&session->state) != TRANCHE_SESSION_OPEN)
		return ERR_PTR(-ENOTCONN);
	if (READ_ONCE(session->lost))
		return ERR_PTR(-ESHUTDOWN);
	return session;
}

/* Gives slot and window back, if it has them (any more). */
void tranche_session_free_slot(struct tranche_session *session)
{
	struct tranche_device *tdev = session->tdev;

	lockdep_assert_held(&tdev->lock);
	if (!session->slot)
		return;
	RCU_INIT_POINTER(tdev->sessions[session->slot - 1], NULL);
	drm_mm_remove_node(&session->window);
	WRITE_ONCE(session->slot, 0);
}

static int session_take_window(struct tranche_session *session)
{
	struct tranche_device *tdev = session->tdev;
	u64 align = tdev->layout.window_align;
	u64 size = tdev->layout.window_size;
	int ret;

	do {
		ret = drm_mm_insert_node_generic(&tdev->windows,
						 &session->window, size, align,
						 0, DRM_MM_INSERT_LOW);
		if (!ret)
			break;
		size = round_down(size / 2, align);
	} while (size >= WINDOW_MIN);
	if (ret)
		return ret;
	session->window_start = session->window.start;
	session->window_size = size;
	memset(&session->mm, 0, sizeof(session->mm));
	drm_mm_init(&session->mm, 0, size);
	return 0;
}

static int session_take_slot_locked(struct tranche_session *session)
{
	struct tranche_device *tdev = session->tdev;
	int ret, i;

	if (session->state != TRANCHE_SESSION_NONE)
		return -EALREADY;
	if (tdev->control.error || READ_ONCE(tdev->leaving))
		return -ENODEV;
	for (i = 0; i < tdev->layout.nr_sessions; i++)
		if (!rcu_access_pointer(tdev->sessions[i]))
			break;
	if (i == tdev->layout.nr_sessions)
		return -EBUSY;
	ret = session_take_window(session);
	if (ret)
		return ret;
	session->slot = i + 1;
	WRITE_ONCE(session->lost, 0);
	WRITE_ONCE(session->state, TRANCHE_SESSION_OPENING);
	rcu_assign_pointer(tdev->sessions[i], session);
	return 0;
}

static int session_take_slot(struct tranche_session *session)
{
	struct tranche_device *tdev = session->tdev;
	int ret;

	mutex_lock(&tdev->lock);
	mutex_lock(&session->lock);
	ret = session_take_slot_locked(session);
	mutex_unlock(&session->lock);
	mutex_unlock(&tdev->lock);
	return ret;
}

/* The host has nothing of it any more; drops the file's reference. */
static void session_gone(struct tranche_session *session)
{
	struct tranche_device *tdev = session->tdev;

	mutex_lock(&tdev->lock);
	tranche_session_free_slot(session);
	mutex_unlock(&tdev->lock);
	tranche_session_detach_all(session);
	tranche_session_put(session);
}

static void session_closed(struct tranche_request *req)
{
	session_gone(req->session);
}

static void session_end(struct tranche_session *session)
{
	if (session->state == TRANCHE_SESSION_OPEN) {
		session->close->done = session_closed;
		tranche_request_submit(session->close, session);
	} else {
		session_gone(session);
	}
}

static void session_opened(struct tranche_request *req)
{
	struct tranche_session *session = req->session;
	struct tranche_device *tdev = session->tdev;
	bool ended;

	mutex_lock(&tdev->lock);
	mutex_lock(&session->lock);
	if (req->status) {
		tranche_session_free_slot(session);
		drm_mm_takedown(&session->mm);
		memset(&session->mm, 0, sizeof(session->mm));
		WRITE_ONCE(session->state, TRANCHE_SESSION_NONE);
	} else {
		session->reply = req->reply.session;
		smp_store_release(&session->state, TRANCHE_SESSION_OPEN);
	}
	ended = session->ended;
	mutex_unlock(&session->lock);
	mutex_unlock(&tdev->lock);
	if (ended)
		session_end(session);
}

int tranche_release(struct inode *inode, struct file *filp)
{
	struct drm_file *file = filp->private_data;
	struct tranche_session *session = file->driver_priv;

	/* The core closes handles first: none of them needs a message. */
	WRITE_ONCE(session->closing, true);
	return drm_release(inode, filp);
}

void tranche_postclose(struct drm_device *drm, struct drm_file *file)
{
	struct tranche_session *session = file->driver_priv;
	struct tranche_object *output = NULL;
	struct tranche_context *ctx;
	bool opening;
	int i;

	WRITE_ONCE(session->closing, true);
	for (i = 1; i <= TRNC_MAX_CONTEXTS; i++) {
		ctx = tranche_context_get(session, i);
		if (ctx)
			tranche_context_drop(ctx);
		tranche_context_put(ctx);
	}
	mutex_lock(&session->lock);
	swap(output, session->output);
	session->ended = true;
	opening = session->state == TRANCHE_SESSION_OPENING;
	mutex_unlock(&session->lock);
	tranche_object_put(output);
	if (!opening)
		session_end(session);
}

static int session_check_args(struct tranche_device *tdev,
			      struct drm_tranche_session_create *args)
{
	bool svm = args->flags & DRM_TRANCHE_SESSION_SVM;

	if (args->flags & ~(DRM_TRANCHE_SESSION_SVM |
			    DRM_TRANCHE_SESSION_SHARING) ||
	    args->pad || args->cwd_len >= sizeof_field(struct trnc_session_open, cwd) ||
	    !PAGE_ALIGNED(args->window_base) || (svm && !args->window_base))
		return -EINVAL;
	if (args->flags & DRM_TRANCHE_SESSION_SHARING &&
	    !(tdev->layout.features & TRNC_FEATURE_SHARING))
		return -EOPNOTSUPP;
	return 0;
}

/* All of the message but for the window, which has not been found yet. */
static struct tranche_request *
session_request(struct tranche_session *session,
		struct drm_tranche_session_create *args)
{
	struct tranche_device *tdev = session->tdev;
	struct tranche_request *req =
		tranche_request_new(tdev, TRNC_MSG_SESSION_OPEN);
	struct trnc_session_open *open;
	u64 features = 0;

	if (!req)
		return ERR_PTR(-ENOMEM);
	open = kzalloc(sizeof(*open), GFP_KERNEL_ACCOUNT);
	req->open = open;
	if (!open || copy_from_user(open->cwd, u64_to_user_ptr(args->cwd),
				    args->cwd_len)) {
		tranche_request_put(req);
		return ERR_PTR(open ? -EFAULT : -ENOMEM);
	}
	if (args->flags & DRM_TRANCHE_SESSION_SVM &&
	    tdev->layout.features & TRNC_FEATURE_SVM) {
		features |= TRNC_FEATURE_SVM;
		open->window_base = cpu_to_le64(args->window_base);
	}
	if (args->flags & DRM_TRANCHE_SESSION_SHARING)
		features |= TRNC_FEATURE_SHARING;
	open->features = cpu_to_le64(features);
	req->done = session_opened;
	return req;
}

static int session_open(struct tranche_session *session,
			struct tranche_request *req, u32 vector_hint)
{
	struct tranche_device *tdev = session->tdev;
	int ret;

	/* A reset that is under way is waited for. */
	ret = mutex_lock_killable(&tdev->reset_lock);
	if (ret)
		return ret;
	if (!session->close)
		session->close = tranche_request_new(tdev,
						     TRNC_MSG_SESSION_CLOSE);
	ret = session->close ? session_take_slot(session) : -ENOMEM;
	mutex_unlock(&tdev->reset_lock);
	if (ret)
		return ret;
	session->sharing =
		req->open->features & cpu_to_le64(TRNC_FEATURE_SHARING);
	session->vector = tdev->nr_vectors == 1 ? 0 :
			  1 + vector_hint % (tdev->nr_vectors - 1);
	req->open->vector = cpu_to_le32(session->vector);
	req->open->window = cpu_to_le64(session->window_start);
	req->open->window_size = cpu_to_le64(session->window_size);
	return tranche_request_call(req, session);
}

int tranche_session_create(struct drm_device *drm, void *data,
			   struct drm_file *file)
{
	struct tranche_session *session = file->driver_priv;
	struct drm_tranche_session_create *args = data;
	struct tranche_request *req;
	int ret;

	ret = session_check_args(session->tdev, args);
	if (ret)
		return ret;
	req = session_request(session, args);
	if (IS_ERR(req))
		return PTR_ERR(req);
	ret = session_open(session, req, args->vector_hint);
	if (!ret) {
		const struct trnc_session_reply *reply = &session->reply;

		args->session = le64_to_cpu(reply->session);
		args->session_flags = le64_to_cpu(reply->flags);
		args->quota = le64_to_cpu(reply->quota);
		args->service = le64_to_cpu(reply->service);
		args->window_size = session->window_size;
		args->probe_len = le64_to_cpu(reply->probe_len);
	}
	tranche_request_put(req);
	return ret;
}

/* Ends its waits and mappings; who calls takes the latter away. */
void tranche_session_lose(struct tranche_session *session, u32 lost,
			  const struct trnc_error_body *why)
{
	static const struct trnc_error_body gone = {
		.name = "DeviceLost",
		.text = "the device was reset, stopped or taken away",
	};

	mutex_lock(&session->lock);
	if (!session->lost) {
		why = why ?: &gone;
		tranche_text(session->lost_name, why->name,
			     sizeof(session->lost_name));
		tranche_text(session->lost_text, why->text,
			     sizeof(session->lost_text));
		down_write(&session->tdev->map_lock);
		WRITE_ONCE(session->lost, lost);
		up_write(&session->tdev->map_lock);
	}
	mutex_unlock(&session->lock);
	tranche_session_wake(session);
}

/* Of all its contexts; also from the interrupt handler. */
void tranche_session_wake(struct tranche_session *session)
{
	struct tranche_context *ctx;
	int i;

	rcu_read_lock();
	for (i = 0; i < TRNC_MAX_CONTEXTS; i++) {
		ctx = rcu_dereference(session->contexts[i]);
		if (ctx)
			tranche_context_wake(ctx);
	}
	rcu_read_unlock();
}

static u32 session_lost_reason(struct tranche_session *session)
{
	struct tranche_context *ctx;
	u32 lost = 0;
	int i;

	rcu_read_lock();
	for (i = 0; i < TRNC_MAX_CONTEXTS && !lost; i++) {
		ctx = rcu_dereference(session->contexts[i]);
		if (ctx)
			lost = le32_to_cpu(READ_ONCE(ctx->host->lost));
	}
	rcu_read_unlock();
	return tranche_lost(lost);
}

/* The host's news. False: it broke a rule. */
bool tranche_session_lost(struct tranche_device *tdev,
			  const struct trnc_control_slot *slot)
{
	u32 nr = le32_to_cpu(slot->session);
	struct tranche_session *session;
	bool ok;

	if (!tranche_lost_ok(slot))
		return false;
	mutex_lock(&tdev->lock);
	session = rcu_dereference_protected(tdev->sessions[nr - 1],
					    lockdep_is_held(&tdev->lock));
	ok = session && !session->lost;
	if (ok)
		kref_get(&session->ref);
	mutex_unlock(&tdev->lock);
	if (!ok)
		return false;
	tranche_session_lose(session, session_lost_reason(session),
			     (const void *)slot->body);
	tranche_device_zap(tdev);
	dev_notice_ratelimited(tdev->drm.dev, "session %u is lost: %s\n", nr,
			       session->lost_name);
	tranche_session_put(session);
	return true;
}

static u64 session_commands(struct tranche_session *session)
{
	struct tranche_context *ctx;
	u64 commands = session->commands;
	int i;

	rcu_read_lock();
	for (i = 0; i < TRNC_MAX_CONTEXTS; i++) {
		ctx = rcu_dereference(session->contexts[i]);
		if (ctx && !READ_ONCE(session->lost))
			commands += le64_to_cpu(READ_ONCE(ctx->host->commands));
	}
	rcu_read_unlock();
	return commands;
}

void tranche_show_fdinfo(struct drm_printer *p, struct drm_file *file)
{
	struct tranche_session *session = file->driver_priv;
	u64 buffer, service, shared, commands;

	mutex_lock(&session->lock);
	shared = session->bytes[0];
	buffer = session->bytes[DRM_TRANCHE_GEM_BUFFER];
	service = session->bytes[DRM_TRANCHE_GEM_SERVICE];
	commands = session_commands(session);
	mutex_unlock(&session->lock);
	drm_printf(p, "drm-total-aperture:\t%llu KiB\n",
		   (buffer + service + shared) / SZ_1K);
	drm_printf(p, "drm-shared-aperture:\t%llu KiB\n", shared / SZ_1K);
	drm_printf(p, "tranche-service:\t%llu KiB\n", service / SZ_1K);
	drm_printf(p, "tranche-commands:\t%llu\n", commands);
}
