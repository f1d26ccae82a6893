/* SPDX-License-Identifier: MIT */
#include "fake_driver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/futex.h"
#include "base/range.h"
#include "tranche/wire/compute_pci.h"
#include "unit.h"

#define APERTURE (512ull << 20)
#define CHANNEL_LEN(ring_len) (TRNC_CHANNEL_RING + (ring_len) + TRNC_EVENT_BLOCK_SLOTS * sizeof(struct trnc_event_slot))
#define LOST_TEXT "the executor of session 1 was killed by signal 11"

static struct fake_driver *running;

static struct trnc_user_page *user_page(struct fake_context *c)
{
	return (struct trnc_user_page *)(void *)c->channel;
}

static struct trnc_host_page *host_page(struct fake_context *c)
{
	return (struct trnc_host_page *)(void *)(c->channel + TRNC_CHANNEL_HOST);
}

static struct fake_context *find_context(struct fake_driver *f, uint32_t id)
{
	return id >= 1 && id <= TRNC_MAX_CONTEXTS && f->fake.contexts[id].id ? &f->fake.contexts[id] : NULL;
}

/* -------------------------------------------------------------- session */

static int get_version(struct fake_driver *f, struct drm_version *v)
{
	size_t len = strlen(f->name);

	memcpy(v->name, f->name, len < v->name_len ? len : v->name_len);
	v->name_len = len;
	return 0;
}

static int get_info(struct fake_driver *f, struct drm_tranche_info *info)
{
	*info = (struct drm_tranche_info){
		.version = f->version,
		.generation = 1,
		.features = TRNC_FEATURE_SVM | TRNC_FEATURE_SHARING,
		.nonce = 1,
		.uuid = { 4, 5, 6 },
		.quota = f->fake.quota,
		.service = f->fake.service,
		.window_size = f->fake.window,
	};
	return 0;
}

static int get_probe(struct fake_driver *f, struct drm_tranche_get_probe *p)
{
	uint32_t len = (uint32_t)strlen(f->fake.probe);

	if (p->len >= len)
		memcpy((void *)(uintptr_t)p->data, f->fake.probe, len);
	p->len = len;
	return 0;
}

static int create_session(struct fake_driver *f, struct drm_tranche_session_create *c)
{
	if (f->session_error)
		return -f->session_error;
	atomic_store(&f->flags, c->flags);
	atomic_store(&f->window_base, c->window_base);
	c->session = atomic_fetch_add(&f->fake.nr_sessions, 1) + 1;
	c->session_flags = TRNC_SESSION_COHERENT | (c->flags & DRM_TRANCHE_SESSION_SVM ? TRNC_SESSION_SVM : 0);
	c->quota = f->fake.quota;
	c->service = f->fake.service;
	c->window_size = f->window_granted ? f->window_granted : f->fake.window;
	c->probe_len = 4; /* too small: to be asked again */
	return 0;
}

static int get_status(struct fake_driver *f, struct drm_tranche_session_status *s)
{
	*s = (struct drm_tranche_session_status){ 0 };
	if (atomic_load(&f->is_lost)) {
		s->lost = TRNC_LOST_EXECUTOR;
		strcpy((char *)s->text, LOST_TEXT);
	}
	return 0;
}

/* --------------------------------------------------------------- memory */

static uint64_t take_range(struct fake_driver *f, uint64_t size)
{
	uint64_t at = f->next;

	f->next += (size + 4095) & ~4095ull;
	assert_true(f->next <= APERTURE);
	return at;
}

static uint64_t limit_of(struct fake_driver *f, uint32_t kind)
{
	return kind == DRM_TRANCHE_GEM_BUFFER ? f->fake.quota : f->fake.service;
}

static int gem_create(struct fake_driver *f, struct drm_tranche_gem_create *c)
{
	uint32_t handle = 1;

	if (!c->size || c->size % 4096 || c->kind < 1 || c->kind > 2 || c->pad)
		fake_fail(&f->fake, "bad GEM_CREATE");
	if (c->size > limit_of(f, c->kind) - f->used[c->kind - 1])
		return -ENOSPC;
	while (handle < FAKE_HANDLES && f->objects[handle].size)
		handle++;
	assert_true(handle < FAKE_HANDLES);
	f->objects[handle] = (struct fake_object){
		.offset = take_range(f, c->size),
		.size = c->size,
		.kind = c->kind,
		.flags = c->flags,
	};
	f->used[c->kind - 1] += c->size;
	c->handle = handle;
	c->mmap_offset = f->objects[handle].offset;
	c->offset = c->mmap_offset + (c->flags & DRM_TRANCHE_GEM_EXPORTABLE ? TRNC_SHARED_WINDOW : 0);
	c->control_seq = ++f->fake.control_seq;
	c->used = f->used[c->kind - 1];
	return 0;
}

