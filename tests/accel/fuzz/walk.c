/* SPDX-License-Identifier: MIT */
/* Every call once, in a good order: it works with a good host, and must end with any. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

#define RING TRNC_RING_MIN
#define LIMIT_MS 60000 /* the driver gives a host that does not answer half of it */
#define QUEUE (1ull << 32)

struct walk {
	int fd, other_fd, dma_buf;
	bool is_quiet;
	int nr_refused;
	struct drm_tranche_gem_create buffer, service, shared;
	struct drm_tranche_context_create context;
	uint8_t *user, *host, *ring, *events; /* mappings; NULL: none */
	uint64_t producer, seq;
};

static const char *volatile current = "nothing";
static volatile uint64_t since_ms;

static bool check(struct walk *w, const char *name, bool is_good)
{
	if (!is_good)
		w->nr_refused++;
	if (!is_good && !w->is_quiet)
		printf("%s: %s\n", name, errno ? strerror(errno) : "wrong");
	return is_good;
}

static bool call(struct walk *w, const char *name, int fd, unsigned long request, void *args)
{
	int r;

	current = name;
	since_ms = fuzz_now_ms();
	do
		r = ioctl(fd, request, args);
	while (r < 0 && (errno == EINTR || errno == EAGAIN) && fuzz_now_ms() - since_ms < 5000);
	return check(w, name, r == 0);
}

#define CALL(w, name, args) call(w, #name, (w)->fd, DRM_IOCTL_TRANCHE_##name, args)

static uint8_t *map(struct walk *w, int fd, uint64_t offset, uint64_t len, int prot)
{
	void *at = mmap(NULL, len, prot, MAP_SHARED, fd, (off_t)offset);

	return check(w, "mmap", at != MAP_FAILED) ? at : NULL;
}

static void open_session(struct walk *w)
{
	static char blob[65536];
	struct drm_tranche_info info = { 0 };
	struct drm_tranche_session_create create = { .flags = DRM_TRANCHE_SESSION_SHARING, .vector_hint = 1 };
	struct drm_tranche_session_status status = { 0 };
	struct drm_tranche_memory memory = { 0 };
	struct drm_tranche_get_probe probe = { .data = (uintptr_t)blob, .len = sizeof(blob) };

	CALL(w, GET_INFO, &info);
	CALL(w, SESSION_CREATE, &create);
	CALL(w, GET_PROBE, &probe);
	CALL(w, SESSION_STATUS, &status);
	CALL(w, MEMORY_QUERY, &memory);
}

static void use_memory(struct walk *w)
{
	struct drm_tranche_gem_info info = { 0 };
	uint8_t *at;

	w->buffer = (struct drm_tranche_gem_create){ .size = 1 << 20, .kind = DRM_TRANCHE_GEM_BUFFER };
	w->service = (struct drm_tranche_gem_create){ .size = 1 << 16, .kind = DRM_TRANCHE_GEM_SERVICE };
	if (CALL(w, GEM_CREATE, &w->buffer)) {
		info.handle = w->buffer.handle;
		CALL(w, GEM_INFO, &info);
		at = map(w, w->fd, w->buffer.mmap_offset, w->buffer.size, PROT_READ | PROT_WRITE);
		if (at) {
			memset(at, 0x5a, w->buffer.size);
			munmap(at, w->buffer.size);
		}
	}
	CALL(w, GEM_CREATE, &w->service);
}

/* What one file writes the other one reads. */
static void share_memory(struct walk *w)
{
	struct drm_tranche_session_create create = { .flags = DRM_TRANCHE_SESSION_SHARING };
	struct drm_prime_handle prime = { .flags = DRM_CLOEXEC | DRM_RDWR, .fd = -1 };
	struct drm_tranche_gem_info info = { 0 };
	uint8_t *here, *there;

	w->shared = (struct drm_tranche_gem_create){ .size = 8192, .kind = DRM_TRANCHE_GEM_BUFFER, .flags = DRM_TRANCHE_GEM_EXPORTABLE };
	if (w->other_fd < 0 || !call(w, "SESSION_CREATE", w->other_fd, DRM_IOCTL_TRANCHE_SESSION_CREATE, &create) ||
	    !CALL(w, GEM_CREATE, &w->shared))
		return;
	prime.handle = w->shared.handle;
	if (!call(w, "export", w->fd, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime))
		return;
	w->dma_buf = prime.fd;
	if (!call(w, "import", w->other_fd, DRM_IOCTL_PRIME_FD_TO_HANDLE, &prime))
		return;
	info.handle = prime.handle;
	if (!call(w, "GEM_INFO", w->other_fd, DRM_IOCTL_TRANCHE_GEM_INFO, &info))
		return;
	here = map(w, w->fd, w->shared.mmap_offset, 8192, PROT_READ | PROT_WRITE);
	there = map(w, w->other_fd, info.mmap_offset, 8192, PROT_READ);
	if (here && there) {
		strcpy((char *)here, "the same memory");
		errno = 0;
		check(w, "sharing", !strcmp((char *)there, "the same memory"));
	}
	if (here)
		munmap(here, 8192);
	if (there)
		munmap(there, 8192);
}

