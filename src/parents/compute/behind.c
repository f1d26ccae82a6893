/* SPDX-License-Identifier: MIT */
/*
 * Memory that executors have beside buffers: programs, images, what the host's OpenCL needs for itself, what a kernel
 * takes.  It is measured from outside and bounded: no quota is worth much when a program can have as much again behind.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>

#include "base/cleanup.h"
#include "base/size.h"
#include "parents/compute/priv.h"

#define EVERY_US 1000000u
/*
 * What a compiler may take: cold builds of large programs were seen to need some hundred MiB, and what a driver makes for
 * itself (work-group functions, stacks and local memory of each worker, copies of images) grows with the work.
 */
#define ALLOWANCE (1ull << 30)

/* 0: no limit. */
static uint64_t allowance_of(const struct compute_device *d)
{
	if (d->config->has_behind)
		return d->config->behind;
	/* A host that does not use buffers in place has a copy of each. */
	return ALLOWANCE + d->stats.quota / 4 + (d->probe.flags & TRNC_SESSION_COHERENT ? 0 : d->stats.quota);
}

static bool is_alive(int pidfd)
{
	return pidfd_send_signal(pidfd, 0, NULL, 0) == 0;
}

/* Bytes of private memory; 0 when they cannot be told. */
static uint64_t measure(const struct compute_executor *ex)
{
	_cleanup_close_ int fd = -1;
	char text[4096];
	const char *at;
	ssize_t len;

	snprintf(text, sizeof(text), "/proc/%d/status", (int)ex->pid);
	fd = open(text, O_RDONLY | O_CLOEXEC);
	len = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
	/* While it lives its number is nobody else's. */
	if (len <= 0 || !is_alive(ex->pidfd))
		return 0;
	text[len] = '\0';
	at = strstr(text, "\nRssAnon:");
	return at ? strtoull(at + strlen("\nRssAnon:"), NULL, 10) * 1024 : 0;
}

static void end_greedy(struct compute_executor *ex, uint64_t has, uint64_t may)
{
	char has_text[BASE_SIZE_TEXT], may_text[BASE_SIZE_TEXT];
	struct trn_error why = { 0 };

	trn_error_set(&why, -ENOMEM, "TooMuchBehind", "had %s of memory beside its buffers and was ended: it may have %s",
		      base_size_format(has, has_text), base_size_format(may, may_text));
	trn_error_hint(&why, "release programs and images that are not needed any more, or give the device more memory");
	compute_session_executor_ended(ex->session, &why);
}

static int on_time(sd_event_source *source, uint64_t usec, void *data)
{
	struct compute_device *d = data;
	uint64_t total = 0, may = allowance_of(d);
	bool has_any = false;
	struct compute_executor *ex;

	base_list_for_each(ex, &d->executors, node) {
		uint64_t has;

		if (!ex->session || ex->is_killed)
			continue;
		has_any = true;
		has = ex->pid ? measure(ex) : 0;
		total += has;
		if (may && has > may)
			end_greedy(ex, has, may);
	}
	d->stats.behind = total;
	d->behind = sd_event_source_disable_unref(d->behind);
	if (has_any)
		compute_behind_start(d);
	return 0;
}

void compute_behind_start(struct compute_device *d)
{
	if (!d->behind)
		(void)sd_event_add_time_relative(d->config->event, &d->behind, CLOCK_MONOTONIC, EVERY_US, 50000, on_time, d);
}
