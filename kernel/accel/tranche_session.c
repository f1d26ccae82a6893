// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sessions: what an open file has of the device. The file's close never waits: SESSION_CLOSE
 * goes out, and its answer gives slot and window back. Objects, contexts and requests that
 * are still under way end with it, without messages of their own.
 */
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <drm/drm_print.h>

#include "tranche_drv.h"

/* Windows get smaller when the aperture is nearly full, down to this. */
#define WINDOW_MIN SZ_64M

int tranche_open(struct drm_device *drm, struct drm_file *file)
{
	struct tranche_session *session = kzalloc(sizeof(*session), GFP_KERNEL_ACCOUNT);

	if (!session)
		return -ENOMEM;
	session->tdev = to_tranche(drm);
	kref_init(&session->ref);
	mutex_init(&session->lock);
	mutex_init(&session->attach_lock);
	xa_init_flags(&session->attached, XA_FLAGS_ACCOUNT);
	file->driver_priv = session;
	return 0;
}

static void session_release(struct kref *ref)
{
	struct tranche_session *session = container_of(ref, struct tranche_session, ref);

	if (drm_mm_initialized(&session->mm))
		drm_mm_takedown(&session->mm);
	tranche_request_put(session->close);
	xa_destroy(&session->attached);
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

	/* Pairs with session_opened(). */
	if (smp_load_acquire(&session->state) != TRANCHE_SESSION_OPEN)
		return ERR_PTR(-ENOTCONN);
	return READ_ONCE(session->lost) ? ERR_PTR(-ESHUTDOWN) : session;
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
	u64 size = tdev->layout.window_size;
	u32 align = tdev->layout.window_align;

	while (drm_mm_insert_node_generic(&tdev->windows, &session->window, size, align, 0,
					  DRM_MM_INSERT_LOW)) {
		size = round_down(size / 2, align);
		if (size < WINDOW_MIN)
			return -ENOSPC;
	}
	session->window_start = session->window.start;
	session->window_size = size;
	drm_mm_init(&session->mm, 0, size);
	return 0;
}

static int session_take_slot(struct tranche_session *session)
{
	struct tranche_device *tdev = session->tdev;
	int ret, i;

	guard(mutex)(&tdev->lock);
	guard(mutex)(&session->lock);
	if (session->state != TRANCHE_SESSION_NONE)
		return -EALREADY;
	if (READ_ONCE(tdev->control.error) || READ_ONCE(tdev->leaving))
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
	session->state = TRANCHE_SESSION_OPENING;
	rcu_assign_pointer(tdev->sessions[i], session);
	return 0;
}

/* The host has nothing of it any more; drops the file's reference. */
static void session_gone(struct tranche_session *session)
{
	scoped_guard(mutex, &session->tdev->lock)
		tranche_session_free_slot(session);
	tranche_session_detach_all(session);
	tranche_session_put(session);
}

static void session_closed(struct tranche_request *req)
{
	session_gone(req->session);
}

static void session_end(struct tranche_session *session)
{
	if (session->state != TRANCHE_SESSION_OPEN) {
		session_gone(session);
		return;
	}
	session->close->done = session_closed;
	tranche_request_submit(session->close, session);
}

static void session_opened(struct tranche_request *req)
{
	struct tranche_session *session = req->session;
	bool ended;

	scoped_guard(mutex, &session->tdev->lock) {
		guard(mutex)(&session->lock);
		if (req->status) {
			tranche_session_free_slot(session);
			drm_mm_takedown(&session->mm);
			memset(&session->mm, 0, sizeof(session->mm));
			session->state = TRANCHE_SESSION_NONE;
		} else {
			session->reply = req->reply.session;
			/* Pairs with tranche_session_of(). */
			smp_store_release(&session->state, TRANCHE_SESSION_OPEN);
		}
		ended = session->ended;
	}
	if (ended)
		session_end(session);
}

/* The core closes handles before tranche_postclose(): none of them needs a message. */
int tranche_release(struct inode *inode, struct file *filp)
{
	struct drm_file *file = filp->private_data;
	struct tranche_session *session = file->driver_priv;

	WRITE_ONCE(session->closing, true);
	return drm_release(inode, filp);
}

