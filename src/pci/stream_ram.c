/* SPDX-License-Identifier: MIT */
/* Memory of regions, page by page; what was never touched is not looked at, as to look would make it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pci/stream.h"

bool pci_ram_is_moved(const struct trn_pci *pci, uint32_t region)
{
	return region < PCI_NR_REGIONS && pci->regions[region].ram && !pci->regions[region].is_read_only;
}

uint64_t pci_ram_nr_pages(const struct pci_region *region)
{
	return region->size / STREAM_PAGE_SIZE + (region->size % STREAM_PAGE_SIZE ? 1 : 0);
}

size_t pci_ram_page_len(const struct pci_region *region, uint64_t page)
{
	uint64_t left = region->size - page * STREAM_PAGE_SIZE;

	return left < STREAM_PAGE_SIZE ? left : STREAM_PAGE_SIZE;
}

bool pci_ram_is_zero(const uint8_t *bytes, size_t len)
{
	return !bytes[0] && !memcmp(bytes, bytes + 1, len - 1);
}

/* The first page from page on where whence says something begins; errors other than "no more" say nothing. */
static uint64_t seek(const struct pci_region *region, uint64_t page, int whence, uint64_t if_unknown)
{
	uint64_t nr = pci_ram_nr_pages(region);
	off_t at = lseek(region->fd, (off_t)(region->fd_offset + page * STREAM_PAGE_SIZE), whence);

	if (at < 0)
		return errno == ENXIO ? nr : if_unknown;
	at = (at - (off_t)region->fd_offset) / (off_t)STREAM_PAGE_SIZE;
	return (uint64_t)at < nr ? (uint64_t)at : nr;
}

uint64_t pci_ram_next_data(const struct pci_region *region, uint64_t page)
{
	return seek(region, page, SEEK_DATA, page);
}

void pci_ram_find_data(const struct pci_region *region, uint64_t page, uint64_t *ret_first, uint64_t *ret_end)
{
	uint64_t nr = pci_ram_nr_pages(region), first = nr, end = nr;

	if (page < nr)
		first = seek(region, page, SEEK_DATA, page);
	if (first < nr)
		end = seek(region, first, SEEK_HOLE, nr);
	*ret_first = first;
	*ret_end = end > first || first == nr ? end : first + 1;
}

uint8_t *pci_ram_copy_map(const struct pci_region *region)
{
	void *copy = mmap(NULL, pci_ram_nr_pages(region) * STREAM_PAGE_SIZE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return copy == MAP_FAILED ? NULL : copy;
}

void pci_ram_copy_unmap(const struct pci_region *region, uint8_t *copy)
{
	if (copy)
		munmap(copy, pci_ram_nr_pages(region) * STREAM_PAGE_SIZE);
}

uint64_t *pci_ram_bits_new(const struct pci_region *region)
{
	return calloc(pci_ram_nr_pages(region) / 64 + 1, sizeof(uint64_t));
}

uint64_t pci_ram_next_bit(const uint64_t *bits, uint64_t page, uint64_t nr_pages)
{
	while (page < nr_pages) {
		uint64_t rest = bits[page / 64] >> (page % 64);

		if (rest) {
			page += (uint64_t)__builtin_ctzll(rest);
			return page < nr_pages ? page : nr_pages;
		}
		page = (page / 64 + 1) * 64;
	}
	return nr_pages;
}
