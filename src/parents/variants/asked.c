/* SPDX-License-Identifier: MIT */
#include "parents/variants/asked.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tranche/pci.h"

struct asked {
	struct asked_card *card;
	unsigned int unit;
	bool is_suspended;
};

static int ask(struct asked *a, struct asked_request req, size_t *ret_len, struct trn_error *err)
{
	int r;

	req.unit = a->unit;
	r = a->card->command(a->card, &req, err);
	if (r == 0 && ret_len)
		*ret_len = req.len;
	return r;
}

static int bar_rw(struct trn_pci *pci, uint64_t offset, void *buf, size_t len, bool is_write)
{
	enum asked_command command = is_write ? ASKED_WRITE : ASKED_READ;

	return ask(trn_pci_priv(pci), (struct asked_request){ .command = command, .offset = offset, .buf = buf, .len = len }, NULL, NULL);
}

static int save(struct trn_pci *pci, struct trn_pci_writer *w)
{
	struct asked *a = trn_pci_priv(pci);
	uint8_t buf[ASKED_MAX_STATE];
	size_t len;
	int r;

	r = ask(a, (struct asked_request){ .command = ASKED_QUERY_SIZE }, &len, NULL);
	if (r == 0 && len > sizeof(buf))
		r = -EFBIG;
	if (r == 0)
		r = ask(a, (struct asked_request){ .command = ASKED_SAVE, .buf = buf, .len = len }, &len, NULL);
	if (r == 0)
		trn_pci_writer_put(w, buf, len);
	return r;
}

static int load(struct trn_pci *pci, uint32_t version, const void *data, size_t len, struct trn_error *err)
{
	uint8_t buf[ASKED_MAX_STATE];

	if (len > sizeof(buf))
		return trn_error_set(err, -EINVAL, "BadState", "a unit's state of %zu bytes is too long", len);
	memcpy(buf, data, len);
	return ask(trn_pci_priv(pci), (struct asked_request){ .command = ASKED_LOAD, .buf = buf, .len = len }, NULL, err);
}

static int suspend(struct asked *a, bool on, struct trn_error *err)
{
	int r = 0;

	if (a->is_suspended != on)
		r = ask(a, (struct asked_request){ .command = on ? ASKED_SUSPEND : ASKED_RESUME }, NULL, err);
	if (r == 0)
		a->is_suspended = on;
	return r;
}

static bool is_still(enum trn_mig_state state)
{
	return state == TRN_MIG_STOP || state == TRN_MIG_STOP_COPY || state == TRN_MIG_RESUMING;
}

/* The card stops the unit before the library believes it stopped, and lets it run after: it may refuse both. */
static int set_state_locked(struct trn_use *use, struct asked *a, enum trn_mig_state to, struct trn_error *err)
{
	enum trn_mig_state now;
	int r = 0, resumed;

	if (is_still(to))
		r = suspend(a, true, err);
	if (r == 0)
		r = trn_pci_migration_ops.set_state(use, to, err);
	if (trn_pci_migration_ops.get_state(use, &now) < 0 || is_still(now))
		return r;
	resumed = suspend(a, false, err);
	return r < 0 ? r : resumed;
}

static int set_state(struct trn_use *use, enum trn_mig_state to, struct trn_error *err)
{
	struct trn_pci *pci = trn_pci_of(trn_use_device(use));
	int r;

	trn_pci_lock(pci);
	r = set_state_locked(use, trn_pci_priv(pci), to, err);
	trn_pci_unlock(pci);
	return r;
}

static int get_state(struct trn_use *use, enum trn_mig_state *ret)
{
	return trn_pci_migration_ops.get_state(use, ret);
}

static ssize_t read_state(struct trn_use *use, void *buf, size_t len)
{
	return trn_pci_migration_ops.read(use, buf, len);
}

static int write_state(struct trn_use *use, const void *buf, size_t len, struct trn_error *err)
{
	return trn_pci_migration_ops.write(use, buf, len, err);
}

static int sizes(struct trn_use *use, struct trn_mig_sizes *ret)
{
	return trn_pci_migration_ops.sizes(use, ret);
}