void tranche_postclose(struct drm_device *drm, struct drm_file *file)
{
	struct tranche_session *session = file->driver_priv;
	struct tranche_context *ctx;
	bool opening;
	int i;

	for (i = 1; i <= TRNC_MAX_CONTEXTS; i++) {
		ctx = tranche_context_get(session, i);
		if (ctx)
			tranche_context_drop(ctx);
		tranche_context_put(ctx);
	}
	scoped_guard(mutex, &session->lock) {
		session->ended = true;
		opening = session->state == TRANCHE_SESSION_OPENING;
	}
	/* Nobody sets it any more. */
	tranche_object_put(session->output);
	/* Else session_opened() does it. */
	if (!opening)
		session_end(session);
}

/* SESSION_OPEN, but for the window, which has not been found yet. */
static struct tranche_request *session_request(struct tranche_session *session,
					       const struct drm_tranche_session_create *args)
{
	u64 features = args->flags & DRM_TRANCHE_SESSION_SHARING ? TRNC_FEATURE_SHARING : 0;
	struct tranche_device *tdev = session->tdev;
	struct trnc_session_open *open;
	struct tranche_request *req __free(tranche_request) =
		tranche_request_new(tdev, TRNC_MSG_SESSION_OPEN);

	if (!req)
		return ERR_PTR(-ENOMEM);
	req->done = session_opened;
	open = kzalloc(sizeof(*open), GFP_KERNEL_ACCOUNT);
	req->open = open;
	if (!open)
		return ERR_PTR(-ENOMEM);
	if (copy_from_user(open->cwd, u64_to_user_ptr(args->cwd), args->cwd_len))
		return ERR_PTR(-EFAULT);
	if (args->flags & DRM_TRANCHE_SESSION_SVM && tdev->layout.features & TRNC_FEATURE_SVM) {
		features |= TRNC_FEATURE_SVM;
		open->window_base = cpu_to_le64(args->window_base);
	}
	open->features = cpu_to_le64(features);
	/* The first is for replies. */
	if (tdev->nr_vectors > 1)
		open->vector = cpu_to_le32(1 + args->vector_hint % (tdev->nr_vectors - 1));
	return no_free_ptr(req);
}

static int session_open(struct tranche_session *session, struct tranche_request *req)
{
	struct tranche_device *tdev = session->tdev;
	int ret = 0;

	/* A reset that is under way is waited for. */
	scoped_cond_guard(mutex_intr, return -ERESTARTSYS, &tdev->reset_lock) {
		if (!session->close)
			session->close = tranche_request_new(tdev, TRNC_MSG_SESSION_CLOSE);
		ret = session->close ? session_take_slot(session) : -ENOMEM;
	}
	if (ret)
		return ret;
	session->sharing = req->open->features & cpu_to_le64(TRNC_FEATURE_SHARING);
	req->open->window = cpu_to_le64(session->window_start);
	req->open->window_size = cpu_to_le64(session->window_size);
	return tranche_request_call(req, session);
}

int tranche_session_create(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct tranche_request *req __free(tranche_request) = NULL;
	struct tranche_session *session = file->driver_priv;
	struct drm_tranche_session_create *args = data;
	const struct trnc_session_reply *reply = &session->reply;
	int ret;

	if (args->flags & ~(DRM_TRANCHE_SESSION_SVM | DRM_TRANCHE_SESSION_SHARING) || args->pad ||
	    args->cwd_len >= sizeof_field(struct trnc_session_open, cwd) ||
	    !PAGE_ALIGNED(args->window_base) ||
	    (args->flags & DRM_TRANCHE_SESSION_SVM && !args->window_base))
		return -EINVAL;
	if (args->flags & DRM_TRANCHE_SESSION_SHARING &&
	    !(session->tdev->layout.features & TRNC_FEATURE_SHARING))
		return -EOPNOTSUPP;
	req = session_request(session, args);
	if (IS_ERR(req))
		return PTR_ERR(req);
	ret = session_open(session, req);
	if (ret)
		return ret;
	args->session = le64_to_cpu(reply->session);
	args->session_flags = le64_to_cpu(reply->flags);
	args->quota = le64_to_cpu(reply->quota);
	args->service = le64_to_cpu(reply->service);
	args->window_size = session->window_size;
	args->probe_len = le64_to_cpu(reply->probe_len);
	return 0;
}

