/* SPDX-License-Identifier: MIT */
#include "executor/window.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memfd.h"
#include "base/range.h"

/* The address is a wish: the thread sanitizer's mmap() does not know MAP_FIXED_NOREPLACE, and maps at 0 instead. */
static void *reserve(void *at, uint64_t size, int flags)
{
	void *p = mmap(at, (size_t)size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void exec_window_init(struct exec_window *w, uint64_t base, uint64_t size, int kick_fd)
{
	void *want = (void *)(uintptr_t)base;

	*w = (struct exec_window){ .size = size, .kick_fd = kick_fd };
	pthread_mutex_init(&w->lock, NULL);
	if (size == 0)
		return;
	if (base) {
		w->base = reserve(want, size, 0);
		if (w->base && w->base != want) {
			munmap(w->base, (size_t)size);
			w->base = NULL;
		}
		w->svm = w->base != NULL;
	}
	if (!w->base)
		w->base = reserve(NULL, size, 0);
	if (!w->base)
		log_warning("no room for a window of %llu bytes: segments are mapped one by one",
			    (unsigned long long)size);
}

/* A range of the aperture at the address, or anywhere. NULL: it cannot be. */
static void *map_range(void *at, uint64_t offset, uint64_t size, int aperture)
{
	void *p = mmap(at, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, aperture, (off_t)offset);

	return p == MAP_FAILED ? NULL : p;
}

static int check_range(const char *what, uint64_t offset, uint64_t size, uint64_t total, struct trn_error *err)
{
	if (base_is_page_aligned(offset) && base_is_page_aligned(size) && base_range_is_within(offset, size, total))
		return 0;
	return trn_error_set(err, -EINVAL, "Aperture", "%s, %llu bytes at %llu, is no range of an aperture of %llu bytes", what,
			     (unsigned long long)size, (unsigned long long)offset, (unsigned long long)total);
}

static int check_aperture(const struct trnc_exec_setup *s, int aperture, struct trn_error *err)
{
	struct stat st;
	int r;

	if (fstat(aperture, &st) < 0 || !S_ISREG(st.st_mode))
		return trn_error_set(err, -EINVAL, "Aperture", "the aperture's descriptor is none of a file");
	if (s->window_size == 0 || s->window_size > TRNC_SHARED_WINDOW)
		return trn_error_set(err, -EINVAL, "Window", "a window of %llu bytes is not valid",
				     (unsigned long long)s->window_size);
	r = check_range("the window", s->window_offset, s->window_size, (uint64_t)st.st_size, err);
	if (r == 0)
		r = check_range("the shared window", s->shared_offset, s->shared_size, (uint64_t)st.st_size, err);
	if (r == 0 && base_range_overlaps(s->window_offset, s->window_size, s->shared_offset, s->shared_size))
		r = trn_error_set(err, -EINVAL, "Aperture", "the window and the shared window overlap");
	return r;
}

int exec_window_init_guest(struct exec_window *w, const struct trnc_exec_setup *s, int aperture, int kick_fd,
			   struct trn_error *err)
{
	void *want = (void *)(uintptr_t)s->window_base;
	int r;

	*w = (struct exec_window){ .size = s->window_size, .kick_fd = kick_fd, .is_guest = true };
	pthread_mutex_init(&w->lock, NULL);
	r = check_aperture(s, aperture, err);
	if (r < 0)
		return r;
	w->base = map_range(want, s->window_offset, s->window_size, aperture);
	w->svm = want && w->base == want;
	if (s->shared_size) {
		w->shared = map_range(NULL, s->shared_offset, s->shared_size, aperture);
		w->shared_size = s->shared_size;
	}
	if (!w->base || (s->shared_size && !w->shared))
		return trn_error_set(err, -ENOMEM, "Window", "a window of %llu bytes cannot be mapped: %s",
				     (unsigned long long)s->window_size, strerror(errno));
	return 0;
}

/* Index of the first segment that ends after offset. */
static size_t find(const struct exec_window *w, uint64_t offset)
{
	size_t lo = 0, hi = w->nr_segments;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		const struct exec_segment *s = w->segments[mid];

		if (s->offset + s->size <= offset)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int insert_locked(struct exec_window *w, struct exec_segment *seg)
{
	size_t at = find(w, seg->offset);

	if (at < w->nr_segments &&
	    base_range_overlaps(seg->offset, seg->size, w->segments[at]->offset, w->segments[at]->size))
		return -EEXIST;
	if (w->nr_segments == TRNC_MAX_SEGMENTS)
		return -ENOSPC;
	if (w->nr_segments == w->cap_segments) {
		size_t cap = w->cap_segments ? w->cap_segments * 2 : 64;
		struct exec_segment **p = reallocarray(w->segments, cap, sizeof(struct exec_segment *));

		if (!p)
			return -ENOMEM;
		w->segments = p;
		w->cap_segments = cap;
	}
	memmove(&w->segments[at + 1], &w->segments[at], (w->nr_segments - at) * sizeof(struct exec_segment *));
	w->segments[at] = seg;
	w->nr_segments++;
	return 0;
}

/* Puts the reservation back, so that nothing else is mapped where later segments belong. */
static void unmap(struct exec_window *w, const struct exec_segment *seg)
{
	if (!seg->addr || w->is_guest)
		return;
	if (!w->base)
		munmap(seg->addr, (size_t)seg->size);
	else if (!reserve(seg->addr, seg->size, MAP_FIXED))
		log_warning("cannot reserve %llu bytes of the window again: %m", (unsigned long long)seg->size);
}

/* Is it a range that may be used?  In the shared window only if there is one. */
static bool is_range(const struct exec_window *w, uint64_t offset, uint64_t size)
{
	if (offset < TRNC_SHARED_WINDOW)
		return base_range_is_within(offset, size, w->size);
	return w->shared && base_range_is_within(offset - TRNC_SHARED_WINDOW, size, w->shared_size);
}

static bool is_valid(const struct exec_window *w, const struct trnc_exec_segment_map *map, int fd)
{
	if (map->size == 0 || !base_is_page_aligned(map->offset) || !base_is_page_aligned(map->size) ||
	    !is_range(w, map->offset, map->size) || (w->is_guest ? fd >= 0 : !base_memfd_is_safe(fd, map->size)))
		return false;
	return map->kind == TRNC_SEGMENT_BUFFER ||
	       (map->kind == TRNC_SEGMENT_SERVICE && map->offset < TRNC_SHARED_WINDOW);
}

/* Where the segment lies from now on. Return: 0 or -errno. */
static int place(struct exec_window *w, struct exec_segment *seg, int fd)
{
	void *p;

	if (w->is_guest) {
		seg->addr = seg->offset < TRNC_SHARED_WINDOW ? w->base + seg->offset :
							       w->shared + (seg->offset - TRNC_SHARED_WINDOW);
		return 0;
	}
	p = mmap(w->base ? w->base + seg->offset : NULL, (size_t)seg->size, PROT_READ | PROT_WRITE,
		 MAP_SHARED | (w->base ? MAP_FIXED : 0), fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	seg->addr = p;
	return 0;
}

int exec_window_map(struct exec_window *w, const struct trnc_exec_segment_map *map, int fd)
{
	struct exec_segment *seg = NULL;
	int r;

	if (!is_valid(w, map, fd)) {
		r = -EINVAL;
		goto out;
	}
	seg = calloc(1, sizeof(*seg));
	if (!seg) {
		r = -ENOMEM;
		goto out;
	}
	*seg = (struct exec_segment){
		.window = w, .offset = map->offset, .size = map->size, .kind = map->kind,
	};

	pthread_mutex_lock(&w->lock);
	r = insert_locked(w, seg);
	if (r == 0) {
		r = place(w, seg, fd); /* if not, it stays in the table, so that its unmapping is answered */
		seg = NULL;
	}
	pthread_mutex_unlock(&w->lock);
out:
	free(seg);
	/* Records that need the segment are refused one by one; nobody waits for a number that never comes. */
	if (map->control_seq > atomic_load(&w->seq))
		atomic_store(&w->seq, map->control_seq);
	return r;
}

struct exec_segment *exec_window_get(struct exec_window *w, uint32_t kind, uint64_t offset, uint64_t size,
				     void **ret_addr)
{
	struct exec_segment *seg = NULL;
	size_t at;

	if (!is_range(w, offset, size))
		return NULL;
	pthread_mutex_lock(&w->lock);
	at = find(w, offset);
	if (at < w->nr_segments) {
		seg = w->segments[at];
		if (seg->offset > offset || !seg->addr || seg->kind != kind ||
		    !base_range_is_within(offset - seg->offset, size, seg->size))
			seg = NULL;
	}
	if (seg) {
		seg->uses++;
		*ret_addr = seg->addr + (offset - seg->offset);
	}
	pthread_mutex_unlock(&w->lock);
	return seg;
}

bool exec_window_has_address(const struct exec_window *w, uint64_t address)
{
	return w->svm && address - (uint64_t)(uintptr_t)w->base < w->size;
}

void exec_window_put(struct exec_segment *seg)
{
	struct exec_window *w;
	bool last;

	if (!seg)
		return;
	w = seg->window;
	pthread_mutex_lock(&w->lock);
	last = --seg->uses == 0;
	pthread_mutex_unlock(&w->lock);
	if (last)
		exec_window_kick(w);
}

void exec_window_kick(struct exec_window *w)
{
	uint64_t one = 1;

	/* A full counter is as good as one more kick. */
	if (atomic_load(&w->nr_unmaps) && write(w->kick_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		log_debug("kick: %m");
}

int exec_window_want_unmap(struct exec_window *w, const struct trnc_segment_destroy *d, uint64_t id)
{
	struct exec_segment *seg;
	size_t at;
	int r = 0;

	pthread_mutex_lock(&w->lock);
	at = find(w, d->offset);
	seg = at < w->nr_segments ? w->segments[at] : NULL;
	if (!seg || seg->offset != d->offset) {
		r = -ENOENT;
	} else if (seg->unmap_wanted) {
		r = -EALREADY;
	} else {
		seg->unmap_wanted = true;
		seg->unmap_id = id;
		seg->unmap_context = d->context;
		seg->unmap_after = d->after_pos;
		atomic_fetch_add(&w->nr_unmaps, 1);
	}
	pthread_mutex_unlock(&w->lock);
	return r;
}

bool exec_window_reap(struct exec_window *w, bool (*passed)(void *arg, uint32_t context, uint64_t pos), void *arg,
		      uint64_t *ret_id)
{
	struct exec_segment *seg = NULL;

	if (!atomic_load(&w->nr_unmaps))
		return false;
	pthread_mutex_lock(&w->lock);
	for (size_t i = 0; i < w->nr_segments; i++) {
		struct exec_segment *s = w->segments[i];

		/* A record takes its uses before its ring's position moves past it, and taking needs our lock. */
		if (!s->unmap_wanted || s->uses ||
		    (s->unmap_context && !passed(arg, s->unmap_context, s->unmap_after)))
			continue;
		seg = s;
		w->nr_segments--;
		memmove(&w->segments[i], &w->segments[i + 1],
			(w->nr_segments - i) * sizeof(struct exec_segment *));
		unmap(w, seg);
		break;
	}
	pthread_mutex_unlock(&w->lock);
	if (!seg)
		return false;
	atomic_fetch_sub(&w->nr_unmaps, 1);
	*ret_id = seg->unmap_id;
	free(seg);
	return true;
}
