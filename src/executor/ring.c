/* SPDX-License-Identifier: MIT */
#include "executor/ring.h"

#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "base/futex.h"
#include "base/log.h"
#include "executor/buffer.h"
#include "executor/context.h"
#include "executor/decode.h"
#include "executor/graph.h"
#include "executor/image.h"
#include "executor/kernel.h"
#include "executor/program.h"
#include "executor/sampler.h"

#define SPIN_NS 20000u
#define SPIN_BUSY_NS 100000u
/* A yield that takes longer than this gave the CPU to a busy program, not to a worker with a short kernel: then rests
 * are for sleeping for a while, because who sleeps is preferred when it wakes.  So many times as long, so that trying
 * again costs little. */
#define CROWDED_NS 100000u
#define CROWDED_TIMES 16u
#define CROWDED_MAX_NS 1000000000u
#define CALM_SPINS 32u /* so many spins in a row that were not disturbed: the machine is calm */
/* So many rests in a row on the program's CPU, and then it is left: at first; more when that led to a busy one. */
#define TOGETHER 32u
#define TOGETHER_MAX 65536u
/* A guest pays for each wake-up with a trap, and writes its records some time apart: so long after the last one this side
 * looks by itself, at first often, before it asks to be woken.  Bounds of both: of a nap, and of all naps together. */
#define NAP_MIN_NS 50000u
#define NAP_MAX_NS 250000u
#define NAPS_MIN_NS 2000000u
#define NAPS_MAX_NS 20000000u
#define NAPS_GAPS 8u /* so many times the usual time between two records */
#define KICK_BYTES 4096u /* positions are told to who waits for them at least so often */
#define CONTROL_POLL_US 200
#define CONTROL_POLLS 5000u /* a second */

/* What is left at the ring's end when not even a PAD fits: skipped unread (docs/wire.md, section 4). */
#define RING_TAIL 8u

struct reader {
	struct exec_context *c;
	uint64_t consumer, producer; /* positions; producer as last seen */
	uint64_t signalled;	     /* consumer when a program that waits for room was last looked for */
	uint64_t gap_ns; /* smoothed, between the last rest and the next record */
	uint64_t crowded_until; /* no spinning before that time */
	uint32_t calm;		/* spins in a row that were not disturbed */
	uint32_t together;	/* rests in a row on the program's CPU */
	uint32_t together_next; /* so many are enough */
};

static uint64_t load_producer(const struct exec_context *c)
{
	return atomic_load((_Atomic uint64_t *)&c->user->producer);
}

/*
 * A program waits for room only while more than half of the ring is full, and is woken when that ends: once a half
 * ring, not once a record.
 */
static void signal_room(struct reader *r)
{
	uint64_t half = r->c->ring_len / 2;

	if (r->producer - r->signalled > half && r->producer - r->consumer <= half) {
		r->signalled = r->consumer;
		exec_context_signal_news(r->c);
	}
}

static void publish_consumer(struct reader *r)
{
	uint64_t before = atomic_exchange(&r->c->consumer, r->consumer);

	/* A ring that never runs empty must not keep segments from being unmapped. */
	if (before / KICK_BYTES != r->consumer / KICK_BYTES)
		exec_window_kick(&r->c->ex->window);
	atomic_store((_Atomic uint64_t *)&r->c->page->consumer, r->consumer);
	signal_room(r);
}

/* Takes a new producer position. False when it is impossible. */
static bool take_producer(struct reader *r, uint64_t producer)
{
	if (producer < r->producer || producer - r->consumer > r->c->ring_len || producer % 8)
		return false;
	r->producer = producer;
	signal_room(r);
	return true;
}

static void publish_cpu(struct exec_context *c, uint32_t cpu)
{
	atomic_store_explicit((_Atomic uint32_t *)&c->page->host_cpu, cpu, memory_order_relaxed);
}

static bool has_work(const struct reader *r)
{
	const struct exec_context *c = r->c;

	if (atomic_load(&c->has_ready) || atomic_load(&c->stopping) || exec_gate_has_moved(c))
		return true;
	return (load_producer(c) != r->producer || r->consumer != r->producer) && !exec_gate_is_full(c);
}

