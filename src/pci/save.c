/* SPDX-License-Identifier: MIT */
/*
 * Makes the stream of a device, piece by piece.
 *
 * Nothing tells of writes that a guest makes through a mapping.  So there is a copy of what was sent of each page, and a
 * page is sent (again) when it differs from that: it is copied once, and what goes out is the copy, which is what the other
 * side has.  A page that changes while it is copied differs afterwards, and comes again.
 *
 * Everything that has to be known after a pause stands in struct pci_saver, which any call may have changed meanwhile.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32.h"
#include "pci/stream.h"

/* What a slice may cost, where a look at a page costs 1: a megabyte is compared in some hundred microseconds. */
#define SLICE 256u
#define COST_OF_SENDING 8u

enum phase { PHASE_START, PHASE_PAGES, PHASE_CONFIG, PHASE_IRQS, PHASE_DRIVER, PHASE_END, PHASE_OVER };

/* What the other side has of a region. */
struct sent {
	uint8_t *copy;
	uint64_t *bits; /* of pages that were sent; the others are zero there */
};

/* Beside 0 and errors. */
enum { THERE = 1, PAUSE = 2 };

/* A part of the stream that is being given out: head, then data. */
struct piece {
	uint8_t head[sizeof(struct stream_section) + sizeof(struct stream_page)];
	size_t head_len;
	const uint8_t *data; /* in blob, or in a copy */
	size_t data_len;
	size_t pos; /* in both together */
};

struct pci_saver {
	struct trn_pci *pci;
	enum phase phase;
	bool is_final; /* the device is stopped */
	bool has_had_pass; /* all memory was looked at once */
	bool has_found; /* something, in this pass */
	int error; /* the first; reading goes no further */
	uint32_t crc;
	struct pci_cursor cursor;
	unsigned int budget; /* what is left of the slice */
	struct sent sent[PCI_NR_REGIONS];
	struct piece piece;
	uint8_t *blob; /* data of piece, when it is not a page */
};

void pci_saver_destroy(struct pci_saver *s)
{
	if (!s)
		return;
	for (unsigned int i = 0; i < PCI_NR_REGIONS; i++) {
		pci_ram_copy_unmap(&s->pci->regions[i], s->sent[i].copy);
		free(s->sent[i].bits);
	}
	free(s->blob);
	free(s);
}

int pci_saver_create(struct trn_pci *pci, bool is_final, struct pci_saver **ret)
{
	struct pci_saver *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->pci = pci;
	s->is_final = is_final;
	for (unsigned int i = 0; i < PCI_NR_REGIONS; i++) {
		if (!pci_ram_is_moved(pci, i))
			continue;
		s->sent[i].copy = pci_ram_copy_map(&pci->regions[i]);
		s->sent[i].bits = pci_ram_bits_new(&pci->regions[i]);
		if (!s->sent[i].copy || !s->sent[i].bits) {
			pci_saver_destroy(s);
			return -ENOMEM;
		}
	}
	*ret = s;
	return 0;
}

/* The last look at all memory; a piece of which some was read already is given out whole before. */
void pci_saver_finalize(struct pci_saver *s)
{
	s->is_final = true;
	s->cursor = (struct pci_cursor){ 0 };
}

/* --- Pages --- */

static bool has_changed(const struct pci_saver *s, uint32_t region, uint64_t page)
{
	const struct pci_region *r = &s->pci->regions[region];
	const uint8_t *now = r->ram + page * STREAM_PAGE_SIZE;
	size_t len = pci_ram_page_len(r, page);

	if (pci_ram_bit(s->sent[region].bits, page))
		return memcmp(now, s->sent[region].copy + page * STREAM_PAGE_SIZE, len);
	return !pci_ram_is_zero(now, len);
}

/* Goes to the next page from c on that can have changed: one that was sent, or one with memory.  Where that ends is not
 * asked: the kernel would count all of it. */
static bool find_candidate(const struct pci_saver *s, struct pci_cursor *c)
{
	const struct pci_region *r = &s->pci->regions[c->region];
	const uint64_t *bits = s->sent[c->region].bits;
	uint64_t nr = pci_ram_nr_pages(r);

	if (c->page < nr && !pci_ram_bit(bits, c->page))
		c->page = pci_ram_next_bit(bits, c->page, pci_ram_next_data(r, c->page));
	return c->page < nr;
}

/* Goes to the next page from c on that differs from what was sent.  0: none does; PAUSE: the budget is used up before. */
static int find_change(const struct pci_saver *s, struct pci_cursor *c, unsigned int *budget)
{
	for (; c->region < PCI_NR_REGIONS; *c = (struct pci_cursor){ .region = c->region + 1 })
		for (; pci_ram_is_moved(s->pci, c->region) && find_candidate(s, c); c->page++) {
			if (!*budget)
				return PAUSE;
			--*budget;
			if (has_changed(s, c->region, c->page))
				return THERE;
		}
	return 0;
}

