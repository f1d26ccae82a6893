/* SPDX-License-Identifier: MIT */
/* The calls of uapi/drm/tranche_accel.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

#define CALL(w, f, name, args)                                                                     \
	({                                                                                         \
		fuzz_spoil(w, &(args), sizeof(args));                                              \
		fuzz_ioctl(w, (f)->fd, DRM_IOCTL_TRANCHE_##name, &(args), sizeof(args));           \
	})

static long open_file(struct worker *w)
{
	struct file *f = fuzz_file(w);
	int fd;

	if (f->fd >= 0)
		return NOTHING;
	fd = fuzz_open(w->world);
	fuzz_forget(f);
	f->fd = fd < 0 ? -1 : fd;
	return fd;
}

static long close_file(struct worker *w)
{
	struct file *f = fuzz_file(w);
	int fd = f->fd;

	if (fd < 0)
		return NOTHING;
	fuzz_forget(f);
	return close(fd) < 0 ? -errno : 0;
}

static long get_info(struct worker *w)
{
	struct drm_tranche_info args = { 0 };

	return CALL(w, fuzz_file(w), GET_INFO, args);
}

/* Only where nothing of ours is overwritten, however long a hostile host says that the blob is. */
static long get_probe(struct worker *w)
{
	static __thread char blob[65536];
	uint8_t *there = fuzz_some_address(w);
	struct drm_tranche_get_probe args = { .data = (uintptr_t)blob, .len = fuzz_one_in(w, 4) ? fuzz_below(w, 64) : sizeof(blob) };

	if (fuzz_one_in(w, 4) && there < fuzz_slot_at(w->world, NR_SLOTS - 1)) {
		args.data = (uintptr_t)there;
		args.len = fuzz_one_in(w, 2) ? (uint32_t)fuzz_odd_number(w) : 4096;
	} else if (fuzz_one_in(w, 16)) {
		args.data = fuzz_one_in(w, 2) ? 0 : UINT64_MAX - 64;
	}
	args.pad = fuzz_one_in(w, 32);
	return fuzz_ioctl(w, fuzz_file(w)->fd, DRM_IOCTL_TRANCHE_GET_PROBE, &args, sizeof(args));
}

static long session_create(struct worker *w)
{
	static char cwd[1024] = "/root";
	struct file *f = fuzz_file(w);
	struct drm_tranche_session_create args = {
		.flags = fuzz_one_in(w, 3) ? 0 : DRM_TRANCHE_SESSION_SHARING,
		.vector_hint = fuzz_below(w, 16),
		.cwd = (uintptr_t)cwd,
		.cwd_len = fuzz_one_in(w, 4) ? fuzz_below(w, 1100) : 5,
	};
	long r;

	if (f->has_session && !fuzz_one_in(w, 16))
		return NOTHING;
	if (fuzz_one_in(w, 16))
		args.cwd = (uintptr_t)fuzz_some_address(w);
	r = CALL(w, f, SESSION_CREATE, args);
	if (r >= 0) {
		f->has_session = true;
		f->is_sharing = args.flags & DRM_TRANCHE_SESSION_SHARING;
	}
	return r;
}

static long session_status(struct worker *w)
{
	struct drm_tranche_session_status args = { 0 };

	return CALL(w, fuzz_session(w), SESSION_STATUS, args);
}

static long memory_query(struct worker *w)
{
	struct drm_tranche_memory args = { 0 };

	return CALL(w, fuzz_session(w), MEMORY_QUERY, args);
}

static long gem_create(struct worker *w)
{
	struct file *f = fuzz_session(w);
	struct object *o = fuzz_new_object(f);
	struct drm_tranche_gem_create args = {
		.size = 4096ull << fuzz_below(w, fuzz_one_in(w, 8) ? 14 : 9),
		.kind = fuzz_one_in(w, 3) ? DRM_TRANCHE_GEM_SERVICE : DRM_TRANCHE_GEM_BUFFER,
	};
	long r;

	if (!o)
		return NOTHING;
	if (args.kind == DRM_TRANCHE_GEM_BUFFER && f->is_sharing && fuzz_one_in(w, 2))
		args.flags = DRM_TRANCHE_GEM_EXPORTABLE;
	r = CALL(w, f, GEM_CREATE, args);
	if (r >= 0)
		*o = (struct object){ args.handle, args.kind, args.size, args.offset, args.mmap_offset };
	return r;
}

