/* SPDX-License-Identifier: MIT */
/*
 * Mappings of holders in this process: pages appear when they are touched, and can be taken away again.
 *
 * A mapping is shared memory of the region in which a userfaultfd reports every touch of a page that has not appeared.
 * A thread then lets the page appear, or, where and while it may not, puts a page of a private mapping of ones in its place.
 * Taking away is MADV_DONTNEED, which forgets what the mapping shows, not what the memory holds.
 *
 * Locking: the thread takes the device's lock for each fault, so that it sees COMMAND, the power state and the driver's
 * areas as they are; who holds the lock must not touch a mapping.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "base/cleanup.h"
#include "base/memfd.h"
#include "base/range.h"
#include "base/thread.h"
#include "pci/pci_priv.h"
#include "tranche/mdev.h"

/* More than one, so that neighbours make one mapping of the kernel's, whose number is limited. */
#define ONES_PAGES 16

struct trn_pci_mapping {
	struct base_list node; /* in trn_pci.mappings */
	struct trn_pci *pci;
	const struct pci_region *region;
	uint32_t index;
	uint64_t offset, len;
	uint8_t *addr; /* MAP_FAILED: not yet */
	bool *has_ones; /* a page of ones is there; one for each page; owned */
	int uffd, stop_fd;
	int ones_fd; /* ONES_PAGES of ones */
	pthread_t thread; /* valid while is_served */
	bool is_served;
};

static void *address_of(const struct trn_pci_mapping *m, uint64_t page)
{
	return m->addr + page * BASE_PAGE_SIZE;
}

static void wake(const struct trn_pci_mapping *m, uint64_t page)
{
	struct uffdio_range range = { .start = (uintptr_t)address_of(m, page), .len = BASE_PAGE_SIZE };

	ioctl(m->uffd, UFFDIO_WAKE, &range);
}

/* Makes [page, page + nr) show the region's memory, on demand. */
static int watch(const struct trn_pci_mapping *m, uint64_t page, uint64_t nr)
{
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)address_of(m, page), .len = nr * BASE_PAGE_SIZE },
		.mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_MINOR,
	};

	/* A child gets no copy: there the pages would appear without a question. */
	if (madvise(address_of(m, page), nr * BASE_PAGE_SIZE, MADV_DONTFORK) < 0)
		return -errno;
	return ioctl(m->uffd, UFFDIO_REGISTER, &reg) < 0 ? -errno : 0;
}

/* Puts other memory in the place of a page, in one step. */
static bool replace(const struct trn_pci_mapping *m, uint64_t page, int kind, int fd, uint64_t offset)
{
	const int prot = PROT_READ | PROT_WRITE, flags = kind | MAP_FIXED;

#ifdef __SANITIZE_THREAD__
	/* To its mmap() this is a write, in no order with the touch that waits for it in the kernel. */
	return syscall(SYS_mmap, address_of(m, page), BASE_PAGE_SIZE, prot, flags, fd, offset) != -1;
#else
	return mmap(address_of(m, page), BASE_PAGE_SIZE, prot, flags, fd, (off_t)offset) != MAP_FAILED;
#endif
}

static void put_ones(struct trn_pci_mapping *m, uint64_t page)
{
	if (replace(m, page, MAP_PRIVATE, m->ones_fd, page % ONES_PAGES * BASE_PAGE_SIZE))
		m->has_ones[page] = true;
}

/* Only for pages that may be mapped now, as they are bare between the two steps; the caller takes away what came in. */
static void remove_ones(struct trn_pci_mapping *m, uint64_t page)
{
	if (!replace(m, page, MAP_SHARED, m->region->fd, m->region->fd_offset + m->offset + page * BASE_PAGE_SIZE))
		return;
	m->has_ones[page] = false;
	if (watch(m, page, 1) < 0)
		put_ones(m, page);
}

static bool may_show(const struct trn_pci_mapping *m, uint64_t page)
{
	return pci_region_may_map(m->pci, m->index, m->offset + page * BASE_PAGE_SIZE);
}

static void zap(struct trn_pci_mapping *m)
{
	for (uint64_t page = 0; page < m->len / BASE_PAGE_SIZE; page++)
		if (m->has_ones[page] && may_show(m, page))
			remove_ones(m, page);
	/* Pages of ones lose what was written to them. */
	madvise(m->addr, m->len, MADV_DONTNEED);
}

void pci_mappings_zap(struct trn_pci *pci)
{
	struct trn_pci_mapping *m;

	base_list_for_each(m, &pci->mappings, node)
		zap(m);
}

static void show(const struct trn_pci_mapping *m, uint64_t page)
{
	struct uffdio_continue go_on = {
		.range = { .start = (uintptr_t)address_of(m, page), .len = BASE_PAGE_SIZE },
	};

	/* The file must have the page before a mapping can: this makes it as a touch of our own mapping would. */
	madvise(m->region->ram + m->offset + page * BASE_PAGE_SIZE, BASE_PAGE_SIZE, MADV_POPULATE_READ);
	/* Where it is there already, or things change meanwhile, the touch is tried again. */
	if (ioctl(m->uffd, UFFDIO_CONTINUE, &go_on) < 0)
		wake(m, page);
}

