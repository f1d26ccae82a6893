/* SPDX-License-Identifier: MIT */
#include "device/vfio_user.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/runtime.h"
#include "base/socket.h"

/* Version 4: random. */
static int make_uuid(char ret[TRN_UUID_SIZE], struct trn_error *err)
{
	uint8_t b[16];

	if (getrandom(b, sizeof(b), 0) != sizeof(b))
		return trn_error_set(err, -errno, "NoRandom", "no random numbers for a UUID: %s", strerror(errno));
	b[6] = (b[6] & 0x0f) | 0x40;
	b[8] = (b[8] & 0x3f) | 0x80;
	snprintf(ret, TRN_UUID_SIZE, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2], b[3],
		 b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
	return 0;
}

int device_vfio_user_choose_names(struct device_vfio_user *v, struct device_process *p, struct trn_error *err)
{
	struct device_options *o = &p->options;
	int r = o->uuid ? trn_uuid_parse(o->uuid, strlen(o->uuid), v->uuid, err) : make_uuid(v->uuid, err);

	if (r < 0)
		return r;
	v->is_chosen = !o->uuid || (o->fd < 0 && !o->socket_path);
	o->uuid = v->uuid;
	if (o->fd < 0 && !o->socket_path) {
		r = base_runtime_socket(v->uuid, v->socket_path, sizeof(v->socket_path), err);
		if (r >= 0)
			r = base_runtime_make_folder(v->socket_path, err);
		if (r < 0)
			return r;
		o->socket_path = v->socket_path;
	}
	/* Before a second device of the same name takes the first one's terminals and screens. */
	return o->fd < 0 ? base_socket_check_free(o->socket_path, err) : 0;
}

static bool has_option(int fd, int option, int wanted)
{
	socklen_t len = sizeof(int);
	int value;

	return getsockopt(fd, SOL_SOCKET, option, &value, &len) == 0 && value == wanted;
}

int device_vfio_user_start(struct device_vfio_user *v, struct device_process *p, struct trn_error *err)
{
	struct trn_server_params params = { .dev = p->dev, .checks_owner = p->options.has_owner, .owner = p->options.owner };
	int r;

	/* What came by --fd. */
	if (!has_option(p->listener, SO_DOMAIN, AF_UNIX) || !has_option(p->listener, SO_TYPE, SOCK_STREAM) ||
	    !has_option(p->listener, SO_ACCEPTCONN, 1)) {
		trn_error_set(err, -EINVAL, "BadSocket", "descriptor %d is not a Unix stream socket that listens", p->listener);
		return trn_error_hint(err, "open a listening Unix socket at that number, or use --socket-path");
	}
	r = trn_server_create(&params, &v->server, err);
	if (r >= 0)
		r = trn_server_listen(v->server, TAKE_FD(p->listener), err);
	if (r >= 0 && v->is_chosen)
		fprintf(stderr, "tranche-device: device %s is at %s\n", p->options.uuid,
			p->options.socket_path ? p->options.socket_path : "the socket that was given");
	return r;
}

void device_vfio_user_limit_heaps(void)
{
	/* Each thread would have a heap of its own: two are enough for what is allocated here. */
	(void)mallopt(M_ARENA_MAX, 2);
}