/* --- Pieces --- */

static void begin_piece(struct pci_saver *s, enum stream_tag tag, size_t len)
{
	const struct stream_section section = { .tag = htole32(tag), .len = htole64(len) };

	s->piece = (struct piece){ .head_len = sizeof(section) };
	memcpy(s->piece.head, &section, sizeof(section));
}

/* bytes: the saver's from now on */
static int set_blob(struct pci_saver *s, uint8_t *bytes, size_t len)
{
	if (!bytes && len)
		return -ENOMEM;
	s->blob = bytes;
	s->piece.data = bytes;
	s->piece.data_len = len;
	return THERE;
}

static int make_start(struct pci_saver *s)
{
	struct stream_start start = { .version = htole32(STREAM_VERSION) };
	struct trn_pci_writer compat;
	struct stream_head head;
	int r = pci_stream_compat(s->pci, &compat);
	uint8_t *bytes = r == 0 ? malloc(sizeof(start) + sizeof(head) + compat.len) : NULL;

	if (bytes) {
		pci_stream_head_fill(s->pci, &head);
		head.compat_len = htole32((uint32_t)compat.len);
		memcpy(start.magic, STREAM_MAGIC, sizeof(start.magic));
		start.head_len = htole32((uint32_t)(sizeof(head) + compat.len));
		memcpy(bytes, &start, sizeof(start));
		memcpy(bytes + sizeof(start), &head, sizeof(head));
		if (compat.len)
			memcpy(bytes + sizeof(start) + sizeof(head), compat.data, compat.len);
	}
	s->piece = (struct piece){ 0 };
	free(compat.data);
	return r < 0 ? r : set_blob(s, bytes, sizeof(start) + sizeof(head) + compat.len);
}

static int make_page(struct pci_saver *s)
{
	struct pci_cursor *c = &s->cursor;
	const struct pci_region *r = &s->pci->regions[c->region];
	const struct stream_page page = { .region = htole32(c->region), .offset = htole64(c->page * STREAM_PAGE_SIZE) };
	uint8_t *copy = s->sent[c->region].copy + c->page * STREAM_PAGE_SIZE;
	size_t len = pci_ram_page_len(r, c->page);

	memcpy(copy, r->ram + c->page * STREAM_PAGE_SIZE, len);
	pci_ram_set_bit(s->sent[c->region].bits, c->page);
	begin_piece(s, STREAM_PAGE, sizeof(page) + len);
	memcpy(s->piece.head + s->piece.head_len, &page, sizeof(page));
	s->piece.head_len += sizeof(page);
	s->piece.data = copy;
	s->piece.data_len = len;
	s->has_found = true;
	s->budget -= s->budget < COST_OF_SENDING ? s->budget : COST_OF_SENDING;
	c->page++;
	return THERE;
}

/* THERE, PAUSE; 0: the device is stopped and nothing is left; -ENOMSG: a whole pass found nothing. */
static int make_page_if_any(struct pci_saver *s)
{
	do {
		bool had_found = s->has_found;
		int r = find_change(s, &s->cursor, &s->budget);

		if (r)
			return r == THERE ? make_page(s) : r;
		s->has_had_pass = true;
		s->cursor = (struct pci_cursor){ 0 };
		s->has_found = false;
		if (!s->is_final && !had_found)
			return -ENOMSG;
	} while (!s->is_final);
	return 0;
}

static int make_config(struct pci_saver *s)
{
	size_t len = s->pci->config.size;
	uint8_t *bytes = malloc(len);

	if (bytes)
		memcpy(bytes, s->pci->config.bytes, len);
	begin_piece(s, STREAM_CONFIG, len);
	return set_blob(s, bytes, len);
}

static int make_irqs(struct pci_saver *s)
{
	size_t len = pci_irqs_state_size(s->pci);
	uint8_t *bytes = malloc(len);

	if (bytes)
		pci_irqs_save(s->pci, bytes);
	begin_piece(s, STREAM_IRQS, len);
	return set_blob(s, bytes, len);
}

static int make_driver(struct pci_saver *s)
{
	struct trn_pci_writer w = { .max = s->pci->migration->max_state };
	int r = s->pci->migration->save ? s->pci->migration->save(s->pci, &w) : 0;

	if (r >= 0)
		r = w.error;
	if (r < 0) {
		free(w.data);
		return r;
	}
	begin_piece(s, STREAM_DRIVER, w.len);
	return set_blob(s, w.data, w.len);
}

