/* SPDX-License-Identifier: MIT */
/*
 * Compute devices for programs: each connection is a session of the parent driver's.  New connections end with the stop; the loop ends
 * when the last session is gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/list.h"
#include "base/socket.h"
#include "device/compute.h"
#include "device/control.h"

struct service {
	struct device_compute compute;
	struct device_control control;
	sd_event_source *listen_io;
	bool is_ending; /* no new connections; the loop ends when the device is idle */
};

static void accept_all(struct service *s)
{
	for (;;) {
		int sock = accept4(s->compute.process->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (sock >= 0) {
			compute_device_connect(s->compute.process->dev, sock);
		} else if (errno == EMFILE || errno == ENFILE) {
			device_process_turn_one_away(s->compute.process, s->compute.process->listener);
			return;
		} else if (errno != EINTR && errno != ECONNABORTED) {
			return;
		}
	}
}

static int handle_connection(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	accept_all(data);
	return 0;
}

/* Those who knocked before are let in: their programs were started when the device still was there. */
static void stop_listening(struct service *s)
{
	s->is_ending = true;
	if (s->listen_io)
		accept_all(s);
	s->listen_io = sd_event_source_disable_unref(s->listen_io);
	s->compute.process->listener = base_close(s->compute.process->listener);
}

/* The command was killed: its program may go on, nobody new may come. */
static void handle_orphan(void *data)
{
	struct service *s = data;

	stop_listening(s);
	compute_device_retire(s->compute.process->dev);
	if (compute_device_is_idle(s->compute.process->dev))
		sd_event_exit(s->compute.process->event, 0);
}

static void handle_stop(void *data)
{
	struct service *s = data;

	stop_listening(s);
	compute_device_stop(s->compute.process->dev);
}

static void handle_idle(struct device_compute *c)
{
	struct service *s = base_container_of(c, struct service, compute);

	device_control_idle(&s->control);
	if (s->is_ending)
		sd_event_exit(s->compute.process->event, 0);
}

static int check(const struct device_options *o, struct trn_error *err)
{
	if (!o->uuid) {
		trn_error_set(err, -EINVAL, "BadOption", "--uuid is missing");
		return trn_error_hint(err, "name the device, as in --uuid $(uuidgen); "
					   "one for a virtual machine (--type compute-pci) needs none");
	}
	if ((o->fd < 0) == !o->socket_path)
		return trn_error_set(err, -EINVAL, "BadOption", "one of --fd and --socket-path is needed");
	if (!o->runtime_dir && !o->socket_path && !o->control_socket)
		return trn_error_set(err, -EINVAL, "BadOption", "--fd needs --runtime-dir, too");
	if (o->has_aperture) {
		trn_error_set(err, -EINVAL, "BadOption", "--aperture is for devices of virtual machines");
		return trn_error_hint(err, "add --type " COMPUTE_TYPE_PCI ", or leave it out");
	}
	return 0;
}

static int prepare(struct device_process *p, struct trn_error *err)
{
	struct service *s = calloc(1, sizeof(*s));

	if (!s)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory left");
	p->service_data = s;
	s->control.fd = -1;
	s->compute.idle = handle_idle;
	return device_compute_prepare(&s->compute, p, err);
}

static int start(struct device_process *p, struct trn_error *err)
{
	struct service *s = p->service_data;
	int r;

	if (fcntl(p->listener, F_SETFL, O_NONBLOCK) < 0)
		return trn_error_set(err, -errno, "BadSocket", "descriptor %d: %s", p->listener, strerror(errno));
	r = sd_event_add_io(p->event, &s->listen_io, p->listener, EPOLLIN, handle_connection, s);
	if (r >= 0 && p->options.control_fd >= 0) {
		s->control = (struct device_control){
			.dev = p->dev, .stop = handle_stop, .orphan = handle_orphan, .data = s
		};
		r = device_control_open(&s->control, p->event, p->options.control_fd);
	}
	return r < 0 ? trn_error_set(err, r, "NoEventLoop", "cannot watch the sockets: %s", strerror(-r)) : 0;
}

static void stop(struct device_process *p)
{
	handle_stop(p->service_data);
}

static void force(struct device_process *p)
{
	struct trn_error err = { 0 };

	trn_error_set(&err, -ESHUTDOWN, "DeviceTaken", "the device was taken away by its operator");
	trn_error_hint(&err, "start the program again when there is a device for it");
	compute_device_lose_sessions(p->dev, &err);
}

static void end(struct device_process *p)
{
	stop_listening(p->service_data);
}

/* Of several devices of one run each but the first has a numbered folder in the run's own; the last to end removes that. */
static void remove_folder_above(const char *path)
{
	const char *name = strrchr(path, '/');
	char above[PATH_MAX];

	if (!name || name == path || !name[1] || name[1 + strspn(name + 1, "0123456789")])
		return;
	snprintf(above, sizeof(above), "%.*s", (int)(name - path), path);
	(void)rmdir(above);
}

/*
 * "tranche run" removes its folder itself, unless it was killed.  Only what it puts there is removed, by name: whatever
 * else a folder on the command line holds is not ours to touch.
 */
static void remove_run_folder(const char *path)
{
	static const char *const files[] = { "device.sock", "vendors/tranche.icd" };
	_cleanup_close_ int dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		(void)unlinkat(dir, files[i], 0);
	(void)unlinkat(dir, "vendors", AT_REMOVEDIR);
	(void)rmdir(path);
	remove_folder_above(path);
}

static void finish(struct device_process *p)
{
	struct service *s = p->service_data;

	if (p->options.control_fd >= 0)
		remove_run_folder(s->compute.runtime_dir);
	/* Last: who waits for the control socket's end finds everything gone. */
	device_control_close(&s->control);
	device_compute_finish(&s->compute);
	free(s);
}

const struct device_service device_service_compute = {
	.check = check,
	.listen = base_socket_listen_anew,
	.prepare = prepare,
	.start = start,
	.stop = stop,
	.force = force,
	.set = device_compute_set,
	.get_stats = device_compute_get_stats,
	.end = end,
	.finish = finish,
};
