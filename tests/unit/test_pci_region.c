/* SPDX-License-Identifier: MIT */
/* C11 to C13, C15.
 * Regions: what they are said to be, how accesses of any shape are cut, what may be mapped, and writes that only wake. */
#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/memfd.h"
#include "fake.h"
#include "pci_fake.h"

#define PAGE 4096u

static struct pci_fake fake;

/* What the driver was called for. */
static struct {
	unsigned int nr;
	uint64_t offset[8];
	size_t len[8];
	bool is_write;
	uint8_t last[16];
	int result;
} calls;

static int note_rw(struct trn_pci *pci, uint64_t offset, void *buf, size_t len, bool is_write)
{
	if (calls.result < 0)
		return calls.result;
	assert_true(calls.nr < 8);
	calls.offset[calls.nr] = offset;
	calls.len[calls.nr++] = len;
	calls.is_write = is_write;
	if (is_write)
		memcpy(calls.last, buf, len < 16 ? len : 16);
	else
		memset(buf, 0xcc, len);
	return 1; /* what is not negative is success */
}

static unsigned int nr_areas;

static ssize_t areas(struct trn_pci *pci, struct trn_span *ret, size_t max)
{
	/* Every other page from 2 on. */
	for (size_t i = 0; i < nr_areas && i < max; i++)
		ret[i] = (struct trn_span){ (2 + 2 * i) * PAGE, PAGE };
	return nr_areas;
}

static ssize_t bad_areas(struct trn_pci *pci, struct trn_span *ret, size_t max)
{
	ret[0] = (struct trn_span){ 0, 17 };
	return 1;
}

#define BAR_REGISTERS 0
#define BAR_IO 1
#define BAR_MIXED 2
#define BAR_TABLE 4
#define MIXED_SIZE (256 * PAGE)

static int build(struct trn_pci *pci, struct trn_error *err)
{
	static const struct trn_pci_bar registers = { .size = PAGE, .rw = note_rw };
	static const struct trn_pci_bar io = { .size = 8, .flags = TRN_PCI_BAR_IO, .rw = note_rw };
	static const struct trn_pci_bar mixed = {
		.size = MIXED_SIZE,
		.flags = TRN_PCI_BAR_RAM | TRN_PCI_BAR_MMAP | TRN_PCI_BAR_64,
		.rw = note_rw,
		.areas = areas,
	};
	static const struct trn_pci_bar table = { .size = 8 * PAGE, .flags = TRN_PCI_BAR_RAM | TRN_PCI_BAR_MMAP };
	static const struct trn_pci_bar own = { .size = PAGE + 100, .flags = TRN_PCI_BAR_RAM | TRN_PCI_BAR_MMAP };
	uint8_t rom[3000];

	memset(rom, 0x5a, sizeof(rom));
	assert_int_equal(trn_pci_add_bar(pci, BAR_REGISTERS, &registers, err), 0);
	assert_int_equal(trn_pci_add_bar(pci, BAR_IO, &io, err), 0);
	assert_int_equal(trn_pci_add_bar(pci, BAR_MIXED, &mixed, err), 0);
	assert_int_equal(trn_pci_add_bar(pci, BAR_TABLE, &table, err), 0);
	assert_int_equal(trn_pci_set_rom(pci, rom, sizeof(rom), err), 0);
	assert_int_equal(trn_pci_set_rom(pci, rom, sizeof(rom), NULL), -EEXIST);
	assert_int_equal(trn_pci_add_region(pci, 1u << 31 | 0x1af4, 7, &own, err), 9);
	/* Table in page 1, pending bits in page 4. */
	return trn_pci_add_msix(pci, 8, BAR_TABLE, PAGE + 0x100, 4 * PAGE, err) < 0 ? -EINVAL : 0;
}

static int setup(void **state)
{
	memset(&calls, 0, sizeof(calls));
	nr_areas = 1;
	fake = (struct pci_fake){ .build = build };
	pci_fake_start(&fake);
	config_enable(&fake);
	return 0;
}

static int teardown(void **state)
{
	pci_fake_stop(&fake);
	return 0;
}

