/* SPDX-License-Identifier: MIT */
/* DMA_MAP, DMA_UNMAP, and the accesses of a device that need no message; a client that shortens its files included. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/memfd.h"
#include "vfio-user/dma_priv.h"
#include "vfio_user.h"

#define RW (VFU_DMA_MAP_READ | VFU_DMA_MAP_WRITE)
#define PAGE 4096ull
#define AT 0x100000ull

static struct link l;

static int setup(void **state)
{
	link_open(&l, MIB, false);
	return 0;
}

static int teardown(void **state)
{
	link_close(&l);
	return 0;
}

static int make_file(uint64_t size)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	return fd;
}

static enum vfu_way way_at(uint64_t iova)
{
	struct vfu_map *map = vfu_table_at_locked(l.conn.dma, iova);

	assert_non_null(map);
	return map->way;
}

static void test_bad_maps_are_refused(void **state)
{
	const struct vfu_dma_map good = { .argsz = 32, .flags = RW, .address = AT, .size = PAGE };
	_cleanup_close_ int fd = make_file(2 * PAGE);
	int fds[2] = { fd, fd };
	const struct {
		struct vfu_dma_map wire;
		size_t nr_fds;
	} bad[] = {
		{ { 31, RW, 0, AT, PAGE }, 1 },
		{ { 32, 0, 0, AT, PAGE }, 1 },
		{ { 32, RW | 16, 0, AT, PAGE }, 1 },
		{ { 32, RW | VFU_DMA_MAP_MMAP | VFU_DMA_MAP_FILE_IO, 0, AT, PAGE }, 1 },
		{ { 32, RW | VFU_DMA_MAP_MMAP, 0, AT, PAGE }, 0 },
		{ { 32, RW | VFU_DMA_MAP_FILE_IO, 0, AT, PAGE }, 0 },
		{ { 32, RW, 0, AT, PAGE }, 2 },
		{ { 32, RW, 0, AT, 0 }, 1 },
		{ { 32, RW, 0, AT + 1, PAGE }, 1 },
		{ { 32, RW, 0, AT, PAGE + 512 }, 1 },
		{ { 32, RW, 512, AT, PAGE }, 1 },
		{ { 32, RW, 0, 0 - PAGE, PAGE }, 0 },
		{ { 32, RW, 0, AT, 0 - PAGE }, 0 },
		{ { 32, RW, 0 - PAGE, AT, PAGE }, 1 },
		{ { 32, RW, 2 * PAGE, AT, PAGE }, 1 },
		{ { 32, RW, PAGE, AT, 2 * PAGE }, 1 },
		{ { 32, RW, 0, AT, 3 * PAGE }, 1 },
		{ { 32, RW | VFU_DMA_MAP_FILE_IO, PAGE, AT, 2 * PAGE }, 1 },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		fds[0] = dup(fd);
		assert_int_equal(link_call(&l, vfu_handle_dma_map, VFU_DMA_MAP, &bad[i].wire, 32, fds, bad[i].nr_fds), -EINVAL);
		base_close(fds[0]);
	}
	assert_int_equal(link_call(&l, vfu_handle_dma_map, VFU_DMA_MAP, &good, 31, NULL, 0), -EINVAL);
	assert_int_equal(link_call(&l, vfu_handle_dma_map, VFU_DMA_MAP, &good, 0, NULL, 0), -EINVAL);
	assert_int_equal(l.nr_maps, 0);
	assert_int_equal(l.conn.dma->nr_maps, 0);
	assert_int_equal(link_call(&l, vfu_handle_dma_map, VFU_DMA_MAP, &good, 32, NULL, 0), 0);
	assert_int_equal(l.reply_len, 0);
}

static void test_page_sizes_of_both_sides(void **state)
{
	l.conn.ours.pgsizes = 4096 | 65536;
	l.conn.theirs.pgsizes = 65536 | (2 << 20);
	assert_int_equal(link_map(&l, PAGE, 16 * PAGE, RW, -1, 0), -EINVAL);
	assert_int_equal(link_map(&l, 16 * PAGE, PAGE, RW, -1, 0), -EINVAL);
	assert_int_equal(link_map(&l, 16 * PAGE, 16 * PAGE, RW, -1, 0), 0);
}

static void test_a_file_must_be_open_for_it(void **state)
{
	_cleanup_close_ int fd = make_file(PAGE);
	_cleanup_close_ int read_only = -1, path_only = -1;
	struct asked a;
	char path[64];
	uint8_t byte;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	read_only = open(path, O_RDONLY | O_CLOEXEC);
	path_only = open(path, O_PATH | O_CLOEXEC);
	assert_true(read_only >= 0 && path_only >= 0);
	assert_int_equal(link_map(&l, AT, PAGE, RW, read_only, 0), -EACCES);
	assert_int_equal(link_map(&l, AT, PAGE, RW | VFU_DMA_MAP_FILE_IO, read_only, 0), -EACCES);
	assert_int_equal(link_map(&l, AT, PAGE, VFU_DMA_MAP_READ, path_only, 0), -EBADF);
	assert_int_equal(link_map(&l, AT, PAGE, VFU_DMA_MAP_READ, read_only, 0), 0);
	assert_int_equal(link_ask(&l, &a, AT, &byte, 1, false), 0);
	assert_int_equal(link_ask(&l, &a, AT, &byte, 1, true), -EFAULT);
}

static void test_overlap_and_limit(void **state)
{
	assert_int_equal(link_map(&l, 4 * PAGE, 4 * PAGE, RW, -1, 0), 0);
	assert_int_equal(link_map(&l, 4 * PAGE, 4 * PAGE, RW, -1, 0), -EEXIST);
	assert_int_equal(link_map(&l, 5 * PAGE, PAGE, RW, -1, 0), -EEXIST);
	assert_int_equal(link_map(&l, 3 * PAGE, 2 * PAGE, RW, -1, 0), -EEXIST);
	assert_int_equal(link_map(&l, 7 * PAGE, 2 * PAGE, RW, -1, 0), -EEXIST);
	assert_int_equal(link_map(&l, 0, 64 * PAGE, RW, -1, 0), -EEXIST);
	assert_int_equal(link_map(&l, 8 * PAGE, PAGE, RW, -1, 0), 0);
	assert_int_equal(link_map(&l, 3 * PAGE, PAGE, RW, -1, 0), 0);
	assert_int_equal(link_map(&l, 0, PAGE, RW, -1, 0), 0);
	for (uint64_t i = 4; i < 8; i++)
		assert_int_equal(link_map(&l, i * 64 * PAGE, PAGE, RW, -1, 0), 0);
	assert_int_equal(link_map(&l, 1024 * PAGE, PAGE, RW, -1, 0), -ENOSPC);
	for (size_t i = 1; i < l.conn.dma->nr_maps; i++)
		assert_true(l.conn.dma->maps[i - 1]->iova < l.conn.dma->maps[i]->iova);
	assert_int_equal(link_unmap(&l, 8 * PAGE, PAGE), 0);
	assert_int_equal(link_map(&l, 1024 * PAGE, PAGE, RW, -1, 0), 0);
}

static void test_unmap_wants_the_very_map(void **state)
{
	const struct vfu_dma_unmap all = { .argsz = 24, .flags = VFU_DMA_UNMAP_ALL, .size = PAGE };
	struct vfu_dma_unmap reply;

	assert_int_equal(link_map(&l, AT, 2 * PAGE, RW, -1, 0), 0);
	assert_int_equal(link_map(&l, AT + 2 * PAGE, PAGE, RW, -1, 0), 0);
	assert_int_equal(link_unmap(&l, AT, PAGE), -ENOENT);
	assert_int_equal(link_unmap(&l, AT + PAGE, PAGE), -ENOENT);
	assert_int_equal(link_unmap(&l, AT, 3 * PAGE), -ENOENT);
	assert_int_equal(link_unmap(&l, 0, 0), -ENOENT);
	assert_int_equal(l.nr_unmaps, 0);
	assert_int_equal(link_unmap(&l, AT, 2 * PAGE), 0);
	assert_int_equal(l.reply_len, sizeof(reply));
	memcpy(&reply, l.reply, sizeof(reply));
	assert_int_equal(reply.address, AT);
	assert_int_equal(reply.size, 2 * PAGE);
	assert_int_equal(l.nr_unmaps, 1);
	assert_int_equal(link_unmap(&l, AT, 2 * PAGE), -ENOENT);
	assert_int_equal(link_call(&l, vfu_handle_dma_unmap, VFU_DMA_UNMAP, &all, sizeof(all), NULL, 0), -EINVAL);
	assert_int_equal(link_map(&l, AT, PAGE, RW, -1, 0), 0);
	assert_int_equal(link_unmap_all(&l), 0);
	assert_int_equal(l.nr_unmaps, 3);
	assert_int_equal(l.conn.dma->nr_maps, 0);
	assert_int_equal(link_unmap_all(&l), 0);
}

struct unmap_bits {
	struct vfu_dma_unmap unmap;
	struct vfu_bitmap bitmap;
};

static int call_unmap_bits(uint32_t argsz, uint32_t flags, uint64_t pgsize, uint64_t size)
{
	struct unmap_bits wire = {
		.unmap = { .argsz = argsz, .flags = flags, .address = AT, .size = 10 * PAGE },
		.bitmap = { .pgsize = pgsize, .size = size },
	};

	return link_call(&l, vfu_handle_dma_unmap, VFU_DMA_UNMAP, &wire, sizeof(wire), NULL, 0);
}

static void test_unmap_tells_dirty_pages(void **state)
{
	assert_int_equal(link_map(&l, AT, 10 * PAGE, RW, -1, 0), 0);
	assert_int_equal(call_unmap_bits(48, VFU_DMA_UNMAP_DIRTY_BITMAP, PAGE, 8), -EINVAL); /* does not log */
	l.is_logging = true;
	assert_int_equal(call_unmap_bits(47, VFU_DMA_UNMAP_DIRTY_BITMAP, PAGE, 8), -EINVAL);
	assert_int_equal(call_unmap_bits(48, VFU_DMA_UNMAP_DIRTY_BITMAP | VFU_DMA_UNMAP_ALL, PAGE, 8), -EINVAL);
	assert_int_equal(call_unmap_bits(48, 0, PAGE, 8), -EINVAL); /* a bitmap that is not announced */
	assert_int_equal(call_unmap_bits(48, 4, PAGE, 8), -EINVAL);
	assert_int_equal(call_unmap_bits(48, VFU_DMA_UNMAP_DIRTY_BITMAP, 0, 8), -EINVAL);
	assert_int_equal(call_unmap_bits(48, VFU_DMA_UNMAP_DIRTY_BITMAP, 2048, 8), -EINVAL);
	assert_int_equal(call_unmap_bits(48, VFU_DMA_UNMAP_DIRTY_BITMAP, 3 * PAGE, 8), -EINVAL);
	assert_int_equal(call_unmap_bits(48, VFU_DMA_UNMAP_DIRTY_BITMAP, 4 * PAGE, 8), -EINVAL); /* 2.5 pages */
	assert_int_equal(call_unmap_bits(48, VFU_DMA_UNMAP_DIRTY_BITMAP, PAGE, 7), -EINVAL);
	assert_int_equal(call_unmap_bits(UINT32_MAX, VFU_DMA_UNMAP_DIRTY_BITMAP, PAGE, UINT64_MAX), -EINVAL);
	assert_int_equal(call_unmap_bits(UINT32_MAX, VFU_DMA_UNMAP_DIRTY_BITMAP, PAGE, UINT32_MAX - 64), -E2BIG);
	assert_int_equal(l.nr_unmaps, 0);
	l.dirty_page = AT + 9 * PAGE;
	assert_int_equal(call_unmap_bits(56, VFU_DMA_UNMAP_DIRTY_BITMAP, PAGE, 16), 0);
	assert_int_equal(l.reply_len, 24 + 16 + 16);
	assert_memory_equal(l.reply + 40, ((uint8_t[16]){ 0, 2 }), 16);
	assert_int_equal(l.nr_reports, 2);
	assert_int_equal(l.nr_unmaps, 1);
}

