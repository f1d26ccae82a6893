/* SPDX-License-Identifier: MIT */
/* The serial card that says more: its chain of capabilities, and nothing else, differs from the card's. */
#include "unit.h"

#include <linux/vfio.h>
#include <string.h>

#include "parents/variants/info.h"
#include "tranche/pci.h"

struct side {
	struct trn_parent *parent;
	struct trn_device *dev;
	struct trn_use *use;
};

#define UUID "aaaaaaaa-2222-3333-4444-555555555555"

static void side_open(struct side *s, struct trn_core *core, const char *type, const char *uuid)
{
	const struct trn_create_params params = { .uuid = uuid };

	assert_int_equal(trn_device_create(trn_type_find(s->parent, type), &params, &s->dev, NULL), 0);
	assert_int_equal(trn_device_open(s->dev, "test", NULL, &s->use, NULL), 0);
}

static void side_close(struct side *s)
{
	trn_use_close(s->use);
	trn_device_unref(s->dev);
	trn_parent_unregister(s->parent, NULL, NULL);
	trn_parent_unref(s->parent);
}

/* The chain of a device or region, as a reply would carry it behind a header of base bytes. */
static size_t chain_of(struct trn_use *use, uint32_t index, uint8_t *buf, size_t max, uint32_t base)
{
	struct trn_caps *caps = trn_caps_new();
	size_t len;

	assert_int_equal(trn_use_caps(use, index, caps), 0);
	len = trn_caps_len(caps);
	assert_true(len <= max);
	if (len)
		trn_caps_write(caps, buf, base);
	trn_caps_free(caps);
	return len;
}

static void check_device_chain(struct side *s)
{
	struct vfio_info_cap_header header;
	struct info_cap_ports ports;
	uint8_t buf[256];
	size_t len = chain_of(s->use, TRN_CAPS_OF_DEVICE, buf, sizeof(buf), 24);

	assert_int_equal(len, 8 + 8 + 8 + 40); /* each begins at a multiple of 8 */
	memcpy(&header, buf, sizeof(header));
	assert_int_equal(header.id, INFO_CAP_PORTS);
	assert_int_equal(header.version, 1);
	assert_int_equal(header.next, 24 + 16);
	memcpy(&ports, buf + 8, sizeof(ports));
	assert_int_equal(ports.nr_ports, 2);
	assert_int_equal(ports.nr_free, 22);
	memcpy(&header, buf + 16, sizeof(header));
	assert_int_equal(header.id, INFO_CAP_LABEL);
	assert_int_equal(header.version, 1);
	assert_int_equal(header.next, 0);
	assert_string_equal((const char *)buf + 24, UUID);
}

static void check_same(struct side *a, struct side *b)
{
	struct trn_region_info region_a, region_b;
	struct trn_device_info info_a, info_b;
	struct trn_irq_info irq_a, irq_b;
	uint8_t config_a[256], config_b[256];

	trn_use_info(a->use, &info_a);
	trn_use_info(b->use, &info_b);
	assert_memory_equal(&info_a, &info_b, sizeof(info_a));
	for (uint32_t i = 0; i < info_a.nr_regions; i++) {
		assert_int_equal(trn_use_region_info(a->use, i, &region_a), 0);
		assert_int_equal(trn_use_region_info(b->use, i, &region_b), 0);
		assert_true(region_a.size == region_b.size && region_a.flags == region_b.flags);
		assert_int_equal(chain_of(a->use, i, config_a, 256, 0), chain_of(b->use, i, config_b, 256, 0));
	}
	for (uint32_t i = 0; i < info_a.nr_irqs; i++) {
		assert_int_equal(trn_use_irq_info(a->use, i, &irq_a), 0);
		assert_int_equal(trn_use_irq_info(b->use, i, &irq_b), 0);
		assert_true(irq_a.count == irq_b.count && irq_a.flags == irq_b.flags);
	}
	assert_int_equal(trn_use_region_read(a->use, TRN_PCI_REGION_CONFIG, 0, config_a, 256), 0);
	assert_int_equal(trn_use_region_read(b->use, TRN_PCI_REGION_CONFIG, 0, config_b, 256), 0);
	assert_memory_equal(config_a, config_b, 256);
	assert_int_equal(trn_use_mig_flags(a->use), trn_use_mig_flags(b->use));
}

/* A byte goes round the plug of port 0, as on the card. */
static void check_loop(struct side *s)
{
	const uint16_t command = TRN_PCI_COMMAND_IO;
	const uint8_t lcr = 3; /* 8 bits a character */
	uint8_t byte = 'x', lsr = 0;

	assert_int_equal(trn_use_region_write(s->use, TRN_PCI_REGION_CONFIG, 4, &command, 2), 0);
	assert_int_equal(trn_use_region_write(s->use, 0, 3, &lcr, 1), 0);
	assert_int_equal(trn_use_region_write(s->use, 0, 0, &byte, 1), 0);
	assert_int_equal(trn_use_region_read(s->use, 0, 5, &lsr, 1), 0);
	assert_int_equal(lsr & 1, 1);
	byte = 0;
	assert_int_equal(trn_use_region_read(s->use, 0, 0, &byte, 1), 0);
	assert_int_equal(byte, 'x');
}

static void test_only_the_chain_differs(void **state)
{
	struct trn_core *core = trn_core_create();
	struct mtty_config config = { 0 };
	struct side card = { 0 }, info = { 0 };
	uint8_t buf[256];

	assert_true(sd_event_new(&config.event) >= 0);
	assert_int_equal(mtty_parent_register(core, "mtty", &config, &card.parent, NULL), 0);
	assert_int_equal(info_parent_register(core, "info", &config, &info.parent, NULL), 0);
	side_open(&card, core, "mtty-2", "bbbbbbbb-2222-3333-4444-555555555555");
	side_open(&info, core, "info-2", UUID);
	check_device_chain(&info);
	assert_int_equal(chain_of(card.use, TRN_CAPS_OF_DEVICE, buf, sizeof(buf), 0), 0);
	check_same(&card, &info);
	check_loop(&card);
	check_loop(&info);
	side_close(&card);
	side_close(&info);
	trn_core_destroy(core);
	sd_event_unref(config.event);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_the_chain_differs),
	};

	return unit_run(tests);
}