/* C11: addressing by index, sizes by info.  C15: what is not there has size 0. */
static void test_info(void **state)
{
	static const struct {
		uint64_t size;
		uint32_t flags;
	} want[] = {
		{ PAGE, TRN_REGION_READ | TRN_REGION_WRITE },
		{ 8, TRN_REGION_READ | TRN_REGION_WRITE },
		{ MIXED_SIZE, TRN_REGION_READ | TRN_REGION_WRITE | TRN_REGION_MMAP },
		{ 0, 0 },
		{ 8 * PAGE, TRN_REGION_READ | TRN_REGION_WRITE | TRN_REGION_MMAP },
		{ 0, 0 },
		{ PAGE, TRN_REGION_READ },
		{ 256, TRN_REGION_READ | TRN_REGION_WRITE },
		{ 0, 0 },
		{ PAGE + 100, TRN_REGION_READ | TRN_REGION_WRITE | TRN_REGION_MMAP },
		{ 0, 0 },
	};
	struct trn_device_info device;

	trn_use_info(fake.use, &device);
	assert_int_equal(device.flags, TRN_DEVICE_PCI | TRN_DEVICE_RESET);
	assert_int_equal(device.nr_regions, 10);
	assert_int_equal(device.nr_irqs, 5);
	for (unsigned int i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		struct trn_region_info info;

		assert_int_equal(trn_use_region_info(fake.use, i, &info), 0);
		assert_int_equal(info.size, want[i].size);
		assert_int_equal(info.flags, want[i].flags);
	}
}

/* C12: the chain of an own region tells its type; BARs have none. */
static void test_capabilities(void **state)
{
	struct trn_caps *caps = trn_caps_new();
	struct vfio_region_info_cap_type type;

	for (unsigned int i = 0; i < 9; i++)
		assert_int_equal(trn_use_caps(fake.use, i, caps), 0);
	assert_int_equal(trn_use_caps(fake.use, TRN_CAPS_OF_DEVICE, caps), 0);
	assert_int_equal(trn_caps_len(caps), 0);
	assert_int_equal(trn_use_caps(fake.use, 9, caps), 0);
	assert_int_equal(trn_caps_len(caps), sizeof(type));
	trn_caps_write(caps, &type, 32);
	assert_int_equal(type.header.id, VFIO_REGION_INFO_CAP_TYPE);
	assert_int_equal(type.type, 1u << 31 | 0x1af4);
	assert_int_equal(type.subtype, 7);
	trn_caps_free(caps);
}

/* An access of a guest's instruction comes as one call, whatever its size and alignment. */
static void test_driver_is_called_once(void **state)
{
	uint8_t buf[24];

	assert_int_equal(trn_use_region_write(fake.use, BAR_REGISTERS, 3, "abcdefg", 7), 0);
	assert_int_equal(calls.nr, 1);
	assert_int_equal(calls.offset[0], 3);
	assert_int_equal(calls.len[0], 7);
	assert_true(calls.is_write);
	assert_memory_equal(calls.last, "abcdefg", 7);
	assert_int_equal(trn_use_region_read(fake.use, BAR_IO, 1, buf, 2), 0);
	assert_int_equal(buf[1], 0xcc);
	assert_int_equal(calls.nr, 2);
	calls.result = -EPERM;
	assert_int_equal(trn_use_region_read(fake.use, BAR_IO, 1, buf, 2), -EPERM);
	assert_int_equal(trn_use_region_read(fake.use, BAR_IO, 7, buf, 2), -EINVAL);
	assert_int_equal(trn_use_region_read(fake.use, 3, 0, buf, 1), -EINVAL);
}

static void test_rom(void **state)
{
	uint8_t buf[PAGE];

	assert_int_equal(trn_use_region_read(fake.use, TRN_PCI_REGION_ROM, 0, buf, PAGE), 0);
	assert_int_equal(buf[2999], 0x5a);
	assert_int_equal(buf[3000], 0);
	assert_int_equal(trn_use_region_write(fake.use, TRN_PCI_REGION_ROM, 0, buf, 1), -EACCES);
}

