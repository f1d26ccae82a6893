/* SPDX-License-Identifier: MIT */
/* The control thread: takes requests off their ring, puts replies on theirs, cleans up after a reset. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/cleanup.h"
#include "base/eventfd.h"
#include "base/thread.h"
#include "fake.h"
#include "fault.h"

#define SETTLE_MS 2

static struct trnc_control_guest *guest_part(struct fake *f)
{
	return (void *)(f->aperture + TRNC_CONTROL_GUEST);
}

static struct trnc_control_host *host_part(struct fake *f)
{
	return (void *)(f->aperture + TRNC_CONTROL_HOST);
}

static struct trnc_control_slot *slot_at(struct fake *f, uint64_t ring, uint64_t position)
{
	return (void *)(f->aperture + ring + position % TRNC_CONTROL_SLOTS * TRNC_CONTROL_SLOT_SIZE);
}

static uint64_t load(const __le64 *word)
{
	return atomic_load((const _Atomic uint64_t *)word);
}

static bool is_running(struct fake *f)
{
	return (atomic_load(&f->status) & (TRNC_STATUS_RUNNING | TRNC_STATUS_FAILED)) == TRNC_STATUS_RUNNING;
}

/* The guest has broken a rule of the rings. */
static void fail(struct fake *f, const char *why)
{
	fprintf(stderr, "fake: the driver broke a rule: %s\n", why);
	atomic_fetch_or(&f->status, TRNC_STATUS_FAILED);
	fake_sessions_end_all(f);
	fake_fire(f, 0);
}

static uint64_t room(struct fake *f)
{
	uint64_t in_use = f->replies - load(&guest_part(f)->reply_consumer);

	return in_use > TRNC_CONTROL_SLOTS ? 0 : TRNC_CONTROL_SLOTS - in_use;
}

static void publish(struct fake *f, uint64_t position)
{
	atomic_store((_Atomic uint64_t *)&host_part(f)->reply_producer, position);
}

void fake_put_raw(struct fake *f, const struct trnc_control_slot *slot)
{
	pthread_mutex_lock(&f->put_lock);
	memcpy(slot_at(f, TRNC_CONTROL_REPLIES, f->replies), slot, sizeof(*slot));
	publish(f, ++f->replies);
	pthread_mutex_unlock(&f->put_lock);
	fake_fire(f, 0);
}

/* Through what a hostile host makes of it. */
static void put(struct fake *f, struct trnc_control_slot *slot)
{
	struct fault_value producer = { .how = FAULT_ADD };
	unsigned int nr = fault_reply(f, slot, &producer);

	for (unsigned int i = 0; i < nr; i++)
		fake_put_raw(f, slot);
	if (producer.how == FAULT_SET || producer.value) {
		publish(f, producer.how == FAULT_SET ? producer.value : f->replies + producer.value);
		fake_fire(f, 0);
	}
	if (nr && f->fault.has_kept) {
		f->fault.has_kept = false;
		fake_put_raw(f, &f->fault.kept);
	}
}

void fake_reply(struct fake *f, uint32_t session, const struct trnc_msg *request, const void *body, uint32_t len)
{
	struct trnc_control_slot slot = {
		.session = session,
		.msg = { .type = request->type | TRNC_MSG_REPLY, .len = (uint32_t)sizeof(slot.msg) + len, .id = request->id },
	};

	if (len)
		memcpy(slot.body, body, len);
	put(f, &slot);
}

static void put_error(struct fake *f, struct trnc_control_slot *slot, const char *name, const char *text)
{
	struct trnc_error_body body = { .hint = "this is a test" };

	snprintf(body.name, sizeof(body.name), "%s", name);
	snprintf(body.text, sizeof(body.text), "%s", text);
	memcpy(slot->body, &body, sizeof(body));
	slot->msg.len = sizeof(slot->msg) + sizeof(body);
	put(f, slot);
}

