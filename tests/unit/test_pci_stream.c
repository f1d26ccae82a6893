/* SPDX-License-Identifier: MIT */
/* C20: the state of a device as a stream: out and in again, in any pieces, while guests write, and damaged. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "fake.h"
#include "pci_fake.h"

#define PAGE 4096u
#define BAR_SIZE (64u * PAGE)
#define OWN_SIZE (2u * PAGE + 100u)
#define NR_MSIX 4u
#define MAX_STATE 64u
#define NO_VALUE 0x66u

struct device {
	struct pci_fake fake;
	char compat[16];
	uint8_t state[MAX_STATE]; /* the driver's: state[0] bytes in all */
	unsigned int nr_loads;
	uint32_t loaded_version;
	unsigned int vendor; /* capability */
	int config_result;
	uint8_t config_seen[4]; /* of it, while the state was loaded */
};

static struct device a, b;
static bool is_large, is_other_layout, has_own_check;

static struct device *to_device(struct trn_pci *pci)
{
	return pci_fake_of(pci) == &a.fake ? &a : &b;
}

static void save_compat(struct trn_pci *pci, struct trn_pci_writer *w)
{
	trn_pci_writer_put(w, to_device(pci)->compat, strlen(to_device(pci)->compat));
}

static int check_compat(struct trn_pci *pci, const void *data, size_t len, struct trn_error *err)
{
	return has_own_check && len == 3 ? 0 : trn_error_set(err, -EINVAL, "Fake", "the fake wants three bytes");
}

static int save(struct trn_pci *pci, struct trn_pci_writer *w)
{
	struct device *d = to_device(pci);

	for (unsigned int i = 0; i < d->state[0]; i++) /* byte by byte: the writer has to grow */
		trn_pci_writer_put(w, &d->state[i], 1);
	return 0;
}

