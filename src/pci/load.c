/* SPDX-License-Identifier: MIT */
/*
 * Takes in the stream of a device, in pieces of any size, and puts the device into that state when all of it is there.
 *
 * Until then nothing is touched: pages wait in address space of their own, which takes memory only where something came.
 * Nothing is taken in that is longer than a device of this shape can need, whatever the stream says.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32.h"
#include "pci/stream.h"

struct staged {
	uint8_t *pages; /* NULL: none came */
	uint64_t *bits; /* which came */
};

struct blob {
	uint8_t *data;
	size_t len;
	bool is_there;
};

struct pci_loader {
	struct trn_pci *pci;
	int refused; /* 0, or why nothing more is taken in */
	bool is_whole;
	uint32_t crc;

	/* What is collected now: need bytes to to, have of them came; then handle() says what comes next. */
	uint8_t *to;
	size_t need, have;
	int (*handle)(struct pci_loader *l, struct trn_error *err);

	union {
		struct stream_start start;
		struct stream_section section;
		struct stream_page page;
		struct stream_end end;
	} small;
	struct blob head, config, irqs, driver;
	struct stream_section section; /* whose bytes are coming */
	struct stream_page page; /* likewise */
	uint32_t last_tag;
	struct staged staged[PCI_NR_REGIONS];
};

static int refuse(struct trn_error *err, const char *what)
{
	trn_error_set(err, -EINVAL, "BadStream", "the state cannot be loaded: %s", what);
	trn_error_hint(err, "save it again; the device is as it was");
	return -EINVAL;
}

static void collect(struct pci_loader *l, void *to, size_t len, int (*handle)(struct pci_loader *l, struct trn_error *err))
{
	l->to = to;
	l->need = len;
	l->have = 0;
	l->handle = handle;
}

static int collect_blob(struct pci_loader *l, struct blob *blob, size_t len,
			int (*handle)(struct pci_loader *l, struct trn_error *err), struct trn_error *err)
{
	blob->data = malloc(len ? len : 1);
	if (!blob->data)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory for %zu bytes of a device's state", len);
	blob->len = len;
	collect(l, blob->data, len, handle);
	return 0;
}

/* --- Sections --- */

static int take_section(struct pci_loader *l, struct trn_error *err);

static void expect_section(struct pci_loader *l)
{
	collect(l, &l->small.section, sizeof(l->small.section), take_section);
}

static int take_bytes(struct pci_loader *l, struct trn_error *err)
{
	expect_section(l);
	return 0;
}

static int take_page(struct pci_loader *l, struct trn_error *err)
{
	pci_ram_set_bit(l->staged[l->page.region].bits, l->page.offset / STREAM_PAGE_SIZE);
	expect_section(l);
	return 0;
}

static int stage_region(struct pci_loader *l, uint32_t region, struct trn_error *err)
{
	struct staged *s = &l->staged[region];

	if (!s->bits)
		s->bits = pci_ram_bits_new(&l->pci->regions[region]);
	if (!s->pages)
		s->pages = pci_ram_copy_map(&l->pci->regions[region]);
	if (s->bits && s->pages)
		return 0;
	return trn_error_set(err, -ENOMEM, "NoMemory", "no memory for the state of region %u", region);
}

static int take_place(struct pci_loader *l, struct trn_error *err)
{
	const struct stream_page page = {
		.region = le32toh(l->small.page.region),
		.offset = le64toh(l->small.page.offset),
	};
	const struct pci_region *region;
	int r;

	if (!pci_ram_is_moved(l->pci, page.region) || l->small.page.reserved)
		return refuse(err, "a page is of a region that has no memory");
	region = &l->pci->regions[page.region];
	if (page.offset % STREAM_PAGE_SIZE || page.offset >= region->size)
		return refuse(err, "a page lies outside of its region");
	if (l->section.len - sizeof(page) != pci_ram_page_len(region, page.offset / STREAM_PAGE_SIZE))
		return refuse(err, "a page has another length");
	r = stage_region(l, page.region, err);
	if (r < 0)
		return r;
	l->page = page;
	collect(l, l->staged[page.region].pages + page.offset, l->section.len - sizeof(page), take_page);
	return 0;
}

static int take_end(struct pci_loader *l, struct trn_error *err)
{
	if (le32toh(l->small.end.crc) != l->crc || l->small.end.reserved)
		return refuse(err, "it was damaged on the way");
	l->is_whole = true;
	return 0;
}

static int begin_exact(struct pci_loader *l, struct blob *blob, size_t len, struct trn_error *err)
{
	if (l->section.len != len)
		return refuse(err, "a section has another length");
	return collect_blob(l, blob, len, take_bytes, err);
}