static void test_unmap_takes_all_for_dirty_after_an_error(void **state)
{
	l.is_logging = true;
	l.fail_report_at = 2;
	assert_int_equal(link_map(&l, AT, 10 * PAGE, RW, -1, 0), 0);
	assert_int_equal(call_unmap_bits(48, VFU_DMA_UNMAP_DIRTY_BITMAP, PAGE, 8), 0);
	assert_memory_equal(l.reply + 40, ((uint8_t[8]){ 0xff, 3 }), 8);
	assert_int_equal(l.conn.dma->nr_maps, 0);
}

static void test_a_driver_may_refuse(void **state)
{
	_cleanup_close_ int fd = make_file(PAGE);
	struct asked a;
	uint8_t byte;

	l.map_result = -EPERM;
	assert_int_equal(link_map(&l, AT, PAGE, RW, fd, 0), -EPERM);
	assert_int_equal(l.nr_maps, 1);
	assert_int_equal(link_ask(&l, &a, AT, &byte, 1, false), -EFAULT);
	l.map_result = 0;
	assert_int_equal(link_map(&l, AT, PAGE, VFU_DMA_MAP_READ, fd, 0), 0);
	assert_int_equal(l.last_map.iova, AT);
	assert_int_equal(l.last_map.len, PAGE);
	assert_int_equal(l.last_map.flags, TRN_DMA_READ);
	assert_true(l.last_map.fd >= 0);
	/* What is not mapped by us shall not be mapped by the driver. */
	assert_int_equal(link_map(&l, AT + PAGE, PAGE, RW | VFU_DMA_MAP_FILE_IO, fd, 0), 0);
	assert_int_equal(l.last_map.fd, -1);
	assert_int_equal(link_map(&l, AT + 2 * PAGE, PAGE, RW, -1, 77), 0);
	assert_int_equal(l.last_map.fd, -1);
}

