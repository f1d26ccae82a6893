/* SPDX-License-Identifier: MIT */
/* maps [NODE]: what a program may map of its channel and buffers, how, and what its children have of it. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "raw.h"

static sigjmp_buf out;

static void handle_fault(int number)
{
	siglongjmp(out, number);
}

/* Return: the signal that reading, or writing, a byte ended with; 0: none. */
static int touch(volatile unsigned char *byte, bool write)
{
	const struct sigaction action = { .sa_handler = handle_fault };
	int number;

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	number = sigsetjmp(out, 1);
	if (!number) {
		unsigned char value = *byte;

		if (write)
			*byte = value;
	}
	signal(SIGSEGV, SIG_DFL);
	signal(SIGBUS, SIG_DFL);
	return number;
}

/* Return: the address, or NULL with *ret_error. */
static void *map(int fd, struct raw_range range, int prot, int flags, int *ret_error)
{
	void *p = mmap(NULL, range.size, prot, flags, fd, (off_t)range.offset);

	*ret_error = p == MAP_FAILED ? errno : 0;
	return p == MAP_FAILED ? NULL : p;
}

static bool can_map(int fd, struct raw_range range, int prot, int flags)
{
	int error;
	void *p = map(fd, range, prot, flags, &error);

	if (p)
		munmap(p, range.size);
	return p;
}

static void check_channel(int fd, uint64_t offset)
{
	const int rw = PROT_READ | PROT_WRITE;

	raw_check(can_map(fd, raw_part_of(offset, RAW_USER), rw, MAP_SHARED), "the user page can be written");
	raw_check(can_map(fd, raw_part_of(offset, RAW_RING_PART), rw, MAP_SHARED), "the ring can be written");
	raw_check(can_map(fd, raw_part_of(offset, RAW_HOST), PROT_READ, MAP_SHARED), "the host page can be read");
	raw_check(!can_map(fd, raw_part_of(offset, RAW_HOST), rw, MAP_SHARED), "the host page cannot be mapped to be written");
	raw_check(can_map(fd, raw_part_of(offset, RAW_EVENTS), PROT_READ, MAP_SHARED), "event slots can be read");
	raw_check(!can_map(fd, raw_part_of(offset, RAW_EVENTS), rw, MAP_SHARED), "event slots cannot be mapped to be written");
	raw_check(!can_map(fd, raw_part_of(offset, RAW_KERNEL), PROT_READ, MAP_SHARED), "the kernel page cannot be mapped");
	raw_check(!can_map(fd, raw_part_of(offset, RAW_KERNEL), PROT_NONE, MAP_SHARED), "nor without any right");
	raw_check(!can_map(fd, raw_part_of(offset, RAW_USER), rw, MAP_PRIVATE), "no private mappings");
	raw_check(!can_map(fd, raw_part_of(offset, RAW_RING_PART), rw | PROT_EXEC, MAP_SHARED), "no programs in a ring");
}

