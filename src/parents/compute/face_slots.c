/* SPDX-License-Identifier: MIT */
/*
 * Sessions of a guest.  One that is lost keeps its slot, its window and its charges until the guest has closed it: until
 * then the guest's programs may have the memory mapped.  A slot is free when its window is empty.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "base/cleanup.h"
#include "base/eventfd.h"
#include "base/log.h"
#include "base/range.h"
#include "parents/compute/face.h"

void compute_slots_init(struct compute_face *f)
{
	for (uint32_t i = 0; i <= FACE_SESSIONS; i++) {
		f->slots[i].face = f;
		f->slots[i].event_fd = -1;
	}
}

/* ---------------------------------------------------------------- waking */

static bool is_kernel_asleep(const struct compute_context *context)
{
	return context && context->kernel &&
	       atomic_exchange((_Atomic uint32_t *)&context->kernel->kernel_asleep, TRNC_KERNEL_AWAKE) != TRNC_KERNEL_AWAKE;
}

static void interrupt(const struct compute_slot *slot)
{
	uint64_t offset = TRNC_CONTROL_PENDING + slot->vector * sizeof(struct trnc_control_pending);
	_Atomic uint64_t *pending = (_Atomic uint64_t *)(void *)(slot->face->memory + offset);

	atomic_fetch_or(pending, 1ull << (compute_slot_number(slot) - 1));
	compute_face_fire(slot->face, slot->vector);
}

static void wake_sleepers(const struct compute_slot *slot)
{
	bool any = false;

	for (uint32_t i = 1; i <= TRNC_MAX_CONTEXTS; i++)
		any = is_kernel_asleep(slot->session->contexts[i]) || any;
	if (any)
		interrupt(slot);
}

static int on_event(sd_event_source *source, int fd, uint32_t events, void *data)
{
	const struct compute_slot *slot = data;

	(void)base_eventfd_take(fd, NULL);
	if (!slot->face->is_over)
		wake_sleepers(slot);
	return 0;
}

void compute_slot_wake(const struct compute_slot *slot)
{
	if (!slot->face->is_over)
		interrupt(slot);
}

/* ------------------------------------------------------------------ memory */

size_t compute_slot_fill_setup(const struct compute_slot *slot, struct trnc_exec_setup *setup, int fds[2])
{
	const struct compute_face *f = slot->face;

	setup->window_offset = slot->window;
	if (slot->features & TRNC_FEATURE_SHARING) {
		setup->shared_offset = f->shared_offset;
		setup->shared_size = f->shared_size;
	}
	fds[0] = f->aperture.fd;
	fds[1] = slot->event_fd;
	return 2;
}

/* What the host itself touches must be there; a buffer's memory comes when it is touched. */
int compute_slot_grant(const struct compute_slot *slot, const struct trnc_segment_create *c)
{
	int r;

	if (c->kind != TRNC_SEGMENT_SERVICE)
		return 0;
	r = compute_aperture_fill(&slot->face->aperture, slot->window + c->offset, c->size);
	if (r < 0)
		compute_slot_take_back(slot, c->offset, c->size);
	return r;
}

void compute_slot_take_back(const struct compute_slot *slot, uint64_t offset, uint64_t size)
{
	int r = compute_aperture_punch(&slot->face->aperture, slot->window + offset, size);

	if (r < 0)
		log_warning("a segment's memory cannot be given back: %s", strerror(-r));
}

void *compute_slot_channel(const struct compute_slot *slot, uint64_t offset)
{
	return slot->face->memory + slot->window + offset;
}

void compute_slot_set_bell(const struct compute_slot *slot, uint32_t context, struct trnc_user_page *user)
{
	compute_bells_set(&slot->face->bells, compute_slot_number(slot), context, user ? &user->host_asleep : NULL);
}

void compute_slot_set_output(const struct compute_slot *slot, uint64_t offset)
{
	struct trnc_output *output = compute_slot_channel(slot, offset);

	compute_bells_set(&slot->face->bells, compute_slot_number(slot), 0, &output->host_asleep);
}