/*
 * Two that wake each other all the time end up on one CPU, where neither may spin, and each launch costs two switches.
 * A short trip to the others ends that; the scheduler stays free to bring us back.
 */
static bool leave_cpu(uint32_t cpu)
{
	cpu_set_t all, others;

	if (cpu >= CPU_SETSIZE || sched_getaffinity(0, sizeof(all), &all) < 0)
		return false;
	others = all;
	CPU_CLR(cpu, &others);
	if (CPU_COUNT(&others) == 0 || sched_setaffinity(0, sizeof(others), &others) < 0)
		return false;
	sched_setaffinity(0, sizeof(all), &all);
	return true;
}

static bool is_with_program(const struct exec_context *c, uint32_t cpu)
{
	return atomic_load_explicit((_Atomic uint32_t *)&c->user->user_cpu, memory_order_relaxed) == cpu;
}

/* Is this the program's CPU? One that was shared for long, in a quick exchange, is left. */
static bool shares_cpu(struct reader *r, uint32_t cpu)
{
	if (!is_with_program(r->c, cpu)) {
		r->together = 0;
		return false;
	}
	if (r->gap_ns > SPIN_BUSY_NS || ++r->together < r->together_next)
		return true;
	r->together = 0;
	if (!leave_cpu(cpu))
		return true;
	cpu = (uint32_t)sched_getcpu();
	publish_cpu(r->c, cpu);
	return is_with_program(r->c, cpu);
}

static void note_crowd(struct reader *r, uint64_t now, uint64_t lost_ns)
{
	uint64_t pause = lost_ns * CROWDED_TIMES;

	r->calm = 0;
	r->crowded_until = now + (pause < CROWDED_MAX_NS ? pause : CROWDED_MAX_NS);
	if (r->together_next < TOGETHER_MAX)
		r->together_next *= 2;
}

static void note_calm(struct reader *r)
{
	if (++r->calm < CALM_SPINS)
		return;
	r->calm = 0;
	r->together_next = TOGETHER;
}

/* Waits a little without sleeping, unless that would keep the program, or anybody else, from its CPU. */
static bool spin(struct reader *r)
{
	struct exec_context *c = r->c;
	uint64_t now = base_clock_ns(), last, end = now + (r->gap_ns < SPIN_BUSY_NS ? SPIN_BUSY_NS : SPIN_NS);
	uint32_t cpu = (uint32_t)sched_getcpu();

	publish_cpu(c, cpu);
	if (now < r->crowded_until || shares_cpu(r, cpu))
		return has_work(r);
	do {
		for (int i = 0; i < 32; i++) {
			if (has_work(r)) {
				note_calm(r);
				return true;
			}
			base_cpu_relax();
		}
		/* Whoever else wants this CPU, a worker of the host's OpenCL above all, goes first. */
		last = base_clock_ns();
		sched_yield();
		now = base_clock_ns();
		if (now - last > CROWDED_NS) {
			note_crowd(r, now, now - last);
			return has_work(r);
		}
	} while (now < end);
	note_calm(r);
	return has_work(r);
}

static uint64_t clamp(uint64_t value, uint64_t min, uint64_t max)
{
	return value < min ? min : value > max ? max : value;
}

/* Others that take turns with us do not wait for naps. */
static bool may_nap(const struct exec_context *c)
{
	return c->is_guest && (!c->ex->gate.page || !exec_gate_is_contended(&c->ex->gate));
}

/* With the flag clear, so that nobody is asked for a wake-up; exec_context_poke() ends a nap, and so does its end. */
static bool nap(struct reader *r)
{
	_Atomic uint32_t *asleep = (_Atomic uint32_t *)&r->c->user->host_asleep;
	uint64_t limit = clamp(r->gap_ns * NAPS_GAPS, NAPS_MIN_NS, NAPS_MAX_NS);
	uint64_t start = base_clock_ns(), passed = 0;

	while (passed < limit && may_nap(r->c)) {
		base_futex_wait(asleep, 0, (int64_t)clamp(passed / 4, NAP_MIN_NS, NAP_MAX_NS));
		if (has_work(r))
			return true;
		passed = base_clock_ns() - start;
	}
	return false;
}

