/* SPDX-License-Identifier: MIT */
#include "pci_fake.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>

#include "fake.h"

struct pci_fake *pci_fake_of(const struct trn_pci *pci)
{
	return trn_pci_priv(pci);
}

static void driver_reset(struct trn_pci *pci)
{
	pci_fake_of(pci)->nr_resets++;
}

static void driver_activity(struct trn_pci *pci, enum trn_pci_activity activity)
{
	struct pci_fake *f = pci_fake_of(pci);

	f->activity = activity;
	if (f->runs && activity == TRN_PCI_ACTIVE)
		f->runs(pci);
}

static void driver_enabled(struct trn_pci *pci)
{
	pci_fake_of(pci)->nr_enabled++;
	pci_fake_of(pci)->command = trn_pci_command(pci);
}

static int driver_opened(struct trn_pci *pci, struct trn_error *err)
{
	struct pci_fake *f = pci_fake_of(pci);

	if (f->opened_result < 0)
		return trn_error_set(err, f->opened_result, "FakeRefuses", "the fake refuses");
	f->nr_opened++;
	return 0;
}

static void driver_closed(struct trn_pci *pci)
{
	pci_fake_of(pci)->nr_closed++;
}

static const struct trn_pci_ops ops = {
	.reset = driver_reset,
	.activity = driver_activity,
	.enabled = driver_enabled,
	.opened = driver_opened,
	.closed = driver_closed,
};

static int complete(struct pci_fake *f, struct trn_error *err)
{
	int r = f->build ? f->build(f->pci, err) : 0;

	if (r < 0 || f->is_left_unrealized)
		return r;
	return trn_pci_realize(f->pci, err);
}

static int driver_init(struct trn_device *dev, struct trn_error *err)
{
	struct pci_fake *f = trn_parent_priv(trn_type_parent(trn_device_type(dev)));
	const struct trn_pci_params params = {
		.ids = { 0x1af4, 0x10f0, 0x1af4, 0x1100, 0xff0102, 3 },
		.flags = f->flags,
		.ops = &ops,
		.migration = f->migration,
		.priv = f,
	};
	int r = trn_pci_create(dev, &params, &f->pci, err);

	if (r < 0)
		return r;
	r = complete(f, err);
	if (r < 0)
		trn_pci_destroy(f->pci);
	return r < 0 ? r : 0;
}

static void driver_release(struct trn_device *dev)
{
	trn_pci_destroy(trn_pci_of(dev));
}

const struct trn_device_ops pci_fake_ops = {
	.name = "pcifake",
	.device_api = TRN_PCI_DEVICE_API,
	.init = driver_init,
	.release = driver_release,
	.open = trn_pci_op_open,
	.close = trn_pci_op_close,
	.request = trn_pci_op_request,
	.reset = trn_pci_op_reset,
	.info = trn_pci_op_info,
	.caps = trn_pci_op_caps,
	.region_info = trn_pci_op_region_info,
	.region_rw = trn_pci_op_region_rw,
	.region_fd = trn_pci_op_region_fd,
	.region_areas = trn_pci_op_region_areas,
	.region_ioeventfds = trn_pci_op_region_ioeventfds,
	.irq_info = trn_pci_op_irq_info,
	.set_irqs = trn_pci_op_set_irqs,
	.migration = &trn_pci_migration_ops,
	.dma_log = &trn_pci_dma_log_ops,
};

static const struct trn_type_desc types[] = { { .name = "any", .cost.amount[TRN_RESOURCE_UNITS] = 1 } };

static int create(struct pci_fake *f, struct trn_error *err)
{
	const struct trn_parent_desc desc = {
		.name = "pcifake",
		.ops = &pci_fake_ops,
		.types = types,
		.nr_types = 1,
		.capacity.amount[TRN_RESOURCE_UNITS] = 4,
		.priv = f,
	};

	f->core = trn_core_create();
	assert_non_null(f->core);
	assert_int_equal(trn_parent_register(f->core, &desc, &f->parent, err), 0);
	return fake_create(trn_type_at(f->parent, 0), 1, &f->dev, err);
}

void pci_fake_start(struct pci_fake *f)
{
	struct trn_error err = { 0 };

	if (create(f, &err) < 0)
		fail_msg("%s", err.text);
	if (!f->is_left_unrealized && !f->opened_result)
		f->use = fake_open(f->dev, "the test");
}

void pci_fake_stop(struct pci_fake *f)
{
	trn_use_close(f->use);
	trn_device_unref(f->dev);
	assert_int_equal(trn_parent_unregister(f->parent, NULL, NULL), 0);
	trn_parent_unref(f->parent);
	trn_core_destroy(f->core);
	assert_int_equal(f->nr_opened, f->nr_closed);
}

int pci_fake_try(int (*build)(struct trn_pci *pci, struct trn_error *err), uint32_t flags, struct trn_error *err)
{
	struct pci_fake f = { .build = build, .flags = flags };
	int r = create(&f, err);

	pci_fake_stop(&f);
	return r;
}

uint32_t config_get(const struct pci_fake *f, unsigned int offset, unsigned int len)
{
	uint32_t v = 0;

	assert_int_equal(trn_use_region_read(f->use, TRN_PCI_REGION_CONFIG, offset, &v, len), 0);
	return v;
}

void config_put(const struct pci_fake *f, unsigned int offset, unsigned int len, uint32_t value)
{
	assert_int_equal(trn_use_region_write(f->use, TRN_PCI_REGION_CONFIG, offset, &value, len), 0);
}

unsigned int config_find(const struct pci_fake *f, unsigned int id)
{
	unsigned int at = config_get(f, PCI_CAPABILITY_LIST, 1);

	if (!(config_get(f, PCI_STATUS, 2) & PCI_STATUS_CAP_LIST))
		return 0;
	for (unsigned int nr = 0; at; nr++) {
		assert_true(nr < 48 && at % 4 == 0 && at >= 0x40);
		if (config_get(f, at, 1) == id)
			return at;
		at = config_get(f, at + 1, 1);
	}
	return 0;
}

unsigned int config_find_ext(const struct pci_fake *f, unsigned int id)
{
	unsigned int at = 0x100;

	for (unsigned int nr = 0; at; nr++) {
		uint32_t header = config_get(f, at, 4);

		assert_true(nr < 960 && at % 4 == 0 && at >= 0x100);
		if ((header & 0xffff) == id)
			return at;
		at = header >> 20;
	}
	return 0;
}

void config_enable(const struct pci_fake *f)
{
	config_put(f, PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}