static int load(struct trn_pci *pci, uint32_t version, const void *data, size_t len, struct trn_error *err)
{
	struct device *d = to_device(pci);
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

static struct trn_pci_migration migration;

static int build(struct trn_pci *pci, struct trn_error *err)
{
	const struct trn_pci_bar table = { .size = PAGE, .flags = TRN_PCI_BAR_RAM };
	const struct trn_pci_bar bar = {
		.size = is_large ? 1u << 30 : BAR_SIZE,
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
	if (!is_other_layout)
		assert_true(trn_pci_add_pm(pci, err) > 0);
	assert_true(trn_pci_add_msix(pci, NR_MSIX, 0, 0, 0x800, err) > 0);
	return 0;
}

static void start(struct device *d)
{
	memset(d, 0, sizeof(*d));
	strcpy(d->compat, "one");
	d->fake = (struct pci_fake){ .build = build, .flags = TRN_PCI_INTX | TRN_PCI_ERR, .migration = &migration };
	pci_fake_start(&d->fake);
	d->vendor = config_find(&d->fake, 9);
	config_enable(&d->fake);
}

static int setup(void **state)
{
	is_large = is_other_layout = has_own_check = false;
	migration = (struct trn_pci_migration){
		.flags = TRN_MIG_CAN_STOP_COPY | TRN_MIG_CAN_P2P | TRN_MIG_CAN_PRE_COPY,
		.version = 7,
		.max_state = MAX_STATE,
		.save_compat = save_compat,
		.save = save,
		.load = load,
	};
	start(&a);
	start(&b);
	return 0;
}

static int teardown(void **state)
{
	pci_fake_stop(&a.fake);
	pci_fake_stop(&b.fake);
	return 0;
}

/* --- Steps --- */

static void go(struct device *d, enum trn_mig_state to)
{
	struct trn_error err = { 0 };

	if (trn_use_mig_set_state(d->fake.use, to, &err) < 0)
		fail_msg("%s", err.text);
}

static uint8_t *ram(struct device *d, unsigned int index)
{
	return trn_pci_ram(d->fake.pci, index);
}

struct stream {
	uint8_t *data;
	size_t len, room;
};

static void append(struct stream *s, const void *data, size_t len)
{
	if (s->len + len > s->room) {
		s->room = 2 * (s->len + len);
		s->data = realloc(s->data, s->room);
		assert_non_null(s->data);
	}
	memcpy(s->data + s->len, data, len);
	s->len += len;
}

static void finish(struct stream *s)
{
	free(s->data);
	*s = (struct stream){ 0 };
}

/* Until there is nothing more (now). Return: what the last read said. */
static ssize_t read_all(struct device *d, struct stream *s, size_t piece)
{
	uint8_t buf[10000];
	ssize_t n;

	while ((n = trn_use_mig_read(d->fake.use, buf, piece)) > 0)
		append(s, buf, (size_t)n);
	return n;
}

static struct stream save_all(struct device *d, size_t piece)
{
	struct stream s = { 0 };

	go(d, TRN_MIG_STOP_COPY);
	assert_int_equal(read_all(d, &s, piece), 0);
	assert_int_equal(read_all(d, &s, piece), 0); /* for ever */
	return s;
}

/* Writes the stream and goes to STOP. */
static int try_load(struct device *d, const void *data, size_t len, size_t piece, struct trn_error *err)
{
	int r = 0;

	go(d, TRN_MIG_RESUMING);
	for (size_t at = 0; at < len && r == 0; at += piece)
		r = trn_use_mig_write(d->fake.use, (const uint8_t *)data + at, len - at < piece ? len - at : piece, err);
	return r < 0 ? r : trn_use_mig_set_state(d->fake.use, TRN_MIG_STOP, err);
}

static void load_all(struct device *d, const struct stream *s, size_t piece)
{
	struct trn_error err = { 0 };

	if (try_load(d, s->data, s->len, piece, &err) < 0)
		fail_msg("%s", err.text);
}

/* Something in everything that a device has. */
static void make_busy(struct device *d, unsigned int seed)
{
	unsigned int vendor = config_find(&d->fake, 9);
	uint32_t v = seed * 0x01010101u;

	srand(seed);
	for (unsigned int i = 0; i < 5; i++)
		ram(d, 2)[(unsigned int)rand() % BAR_SIZE] = (uint8_t)(seed + i) | 1;
	ram(d, 2)[BAR_SIZE - 1] = (uint8_t)seed;
	ram(d, 9)[OWN_SIZE - 1] = (uint8_t)seed;
	config_put(&d->fake, 0x3c, 1, seed & 0xff);
	config_put(&d->fake, vendor + 8, 4, v);
	config_put(&d->fake, 0x18, 4, 0xe0000000u + (seed << 20));
	assert_int_equal(trn_use_region_write(d->fake.use, 0, 16 + 8, &v, 4), 0); /* vector 1's data */
	d->state[0] = (uint8_t)(1 + seed % (MAX_STATE - 1));
	for (unsigned int i = 1; i < d->state[0]; i++)
		d->state[i] = (uint8_t)(seed * i);
}

/* All that can be seen of a device, without the memory of BAR2. */
struct picture {
	uint8_t config[256], table[PAGE], own[OWN_SIZE], state[MAX_STATE];
};

static void look(struct device *d, struct picture *p)
{
	memset(p, 0, sizeof(*p));
	assert_int_equal(trn_use_region_read(d->fake.use, TRN_PCI_REGION_CONFIG, 0, p->config, sizeof(p->config)), 0);
	assert_int_equal(trn_use_region_read(d->fake.use, 0, 0, p->table, sizeof(p->table)), 0);
	memcpy(p->own, ram(d, 9), OWN_SIZE);
	memcpy(p->state, d->state, sizeof(p->state));
}

static void assert_same(struct device *x, struct device *y)
{
	static struct picture px, py;

	look(x, &px);
	look(y, &py);
	assert_memory_equal(px.config, py.config, sizeof(px.config));
	assert_memory_equal(px.table, py.table, sizeof(px.table));
	assert_memory_equal(px.own, py.own, sizeof(px.own));
	assert_memory_equal(px.state, py.state, sizeof(px.state));
	assert_memory_equal(ram(x, 2), ram(y, 2), BAR_SIZE);
}

static uint64_t drain(int fd)
{
	uint64_t n = 0;

	return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

static int wire(struct device *d, uint32_t index, uint32_t first, uint32_t count, const int *fds)
{
	const struct trn_irq_set set = {
		.index = index,
		.start = first,
		.count = count,
		.action = TRN_IRQ_TRIGGER,
		.data = TRN_IRQ_DATA_EVENTFD,
		.fds = fds,
	};

	return trn_use_set_irqs(d->fake.use, &set);
}

/* --- Round trips --- */

static void test_round_trips_in_any_pieces(void **state)
{
	static const size_t pieces[] = { 1, 2, 3, 7, 24, 100, 4095, 4096, 4120, 10000 };

	for (unsigned int i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		struct stream s;

		make_busy(&a, 10 + i);
		make_busy(&b, 200 + i); /* which is all gone afterwards */
		s = save_all(&a, pieces[i]);
		load_all(&b, &s, pieces[(i * 3 + 1) % 10]);
		assert_same(&a, &b);
		assert_int_equal(b.loaded_version, 7);
		go(&a, TRN_MIG_RUNNING);
		go(&b, TRN_MIG_RUNNING);
		finish(&s);
	}
	assert_int_equal(b.nr_loads, sizeof(pieces) / sizeof(pieces[0]));
}

static void test_nothing_is_sent_of_nothing(void **state)
{
	struct stream s = save_all(&a, 10000);

	assert_true(s.len < 2048); /* without a page */
	a.state[0] = 0;
	ram(&b, 2)[5 * PAGE] = 1;
	load_all(&b, &s, 10000);
	assert_same(&a, &b);
	finish(&s);
}

/* Interrupts that wait at one end come at the other, and those that may have been lost come again. */
static void test_interrupts_travel(void **state)
{
	int fds[NR_MSIX], none[] = { -1 };
	struct stream s;

	for (unsigned int i = 0; i < NR_MSIX; i++)
		fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_int_equal(wire(&a, TRN_PCI_IRQ_MSIX, 0, 1, none), 0);
	assert_int_equal(wire(&a, TRN_PCI_IRQ_MSIX, 2, 1, fds), 0);
	assert_int_equal(trn_pci_fire(a.fake.pci, 0), 0); /* pends */
	assert_int_equal(trn_pci_fire(a.fake.pci, 2), 0); /* fired */
	assert_int_equal(drain(fds[0]), 1);
	trn_pci_signal_error(a.fake.pci);
	trn_pci_set_intx(a.fake.pci, true);
	s = save_all(&a, 1000);

	assert_int_equal(wire(&b, TRN_PCI_IRQ_MSIX, 0, NR_MSIX - 1, fds), 0); /* before */
	load_all(&b, &s, 1000);
	for (unsigned int i = 0; i < NR_MSIX; i++)
		assert_int_equal(drain(fds[i]), 0);
	go(&b, TRN_MIG_RUNNING);
	for (unsigned int i = 0; i < NR_MSIX; i++)
		assert_int_equal(drain(fds[i]), i == 0 || i == 2);
	assert_int_equal(wire(&b, TRN_PCI_IRQ_ERR, 0, 1, fds), 0); /* after */
	assert_int_equal(drain(fds[0]), 1);
	assert_int_equal(trn_use_reset(a.fake.use), 0);
	finish(&s);
	for (unsigned int i = 0; i < NR_MSIX; i++)
		base_close(fds[i]);
}

static void test_level_travels(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct stream s;

	trn_pci_set_intx(a.fake.pci, true);
	s = save_all(&a, 1000);
	load_all(&b, &s, 1000);
	go(&b, TRN_MIG_RUNNING);
	assert_int_equal(wire(&b, TRN_PCI_IRQ_INTX, 0, 1, &fd), 0);
	assert_int_equal(drain(fd), 1);
	finish(&s);
	base_close(fd);
}

/* Where messages go is for the state to say, and not for a holder who left before it was loaded. */
static void test_messages_go_where_the_state_says(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct stream s;

	config_put(&a.fake, config_find(&a.fake, 5) + 2, 1, 1);
	s = save_all(&a, 1000);
	assert_int_equal(wire(&b, TRN_PCI_IRQ_MSIX, 0, 1, &fd), 0);
	trn_use_close(b.fake.use);
	b.fake.use = fake_open(b.fake.dev, "the next");
	load_all(&b, &s, 1000);
	go(&b, TRN_MIG_RUNNING);
	assert_int_equal(trn_pci_fire(b.fake.pci, 1), 0);
	assert_int_equal(wire(&b, TRN_PCI_IRQ_MSI, 1, 1, &fd), 0);
	assert_int_equal(drain(fd), 1);
	finish(&s);
	base_close(fd);
}

/* A driver is asked whether its own capabilities can be what the state says: nobody else could know. */
static void test_driver_sees_its_capabilities(void **state)
{
	struct trn_error err = { 0 };
	struct stream s;

	config_put(&a.fake, a.vendor + 8, 4, 0x04030201);
	s = save_all(&a, 1000);
	load_all(&b, &s, 1000);
	assert_int_equal(b.config_result, 0);
	assert_memory_equal(b.config_seen, "\1\2\3\4", 4);
	finish(&s);

	go(&a, TRN_MIG_RUNNING);
	config_put(&a.fake, a.vendor + 8, 4, NO_VALUE);
	s = save_all(&a, 1000);
	assert_int_equal(try_load(&b, s.data, s.len, 1000, &err), -EINVAL);
	assert_int_equal(config_get(&b.fake, b.vendor + 8, 4), 0x04030201);
	finish(&s);
}

/* Mappings that were there before show what was loaded: it is the same memory. */
static void test_mappings_see_what_is_loaded(void **state)
{
	uint64_t offset = 1;
	int fd = trn_use_region_fd(b.fake.use, 2, &offset);
	uint8_t *map = mmap(NULL, BAR_SIZE, PROT_READ, MAP_SHARED, fd, (off_t)offset);
	struct stream s;

	assert_ptr_not_equal(map, MAP_FAILED);
	make_busy(&a, 3);
	make_busy(&b, 4);
	s = save_all(&a, 10000);
	load_all(&b, &s, 10000);
	assert_memory_equal(map, ram(&a, 2), BAR_SIZE);
	munmap(map, BAR_SIZE);
	base_close(fd);
	finish(&s);
}

/* --- Pre-copy --- */

static void test_pre_copy(void **state)
{
	struct trn_mig_sizes sizes = { 0 };
	struct stream s = { 0 };
	size_t first;

	make_busy(&a, 50);
	for (unsigned int i = 0; i < 20; i++)
		ram(&a, 2)[i * PAGE + i] = (uint8_t)(i + 1);
	assert_int_equal(trn_use_mig_sizes(a.fake.use, &sizes), 0);
	assert_int_equal(sizes.initial | sizes.dirty, 0);
	assert_true(sizes.stop_copy >= 20 * PAGE);
	go(&a, TRN_MIG_PRE_COPY);
	assert_int_equal(trn_use_mig_sizes(a.fake.use, &sizes), 0);
	assert_true(sizes.initial >= 20 * PAGE && sizes.dirty == 0 && sizes.stop_copy > sizes.initial);
	assert_int_equal(read_all(&a, &s, 333), -ENOMSG);
	first = s.len;
	assert_true(first >= 20 * PAGE && first <= 30 * PAGE);
	assert_int_equal(trn_use_mig_sizes(a.fake.use, &sizes), 0);
	assert_true(sizes.initial == 0 && sizes.dirty == 0 && sizes.stop_copy < PAGE);
	assert_int_equal(read_all(&a, &s, 333), -ENOMSG);
	assert_int_equal(s.len, first);

	/* The guest goes on writing, also to zero, also where nothing was. */
	ram(&a, 2)[3 * PAGE + 3] = 0;
	ram(&a, 2)[4 * PAGE] = 9;
	ram(&a, 2)[40 * PAGE] = 9;
	ram(&a, 9)[0] = 9;
	assert_int_equal(trn_use_mig_sizes(a.fake.use, &sizes), 0);
	assert_true(sizes.initial == 0 && sizes.dirty >= 4 * PAGE && sizes.dirty < 5 * PAGE);
	go(&a, TRN_MIG_PRE_COPY_P2P);
	assert_int_equal(read_all(&a, &s, 4096), -ENOMSG);
	assert_true(s.len - first >= 4 * PAGE && s.len - first < 5 * PAGE);
	ram(&a, 2)[4 * PAGE] = 10;
	go(&a, TRN_MIG_STOP_COPY);
	assert_int_equal(trn_use_mig_sizes(a.fake.use, &sizes), 0);
	assert_true(sizes.initial == 0 && sizes.dirty == 0 && sizes.stop_copy >= PAGE && sizes.stop_copy < 2 * PAGE);
	first = s.len;
	assert_int_equal(read_all(&a, &s, 4096), 0);
	assert_true(s.len - first <= sizes.stop_copy);
	load_all(&b, &s, 5000);
	assert_same(&a, &b);
	finish(&s);
}

/* What changes behind a pass that found something comes with the next, before the end for now is said. */
static void test_pass_after_pass(void **state)
{
	static uint8_t buf[3 * PAGE];
	struct stream s = { 0 };

	memset(ram(&a, 2), 1, 5 * PAGE);
	go(&a, TRN_MIG_PRE_COPY);
	assert_int_equal(trn_use_mig_read(a.fake.use, buf, sizeof(buf)), sizeof(buf));
	append(&s, buf, sizeof(buf));
	ram(&a, 2)[0] = 2;
	assert_int_equal(read_all(&a, &s, 1), -ENOMSG);
	assert_true(s.len > 6 * PAGE);
	finish(&s);
}

/* In the middle of a page, of which the rest is given first. */
static void test_stop_in_the_middle_of_a_page(void **state)
{
	for (size_t cut = 900; cut < 900 + 3 * PAGE; cut += 517) {
		struct stream s = { 0 };
		static uint8_t buf[4 * PAGE];
		ssize_t n;

		for (unsigned int i = 0; i < 4; i++)
			memset(ram(&a, 2) + i * PAGE, (int)(cut + i) | 1, PAGE);
		go(&a, TRN_MIG_PRE_COPY);
		n = trn_use_mig_read(a.fake.use, buf, cut);
		assert_int_equal(n, cut);
		append(&s, buf, cut);
		for (unsigned int i = 0; i < 4; i++)
			ram(&a, 2)[i * PAGE + 2000] = 0;
		go(&a, TRN_MIG_STOP_COPY);
		assert_int_equal(read_all(&a, &s, 1000), 0);
		load_all(&b, &s, 1000);
		assert_memory_equal(ram(&a, 2), ram(&b, 2), BAR_SIZE);
		go(&a, TRN_MIG_RUNNING);
		finish(&s);
	}
}

/* Memory that was sent and then given back by the guest's side reads as zero. */
static void test_hole_after_it_was_sent(void **state)
{
	struct stream s = { 0 };
	uint64_t offset;
	int fd = trn_use_region_fd(a.fake.use, 2, &offset);

	memset(ram(&a, 2), 1, 8 * PAGE);
	go(&a, TRN_MIG_PRE_COPY);
	assert_int_equal(read_all(&a, &s, 1000), -ENOMSG);
	assert_int_equal(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset + PAGE, 5 * PAGE), 0);
	go(&a, TRN_MIG_STOP_COPY);
	assert_int_equal(read_all(&a, &s, 1000), 0);
	load_all(&b, &s, 1000);
	assert_memory_equal(ram(&a, 2), ram(&b, 2), BAR_SIZE);
	assert_int_equal(ram(&b, 2)[PAGE], 0);
	assert_int_equal(ram(&b, 2)[6 * PAGE], 1);
	finish(&s);
	base_close(fd);
}

/* A gigabyte of which little exists costs little. */
static void test_large_and_empty(void **state)
{
	struct stream s;

	teardown(state);
	is_large = true;
	start(&a);
	start(&b);
	ram(&a, 2)[0] = 1;
	ram(&a, 2)[777u << 20] = 2;
	ram(&a, 2)[(1u << 30) - 1] = 3;
	ram(&b, 2)[500u << 20] = 4;
	s = save_all(&a, 10000);
	assert_true(s.len < 5 * PAGE);
	load_all(&b, &s, 10000);
	assert_int_equal(ram(&b, 2)[0], 1);
	assert_int_equal(ram(&b, 2)[777u << 20], 2);
	assert_int_equal(ram(&b, 2)[(1u << 30) - 1], 3);
	assert_int_equal(ram(&b, 2)[500u << 20], 0);
	finish(&s);
}

/* --- Refusals --- */

/* The state of b is as it was, and b can be used further. */
static void assert_untouched(const struct picture *before, const uint8_t *ram_before)
{
	static struct picture after;
	enum trn_mig_state s = TRN_MIG_ERROR;

	assert_int_equal(trn_use_mig_get_state(b.fake.use, &s), 0);
	assert_int_equal(s, TRN_MIG_RESUMING);
	look(&b, &after);
	assert_memory_equal(before, &after, sizeof(after));
	assert_memory_equal(ram_before, ram(&b, 2), BAR_SIZE);
}

/* Back to RESUMING with nothing written, without a reset, which would change what is compared: the refused way again. */
static void forget_stream(void)
{
	assert_true(trn_use_mig_set_state(b.fake.use, TRN_MIG_STOP, NULL) < 0);
}

struct attack {
	struct stream s;
	struct picture before;
	uint8_t ram_before[BAR_SIZE];
};

static void begin_attack(struct attack *k)
{
	make_busy(&a, 77);
	make_busy(&b, 88);
	k->s = save_all(&a, 10000);
	look(&b, &k->before);
	memcpy(k->ram_before, ram(&b, 2), BAR_SIZE);
	go(&b, TRN_MIG_RESUMING);
}

static void assert_stream_refused(const struct attack *k, const uint8_t *data, size_t len)
{
	struct trn_error err = { 0 };
	int r = try_load(&b, data, len, 10000, &err);

	if (r != -EINVAL && r != -EFBIG)
		fail_msg("taken in, or %d: %s", r, err.text);
	assert_true(err.text[0] != '\0');
	assert_untouched(&k->before, k->ram_before);
	forget_stream();
}

static void end_attack(struct attack *k)
{
	load_all(&b, &k->s, 10000); /* the right one still is */
	assert_same(&a, &b);
	finish(&k->s);
}

static struct attack attack;

static void test_truncated_at_every_byte(void **state)
{
	begin_attack(&attack);
	for (size_t len = 0; len < attack.s.len; len++) {
		/* Pages are all alike inside. */
		if (len > 2000 && len < attack.s.len - 700 && len % 61)
			continue;
		assert_stream_refused(&attack, attack.s.data, len);
	}
	end_attack(&attack);
}

static void test_each_byte_flipped(void **state)
{
	uint8_t *copy;

	begin_attack(&attack);
	copy = malloc(attack.s.len);
	assert_non_null(copy);
	for (size_t at = 0; at < attack.s.len; at++) {
		if (at > 2000 && at < attack.s.len - 700 && at % 97)
			continue;
		memcpy(copy, attack.s.data, attack.s.len);
		copy[at] ^= (uint8_t)(1u << (at % 8));
		assert_stream_refused(&attack, copy, attack.s.len);
	}
	free(copy);
	end_attack(&attack);
}

static void test_something_behind_the_end(void **state)
{
	begin_attack(&attack);
	append(&attack.s, "x", 1);
	assert_stream_refused(&attack, attack.s.data, attack.s.len);
	attack.s.len--;
	end_attack(&attack);
}

/* What is not for this device is refused while it is written, as soon as it can be known. */
static void test_refused_early(void **state)
{
	struct trn_error err = { 0 };
	size_t at = 0;
	int r = 0;

	make_busy(&a, 5);
	strcpy(b.compat, "two");
	attack.s = save_all(&a, 10000);
	go(&b, TRN_MIG_RESUMING);
	for (; at < attack.s.len && r == 0; at++)
		r = trn_use_mig_write(b.fake.use, attack.s.data + at, 1, &err);
	assert_int_equal(r, -EINVAL);
	assert_true(at < 1200); /* no page was taken in */
	assert_int_equal(trn_use_mig_write(b.fake.use, "", 1, NULL), -EINVAL); /* and stays refused */
	assert_int_equal(b.nr_loads, 0);
	finish(&attack.s);
}

static void expect_other_device(const char *word)
{
	struct stream s = save_all(&a, 10000);
	struct trn_error err = { 0 };

	assert_int_equal(try_load(&b, s.data, s.len, 100, &err), -EINVAL);
	if (!strstr(err.text, word))
		fail_msg("no \"%s\" in: %s", word, err.text);
	finish(&s);
}

static void test_other_layout(void **state)
{
	pci_fake_stop(&b.fake);
	is_other_layout = true;
	start(&b);
	expect_other_device("capabilities");
}

static void test_other_size(void **state)
{
	pci_fake_stop(&b.fake);
	is_large = true;
	start(&b);
	expect_other_device("region 2");
}

static void test_newer_driver(void **state)
{
	struct stream s = save_all(&a, 10000);
	struct trn_error err = { 0 };

	migration.version = 8; /* takes what is older */
	load_all(&b, &s, 10000);
	assert_int_equal(b.loaded_version, 7);
	migration.version = 6;
	assert_int_equal(try_load(&b, s.data, s.len, 100, &err), -EINVAL);
	assert_non_null(strstr(err.text, "newer"));
	finish(&s);
}

static void test_driver_compares_itself(void **state)
{
	struct stream s;

	strcpy(b.compat, "any");
	migration.check_compat = check_compat;
	has_own_check = true;
	s = save_all(&a, 100);
	load_all(&b, &s, 100);
	finish(&s);
	go(&a, TRN_MIG_RUNNING);
	strcpy(a.compat, "four");
	expect_other_device("three bytes");
}

/* More than the driver said it could be: neither sent nor taken in. */
static void test_too_much_state(void **state)
{
	struct trn_error err = { 0 };
	uint8_t buf[10000];
	struct stream s;
	ssize_t n;

	a.state[0] = MAX_STATE;
	s = save_all(&a, 10000);
	migration.max_state = MAX_STATE - 1;
	assert_int_equal(try_load(&b, s.data, s.len, 10000, &err), -EFBIG);
	go(&a, TRN_MIG_RUNNING);
	go(&a, TRN_MIG_STOP_COPY);
	do
		n = trn_use_mig_read(a.fake.use, buf, sizeof(buf));
	while (n > 0);
	assert_int_equal(n, -EFBIG);
	assert_int_equal(trn_use_mig_read(a.fake.use, buf, sizeof(buf)), -EFBIG);
	finish(&s);
}

/* A configuration space that no such device could have, with a right checksum: made by a device with another one. */
static void test_impossible_config(void **state)
{
	uint8_t byte = 0x42;

	begin_attack(&attack);
	finish(&attack.s);
	go(&a, TRN_MIG_RUNNING);
	assert_int_equal(trn_pci_config_set(a.fake.pci, 8, &byte, 1), 0); /* its revision */
	attack.s = save_all(&a, 10000);
	assert_stream_refused(&attack, attack.s.data, attack.s.len);
	assert_int_equal(b.nr_loads, 0);
	finish(&attack.s);
}

/* The driver's word comes before anything changes. */
static void test_driver_refuses(void **state)
{
	begin_attack(&attack);
	finish(&attack.s);
	go(&a, TRN_MIG_RUNNING);
	migration.save = NULL;
	attack.s = save_all(&a, 10000);
	migration.save = save;
	load_all(&b, &attack.s, 10000); /* nothing is a state too */
	finish(&attack.s);
	memset(&a.state, 0, sizeof(a.state));
	a.state[0] = 3;
	go(&a, TRN_MIG_RUNNING);
	attack.s = save_all(&a, 10000);
	migration.load = NULL;
	go(&b, TRN_MIG_STOP);
	make_busy(&b, 99);
	look(&b, &attack.before);
	memcpy(attack.ram_before, ram(&b, 2), BAR_SIZE);
	assert_stream_refused(&attack, attack.s.data, attack.s.len);
	finish(&attack.s);
}

static void test_random_bytes(void **state)
{
	uint8_t buf[3000];

	srand(3);
	begin_attack(&attack);
	for (int i = 0; i < 300; i++) {
		size_t keep = (size_t)rand() % 1500, len = keep + (size_t)rand() % 1500;

		for (size_t at = 0; at < len; at++)
			buf[at] = (uint8_t)rand();
		memcpy(buf, attack.s.data, keep);
		assert_stream_refused(&attack, buf, len);
	}
	end_attack(&attack);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round_trips_in_any_pieces, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nothing_is_sent_of_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_interrupts_travel, setup, teardown),
		cmocka_unit_test_setup_teardown(test_level_travels, setup, teardown),
		cmocka_unit_test_setup_teardown(test_messages_go_where_the_state_says, setup, teardown),
		cmocka_unit_test_setup_teardown(test_driver_sees_its_capabilities, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mappings_see_what_is_loaded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pre_copy, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pass_after_pass, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stop_in_the_middle_of_a_page, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hole_after_it_was_sent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_large_and_empty, setup, teardown),
		cmocka_unit_test_setup_teardown(test_truncated_at_every_byte, setup, teardown),
		cmocka_unit_test_setup_teardown(test_each_byte_flipped, setup, teardown),
		cmocka_unit_test_setup_teardown(test_something_behind_the_end, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused_early, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_layout, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_size, setup, teardown),
		cmocka_unit_test_setup_teardown(test_newer_driver, setup, teardown),
		cmocka_unit_test_setup_teardown(test_driver_compares_itself, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_much_state, setup, teardown),
		cmocka_unit_test_setup_teardown(test_impossible_config, setup, teardown),
		cmocka_unit_test_setup_teardown(test_driver_refuses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_random_bytes, setup, teardown),
	};

	return unit_run(tests);
}