/* ------------------------------------------------------- what a session asks */

static void set_end(struct compute_slot *slot, const void *packet, size_t len)
{
	slot->state = SLOT_CLOSING;
	slot->end_len = len;
	memcpy(slot->end, packet, len);
}

static void send_packet(struct compute_session *s, const void *packet, size_t len, int fd)
{
	struct compute_slot *slot = s->slot;
	const struct trnc_msg *m = packet;

	/* A session that did not come to be is told of when nothing is left of it: the slot is free then. */
	if (slot->state == SLOT_OPEN && m->status && len <= sizeof(slot->end) &&
	    m->type == ((uint32_t)TRNC_MSG_SESSION_OPEN | TRNC_MSG_REPLY) && m->id == s->create_id)
		set_end(slot, packet, len);
	else
		compute_ring_send(slot->face, compute_slot_number(slot), packet, len);
}

/* The rings are common: who sends too much to a busy executor is bounded by what that may have open. */
static void pause_client(struct compute_session *s, bool pause)
{
}

static void say_farewell(struct compute_session *s, const struct trn_error *err)
{
	_Alignas(8) uint8_t farewell[COMPUTE_FAREWELL_LEN];
	struct compute_slot *slot = s->slot;

	if (slot->state != SLOT_OPEN)
		return;
	slot->state = SLOT_LOST;
	compute_make_farewell(err, farewell);
	compute_ring_send(slot->face, compute_slot_number(slot), farewell, sizeof(farewell));
	compute_slot_wake(slot);
}

static void empty_in_thread(struct compute_job *job)
{
	const struct compute_slot *slot = base_container_of(job, struct compute_slot, job);
	int r = compute_aperture_punch(&slot->face->aperture, slot->window, slot->window_size);

	if (r < 0)
		log_warning("a session's memory cannot be given back: %s", strerror(-r));
}

static void on_emptied(struct compute_job *job)
{
	struct compute_slot *slot = base_container_of(job, struct compute_slot, job);
	struct compute_device *d = slot->face->device;

	slot->is_empty = true;
	compute_device_job_done(d);
}

/* Without a guest that would close it, it ends by itself. */
static bool keeps_memory(struct compute_session *s)
{
	struct compute_slot *slot = s->slot;

	if (slot->state == SLOT_LOST && !slot->face->is_reset && !s->device->is_stopping)
		return true;
	if (slot->is_emptying)
		return !slot->is_empty;
	slot->is_emptying = true;
	slot->job = (struct compute_job){ .run = empty_in_thread, .done = on_emptied };
	compute_device_add_job(s->device, &slot->job);
	return true;
}

static bool is_gone(const struct compute_session *s)
{
	return true;
}

static void free_slot(struct compute_slot *slot)
{
	compute_bells_set(&slot->face->bells, compute_slot_number(slot), 0, NULL);
	sd_event_source_disable_unref(slot->event);
	base_close(slot->event_fd);
	*slot = (struct compute_slot){ .face = slot->face, .event_fd = -1 };
}

static void forget(struct compute_session *s)
{
	struct compute_slot *slot = s->slot;
	struct compute_face *f = slot->face;
	uint32_t number = compute_slot_number(slot);
	_Alignas(8) uint8_t end[FACE_REPLY_MAX];
	size_t len = slot->state == SLOT_CLOSING ? slot->end_len : 0;

	memcpy(end, slot->end, len);
	free_slot(slot);
	if (len)
		compute_ring_send(f, number, end, len);
	compute_face_ring_loop(f); /* it may have been what a reset waits for */
}

static const struct compute_client_ops client_ops = {
	.send = send_packet,
	.pause = pause_client,
	.farewell = say_farewell,
	.keeps_memory = keeps_memory,
	.is_gone = is_gone,
	.forget = forget,
};

/* ------------------------------------------------------------------ open */