static void rest(struct reader *r)
{
	_Atomic uint32_t *asleep = (_Atomic uint32_t *)&r->c->user->host_asleep;
	bool is_parked = r->c->gate.has_parked;
	uint64_t start = base_clock_ns(), gap;

	/* Who waits for the gate leaves the processors to those who are let. */
	if (is_parked || (!spin(r) && !nap(r))) {
		atomic_store(asleep, 1);
		while (!has_work(r)) {
			exec_gate_sleep(r->c, asleep);
			/* Woken, or the flag was changed by somebody: set it again before the next sleep. */
			if (!has_work(r))
				atomic_store(asleep, 1);
		}
		atomic_store(asleep, 0);
		publish_cpu(r->c, (uint32_t)sched_getcpu());
	}
	if (is_parked)
		return;
	gap = base_clock_ns() - start;
	r->gap_ns = gap > 8 * SPIN_BUSY_NS ? gap : (3 * r->gap_ns + gap) / 4;
}

/* Control messages that the record relies on are on their way: they come before anything else can. */
static bool wait_for_control(struct reader *r, uint64_t control_seq)
{
	_Atomic uint64_t *seen = &r->c->ex->window.seq;
	uint32_t polls = 0;

	/* Counted, not timed: we may be stopped for a while. */
	while (control_seq > atomic_load(seen)) {
		if (polls++ == CONTROL_POLLS || atomic_load(&r->c->stopping))
			return false;
		usleep(CONTROL_POLL_US);
	}
	return true;
}

static int32_t create_user_event(struct exec_context *c, uint64_t handle)
{
	struct exec_event *e;
	int32_t err;

	pthread_mutex_lock(&c->lock);
	e = exec_event_new_locked(c, handle, CL_SUBMITTED, &err);
	if (e)
		e->is_user = true;
	pthread_mutex_unlock(&c->lock);
	return err;
}

static void release_event(struct exec_context *c, uint64_t handle)
{
	pthread_mutex_lock(&c->lock);
	exec_event_release_locked(c, handle);
	pthread_mutex_unlock(&c->lock);
}

static int32_t handle_object(struct exec_context *c, const struct exec_record *r)
{
	switch (r->type) {
	case TRNC_REC_QUEUE_CREATE:
		return exec_queue_create(c, r->queue_create);
	case TRNC_REC_QUEUE_DESTROY:
		return exec_queue_destroy(c, r->object->handle);
	case TRNC_REC_BUFFER_CREATE:
		return exec_buffer_create(c, r->buffer_create);
	case TRNC_REC_SUB_BUFFER_CREATE:
		return exec_sub_buffer_create(c, r->sub_buffer_create);
	case TRNC_REC_BUFFER_DESTROY:
		return exec_buffer_destroy(c, r->buffer_destroy);
	case TRNC_REC_IMAGE_CREATE:
		return exec_image_create(c, r->image_create);
	case TRNC_REC_IMAGE_DESTROY:
		return exec_image_destroy(c, r->object->handle);
	case TRNC_REC_SAMPLER_CREATE:
		return exec_sampler_create(c, r->sampler_create);
	case TRNC_REC_SAMPLER_DESTROY:
		return exec_sampler_destroy(c, r->object->handle);
	case TRNC_REC_PROGRAM_DESTROY:
		return exec_program_destroy(c, r->object->handle);
	case TRNC_REC_KERNEL_CREATE:
		return exec_kernel_create(c, r->kernel_create);
	case TRNC_REC_KERNEL_CLONE:
		return exec_kernel_clone(c, r->kernel_clone);
	case TRNC_REC_KERNEL_DESTROY:
		return exec_kernel_destroy(c, r->object->handle);
	case TRNC_REC_KERNEL_EXEC_INFO:
		return exec_kernel_set_exec_info(c, r->kernel_exec_info);
	case TRNC_REC_USER_EVENT_CREATE:
		return create_user_event(c, r->object->handle);
	case TRNC_REC_USER_EVENT_SET:
		return exec_graph_set_event(c, r->user_event_set);
	case TRNC_REC_EVENT_RELEASE:
		/* A queue's event goes with the queue, so a handle that is gone is no mistake. */
		release_event(c, r->object->handle);
		return CL_SUCCESS;
	default:
		return CL_INVALID_OPERATION;
	}
}