/* Ends its waits; whoever calls takes mappings away. */
void tranche_session_lose(struct tranche_session *session, u32 lost,
			  const struct trnc_error_body *why)
{
	static const struct trnc_error_body gone = {
		.name = "DeviceLost",
		.text = "the device was reset, stopped or taken away",
	};

	why = why ?: &gone;
	scoped_guard(mutex, &session->lock) {
		if (session->lost)
			break;
		tranche_text(session->lost_name, why->name, sizeof(session->lost_name));
		tranche_text(session->lost_text, why->text, sizeof(session->lost_text));
		guard(rwsem_write)(&session->tdev->map_lock);
		WRITE_ONCE(session->lost, lost);
	}
	tranche_session_wake(session);
}

/* Of all its contexts; also from the interrupt handler. */
void tranche_session_wake(struct tranche_session *session)
{
	struct tranche_context *ctx;
	int i;

	guard(rcu)();
	for (i = 0; i < TRNC_MAX_CONTEXTS; i++) {
		ctx = rcu_dereference(session->contexts[i]);
		if (ctx)
			tranche_context_wake(ctx);
	}
}

/* Sums what the host says of commands; tells why it says that they are lost. */
static u64 session_commands(struct tranche_session *session, u32 *ret_lost)
{
	u64 commands = session->commands;
	struct tranche_context *ctx;
	int i;

	lockdep_assert_held(&session->lock);
	guard(rcu)();
	for (i = 0; i < TRNC_MAX_CONTEXTS && !session->lost; i++) {
		ctx = rcu_dereference(session->contexts[i]);
		if (!ctx)
			continue;
		commands += le64_to_cpu(READ_ONCE(ctx->host->commands));
		*ret_lost = le32_to_cpu(READ_ONCE(ctx->host->lost)) ?: *ret_lost;
	}
	return commands;
}

/* The host's news. False: it broke a rule. */
bool tranche_session_lost(struct tranche_device *tdev, const struct trnc_control_slot *slot)
{
	u32 lost = 0, nr = le32_to_cpu(slot->session);
	struct tranche_session *session;

	if (!tranche_lost_ok(slot))
		return false;
	scoped_guard(mutex, &tdev->lock) {
		session = rcu_dereference_protected(tdev->sessions[nr - 1],
						    lockdep_is_held(&tdev->lock));
		if (!session || session->lost)
			return false;
		kref_get(&session->ref);
	}
	scoped_guard(mutex, &session->lock)
		session_commands(session, &lost);
	lost = tranche_lost(lost);
	tranche_session_lose(session, lost, (const void *)slot->body);
	tranche_zap(tdev, session);
	/* For other reasons the program alone is to blame, and can ask. */
	if (lost == TRNC_LOST_EXECUTOR)
		dev_notice_ratelimited(tdev->drm.dev, "session %u is lost: %s\n", nr,
				       session->lost_name);
	tranche_session_put(session);
	return true;
}

void tranche_show_fdinfo(struct drm_printer *p, struct drm_file *file)
{
	struct tranche_session *session = file->driver_priv;
	u32 lost = 0;
	u64 sum;

	guard(mutex)(&session->lock);
	sum = session->bytes[0] + session->bytes[DRM_TRANCHE_GEM_BUFFER] +
	      session->bytes[DRM_TRANCHE_GEM_SERVICE];
	drm_printf(p, "drm-total-aperture:\t%llu KiB\n", sum / SZ_1K);
	drm_printf(p, "drm-shared-aperture:\t%llu KiB\n", session->bytes[0] / SZ_1K);
	drm_printf(p, "tranche-service:\t%llu KiB\n",
		   session->bytes[DRM_TRANCHE_GEM_SERVICE] / SZ_1K);
	drm_printf(p, "tranche-commands:\t%llu\n", session_commands(session, &lost));
}
