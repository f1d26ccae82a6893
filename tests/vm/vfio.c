/* SPDX-License-Identifier: MIT */
/*
 * vfio GROUP ADDRESS CHECK...: drives the test device (src/parents/testdev, "full") by VFIO inside a guest, as a guest's own
 * user-space driver would: group, type1 container, registers, mapped memory, interrupts, DMA, reset.
 * Prints "CHECK ok" for each, or ends with status 1 and says what is wrong.
 */
#include <err.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define need(condition) \
	do { \
		if (!(condition)) \
			err(1, "line %d: %s", __LINE__, #condition); \
	} while (0)

enum { ID = 0x00, SCRATCH = 0x04, COUNTER = 0x08, FIRE = 0x0c, INTX = 0x10, RESETS = 0x18, DMA_LOW = 0x20, DMA_HIGH = 0x24,
       DMA_LEN = 0x28, DMA_OFFSET = 0x2c, DMA_CMD = 0x30, DMA_STATUS = 0x34 };
enum { FETCH = 1, STORE = 2, BUSY = 1, DONE = 2, DMA_VECTOR = 1 };
#define NR_VECTORS 8
#define RAM_SIZE (1u << 20)
#define IOVA 0x7654000000ull /* above 4 GiB: both registers count */
#define PAGE 4096u

struct device {
	int container, group, fd;
	uint64_t offsets[VFIO_PCI_NUM_REGIONS];
	uint8_t *ram; /* BAR 2 */
	uint8_t *memory; /* ours, at IOVA */
};

static uint32_t get(const struct device *d, unsigned int reg)
{
	uint32_t value;

	need(pread(d->fd, &value, 4, (off_t)(d->offsets[0] + reg)) == 4);
	return value;
}

static void put(const struct device *d, unsigned int reg, uint32_t value)
{
	need(pwrite(d->fd, &value, 4, (off_t)(d->offsets[0] + reg)) == 4);
}

static void enable_dma(const struct device *d)
{
	off_t at = (off_t)d->offsets[VFIO_PCI_CONFIG_REGION_INDEX] + PCI_COMMAND;
	uint16_t command;

	need(pread(d->fd, &command, 2, at) == 2);
	command |= PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY | PCI_COMMAND_IO;
	need(pwrite(d->fd, &command, 2, at) == 2);
}

static void attach(struct device *d, const char *group, const char *address)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };
	struct vfio_device_info info = { .argsz = sizeof(info) };

	d->container = open("/dev/vfio/vfio", O_RDWR);
	d->group = open(group, O_RDWR);
	need(d->container >= 0 && d->group >= 0);
	need(ioctl(d->group, VFIO_GROUP_GET_STATUS, &status) == 0 && status.flags & VFIO_GROUP_FLAGS_VIABLE);
	need(ioctl(d->group, VFIO_GROUP_SET_CONTAINER, &d->container) == 0);
	need(ioctl(d->container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) == 0);
	d->fd = ioctl(d->group, VFIO_GROUP_GET_DEVICE_FD, address);
	need(d->fd >= 0);
	need(ioctl(d->fd, VFIO_DEVICE_GET_INFO, &info) == 0);
	need(info.flags & VFIO_DEVICE_FLAGS_PCI && info.flags & VFIO_DEVICE_FLAGS_RESET);
	for (unsigned int i = 0; i < VFIO_PCI_NUM_REGIONS && i < info.num_regions; i++) {
		struct vfio_region_info region = { .argsz = sizeof(region), .index = i };

		if (i == VFIO_PCI_VGA_REGION_INDEX)
			continue;
		need(ioctl(d->fd, VFIO_DEVICE_GET_REGION_INFO, &region) == 0);
		d->offsets[i] = region.offset;
		need(i != VFIO_PCI_BAR2_REGION_INDEX || (region.size == RAM_SIZE && region.flags & VFIO_REGION_INFO_FLAG_MMAP));
	}
	d->ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, d->fd, (off_t)d->offsets[VFIO_PCI_BAR2_REGION_INDEX]);
	need(d->ram != MAP_FAILED);
	need(ioctl(d->fd, VFIO_DEVICE_RESET) == 0);
	enable_dma(d);
}

