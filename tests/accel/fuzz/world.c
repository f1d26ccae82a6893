/* SPDX-License-Identifier: MIT */
/* What exists, as far as the workers know. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

int fuzz_high_fd(int fd)
{
	int high = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FD);

	close(fd);
	return high;
}

int fuzz_open(struct world *world)
{
	int fd = open(world->path, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fuzz_high_fd(fd);
}

struct file *fuzz_file(struct worker *w)
{
	return &w->world->files[fuzz_below(w, NR_FILES)];
}

struct file *fuzz_session(struct worker *w)
{
	struct file *f = fuzz_file(w);

	for (uint32_t i = 0; i < NR_FILES && !(f->fd >= 0 && f->has_session); i++)
		f = fuzz_file(w);
	return f;
}

struct object *fuzz_object(struct worker *w, struct file *f, uint32_t kind)
{
	uint32_t first = fuzz_below(w, NR_OBJECTS);

	for (uint32_t i = 0; i < NR_OBJECTS; i++) {
		struct object *o = &f->objects[(first + i) % NR_OBJECTS];

		if (o->handle && (!kind || o->kind == kind))
			return o;
	}
	return NULL;
}

struct context *fuzz_context(struct worker *w, struct file *f)
{
	uint32_t first = fuzz_below(w, NR_CONTEXTS);

	for (uint32_t i = 0; i < NR_CONTEXTS; i++)
		if (f->contexts[(first + i) % NR_CONTEXTS].number)
			return &f->contexts[(first + i) % NR_CONTEXTS];
	return NULL;
}

struct object *fuzz_new_object(struct file *f)
{
	for (uint32_t i = 0; i < NR_OBJECTS; i++)
		if (!f->objects[i].handle)
			return &f->objects[i];
	return NULL;
}

struct context *fuzz_new_context(struct file *f)
{
	for (uint32_t i = 0; i < NR_CONTEXTS; i++)
		if (!f->contexts[i].number)
			return &f->contexts[i];
	return NULL;
}

uint32_t fuzz_some_handle(struct worker *w, struct file *f)
{
	const struct object *o = fuzz_object(w, f, 0);

	return o && !fuzz_one_in(w, 16) ? o->handle : fuzz_below(w, 64);
}

uint32_t fuzz_some_context(struct worker *w, struct file *f)
{
	const struct context *c = fuzz_context(w, f);

	return c && !fuzz_one_in(w, 16) ? c->number : fuzz_below(w, 70);
}

void fuzz_forget(struct file *f)
{
	memset(f, 0, sizeof(*f));
	f->fd = -1;
}

int fuzz_keep_fd(struct worker *w, int fd)
{
	int *place = &w->world->fds[fuzz_below(w, NR_FDS)];
	int old = *place;

	*place = fuzz_high_fd(fd);
	if (old >= 0)
		close(old);
	return *place;
}

int fuzz_some_fd(struct worker *w)
{
	int fd = w->world->fds[fuzz_below(w, NR_FDS)];

	return fuzz_one_in(w, 16) ? fuzz_file(w)->fd : fd;
}

/* Where nobody should write, and the driver must not, either. */
static void *bad_pointer(struct worker *w)
{
	static const uintptr_t bad[] = { 0, 8, 0xffff888000000000, 0xffffffff81000000, UINTPTR_MAX - 7, 0x7ffffffff000, 0x800000000000 };

	return (void *)bad[fuzz_below(w, sizeof(bad) / sizeof(bad[0]))];
}

long fuzz_ioctl(struct worker *w, int fd, unsigned long request, void *buf, size_t len)
{
	uint8_t *there = NULL;
	long r;

	if (fuzz_one_in(w, 64))
		buf = bad_pointer(w);
	else if (fuzz_one_in(w, 32))
		there = fuzz_some_address(w);
	if (there && fuzz_copy(there, buf, len)) {
		r = ioctl(fd, request, there) < 0 ? -errno : 0;
		(void)fuzz_copy(buf, there, len);
		return r;
	}
	return ioctl(fd, request, buf) < 0 ? -errno : 0;
}
