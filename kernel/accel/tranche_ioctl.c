// SPDX-License-Identifier: GPL-2.0-only
/*
 * The node's calls, and those that only ask.
 */
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <drm/drm_accel.h>

#include "tranche_drv.h"

static int tranche_get_info(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct tranche_device *tdev = to_tranche(drm);
	const struct tranche_layout *l = &tdev->layout;
	struct drm_tranche_info *info = data;

	CLASS(tranche_use, use)(tdev);
	if (!use.ok || READ_ONCE(tdev->control.error) == -ENODEV)
		return -ENODEV;
	*info = (struct drm_tranche_info){
		.version = l->version,
		.generation = l->generation,
		.features = l->features,
		.nonce = l->nonce,
		.quota = READ_ONCE(l->quota),
		.service = l->service,
		.window_size = l->window_size,
	};
	tranche_probe_find(tdev, &info->probe_len);
	memcpy(info->uuid, l->uuid, sizeof(info->uuid));
	return 0;
}

/* Copied twice, so that no page fault of the caller's holds up an unplug. NULL: no room. */
static void *probe_copy(struct tranche_device *tdev, u32 room, u32 *ret_len)
{
	void *copy, *from;

	CLASS(tranche_use, use)(tdev);
	if (!use.ok)
		return ERR_PTR(-ENODEV);
	from = tranche_probe_find(tdev, ret_len);
	if (!*ret_len)
		return ERR_PTR(-ENODATA);
	if (*ret_len > room)
		return NULL;
	copy = kvmalloc(*ret_len, GFP_KERNEL_ACCOUNT);
	if (!copy)
		return ERR_PTR(-ENOMEM);
	return memcpy(copy, from, *ret_len);
}

static int tranche_get_probe(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_tranche_get_probe *args = data;
	int ret = 0;
	void *copy;

	if (args->pad)
		return -EINVAL;
	copy = probe_copy(to_tranche(drm), args->len, &args->len);
	if (IS_ERR(copy))
		return PTR_ERR(copy);
	if (copy && copy_to_user(u64_to_user_ptr(args->data), copy, args->len))
		ret = -EFAULT;
	kvfree(copy);
	return ret;
}

static int tranche_session_status(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct tranche_session *session = file->driver_priv;
	struct drm_tranche_session_status *status = data;

	if (READ_ONCE(session->state) != TRANCHE_SESSION_OPEN)
		return -ENOTCONN;
	guard(mutex)(&session->lock);
	status->lost = session->lost;
	memcpy(status->name, session->lost_name, sizeof(status->name));
	memcpy(status->text, session->lost_text, sizeof(status->text));
	return 0;
}

static int tranche_memory_query(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct tranche_session *session = tranche_session_of(file);
	struct tranche_request *req __free(tranche_request) = NULL;
	struct drm_tranche_memory *memory = data;
	const struct trnc_memory_reply *reply;
	int ret;

	if (IS_ERR(session))
		return PTR_ERR(session);
	req = tranche_request_new(session->tdev, TRNC_MSG_MEMORY_QUERY);
	if (!req)
		return -ENOMEM;
	ret = tranche_request_call(req, session);
	if (ret)
		return ret;
	reply = &req->reply.memory;
	memory->quota = le64_to_cpu(reply->quota);
	memory->used = le64_to_cpu(reply->used);
	memory->session_used = le64_to_cpu(reply->session_used);
	memory->service_used = le64_to_cpu(reply->service_used);
	return 0;
}