static void check_registers(struct device *d)
{
	uint8_t byte = 0x5a;

	need(get(d, ID) == 0x44545354);
	put(d, SCRATCH, 0x12345678);
	need(get(d, SCRATCH) == 0x12345678);
	put(d, COUNTER, 7);
	put(d, COUNTER, 7);
	need(get(d, COUNTER) == 2);
	need(pwrite(d->fd, &byte, 1, (off_t)d->offsets[VFIO_PCI_BAR1_REGION_INDEX] + 31) == 1);
	byte = 0;
	need(pread(d->fd, &byte, 1, (off_t)d->offsets[VFIO_PCI_BAR1_REGION_INDEX] + 31) == 1 && byte == 0x5a);
}

/* Written by mapping, read by call, and the other way; also where the device's process maps nothing (0x4000 to 0x8000). */
static void check_mapping(struct device *d)
{
	static const uint32_t places[] = { 0, 0x3ffc, 0x4000, 0x7ffc, 0x8000, RAM_SIZE - 4 };

	for (unsigned int i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		off_t at = (off_t)d->offsets[VFIO_PCI_BAR2_REGION_INDEX] + places[i];
		volatile uint32_t *word = (volatile uint32_t *)(void *)(d->ram + places[i]);
		uint32_t value = 0;

		*word = 0xc0de0000 + i;
		need(pread(d->fd, &value, 4, at) == 4 && value == 0xc0de0000 + i);
		value = 0xbeef0000 + i;
		need(pwrite(d->fd, &value, 4, at) == 4 && *word == 0xbeef0000 + i);
	}
}

static void set_irqs(const struct device *d, uint32_t index, uint32_t flags, const int *fds, uint32_t count)
{
	char buf[sizeof(struct vfio_irq_set) + NR_VECTORS * sizeof(int)] = { 0 };
	struct vfio_irq_set *set = (struct vfio_irq_set *)(void *)buf;

	set->argsz = (uint32_t)(sizeof(*set) + (fds ? count * sizeof(int) : 0));
	set->flags = flags;
	set->index = index;
	set->count = count;
	if (fds)
		memcpy(set->data, fds, count * sizeof(int));
	need(ioctl(d->fd, VFIO_DEVICE_SET_IRQS, set) == 0);
}

/* Return: how often it was signalled, within so many milliseconds. */
static uint64_t signalled(int fd, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint64_t n = 0;

	if (poll(&p, 1, timeout_ms) == 1)
		need(read(fd, &n, sizeof(n)) == sizeof(n));
	return n;
}

static void use_messages(const struct device *d, int *fds)
{
	for (unsigned int i = 0; i < NR_VECTORS; i++)
		need((fds[i] = eventfd(0, EFD_NONBLOCK)) >= 0);
	set_irqs(d, VFIO_PCI_MSIX_IRQ_INDEX, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER, fds, NR_VECTORS);
}

static void stop_messages(const struct device *d, const int *fds)
{
	set_irqs(d, VFIO_PCI_MSIX_IRQ_INDEX, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER, NULL, 0);
	for (unsigned int i = 0; i < NR_VECTORS; i++)
		close(fds[i]);
}

static void check_messages(struct device *d)
{
	int fds[NR_VECTORS];

	use_messages(d, fds);
	for (unsigned int i = 0; i < NR_VECTORS; i++) {
		put(d, FIRE, i);
		for (unsigned int k = 0; k < NR_VECTORS; k++)
			need(signalled(fds[k], k == i ? 5000 : 0) == (k == i));
	}
	stop_messages(d, fds);
}

/* A level: comes again after each unmask while it is up. */
static void check_intx(struct device *d)
{
	int fd = eventfd(0, EFD_NONBLOCK);

	need(fd >= 0);
	set_irqs(d, VFIO_PCI_INTX_IRQ_INDEX, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER, &fd, 1);
	for (unsigned int round = 0; round < 2; round++) {
		need(signalled(fd, 100) == 0);
		put(d, INTX, 1);
		need(signalled(fd, 5000) == 1);
		need(signalled(fd, 100) == 0); /* masked by itself */
		set_irqs(d, VFIO_PCI_INTX_IRQ_INDEX, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_UNMASK, NULL, 1);
		need(signalled(fd, 5000) == 1);
		put(d, INTX, 0);
		set_irqs(d, VFIO_PCI_INTX_IRQ_INDEX, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_UNMASK, NULL, 1);
	}
	set_irqs(d, VFIO_PCI_INTX_IRQ_INDEX, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER, NULL, 0);
	close(fd);
}

