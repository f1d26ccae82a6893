/* SPDX-License-Identifier: MIT */
/* BARs, ROM and own regions: how they are made. */
#include "pci/region.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/memfd.h"
#include "base/range.h"
#include "pci/pci_priv.h"

#define MIN_ROM 2048u /* the size that a ROM's register can tell */
#define MAX_ROM (16u << 20)
#define ALL_FLAGS (TRN_PCI_BAR_IO | TRN_PCI_BAR_64 | TRN_PCI_BAR_PREFETCH | TRN_PCI_BAR_RAM | TRN_PCI_BAR_MMAP | \
		   TRN_PCI_BAR_UNSEALED)

void pci_regions_init(struct trn_pci *pci)
{
	pci->nr_regions = TRN_PCI_REGION_FIRST_OWN;
	base_list_init(&pci->mappings);
	for (unsigned int i = 0; i < PCI_NR_REGIONS; i++)
		pci->regions[i].fd = -1;
}

static uint64_t whole_pages(uint64_t size)
{
	return (size + BASE_PAGE_SIZE - 1) & ~(BASE_PAGE_SIZE - 1);
}

void pci_regions_finish(struct trn_pci *pci)
{
	for (unsigned int i = 0; i < PCI_NR_REGIONS; i++) {
		struct pci_region *region = &pci->regions[i];

		if (region->ram)
			munmap(region->ram, whole_pages(region->size));
		region->ram = NULL;
		region->fd = base_close(region->fd);
	}
	pci_ioeventfds_finish(pci);
}

const struct pci_region *pci_region_at(const struct trn_pci *pci, uint32_t index)
{
	return index < PCI_NR_REGIONS && pci->regions[index].size ? &pci->regions[index] : NULL;
}

bool pci_region_is_on(const struct trn_pci *pci, uint32_t index)
{
	if (index > TRN_PCI_REGION_ROM)
		return true;
	return pci->regions[index].flags & TRN_PCI_BAR_IO ? pci_config_io_is_on(pci) : pci_config_memory_is_on(pci);
}

static bool has_size(int fd, uint64_t size)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_size >= 0 && (uint64_t)st.st_size >= size;
}

/* Does the driver's memory reach that far, and will it stay so as far as that can be known? */
static bool is_usable(const struct trn_pci_bar *bar)
{
	uint64_t end;

	if (!base_is_page_aligned(bar->offset) || __builtin_add_overflow(bar->offset, whole_pages(bar->size), &end))
		return false;
	return bar->flags & TRN_PCI_BAR_UNSEALED ? has_size(bar->fd, end) : base_memfd_is_safe(bar->fd, end);
}

/* Takes over the driver's descriptor, or makes memory: owned by the region in both cases. */
static int get_memory(const struct trn_pci_bar *bar, struct trn_error *err)
{
	int fd;

	if (bar->fd <= 0) {
		fd = base_memfd_create("tranche-region", whole_pages(bar->size));
		return fd < 0 ? trn_error_set(err, fd, "NoMemory", "no memory for a region of %llu bytes: %s",
					      (unsigned long long)bar->size, strerror(-fd)) : fd;
	}
	if (!is_usable(bar))
		return trn_error_set(err, -EINVAL, "BadMemory", "the descriptor is not %s with %llu bytes at page %#llx",
				     bar->flags & TRN_PCI_BAR_UNSEALED ? "a file" : "a memfd sealed against shrinking",
				     (unsigned long long)bar->size, (unsigned long long)bar->offset);
	fd = fcntl(bar->fd, F_DUPFD_CLOEXEC, 3);
	return fd < 0 ? trn_error_set(err, -errno, "NoDescriptor", "no descriptor for a region: %s", strerror(errno)) : fd;
}

static int add_memory(struct pci_region *region, const struct trn_pci_bar *bar, struct trn_error *err)
{
	_cleanup_close_ int fd = get_memory(bar, err);
	uint64_t offset = bar->fd > 0 ? bar->offset : 0;
	void *ram;
	int r;

	if (fd < 0)
		return fd;
	/* A holder gets the descriptor, and must not take writing from the next one. */
	r = bar->flags & TRN_PCI_BAR_UNSEALED ? 0 : base_memfd_fix_seals(fd);
	if (r < 0)
		return trn_error_set(err, r, "BadMemory", "the seals of a region's memory cannot be fixed: %s", strerror(-r));
	ram = mmap(NULL, whole_pages(bar->size), PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);
	if (ram == MAP_FAILED)
		return trn_error_set(err, -errno, "NoMemory", "a region of %llu bytes cannot be mapped: %s",
				     (unsigned long long)bar->size, strerror(errno));
	region->ram = ram;
	region->fd_offset = offset;
	region->fd = TAKE_FD(fd);
	return 0;
}