/* Memory where it may be mapped, the driver elsewhere, each with its part of the access. */
static void test_mixed_region_is_cut(void **state)
{
	uint8_t *ram = trn_pci_ram(fake.pci, BAR_MIXED);
	uint8_t buf[3 * PAGE];

	memset(buf, 0x77, sizeof(buf));
	assert_int_equal(trn_use_region_write(fake.use, BAR_MIXED, PAGE, buf, 3 * PAGE), 0);
	assert_int_equal(calls.nr, 2);
	assert_int_equal(calls.offset[0], PAGE);
	assert_int_equal(calls.len[0], PAGE);
	assert_int_equal(calls.offset[1], 3 * PAGE);
	assert_int_equal(ram[2 * PAGE - 1], 0);
	assert_int_equal(ram[2 * PAGE], 0x77);
	assert_int_equal(ram[3 * PAGE - 1], 0x77);
	assert_int_equal(ram[3 * PAGE], 0);
	memset(buf, 0, sizeof(buf));
	assert_int_equal(trn_use_region_read(fake.use, BAR_MIXED, 2 * PAGE - 1, buf, 5), 0);
	assert_memory_equal(buf, "\xcc\x77\x77\x77\x77", 5);
	for (size_t len = 1; len <= 8; len *= 2) {
		assert_int_equal(trn_use_region_write(fake.use, BAR_MIXED, 2 * PAGE + 8, "12345678", len), 0);
		assert_memory_equal(ram + 2 * PAGE + 8, "12345678", len);
	}
	trn_pci_ram_wrote(fake.pci, BAR_MIXED, 0, PAGE);
	assert_null(trn_pci_ram(fake.pci, BAR_IO));
	assert_null(trn_pci_ram(fake.pci, 1000));
}

/* The library answers for table and pending bits; the bytes around them are memory. */
static void test_table_is_cut_out(void **state)
{
	uint8_t *ram = trn_pci_ram(fake.pci, BAR_TABLE);
	uint8_t buf[8 * PAGE];

	memset(buf, 0x11, sizeof(buf));
	assert_int_equal(trn_use_region_write(fake.use, BAR_TABLE, 0, buf, sizeof(buf)), 0);
	assert_int_equal(ram[PAGE + 0xff], 0x11);
	assert_int_equal(ram[PAGE + 0x100], 0);
	assert_int_equal(ram[PAGE + 0x17f], 0);
	assert_int_equal(ram[PAGE + 0x180], 0x11);
	assert_int_equal(ram[4 * PAGE], 0);
	assert_int_equal(ram[4 * PAGE + 8], 0x11);
	memset(buf, 0, sizeof(buf));
	assert_int_equal(trn_use_region_read(fake.use, BAR_TABLE, 0, buf, sizeof(buf)), 0);
	assert_int_equal(buf[PAGE + 0x100], 0x10); /* the low byte of an address in the table */
	assert_int_equal(buf[4 * PAGE], 0); /* pending bits are not written */
	/* An odd access over the border. */
	assert_int_equal(trn_use_region_write(fake.use, BAR_TABLE, PAGE + 0xfd, "abcdefg", 7), 0);
	assert_memory_equal(ram + PAGE + 0xfd, "abc", 3);
	assert_int_equal(trn_use_region_read(fake.use, BAR_TABLE, PAGE + 0xfd, buf, 7), 0);
	assert_memory_equal(buf, "abcdefg", 7);
}

/* C13: only what may be mapped is named: never the pages of the MSI-X table. */
static void test_areas(void **state)
{
	struct trn_span spans[128];

	assert_int_equal(trn_use_region_areas(fake.use, BAR_TABLE, spans, 128), 3);
	assert_memory_equal(spans, ((struct trn_span[]){ { 0, PAGE }, { 2 * PAGE, 2 * PAGE }, { 5 * PAGE, 3 * PAGE } }),
			    3 * sizeof(spans[0]));
	spans[1].start = 99;
	assert_int_equal(trn_use_region_areas(fake.use, BAR_TABLE, spans, 1), 3);
	assert_int_equal(spans[1].start, 99);
	assert_int_equal(trn_use_region_areas(fake.use, BAR_MIXED, spans, 128), 1);
	assert_int_equal(spans[0].start, 2 * PAGE);
	nr_areas = 100; /* more than the library has room for at once */
	assert_int_equal(trn_use_region_areas(fake.use, BAR_MIXED, spans, 128), 100);
	assert_int_equal(spans[99].start, 200 * PAGE);
	assert_int_equal(trn_use_region_write(fake.use, BAR_MIXED, 200 * PAGE, "x", 1), 0);
	assert_int_equal(calls.nr, 0);
	assert_int_equal(trn_use_region_write(fake.use, BAR_MIXED, 201 * PAGE, "x", 1), 0);
	assert_int_equal(calls.nr, 1);
	nr_areas = 0;
	assert_int_equal(trn_use_region_areas(fake.use, BAR_MIXED, spans, 128), 0);
	/* Whole pages alone. */
	assert_int_equal(trn_use_region_areas(fake.use, 9, spans, 128), 1);
	assert_int_equal(spans[0].len, PAGE);
	assert_int_equal(trn_use_region_areas(fake.use, BAR_REGISTERS, spans, 128), -EOPNOTSUPP);
	assert_int_equal(trn_use_region_areas(fake.use, 3, spans, 128), -EINVAL);
}