/* What the device writes is in the file, and what is in the file the device reads. */
static void check_memory(int fd, uint64_t iova, uint64_t offset, uint64_t len)
{
	uint8_t *out = malloc(len), *in = malloc(len);
	struct asked a;

	assert_true(out && in);
	memset(out, 0xa5, len);
	out[0] = 1;
	out[len - 1] = 2;
	assert_int_equal(link_ask(&l, &a, iova, out, len, true), 0);
	assert_int_equal(pread(fd, in, len, (off_t)offset), len);
	assert_memory_equal(in, out, len);
	memset(in, 0, len);
	assert_int_equal(link_ask(&l, &a, iova, in, len, false), 0);
	assert_memory_equal(in, out, len);
	assert_int_equal(a.nr_done, 0);
	free(out);
	free(in);
}

static void test_ways_without_messages(void **state)
{
	_cleanup_close_ int sealed = base_memfd_create("test", 64 * PAGE), open_ended = make_file(64 * PAGE);

	assert_true(sealed >= 0);
	assert_int_equal(link_map(&l, AT, 8 * PAGE, RW, sealed, 3 * PAGE), 0);
	assert_int_equal(link_map(&l, AT + 8 * PAGE, 8 * PAGE, RW | VFU_DMA_MAP_MMAP, open_ended, 5 * PAGE), 0);
	assert_int_equal(link_map(&l, AT + 16 * PAGE, 8 * PAGE, RW | VFU_DMA_MAP_FILE_IO, open_ended, 32 * PAGE), 0);
	assert_int_equal(way_at(AT), VFU_WAY_DIRECT);
	assert_int_equal(way_at(AT + 8 * PAGE), VFU_WAY_COPY);
	assert_int_equal(way_at(AT + 16 * PAGE), VFU_WAY_FILE);
	check_memory(sealed, AT + 1, 3 * PAGE + 1, 8 * PAGE - 1);
	check_memory(open_ended, AT + 9 * PAGE - 1, 6 * PAGE - 1, 7 * PAGE);
	check_memory(open_ended, AT + 16 * PAGE + 3, 32 * PAGE + 3, 100);
}