static int check_window(const struct compute_face *f, const struct trnc_session_open *o, struct trn_error *err)
{
	uint64_t mask = FACE_WINDOW_ALIGN - 1;

	if (o->window & mask || o->window_size & mask || !o->window_size || o->window < f->windows_offset ||
	    !base_range_is_within(o->window, o->window_size, f->aperture.size))
		return trn_error_set(err, -EINVAL, "BadWindow", "a window of 0x%llx bytes cannot be at 0x%llx of the aperture",
				     (unsigned long long)o->window_size, (unsigned long long)o->window);
	for (uint32_t i = 1; i <= FACE_SESSIONS; i++)
		if (base_range_overlaps(o->window, o->window_size, f->slots[i].window, f->slots[i].window_size))
			return trn_error_set(err, -EEXIST, "WindowOverlaps", "the window at 0x%llx overlaps that of session %u",
					     (unsigned long long)o->window, i);
	return 0;
}

static int check_base(const struct trnc_session_open *o, struct trn_error *err)
{
	bool has_svm = o->features & TRNC_FEATURE_SVM;
	uint64_t end;

	if (has_svm != !!o->window_base || !base_is_page_aligned(o->window_base) ||
	    __builtin_add_overflow(o->window_base, o->window_size, &end))
		return trn_error_set(err, -EINVAL, "BadWindow", "the window's address cannot be 0x%llx",
				     (unsigned long long)o->window_base);
	return 0;
}

static int check_open(const struct compute_face *f, uint32_t number, const struct trnc_session_open *o, struct trn_error *err)
{
	int r;

	if (f->device->is_stopping)
		return trn_error_set(err, -ESHUTDOWN, "DeviceStopping", "the device is being stopped");
	if (f->slots[number].state != SLOT_FREE)
		return trn_error_set(err, -EEXIST, "SessionExists", "session %u is there already", number);
	if (o->features & ~compute_face_driver_features(f))
		return trn_error_set(err, -EINVAL, "BadFeatures", "features 0x%llx were not picked by the driver",
				     (unsigned long long)o->features);
	if (o->reserved)
		return trn_error_set(err, -EINVAL, "BadMessage", "what is reserved must be 0");
	if (o->vector >= FACE_VECTORS)
		return trn_error_set(err, -EINVAL, "BadVector", "there is no vector %u", o->vector);
	if (!memchr(o->cwd, '\0', sizeof(o->cwd)))
		return trn_error_set(err, -EINVAL, "BadFolder", "the working folder has no end");
	r = check_window(f, o, err);
	return r < 0 ? r : check_base(o, err);
}

static int watch_event(struct compute_slot *slot, struct trn_error *err)
{
	sd_event *event = slot->face->device->config->event;
	int r;

	slot->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = slot->event_fd < 0 ? -errno : sd_event_add_io(event, &slot->event, slot->event_fd, EPOLLIN, on_event, slot);
	return r < 0 ? trn_error_set(err, r, "NoMemory", "cannot serve a session: %s", strerror(-r)) : 0;
}

static int begin(struct compute_slot *slot, const struct trnc_msg *m, const struct trnc_session_open *o, struct trn_error *err)
{
	const struct compute_wish wish = {
		.has_svm = o->features & TRNC_FEATURE_SVM,
		.window_base = o->window_base,
		.cwd = o->cwd,
	};
	struct compute_session *s = compute_session_new(slot->face->device, &client_ops);
	int r;

	if (!s)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory for a session");
	slot->session = s;
	s->slot = slot;
	s->window_size = o->window_size;
	snprintf(s->peer, sizeof(s->peer), "slot %u of the guest", compute_slot_number(slot));
	compute_session_add(s);
	r = compute_session_begin(s, m, &wish, err);
	if (r < 0)
		compute_session_free(s);
	return r;
}