/* The only look at the record in shared memory: all of it is copied before any of it is believed. */
static bool copy_record(struct reader *r, struct exec_rec_start *ret_start)
{
	struct exec_context *c = r->c;
	uint32_t at = (uint32_t)(r->consumer % c->ring_len);

	memcpy(ret_start, c->ring + at, sizeof(*ret_start));
	if (!exec_decode_start(ret_start, r->producer - r->consumer, c->ring_len - at))
		return false;
	if (ret_start->type == TRNC_REC_PAD)
		return true;
	memcpy(c->record, c->ring + at, ret_start->len);
	memcpy(c->record, ret_start, sizeof(*ret_start));
	return true;
}

/* Handles the record at the consumer's position. False when nobody can read past it. */
static bool handle_record(struct reader *r)
{
	struct exec_context *c = r->c;
	struct exec_rec_start start;
	struct exec_record rec;
	int32_t err;

	if (r->consumer % c->ring_len == c->ring_len - RING_TAIL) {
		r->consumer += RING_TAIL;
		publish_consumer(r);
		return true;
	}
	if (!copy_record(r, &start))
		return false;
	if (start.type == TRNC_REC_PAD) {
		r->consumer += start.len;
		publish_consumer(r);
		return true;
	}
	err = exec_decode(c->record, start.len, &rec);
	if (!wait_for_control(r, rec.rec->control_seq))
		return false;
	if (rec.is_command) {
		bool more = r->producer - r->consumer > start.len || load_producer(c) != r->producer;

		exec_graph_command(c, &rec, err, more);
	} else {
		if (!err)
			err = handle_object(c, &rec);
		if (err)
			exec_context_refuse(c, err);
	}
	/* After its objects are held, so that a segment's unmapping can rely on the position. */
	r->consumer += start.len;
	publish_consumer(r);
	return true;
}

static void lose(struct exec_context *c, uint32_t reason)
{
	log_info("context %u is lost: a record cannot be read", c->id);
	atomic_store((_Atomic uint32_t *)&c->page->lost, reason);
	exec_context_signal_news(c);
}

void *exec_ring_thread(void *arg)
{
	struct exec_context *c = arg;
	struct reader r = { .c = c, .gap_ns = SPIN_BUSY_NS, .together_next = TOGETHER };
	bool is_readable = true;

	publish_cpu(c, (uint32_t)sched_getcpu());
	while (!atomic_load(&c->stopping)) {
		if (exec_gate_has_moved(c))
			exec_gate_unpark(c);
		if (atomic_load(&c->has_ready))
			exec_graph_run(c);
		if (!take_producer(&r, load_producer(c))) {
			lose(c, TRNC_LOST_RECORD);
			break;
		}
		if (r.consumer == r.producer || exec_gate_is_full(c)) {
			exec_graph_settle(c);
			exec_window_kick(&c->ex->window);
			if (!has_work(&r))
				rest(&r);
			continue;
		}
		while (r.consumer != r.producer && (is_readable = handle_record(&r)) && !atomic_load(&c->stopping) &&
		       !exec_gate_has_moved(c) && !exec_gate_is_full(c)) {
		}
		if (!is_readable && !atomic_load(&c->stopping)) {
			lose(c, TRNC_LOST_RECORD);
			break;
		}
	}
	atomic_store(&c->ended, true);
	exec_window_kick(&c->ex->window);
	exec_gate_drain(c);
	return NULL;
}