static int make_end(struct pci_saver *s)
{
	struct stream_end end = { 0 };

	begin_piece(s, STREAM_END, sizeof(end));
	end.crc = htole32(base_crc32(s->crc, s->piece.head, s->piece.head_len));
	memcpy(s->piece.head + s->piece.head_len, &end, sizeof(end));
	s->piece.head_len += sizeof(end);
	return THERE;
}

/* THERE, PAUSE; 0: this phase has none (more). */
static int make_piece_of_phase(struct pci_saver *s)
{
	switch (s->phase) {
	case PHASE_START:
		return make_start(s);
	case PHASE_PAGES:
		return make_page_if_any(s);
	case PHASE_CONFIG:
		return make_config(s);
	case PHASE_IRQS:
		return make_irqs(s);
	case PHASE_DRIVER:
		return make_driver(s);
	case PHASE_END:
		return make_end(s);
	case PHASE_OVER:
		break;
	}
	return 0;
}

/* THERE, PAUSE; 0: that was all; -ENOMSG: for now. */
static int make_piece(struct pci_saver *s)
{
	int r = 0;

	free(s->blob);
	s->blob = NULL;
	s->piece = (struct piece){ 0 };
	while (s->phase != PHASE_OVER) {
		r = make_piece_of_phase(s);
		if (r < 0 || r == PAUSE)
			return r;
		if (r == 0 || s->phase != PHASE_PAGES)
			s->phase++;
		if (r == THERE)
			break;
	}
	if (r == THERE) {
		s->crc = base_crc32(s->crc, s->piece.head, s->piece.head_len);
		s->crc = base_crc32(s->crc, s->piece.data, s->piece.data_len);
	}
	return r;
}

/* --- Reading --- */

static size_t copy_out(struct pci_saver *s, uint8_t *buf, size_t len)
{
	struct piece *p = &s->piece;
	const uint8_t *from = p->pos < p->head_len ? p->head + p->pos : p->data + (p->pos - p->head_len);
	size_t left = (p->pos < p->head_len ? p->head_len : p->head_len + p->data_len) - p->pos;
	size_t n = left < len ? left : len;

	memcpy(buf, from, n);
	p->pos += n;
	return n;
}

int pci_saver_read(struct pci_saver *s, uint8_t *buf, size_t len, size_t *done)
{
	s->budget = SLICE;
	while (*done < len && !s->error) {
		int r = THERE;

		if (s->piece.pos < s->piece.head_len + s->piece.data_len)
			*done += copy_out(s, buf + *done, len - *done);
		else
			r = make_piece(s);
		if (r == PAUSE)
			return 1;
		if (r == 0 || r == -ENOMSG)
			return r;
		if (r < 0)
			s->error = r;
	}
	return s->error;
}

/* --- Sizes --- */

#define PAGE_COST (sizeof(struct stream_section) + sizeof(struct stream_page) + STREAM_PAGE_SIZE)

static uint64_t cost_without_pages(const struct trn_pci *pci)
{
	return sizeof(struct stream_start) + sizeof(struct stream_head) + 4 * sizeof(struct stream_section) + pci->config.size +
	       pci_irqs_state_size(pci) + pci->migration->max_state + sizeof(struct stream_end);
}

/* Memory that exists; nobody has looked at it yet. */
static uint64_t nr_data_pages(const struct trn_pci *pci)
{
	uint64_t nr = 0, first, end = 0;

	for (uint32_t i = 0; i < PCI_NR_REGIONS; i++, end = 0)
		while (pci_ram_is_moved(pci, i) && end < pci_ram_nr_pages(&pci->regions[i])) {
			pci_ram_find_data(&pci->regions[i], end, &first, &end);
			nr += end - first;
		}
	return nr;
}

void pci_unsaved_sizes(const struct trn_pci *pci, struct trn_mig_sizes *ret)
{
	*ret = (struct trn_mig_sizes){ .stop_copy = cost_without_pages(pci) + nr_data_pages(pci) * PAGE_COST };
}

static bool is_before(const struct pci_cursor *a, const struct pci_cursor *b)
{
	return a->region < b->region || (a->region == b->region && a->page < b->page);
}

bool pci_saver_size(const struct pci_saver *s, struct pci_sizing *z)
{
	unsigned int budget = SLICE;
	int r;

	for (; (r = find_change(s, &z->at, &budget)) == THERE; z->at.page++) {
		z->sizes.stop_copy += PAGE_COST;
		if (s->is_final)
			continue;
		if (s->has_had_pass || is_before(&z->at, &s->cursor))
			z->sizes.dirty += PAGE_COST;
		else
			z->sizes.initial += PAGE_COST;
	}
	if (r == PAUSE)
		return true;
	z->sizes.stop_copy += cost_without_pages(s->pci);
	return false;
}
