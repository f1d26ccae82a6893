/* SPDX-License-Identifier: MIT */
/* One virtual compute device: its sessions and executors, and the housekeeping between them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/futex.h"
#include "base/log.h"
#include "base/memfd.h"
#include "base/peer.h"
#include "base/socket.h"
#include "parents/compute/priv.h"
#include "tranche/pci.h"

#define TICK_US 50000u
#define MIN_WINDOW (1ull << 37) /* addresses are cheap: a session never runs out of them before its quota */
#define MAX_WINDOW (1ull << 44)

uint64_t compute_window_size(const struct compute_device *d)
{
	uint64_t size = MIN_WINDOW;

	while (size < MAX_WINDOW && size / 4 < d->stats.quota)
		size *= 2;
	return size;
}

/* --------------------------------------------------------- housekeeping */

void compute_device_schedule_gc(struct compute_device *d)
{
	(void)sd_event_source_set_enabled(d->gc, SD_EVENT_ONESHOT);
}

static bool is_idle(const struct compute_device *d)
{
	const struct compute_executor *ex;

	base_list_for_each(ex, &d->executors, node)
		if (ex != d->spare)
			return false;
	return base_list_is_empty(&d->sessions) && d->nr_jobs == 0;
}

static void collect(struct compute_device *d)
{
	struct compute_session *s, *next;

	compute_executor_collect(d);
	base_list_for_each_safe(s, next, &d->sessions, node)
		compute_session_collect(s);
}

static int on_gc(sd_event_source *source, void *data)
{
	struct compute_device *d = data;

	collect(d);
	if (is_idle(d) && !d->was_idle) {
		d->was_idle = true;
		if (d->config->idle)
			d->config->idle(d->config->data);
	}
	return 0;
}

void compute_device_start_tick(struct compute_device *d)
{
	int enabled = SD_EVENT_OFF;

	if (sd_event_source_get_enabled(d->tick, &enabled) >= 0 && enabled != SD_EVENT_OFF)
		return;
	(void)sd_event_source_set_time_relative(d->tick, TICK_US);
	(void)sd_event_source_set_enabled(d->tick, SD_EVENT_ONESHOT);
}

static int on_tick(sd_event_source *source, uint64_t usec, void *data)
{
	struct compute_device *d = data;

	if (compute_segments_tick(d))
		compute_device_start_tick(d);
	return 0;
}

void compute_device_add_job(struct compute_device *d, struct compute_job *job)
{
	d->nr_jobs++;
	d->was_idle = false;
	compute_worker_add(d->worker, job);
}

void compute_device_job_done(struct compute_device *d)
{
	d->nr_jobs--;
	compute_device_schedule_gc(d);
}

/* ----------------------------------------------------------------- life */

static int add_sources(struct compute_device *d)
{
	sd_event *event = d->config->event;
	int r;

	r = compute_worker_create(event, &d->worker);
	if (r < 0)
		return r;
	r = sd_event_add_defer(event, &d->gc, on_gc, d);
	if (r < 0)
		return r;
	r = sd_event_source_set_enabled(d->gc, SD_EVENT_OFF);
	if (r < 0)
		return r;
	r = sd_event_add_time_relative(event, &d->tick, CLOCK_MONOTONIC, 0, 1000, on_tick, d);
	if (r < 0)
		return r;
	return sd_event_source_set_enabled(d->tick, SD_EVENT_OFF);
}

/* Whatever a guest has left, when the loop does not run any more. */
static void end_now(struct compute_device *d)
{
	compute_device_stop(d->dev);
	compute_executor_end_all(d);
	collect(d);
	d->worker = compute_worker_destroy(d->worker);
	collect(d);
}

static void free_device(struct compute_device *d)
{
	compute_forker_finish(&d->forker);
	compute_worker_destroy(d->worker);
	compute_face_destroy(d);
	compute_segments_drop_held(d);
	sd_event_source_disable_unref(d->gc);
	sd_event_source_disable_unref(d->tick);
	sd_event_source_disable_unref(d->behind);
	base_close(d->probe.fd);
	free(d);
}

static void init_device(struct compute_device *d, struct trn_device *dev)
{
	struct trn_resources resources;

	trn_device_get_resources(dev, &resources);
	d->dev = dev;
	d->config = trn_parent_priv(trn_type_parent(trn_device_type(dev)));
	d->probe.fd = -1;
	d->stats.quota = resources.amount[TRN_RESOURCE_MEMORY];
	d->takes_all = d->config->takes_all;
	d->was_idle = true;
	d->started_ns = base_clock_ns();
	base_list_init(&d->sessions);
	base_list_init(&d->executors);
	base_list_init(&d->held);
	compute_forker_init(&d->forker, d);
}

