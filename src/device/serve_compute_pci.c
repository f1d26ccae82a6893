/* SPDX-License-Identifier: MIT */
/*
 * Compute devices for virtual machines: a guest comes over vfio-user, by the library's threads; what its sessions need is
 * done on the thread of the event loop, as for programs of this machine.
 *
 * The end comes in this order, and needs the loop until it is over: the server goes, in a thread of its own, because what a
 * guest asks at that moment may wait for the loop; then the sessions; the loop ends when nothing is left of them.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "base/cleanup.h"
#include "base/list.h"
#include "base/socket.h"
#include "base/thread.h"
#include "device/compute.h"
#include "device/vfio_user.h"

struct service {
	struct device_compute compute;
	struct device_vfio_user face;
	bool is_ending; /* the server belongs to the thread that ends it */
	bool is_served; /* until it is gone */
	bool has_ended;
	pthread_t ender;
	bool has_ender;
	int gone_fd; /* told by that thread */
	sd_event_source *gone;
	uint64_t clients; /* as the server counted them before it went */
};

static int check(const struct device_options *o, struct trn_error *err)
{
	if (o->control_fd >= 0) {
		trn_error_set(err, -EINVAL, "BadOption", "--control-fd is for devices of programs, not for type %s", o->type);
		return trn_error_hint(err, "leave it out; --control-socket is for both");
	}
	if (o->fd >= 0 && !o->runtime_dir && !o->control_socket) {
		trn_error_set(err, -EINVAL, "BadOption", "--fd needs --runtime-dir, too");
		return trn_error_hint(err, "name a private folder, or use --socket-path");
	}
	return 0;
}

static void handle_idle(struct device_compute *c)
{
	struct service *s = base_container_of(c, struct service, compute);

	if (!s->is_ending || s->is_served)
		return;
	s->has_ended = true;
	sd_event_exit(c->process->event, 0);
}

static int prepare(struct device_process *p, struct trn_error *err)
{
	struct service *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory left");
	p->service_data = s;
	s->gone_fd = -1;
	s->compute.idle = handle_idle;
	s->compute.wants_folder = true;
	device_vfio_user_limit_heaps();
	r = device_vfio_user_choose_names(&s->face, p, err);
	return r < 0 ? r : device_compute_prepare(&s->compute, p, err);
}

/* -------------------------------------------------------------------- end */

/* Nobody comes in any more, and nobody is in. */
static void handle_server_gone(struct service *s)
{
	s->is_served = false;
	s->gone = sd_event_source_disable_unref(s->gone);
	if (s->has_ender)
		pthread_join(s->ender, NULL);
	s->has_ender = false;
	s->face.server = NULL;
	compute_device_stop(s->compute.process->dev);
}

static int on_gone(sd_event_source *source, int fd, uint32_t events, void *data)
{
	handle_server_gone(data);
	return 0;
}

static void *end_server(void *arg)
{
	const struct service *s = arg;

	trn_server_destroy(s->face.server);
	(void)eventfd_write(s->gone_fd, 1);
	return NULL;
}

static void stop(struct device_process *p)
{
	struct service *s = p->service_data;
	struct trn_server_stats stats;

	if (s->is_ending)
		return;
	s->is_ending = true;
	trn_server_get_stats(s->face.server, &stats);
	s->clients = stats.clients;
	s->has_ender = base_thread_start(&s->ender, end_server, s) == 0;
	if (s->has_ender)
		return;
	trn_server_destroy(s->face.server);
	handle_server_gone(s);
}

/* A start that failed has not run the loop. */
static void end(struct device_process *p)
{
	struct service *s = p->service_data;

	if (!s->is_served && !s->is_ending)
		return;
	stop(p);
	while (!s->has_ended && sd_event_run(p->event, UINT64_MAX) >= 0)
		;
}

static void finish(struct device_process *p)
{
	struct service *s = p->service_data;

	sd_event_source_disable_unref(s->gone); /* of a server that could not be started */
	base_close(s->gone_fd);
	device_compute_finish(&s->compute);
	free(s);
}

/* ---------------------------------------------------------------- service */

static int start(struct device_process *p, struct trn_error *err)
{
	struct service *s = p->service_data;
	int r;

	s->gone_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = s->gone_fd < 0 ? -errno : sd_event_add_io(p->event, &s->gone, s->gone_fd, EPOLLIN, on_gone, s);
	if (r < 0)
		return trn_error_set(err, r, "NoEventLoop", "cannot watch the server: %s", strerror(-r));
	r = device_vfio_user_start(&s->face, p, err);
	s->is_served = s->face.server;
	return r;
}

static void force(struct device_process *p)
{
	struct service *s = p->service_data;

	if (!s->is_ending)
		trn_server_end_clients(s->face.server);
}

static void let_stay(const struct device_process *p)
{
	compute_device_let_stay(p->dev);
}

static void get_stats(const struct device_process *p, struct trnc_control_stats *ret)
{
	const struct service *s = p->service_data;
	struct trn_server_stats stats = { .clients = s->clients };

	if (!s->is_ending)
		trn_server_get_stats(s->face.server, &stats);
	device_compute_get_stats(p, ret);
	ret->sessions = stats.clients;
}

const struct device_service device_service_compute_pci = {
	.check = check,
	.listen = base_socket_listen_stream,
	.prepare = prepare,
	.start = start,
	.stop = stop,
	.force = force,
	.let_stay = let_stay,
	.set = device_compute_set,
	.get_stats = get_stats,
	.end = end,
	.finish = finish,
};