static uint32_t transfer(const struct device *d, uint64_t iova, uint32_t len, uint32_t offset, uint32_t command, int done)
{
	put(d, DMA_LOW, (uint32_t)iova);
	put(d, DMA_HIGH, (uint32_t)(iova >> 32));
	put(d, DMA_LEN, len);
	put(d, DMA_OFFSET, offset);
	put(d, DMA_CMD, command);
	need(signalled(done, 20000) == 1);
	return get(d, DMA_STATUS);
}

static void fill(uint8_t *at, size_t len, unsigned int seed)
{
	for (size_t i = 0; i < len; i++)
		at[i] = (uint8_t)(i * 31 + i / 251 + seed);
}

/* Both ways; the bytes around stay as they were. */
static void check_one_transfer(struct device *d, uint32_t at, uint32_t len, uint32_t offset, int done)
{
	static uint8_t before[RAM_SIZE];

	fill(d->memory, RAM_SIZE, len);
	need(transfer(d, IOVA + at, len, offset, FETCH, done) == DONE);
	need(!memcmp(d->ram + offset, d->memory + at, len));
	memcpy(before, d->memory, RAM_SIZE);
	fill(d->ram + offset, len, len + 99);
	need(transfer(d, IOVA + at, len, offset, STORE, done) == DONE);
	need(!memcmp(d->memory + at, d->ram + offset, len));
	memcpy(before + at, d->memory + at, len);
	need(!memcmp(before, d->memory, RAM_SIZE));
}

static void check_dma(struct device *d)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map), .flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE, .iova = IOVA, .size = RAM_SIZE,
	};
	struct vfio_iommu_type1_dma_unmap unmap = { .argsz = sizeof(unmap), .iova = IOVA, .size = RAM_SIZE };
	int fds[NR_VECTORS];

	d->memory = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	need(d->memory != MAP_FAILED);
	map.vaddr = (uintptr_t)d->memory;
	need(ioctl(d->container, VFIO_IOMMU_MAP_DMA, &map) == 0);
	use_messages(d, fds);
	check_one_transfer(d, 0, PAGE, 0, fds[DMA_VECTOR]);
	check_one_transfer(d, 1, 1, RAM_SIZE - 1, fds[DMA_VECTOR]);
	check_one_transfer(d, PAGE - 3, 5 * PAGE + 7, 0x8000 + 5, fds[DMA_VECTOR]);
	check_one_transfer(d, 0, RAM_SIZE, 0, fds[DMA_VECTOR]);
	/* What is not mapped is no address, whether it never was or is no longer. */
	need(transfer(d, IOVA - PAGE, PAGE, 0, FETCH, fds[DMA_VECTOR]) & 0x80000000u);
	need(ioctl(d->container, VFIO_IOMMU_UNMAP_DMA, &unmap) == 0 && unmap.size == RAM_SIZE);
	need(transfer(d, IOVA, PAGE, 0, STORE, fds[DMA_VECTOR]) & 0x80000000u);
	stop_messages(d, fds);
	munmap(d->memory, RAM_SIZE);
}

static void check_reset(struct device *d)
{
	uint32_t before = get(d, RESETS);

	put(d, SCRATCH, 1);
	d->ram[0] = 1;
	need(ioctl(d->fd, VFIO_DEVICE_RESET) == 0);
	need(get(d, SCRATCH) == 0 && d->ram[0] == 0);
	need(get(d, RESETS) > before);
	enable_dma(d);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*check)(struct device *d);
	} checks[] = {
		{ "registers", check_registers }, { "mapping", check_mapping }, { "messages", check_messages },
		{ "intx", check_intx }, { "dma", check_dma }, { "reset", check_reset },
	};
	struct device d = { 0 };

	if (argc < 3)
		errx(2, "vfio GROUP ADDRESS CHECK...");
	attach(&d, argv[1], argv[2]);
	for (int i = 3; i < argc; i++)
		for (size_t k = 0; k < sizeof(checks) / sizeof(checks[0]); k++)
			if (!strcmp(argv[i], checks[k].name)) {
				checks[k].check(&d);
				printf("%s ok\n", argv[i]);
			}
	return 0;
}