static int create(struct trn_device *dev, struct compute_device **ret, struct trn_error *err)
{
	struct compute_device *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory for a device");
	init_device(d, dev);
	r = add_sources(d);
	if (r < 0) {
		free_device(d);
		return trn_error_set(err, r, "NoMemory", "cannot set up a device: %s", strerror(-r));
	}
	*ret = d;
	return 0;
}

static int start(struct compute_device *d, struct trn_error *err)
{
	int r = d->config->parent_socket ? compute_forker_join(&d->forker, err) : 0;

	if (r < 0) {
		free_device(d);
		return r;
	}
	/* It loads the host's OpenCL while the first program starts. */
	compute_forker_start(&d->forker);
	compute_spare_start(d);
	return 0;
}

int compute_device_create(struct trn_device *dev, struct trn_error *err)
{
	struct compute_device *d;
	int r = create(dev, &d, err);

	if (r < 0)
		return r;
	trn_device_set_priv(dev, d);
	return start(d, err);
}

int compute_device_create_for_guest(struct trn_device *dev, struct trn_error *err)
{
	struct compute_device *d;
	int r = create(dev, &d, err);

	if (r < 0)
		return r;
	r = compute_face_create(d, err);
	if (r < 0) {
		free_device(d);
		return r;
	}
	return start(d, err);
}

/* Sessions of programs hold the device by their uses: there are none left.  Those of a guest may be. */
void compute_device_destroy(struct trn_device *dev)
{
	struct compute_device *d = to_compute(dev);

	if (d->face)
		end_now(d);
	free_device(d);
}

struct compute_device *to_compute(const struct trn_device *dev)
{
	return trn_device_get_ops(dev) == &compute_face_ops ? trn_pci_priv(trn_pci_of(dev)) : trn_device_priv(dev);
}

void compute_device_uuid(const struct compute_device *d, uint8_t ret[16])
{
	const char *uuid = trn_device_uuid(d->dev);

	for (size_t i = 0; i < 16; i++) {
		unsigned int byte = 0;

		if (*uuid == '-')
			uuid++;
		if (sscanf(uuid, "%2x", &byte) != 1)
			break;
		ret[i] = (uint8_t)byte;
		uuid += 2;
	}
}

/* ---------------------------------------------------------- connections */

static void turn_away(int sock, const struct trn_error *err)
{
	uint8_t farewell[COMPUTE_FAREWELL_LEN];

	compute_make_farewell(err, farewell);
	(void)base_send(sock, farewell, sizeof(farewell), NULL, 0);
	base_close(sock);
}

void compute_device_connect(struct trn_device *dev, int sock)
{
	struct compute_device *d = to_compute(dev);
	struct trn_error err = { 0 };

	if (d->is_stopping)
		trn_error_set(&err, -ESHUTDOWN, "DeviceStopping", "the device is being stopped");
	if (err.code || base_peer_check(sock, d->config->owner, &err) < 0) {
		turn_away(sock, &err);
		return;
	}
	compute_socket_connect(d, sock);
}

void compute_device_stop(struct trn_device *dev)
{
	struct compute_device *d = to_compute(dev);
	struct trn_error err = { 0 };

	d->is_stopping = true;
	compute_device_retire(dev);
	trn_error_set(&err, -ESHUTDOWN, "DeviceStopping", "the device is being stopped");
	compute_device_lose_sessions(dev, &err);
	d->was_idle = false;
	compute_device_schedule_gc(d);
}

void compute_device_lose_sessions(struct trn_device *dev, const struct trn_error *err)
{
	struct compute_device *d = to_compute(dev);
	struct compute_session *s;

	base_list_for_each(s, &d->sessions, node)
		compute_session_lose(s, TRNC_LOST_DEVICE, err);
}

void compute_device_retire(struct trn_device *dev)
{
	struct compute_device *d = to_compute(dev);

	d->takes_no_more = true;
	compute_spare_drop(d);
}

bool compute_device_is_idle(struct trn_device *dev)
{
	return is_idle(to_compute(dev));
}

void compute_device_get_stats(struct trn_device *dev, struct compute_stats *ret)
{
	const struct compute_device *d = to_compute(dev);
	const struct compute_executor *ex;
	const struct compute_session *s;

	*ret = d->stats;
	if (d->face)
		compute_face_get_stats(d->face, ret);
	base_list_for_each(ex, &d->executors, node)
		ret->executors_now += ex->pid > 0;
	if (!ret->executors_now)
		ret->behind = 0;
	ret->quota = d->takes_all && d->probe.fd < 0 ? 0 : d->stats.quota;
	ret->sessions_now = 0;
	base_list_for_each(s, &d->sessions, node) {
		ret->sessions_now += s->is_answered && s->state == SESSION_UP;
		ret->commands += compute_contexts_count_commands(s);
	}
	ret->uptime_ns = base_clock_ns() - d->started_ns;
}