static int fill(struct pci_region *region, const struct trn_pci_bar *bar, struct trn_error *err)
{
	if (bar->flags & TRN_PCI_BAR_RAM) {
		int r = add_memory(region, bar, err);

		if (r < 0)
			return r;
	}
	region->flags = bar->flags;
	region->rw = bar->rw;
	region->areas = bar->areas;
	region->size = bar->size;
	return 0;
}

static int refuse(struct trn_error *err, const char *what)
{
	return trn_error_set(err, -EINVAL, "BadRegion", "a region %s", what);
}

/* What BARs and own regions have in common. */
static int check(const struct trn_pci *pci, const struct trn_pci_bar *bar, struct trn_error *err)
{
	if (pci->is_realized)
		return refuse(err, "was added to a device that is complete");
	if (bar->flags & ~ALL_FLAGS)
		return refuse(err, "has unknown flags");
	if (bar->size == 0 || bar->size > INT64_MAX / 2)
		return refuse(err, "has no size, or more than the address space");
	if (!(bar->flags & TRN_PCI_BAR_RAM) && (bar->flags & TRN_PCI_BAR_MMAP || bar->fd > 0))
		return refuse(err, "without memory (TRN_PCI_BAR_RAM) is to be mapped");
	if (bar->flags & TRN_PCI_BAR_UNSEALED && bar->fd <= 0)
		return refuse(err, "without memory of the driver's says that this cannot be sealed");
	if (!(bar->flags & TRN_PCI_BAR_MMAP) && bar->areas)
		return refuse(err, "that holders may not map (TRN_PCI_BAR_MMAP) says which parts they may");
	if (bar->flags & TRN_PCI_BAR_RAM && bar->size < BASE_PAGE_SIZE)
		return refuse(err, "has memory of less than a page");
	return 0;
}

static int check_bar(const struct trn_pci_bar *bar, unsigned int index, struct trn_error *err)
{
	if (bar->size & (bar->size - 1))
		return refuse(err, "that is a BAR has a size that is no power of two");
	if (bar->flags & TRN_PCI_BAR_IO) {
		if (bar->flags & ~TRN_PCI_BAR_IO)
			return refuse(err, "of I/O ports has a flag of memory");
		return bar->size < 4 || bar->size > 256 ? refuse(err, "of I/O ports does not have 4 to 256 bytes") : 0;
	}
	if (bar->size < 16)
		return refuse(err, "that is a memory BAR has less than 16 bytes");
	if (!(bar->flags & TRN_PCI_BAR_64))
		return bar->size > 1u << 31 ? refuse(err, "of more than 2 GiB is not a 64-bit BAR") : 0;
	return index == 5 ? refuse(err, "that is BAR 5 has 64 bits") : 0;
}

/* A 64-bit BAR takes the next index too. */
static bool is_taken(const struct trn_pci *pci, unsigned int index)
{
	return pci->regions[index].size || (index > 0 && pci->regions[index - 1].flags & TRN_PCI_BAR_64);
}

int trn_pci_add_bar(struct trn_pci *pci, unsigned int index, const struct trn_pci_bar *bar, struct trn_error *err)
{
	int r = check(pci, bar, err);

	if (r < 0)
		return r;
	if (index > 5)
		return trn_error_set(err, -EINVAL, "BadRegion", "there is no BAR %u", index);
	r = check_bar(bar, index, err);
	if (r < 0)
		return r;
	if (is_taken(pci, index) || (bar->flags & TRN_PCI_BAR_64 && is_taken(pci, index + 1)))
		return trn_error_set(err, -EEXIST, "Taken", "BAR %u is taken already", index);
	r = fill(&pci->regions[index], bar, err);
	if (r < 0)
		return r;
	pci_config_add_bar(pci, index, bar->size, bar->flags);
	return 0;
}