static void expect_no_mapping(struct walk *w, const char *name, uint64_t offset, int prot)
{
	bool is_refused = mmap(NULL, 4096, prot, MAP_SHARED, w->fd, (off_t)offset) == MAP_FAILED;

	errno = 0;
	check(w, name, is_refused);
}

static void make_context(struct walk *w)
{
	uint64_t at;

	w->context = (struct drm_tranche_context_create){ .ring_len = RING };
	if (!CALL(w, CONTEXT_CREATE, &w->context))
		return;
	at = w->context.mmap_offset;
	w->user = map(w, w->fd, at + TRNC_CHANNEL_USER, 4096, PROT_READ | PROT_WRITE);
	w->host = map(w, w->fd, at + TRNC_CHANNEL_HOST, 4096, PROT_READ);
	w->ring = map(w, w->fd, at + TRNC_CHANNEL_RING, RING, PROT_READ | PROT_WRITE);
	w->events = map(w, w->fd, at + TRNC_CHANNEL_RING + RING, TRNC_EVENT_BLOCK_SLOTS * 64, PROT_READ);
	expect_no_mapping(w, "the kernel page is not for users", at + TRNC_CHANNEL_KERNEL, PROT_READ);
	expect_no_mapping(w, "the host page is not for writing", at + TRNC_CHANNEL_HOST, PROT_READ | PROT_WRITE);
}

static void put(struct walk *w, const void *record, uint32_t len)
{
	memcpy(w->ring + w->producer, record, len);
	w->producer += len;
}

static void submit(struct walk *w)
{
	const struct trnc_rec_queue_create queue = {
		.rec = { .type = TRNC_REC_QUEUE_CREATE, .len = sizeof(queue) }, .queue = QUEUE, .event = QUEUE,
	};
	const struct trnc_cmd cmd = {
		.rec = { .type = TRNC_REC_MARKER, .len = sizeof(cmd) }, .queue = QUEUE, .seq = ++w->seq, .event = QUEUE | 1,
	};
	struct trnc_user_page *user = (void *)w->user;
	struct drm_tranche_doorbell bell = { .context = w->context.context };

	if (w->seq == 1)
		put(w, &queue, sizeof(queue));
	put(w, &cmd, sizeof(cmd));
	atomic_store((_Atomic uint64_t *)&user->producer, w->producer);
	if (atomic_load((_Atomic uint32_t *)&user->host_asleep) && atomic_exchange((_Atomic uint32_t *)&user->host_asleep, 0))
		CALL(w, DOORBELL, &bell);
}

static void wait_for(struct walk *w)
{
	const struct trnc_event_slot *slots = (void *)w->events;
	struct drm_tranche_wait wait = { .context = w->context.context, .sequence = w->seq };
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	wait.timeout_ns = (int64_t)(now.tv_sec + 5) * 1000000000;
	while (wait.commands < w->seq && call(w, "WAIT", w->fd, DRM_IOCTL_TRANCHE_WAIT, &wait) && wait.commands < w->seq) {
		wait.attention = wait.attention_now;
		clock_gettime(CLOCK_MONOTONIC, &now);
		if ((int64_t)now.tv_sec * 1000000000 > wait.timeout_ns) {
			errno = ETIME;
			check(w, "WAIT ends again and again", false);
			return;
		}
	}
	errno = 0;
	check(w, "the event is complete", wait.commands < w->seq || slots[1].state == QUEUE);
}