static int gem_destroy(struct fake_driver *f, const struct drm_tranche_gem_destroy *d)
{
	struct fake_object *o = &f->objects[d->handle % FAKE_HANDLES];

	if (!o->size || d->handle >= FAKE_HANDLES) {
		fake_fail(&f->fake, "GEM_DESTROY of handle %u, which is none", d->handle);
		return -ENOENT;
	}
	if (!atomic_load(&f->keep_destroyed))
		f->used[o->kind - 1] -= o->size;
	o->size = 0;
	atomic_fetch_add(&f->nr_destroyed, 1);
	return 0;
}

static int gem_info(struct fake_driver *f, struct drm_tranche_gem_info *i)
{
	struct fake_object *o = &f->objects[i->handle % FAKE_HANDLES];

	if (!o->size)
		return -ENOENT;
	i->kind = o->kind;
	i->size = o->size;
	i->mmap_offset = o->offset;
	i->offset = o->offset + TRNC_SHARED_WINDOW;
	i->control_seq = ++f->fake.control_seq;
	return 0;
}

/* A dma-buf is a file with the number in it. */
static int prime_to_fd(struct fake_driver *f, struct drm_prime_handle *p)
{
	if (!(f->objects[p->handle % FAKE_HANDLES].flags & DRM_TRANCHE_GEM_EXPORTABLE))
		return -EPERM;
	p->fd = memfd_create("dmabuf", MFD_CLOEXEC);
	return pwrite(p->fd, &p->handle, sizeof(p->handle), 0) < 0 ? -errno : 0;
}

static int prime_to_handle(struct fake_driver *f, struct drm_prime_handle *p)
{
	return pread(p->fd, &p->handle, sizeof(p->handle), 0) == sizeof(p->handle) ? 0 : -EINVAL;
}

static int query_memory(struct fake_driver *f, struct drm_tranche_memory *m)
{
	*m = (struct drm_tranche_memory){
		.quota = f->fake.quota,
		.used = f->used[0],
		.session_used = f->used[0],
		.service_used = f->used[1],
	};
	return 0;
}

/* ------------------------------------------------------------- contexts */

static int create_context(struct fake_driver *f, struct drm_tranche_context_create *c)
{
	uint64_t len = CHANNEL_LEN(c->ring_len);
	struct fake_context *ctx = NULL;
	uint32_t id;

	for (id = 1; id <= TRNC_MAX_CONTEXTS && !ctx; id++)
		if (!f->fake.contexts[id].id)
			ctx = &f->fake.contexts[id];
	if (!ctx)
		return -EUSERS;
	id = (uint32_t)(ctx - f->fake.contexts);
	memset(ctx, 0, sizeof(*ctx));
	c->mmap_offset = take_range(f, len);
	f->used[1] += len;
	ctx->fake = &f->fake;
	ctx->is_guest = true;
	ctx->ring_len = c->ring_len;
	ctx->channel = f->mem + c->mmap_offset;
	atomic_store(&ctx->blocks[0], (void *)(ctx->channel + TRNC_CHANNEL_RING + c->ring_len));
	ctx->nr_blocks = 1;
	host_page(ctx)->generation = 1;
	c->context = ctx->id = id;
	c->control_seq = ++f->fake.control_seq;
	pthread_create(&ctx->thread, NULL, fake_run_context, ctx);
	return 0;
}

static void end_context(struct fake_driver *f, struct fake_context *c)
{
	atomic_store(&c->stop, true);
	base_futex_signal((_Atomic uint32_t *)&user_page(c)->host_asleep);
	pthread_join(c->thread, NULL);
	f->used[1] -= CHANNEL_LEN(c->ring_len) + (c->nr_blocks - 1) * TRNC_EVENT_BLOCK_SLOTS * sizeof(struct trnc_event_slot);
	free(c->held);
	c->nr_held = 0;
	c->id = 0;
}

static int add_block(struct fake_driver *f, struct drm_tranche_event_block_add *a)
{
	const uint64_t len = TRNC_EVENT_BLOCK_SLOTS * sizeof(struct trnc_event_slot);
	struct fake_context *c = find_context(f, a->context);

	if (!c || a->block != c->nr_blocks)
		return -EINVAL;
	a->mmap_offset = take_range(f, len);
	f->used[1] += len;
	atomic_store(&c->blocks[c->nr_blocks++], (void *)(f->mem + a->mmap_offset));
	return 0;
}

static int set_output(struct fake_driver *f, const struct drm_tranche_output_set *s)
{
	f->fake.output = (void *)(f->mem + f->objects[s->handle % FAKE_HANDLES].offset);
	f->fake.output_len = s->data_len;
	return 0;
}