static int open_slot(struct compute_slot *slot, const struct trnc_msg *m, const struct trnc_session_open *o, struct trn_error *err)
{
	int r;

	slot->window = o->window;
	slot->window_size = o->window_size;
	slot->features = o->features;
	slot->vector = o->vector;
	slot->state = SLOT_OPEN;
	r = watch_event(slot, err);
	if (r == 0)
		r = begin(slot, m, o, err);
	if (r < 0)
		free_slot(slot);
	return r;
}

static void handle_open(struct compute_face *f, uint32_t number, const struct trnc_msg *m, const void *body)
{
	const struct trnc_session_open *o = body;
	struct trn_error err = { 0 };

	if (check_open(f, number, o, &err) < 0 || open_slot(&f->slots[number], m, o, &err) < 0)
		compute_ring_refuse(f, number, m, &err);
}

/* ----------------------------------------------------------------- close */

static void handle_close(struct compute_slot *slot, const struct trnc_msg *m)
{
	struct trnc_msg reply = { .type = m->type | TRNC_MSG_REPLY, .len = sizeof(reply), .id = m->id };
	struct trn_error err = { 0 };

	set_end(slot, &reply, sizeof(reply));
	trn_error_set(&err, -ESHUTDOWN, "SessionClosed", "the guest has closed it");
	compute_session_lose(slot->session, TRNC_LOST_DEVICE, &err);
	compute_device_schedule_gc(slot->face->device);
}

/* ------------------------------------------------------------- messages */

static const struct compute_handler handlers[] = {
	[TRNC_MSG_SHARED_ATTACH] = { sizeof(struct trnc_shared_range), SESSION_UP, "SHARED_ATTACH", compute_shared_handle_attach },
	[TRNC_MSG_SHARED_DETACH] = { sizeof(struct trnc_segment_destroy), SESSION_UP, "SHARED_DETACH",
				     compute_shared_handle_detach },
};

#define NR_HANDLERS (sizeof(handlers) / sizeof(handlers[0]))

static int check_message(const struct trnc_msg *m, size_t body_len, struct trn_error *err)
{
	if (m->id == 0 || m->status || m->flags)
		return trn_error_set(err, -EINVAL, "BadMessage", "the id must not be 0, status and flags must");
	if (m->len - sizeof(*m) != body_len)
		return trn_error_set(err, -EINVAL, "BadLength", "the body has %zu bytes, not %zu", body_len, m->len - sizeof(*m));
	return 0;
}

static void handle_others(const struct compute_slot *slot, const struct trnc_msg *m, const void *body)
{
	struct trn_error err = { 0 };
	uint32_t number = compute_slot_number(slot);

	if (slot->state == SLOT_OPEN) {
		compute_session_dispatch(slot->session, handlers, NR_HANDLERS, m, body);
		return;
	}
	if (slot->state == SLOT_LOST)
		trn_error_set(&err, -ESHUTDOWN, "SessionLost", "session %u is lost", number);
	else
		trn_error_set(&err, -ENOENT, "NoSession", "there is no session %u", number);
	compute_ring_refuse(slot->face, number, m, &err);
}

void compute_slot_handle(struct compute_face *f, uint32_t number, const struct trnc_msg *m, const void *body)
{
	struct compute_slot *slot = &f->slots[number];
	bool is_open = m->type == TRNC_MSG_SESSION_OPEN;
	struct trn_error err = { 0 };

	if (!is_open && m->type != TRNC_MSG_SESSION_CLOSE) {
		handle_others(slot, m, body);
		return;
	}
	if (check_message(m, is_open ? sizeof(struct trnc_session_open) : 0, &err) < 0) {
		compute_ring_refuse(f, number, m, &err);
	} else if (is_open) {
		handle_open(f, number, m, body);
	} else if (slot->state == SLOT_FREE || slot->state == SLOT_CLOSING) {
		trn_error_set(&err, -ENOENT, "NoSession", "there is no session %u", number);
		compute_ring_refuse(f, number, m, &err);
	} else {
		handle_close(slot, m);
	}
}