static int begin_section(struct pci_loader *l, struct trn_error *err)
{
	uint64_t len = l->section.len;

	switch (l->section.tag) {
	case STREAM_PAGE:
		if (len <= sizeof(struct stream_page) || len > sizeof(struct stream_page) + STREAM_PAGE_SIZE)
			return refuse(err, "a page has another length");
		collect(l, &l->small.page, sizeof(l->small.page), take_place);
		return 0;
	case STREAM_CONFIG:
		return begin_exact(l, &l->config, l->pci->config.size, err);
	case STREAM_IRQS:
		return begin_exact(l, &l->irqs, pci_irqs_state_size(l->pci), err);
	case STREAM_DRIVER:
		if (len > l->pci->migration->max_state)
			return trn_error_set(err, -EFBIG, "TooBig", "the driver's state has %llu bytes, at most %zu are possible",
					     (unsigned long long)len, l->pci->migration->max_state);
		return collect_blob(l, &l->driver, len, take_bytes, err);
	case STREAM_END:
		if (len != sizeof(struct stream_end))
			return refuse(err, "a section has another length");
		collect(l, &l->small.end, sizeof(l->small.end), take_end);
		return 0;
	default:
		return refuse(err, "a section is of an unknown kind");
	}
}

/* One of each, in the order of their numbers; pages come first, as many as there are. */
static int take_section(struct pci_loader *l, struct trn_error *err)
{
	uint32_t last = l->last_tag;

	l->section = (struct stream_section){
		.tag = le32toh(l->small.section.tag),
		.len = le64toh(l->small.section.len),
	};
	if (l->small.section.reserved)
		return refuse(err, "a section is of an unknown kind");
	if (l->section.tag != last + 1 && !(l->section.tag == STREAM_PAGE && last == STREAM_PAGE))
		return refuse(err, "a section is missing, unknown, or comes twice");
	l->last_tag = l->section.tag;
	return begin_section(l, err);
}

/* --- Head --- */

static int check_compat(struct pci_loader *l, const uint8_t *data, size_t len, struct trn_error *err)
{
	struct trn_pci_writer own;
	int r;

	if (l->pci->migration->check_compat)
		return l->pci->migration->check_compat(l->pci, data, len, err);
	r = pci_stream_compat(l->pci, &own);
	if (r == 0 && (len != own.len || (len && memcmp(data, own.data, len))))
		r = refuse(err, "the driver there had something else than the one here");
	free(own.data);
	return r;
}

static int take_head(struct pci_loader *l, struct trn_error *err)
{
	struct stream_head head;
	int r;

	memcpy(&head, l->head.data, sizeof(head));
	if (le32toh(head.compat_len) != l->head.len - sizeof(head))
		return refuse(err, "its head has another length");
	r = pci_stream_head_check(l->pci, &head, err);
	if (r == 0)
		r = check_compat(l, l->head.data + sizeof(head), l->head.len - sizeof(head), err);
	if (r < 0)
		return trn_error_set(err, r, "OtherDevice", "the driver refuses the state of another device");
	l->last_tag = STREAM_PAGE; /* there may be none */
	expect_section(l);
	return 0;
}

static int take_start(struct pci_loader *l, struct trn_error *err)
{
	const struct stream_start *start = &l->small.start;
	size_t len = le32toh(start->head_len);

	if (memcmp(start->magic, STREAM_MAGIC, sizeof(start->magic)))
		return refuse(err, "it is not the state of a PCI device");
	if (le32toh(start->version) != STREAM_VERSION)
		return refuse(err, "its format is of another version");
	if (len < sizeof(struct stream_head) || len > sizeof(struct stream_head) + STREAM_MAX_COMPAT)
		return refuse(err, "its head has another length");
	return collect_blob(l, &l->head, len, take_head, err);
}

/* --- The loader --- */

int pci_loader_create(struct trn_pci *pci, struct pci_loader **ret)
{
	struct pci_loader *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->pci = pci;
	collect(l, &l->small.start, sizeof(l->small.start), take_start);
	*ret = l;
	return 0;
}

void pci_loader_destroy(struct pci_loader *l)
{
	if (!l)
		return;
	for (unsigned int i = 0; i < PCI_NR_REGIONS; i++) {
		pci_ram_copy_unmap(&l->pci->regions[i], l->staged[i].pages);
		free(l->staged[i].bits);
	}
	free(l->head.data);
	free(l->config.data);
	free(l->irqs.data);
	free(l->driver.data);
	free(l);
}