static void test_descriptor_is_the_memory(void **state)
{
	uint64_t offset = 1;
	int fd = trn_use_region_fd(fake.use, BAR_MIXED, &offset);
	uint8_t *map;

	assert_true(fd >= 0);
	assert_int_equal(offset, 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	map = mmap(NULL, MIXED_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(map != MAP_FAILED);
	map[2 * PAGE] = 42;
	assert_int_equal(((uint8_t *)trn_pci_ram(fake.pci, BAR_MIXED))[2 * PAGE], 42);
	munmap(map, MIXED_SIZE);
	close(fd);
	assert_int_equal(trn_use_region_fd(fake.use, BAR_REGISTERS, &offset), -EOPNOTSUPP);
}

static unsigned int signals(int fd)
{
	eventfd_t v = 0;

	return eventfd_read(fd, &v) == 0 ? (unsigned int)v : 0;
}

static void test_ioeventfds_of_messages(void **state)
{
	int any = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), seven = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	int shadow = base_memfd_create("shadow", PAGE);
	struct trn_ioeventfd a = { .offset = 0x40, .size = 4, .fd = any, .shadow_fd = -1 };
	struct trn_ioeventfd b = { .offset = 0x44, .size = 4, .flags = TRN_IOEVENTFD_DATAMATCH, .datamatch = 7, .fd = seven,
				   .shadow_fd = shadow, .shadow_offset = 16 };
	struct trn_ioeventfd given[4];
	uint32_t v = 7;

	assert_int_equal(trn_pci_add_ioeventfd(fake.pci, BAR_REGISTERS, &a, NULL), 0);
	assert_int_equal(trn_pci_add_ioeventfd(fake.pci, BAR_REGISTERS, &b, NULL), 0);
	assert_int_equal(trn_use_region_write(fake.use, BAR_REGISTERS, 0x40, &v, 4), 0);
	assert_int_equal(signals(any), 1);
	assert_int_equal(trn_use_region_write(fake.use, BAR_REGISTERS, 0x44, &v, 4), 0);
	assert_int_equal(signals(seven), 1);
	assert_int_equal(pread(shadow, &v, 4, 16), 4);
	assert_int_equal(v, 7);
	assert_int_equal(calls.nr, 0);
	/* Another value, another size, a read, another place: the driver's. */
	v = 8;
	assert_int_equal(trn_use_region_write(fake.use, BAR_REGISTERS, 0x44, &v, 4), 0);
	assert_int_equal(trn_use_region_write(fake.use, BAR_REGISTERS, 0x40, &v, 2), 0);
	assert_int_equal(trn_use_region_read(fake.use, BAR_REGISTERS, 0x40, &v, 4), 0);
	assert_int_equal(trn_use_region_write(fake.use, BAR_REGISTERS, 0x3e, &v, 4), 0);
	assert_int_equal(calls.nr, 4);
	assert_int_equal(signals(any) + signals(seven), 0);
	/* Memory off: nothing wakes. */
	config_put(&fake, PCI_COMMAND, 2, 0);
	assert_int_equal(trn_use_region_write(fake.use, BAR_REGISTERS, 0x40, &v, 4), -EIO);
	assert_int_equal(signals(any), 0);

	assert_int_equal(trn_use_region_ioeventfds(fake.use, BAR_REGISTERS, given, 1), 2);
	assert_int_equal(trn_use_region_ioeventfds(fake.use, BAR_REGISTERS, given, 4), 2);
	assert_int_equal(given[1].datamatch, 7);
	assert_true(given[0].fd != any && given[1].shadow_fd >= 0 && given[1].shadow_fd != shadow);
	eventfd_write(given[0].fd, 1);
	assert_int_equal(signals(any), 1);
	close(given[0].fd);
	close(given[1].fd);
	close(given[1].shadow_fd);
	assert_int_equal(trn_use_region_ioeventfds(fake.use, BAR_IO, given, 4), 0);
	close(any);
	close(seven);
	close(shadow);
}

static int add_event(unsigned int index, uint64_t offset, uint32_t size, uint32_t flags, uint64_t value, int fd)
{
	struct trn_ioeventfd ev = { .offset = offset, .size = size, .flags = flags, .datamatch = value, .fd = fd, .shadow_fd = -1 };

	return trn_pci_add_ioeventfd(fake.pci, index, &ev, NULL);
}

/* Holders get the shadow's descriptor: they could take the memory away from under the device, or more is wanted than there is. */
static void test_shadow_memory_must_stay(void **state)
{
	_cleanup_close_ int any = eventfd(0, EFD_CLOEXEC), loose = memfd_create("loose", MFD_CLOEXEC);
	_cleanup_close_ int sealed = base_memfd_create("sealed", PAGE);
	struct trn_ioeventfd ev = { .offset = 0x40, .size = 4, .fd = any, .shadow_fd = loose };

	assert_int_equal(ftruncate(loose, PAGE), 0);
	assert_int_equal(trn_pci_add_ioeventfd(fake.pci, BAR_REGISTERS, &ev, NULL), -EINVAL);
	ev.shadow_fd = sealed;
	ev.shadow_offset = PAGE - 7;
	assert_int_equal(trn_pci_add_ioeventfd(fake.pci, BAR_REGISTERS, &ev, NULL), -EINVAL);
	ev.shadow_offset = UINT64_MAX - 3;
	assert_int_equal(trn_pci_add_ioeventfd(fake.pci, BAR_REGISTERS, &ev, NULL), -EINVAL);
	ev.shadow_offset = PAGE - 8;
	assert_int_equal(trn_pci_add_ioeventfd(fake.pci, BAR_REGISTERS, &ev, NULL), 0);
}

static void test_ioeventfds_that_are_refused(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC);
	struct trn_ioeventfd given;
	const uint32_t match = TRN_IOEVENTFD_DATAMATCH;

	assert_int_equal(add_event(BAR_REGISTERS, PAGE - 3, 4, 0, 0, fd), -EINVAL);
	assert_int_equal(add_event(BAR_REGISTERS, PAGE, 0, 0, 0, fd), -EINVAL);
	assert_int_equal(add_event(3, 0, 4, 0, 0, fd), -EINVAL);
	assert_int_equal(add_event(TRN_PCI_REGION_CONFIG, 0, 4, 0, 0, fd), -EINVAL);
	assert_int_equal(add_event(TRN_PCI_REGION_ROM, 0, 4, 0, 0, fd), -EINVAL);
	assert_int_equal(add_event(BAR_REGISTERS, 0, 3, 0, 0, fd), -EINVAL);
	assert_int_equal(add_event(BAR_REGISTERS, 0, 16, 0, 0, fd), -EINVAL);
	assert_int_equal(add_event(BAR_REGISTERS, 0, 4, 8, 0, fd), -EINVAL);
	assert_int_equal(add_event(BAR_REGISTERS, 0, 4, 0, 0, -1), -EINVAL);
	assert_int_equal(add_event(BAR_REGISTERS, 0, 2, match, 0x10000, fd), -EINVAL);
	assert_int_equal(add_event(BAR_TABLE, PAGE + 0x17f, 4, 0, 0, fd), -EINVAL);
	assert_int_equal(add_event(BAR_TABLE, 4 * PAGE, 4, 0, 0, fd), -EINVAL);

	assert_int_equal(add_event(BAR_REGISTERS, 8, 4, match, 1, fd), 0);
	assert_int_equal(add_event(BAR_REGISTERS, 8, 4, match, 2, fd), 0);
	assert_int_equal(add_event(BAR_REGISTERS, 10, 4, match, 2, fd), -EEXIST);
	assert_int_equal(add_event(BAR_REGISTERS, 8, 4, 0, 0, fd), -EEXIST);
	assert_int_equal(add_event(BAR_IO, 0, 1, 0, 0, fd), 0);
	assert_int_equal(trn_use_region_ioeventfds(fake.use, BAR_IO, &given, 1), 1);
	assert_int_equal(given.flags, TRN_IOEVENTFD_PIO);
	close(given.fd);
	for (unsigned int i = 0; i < 61; i++)
		assert_int_equal(add_event(BAR_REGISTERS, 0x100 + 4 * i, 4, 0, 0, fd), 0);
	assert_int_equal(add_event(BAR_REGISTERS, 0x800, 4, 0, 0, fd), -ENOSPC);
	close(fd);
}

