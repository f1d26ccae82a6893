/* SPDX-License-Identifier: MIT */
/* PCI devices: served over vfio-user, by the library's threads; this one only waits for signals. */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/runtime.h"
#include "base/socket.h"
#include "device/process.h"
#include "tranche/server.h"

struct service {
	struct trn_server *server;
	bool is_chosen; /* UUID or path were not given: the person must be told */
	char uuid[TRN_UUID_SIZE];
	char socket_path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
};

static int check(const struct device_options *o, struct trn_error *err)
{
	const char *wrong = o->control_fd >= 0	? "--control-fd" :
			    o->runtime_dir	? "--runtime-dir" :
			    o->executor		? "--executor" :
			    o->has_host_device	? "--host-device" :
			    o->parent_socket	? "--parent-socket" :
			    o->has_behind	? "--behind" :
						  NULL;

	if (wrong)
		return trn_error_set(err, -EINVAL, "BadOption", "%s is for compute devices, not for parent driver %s", wrong, o->parent);
	return 0;
}

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

/* For use by hand: what was not given is chosen. */
static int choose_names(struct device_process *p, struct trn_error *err)
{
	struct device_options *o = &p->options;
	struct service *s = p->service_data;
	int r = o->uuid ? trn_uuid_parse(o->uuid, strlen(o->uuid), s->uuid, err) : make_uuid(s->uuid, err);

	if (r < 0)
		return r;
	s->is_chosen = !o->uuid || (o->fd < 0 && !o->socket_path);
	o->uuid = s->uuid;
	if (o->fd < 0 && !o->socket_path) {
		r = base_runtime_socket(s->uuid, s->socket_path, sizeof(s->socket_path), err);
		if (r >= 0)
			r = base_runtime_make_folder(s->socket_path, err);
		if (r < 0)
			return r;
		o->socket_path = s->socket_path;
	}
	/* Before a second device of the same name takes the first one's terminals and screens. */
	return o->fd < 0 ? base_socket_check_free(o->socket_path, err) : 0;
}

static int prepare(struct device_process *p, struct trn_error *err)
{
	p->service_data = calloc(1, sizeof(struct service));
	if (!p->service_data)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory left");
	/* Each thread would have a heap of its own: two are enough for what is allocated here. */
	(void)mallopt(M_ARENA_MAX, 2);
	/* No program is started, so none can give more rights than there are. */
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return choose_names(p, err);
}

static bool has_option(int fd, int option, int wanted)
{
	socklen_t len = sizeof(int);
	int value;

	return getsockopt(fd, SOL_SOCKET, option, &value, &len) == 0 && value == wanted;
}

static int start(struct device_process *p, struct trn_error *err)
{
	struct trn_server_params params = { .dev = p->dev, .checks_owner = p->options.has_owner, .owner = p->options.owner };
	struct service *s = p->service_data;
	int r;

	/* What came by --fd. */
	if (!has_option(p->listener, SO_DOMAIN, AF_UNIX) || !has_option(p->listener, SO_TYPE, SOCK_STREAM) ||
	    !has_option(p->listener, SO_ACCEPTCONN, 1)) {
		trn_error_set(err, -EINVAL, "BadSocket", "descriptor %d is not a Unix stream socket that listens", p->listener);
		return trn_error_hint(err, "open a listening Unix socket at that number, or use --socket-path");
	}
	r = trn_server_create(&params, &s->server, err);
	if (r >= 0)
		r = trn_server_listen(s->server, TAKE_FD(p->listener), err);
	if (r >= 0 && s->is_chosen)
		fprintf(stderr, "tranche-device: device %s is at %s\n", p->options.uuid,
			p->options.socket_path ? p->options.socket_path : "the socket that was given");
	return r;
}

static void stop(struct device_process *p)
{
	sd_event_exit(p->event, 0);
}

static void force(struct device_process *p)
{
	trn_server_end_clients(((struct service *)p->service_data)->server);
}

static void set(struct device_process *p, const struct trn_resources *want, device_set_done done, void *data)
{
	struct trn_error err = { 0 };

	done(data, trn_device_adjust(p->dev, want, &err) < 0 ? &err : NULL);
}

static void get_stats(const struct device_process *p, struct trnc_control_stats *ret)
{
	struct trn_server_stats stats;

	trn_server_get_stats(((struct service *)p->service_data)->server, &stats);
	ret->sessions = stats.clients;
	ret->commands = stats.accesses;
}

static void end(struct device_process *p)
{
	struct service *s = p->service_data;

	trn_server_destroy(s->server);
	s->server = NULL;
}

static void finish(struct device_process *p)
{
	free(p->service_data);
}

const struct device_service device_service_pci = {
	.check = check,
	.listen = base_socket_listen_stream,
	.prepare = prepare,
	.start = start,
	.stop = stop,
	.force = force,
	.set = set,
	.get_stats = get_stats,
	.end = end,
	.finish = finish,
};