static int reset(struct trn_use *use)
{
	struct trn_pci *pci = trn_pci_of(trn_use_device(use));
	struct asked *a = trn_pci_priv(pci);
	int r;

	trn_pci_lock(pci);
	r = ask(a, (struct asked_request){ .command = ASKED_RESET }, NULL, NULL);
	if (r == 0) {
		a->is_suspended = false;
		r = trn_pci_op_reset(use);
	}
	trn_pci_unlock(pci);
	return r;
}

static int make(struct trn_device *dev, struct asked *a, struct trn_error *err)
{
	static const struct trn_pci_migration migration = {
		.flags = TRN_MIG_CAN_STOP_COPY | TRN_MIG_CAN_P2P,
		.version = 1,
		.max_state = ASKED_MAX_STATE,
		.save = save,
		.load = load,
	};
	const struct trn_pci_params params = {
		.ids = { .vendor = 0x1af4, .device = 0x10f1, .subsystem_vendor = 0x1af4, .subsystem = 0x1100, .class_code = 0xff0000 },
		.migration = &migration,
		.priv = a,
	};
	const struct trn_pci_bar bar = { .size = ASKED_UNIT_BYTES, .rw = bar_rw };
	struct trn_pci *pci;
	int r;

	r = trn_pci_create(dev, &params, &pci, err);
	if (r < 0)
		return r;
	r = trn_pci_add_bar(pci, 0, &bar, err);
	if (r == 0)
		r = trn_pci_realize(pci, err);
	if (r < 0)
		trn_pci_destroy(pci);
	return r;
}

static int init(struct trn_device *dev, struct trn_error *err)
{
	struct asked_request attach = { .command = ASKED_ATTACH };
	struct asked *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return trn_error_set(err, -ENOMEM, "NoMemory", "no memory for a unit's device");
	a->card = trn_parent_priv(trn_type_parent(trn_device_type(dev)));
	r = a->card->command(a->card, &attach, err);
	a->unit = attach.unit;
	if (r == 0) {
		r = make(dev, a, err);
		if (r < 0)
			ask(a, (struct asked_request){ .command = ASKED_DETACH }, NULL, NULL);
	}
	if (r < 0)
		free(a);
	return r;
}

static void release(struct trn_device *dev)
{
	struct trn_pci *pci = trn_pci_of(dev);
	struct asked *a = trn_pci_priv(pci);

	trn_pci_destroy(pci);
	ask(a, (struct asked_request){ .command = ASKED_DETACH }, NULL, NULL);
	free(a);
}

static const struct trn_migration_ops migration_ops = {
	.flags = TRN_MIG_CAN_STOP_COPY | TRN_MIG_CAN_P2P,
	.get_state = get_state,
	.set_state = set_state,
	.read = read_state,
	.write = write_state,
	.sizes = sizes,
};

static const struct trn_device_ops asked_ops = {
	.name = "asked",
	.device_api = TRN_PCI_DEVICE_API,
	.init = init,
	.release = release,
	.open = trn_pci_op_open,
	.close = trn_pci_op_close,
	.request = trn_pci_op_request,
	.reset = reset,
	.info = trn_pci_op_info,
	.caps = trn_pci_op_caps,
	.region_info = trn_pci_op_region_info,
	.region_rw = trn_pci_op_region_rw,
	.region_fd = trn_pci_op_region_fd,
	.region_areas = trn_pci_op_region_areas,
	.region_ioeventfds = trn_pci_op_region_ioeventfds,
	.irq_info = trn_pci_op_irq_info,
	.set_irqs = trn_pci_op_set_irqs,
	.dma_map = NULL,
	.dma_unmap = NULL,
	.migration = &migration_ops,
	.dma_log = &trn_pci_dma_log_ops,
};

int asked_parent_register(struct trn_core *core, const char *name, struct asked_card *card, struct trn_parent **ret,
			  struct trn_error *err)
{
	static const struct trn_type_desc type = {
		.name = "unit",
		.pretty_name = "unit of a card that saves and loads it on request",
		.cost.amount[TRN_RESOURCE_UNITS] = 1,
	};
	const struct trn_parent_desc desc = {
		.name = name,
		.ops = &asked_ops,
		.types = &type,
		.nr_types = 1,
		.capacity.amount[TRN_RESOURCE_UNITS] = card->nr_units,
		.priv = card,
	};

	return trn_parent_register(core, &desc, ret, err);
}
