/* SPDX-License-Identifier: MIT */
/* Writes that only wake somebody: holders signal the descriptor themselves when they can; else it is done here. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "base/memfd.h"
#include "base/range.h"
#include "pci/pci_priv.h"
#include "tranche/mdev.h"

#define SHADOW_SIZE 8u

static uint64_t size_of(const struct trn_ioeventfd *ev)
{
	return ev->size ? ev->size : 1;
}

static bool have_same_value(const struct trn_ioeventfd *a, const struct trn_ioeventfd *b)
{
	return !(a->flags & b->flags & TRN_IOEVENTFD_DATAMATCH) || a->datamatch == b->datamatch;
}

static bool is_there_already(const struct trn_pci *pci, unsigned int index, const struct trn_ioeventfd *ev)
{
	for (unsigned int i = 0; i < pci->ioeventfds.nr; i++) {
		const struct pci_ioeventfd *other = &pci->ioeventfds.list[i];

		if (other->region == index && have_same_value(&other->ev, ev) &&
		    base_range_overlaps(other->ev.offset, size_of(&other->ev), ev->offset, size_of(ev)))
			return true;
	}
	return false;
}

static bool is_in_table(const struct trn_pci *pci, unsigned int index, const struct trn_ioeventfd *ev)
{
	struct trn_span spans[2];
	unsigned int nr = pci_region_msix_spans(pci, index, spans);

	for (unsigned int i = 0; i < nr; i++)
		if (base_range_overlaps(ev->offset, size_of(ev), spans[i].start, spans[i].len))
			return true;
	return false;
}

static bool has_sane_size(const struct trn_ioeventfd *ev)
{
	bool is_matched = ev->flags & TRN_IOEVENTFD_DATAMATCH;

	if (ev->flags & ~(TRN_IOEVENTFD_DATAMATCH | TRN_IOEVENTFD_PIO))
		return false;
	if (ev->size == 0)
		return !is_matched;
	return ev->size <= 8 && !(ev->size & (ev->size - 1)) &&
	       !(is_matched && ev->size < 8 && ev->datamatch >> (8 * ev->size));
}

static int check(const struct trn_pci *pci, unsigned int index, const struct trn_ioeventfd *ev, struct trn_error *err)
{
	const struct pci_region *region = pci_region_at(pci, index);

	if (!region || region->is_read_only || !base_range_is_within(ev->offset, size_of(ev), region->size))
		return trn_error_set(err, -EINVAL, "BadIoeventfd", "an ioeventfd at %#llx lies outside of region %u",
				     (unsigned long long)ev->offset, index);
	if (!has_sane_size(ev) || ev->fd < 0)
		return trn_error_set(err, -EINVAL, "BadIoeventfd", "an ioeventfd of size %u with flags %#x and descriptor %d",
				     ev->size, ev->flags, ev->fd);
	if (is_in_table(pci, index, ev))
		return trn_error_set(err, -EINVAL, "BadIoeventfd", "an ioeventfd at %#llx lies in the MSI-X table",
				     (unsigned long long)ev->offset);
	if (is_there_already(pci, index, ev))
		return trn_error_set(err, -EEXIST, "Taken", "there is an ioeventfd at %#llx already", (unsigned long long)ev->offset);
	if (pci->ioeventfds.nr == PCI_MAX_IOEVENTFDS)
		return trn_error_set(err, -ENOSPC, "TooMany", "a device has at most %u ioeventfds", PCI_MAX_IOEVENTFDS);
	return 0;
}

/* The pages around the shadow, as mmap() wants them. */
static size_t shadow_span(uint64_t offset)
{
	return offset % BASE_PAGE_SIZE > BASE_PAGE_SIZE - SHADOW_SIZE ? 2 * BASE_PAGE_SIZE : BASE_PAGE_SIZE;
}

static int map_shadow(const struct trn_ioeventfd *ev, uint8_t **ret, struct trn_error *err)
{
	uint64_t in_page = ev->shadow_offset % BASE_PAGE_SIZE;
	uint8_t *pages;

	if (ev->shadow_fd < 0)
		return 0;
	/* Holders get the descriptor too, and must be able neither to take away what is mapped here nor to seal it. */
	if (ev->shadow_offset > UINT64_MAX - SHADOW_SIZE || !base_memfd_is_safe(ev->shadow_fd, ev->shadow_offset + SHADOW_SIZE))
		return trn_error_set(err, -EINVAL, "BadIoeventfd",
				     "shadow memory at %#llx lies outside of its file, or that is no memfd sealed against shrinking",
				     (unsigned long long)ev->shadow_offset);
	(void)base_memfd_fix_seals(ev->shadow_fd);
	pages = mmap(NULL, shadow_span(ev->shadow_offset), PROT_READ | PROT_WRITE, MAP_SHARED, ev->shadow_fd,
		     (off_t)(ev->shadow_offset - in_page));
	if (pages == MAP_FAILED)
		return trn_error_set(err, -errno, "BadIoeventfd", "shadow memory cannot be mapped: %s", strerror(errno));
	*ret = pages + in_page;
	return 0;
}

