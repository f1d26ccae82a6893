/* SPDX-License-Identifier: MIT */
/*
 * The spare executor: one that is forked, and has the host's device ready, before a client asks for it.  It waits for
 * its SETUP; until then nothing comes from it, and no program's code has run in it.  Without tranche-parent there is
 * none: a process by itself would cost 12 MiB of memory that is not shared.
 */
#include "base/log.h"
#include "parents/compute/priv.h"

/* A program that has just got one has the processors to itself. */
#define PAUSE_US 300000u

static void send_prepare(struct compute_executor *ex)
{
	const struct {
		struct trnc_msg head;
		struct trnc_exec_prepare body;
	} packet = {
		.head = { .type = TRNC_EXEC_PREPARE, .len = sizeof(packet) },
		.body = {
			.host_device = ex->device->config->host_device,
			.flags = compute_executor_flags(ex->device),
		},
	};

	compute_link_send(&ex->link, &packet, sizeof(packet), -1);
}

static void make(struct compute_device *d)
{
	struct trn_error err = { 0 };

	if (d->spare || !d->config->keeps_spare || d->takes_no_more || !compute_forker_is_there(&d->forker))
		return;
	if (compute_executor_create(d, &d->spare, &err) < 0)
		base_log_error(BASE_LOG_DEBUG, &err);
	else
		send_prepare(d->spare);
}

static int on_pause_over(sd_event_source *source, uint64_t usec, void *data)
{
	struct compute_device *d = data;

	d->spare_pause = sd_event_source_disable_unref(d->spare_pause);
	make(d);
	return 0;
}

void compute_spare_start(struct compute_device *d)
{
	make(d);
}

struct compute_executor *compute_spare_take(struct compute_device *d)
{
	struct compute_executor *ex = d->spare;

	d->spare = NULL;
	if (d->config->keeps_spare && !d->spare_pause)
		(void)sd_event_add_time_relative(d->config->event, &d->spare_pause, CLOCK_MONOTONIC, PAUSE_US, 10000,
						 on_pause_over, d);
	return ex;
}

void compute_spare_drop(struct compute_device *d)
{
	struct compute_executor *ex = d->spare;

	d->spare_pause = sd_event_source_disable_unref(d->spare_pause);
	if (!ex)
		return;
	d->spare = NULL;
	d->was_idle = false; /* its end is to be told of */
	compute_executor_kill(ex);
	/* One that tranche-parent has yet to fork is not waited for, unless it has others to answer. */
	if (ex->start_id && !d->config->parent_socket)
		compute_forker_stop(&d->forker);
}