static void test_an_access_may_span_maps(void **state)
{
	_cleanup_close_ int sealed = base_memfd_create("test", 4 * PAGE), open_ended = make_file(4 * PAGE);
	uint8_t buf[3 * PAGE], byte;
	struct asked a;

	assert_int_equal(link_map(&l, AT, PAGE, RW, sealed, 0), 0);
	assert_int_equal(link_map(&l, AT + PAGE, PAGE, RW, open_ended, 0), 0);
	assert_int_equal(link_map(&l, AT + 2 * PAGE, PAGE, VFU_DMA_MAP_WRITE | VFU_DMA_MAP_FILE_IO, open_ended, PAGE), 0);
	memset(buf, 1, sizeof(buf));
	assert_int_equal(link_ask(&l, &a, AT + 10, buf, 3 * PAGE - 20, true), 0);
	assert_int_equal(pread(sealed, &byte, 1, 10), 1);
	assert_int_equal(byte, 1);
	assert_int_equal(pread(open_ended, &byte, 1, 2 * PAGE - 11), 1);
	assert_int_equal(byte, 1);
	assert_int_equal(pread(open_ended, &byte, 1, 2 * PAGE - 10), 1);
	assert_int_equal(byte, 0);
	/* All of it must be offered for the direction; else nothing is done. */
	memset(buf, 9, sizeof(buf));
	assert_int_equal(link_ask(&l, &a, AT, buf, 2 * PAGE + 1, false), -EFAULT);
	assert_int_equal(buf[0], 9);
	assert_int_equal(link_ask(&l, &a, AT, buf, 3 * PAGE + 1, true), -EFAULT);
	assert_int_equal(link_ask(&l, &a, AT - 1, buf, 2, true), -EFAULT);
	assert_int_equal(pread(sealed, &byte, 1, 10), 1);
	assert_int_equal(byte, 1);
	assert_int_equal(link_ask(&l, &a, UINT64_MAX, buf, 2, true), -EINVAL);
	assert_int_equal(link_ask(&l, &a, AT, buf, 0, true), -EINVAL);
}