/* A mapping covers one of the parts. */
static void check_ranges(int fd, uint64_t offset)
{
	const struct { const char *what; struct raw_range range; } wrong[] = {
		{ "user and host page together", { offset, 2 * RAW_PAGE } },
		{ "host and kernel page together", { offset + RAW_PAGE, 2 * RAW_PAGE } },
		{ "the whole channel", { offset, raw_part_of(offset, RAW_EVENTS).offset + raw_part_of(offset, RAW_EVENTS).size - offset } },
		{ "one page more than the ring has", { raw_part_of(offset, RAW_RING_PART).offset, RAW_RING + RAW_PAGE } },
		{ "past the channel's end", { raw_part_of(offset, RAW_EVENTS).offset, raw_part_of(offset, RAW_EVENTS).size + RAW_PAGE } },
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (!raw_check(!can_map(fd, wrong[i].range, PROT_READ, MAP_SHARED), wrong[i].what))
			printf("# that was mapped\n");
}

static void check_rights(int fd, uint64_t offset)
{
	struct raw_range range = raw_part_of(offset, RAW_HOST);
	int error;
	void *p = map(fd, range, PROT_READ, MAP_SHARED, &error);

	if (!raw_check(p, "the host page is mapped"))
		return;
	raw_check_is(touch(p, false), 0, "it can be read");
	raw_check_is(touch(p, true), SIGSEGV, "a write of it ends with SIGSEGV");
	raw_check(mprotect(p, range.size, PROT_READ | PROT_WRITE) && errno == EACCES, "mprotect() gives no right to write");
	raw_check(mprotect(p, range.size, PROT_READ | PROT_EXEC), "nor one to execute");
	raw_check_is(touch(p, true), SIGSEGV, "still not");
	raw_check(mremap(p, range.size, 2 * RAW_PAGE, MREMAP_MAYMOVE) == MAP_FAILED, "mremap() does not reach the next page");
	munmap(p, range.size);
}

/* A child has none of the parent's channel; the parent has it still. */
static void check_fork(int fd, uint64_t offset)
{
	int error, status = 0;
	void *page = map(fd, raw_part_of(offset, RAW_USER), PROT_READ | PROT_WRITE, MAP_SHARED, &error);
	pid_t child = page ? fork() : -1;

	if (!raw_check(page && child >= 0, "a channel is mapped, and there is a child"))
		return;
	if (!child)
		_exit(touch(page, false) == SIGSEGV ? 3 : 0);
	waitpid(child, &status, 0);
	raw_check(WIFEXITED(status) && WEXITSTATUS(status) == 3, "the child has no channel");
	raw_check_is(touch(page, true), 0, "and the parent has it still");
	munmap(page, RAW_PAGE);
}

static void check_buffer(int fd)
{
	struct drm_tranche_gem_create b, other;
	const int rw = PROT_READ | PROT_WRITE;
	struct drm_gem_close close_it;
	unsigned char *p;
	int error;

	if (!raw_check_is(raw_buffer(fd, 4 * RAW_PAGE, DRM_TRANCHE_GEM_BUFFER, 0, &b), 0, "a buffer"))
		return;
	raw_check_is(raw_buffer(fd, RAW_PAGE, DRM_TRANCHE_GEM_BUFFER, 0, &other), 0, "another one behind it");
	p = map(fd, (struct raw_range){ b.mmap_offset, 4 * RAW_PAGE }, rw, MAP_SHARED, &error);
	if (!raw_check(p, "it is mapped"))
		return;
	raw_check(p[0] == 0 && p[4 * RAW_PAGE - 1] == 0, "it is zero");
	memset(p, 0x5a, 4 * RAW_PAGE);
	raw_check(!can_map(fd, (struct raw_range){ b.mmap_offset, 5 * RAW_PAGE }, rw, MAP_SHARED), "not a page more than it has");
	raw_check(!can_map(fd, (struct raw_range){ b.mmap_offset, RAW_PAGE }, rw, MAP_PRIVATE), "not privately");
	close_it = (struct drm_gem_close){ .handle = b.handle };
	raw_check_is(raw_call(fd, DRM_IOCTL_GEM_CLOSE, &close_it), 0, "its handle is closed");
	raw_check(p[0] == 0x5a && p[4 * RAW_PAGE - 1] == 0x5a, "the mapping has it still");
	munmap(p, 4 * RAW_PAGE);
	raw_check(!can_map(fd, (struct raw_range){ b.mmap_offset, RAW_PAGE }, rw, MAP_SHARED), "then it cannot be mapped any more");
}

/* What belongs to one open file is nothing to another. */
static void check_others(int argc, char **argv, uint64_t offset, uint64_t buffer)
{
	int fd = raw_open(argc, argv);

	raw_check(!can_map(fd, raw_part_of(offset, RAW_USER), PROT_READ, MAP_SHARED), "another file cannot map this one's channel");
	raw_check(!can_map(fd, (struct raw_range){ buffer, RAW_PAGE }, PROT_READ, MAP_SHARED), "nor its buffer");
	raw_session(fd, 0);
	raw_check(!can_map(fd, raw_part_of(offset, RAW_USER), PROT_READ, MAP_SHARED), "nor when it is a session");
	raw_check(!can_map(fd, (struct raw_range){ buffer, RAW_PAGE }, PROT_READ, MAP_SHARED), "of neither");
	close(fd);
}

int main(int argc, char **argv)
{
	struct drm_tranche_gem_create buffer;
	int fd = raw_open(argc, argv);
	uint64_t offset;

	raw_session(fd, 0);
	raw_context(fd, &offset);
	check_channel(fd, offset);
	check_ranges(fd, offset);
	check_rights(fd, offset);
	check_buffer(fd);
	raw_check_is(raw_buffer(fd, RAW_PAGE, DRM_TRANCHE_GEM_BUFFER, 0, &buffer), 0, "one more buffer");
	check_fork(fd, offset);
	check_others(argc, argv, offset, buffer.mmap_offset);
	return raw_status();
}
