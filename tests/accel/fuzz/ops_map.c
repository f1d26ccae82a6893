/* SPDX-License-Identifier: MIT */
/* Mappings, all in an arena of their own, so that nothing else is unmapped by chance. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

static __thread sigjmp_buf back;
static __thread volatile bool is_caught;

uint8_t *fuzz_slot_at(struct world *world, uint32_t i)
{
	return world->arena + i * SLOT_SIZE;
}

uint8_t *fuzz_some_address(struct worker *w)
{
	uint32_t i = fuzz_below(w, NR_SLOTS);
	uint64_t len = w->world->slots[i].len;

	return fuzz_slot_at(w->world, i) + (len ? fuzz_below(w, (uint32_t)len) / 8 * 8 : 0);
}

/*
 * The line of /proc/self/maps with the address.  A thread may have mapped a number that another one had closed and got anew for
 * a memfd, before that has its length: a SIGBUS there is nobody's fault.
 */
static bool find_mapping(const void *address, char line[256])
{
	FILE *f = fopen("/proc/self/maps", "r");
	unsigned long start, end;
	bool found = false;

	while (f && !found && fgets(line, 256, f))
		found = sscanf(line, "%lx-%lx", &start, &end) == 2 && (uintptr_t)address >= start && (uintptr_t)address < end;
	if (f)
		fclose(f);
	return found;
}

static void handle_fault(int number, siginfo_t *info, void *context)
{
	char line[256] = "", text[320];

	(void)context;
	if (number == SIGBUS && (!find_mapping(info->si_addr, line) || !strstr(line, "/memfd:"))) {
		snprintf(text, sizeof(text), "SIGBUS, code %d, at %p: %s", info->si_code, info->si_addr, line);
		fuzz_found(text);
	}
	if (!is_caught) {
		signal(SIGSEGV, SIG_DFL);
		raise(SIGSEGV);
	}
	siglongjmp(back, 1);
}

void fuzz_catch_signals(void)
{
	struct sigaction action = { .sa_sigaction = handle_fault, .sa_flags = SA_SIGINFO };

	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
}

bool fuzz_copy(void *to, const void *from, size_t len)
{
	is_caught = true;
	if (sigsetjmp(back, 1)) {
		is_caught = false;
		return false;
	}
	for (size_t i = 0; i < len; i++)
		((volatile uint8_t *)to)[i] = ((const volatile uint8_t *)from)[i];
	is_caught = false;
	return true;
}

static long keep(struct worker *w, uint32_t i, uint64_t len, int prot, int flags, int fd, uint64_t offset)
{
	struct slot *s = &w->world->slots[i];

	if (mmap(fuzz_slot_at(w->world, i), len, prot, flags | MAP_FIXED, fd, (off_t)offset) == MAP_FAILED)
		return -errno;
	if (len > s->len)
		s->len = len;
	s->is_ours = true;
	return 0;
}

static int some_prot(struct worker *w)
{
	static const int prots[] = { PROT_READ | PROT_WRITE, PROT_READ, PROT_READ | PROT_WRITE, PROT_NONE, PROT_READ | PROT_EXEC };

	return prots[fuzz_below(w, 5)];
}

static int some_flags(struct worker *w)
{
	int flags = fuzz_one_in(w, 12) ? MAP_PRIVATE : MAP_SHARED;

	return flags | (fuzz_one_in(w, 8) ? MAP_POPULATE : 0) | (fuzz_one_in(w, 40) ? MAP_LOCKED : 0);
}

static uint64_t at_most_a_slot(uint64_t len)
{
	return len < SLOT_SIZE ? len : SLOT_SIZE;
}

static long map_object(struct worker *w)
{
	struct file *f = fuzz_session(w);
	const struct object *o = fuzz_object(w, f, 0);
	uint64_t len, offset;

	if (!o || !o->mmap_offset)
		return NOTHING;
	len = at_most_a_slot(o->size);
	offset = o->mmap_offset;
	if (fuzz_one_in(w, 3) && len > 4096) {
		offset += fuzz_below(w, (uint32_t)(len / 4096)) * 4096ull;
		len = 4096 * (1ull + fuzz_below(w, 4));
	}
	if (fuzz_one_in(w, 10))
		len += 4096;
	return keep(w, fuzz_below(w, NR_SLOTS), at_most_a_slot(len), some_prot(w), some_flags(w), f->fd, offset);
}

/* Whole pages of the channel's parts, and more than that. */
static long map_channel(struct worker *w)
{
	struct file *f = fuzz_session(w);
	const struct context *c = fuzz_context(w, f);
	uint64_t offset, len = 4096;

	if (!c)
		return NOTHING;
	offset = fuzz_below(w, 5) * 4096ull;
	if (fuzz_one_in(w, 3)) {
		offset = TRNC_CHANNEL_RING + (fuzz_one_in(w, 2) ? 0 : c->ring_len);
		len = fuzz_one_in(w, 2) ? c->ring_len : TRNC_EVENT_BLOCK_SLOTS * sizeof(struct trnc_event_slot);
	}
	return keep(w, fuzz_below(w, NR_SLOTS), at_most_a_slot(len), some_prot(w), some_flags(w), f->fd, c->mmap_offset + offset);
}

static long map_dma_buf(struct worker *w)
{
	uint64_t len = 4096ull << fuzz_below(w, 5), offset = fuzz_one_in(w, 4) ? 4096ull * fuzz_below(w, 8) : 0;

	return keep(w, fuzz_below(w, NR_SLOTS), len, some_prot(w), some_flags(w), fuzz_some_fd(w), offset);
}

