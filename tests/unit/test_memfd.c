/* SPDX-License-Identifier: MIT */
#include "base/memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "unit.h"

#define SIZE (16 * 4096)

static uint64_t pages_of(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return (uint64_t)st.st_blocks / 8;
}

static void test_create_is_zero_and_of_fixed_size(void **state)
{
	int fd = base_memfd_create("test", SIZE);
	uint8_t *p;

	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(ftruncate(fd, SIZE / 2), -1);
	assert_int_equal(ftruncate(fd, SIZE * 2), -1);
	p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(p, MAP_FAILED);
	for (size_t i = 0; i < SIZE; i++)
		assert_int_equal(p[i], 0);
	munmap(p, SIZE);
	base_close(fd);
}

static void test_create_refuses(void **state)
{
	assert_int_equal(base_memfd_create("test", 0), -EINVAL);
	assert_int_equal(base_memfd_create("test", 4095), -EINVAL);
	assert_int_equal(base_memfd_create("test", UINT64_MAX - 4095), -EFBIG);
}

static void test_retire_gives_memory_back(void **state)
{
	int fd = base_memfd_create("test", SIZE);
	uint8_t *p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	assert_ptr_not_equal(p, MAP_FAILED);
	memset(p, 1, SIZE);
	assert_int_equal(pages_of(fd), SIZE / 4096);
	/* Somebody maps it: the pages go, but nobody may rely on it. */
	assert_int_equal(base_memfd_retire(fd, SIZE), -EBUSY);
	assert_int_equal(pages_of(fd), 0);
	memset(p, 1, SIZE);
	munmap(p, SIZE);
	assert_int_equal(base_memfd_retire(fd, SIZE), 0);
	assert_int_equal(pages_of(fd), 0);
	assert_ptr_equal(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
	assert_int_equal(write(fd, "x", 1), -1);
	assert_int_equal(base_memfd_retire(fd, SIZE), 0);
	base_close(fd);
}

/* A mapping that cannot write can still make pages, by reading: then the memory is not free. */
static void test_retire_counts_pages_made_by_reading(void **state)
{
	int fd = base_memfd_create("test", SIZE);
	volatile uint8_t *p;
	unsigned int sum = 0;
	char path[32];
	int reader;

	/* A mapping of a descriptor that can write counts as one that may be made writable. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	reader = open(path, O_RDONLY | O_CLOEXEC);
	p = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, reader, 0);

	assert_ptr_not_equal(p, MAP_FAILED);
	assert_int_equal(base_memfd_retire(fd, SIZE), 0);
	for (size_t i = 0; i < SIZE; i += 4096)
		sum += p[i];
	assert_int_equal(sum, 0);
	assert_int_equal(base_memfd_retire(fd, SIZE), pages_of(fd) ? -EBUSY : 0);
	munmap((void *)(uintptr_t)p, SIZE);
	base_close(reader);
	base_close(fd);
}

static void test_retire_refuses_what_is_no_memfd(void **state)
{
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_true(base_memfd_retire(fds[0], SIZE) < 0);
	assert_int_equal(base_memfd_retire(-1, SIZE), -EBADF);
	base_close(fds[0]);
	base_close(fds[1]);
}

static void test_fixed_seals(void **state)
{
	int fd = base_memfd_create("test", SIZE);

	assert_int_equal(base_memfd_fix_seals(fd), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(base_memfd_fix_seals(fd), 0);
	assert_true(base_memfd_is_safe(fd, SIZE));
	close(fd);
	assert_int_equal(base_memfd_fix_seals(fd), -EBADF);
}

static void test_is_safe(void **state)
{
	int good = base_memfd_create("test", SIZE);
	int unsealed = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int other = open("/dev/null", O_RDWR | O_CLOEXEC);

	assert_true(base_memfd_is_safe(good, SIZE));
	assert_true(base_memfd_is_safe(good, SIZE - 1));
	assert_false(base_memfd_is_safe(good, SIZE + 1));
	assert_false(base_memfd_is_safe(good, UINT64_MAX));
	assert_int_equal(ftruncate(unsealed, SIZE), 0);
	assert_false(base_memfd_is_safe(unsealed, SIZE));
	assert_false(base_memfd_is_safe(other, 0));
	assert_false(base_memfd_is_safe(-1, 0));
	base_close(good);
	base_close(unsealed);
	base_close(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_create_is_zero_and_of_fixed_size),
		cmocka_unit_test(test_create_refuses),
		cmocka_unit_test(test_retire_gives_memory_back),
		cmocka_unit_test(test_retire_counts_pages_made_by_reading),
		cmocka_unit_test(test_retire_refuses_what_is_no_memfd),
		cmocka_unit_test(test_fixed_seals),
		cmocka_unit_test(test_is_safe),
	};

	return unit_run(tests);
}