static long gem_destroy(struct worker *w)
{
	struct file *f = fuzz_session(w);
	struct object *o = fuzz_object(w, f, 0);
	const struct context *c = fuzz_context(w, f);
	struct drm_tranche_gem_destroy args = { .handle = fuzz_some_handle(w, f) };

	if (o)
		args.handle = o->handle;
	if (c && fuzz_one_in(w, 2)) {
		args.context = c->number;
		args.after_pos = c->producer + (fuzz_one_in(w, 8) ? 64 : 0);
	}
	if (o)
		o->handle = 0;
	return CALL(w, f, GEM_DESTROY, args);
}

static long gem_info(struct worker *w)
{
	struct file *f = fuzz_session(w);
	struct object *o = fuzz_object(w, f, 0);
	struct drm_tranche_gem_info args = { .handle = o ? o->handle : fuzz_below(w, 64) };
	long r = CALL(w, f, GEM_INFO, args);

	if (r >= 0 && o)
		*o = (struct object){ args.handle, args.kind, args.size, args.offset, args.mmap_offset };
	return r;
}

static long context_create(struct worker *w)
{
	struct file *f = fuzz_session(w);
	struct context *c = fuzz_new_context(f);
	struct drm_tranche_context_create args = { .ring_len = TRNC_RING_MIN << fuzz_below(w, fuzz_one_in(w, 8) ? 11 : 3) };
	long r;

	if (!c)
		return NOTHING;
	r = CALL(w, f, CONTEXT_CREATE, args);
	if (r >= 0)
		*c = (struct context){ .number = args.context, .ring_len = args.ring_len, .next_block = 1,
				       .mmap_offset = args.mmap_offset };
	return r;
}

static long context_destroy(struct worker *w)
{
	struct file *f = fuzz_session(w);
	struct context *c = fuzz_context(w, f);
	struct drm_tranche_context_destroy args = { .context = c ? c->number : fuzz_below(w, 70) };

	if (c)
		c->number = 0;
	return CALL(w, f, CONTEXT_DESTROY, args);
}

static long event_block_add(struct worker *w)
{
	struct file *f = fuzz_session(w);
	struct context *c = fuzz_context(w, f);
	struct drm_tranche_event_block_add args = { .context = c ? c->number : 1, .block = c ? c->next_block : 1 };
	long r = CALL(w, f, EVENT_BLOCK_ADD, args);

	if (r >= 0 && c)
		c->next_block++;
	return r;
}

static long output_set(struct worker *w)
{
	struct file *f = fuzz_session(w);
	const struct object *o = fuzz_object(w, f, DRM_TRANCHE_GEM_SERVICE);
	struct drm_tranche_output_set args = { .handle = o ? o->handle : 1, .data_len = 4096 };

	if (o && o->size > 8192)
		args.data_len = (uint32_t)o->size / 2;
	return CALL(w, f, OUTPUT_SET, args);
}

static long program_build(struct worker *w)
{
	struct file *f = fuzz_session(w);
	const struct object *in = fuzz_object(w, f, DRM_TRANCHE_GEM_SERVICE), *out = fuzz_object(w, f, DRM_TRANCHE_GEM_SERVICE);
	struct drm_tranche_program_build args = {
		.context = fuzz_some_context(w, f), .program = 1ull << 32 | fuzz_below(w, 8),
		.request_handle = in ? in->handle : 1, .reply_handle = out ? out->handle : 1,
		.request_len = in ? fuzz_below(w, (uint32_t)in->size) : 8, .reply_cap = out ? fuzz_below(w, (uint32_t)out->size) : 8,
	};

	return CALL(w, f, PROGRAM_BUILD, args);
}

static long program_query(struct worker *w)
{
	struct file *f = fuzz_session(w);
	const struct object *out = fuzz_object(w, f, DRM_TRANCHE_GEM_SERVICE);
	struct drm_tranche_program_query args = {
		.context = fuzz_some_context(w, f), .what = 1 + fuzz_below(w, 4), .program = 1ull << 32 | fuzz_below(w, 8),
		.reply_handle = out ? out->handle : 1, .reply_cap = out ? out->size : 8,
	};

	return CALL(w, f, PROGRAM_QUERY, args);
}

