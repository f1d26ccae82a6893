/* SPDX-License-Identifier: MIT */
/*
 * Memory of other sessions of the same device, by file descriptor (dma-buf).  A file of the driver has one handle for an
 * object, however often it is imported: it is counted here.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "client/accel.h"
#include "client/refuse.h"
#include "tranche/wire/compute_pci.h"

/* A handle that more than one segment may have. */
struct share {
	struct base_list node; /* in accel->shares */
	uint32_t handle;
	unsigned int nr_segments;
};

static struct share *find_share_locked(struct client_accel *a, uint32_t handle)
{
	struct share *share;

	base_list_for_each(share, &a->shares, node)
		if (share->handle == handle)
			return share;
	return NULL;
}

static struct share *get_share_locked(struct client_accel *a, uint32_t handle)
{
	struct share *share = find_share_locked(a, handle);

	if (!share) {
		share = calloc(1, sizeof(*share));
		if (!share)
			return NULL;
		share->handle = handle;
		base_list_init(&share->node);
		base_list_append(&a->shares, &share->node);
	}
	share->nr_segments++;
	return share;
}

static void close_handle(struct client_session *s, uint32_t handle, uint32_t context, uint64_t after_pos)
{
	struct drm_tranche_gem_destroy destroy = { .handle = handle, .context = context, .after_pos = after_pos };

	client_accel_ioctl_raw(s, DRM_IOCTL_TRANCHE_GEM_DESTROY, &destroy);
}

bool client_accel_unshare(struct client_segment *seg, uint32_t context, uint64_t after_pos)
{
	struct client_accel *a = seg->session->accel;
	struct share *share;

	pthread_mutex_lock(&a->shares_lock);
	share = find_share_locked(a, seg->handle);
	if (share && --share->nr_segments == 0) {
		base_list_remove(&share->node);
		free(share);
		close_handle(seg->session, seg->handle, context, after_pos);
	}
	pthread_mutex_unlock(&a->shares_lock);
	return share;
}

/* Called with the first export, too: the program may import what it exported. */
static int note_share(struct client_segment *seg, struct trn_error *err)
{
	struct client_accel *a = seg->session->accel;
	int r = 0;

	pthread_mutex_lock(&a->shares_lock);
	if (!find_share_locked(a, seg->handle) && !get_share_locked(a, seg->handle))
		r = client_refuse_memory(err);
	pthread_mutex_unlock(&a->shares_lock);
	return r;
}

int client_accel_export(struct client_segment *seg, struct trn_error *err)
{
	struct drm_prime_handle prime = { .handle = seg->handle, .flags = DRM_CLOEXEC | DRM_RDWR, .fd = -1 };
	int r;

	if (!seg->is_exportable)
		return client_refuse(err, -EPERM, "NotExportable", "allocate it by client_mem_alloc_exportable()",
				     "this memory was not made to be given to other programs");
	r = note_share(seg, err);
	if (r < 0)
		return r;
	r = client_accel_ioctl(seg->session, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime);
	return r < 0 ? client_accel_refuse(seg->session, r, "export of memory", err) : prime.fd;
}

static int refuse_import(struct client_session *s, int r, struct trn_error *err)
{
	if (client_session_is_gone(s))
		return client_session_refuse_lost(s, err);
	if (r == -EPERM || r == -EACCES)
		return client_refuse(err, -EPERM, "NotSharing", CLIENT_HINT_SHARING,
				     "%s: this program's session shares no memory", s->device->path);
	return client_refuse(err, r, "ForeignMemory", "import memory that a program exported from the same device",
			     "%s: the descriptor stands for no memory of this device", s->device->path);
}

/* What the handle stands for, as a segment that is not mapped. */
static int look_up(struct client_session *s, uint32_t handle, struct client_segment **ret, struct trn_error *err)
{
	struct drm_tranche_gem_info info = { .handle = handle };
	struct client_segment *seg;
	int r = client_accel_ioctl(s, DRM_IOCTL_TRANCHE_GEM_INFO, &info);

	if (r < 0)
		return refuse_import(s, r, err);
	if (info.kind != DRM_TRANCHE_GEM_BUFFER || !info.size)
		return refuse_import(s, -EINVAL, err);
	seg = client_segment_new(s, TRNC_SEGMENT_BUFFER, info.size);
	if (!seg)
		return client_refuse_memory(err);
	seg->handle = handle;
	seg->offset = info.offset;
	seg->mmap_offset = info.mmap_offset;
	seg->is_exportable = true;
	client_segment_note_control(s, info.control_seq);
	*ret = seg;
	return 0;
}

static int import_locked(struct client_session *s, uint32_t handle, struct client_segment **ret, struct trn_error *err)
{
	struct client_segment *seg = NULL;
	int r = look_up(s, handle, &seg, err);

	if (!seg)
		return r;
	r = client_accel_map(seg, seg->mmap_offset, err);
	if (r == 0 && !get_share_locked(s->accel, handle)) {
		client_window_unmap(seg);
		r = client_refuse_memory(err);
	}
	if (r < 0)
		free(seg);
	else
		*ret = seg;
	return r;
}

int client_accel_import(struct client_session *s, int fd, struct client_segment **ret, struct trn_error *err)
{
	struct drm_prime_handle prime = { .fd = fd };
	int r;

	if (!(s->features & TRNC_FEATURE_SHARING))
		return refuse_import(s, -EPERM, err);
	pthread_mutex_lock(&s->accel->shares_lock);
	r = client_accel_ioctl(s, DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime);
	if (r < 0) {
		r = refuse_import(s, r, err);
	} else {
		r = import_locked(s, prime.handle, ret, err);
		if (r < 0 && !find_share_locked(s->accel, prime.handle))
			close_handle(s, prime.handle, 0, 0);
	}
	pthread_mutex_unlock(&s->accel->shares_lock);
	return r;
}