void fake_refuse(struct fake *f, uint32_t session, const struct trnc_msg *request, int error, const char *text)
{
	struct trnc_control_slot slot = {
		.session = session,
		.msg = { .type = request->type | TRNC_MSG_REPLY, .id = request->id, .status = (uint32_t)error },
	};

	put_error(f, &slot, "Refused", text);
}

void fake_tell_lost(struct fake *f, uint32_t session, const char *text)
{
	struct trnc_control_slot slot = { .session = session, .msg.type = TRNC_MSG_SESSION_LOST };

	if (room(f))
		put_error(f, &slot, "Lost", text);
}

static bool take(struct fake *f)
{
	uint64_t producer = load(&guest_part(f)->request_producer);
	struct trnc_control_slot slot;

	if (producer == f->requests || room(f) <= f->nr_deferred)
		return false;
	if (producer - f->requests > TRNC_CONTROL_SLOTS) {
		fail(f, "request_producer");
		return false;
	}
	memcpy(&slot, slot_at(f, TRNC_CONTROL_REQUESTS, f->requests), sizeof(slot));
	f->requests++;
	atomic_store((_Atomic uint64_t *)&host_part(f)->request_consumer, f->requests);
	if (slot.reserved || slot.msg.flags || slot.msg.status || !slot.msg.id || slot.msg.len % 8 ||
	    slot.msg.len < sizeof(slot.msg) || slot.msg.len > sizeof(slot.msg) + sizeof(slot.body)) {
		fail(f, "the head of a request");
		return false;
	}
	fake_handle(f, &slot);
	return true;
}

static void clean_up(struct fake *f)
{
	uint32_t wanted = atomic_load(&f->nr_resets), status = 0;

	fake_sessions_end_all(f);
	if (fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)f->size) < 0)
		fprintf(stderr, "fake: the aperture cannot be emptied: %s\n", strerror(errno));
	f->requests = 0;
	pthread_mutex_lock(&f->put_lock);
	f->replies = 0;
	pthread_mutex_unlock(&f->put_lock);
	f->nr_deferred = 0;
	atomic_store(&f->probe_len, 0);
	f->resets_done = wanted;
	/* Another reset has come meanwhile: it says READY. */
	if (atomic_load(&f->nr_resets) == wanted)
		atomic_compare_exchange_strong(&f->status, &status, TRNC_STATUS_READY);
}

static void lose_sessions(struct fake *f)
{
	uint64_t wanted = atomic_exchange(&f->to_lose, 0);

	for (uint32_t n = 1; n <= FAKE_SESSIONS; n++)
		if (wanted & 1ull << (n - 1) && f->sessions[n].number)
			fake_session_lose(f, &f->sessions[n], TRNC_LOST_EXECUTOR);
}

static void *run(void *arg)
{
	struct fake *f = arg;

	while (!atomic_load(&f->stop)) {
		struct pollfd pfd = { .fd = f->wake, .events = POLLIN };

		(void)poll(&pfd, 1, f->nr_deferred ? SETTLE_MS : -1);
		base_eventfd_take(f->wake, NULL);
		if (f->resets_done != atomic_load(&f->nr_resets))
			clean_up(f);
		lose_sessions(f);
		fake_settle(f);
		while (is_running(f) && f->resets_done == atomic_load(&f->nr_resets) && take(f))
			;
	}
	fake_sessions_end_all(f);
	return NULL;
}

void fake_control_kick(struct fake *f)
{
	base_eventfd_signal(f->wake);
}

int fake_control_start(struct fake *f)
{
	int r;

	f->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (f->wake < 0)
		return -errno;
	pthread_mutex_init(&f->put_lock, NULL);
	atomic_store(&f->status, TRNC_STATUS_READY);
	r = base_thread_start(&f->thread, run, f);
	if (r < 0)
		base_close(f->wake);
	return r;
}

void fake_control_stop(struct fake *f)
{
	atomic_store(&f->stop, true);
	fake_control_kick(f);
	pthread_join(f->thread, NULL);
	base_close(f->wake);
}