static int64_t soon(struct worker *w)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec + fuzz_below(w, 20) * 1000000ll;
}

/* Never without an end: a spoilt time-out may be one, so it is set again. */
static long wait_for(struct worker *w)
{
	struct file *f = fuzz_session(w);
	const struct context *c = fuzz_context(w, f);
	struct drm_tranche_wait args = {
		.context = fuzz_some_context(w, f), .sequence = c ? c->seq + fuzz_below(w, 2) : 1,
		.attention = fuzz_one_in(w, 2) ? 0 : fuzz_odd_number(w),
	};
	int64_t deadline = fuzz_one_in(w, 8) ? 1 : soon(w);

	if (c)
		args.context = c->number;
	if (fuzz_one_in(w, 8))
		args.sequence = fuzz_odd_number(w);
	fuzz_spoil(w, &args, sizeof(args));
	args.timeout_ns = deadline;
	return fuzz_ioctl(w, f->fd, DRM_IOCTL_TRANCHE_WAIT, &args, sizeof(args));
}

static long wake(struct worker *w)
{
	struct file *f = fuzz_session(w);
	struct drm_tranche_wake args = { .context = fuzz_some_context(w, f) };

	return CALL(w, f, WAKE, args);
}

static long doorbell(struct worker *w)
{
	struct file *f = fuzz_session(w);
	struct drm_tranche_doorbell args = { .context = fuzz_one_in(w, 4) ? 0 : fuzz_some_context(w, f) };

	return CALL(w, f, DOORBELL, args);
}

static long arm_eventfd(struct worker *w)
{
	struct file *f = fuzz_session(w);
	const struct context *c = fuzz_context(w, f);
	struct drm_tranche_eventfd args = {
		.context = fuzz_some_context(w, f), .fd = fuzz_some_fd(w), .sequence = c ? c->seq + fuzz_below(w, 3) : 1,
	};
	int fd;

	if (fuzz_one_in(w, 2)) {
		fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (fd < 0)
			return -errno;
		args.fd = fuzz_keep_fd(w, fd);
	} else if (fuzz_one_in(w, 8)) {
		args.fd = -1;
	}
	return CALL(w, f, EVENTFD, args);
}

/* Any struct of any call of the driver, all random. */
static long nonsense(struct worker *w)
{
	uint8_t buf[128];
	unsigned int number = DRM_COMMAND_BASE + fuzz_below(w, 0x14), size = fuzz_below(w, sizeof(buf) + 1);

	if (number == DRM_COMMAND_BASE + DRM_TRANCHE_WAIT)
		return NOTHING;
	fuzz_fill(w, buf, sizeof(buf));
	if (fuzz_one_in(w, 2))
		memset(buf, 0, 4 * fuzz_below(w, sizeof(buf) / 4));
	return fuzz_ioctl(w, fuzz_session(w)->fd, _IOC(fuzz_below(w, 4), DRM_IOCTL_BASE, number, size), buf, sizeof(buf));
}

const struct op accel_ops[] = {
	{ "open", 60, open_file },
	{ "close", 6, close_file },
	{ "GET_INFO", 6, get_info },
	{ "GET_PROBE", 8, get_probe },
	{ "SESSION_CREATE", 60, session_create },
	{ "SESSION_STATUS", 6, session_status },
	{ "MEMORY_QUERY", 8, memory_query },
	{ "GEM_CREATE", 60, gem_create },
	{ "GEM_DESTROY", 25, gem_destroy },
	{ "GEM_INFO", 20, gem_info },
	{ "CONTEXT_CREATE", 30, context_create },
	{ "CONTEXT_DESTROY", 10, context_destroy },
	{ "EVENT_BLOCK_ADD", 12, event_block_add },
	{ "OUTPUT_SET", 10, output_set },
	{ "PROGRAM_BUILD", 15, program_build },
	{ "PROGRAM_QUERY", 10, program_query },
	{ "WAIT", 20, wait_for },
	{ "WAKE", 10, wake },
	{ "DOORBELL", 15, doorbell },
	{ "EVENTFD", 20, arm_eventfd },
	{ "nonsense", 40, nonsense },
	{ 0 },
};
