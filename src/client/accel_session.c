/* SPDX-License-Identifier: MIT */
/* Sessions through a guest's driver: an open file is one, from SESSION_CREATE on. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/range.h"
#include "client/accel.h"
#include "client/refuse.h"
#include "tranche/wire/compute_pci.h"

#define DRIVER "tranche"
#define WINDOW_MAX (1ull << 46) /* half of what a process can address */
#define PROBE_TRIES 4

int client_accel_connect(struct client_device *d, struct trn_error *err)
{
	int fd = d->calls->open(d->path);

	if (fd >= 0)
		return fd;
	if (errno == EACCES || errno == EPERM)
		return client_refuse(err, -EACCES, "NotAllowed", CLIENT_HINT_GROUP, "%s: you may not open this device",
				     d->path);
	return client_refuse(err, -errno, "NoDevice", "look at TRANCHE_DEVICE, and whether the guest's driver is loaded",
			     "%s: %s", d->path, strerror(errno));
}

static int check_driver(struct client_session *s, struct trn_error *err)
{
	char name[sizeof(DRIVER)] = "";
	struct drm_version version = { .name = name, .name_len = sizeof(name) - 1 };
	int r = client_accel_ioctl_raw(s, DRM_IOCTL_VERSION, &version);

	if (r == 0 && version.name_len == strlen(DRIVER) && strcmp(name, DRIVER) == 0)
		return 0;
	return client_refuse(err, -EPROTO, "NotADevice", "look at TRANCHE_DEVICE: it names devices of Tranche",
			     "%s: what drives it is not Tranche's driver", s->device->path);
}

static int check_info(struct client_session *s, const struct drm_tranche_info *info, struct trn_error *err)
{
	if (info->version < TRNC_PCI_VERSION_OLDEST || info->version > TRNC_PCI_VERSION)
		return client_refuse(err, -EPROTO, "VersionMismatch",
				     "the guest's kernel module and this driver should be of the same release",
				     "%s speaks version %u of the wire, this driver %u to %u", s->device->path,
				     info->version, TRNC_PCI_VERSION_OLDEST, TRNC_PCI_VERSION);
	if (!info->window_size || info->window_size > WINDOW_MAX || !base_is_page_aligned(info->window_size))
		return client_refuse(err, -EPROTO, "NotADevice", CLIENT_HINT_RESTART,
				     "%s: its window has an impossible size", s->device->path);
	return 0;
}

int client_accel_hello(struct client_session *s, struct client_facts *ret, struct trn_error *err)
{
	struct drm_tranche_info info = { 0 };
	int r = check_driver(s, err);

	if (r < 0)
		return r;
	r = client_accel_ioctl(s, DRM_IOCTL_TRANCHE_GET_INFO, &info);
	if (r < 0)
		return client_accel_refuse(s, r, "GET_INFO", err);
	r = check_info(s, &info, err);
	if (r < 0)
		return r;
	ret->version = info.version;
	ret->features = info.features;
	ret->window_size = info.window_size;
	memcpy(ret->uuid, info.uuid, sizeof(ret->uuid));
	return 0;
}

/* ------------------------------------------------------------- session */

static int refuse_session(struct client_session *s, int r, struct trn_error *err)
{
	if (r == -EBUSY)
		return client_refuse(err, r, "TooManySessions", "end other programs that use the device",
				     "%s: the device has no more room for programs", s->device->path);
	if (r == -ENOSPC)
		return client_refuse(err, r, "ApertureFull",
				     "end other programs that use the device, or give it a larger aperture",
				     "%s: the device's aperture has no room for another program", s->device->path);
	return client_accel_refuse(s, r, "SESSION_CREATE", err);
}

static int make_session(struct client_session *s, uint64_t offered, struct drm_tranche_session_create *create,
			struct trn_error *err)
{
	char cwd[1024];
	int cpu = sched_getcpu();
	int r;

	/* Whoever is on this processor now will probably sleep here, too. */
	create->vector_hint = cpu < 0 ? 0 : (uint32_t)cpu;
	create->window_base = (uint64_t)(uintptr_t)s->window;
	if (s->features & TRNC_FEATURE_SVM)
		create->flags |= DRM_TRANCHE_SESSION_SVM;
	if (client_devices_is_sharing() && offered & TRNC_FEATURE_SHARING)
		create->flags |= DRM_TRANCHE_SESSION_SHARING;
	if (getcwd(cwd, sizeof(cwd)) && cwd[0] == '/') {
		create->cwd = (uint64_t)(uintptr_t)cwd;
		create->cwd_len = (uint32_t)strlen(cwd);
	}
	r = client_accel_ioctl(s, DRM_IOCTL_TRANCHE_SESSION_CREATE, create);
	if (r < 0)
		return refuse_session(s, r, err);
	if (!create->window_size || create->window_size > s->window_size || !base_is_page_aligned(create->window_size) ||
	    create->probe_len > TRNC_MAX_BLOB)
		return client_refuse(err, -EPROTO, "BadReply", CLIENT_HINT_RESTART,
				     "%s: its answer to SESSION_CREATE makes no sense", s->device->path);
	if (create->flags & DRM_TRANCHE_SESSION_SHARING)
		s->features |= TRNC_FEATURE_SHARING;
	return 0;
}

