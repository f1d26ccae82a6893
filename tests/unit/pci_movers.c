/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pci_movers.h"

struct movers movers;

/* --- the devices --- */

static struct mover *to_device(struct trn_pci *pci)
{
	return pci_fake_of(pci) == &movers.a.fake ? &movers.a : &movers.b;
}

static void save_compat(struct trn_pci *pci, struct trn_pci_writer *w)
{
	trn_pci_writer_put(w, to_device(pci)->compat, strlen(to_device(pci)->compat));
}

int mover_save(struct trn_pci *pci, struct trn_pci_writer *w)
{
	struct mover *d = to_device(pci);

	for (unsigned int i = 0; i < d->state[0]; i++) /* byte by byte: the writer has to grow */
		trn_pci_writer_put(w, &d->state[i], 1);
	return 0;
}

static int load(struct trn_pci *pci, uint32_t version, const void *data, size_t len, struct trn_error *err)
{
	struct mover *d = to_device(pci);
	const uint8_t *bytes = data;

	d->config_result = trn_pci_config_read(pci, d->vendor + 8, d->config_seen, sizeof(d->config_seen));
	if (d->config_seen[0] == NO_VALUE)
		return trn_error_set(err, -EINVAL, "Fake", "the fake's capability has a value that it cannot have");
	if (len > MAX_STATE || (len && bytes[0] != len))
		return trn_error_set(err, -EINVAL, "Fake", "the fake's state is of another length");
	memset(d->state, 0, sizeof(d->state));
	memcpy(d->state, data, len);
	d->nr_loads++;
	d->loaded_version = version;
	return 0;
}

static int build(struct trn_pci *pci, struct trn_error *err)
{
	const struct trn_pci_bar table = { .size = PAGE, .flags = TRN_PCI_BAR_RAM };
	const struct trn_pci_bar bar = {
		.size = movers.is_large ? 1u << 30 : BAR_SIZE,
		.flags = TRN_PCI_BAR_64 | TRN_PCI_BAR_RAM | TRN_PCI_BAR_MMAP,
	};
	const struct trn_pci_bar own = { .size = OWN_SIZE, .flags = TRN_PCI_BAR_RAM };
	const struct trn_pci_cap cap = {
		.id = 9,
		.len = 14,
		.data = "\20.TSTD........",
		.writable = "\0\0\0\0\0\0\377\377\377\377\0\0\0",
	};

	assert_int_equal(trn_pci_add_bar(pci, 0, &table, err), 0);
	assert_int_equal(trn_pci_add_bar(pci, 2, &bar, err), 0);
	assert_int_equal(trn_pci_add_region(pci, 1, 1, &own, err), 9);
	assert_int_equal(trn_pci_set_rom(pci, "\x55\xaa", 2, err), 0);
	assert_true(trn_pci_add_cap(pci, &cap, err) > 0);
	assert_true(trn_pci_add_msi(pci, 2, err) > 0);
	if (!movers.is_other_layout)
		assert_true(trn_pci_add_pm(pci, err) > 0);
	assert_true(trn_pci_add_msix(pci, NR_MSIX, 0, 0, 0x800, err) > 0);
	return 0;
}

void mover_start(struct mover *d)
{
	memset(d, 0, sizeof(*d));
	strcpy(d->compat, "one");
	d->fake = (struct pci_fake){ .build = build, .flags = TRN_PCI_INTX | TRN_PCI_ERR, .migration = &movers.migration };
	pci_fake_start(&d->fake);
	d->vendor = config_find(&d->fake, 9);
	config_enable(&d->fake);
}

int movers_setup(void **state)
{
	movers.is_large = movers.is_other_layout = movers.has_own_check = false;
	movers.migration = (struct trn_pci_migration){
		.flags = TRN_MIG_CAN_STOP_COPY | TRN_MIG_CAN_P2P | TRN_MIG_CAN_PRE_COPY,
		.version = 7,
		.max_state = MAX_STATE,
		.save_compat = save_compat,
		.save = mover_save,
		.load = load,
	};
	mover_start(&movers.a);
	mover_start(&movers.b);
	return 0;
}

int movers_teardown(void **state)
{
	pci_fake_stop(&movers.a.fake);
	pci_fake_stop(&movers.b.fake);
	return 0;
}

/* --- steps --- */