static void handle_fault(struct trn_pci_mapping *m, uint64_t address)
{
	uint64_t page = (address - (uintptr_t)m->addr) / BASE_PAGE_SIZE;

	trn_pci_lock(m->pci);
	if (m->has_ones[page]) {
		wake(m, page);
	} else if (may_show(m, page)) {
		show(m, page);
	} else {
		/* Without memory for it the touch waits, and is tried again. */
		put_ones(m, page);
		wake(m, page);
	}
	trn_pci_unlock(m->pci);
}

static void *serve(void *mapping)
{
	struct trn_pci_mapping *m = mapping;
	struct pollfd fds[2] = { { .fd = m->uffd, .events = POLLIN }, { .fd = m->stop_fd, .events = POLLIN } };
	struct uffd_msg msg;

	while (!fds[1].revents) {
		if (poll(fds, 2, -1) < 0)
			continue;
		while (read(m->uffd, &msg, sizeof(msg)) == (ssize_t)sizeof(msg))
			if (msg.event == UFFD_EVENT_PAGEFAULT)
				handle_fault(m, msg.arg.pagefault.address);
	}
	return NULL;
}

/* The kernel's own touches (a read(2) into the mapping) are served too when that is allowed. */
static int open_uffd(void)
{
	struct uffdio_api api = { .api = UFFD_API, .features = UFFD_FEATURE_MISSING_SHMEM | UFFD_FEATURE_MINOR_SHMEM };
	_cleanup_close_ int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 && errno == EPERM)
		fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
	if (fd < 0)
		return errno == ENOSYS || errno == EINVAL ? -EOPNOTSUPP : -errno;
	if (ioctl(fd, UFFDIO_API, &api) < 0)
		return -EOPNOTSUPP;
	return TAKE_FD(fd);
}

static int make_ones(void)
{
	_cleanup_close_ int fd = base_memfd_create("tranche-ones", ONES_PAGES * BASE_PAGE_SIZE);
	uint8_t ones[BASE_PAGE_SIZE];

	if (fd < 0)
		return fd;
	memset(ones, 0xff, sizeof(ones));
	for (off_t at = 0; at < (off_t)(ONES_PAGES * BASE_PAGE_SIZE); at += (off_t)sizeof(ones))
		if (pwrite(fd, ones, sizeof(ones), at) != (ssize_t)sizeof(ones))
			return -EIO;
	return TAKE_FD(fd);
}

static int start_thread(struct trn_pci_mapping *m)
{
	int r = base_thread_start(&m->thread, serve, m);

	m->is_served = r == 0;
	return r;
}

static int set_up(struct trn_pci_mapping *m)
{
	int r;

	m->has_ones = calloc(m->len / BASE_PAGE_SIZE, sizeof(*m->has_ones));
	if (!m->has_ones)
		return -ENOMEM;
	m->uffd = open_uffd();
	if (m->uffd < 0)
		return m->uffd;
	m->ones_fd = make_ones();
	if (m->ones_fd < 0)
		return m->ones_fd;
	m->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (m->stop_fd < 0)
		return -errno;
	m->addr = mmap(NULL, m->len, PROT_READ | PROT_WRITE, MAP_SHARED, m->region->fd,
		       (off_t)(m->region->fd_offset + m->offset));
	if (m->addr == MAP_FAILED)
		return -errno;
	r = watch(m, 0, m->len / BASE_PAGE_SIZE);
	return r < 0 ? r : start_thread(m);
}

static void finish(struct trn_pci_mapping *m)
{
	if (m->is_served) {
		eventfd_write(m->stop_fd, 1);
		pthread_join(m->thread, NULL);
	}
	if (m->addr != MAP_FAILED)
		munmap(m->addr, m->len);
	base_close(m->uffd);
	base_close(m->stop_fd);
	base_close(m->ones_fd);
	free(m->has_ones);
	free(m);
}

static int check(const struct pci_region *region, uint64_t offset, uint64_t len)
{
	if (!region || !len || !base_is_page_aligned(offset | len) || !base_range_is_within(offset, len, region->size))
		return -EINVAL;
	return region->flags & TRN_PCI_BAR_MMAP ? 0 : -EOPNOTSUPP;
}

int trn_pci_map(struct trn_use *use, uint32_t index, uint64_t offset, uint64_t len, struct trn_pci_mapping **ret,
		void **ret_addr)
{
	struct trn_pci *pci = trn_pci_of(trn_use_device(use));
	struct trn_pci_mapping *m;
	int r = check(pci_region_at(pci, index), offset, len);

	if (r < 0)
		return r;
	m = malloc(sizeof(*m));
	if (!m)
		return -ENOMEM;
	*m = (struct trn_pci_mapping){
		.pci = pci,
		.region = &pci->regions[index],
		.index = index,
		.offset = offset,
		.len = len,
		.addr = MAP_FAILED,
		.uffd = -1,
		.stop_fd = -1,
		.ones_fd = -1,
	};
	r = set_up(m);
	if (r < 0) {
		finish(m);
		return r;
	}
	trn_pci_lock(pci);
	base_list_append(&pci->mappings, &m->node);
	trn_pci_unlock(pci);
	*ret = m;
	*ret_addr = m->addr;
	return 0;
}

void trn_pci_unmap(struct trn_pci_mapping *mapping)
{
	if (!mapping)
		return;
	trn_pci_lock(mapping->pci);
	base_list_remove(&mapping->node);
	trn_pci_unlock(mapping->pci);
	finish(mapping);
}
