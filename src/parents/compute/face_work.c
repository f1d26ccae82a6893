/* SPDX-License-Identifier: MIT */
/* What the loop does when the bell rang: it ends what was reset, empties the aperture, and serves the rings. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "base/eventfd.h"
#include "base/log.h"
#include "parents/compute/face.h"

static struct compute_registers look(const struct compute_face *f)
{
	struct compute_registers regs;

	trn_pci_lock(f->pci);
	regs = f->regs;
	trn_pci_unlock(f->pci);
	return regs;
}

/* -------------------------------------------------------------- cleaning */

static int empty(struct compute_face *f)
{
	int r = compute_aperture_punch(&f->aperture, 0, f->aperture.size);

	return r < 0 ? r : compute_aperture_fill(&f->aperture, 0, FACE_CONTROL_SIZE);
}

/* The host device's record stays what it is. */
static void put_probe(const struct compute_face *f)
{
	const struct compute_probe *probe = &f->device->probe;

	if (probe->fd >= 0 && pread(probe->fd, f->memory + FACE_PROBE_OFFSET, probe->len, 0) != (ssize_t)probe->len)
		log_warning("the guest cannot be told what the host's device is: %s", strerror(errno));
}

/* A reset that came meanwhile is served next. */
static void set_ready(struct compute_face *f, uint32_t generation)
{
	put_probe(f);
	trn_pci_lock(f->pci);
	f->served = generation;
	if (f->regs.generation == generation)
		f->regs.status |= TRNC_STATUS_READY;
	trn_pci_unlock(f->pci);
	f->is_over = f->is_reset = false;
	compute_ring_clear(f);
	compute_shared_clear(f);
}

static void clean_in_thread(struct compute_job *job)
{
	struct compute_face *f = base_container_of(job, struct compute_face, clean);
	int r = empty(f);

	if (r < 0)
		log_warning("the guest's memory cannot be emptied: %s", strerror(-r));
	f->is_clean = r == 0;
}

static void on_cleaned(struct compute_job *job)
{
	struct compute_face *f = base_container_of(job, struct compute_face, clean);
	struct compute_device *d = f->device;

	f->is_cleaning = false;
	/* One that cannot be cleaned is not ready again before another reset. */
	if (f->is_clean)
		set_ready(f, f->cleaning);
	compute_face_ring_loop(f);
	compute_device_job_done(d);
}

static bool has_sessions(const struct compute_face *f)
{
	for (uint32_t i = 1; i <= FACE_SESSIONS; i++)
		if (f->slots[i].state != SLOT_FREE)
			return true;
	return false;
}

/* The last session that ends rings for us again. */
static void clean(struct compute_face *f, uint32_t generation)
{
	if (f->is_cleaning || has_sessions(f) || (!f->is_clean && f->cleaning == generation))
		return;
	f->is_cleaning = true;
	f->cleaning = generation;
	f->clean = (struct compute_job){ .run = clean_in_thread, .done = on_cleaned };
	compute_device_add_job(f->device, &f->clean);
}

/* ------------------------------------------------------------------ work */

static void end_all(struct compute_face *f, bool was_reset)
{
	struct trn_error err = { 0 };

	if (f->is_over)
		return;
	f->is_over = true;
	if (was_reset)
		trn_error_set(&err, -ESHUTDOWN, "DeviceReset", "the guest has reset the device, or left it");
	else
		trn_error_set(&err, -ESHUTDOWN, "RuleBroken", "the guest's driver has broken a rule of the device");
	compute_device_lose_sessions(f->device->dev, &err);
	compute_ring_clear(f);
}

void compute_face_work(struct compute_face *f)
{
	struct compute_registers regs = look(f);
	bool was_reset = regs.generation != f->served;

	if (was_reset || regs.status & TRNC_STATUS_FAILED)
		end_all(f, was_reset);
	if (was_reset && !f->is_reset) {
		f->is_reset = true;
		compute_device_schedule_gc(f->device);
	}
	if (was_reset)
		clean(f, regs.generation);
	else if (regs.status & TRNC_STATUS_RUNNING && !f->is_over)
		compute_ring_work(f);
}

static int on_kicked(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct compute_face *f = data;

	(void)base_eventfd_take(f->kick, NULL);
	compute_face_work(f);
	return 0;
}

static int on_again(sd_event_source *source, uint64_t usec, void *data)
{
	compute_face_work(data);
	return 0;
}

int compute_face_work_init(struct compute_face *f, struct trn_error *err)
{
	sd_event *event = f->device->config->event;
	int r;

	f->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = f->kick < 0 ? -errno : sd_event_add_io(event, &f->kicked, f->kick, EPOLLIN, on_kicked, f);
	if (r >= 0)
		r = sd_event_add_time_relative(event, &f->again, CLOCK_MONOTONIC, 0, 1000, on_again, f);
	if (r >= 0)
		r = sd_event_source_set_enabled(f->again, SD_EVENT_OFF);
	return r < 0 ? trn_error_set(err, r, "NoEventLoop", "cannot watch a device: %s", strerror(-r)) : 0;
}

int compute_face_prepare(struct compute_face *f, struct trn_error *err)
{
	int r = empty(f);

	if (r < 0)
		return trn_error_set(err, r, "NoAperture", "the guest's memory has no room for the control area: %s", strerror(-r));
	f->is_clean = true;
	set_ready(f, 0);
	return 0;
}