/* The reply is the request. */
static int build(struct fake_driver *f, struct drm_tranche_program_build *b)
{
	const struct fake_object *q = &f->objects[b->request_handle % FAKE_HANDLES];
	const struct fake_object *r = &f->objects[b->reply_handle % FAKE_HANDLES];

	if (atomic_load(&f->build_error))
		return -atomic_load(&f->build_error);
	if (!base_range_is_within(b->request_offset, b->request_len, q->size) ||
	    !base_range_is_within(b->reply_offset, b->reply_cap, r->size) || b->request_len > b->reply_cap)
		fake_fail(&f->fake, "a build's blobs lie outside of their objects");
	else
		memcpy(f->mem + r->offset + b->reply_offset, f->mem + q->offset + b->request_offset, b->request_len);
	b->reply_len = b->request_len;
	return 0;
}

/* -------------------------------------------------------------- waiting */

static void nap(void)
{
	const struct timespec ts = { .tv_nsec = 200000 };

	nanosleep(&ts, NULL);
}

/* 1: go on sleeping. */
static int look_locked(struct fake_driver *f, struct drm_tranche_wait *w)
{
	struct fake_context *c = find_context(f, w->context);

	if (!c || atomic_load(&f->is_lost))
		return -ESHUTDOWN;
	w->commands = atomic_load((_Atomic uint64_t *)&host_page(c)->commands);
	w->attention_now = atomic_load((_Atomic uint64_t *)&host_page(c)->attention);
	if (w->commands >= w->sequence || w->attention_now != w->attention ||
	    atomic_load((_Atomic uint32_t *)&user_page(c)->kicks) != w->kicks)
		return 0;
	return w->timeout_ns >= 0 && (int64_t)base_clock_ns() >= w->timeout_ns ? -ETIME : 1;
}

static int wait_for_news(struct fake_driver *f, struct drm_tranche_wait *w)
{
	int r;

	atomic_fetch_add(&f->nr_waits, 1);
	atomic_fetch_add(&f->nr_asleep, 1);
	do {
		nap();
		pthread_mutex_lock(&f->fake.lock);
		r = look_locked(f, w);
		pthread_mutex_unlock(&f->fake.lock);
	} while (r == 1);
	atomic_fetch_sub(&f->nr_asleep, 1);
	return r;
}

static int ring(struct fake_driver *f, const struct drm_tranche_doorbell *d)
{
	struct fake_context *c = find_context(f, d->context);
	__u32 *word;

	if (d->context && !c)
		return -ENOENT;
	word = c ? &user_page(c)->host_asleep : &f->fake.output->host_asleep;
	atomic_fetch_add(&f->nr_doorbells, 1);
	base_futex_wake((_Atomic uint32_t *)word);
	return 0;
}

/* ---------------------------------------------------------------- calls */

static int call_locked(struct fake_driver *f, unsigned long request, void *arg)
{
	switch (request) {
	case DRM_IOCTL_VERSION:
		return get_version(f, arg);
	case DRM_IOCTL_TRANCHE_GET_INFO:
		return get_info(f, arg);
	case DRM_IOCTL_TRANCHE_GET_PROBE:
		return get_probe(f, arg);
	case DRM_IOCTL_TRANCHE_SESSION_CREATE:
		return create_session(f, arg);
	case DRM_IOCTL_TRANCHE_SESSION_STATUS:
		return get_status(f, arg);
	case DRM_IOCTL_TRANCHE_MEMORY_QUERY:
		return query_memory(f, arg);
	case DRM_IOCTL_TRANCHE_GEM_CREATE:
		return gem_create(f, arg);
	case DRM_IOCTL_TRANCHE_GEM_DESTROY:
		return gem_destroy(f, arg);
	case DRM_IOCTL_TRANCHE_GEM_INFO:
		return gem_info(f, arg);
	case DRM_IOCTL_PRIME_HANDLE_TO_FD:
		return prime_to_fd(f, arg);
	case DRM_IOCTL_PRIME_FD_TO_HANDLE:
		return prime_to_handle(f, arg);
	case DRM_IOCTL_TRANCHE_CONTEXT_CREATE:
		return create_context(f, arg);
	case DRM_IOCTL_TRANCHE_EVENT_BLOCK_ADD:
		return add_block(f, arg);
	case DRM_IOCTL_TRANCHE_OUTPUT_SET:
		return set_output(f, arg);
	case DRM_IOCTL_TRANCHE_PROGRAM_BUILD:
		return build(f, arg);
	case DRM_IOCTL_TRANCHE_WAKE:
		atomic_fetch_add(&f->nr_wakes, 1);
		return 0;
	case DRM_IOCTL_TRANCHE_DOORBELL:
		return ring(f, arg);
	default:
		fake_fail(&f->fake, "ioctl %lx", request);
		return -ENOTTY;
	}
}