int trn_pci_set_rom(struct trn_pci *pci, const void *data, size_t len, struct trn_error *err)
{
	struct pci_region *rom = &pci->regions[TRN_PCI_REGION_ROM];
	struct trn_pci_bar bar = { .size = MIN_ROM, .flags = TRN_PCI_BAR_RAM };
	int r;

	if (pci->is_realized)
		return refuse(err, "was added to a device that is complete");
	if (len == 0 || len > MAX_ROM)
		return trn_error_set(err, -EINVAL, "BadRegion", "a ROM has 1 to %u bytes, not %zu", MAX_ROM, len);
	if (rom->size)
		return trn_error_set(err, -EEXIST, "Taken", "the device has a ROM already");
	while (bar.size < len)
		bar.size *= 2;
	r = fill(rom, &bar, err);
	if (r < 0)
		return r;
	memcpy(rom->ram, data, len);
	rom->is_read_only = true;
	pci_config_add_rom(pci, rom->size);
	return 0;
}

int trn_pci_add_region(struct trn_pci *pci, uint32_t type, uint32_t subtype, const struct trn_pci_bar *region,
		       struct trn_error *err)
{
	struct pci_region *own = &pci->regions[pci->nr_regions];
	int r = check(pci, region, err);

	if (r < 0)
		return r;
	if (region->flags & (TRN_PCI_BAR_IO | TRN_PCI_BAR_64 | TRN_PCI_BAR_PREFETCH))
		return refuse(err, "that is not a BAR has a flag of BARs");
	if (!(region->flags & TRN_PCI_BAR_RAM) && !region->rw)
		return refuse(err, "has neither memory nor a function");
	if (pci->nr_regions == PCI_NR_REGIONS)
		return trn_error_set(err, -ENOSPC, "TooMany", "a device has at most %u regions of its own", PCI_NR_OWN_REGIONS);
	r = fill(own, region, err);
	if (r < 0)
		return r;
	own->type = type;
	own->subtype = subtype;
	return (int)pci->nr_regions++;
}

static int check_msix(const struct trn_pci *pci, struct trn_error *err)
{
	unsigned int bar = pci->irqs.msix.bar;
	const struct pci_region *region = &pci->regions[bar];
	struct trn_span spans[2];

	if (!pci->config.msix)
		return 0;
	if (!region->size || region->flags & TRN_PCI_BAR_IO)
		return trn_error_set(err, -EINVAL, "NoTable", "the MSI-X table is to be in BAR %u, which is no memory BAR", bar);
	pci_region_msix_spans(pci, bar, spans);
	for (unsigned int i = 0; i < 2; i++)
		if (!base_range_is_within(spans[i].start, spans[i].len, region->size))
			return trn_error_set(err, -EINVAL, "NoTable", "BAR %u has %llu bytes, too few for MSI-X at %#llx", bar,
					     (unsigned long long)region->size, (unsigned long long)spans[i].start);
	if (base_range_overlaps(spans[0].start, spans[0].len, spans[1].start, spans[1].len))
		return trn_error_set(err, -EINVAL, "NoTable", "MSI-X table and pending bits overlap in BAR %u", bar);
	return 0;
}

int pci_regions_check(const struct trn_pci *pci, struct trn_error *err)
{
	int r = check_msix(pci, err);

	if (r < 0)
		return r;
	for (unsigned int i = 0; i < TRN_PCI_REGION_ROM; i++) {
		const struct pci_region *region = &pci->regions[i];
		bool has_table = pci->config.msix && pci->irqs.msix.bar == i;

		if (region->size && !region->ram && !region->rw && !has_table)
			return trn_error_set(err, -EINVAL, "BadRegion", "BAR %u has neither memory nor a function", i);
	}
	return pci_ioeventfds_check(pci, err);
}

void *trn_pci_ram(const struct trn_pci *pci, unsigned int index)
{
	const struct pci_region *region = pci_region_at(pci, index);

	return region ? region->ram : NULL;
}

/* What holders write is not seen either, so that migration compares pages; nothing is gained by noting this. */
void trn_pci_ram_wrote(struct trn_pci *pci, unsigned int index, uint64_t offset, uint64_t len)
{
}