static struct trn_pci_bar candidate;
static unsigned int at_index;

static int build_candidate(struct trn_pci *pci, struct trn_error *err)
{
	return trn_pci_add_bar(pci, at_index, &candidate, err);
}

static int try_bar(unsigned int index, struct trn_pci_bar bar)
{
	struct trn_error err = { 0 };
	int r;

	at_index = index;
	candidate = bar;
	r = pci_fake_try(build_candidate, 0, &err);
	assert_int_equal(err.code, r);
	return r;
}

static void test_bars_that_are_refused(void **state)
{
	int fd = memfd_create("unsealed", MFD_CLOEXEC);
	const uint32_t ram = TRN_PCI_BAR_RAM, mmap_flag = TRN_PCI_BAR_MMAP, io = TRN_PCI_BAR_IO;

	assert_int_equal(try_bar(0, (struct trn_pci_bar){ .size = 16, .rw = note_rw }), 0);
	assert_int_equal(try_bar(6, (struct trn_pci_bar){ .size = 16, .rw = note_rw }), -EINVAL);
	assert_int_equal(try_bar(0, (struct trn_pci_bar){ .size = 16 }), -EINVAL);
	assert_int_equal(try_bar(0, (struct trn_pci_bar){ .size = 0, .rw = note_rw }), -EINVAL);
	assert_int_equal(try_bar(0, (struct trn_pci_bar){ .size = 8, .rw = note_rw }), -EINVAL);
	assert_int_equal(try_bar(0, (struct trn_pci_bar){ .size = 48, .rw = note_rw }), -EINVAL);
	assert_int_equal(try_bar(0, (struct trn_pci_bar){ .size = 1ull << 32, .rw = note_rw }), -EINVAL);
	assert_int_equal(try_bar(0, (struct trn_pci_bar){ .size = 1ull << 31, .rw = note_rw }), 0);
	assert_int_equal(try_bar(0, (struct trn_pci_bar){ .size = 1ull << 40, .flags = TRN_PCI_BAR_64, .rw = note_rw }), 0);
	assert_int_equal(try_bar(5, (struct trn_pci_bar){ .size = 16, .flags = TRN_PCI_BAR_64, .rw = note_rw }), -EINVAL);
	assert_int_equal(try_bar(0, (struct trn_pci_bar){ .size = 16, .flags = 1 << 20, .rw = note_rw }), -EINVAL);
	assert_int_equal(try_bar(0, (struct trn_pci_bar){ .size = 512, .flags = io, .rw = note_rw }), -EINVAL);
	assert_int_equal(try_bar(0, (struct trn_pci_bar){ .size = 2, .flags = io, .rw = note_rw }), -EINVAL);
	assert_int_equal(try_bar(0, (struct trn_pci_bar){ .size = 256, .flags = io, .rw = note_rw }), 0);
	assert_int_equal(try_bar(0, (struct trn_pci_bar){ .size = 8, .flags = io | TRN_PCI_BAR_64, .rw = note_rw }), -EINVAL);
	assert_int_equal(try_bar(0, (struct trn_pci_bar){ .size = PAGE, .flags = mmap_flag, .rw = note_rw }), -EINVAL);
	assert_int_equal(try_bar(0, (struct trn_pci_bar){ .size = PAGE / 2, .flags = ram }), -EINVAL);
	assert_int_equal(try_bar(0, (struct trn_pci_bar){ .size = PAGE, .flags = ram, .areas = areas }), -EINVAL);
	assert_int_equal(try_bar(0, (struct trn_pci_bar){ .size = PAGE, .flags = ram, .fd = fd }), -EINVAL);
	assert_int_equal(try_bar(0, (struct trn_pci_bar){ .size = PAGE, .rw = note_rw, .fd = fd }), -EINVAL);
	assert_int_equal(try_bar(0, (struct trn_pci_bar){ .size = PAGE, .flags = ram | TRN_PCI_BAR_UNSEALED, .fd = fd }), -EINVAL);
	assert_int_equal(try_bar(0, (struct trn_pci_bar){ .size = PAGE, .flags = ram | TRN_PCI_BAR_UNSEALED }), -EINVAL);
	assert_int_equal(ftruncate(fd, PAGE), 0);
	assert_int_equal(try_bar(0, (struct trn_pci_bar){ .size = PAGE, .flags = ram, .fd = fd }), -EINVAL);
	assert_int_equal(try_bar(0, (struct trn_pci_bar){ .size = PAGE, .flags = ram | TRN_PCI_BAR_UNSEALED, .fd = fd }), 0);
	close(fd);
}