static void finish(struct pci_ioeventfd *e)
{
	if (e->shadow)
		munmap(e->shadow - e->ev.shadow_offset % BASE_PAGE_SIZE, shadow_span(e->ev.shadow_offset));
	base_close(e->ev.fd);
	base_close(e->ev.shadow_fd);
}

/* Gives new descriptors, the caller's; on failure none. */
static int duplicate(const struct trn_ioeventfd *from, struct trn_ioeventfd *ret)
{
	*ret = *from;
	ret->shadow_fd = -1;
	ret->fd = fcntl(from->fd, F_DUPFD_CLOEXEC, 3);
	if (ret->fd < 0)
		return -errno;
	if (from->shadow_fd < 0)
		return 0;
	ret->shadow_fd = fcntl(from->shadow_fd, F_DUPFD_CLOEXEC, 3);
	if (ret->shadow_fd < 0) {
		int r = -errno;

		ret->fd = base_close(ret->fd);
		return r;
	}
	return 0;
}

static int add(struct trn_pci *pci, unsigned int index, const struct trn_ioeventfd *ev, struct trn_error *err)
{
	struct pci_ioeventfd e = { .region = index };
	int r = check(pci, index, ev, err);

	if (r < 0)
		return r;
	r = duplicate(ev, &e.ev);
	if (r < 0)
		return trn_error_set(err, r, "NoDescriptor", "no descriptor for an ioeventfd: %s", strerror(-r));
	if (pci->regions[index].flags & TRN_PCI_BAR_IO)
		e.ev.flags |= TRN_IOEVENTFD_PIO;
	else
		e.ev.flags &= ~TRN_IOEVENTFD_PIO;
	r = map_shadow(&e.ev, &e.shadow, err);
	if (r < 0) {
		finish(&e);
		return r;
	}
	pci->ioeventfds.list[pci->ioeventfds.nr++] = e;
	return 0;
}

int trn_pci_add_ioeventfd(struct trn_pci *pci, unsigned int index, const struct trn_ioeventfd *ev, struct trn_error *err)
{
	int r;

	trn_pci_lock(pci);
	r = add(pci, index, ev, err);
	trn_pci_unlock(pci);
	return r;
}

/* Those that were added before the MSI-X table. */
int pci_ioeventfds_check(const struct trn_pci *pci, struct trn_error *err)
{
	for (unsigned int i = 0; i < pci->ioeventfds.nr; i++) {
		const struct pci_ioeventfd *e = &pci->ioeventfds.list[i];

		if (is_in_table(pci, e->region, &e->ev))
			return trn_error_set(err, -EINVAL, "BadIoeventfd", "an ioeventfd at %#llx lies in the MSI-X table",
					     (unsigned long long)e->ev.offset);
	}
	return 0;
}

void pci_ioeventfds_finish(struct trn_pci *pci)
{
	while (pci->ioeventfds.nr)
		finish(&pci->ioeventfds.list[--pci->ioeventfds.nr]);
}

static bool is_meant(const struct pci_ioeventfd *e, uint32_t index, uint64_t offset, uint64_t value, size_t len)
{
	if (e->region != index || e->ev.offset != offset || (e->ev.size && e->ev.size != len))
		return false;
	return !(e->ev.flags & TRN_IOEVENTFD_DATAMATCH) || e->ev.datamatch == value;
}

bool pci_ioeventfds_catch(struct trn_pci *pci, uint32_t index, uint64_t offset, const void *buf, size_t len)
{
	uint64_t value = 0;

	if (!pci->ioeventfds.nr || len > sizeof(value))
		return false;
	memcpy(&value, buf, len);
	for (unsigned int i = 0; i < pci->ioeventfds.nr; i++) {
		const struct pci_ioeventfd *e = &pci->ioeventfds.list[i];

		if (!is_meant(e, index, offset, value, len))
			continue;
		if (e->shadow)
			memcpy(e->shadow, &value, len);
		base_signaller_signal(&pci->signaller, e->ev.fd);
		return true;
	}
	return false;
}

static ssize_t give(const struct trn_pci *pci, uint32_t index, struct trn_ioeventfd *ret, size_t max)
{
	size_t nr = 0, given = 0;

	for (unsigned int i = 0; i < pci->ioeventfds.nr; i++)
		nr += pci->ioeventfds.list[i].region == index;
	if (nr > max)
		return (ssize_t)nr;
	for (unsigned int i = 0; i < pci->ioeventfds.nr; i++) {
		int r;

		if (pci->ioeventfds.list[i].region != index)
			continue;
		r = duplicate(&pci->ioeventfds.list[i].ev, &ret[given]);
		if (r == 0) {
			given++;
			continue;
		}
		while (given--) {
			base_close(ret[given].fd);
			base_close(ret[given].shadow_fd);
		}
		return r;
	}
	return (ssize_t)nr;
}

ssize_t trn_pci_op_region_ioeventfds(struct trn_use *use, uint32_t index, struct trn_ioeventfd *ret, size_t max)
{
	struct trn_pci *pci = trn_pci_of(trn_use_device(use));
	ssize_t r;

	trn_pci_lock(pci);
	r = give(pci, index, ret, max);
	trn_pci_unlock(pci);
	return r;
}
