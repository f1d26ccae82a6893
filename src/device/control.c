/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/socket.h"
#include "device/control.h"
#include "parents/compute/compute.h"
#include "tranche/wire/run.h"

static void send_stats(struct device_control *c)
{
	struct compute_stats s;
	struct trnc_run_stats reply;

	compute_device_get_stats(c->dev, &s);
	reply = (struct trnc_run_stats){
		.sessions = s.sessions,
		.quota = s.quota,
		.peak = s.peak,
		.granted = s.granted,
		.refused = s.refused,
		.executors_lost = s.executors_lost,
		.compiled = s.compiled,
		.stored = s.stored,
		.commands = s.commands,
		.cpu_ns = s.cpu_ns,
	};
	base_send(c->fd, &reply, sizeof(reply), NULL, 0);
}

/* A session that has just ended counts when its executor was reaped; one of a program in the background is not waited for. */
#define STATS_WAIT_US 500000u

void device_control_idle(struct device_control *c)
{
	if (!c->limit)
		return;
	c->limit = sd_event_source_disable_unref(c->limit);
	send_stats(c);
}

static int handle_limit(sd_event_source *source, uint64_t usec, void *data)
{
	device_control_idle(data);
	return 0;
}

static void handle_stats(struct device_control *c)
{
	if (compute_device_is_idle(c->dev) ||
	    sd_event_add_time_relative(sd_event_source_get_event(c->io), &c->limit, CLOCK_MONOTONIC, STATS_WAIT_US, 1000,
				       handle_limit, c) < 0)
		send_stats(c);
}

static int handle_packet(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct device_control *c = data;
	struct trnc_run_request request;
	size_t nr_fds = 0;
	ssize_t len = base_recv(fd, &request, sizeof(request), NULL, &nr_fds);

	if (len == -EAGAIN)
		return 0;
	if (len == (ssize_t)sizeof(request) && !request.reserved && request.what == TRNC_RUN_STATS) {
		if (!c->limit)
			handle_stats(c);
		return 0;
	}
	device_control_close(c);
	if (len == (ssize_t)sizeof(request) && !request.reserved && request.what == TRNC_RUN_STOP)
		c->stop(c->data);
	else
		c->orphan(c->data);
	return 0;
}

int device_control_open(struct device_control *c, sd_event *event, int fd)
{
	c->fd = fd;
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	return sd_event_add_io(event, &c->io, fd, EPOLLIN, handle_packet, c);
}

void device_control_close(struct device_control *c)
{
	c->io = sd_event_source_disable_unref(c->io);
	c->limit = sd_event_source_disable_unref(c->limit);
	c->fd = base_close(c->fd);
}