static size_t take_in(struct pci_loader *l, const uint8_t *bytes, size_t len)
{
	size_t n = l->need - l->have < len ? l->need - l->have : len;

	memcpy(l->to + l->have, bytes, n);
	l->have += n;
	if (l->handle != take_end) /* which holds the sum of all before */
		l->crc = base_crc32(l->crc, bytes, n);
	return n;
}

int pci_loader_write(struct pci_loader *l, const void *buf, size_t len, struct trn_error *err)
{
	const uint8_t *bytes = buf;

	if (l->refused)
		return trn_error_set(err, l->refused, "BadStream", "the state was refused before");
	while (len && !l->refused) {
		size_t n = 0;

		if (l->is_whole) {
			l->refused = refuse(err, "something follows its end");
			break;
		}
		n = take_in(l, bytes, len);
		bytes += n;
		len -= n;
		while (l->have == l->need && !l->is_whole && !l->refused)
			l->refused = l->handle(l, err);
	}
	return l->refused;
}

/* --- The device changes --- */

/* Memory for the pages that come, before anything depends on it: to lack it later would be fatal. */
static int reserve(const struct pci_region *region, const struct staged *s, struct trn_error *err)
{
	uint64_t nr = pci_ram_nr_pages(region), first = 0, end;

	while (s->bits && (first = pci_ram_next_bit(s->bits, first, nr)) < nr) {
		for (end = first; end < nr && pci_ram_bit(s->bits, end); end++)
			;
		if (fallocate(region->fd, 0, (off_t)(region->fd_offset + first * STREAM_PAGE_SIZE),
			      (off_t)((end - first) * STREAM_PAGE_SIZE)) < 0 && (errno == ENOSPC || errno == ENOMEM))
			return trn_error_set(err, -ENOMEM, "NoMemory", "no memory for the content of a region");
		first = end;
	}
	return 0;
}

static void fill(const struct pci_region *region, const struct staged *s)
{
	uint64_t nr = pci_ram_nr_pages(region), first, end;

	for (uint64_t i = 0; s->bits && (i = pci_ram_next_bit(s->bits, i, nr)) < nr; i++)
		memcpy(region->ram + i * STREAM_PAGE_SIZE, s->pages + i * STREAM_PAGE_SIZE, pci_ram_page_len(region, i));
	for (pci_ram_find_data(region, 0, &first, &end); first < nr; pci_ram_find_data(region, end, &first, &end))
		for (uint64_t i = first; i < end; i++)
			if (!s->bits || !pci_ram_bit(s->bits, i))
				memset(region->ram + i * STREAM_PAGE_SIZE, 0, pci_ram_page_len(region, i));
}

static int check_all(struct pci_loader *l, struct trn_error *err)
{
	int r;

	if (l->refused)
		return trn_error_set(err, l->refused, "BadStream", "the state was refused before");
	if (!l->is_whole)
		return refuse(err, "its end has not come");
	r = pci_config_check(l->pci, l->config.data, l->config.len, err);
	if (r == 0)
		r = pci_irqs_check(l->pci, l->irqs.data, l->irqs.len, err);
	for (uint32_t i = 0; i < PCI_NR_REGIONS && r == 0; i++)
		r = reserve(&l->pci->regions[i], &l->staged[i], err);
	return r;
}

static int load_driver(struct pci_loader *l, struct trn_error *err)
{
	const struct trn_pci_migration *m = l->pci->migration;
	struct stream_head head;
	int r = 0;

	memcpy(&head, l->head.data, sizeof(head));
	if (m->load)
		r = m->load(l->pci, le32toh(head.driver_version), l->driver.data, l->driver.len, err);
	else if (l->driver.len)
		return refuse(err, "the driver has no state");
	return r < 0 ? trn_error_set(err, r, "BadState", "the driver refuses the state") : 0;
}

int pci_loader_commit(struct pci_loader *l, struct trn_error *err)
{
	int r = check_all(l, err);

	if (r < 0)
		return r;
	/* The driver's own capabilities are checked by nobody else. */
	pci_config_swap(l->pci, l->config.data);
	r = load_driver(l, err);
	if (r < 0) {
		pci_config_swap(l->pci, l->config.data);
		return r;
	}
	for (uint32_t i = 0; i < PCI_NR_REGIONS; i++)
		if (pci_ram_is_moved(l->pci, i))
			fill(&l->pci->regions[i], &l->staged[i]);
	pci_config_update(l->pci);
	pci_irqs_load(l->pci, l->irqs.data);
	return 0;
}