static int driver_memory;

static int build_pairs(struct trn_pci *pci, struct trn_error *err)
{
	const struct trn_pci_bar wide = { .size = 1 << 20, .flags = TRN_PCI_BAR_64, .rw = note_rw };
	const struct trn_pci_bar narrow = { .size = PAGE, .rw = note_rw };
	struct trn_pci_bar given = { .size = PAGE, .flags = TRN_PCI_BAR_RAM, .fd = driver_memory, .offset = PAGE };
	const struct trn_pci_bar bad = { .size = PAGE, .flags = TRN_PCI_BAR_RAM | TRN_PCI_BAR_MMAP, .areas = bad_areas };

	assert_int_equal(trn_pci_add_bar(pci, 1, &wide, err), 0);
	assert_int_equal(trn_pci_add_bar(pci, 2, &narrow, NULL), -EEXIST);
	assert_int_equal(trn_pci_add_bar(pci, 1, &narrow, NULL), -EEXIST);
	assert_int_equal(trn_pci_add_bar(pci, 0, &wide, NULL), -EEXIST);
	given.offset = 17;
	assert_int_equal(trn_pci_add_bar(pci, 0, &given, NULL), -EINVAL);
	given.offset = 2 * PAGE;
	assert_int_equal(trn_pci_add_bar(pci, 0, &given, NULL), -EINVAL);
	given.offset = PAGE;
	assert_int_equal(trn_pci_add_bar(pci, 0, &given, err), 0);
	assert_int_equal(trn_pci_add_bar(pci, 3, &bad, err), 0);
	((uint8_t *)trn_pci_ram(pci, 0))[0] = 0x99;
	assert_int_equal(trn_pci_add_region(pci, 0, 0, &wide, NULL), -EINVAL);
	for (unsigned int i = 0; i < 16; i++)
		assert_int_equal(trn_pci_add_region(pci, 0, 0, &narrow, err), 9 + (int)i);
	assert_int_equal(trn_pci_add_region(pci, 0, 0, &narrow, NULL), -ENOSPC);
	assert_int_equal(trn_pci_set_rom(pci, "x", 0, NULL), -EINVAL);
	assert_int_equal(trn_pci_set_rom(pci, "x", (16 << 20) + 1, NULL), -EINVAL);
	return 0;
}

static void test_pairs_and_memory_of_the_driver(void **state)
{
	struct pci_fake f = { .build = build_pairs };
	struct trn_span span;
	uint8_t byte = 0;

	driver_memory = base_memfd_create("driver", 2 * PAGE);
	pci_fake_start(&f);
	assert_int_equal(pread(driver_memory, &byte, 1, PAGE), 1);
	assert_int_equal(byte, 0x99);
	assert_int_equal(trn_use_region_areas(f.use, 3, &span, 1), -EINVAL);
	assert_int_equal(trn_pci_add_bar(f.pci, 5, &(struct trn_pci_bar){ .size = 16, .rw = note_rw }, NULL), -EINVAL);
	pci_fake_stop(&f);
	close(driver_memory);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_info),
		T(test_capabilities),
		T(test_driver_is_called_once),
		T(test_rom),
		T(test_mixed_region_is_cut),
		T(test_table_is_cut_out),
		T(test_areas),
		T(test_descriptor_is_the_memory),
		T(test_ioeventfds_of_messages),
		T(test_ioeventfds_that_are_refused),
		T(test_shadow_memory_must_stay),
		T(test_bars_that_are_refused),
		T(test_pairs_and_memory_of_the_driver),
	};

	return unit_run(tests);
}