static void test_a_file_that_became_short_is_an_error(void **state)
{
	_cleanup_close_ int fd = make_file(4 * PAGE);
	uint8_t buf[2 * PAGE] = { 0 };
	struct asked a;

	/* As the server is: nobody may look into it, but it may itself. */
	assert_int_equal(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), 0);
	assert_int_equal(link_map(&l, AT, 4 * PAGE, RW, fd, 0), 0);
	assert_int_equal(link_map(&l, AT + 16 * PAGE, 4 * PAGE, RW | VFU_DMA_MAP_FILE_IO, fd, 0), 0);
	assert_int_equal(link_ask(&l, &a, AT, buf, 2 * PAGE, true), 0);
	assert_int_equal(ftruncate(fd, PAGE), 0);
	for (uint64_t at = AT; at <= AT + 16 * PAGE; at += 16 * PAGE) {
		assert_int_equal(link_ask(&l, &a, at, buf, PAGE, true), 0);
		assert_int_equal(link_ask(&l, &a, at + 2 * PAGE, buf, 8, true), -EFAULT);
		assert_int_equal(link_ask(&l, &a, at + 2 * PAGE, buf, 8, false), -EFAULT);
		assert_int_equal(link_ask(&l, &a, at, buf, 2 * PAGE, false), -EFAULT);
		assert_int_equal(link_ask(&l, &a, at, buf, 2 * PAGE, true), -EFAULT);
	}
	assert_int_equal(lseek(fd, 0, SEEK_END), PAGE);
	assert_int_equal(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), 0);
}

static void test_a_huge_sparse_file(void **state)
{
	const uint64_t size = 8ull << 40;
	_cleanup_close_ int fd = make_file(size);

	assert_int_equal(link_map(&l, 0, size, RW, fd, 0), 0);
	check_memory(fd, size - 2 * PAGE, size - 2 * PAGE, 2 * PAGE);
	/* More than the address space of a process: read and written instead. */
	assert_int_equal(ftruncate(fd, INT64_MAX & ~(off_t)(PAGE - 1)), 0);
	assert_int_equal(link_map(&l, 1ull << 62, 1ull << 62, RW, fd, 0), 0);
	assert_int_equal(way_at(1ull << 62), VFU_WAY_FILE);
	check_memory(fd, (1ull << 62) + PAGE, PAGE, PAGE);
}