static long map_anything(struct worker *w)
{
	uint64_t offset = fuzz_odd_number(w) / 4096 * 4096;

	return keep(w, fuzz_below(w, NR_SLOTS), 4096ull << fuzz_below(w, 6), some_prot(w), some_flags(w), fuzz_file(w)->fd, offset);
}

/* A part of a slot that is perhaps mapped. */
static uint8_t *some_part(struct worker *w, uint32_t *ret_slot, uint64_t *ret_len)
{
	uint32_t i = fuzz_below(w, NR_SLOTS);
	uint64_t pages = w->world->slots[i].len / 4096, first;

	if (!pages)
		return NULL;
	first = fuzz_one_in(w, 2) ? 0 : fuzz_below(w, (uint32_t)pages);
	*ret_slot = i;
	*ret_len = fuzz_one_in(w, 2) ? (pages - first) * 4096 : 4096;
	return fuzz_slot_at(w->world, i) + first * 4096;
}

static long unmap(struct worker *w)
{
	uint64_t len;
	uint32_t i;
	uint8_t *at = some_part(w, &i, &len);

	if (!at)
		return NOTHING;
	/* Something else at the same place, so that nobody's memory comes there. */
	if (mmap(at, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED)
		return -errno;
	if (at == fuzz_slot_at(w->world, i) && len >= w->world->slots[i].len)
		w->world->slots[i].len = 0;
	return 0;
}

static long protect(struct worker *w)
{
	uint64_t len;
	uint32_t i;
	uint8_t *at = some_part(w, &i, &len);

	if (!at)
		return NOTHING;
	return mprotect(at, len, some_prot(w)) < 0 ? -errno : 0;
}

static long advise(struct worker *w)
{
	static const int advice[] = { MADV_DONTNEED, MADV_DONTFORK, MADV_DOFORK, MADV_WILLNEED, MADV_REMOVE, MADV_FREE, MADV_HUGEPAGE,
				      MADV_MERGEABLE, MADV_DONTDUMP, MADV_COLD, MADV_PAGEOUT, MADV_POPULATE_READ, MADV_POPULATE_WRITE };
	uint64_t len;
	uint32_t i;
	uint8_t *at = some_part(w, &i, &len);

	if (!at)
		return NOTHING;
	return madvise(at, len, advice[fuzz_below(w, sizeof(advice) / sizeof(advice[0]))]) < 0 ? -errno : 0;
}

/* To another slot, longer or shorter; what it leaves is filled at once. */
static long move(struct worker *w)
{
	uint32_t i, target = fuzz_below(w, NR_SLOTS);
	uint64_t len, new_len;
	uint8_t *at = some_part(w, &i, &len);
	bool is_kept = fuzz_one_in(w, 4);

	if (!at || target == i)
		return NOTHING;
	new_len = fuzz_one_in(w, 3) ? len + 4096 : fuzz_one_in(w, 2) && len > 4096 ? len - 4096 : len;
	if (new_len > SLOT_SIZE)
		new_len = len;
	if (mremap(at, len, new_len, MREMAP_MAYMOVE | MREMAP_FIXED | (is_kept && len == new_len ? MREMAP_DONTUNMAP : 0),
		   fuzz_slot_at(w->world, target)) == MAP_FAILED)
		return -errno;
	if (!(is_kept && len == new_len))
		mmap(at, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	if (new_len > w->world->slots[target].len)
		w->world->slots[target].len = new_len;
	return 0;
}

static long lock(struct worker *w)
{
	uint64_t len;
	uint32_t i;
	uint8_t *at = some_part(w, &i, &len);
	unsigned char there[64];

	if (!at)
		return NOTHING;
	switch (fuzz_below(w, 4)) {
	case 0:
		return mlock(at, at_most_a_slot(len) > 65536 ? 65536 : len) < 0 ? -errno : 0;
	case 1:
		return munlock(at, len) < 0 ? -errno : 0;
	case 2:
		return mincore(at, len < 64 * 4096 ? len : 64 * 4096ull, there) < 0 ? -errno : 0;
	default:
		return msync(at, len, MS_SYNC) < 0 ? -errno : 0;
	}
}

/* Reads or writes what is mapped, by the processor or by the kernel. */
static long touch(struct worker *w)
{
	uint8_t buf[64];
	uint8_t *at = fuzz_some_address(w);

	fuzz_fill(w, buf, sizeof(buf));
	if (fuzz_one_in(w, 4))
		return pwrite(w->world->fds[0] < 0 ? FIRST_FD - 1 : w->world->fds[0], at, sizeof(buf), 0) < 0 ? -errno : 0;
	return (fuzz_one_in(w, 2) ? fuzz_copy(at, buf, sizeof(buf)) : fuzz_copy(buf, at, sizeof(buf))) ? 0 : -EFAULT;
}

const struct op map_ops[] = {
	{ "map_object", 40, map_object }, { "map_channel", 30, map_channel }, { "map_dma_buf", 20, map_dma_buf },
	{ "map_anything", 8, map_anything }, { "unmap", 30, unmap },	   { "mprotect", 15, protect },
	{ "madvise", 15, advise },	  { "mremap", 12, move },	   { "mlock", 8, lock },
	{ "touch", 60, touch },		  { 0 },
};
