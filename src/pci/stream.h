/* SPDX-License-Identifier: MIT */
/*
 * The form of a saved device.
 *
 *   struct stream_start, then head_len bytes: struct stream_head and what the driver's save_compat wrote
 *   sections: struct stream_section, then len bytes. In this order:
 *     PAGE    any number: struct stream_page and the bytes of a page of a region's memory; a later one of the same page
 *             takes the place of an earlier one; pages that never come are zero
 *     CONFIG  configuration space
 *     IRQS    the interrupts' state (irq_state.c)
 *     DRIVER  what the driver's save wrote, of the version that the head tells
 *     END     struct stream_end
 *
 * All numbers are little-endian; what is reserved is 0.  The head is all that a device needs to know whether the rest is
 * for it.
 */
#ifndef PCI_STREAM_H
#define PCI_STREAM_H

#ifndef TRANCHE_BUILDING_PCI
#error "belongs to the PCI library; drivers include tranche/pci.h"
#endif

#include <stddef.h>
#include <stdint.h>

#include "pci/pci_priv.h"

#define STREAM_MAGIC "trn-pci\n"
#define STREAM_VERSION 1u
#define STREAM_MAX_COMPAT 4096u
#define STREAM_PAGE_SIZE 4096u

struct stream_start {
	char magic[8];
	uint32_t version;
	uint32_t head_len;
};

struct stream_region {
	uint64_t size;
	uint32_t flags; /* TRN_PCI_BAR_* */
	uint32_t type, subtype;
	uint32_t reserved;
};

struct stream_head {
	uint16_t vendor, device, subsystem_vendor, subsystem;
	uint32_t class_code; /* with the revision in the low byte */
	uint32_t flags; /* TRN_PCI_* */
	uint32_t nr_irqs[TRN_PCI_NR_IRQS];
	uint32_t config_size;
	uint32_t layout; /* CRC-32 of places and masks of configuration space */
	uint32_t driver_version;
	uint32_t compat_len; /* of the driver's bytes behind this struct */
	uint32_t reserved;
	char type[128]; /* its name, cut, with a zero at the end */
	struct stream_region regions[PCI_NR_REGIONS];
};

enum stream_tag { STREAM_PAGE = 1, STREAM_CONFIG, STREAM_IRQS, STREAM_DRIVER, STREAM_END };

struct stream_section {
	uint32_t tag;
	uint32_t reserved;
	uint64_t len;
};

struct stream_page {
	uint32_t region;
	uint32_t reserved;
	uint64_t offset; /* in the region; multiple of STREAM_PAGE_SIZE */
};

struct stream_end {
	uint32_t crc; /* of everything before */
	uint32_t reserved;
};

/* Bytes that a driver writes; at most max. */
struct trn_pci_writer {
	uint8_t *data; /* owned by who made the writer */
	size_t len, room, max;
	int error; /* the first: -EFBIG or -ENOMEM */
};

/* stream.c */
void pci_stream_head_fill(const struct trn_pci *pci, struct stream_head *ret); /* compat_len stays 0 */
int pci_stream_head_check(const struct trn_pci *pci, const struct stream_head *head, struct trn_error *err);
/* What the driver's save_compat writes; the bytes are the caller's. */
int pci_stream_compat(struct trn_pci *pci, struct trn_pci_writer *ret);

/* stream_ram.c: memory that is moved */
bool pci_ram_is_moved(const struct trn_pci *pci, uint32_t region);
uint64_t pci_ram_nr_pages(const struct pci_region *region);
size_t pci_ram_page_len(const struct pci_region *region, uint64_t page); /* the last one may be shorter */
bool pci_ram_is_zero(const uint8_t *bytes, size_t len);
/* The pages from page on: *ret_first is the first one that has memory, *ret_end the first one behind it that may have
 * none. Both are the number of pages at the end. */
void pci_ram_find_data(const struct pci_region *region, uint64_t page, uint64_t *ret_first, uint64_t *ret_end);

/* The first page from page on that has memory; the number of pages: there is none. */
uint64_t pci_ram_next_data(const struct pci_region *region, uint64_t page);

/* As many zero bytes of address space as the region has, which take memory when they are written; NULL: none are to be had. */
uint8_t *pci_ram_copy_map(const struct pci_region *region);
void pci_ram_copy_unmap(const struct pci_region *region, uint8_t *copy); /* NULL is accepted */
/* A bit a page. */
uint64_t *pci_ram_bits_new(const struct pci_region *region);
static inline bool pci_ram_bit(const uint64_t *bits, uint64_t page)
{
	return bits[page / 64] >> (page % 64) & 1;
}
static inline void pci_ram_set_bit(uint64_t *bits, uint64_t page)
{
	bits[page / 64] |= 1ull << (page % 64);
}
uint64_t pci_ram_next_bit(const uint64_t *bits, uint64_t page, uint64_t nr_pages); /* nr_pages: there is none */

#endif
