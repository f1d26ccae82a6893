/* SPDX-License-Identifier: MIT */
#include "display.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "unit.h"

static void map_memory(struct display *d)
{
	struct trn_region_info info;
	uint64_t offset;
	int fd;

	assert_int_equal(trn_use_region_info(d->use, REGION_MEMORY, &info), 0);
	fd = trn_use_region_fd(d->use, REGION_MEMORY, &offset);
	assert_true(fd >= 0);
	d->memory_size = info.size;
	d->memory = mmap(NULL, info.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);
	assert_ptr_not_equal(d->memory, MAP_FAILED);
	close(fd);
}

void display_open(struct display *d, const char *type, const struct bochs_config *config)
{
	static const struct trn_create_params params = { .uuid = "11111111-2222-3333-4444-555555555555" };
	const uint16_t command = TRN_PCI_COMMAND_MEMORY;
	struct trn_error err = { 0 };

	memset(d, 0, sizeof(*d));
	d->core = trn_core_create();
	assert_non_null(d->core);
	assert_int_equal(bochs_parent_register(d->core, "bochs", config, &d->parent, &err), 0);
	if (trn_device_create(trn_type_find(d->parent, type), &params, &d->dev, &err) < 0)
		fail_msg("%s: %s", type, err.text);
	if (trn_device_open(d->dev, "test", NULL, &d->use, &err) < 0)
		fail_msg("%s", err.text);
	d->pci = trn_pci_of(d->dev);
	assert_int_equal(trn_use_region_write(d->use, REGION_CONFIG, 4, &command, sizeof(command)), 0);
	map_memory(d);
}

void display_close(struct display *d)
{
	munmap(d->memory, d->memory_size);
	trn_use_close(d->use);
	trn_device_unref(d->dev);
	trn_parent_unregister(d->parent, NULL, NULL);
	trn_parent_unref(d->parent);
	trn_core_destroy(d->core);
}

uint16_t display_read(struct display *d, unsigned int reg)
{
	uint16_t value = 0xeeee;

	assert_int_equal(trn_use_region_read(d->use, REGION_MMIO, 0x500 + 2 * reg, &value, sizeof(value)), 0);
	return value;
}

void display_write(struct display *d, unsigned int reg, uint16_t value)
{
	assert_int_equal(trn_use_region_write(d->use, REGION_MMIO, 0x500 + 2 * reg, &value, sizeof(value)), 0);
}

void display_set_mode(struct display *d, uint16_t x, uint16_t y, uint16_t bpp)
{
	display_write(d, ENABLE, 0);
	display_write(d, BPP, bpp);
	display_write(d, XRES, x);
	display_write(d, YRES, y);
	display_write(d, BANK, 0);
	display_write(d, VIRT_WIDTH, x);
	display_write(d, VIRT_HEIGHT, y);
	display_write(d, X_OFFSET, 0);
	display_write(d, Y_OFFSET, 0);
	display_write(d, ENABLE, 0x41);
}