static void use_eventfd(struct walk *w)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	struct drm_tranche_eventfd args = { .context = w->context.context, .fd = fd, .sequence = w->seq + 1 };

	if (CALL(w, EVENTFD, &args)) {
		submit(w);
		errno = 0;
		check(w, "the eventfd is signalled", poll(&pfd, 1, 5000) == 1);
	}
	close(fd);
}

static void use_programs(struct walk *w)
{
	struct drm_tranche_program_build build = {
		.context = w->context.context, .request_handle = w->service.handle, .reply_handle = w->service.handle, .program = QUEUE,
		.request_len = 64, .reply_offset = 4096, .reply_cap = 4096,
	};
	struct drm_tranche_program_query query = {
		.context = w->context.context, .what = TRNC_QUERY_RESULT, .reply_handle = w->service.handle, .program = QUEUE,
		.reply_offset = 4096, .reply_cap = 4096,
	};

	CALL(w, PROGRAM_BUILD, &build);
	CALL(w, PROGRAM_QUERY, &query);
}

static void use_context(struct walk *w)
{
	struct drm_tranche_event_block_add block = { .context = w->context.context, .block = 1 };
	struct drm_tranche_output_set output = { .handle = w->service.handle, .data_len = 8192 };
	struct drm_tranche_wake wake = { .context = w->context.context };
	struct drm_tranche_context_destroy destroy = { .context = w->context.context };

	if (w->user && w->ring && w->events) {
		submit(w);
		wait_for(w);
		use_eventfd(w);
	}
	CALL(w, EVENT_BLOCK_ADD, &block);
	CALL(w, OUTPUT_SET, &output);
	use_programs(w);
	CALL(w, WAKE, &wake);
	CALL(w, CONTEXT_DESTROY, &destroy);
}

static void end(struct walk *w)
{
	struct drm_tranche_gem_destroy destroy = { .handle = w->buffer.handle };
	char text[2048], path[64];
	int fd;

	if (w->buffer.handle)
		CALL(w, GEM_DESTROY, &destroy);
	current = "fdinfo";
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", w->fd);
	fd = open(path, O_RDONLY);
	check(w, "fdinfo", read(fd, text, sizeof(text)) > 0);
	close(fd);
	/* A lost session's mappings are still there to be touched. */
	for (int i = 0; i < 4; i++) {
		uint8_t *at = (uint8_t *[]){ w->user, w->host, w->ring, w->events }[i];
		uint8_t byte;

		if (at)
			(void)fuzz_copy(&byte, at, 1);
	}
	current = "close";
	close(w->dma_buf);
	close(w->other_fd);
	close(w->fd);
}

/* The core's calls, all of them, with nothing in them: most are not for such a node, and some kernels do not survive those. */
static void call_everything(struct walk *w)
{
	uint8_t buf[256];

	for (unsigned int nr = 0; nr < 0x100; nr++) {
		if (nr >= DRM_COMMAND_BASE && nr < DRM_COMMAND_END)
			continue;
		memset(buf, 0, sizeof(buf));
		current = "one of DRM's calls";
		since_ms = fuzz_now_ms();
		(void)ioctl(w->fd, _IOC(_IOC_READ | _IOC_WRITE, DRM_IOCTL_BASE, nr, sizeof(buf)), buf);
	}
}

static void *watch(void *arg)
{
	char line[100];

	(void)arg;
	for (;;) {
		if (since_ms && fuzz_now_ms() - since_ms > LIMIT_MS) {
			snprintf(line, sizeof(line), "hangs in %s", current);
			fuzz_found(line);
		}
		usleep(50000);
	}
	return NULL;
}

int fuzz_walk(struct world *world, bool is_quiet)
{
	struct walk w = { .is_quiet = is_quiet, .dma_buf = -1, .other_fd = -1 };
	pthread_t watcher;

	current = "open";
	since_ms = fuzz_now_ms();
	pthread_create(&watcher, NULL, watch, NULL);
	w.fd = open(world->path, O_RDWR | O_CLOEXEC);
	if (!check(&w, "open", w.fd >= 0))
		return w.nr_refused;
	w.other_fd = open(world->path, O_RDWR | O_CLOEXEC);
	call_everything(&w);
	open_session(&w);
	use_memory(&w);
	share_memory(&w);
	make_context(&w);
	if (w.context.context)
		use_context(&w);
	end(&w);
	return w.nr_refused;
}
