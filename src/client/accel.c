/* SPDX-License-Identifier: MIT */
#include "client/accel.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>

#include "client/refuse.h"

static int open_node(const char *path)
{
	return open(path, O_RDWR | O_CLOEXEC);
}

static int call_driver(int fd, unsigned long request, void *arg)
{
	return ioctl(fd, request, arg);
}

const struct client_accel_calls client_accel_libc = { .open = open_node, .ioctl = call_driver };

int client_accel_ioctl_raw(struct client_session *s, unsigned long request, void *arg)
{
	int r;

	do
		r = s->device->calls->ioctl(s->fd, request, arg);
	while (r < 0 && (errno == EINTR || errno == EAGAIN));
	return r < 0 ? -errno : 0;
}

static void lose(struct client_session *s, const char *name, const char *hint, const char *text)
{
	struct trn_error why = { 0 };

	client_refuse(&why, -ESHUTDOWN, name, hint, "%s", text);
	client_session_lose(s, &why);
}

static void lose_device(struct client_session *s)
{
	struct trn_error why = { 0 };

	client_refuse(&why, -ESHUTDOWN, "DeviceGone", CLIENT_HINT_RESTART, "%s: the device is gone", s->device->path);
	client_session_lose(s, &why);
}

bool client_accel_is_lost(struct client_session *s)
{
	struct drm_tranche_session_status status = { 0 };
	int r;

	if (atomic_load(&s->lost))
		return true;
	r = client_accel_ioctl_raw(s, DRM_IOCTL_TRANCHE_SESSION_STATUS, &status);
	if (r == -ENODEV) {
		lose_device(s);
	} else if (r == 0 && status.lost) {
		status.text[sizeof(status.text) - 1] = '\0';
		if (status.text[0])
			lose(s, "DeviceRefused", "a kernel may have crashed: a new context starts another executor",
			     (const char *)status.text);
		else
			lose_device(s);
	}
	return atomic_load(&s->lost);
}

int client_accel_ioctl(struct client_session *s, unsigned long request, void *arg)
{
	int r;

	if (client_session_is_gone(s))
		return -ESHUTDOWN;
	r = client_accel_ioctl_raw(s, request, arg);
	if (r == -ENODEV)
		lose_device(s);
	else if (r == -ESHUTDOWN || r == -EPROTO)
		client_accel_is_lost(s);
	return r == -ENODEV ? -ESHUTDOWN : r;
}

int client_accel_refuse(struct client_session *s, int r, const char *what, struct trn_error *err)
{
	if (client_session_is_gone(s))
		return client_session_refuse_lost(s, err);
	if (r == -EPROTO)
		return client_refuse(err, r, "BadReply", CLIENT_HINT_RESTART, "%s: %s: the host's answer makes no sense",
				     s->device->path, what);
	return client_refuse(err, r, "DeviceRefused", "the host's log of the device, and the guest's, may say more",
			     "%s: %s: %s", s->device->path, what, strerror(-r));
}

const struct client_transport client_accel = {
	.connect = client_accel_connect,
	.hello = client_accel_hello,
	.create = client_accel_create,
	.finish = client_accel_finish,
	.end_calls_locked = NULL,
	.drain = client_accel_drain,
	.memory = client_accel_memory,
	.segment_create = client_accel_segment_create,
	.segment_destroy = client_accel_segment_destroy,
	.segment_show = client_accel_segment_show,
	.segment_export = client_accel_export,
	.segment_import = client_accel_import,
	.context_create = client_accel_context_create,
	.context_end = client_accel_context_end,
	.context_free = client_accel_context_free,
	.block_add = client_accel_block_add,
	.output_set = client_accel_output_set,
	.output_sleep = client_accel_output_sleep,
	.output_wake = client_accel_output_wake,
	.build = client_accel_build,
	.query = client_accel_query,
	.sleep = client_accel_sleep,
	.wake = client_accel_wake,
	.wake_lost = client_accel_wake,
	.ring = client_accel_ring,
	.is_same_machine = false,
};