static const struct drm_ioctl_desc tranche_ioctls[] = {
	DRM_IOCTL_DEF_DRV(TRANCHE_GET_INFO, tranche_get_info, 0),
	DRM_IOCTL_DEF_DRV(TRANCHE_GET_PROBE, tranche_get_probe, 0),
	DRM_IOCTL_DEF_DRV(TRANCHE_SESSION_CREATE, tranche_session_create, 0),
	DRM_IOCTL_DEF_DRV(TRANCHE_SESSION_STATUS, tranche_session_status, 0),
	DRM_IOCTL_DEF_DRV(TRANCHE_MEMORY_QUERY, tranche_memory_query, 0),
	DRM_IOCTL_DEF_DRV(TRANCHE_GEM_CREATE, tranche_gem_create, 0),
	DRM_IOCTL_DEF_DRV(TRANCHE_GEM_DESTROY, tranche_gem_destroy, 0),
	DRM_IOCTL_DEF_DRV(TRANCHE_GEM_INFO, tranche_gem_info, 0),
	DRM_IOCTL_DEF_DRV(TRANCHE_CONTEXT_CREATE, tranche_context_create, 0),
	DRM_IOCTL_DEF_DRV(TRANCHE_CONTEXT_DESTROY, tranche_context_destroy, 0),
	DRM_IOCTL_DEF_DRV(TRANCHE_EVENT_BLOCK_ADD, tranche_event_block_add, 0),
	DRM_IOCTL_DEF_DRV(TRANCHE_OUTPUT_SET, tranche_output_set, 0),
	DRM_IOCTL_DEF_DRV(TRANCHE_PROGRAM_BUILD, tranche_program_build, 0),
	DRM_IOCTL_DEF_DRV(TRANCHE_PROGRAM_QUERY, tranche_program_query, 0),
	DRM_IOCTL_DEF_DRV(TRANCHE_WAIT, tranche_wait, 0),
	DRM_IOCTL_DEF_DRV(TRANCHE_WAKE, tranche_wake, 0),
	DRM_IOCTL_DEF_DRV(TRANCHE_DOORBELL, tranche_doorbell, 0),
	DRM_IOCTL_DEF_DRV(TRANCHE_EVENTFD, tranche_eventfd, 0),
};

/*
 * Of the core's calls those that this node is for. Others are about screens and their masters,
 * which files of accel nodes do not have: GET_UNIQUE and GET_MAGIC go through a NULL pointer
 * then, for whoever may open the node.
 */
static bool is_call(unsigned int cmd)
{
	switch (DRM_IOCTL_NR(cmd)) {
	case DRM_IOCTL_NR(DRM_IOCTL_VERSION):
	case DRM_IOCTL_NR(DRM_IOCTL_GET_CAP):
	case DRM_IOCTL_NR(DRM_IOCTL_SET_CLIENT_CAP):
	case DRM_IOCTL_NR(DRM_IOCTL_GEM_CLOSE):
	case DRM_IOCTL_NR(DRM_IOCTL_PRIME_HANDLE_TO_FD):
	case DRM_IOCTL_NR(DRM_IOCTL_PRIME_FD_TO_HANDLE):
	case DRM_COMMAND_BASE ... DRM_COMMAND_END - 1:
		return true;
	}
	return false;
}

static long tranche_unlocked_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	return is_call(cmd) ? drm_ioctl(filp, cmd, arg) : -ENOTTY;
}

#ifdef CONFIG_COMPAT
static long tranche_compat_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	return is_call(cmd) ? drm_compat_ioctl(filp, cmd, arg) : -ENOTTY;
}
#else
#define tranche_compat_ioctl NULL
#endif

static const struct file_operations tranche_fops = {
	.owner = THIS_MODULE,
	.open = accel_open,
	.release = tranche_release,
	.unlocked_ioctl = tranche_unlocked_ioctl,
	.compat_ioctl = tranche_compat_ioctl,
	.poll = drm_poll,
	.read = drm_read,
	.llseek = noop_llseek,
	.mmap = tranche_mmap,
	.show_fdinfo = drm_show_fdinfo,
	.fop_flags = FOP_UNSIGNED_OFFSET,
};

const struct drm_driver tranche_driver = {
	.driver_features = DRIVER_COMPUTE_ACCEL | DRIVER_GEM,
	.open = tranche_open,
	.postclose = tranche_postclose,
	.show_fdinfo = tranche_show_fdinfo,
	.ioctls = tranche_ioctls,
	.num_ioctls = ARRAY_SIZE(tranche_ioctls),
	.fops = &tranche_fops,
	.name = "tranche",
	.desc = "Virtual compute devices of Tranche",
	.major = 1,
};