static int read_probe(struct client_session *s, uint64_t len, struct client_grant *ret, struct trn_error *err)
{
	_cleanup_free_ void *blob = NULL;
	struct drm_tranche_get_probe probe = { .len = (uint32_t)len };
	int r;

	for (int i = 0; i < PROBE_TRIES; i++) {
		uint32_t room = probe.len;

		free(blob);
		blob = malloc(room ? room : 1);
		if (!blob)
			return client_refuse_memory(err);
		probe.data = (uint64_t)(uintptr_t)blob;
		r = client_accel_ioctl(s, DRM_IOCTL_TRANCHE_GET_PROBE, &probe);
		if (r < 0)
			return client_accel_refuse(s, r, "GET_PROBE", err);
		if (probe.len <= room) {
			ret->probe = TAKE_PTR(blob);
			ret->probe_len = probe.len;
			return 0;
		}
		if (probe.len > TRNC_MAX_BLOB)
			break;
	}
	return client_refuse(err, -EPROTO, "BadReply", CLIENT_HINT_RESTART, "%s: its probe blob cannot be read",
			     s->device->path);
}

static struct client_accel *new_state(void)
{
	struct client_accel *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	pthread_cond_init(&a->changed, NULL);
	pthread_mutex_init(&a->shares_lock, NULL);
	base_list_init(&a->shares);
	return a;
}

/* Where the kernel's clock is a device's, reading it costs more than the sleep that spinning would spare. */
static bool is_clock_dear(void)
{
	static const char *const cheap[] = { "tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter" };
	char name[64] = "";
	_cleanup_close_ int fd = open("/sys/devices/system/clocksource/clocksource0/current_clocksource",
				      O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, name, sizeof(name) - 1) <= 0)
		return false;
	name[strcspn(name, "\n")] = '\0';
	for (size_t i = 0; i < sizeof(cheap) / sizeof(cheap[0]); i++)
		if (strcmp(name, cheap[i]) == 0)
			return false;
	return true;
}

int client_accel_create(struct client_session *s, const struct client_facts *facts, struct client_grant *ret,
			struct trn_error *err)
{
	struct drm_tranche_session_create create = { 0 };
	int r;

	s->accel = new_state();
	if (!s->accel)
		return client_refuse_memory(err);
	s->has_dear_clock = is_clock_dear();
	r = make_session(s, facts->features, &create, err);
	if (r < 0)
		return r;
	ret->quota = create.quota;
	ret->service = create.service;
	ret->flags = create.session_flags;
	ret->window_size = create.window_size;
	/* Programs keep what they were told first. */
	return s->device->is_known ? 0 : read_probe(s, create.probe_len, ret, err);
}

void client_accel_finish(struct client_session *s)
{
	struct client_accel *a = s->accel;

	if (!a)
		return;
	pthread_cond_destroy(&a->changed);
	pthread_mutex_destroy(&a->shares_lock);
	free(a);
	s->accel = NULL;
}

/* -------------------------------------------------------------- calls */

int client_accel_output_set(struct client_session *s, struct client_segment *seg, uint32_t data_len,
			    struct trn_error *err)
{
	struct drm_tranche_output_set set = { .handle = seg->handle, .data_len = data_len };
	int r = client_accel_ioctl(s, DRM_IOCTL_TRANCHE_OUTPUT_SET, &set);

	return r < 0 ? client_accel_refuse(s, r, "OUTPUT_SET", err) : 0;
}

int client_accel_build(struct client_context *c, uint64_t program, const struct client_mem *request,
		       const struct client_mem *reply, uint64_t *ret_len, struct trn_error *err)
{
	struct drm_tranche_program_build build = {
		.context = c->id,
		.request_handle = request->segment->handle,
		.reply_handle = reply->segment->handle,
		.program = program,
		.request_offset = request->offset - request->segment->offset,
		.request_len = request->size,
		.reply_offset = reply->offset - reply->segment->offset,
		.reply_cap = reply->size,
	};
	int r = client_accel_ioctl(c->session, DRM_IOCTL_TRANCHE_PROGRAM_BUILD, &build);

	if (r < 0)
		return client_accel_refuse(c->session, r, "PROGRAM_BUILD", err);
	*ret_len = build.reply_len;
	return 0;
}

int client_accel_query(struct client_context *c, uint64_t program, enum trnc_query what,
		       const struct client_mem *reply, uint64_t *ret_len, struct trn_error *err)
{
	struct drm_tranche_program_query query = {
		.context = c->id,
		.what = what,
		.reply_handle = reply->segment->handle,
		.program = program,
		.reply_offset = reply->offset - reply->segment->offset,
		.reply_cap = reply->size,
	};
	int r = client_accel_ioctl(c->session, DRM_IOCTL_TRANCHE_PROGRAM_QUERY, &query);

	if (r < 0)
		return client_accel_refuse(c->session, r, "PROGRAM_QUERY", err);
	*ret_len = query.reply_len;
	return 0;
}