static int call(struct fake_driver *f, unsigned long request, void *arg)
{
	int r;

	atomic_fetch_add(&f->nr_calls, 1);
	if (atomic_load(&f->is_gone))
		return -ENODEV;
	if (request == DRM_IOCTL_TRANCHE_WAIT)
		return wait_for_news(f, arg);
	if (request == DRM_IOCTL_TRANCHE_CONTEXT_DESTROY) {
		struct fake_context *c = find_context(f, ((struct drm_tranche_context_destroy *)arg)->context);

		if (!c)
			return -ENOENT;
		end_context(f, c);
		return 0;
	}
	pthread_mutex_lock(&f->fake.lock);
	r = call_locked(f, request, arg);
	pthread_mutex_unlock(&f->fake.lock);
	return r;
}

static int fake_ioctl(int fd, unsigned long request, void *arg)
{
	int r = call(running, request, arg);

	if (r < 0)
		errno = -r;
	return r < 0 ? -1 : 0;
}

static int fake_open(const char *path)
{
	if (running->open_error) {
		errno = running->open_error;
		return -1;
	}
	return fcntl(running->memfd, F_DUPFD_CLOEXEC, 0);
}

static const struct client_accel_calls fake_calls = { .open = fake_open, .ioctl = fake_ioctl };

/* ----------------------------------------------------------------- life */

struct fake_driver *fake_driver_start(void)
{
	struct fake_driver *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	setenv("TRANCHE_DEVICE", "/dev/null", 1); /* a node of a driver, as far as one can see */
	f->name = "tranche";
	f->version = TRNC_PCI_VERSION;
	f->fake.quota = 64 << 20;
	f->fake.service = 64 << 20;
	f->fake.window = APERTURE;
	f->fake.probe = "what the device answers";
	pthread_mutex_init(&f->fake.lock, NULL);
	f->memfd = memfd_create("aperture", MFD_CLOEXEC);
	assert_int_equal(ftruncate(f->memfd, APERTURE), 0);
	f->mem = mmap(NULL, APERTURE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, f->memfd, 0);
	assert_true(f->mem != MAP_FAILED);
	running = f;
	return f;
}

void fake_driver_stop(struct fake_driver *f)
{
	char failure[sizeof(f->fake.failure)];

	for (int i = 1; i <= (int)TRNC_MAX_CONTEXTS; i++)
		if (f->fake.contexts[i].id)
			end_context(f, &f->fake.contexts[i]);
	munmap(f->mem, APERTURE);
	close(f->memfd);
	pthread_mutex_destroy(&f->fake.lock);
	memcpy(failure, f->fake.failure, sizeof(failure));
	free(f);
	running = NULL;
	assert_string_equal(failure, "");
}

struct client_device *fake_driver_device(void)
{
	struct client_device **devices;

	assert_int_equal(client_devices_find(&devices), 1);
	assert_ptr_equal(devices[0]->transport, &client_accel);
	devices[0]->calls = &fake_calls;
	return devices[0];
}

struct client_context *fake_driver_context(void)
{
	struct trn_error err = { 0 };
	struct client_session *s = NULL;
	struct client_context *c = NULL;

	if (client_session_get(fake_driver_device(), &s, &err) < 0 || client_context_create(s, &c, &err) < 0)
		fail_msg("%s", err.text);
	client_session_put(s);
	return c;
}

void fake_driver_lose(struct fake_driver *f)
{
	atomic_store(&f->is_lost, true);
	while (atomic_load(&f->nr_asleep))
		nap();
	for (int i = 1; i <= (int)TRNC_MAX_CONTEXTS; i++) {
		struct fake_context *c = &f->fake.contexts[i];

		if (!c->id)
			continue;
		end_context(f, c);
		/* The program may look at the same time. */
		for (uint64_t at = 0; at < CHANNEL_LEN(c->ring_len); at += 8)
			atomic_store((_Atomic uint64_t *)(void *)(c->channel + at), 0);
	}
}

size_t fake_driver_release(struct fake_driver *f, size_t max)
{
	return fake_release(&f->fake, max);
}

/* Text is attention of all contexts. */
void fake_driver_print(struct fake_driver *f, const char *text)
{
	for (; *text; text++) {
		const char one[2] = { *text, '\0' };

		fake_print(&f->fake, one);
		for (int i = 1; i <= (int)TRNC_MAX_CONTEXTS; i++)
			if (f->fake.contexts[i].id)
				atomic_fetch_add((_Atomic uint64_t *)&host_page(&f->fake.contexts[i])->attention, 1);
	}
}