void mover_go(struct mover *d, enum trn_mig_state to)
{
	struct trn_error err = { 0 };

	if (trn_use_mig_set_state(d->fake.use, to, &err) < 0)
		fail_msg("%s", err.text);
}

uint8_t *mover_ram(struct mover *d, unsigned int index)
{
	return trn_pci_ram(d->fake.pci, index);
}

void mover_append(struct mover_stream *s, const void *data, size_t len)
{
	if (s->len + len > s->room) {
		s->room = 2 * (s->len + len);
		s->data = realloc(s->data, s->room);
		assert_non_null(s->data);
	}
	memcpy(s->data + s->len, data, len);
	s->len += len;
}

void mover_finish(struct mover_stream *s)
{
	free(s->data);
	*s = (struct mover_stream){ 0 };
}

ssize_t mover_read_all(struct mover *d, struct mover_stream *s, size_t piece)
{
	uint8_t buf[10000];
	ssize_t n;

	while ((n = trn_use_mig_read(d->fake.use, buf, piece)) > 0)
		mover_append(s, buf, (size_t)n);
	return n;
}

struct mover_stream mover_save_all(struct mover *d, size_t piece)
{
	struct mover_stream s = { 0 };

	mover_go(d, TRN_MIG_STOP_COPY);
	assert_int_equal(mover_read_all(d, &s, piece), 0);
	assert_int_equal(mover_read_all(d, &s, piece), 0); /* for ever */
	return s;
}

int mover_try_load(struct mover *d, const void *data, size_t len, size_t piece, struct trn_error *err)
{
	int r = 0;

	mover_go(d, TRN_MIG_RESUMING);
	for (size_t at = 0; at < len && r == 0; at += piece)
		r = trn_use_mig_write(d->fake.use, (const uint8_t *)data + at, len - at < piece ? len - at : piece, err);
	return r < 0 ? r : trn_use_mig_set_state(d->fake.use, TRN_MIG_STOP, err);
}

void mover_load_all(struct mover *d, const struct mover_stream *s, size_t piece)
{
	struct trn_error err = { 0 };

	if (mover_try_load(d, s->data, s->len, piece, &err) < 0)
		fail_msg("%s", err.text);
}

void mover_make_busy(struct mover *d, unsigned int seed)
{
	unsigned int vendor = config_find(&d->fake, 9);
	uint32_t v = seed * 0x01010101u;

	srand(seed);
	for (unsigned int i = 0; i < 5; i++)
		mover_ram(d, 2)[(unsigned int)rand() % BAR_SIZE] = (uint8_t)(seed + i) | 1;
	mover_ram(d, 2)[BAR_SIZE - 1] = (uint8_t)seed;
	mover_ram(d, 9)[OWN_SIZE - 1] = (uint8_t)seed;
	config_put(&d->fake, 0x3c, 1, seed & 0xff);
	config_put(&d->fake, vendor + 8, 4, v);
	config_put(&d->fake, 0x18, 4, 0xe0000000u + (seed << 20));
	assert_int_equal(trn_use_region_write(d->fake.use, 0, 16 + 8, &v, 4), 0); /* vector 1's data */
	d->state[0] = (uint8_t)(1 + seed % (MAX_STATE - 1));
	for (unsigned int i = 1; i < d->state[0]; i++)
		d->state[i] = (uint8_t)(seed * i);
}

void mover_look(struct mover *d, struct mover_picture *p)
{
	memset(p, 0, sizeof(*p));
	assert_int_equal(trn_use_region_read(d->fake.use, TRN_PCI_REGION_CONFIG, 0, p->config, sizeof(p->config)), 0);
	assert_int_equal(trn_use_region_read(d->fake.use, 0, 0, p->table, sizeof(p->table)), 0);
	memcpy(p->own, mover_ram(d, 9), OWN_SIZE);
	memcpy(p->state, d->state, sizeof(p->state));
}

void mover_assert_same(struct mover *x, struct mover *y)
{
	static struct mover_picture px, py;

	mover_look(x, &px);
	mover_look(y, &py);
	assert_memory_equal(px.config, py.config, sizeof(px.config));
	assert_memory_equal(px.table, py.table, sizeof(px.table));
	assert_memory_equal(px.own, py.own, sizeof(px.own));
	assert_memory_equal(px.state, py.state, sizeof(px.state));
	assert_memory_equal(mover_ram(x, 2), mover_ram(y, 2), BAR_SIZE);
}