static void test_huge_pages(void **state)
{
	const uint64_t huge = 2 << 20;
	_cleanup_close_ int fd = memfd_create("test", MFD_CLOEXEC | MFD_HUGETLB | MFD_ALLOW_SEALING);
	uint8_t byte = 1;
	struct asked a;
	int r;

	if (fd < 0 || ftruncate(fd, (off_t)(2 * huge)) < 0)
		skip();
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	/* A map need not begin at a huge page. */
	assert_int_equal(link_map(&l, AT, huge, RW, fd, huge / 2), 0);
	assert_int_equal(way_at(AT), VFU_WAY_COPY);
	/* There may be no such pages on this machine; that must be an error and no signal. */
	r = link_ask(&l, &a, AT + huge - 1, &byte, 1, true);
	assert_true(r == 0 || r == -EFAULT);
	assert_int_equal(link_unmap(&l, AT, huge), 0);
}

/* Threads that write all the time, as a device does while its driver is being unloaded. */
struct writer {
	pthread_t thread;
	_Atomic bool *stop;
	uint8_t value;
	_Atomic unsigned int nr_written;
};

static void *keep_writing(void *arg)
{
	struct writer *w = arg;
	uint8_t buf[64];
	struct asked a;

	memset(buf, w->value, sizeof(buf));
	while (!*w->stop)
		for (uint64_t at = AT; at < AT + 3 * PAGE; at += PAGE)
			w->nr_written += link_ask(&l, &a, at + sizeof(buf) * w->value, buf, sizeof(buf), true) == 0;
	return NULL;
}

static bool have_all_written(struct writer *writers)
{
	return writers[0].nr_written && writers[1].nr_written && writers[2].nr_written;
}

static void test_nothing_is_written_after_unmap(void **state)
{
	_cleanup_close_ int sealed = base_memfd_create("test", PAGE), open_ended = make_file(2 * PAGE);
	struct writer writers[3] = { { .value = 1 }, { .value = 2 }, { .value = 3 } };
	_Atomic bool stop = false;
	uint8_t buf[256], zeros[256] = { 0 };

	for (int i = 0; i < 3; i++) {
		writers[i].stop = &stop;
		assert_int_equal(pthread_create(&writers[i].thread, NULL, keep_writing, &writers[i]), 0);
	}
	/* A busy machine may let a writer wait for long. */
	for (int round = 0; round < 300 || (!have_all_written(writers) && round < 100000); round++) {
		assert_int_equal(link_map(&l, AT, PAGE, RW, sealed, 0), 0);
		assert_int_equal(link_map(&l, AT + PAGE, PAGE, RW, open_ended, 0), 0);
		assert_int_equal(link_map(&l, AT + 2 * PAGE, PAGE, RW | VFU_DMA_MAP_FILE_IO, open_ended, PAGE), 0);
		usleep(50);
		assert_int_equal(link_unmap_all(&l), 0);
		assert_int_equal(pwrite(sealed, zeros, 256, 0), 256);
		assert_int_equal(pwrite(open_ended, zeros, 256, 0), 256);
		assert_int_equal(pwrite(open_ended, zeros, 256, PAGE), 256);
		usleep(50);
		assert_int_equal(pread(sealed, buf, 256, 0), 256);
		assert_memory_equal(buf, zeros, 256);
		assert_int_equal(pread(open_ended, buf, 256, 0), 256);
		assert_memory_equal(buf, zeros, 256);
		assert_int_equal(pread(open_ended, buf, 256, PAGE), 256);
		assert_memory_equal(buf, zeros, 256);
	}
	stop = true;
	for (int i = 0; i < 3; i++) {
		pthread_join(writers[i].thread, NULL);
		assert_true(writers[i].nr_written > 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_bad_maps_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_page_sizes_of_both_sides, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_file_must_be_open_for_it, setup, teardown),
		cmocka_unit_test_setup_teardown(test_overlap_and_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unmap_wants_the_very_map, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unmap_tells_dirty_pages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unmap_takes_all_for_dirty_after_an_error, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_driver_may_refuse, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ways_without_messages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_an_access_may_span_maps, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_file_that_became_short_is_an_error, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_huge_sparse_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_huge_pages, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nothing_is_written_after_unmap, setup, teardown),
	};

	return unit_run(tests);
}
